/**
 * Drives web/crier.js in virtual time for generated histories: tests/support/whole_client.py has the
 * commands. Reads a command as a line of JSON, and answers with a line: the time, and the effects in
 * their order, once all promises that could settle have settled.
 */

import { readSync, writeSync } from "node:fs";

const turn = globalThis.setImmediate;
const START_MS = 1_767_225_600_000;
const READ_BYTES = 65_536;

let nowMs = 0;
let effects = [];
let random = Math.random;
let timers = new Map();
let timerIds = 0;
let sockets = [];
let asks = [];
let subscriptions = new Map();
let crier;

const tell = (kind, detail) => effects.push({ do: "told", kind, detail });
const tellFault = (error) => tell("fault", { text: `${error?.stack ?? error}` });

/** Chance that repeats: mulberry32. */
function chance(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class FakeSocket {
  readyState = 0;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;

  constructor(url, protocols = []) {
    this.number = sockets.push(this);
    const [, bearer] = protocols;
    const inQuery = new URL(url).searchParams.get("token");
    const token = bearer === undefined ? inQuery : bearer.replace(/^bearer\./, "");
    effects.push({ do: "open", socket: this.number, token });
  }

  send(text) {
    if (this.readyState === 0) throw new DOMException("still connecting", "InvalidStateError");
    effects.push({ do: "send", socket: this.number, text });
  }

  close(code) {
    if (this.readyState > 1) return;
    if (code !== 1000) tellFault(`found the code ${code} in close, expected 1000`);
    this.readyState = 2;
    effects.push({ do: "close", socket: this.number });
  }
}

function startTimer(does, ms = 0, ...its) {
  timerIds += 1;
  timers.set(timerIds, { atMs: nowMs + Math.max(0, Number(ms) || 0), does: () => does(...its) });
  return timerIds;
}

/** Takes the timer that fires next off, if it does by `endMs`. */
function nextTimer(endMs) {
  let first = null;
  for (const [id, { atMs }] of timers)
    if (atMs <= endMs && (first === null || atMs < timers.get(first).atMs)) first = id;
  const timer = timers.get(first);
  timers.delete(first);
  return timer;
}

let page = new EventTarget();

function fake(name, value) {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}
fake("setTimeout", startTimer);
fake("clearTimeout", (id) => timers.delete(id));
fake("performance", { now: () => nowMs });
fake("WebSocket", FakeSocket);
fake("reportError", tellFault);
fake("addEventListener", (...its) => page.addEventListener(...its));
fake("removeEventListener", (...its) => page.removeEventListener(...its));
Date.now = () => START_MS + nowMs;
Math.random = () => random();
console.error = tellFault;
process.on("unhandledRejection", tellFault);
process.on("uncaughtException", tellFault);

const { Crier, UnauthorizedError } = await import("../../../web/crier.js");

function askForToken({ reason }) {
  return new Promise((resolve, reject) => {
    effects.push({ do: "ask", ask: asks.push({ resolve, reject }), reason });
  });
}

const NONSENSE = [undefined, "", 7, {}, []];

const answers = {
  given: ({ resolve }, token) => resolve(token),
  null: ({ resolve }) => resolve(null),
  unauthorized: ({ reject }) => reject(new UnauthorizedError("the user has gone")),
  rejects: ({ reject }) => reject(new Error("no answer")),
  nonsense: ({ resolve }) => resolve(NONSENSE[asks.length % NONSENSE.length]),
};

const nudges = {
  online: () => page.dispatchEvent(new Event("online")),
  pagehide: () => page.dispatchEvent(new Event("pagehide")),
  pageshow: () => page.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true })),
  visible: () => turnPage("visible"),
  hidden: () => turnPage("hidden"),
};

function turnPage(state) {
  document.hidden = state === "hidden";
  page.dispatchEvent(new Event("visibilitychange")); // it bubbles from the document
}

function subscribe({ handle, channel, first, leaves_after: leavesAfter }) {
  let calls = 0;
  const handler = ({ channel: name, seq, id }) => {
    calls += 1;
    tell("handled", { handle, channel: name, seq, id });
    if (calls === leavesAfter) {
      tell("left", { handle });
      subscriptions.get(handle).unsubscribe();
    }
  };
  const { seq, epoch, last } = first ?? {};
  const since = epoch === undefined ? seq : { seq, epoch };
  const subscription = crier.subscribe(channel, handler, { since, last });
  subscriptions.set(handle, subscription);
  subscription.ready.then(
    (position) => tell("ready", { handle, ...position }),
    (error) => tell("refused", { handle, message: error.message }),
  );
}

function begin({ options }) {
  page = new EventTarget(); // the listeners of the client before stay with the old ones
  fake("document", Object.assign(new EventTarget(), { hidden: false }));
  nowMs = 0;
  random = chance(options.seed);
  timers = new Map();
  sockets = [];
  asks = [];
  subscriptions = new Map();
  crier = new Crier("wss://host.example/prod?a=b#c", {
    getToken: askForToken,
    tokenIn: options.token_in,
    channels: options.channels,
    ordered: options.is_ordered,
  });
  for (const kind of ["message", "state", "recovered", "gap", "error"])
    crier.on(kind, ({ message, ...detail }) =>
      tell(kind, kind === "error" ? { message, ...detail } : detail),
    );
}

const settled = () => new Promise((resolve) => turn(resolve));

async function fire(endMs, { isLate }) {
  for (let timer = nextTimer(endMs); timer; timer = nextTimer(endMs)) {
    nowMs = isLate ? endMs : Math.max(nowMs, timer.atMs);
    timer.does();
    await settled();
    if (!isLate && effects.length > 0) return;
  }
  nowMs = endMs;
}

const commands = {
  begin,
  connect: () => crier.connect(),
  close: () => crier.close(),
  subscribe,
  unsubscribe: ({ handle }) => subscriptions.get(handle).unsubscribe(),
  advance: ({ ms }) => fire(nowMs + ms, { isLate: false }),
  oversleep: ({ ms }) => fire(nowMs + ms, { isLate: true }),
  token: ({ ask, fate, token }) => answers[fate](asks[ask - 1], token),
  opened: ({ socket }) => {
    sockets[socket - 1].readyState = 1;
    sockets[socket - 1].onopen?.({});
  },
  ended: ({ socket }) => {
    sockets[socket - 1].readyState = 3;
    sockets[socket - 1].onclose?.({ code: 1006 });
  },
  text: ({ socket, text }) => sockets[socket - 1].onmessage?.({ data: text }),
  nudge: ({ what }) => nudges[what](),
  positions: () => {},
};

let unread = "";
const bytes = Buffer.alloc(READ_BYTES);

function readLine() {
  while (!unread.includes("\n")) {
    const count = readSync(0, bytes, 0, READ_BYTES, null);
    if (count === 0) return null;
    unread += bytes.toString("utf8", 0, count);
  }
  const end = unread.indexOf("\n");
  const line = unread.slice(0, end);
  unread = unread.slice(end + 1);
  return line;
}

for (let line = readLine(); line !== null; line = readLine()) {
  const { do: name, ...fields } = JSON.parse(line);
  try {
    await commands[name](fields);
  } catch (error) {
    tellFault(error);
  }
  await settled();
  const positions = name === "positions" ? crier.positions : undefined;
  writeSync(1, `${JSON.stringify({ nowMs, effects, positions })}\n`);
  effects = [];
}
