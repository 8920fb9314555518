/** What the page says: sentences of facts, and nothing of the document. */

const STATES = {
  __proto__: null, // here as below: a name such as "constructor" has no word
  idle: "Idle",
  connecting: "Connecting",
  connected: "Connected",
  waiting: "Waiting",
  closed: "Closed",
};

const REASONS = {
  __proto__: null,
  cut: "the connection was cut",
  refused: "it was refused, or there is no server",
  token: "no token could be fetched",
  unauthorized: "there is no token for it",
  "bad-url": "the URL is not that of a WebSocket API",
  silent: "nothing was heard any more",
  gone: "the server had forgotten it",
  timeout: "it took too long to open",
  online: "the network is back",
  pageshow: "the page is back",
  pagehide: "the page was left",
  close: "closed on this page",
  kicked: "the server said: kicked",
  expired: "the server said: expired",
  moved: "the server said: moved",
  shutdown: "the server said: shutting down",
};

const LOST = {
  __proto__: null,
  expired: "they were not kept long enough",
  "too-many": "more were missed than one recovery gives",
};

const MEANINGS = { __proto__: null, "*": "everyone", "@": "own user", "!": "by id" };

export const stateWord = (state) => STATES[state] ?? state;

/** Why a state was entered; nothing for what goes without saying. */
export const reasonWords = (reason) => REASONS[reason] ?? "";

export const count = (number, one, many = `${one}s`) =>
  `${number.toLocaleString("en")} ${number === 1 ? one : many}`;

export function duration(ms) {
  return Math.abs(ms) < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

// What joins and marks emoji stays.
const UNSEEN = /(?!\t|\n|\u200c|\u200d|[\u{e0020}-\u{e007f}])[\p{Cc}\p{Cf}]/gu;

/** A text in which characters have a name that cannot be seen, or turn others around. */
export const seen = (text) =>
  text.replace(UNSEEN, (one) => {
    const code = one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    return `\u27e8U+${code}\u27e9`;
  });

/** A channel for people: what `*`, `@` and `!` mean, too. */
export function channelWords(name) {
  const meaning = MEANINGS[name];
  return meaning ? `${name} ${meaning}` : name;
}

/** Hours to milliseconds of an arrival, by this device's clock. */
export function clockTime(ms) {
  const at = new Date(ms);
  const two = (number) => String(number).padStart(2, "0");
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":");
  return { time, fraction: `.${String(at.getMilliseconds()).padStart(3, "0")}` };
}

/** Which numbers are lost, and why. */
export function lossWords({ channel, from, to, reason }) {
  if (reason === "epoch") {
    return `Lost in ${channel}: numbers began anew after ${from}, and are at ${to} now. What came between is not known.`;
  }
  const numbers = to === from + 1 ? to : `${from + 1} to ${to}`;
  return `Lost in ${channel}: ${numbers} (${count(to - from, "frame")}): ${LOST[reason] ?? reason}.`;
}

/** What went wrong; a browser tells nothing of a refusal, so that here stands what to look at. */
export function troubleWords({ code, message, retry }) {
  const words =
    {
      refused: `it never opened (${message}). Is the server running, the URL right, and the token still good?`,
      "bad-url": "the URL has to begin with wss:// (or ws://, for a server on this machine)",
    }[code] ?? message;
  return retry ? words : `${words.replace(/[.]$/, "")}. It is not tried again.`;
}

/** What was given again after a cut, of one or more channels at once. */
export function recoveredWords(counts) {
  const all = counts.reduce((sum, one) => sum + one.count, 0);
  if (all === 0) return "Whole again: nothing was missed.";
  const some = counts.filter((one) => one.count > 0);
  const each = some.map((one) => `${one.count} in ${channelWords(one.channel)}`).join(", ");
  return `Whole again: ${count(all, "frame")} replayed (${each}).`;
}

/** What a state change says in the list. */
export function changeWords({ to, reason, retryInMs }) {
  const because = reasonWords(reason);
  const next = retryInMs === undefined ? "" : ` Next try in ${duration(retryInMs)}.`;
  return `${stateWord(to)}${because ? `: ${because}` : ""}.${next}`;
}
