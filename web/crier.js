/**
 * Receives broadcasts of Crier (`crier.v1`): each once, in order, or a word for what is lost.
 *
 * `followChannel` has the rules of order, without a clock; `createConnection` is one WebSocket, from
 * its token to its end, and what is asked on it; `createClient` has what outlives a connection, and
 * the one timer. Their state is private: it is in variables that only their functions see.
 * All times are in milliseconds. The types are in crier.d.ts.
 */

const EVERYONE = "*";
const OWN = "@";
const LISTED = "!"; // sent to a list of connections: its numbers are not for clients

const GAP_WAIT_MS = 2_000;
const GAP_SPREAD_MS = 2_000; // up to this much later: others have the same gap at the same moment
const MOST_IN_VAIN = 4; // then it asks every 32 to 64 s
const MOST_HELD_FRAMES = 256;
const MOST_HELD_CHARACTERS = 1_024 * 1_024;
const KNOWN_IDS = 256;
const LOW_PONGS = 2; // one may have been read a moment too early

const MOST_CHANNELS = 25; // of one request
const MOST_EARLIER = 3;
const ANSWER_MS = 10_000;
const UNANSWERED_MS = 30_000; // and nothing else comes: the connection is dead
const MOST_PAUSE_MS = 60_000;
const LEAST_BUSY_MS = 1_000;
const THROTTLED_MS = 4_000; // at most, and doubling: others are throttled, too
const OPENING_MS = 30_000;
const FIRST_DELAYS = 4; // 30,000 clients that are cut at once then come back with the fewest tries
const LEAST_DELAY_MS = 25;
const UP_MS = 10_000;
const TICK_MS = 10_000;
const SILENT_MS = 5_000;
const LATE_MS = 5_000;
const TOLD_FAILURES = 3;
const LEAST_RENEWAL_MS = 1_000;
const SAVE_MS = 1_000;
const BAD_TEXT_MS = 10_000;

const now = () => performance.now();
const isDue = (at) => now() >= at;
const between = (low, high) => low + Math.random() * (high - low);
const isNumber = (found) => Number.isSafeInteger(found) && found >= 0;
const spanOf = (found, usual) => (Number.isFinite(found) && found >= 0 ? found : usual);
const isText = (found) => typeof found === "string";
const isHidden = () => globalThis.document?.hidden;
const isPosition = (found) => isNumber(found?.seq) && isText(found.epoch);

/** Tells when a channel, or a request, has something to ask. */
const asksAt = (one) => one.asksAt ?? Infinity;

/** Tells what an error says; what was thrown may be anything. */
const wordsOf = (error) => [error?.message, error].find(isText) ?? `found ${typeof error}`;

/** Calls what is not ours, a handler or a socket: its error is reported, and stops nothing else. */
async function callSafely(call, argument) {
  try {
    await call?.(argument);
  } catch (error) {
    (globalThis.reportError ?? console.error)(error);
  }
}

/** Ends the client when `getToken` throws it: this user is not let in, now or later. */
export class UnauthorizedError extends Error {
  name = "UnauthorizedError";
}

/** Gives an object the members of another; what is behind them stays private. */
const expose = (object, members) =>
  Object.defineProperties(object, Object.getOwnPropertyDescriptors(members));

/** Remembers an id among the last ones; false if it is known already. */
function isNew(ids, id) {
  if (ids.has(id)) return false;
  ids.add(id);
  const [oldest] = ids;
  if (ids.size > KNOWN_IDS) ids.delete(oldest);
  return true;
}

/**
 * Follows one channel, and is pure: times come as arguments, of a clock that never goes back.
 * The twin of lambdas/broadcasting/followed_channel.py: both pass tests/cases/followed_channel.json.
 * Methods return the events that follow from what came, in order.
 *
 * One question is under way at most: `ask` when `asksAt` has come, and tell of its answer with
 * `answer`, or with `unanswered`.
 */
export function followChannel(jitter, { isOrdered = true, first, gapWaitMs = GAP_WAIT_MS } = {}) {
  /** Null before the first answer: until then the position is 0, and frames are held. */
  let epoch = first?.epoch ?? null;
  let position = epoch === null ? 0 : first.seq;
  /** How many frames a client that came back was given so far; null when it has them all. */
  let recovered = 0;
  /** Frames above the position; those of a channel without order have been given out. */
  const held = new Map();
  /** Of all since none was held. */
  let heldCharacters = 0;
  const ids = new Set();
  let knownUntil = 0;
  let newestMs = 0;
  let lowPongs = 0;
  /** How often in a row it has asked in vain: others ask, too, so that it waits longer each time. */
  let inVain = 0;
  let isAsking = false;
  let gapAt;
  let mustAskAt;
  /** What the method that is called returns. */
  let events;

  const later = (nowMs) => nowMs + (gapWaitMs + jitter() * GAP_SPREAD_MS) * 2 ** inVain;

  function waitFor(isAnswer) {
    isAsking = isAnswer;
    gapAt = mustAskAt = undefined;
  }

  /** Gives a frame out; not again if it came before the client knew of its epoch. */
  function give(message) {
    if (!isNew(ids, message.frame.id)) return;
    newestMs = Math.max(newestMs, message.frame.sentAt);
    if (message.isReplayed && recovered !== null) recovered += 1;
    events.push(message);
  }

  function dropUntil(end) {
    for (const seq of held.keys()) if (seq <= end) held.delete(seq);
  }

  /** Holds a frame above the position; one of a channel without order is given out. */
  function take(frame, isReplayed, nowMs) {
    const { seq } = frame;
    if (held.has(seq) || seq <= position) return;
    heldCharacters = (held.size > 0 ? heldCharacters : 0) + JSON.stringify(frame).length;
    const hasRoom = held.size < MOST_HELD_FRAMES && heldCharacters <= MOST_HELD_CHARACTERS;
    // A replay gives again what has no room; the next one is held for a moment only.
    if (!hasRoom && !isReplayed && seq !== position + 1) mustAskAt ??= nowMs;
    else {
      const message = { type: "message", frame, isReplayed };
      held.set(seq, message);
      if (!isOrdered && epoch !== null) give(message);
    }
  }

  function goTo(seq) {
    if (seq <= position) return;
    position = seq;
    inVain = 0;
  }

  /** Moves on to a number, and over the frames that follow it without a hole. */
  function moveTo(end) {
    goTo(end);
    for (const seq of [...held.keys()].sort((a, b) => a - b))
      if (seq <= position + 1) {
        goTo(seq);
        if (isOrdered) give(held.get(seq));
        held.delete(seq);
      }
  }

  /** Asks later for what is missing; not at all once it has come by itself. */
  function lookForGap(nowMs) {
    if (knownUntil <= position && held.size === 0) gapAt = undefined;
    else gapAt ??= later(nowMs);
  }

  function begin(answer) {
    epoch = answer.epoch;
    position = Math.min(answer.from, first?.seq ?? answer.from);
    recovered = position < answer.from ? 0 : null;
    dropUntil(answer.to); // what came live and was sent before the client came
    if (!isOrdered) for (const message of held.values()) give(message);
  }

  /** Goes on from where an answer says: back only where numbers have begun anew. */
  function lose(answer, nowMs) {
    const reason = answer.lost?.reason ?? "epoch";
    const end = answer.to;
    const isAnew = reason === "epoch";
    if (!isAnew && end <= position) return; // it is late: all has come meanwhile
    recovered = null;
    events.push({ type: "gap", start: position, end, reason });
    dropUntil(isAnew ? Infinity : end); // of which epoch they are is not known
    if (isAnew) {
      epoch = answer.epoch;
      position = knownUntil = newestMs = 0;
      mustAskAt = nowMs; // the answer has them, if they are of this one
    }
    moveTo(end);
  }

  function takeAnswer(answer, nowMs) {
    if (epoch === null) begin(answer);
    else if (answer.lost || answer.epoch !== epoch) return lose(answer, nowMs);
    for (const frame of answer.frames) take(frame, true, nowMs);
    if (answer.from > position)
      mustAskAt = nowMs; // it says nothing of what lies between
    else moveTo(answer.to);
  }

  return {
    get position() {
      return position;
    },

    get epoch() {
      return epoch;
    },

    /** What a join or a subscribe says of where the client is. */
    get since() {
      if (epoch !== null) return { seq: position, epoch };
      return first?.last === undefined ? null : first;
    },

    /** When to ask for a replay; null while nothing is missing, or a question is under way. */
    get asksAt() {
      if (isAsking || epoch === null) return null;
      return gapAt < mustAskAt ? gapAt : (mustAskAt ?? gapAt ?? null);
    },

    /** Returns the question to ask now. */
    ask() {
      waitFor(true);
      return { start: position, epoch };
    },

    /** Notes that a question was not answered, or refused for now: ask again after a pause. */
    unanswered(nowMs) {
      isAsking = false;
      mustAskAt = later(nowMs);
      if (inVain < MOST_IN_VAIN) inVain += 1;
    },

    /** Notes that the client joins again, with `since`: the answer says what it has missed. */
    comeBack() {
      waitFor(false);
      recovered = 0;
    },

    /** Takes a frame that has come live. */
    frame(frame, nowMs) {
      events = [];
      if (frame.seq > position) {
        take(frame, false, nowMs);
        if (epoch !== null) moveTo(position);
        lookForGap(nowMs);
      } else if (!ids.has(frame.id) && newestMs > 0 && frame.sentAt > newestMs)
        mustAskAt ??= later(nowMs); // unknown, and sent later: numbers may have begun anew
      return events;
    },

    /** Takes the newest number that the server knows: the last frame is missed without a gap. */
    pong(newest, nowMs) {
      lowPongs = newest < position ? lowPongs + 1 : 0;
      if (lowPongs >= LOW_PONGS) {
        lowPongs = 0;
        mustAskAt = nowMs;
      }
      knownUntil = newest;
      lookForGap(nowMs);
    },

    /** Takes the position that an answer to a join, a subscribe or a replay has. */
    answer(answer, nowMs) {
      events = [];
      isAsking = false;
      takeAnswer(answer, nowMs);
      if (answer.more) mustAskAt = nowMs;
      else if (recovered !== null && mustAskAt === undefined) {
        events.push({ type: "recovered", frames: recovered });
        recovered = null;
      }
      lookForGap(nowMs);
      return events;
    },
  };
}

/** Throws unless it holds. What throws while a text is read makes that a `bad-text`. */
function need(holds, found, expected) {
  if (!holds) throw new TypeError(`found ${found}, expected ${expected}`);
}

function readObject(text) {
  need(/^\s*{/.test(text)); // no list, say
  return JSON.parse(text);
}

/** Repairs the time, which decides little. */
function checkFrame(frame) {
  need(isNumber(frame.seq) && frame.seq > 0 && isText(frame.id) && isText(frame.channel));
  frame.sentAt = spanOf(frame.sentAt, 0);
}

/** Checks where a channel is, in an answer. */
function checkPosition({ epoch, from, to, frames, lost }) {
  need(isText(epoch) && isNumber(from) && isNumber(to) && (!lost || isText(lost.reason)));
  frames.forEach(checkFrame);
}

/** Asks the application for a token, or a URL. */
async function given(source, reason) {
  const found = await source({ reason });
  if (found === null) throw new UnauthorizedError("found null");
  need(isText(found) && found, found, "a text");
  return found;
}

/** Returns where a subscription begins, as followChannel has it; nothing for from now on. */
function firstOf({ since, last }) {
  if (isNumber(since)) return { seq: since };
  if (isPosition(since)) return since;
  need(since == null && isNumber(last ?? 0), since ?? last, "a number");
  return last && { last };
}

/** Tells whether it keeps a connection from being idle, and nothing else. */
function isKeepAlive(message) {
  return JSON.stringify(message) === '{"type":"keep-alive"}';
}

/** A client of one stack: connects, reconnects, and gives out each message once. */
export class Crier extends EventTarget {
  constructor(url, options = {}) {
    super();
    expose(this, createClient(this, url, options));
  }

  /** Calls a handler with each event's detail. Returns a function that takes it off again. */
  on(type, handler) {
    const listener = ({ detail }) => callSafely(handler, detail);
    this.addEventListener(type, listener);
    return () => this.removeEventListener(type, listener);
  }
}

/**
 * What is behind a Crier. What happens only notes what follows from it; `step` then does what
 * is due, tells the application, and sets the one timer for what is due next.
 */
function createClient(target, url, options) {
  const { getToken, ordered: isOrdered } = options;
  const gapWaitMs = spanOf(options.gapWaitMs);
  const minDelayMs = spanOf(options.minDelayMs, 500) || LEAST_DELAY_MS;
  const maxDelayMs = spanOf(options.maxDelayMs, 60_000) || LEAST_DELAY_MS;
  const pingAfterMs = spanOf(options.pingAfterMs, 480_000) || Infinity;
  const isSigned = typeof url === "function"; // anew for each connect
  const storageKey = `crier:${isSigned ? "" : `${url}`.split(/[?#]/)[0]}`;
  let { storage } = options;
  /** Positions that a page before this one has kept, and that no channel has begun at yet. */
  const kept = new Map();
  /** By name, what is followed, with its name and its subscriptions. */
  const channels = new Map();
  const listedIds = new Set();
  /** The last ones: what the client has sent itself may exclude these. */
  let connectionIds = [];
  let refs = 0;

  let state = "idle";
  /** The connection, or the one that is being opened. */
  let current;
  /** The one that will take its place. */
  let renewal;
  let tokenReason;
  let failures = 0;

  // When something is due
  let retryAt = Infinity;
  let saveAt = Infinity;
  /** From then on the connection has lived for a while: its end is no failure. */
  let provenAt = Infinity;
  let badTextAt = 0;
  /** When the timer is late, by the clock on the wall: the computer, or the page, has slept. */
  let lateAt;
  let timer;

  /** What is not told yet: nothing changes while a handler is called. */
  const events = [];
  let isStepping = true; // until all of this is there

  const connections = () => [current, renewal].filter((one) => one);
  const isFollowed = (channel) => channels.get(channel.name) === channel;

  function step() {
    if (isStepping) return;
    isStepping = true;
    // What was to be answered by now may only be late, too.
    if (current?.id && Date.now() > lateAt && !isHidden()) current.ping(Infinity);
    let wakesAt;
    do wakesAt = work();
    while (tellNext());
    isStepping = false;
    clearTimeout(timer);
    const delayMs = Math.min(wakesAt - now(), TICK_MS);
    lateAt = Date.now() + delayMs + LATE_MS;
    if (current || retryAt < Infinity) timer = setTimeout(step, delayMs);
  }

  /** Returns when to look again. */
  function work() {
    if (isDue(retryAt)) begin("retry");
    if (isDue(saveAt)) save();
    return Math.min(retryAt, saveAt, ...connections().map((one) => one.work()));
  }

  // What the application is told

  /** Has it told; until then the application is `before` it in its channel. */
  function tell(type, detail, channel, before) {
    events.push({ type, detail, channel, before });
  }

  function become(to, reason, retryInMs) {
    if (state !== to) tell("state", { from: state, to, reason, retryInMs });
    state = to;
  }

  function trouble(code, message, retry = false) {
    tell("error", { code: `${code}`, message: `${message}`, retry });
  }

  const tellError = ({ code, message }) => trouble(code, message);

  function tellBadText(text) {
    if (now() < badTextAt) return;
    badTextAt = now() + BAD_TEXT_MS;
    trouble("bad-text", `found ${`${text}`.slice(0, 99)}, expected crier.v1`);
  }

  function tellAll(channel, found) {
    for (const { type, frame, isReplayed: replayed, start, end, reason, frames: count } of found)
      if (type === "gap")
        tell(type, { channel: channel.name, from: start, to: end, reason }, channel, start);
      else if (type === "recovered") tell(type, { channel: channel.name, count }, channel);
      else if (!isKeepAlive(frame.message))
        tell(type, { ...frame, replayed }, channel, frame.seq - 1);
  }

  /** Gives out one event; false if there is none. A handler may close, subscribe or leave. */
  function tellNext() {
    // What came before a close is kept: the positions are beyond it, so no replay brings it again.
    const next = events.findIndex(({ channel }) => !channel || state !== "closed");
    if (next < 0) return false;
    const [{ type, detail, channel }] = events.splice(next, 1);
    const isWanted = () => !channel || (state !== "closed" && isFollowed(channel));
    if (channel && storage) saveAt = Math.min(saveAt, now() + SAVE_MS);
    for (const one of [...(channel?.subscriptions ?? [])])
      if (type === "message" && channel.subscriptions.has(one) && isWanted())
        callSafely(one.handler, detail);
    if (isWanted()) target.dispatchEvent(new CustomEvent(type, { detail }));
    return true;
  }

  // Channels

  function follow(name, first = kept.get(name)) {
    kept.delete(name);
    const followed = followChannel(() => Math.random(), { isOrdered, first, gapWaitMs });
    channels.set(name, Object.assign(followed, { name, subscriptions: new Set() }));
    return followed;
  }

  /** Follows a channel; `onEnd` is called with why it ends, if it does not end by itself. */
  function subscribe(name, handler, beginning, onEnd) {
    need(isText(name), name, "a text");
    const first = firstOf(beginning ?? {});
    let channel = channels.get(name);
    const isAnew = first && channel?.subscriptions.size === 0; // everyone's
    if (!channel || isAnew) channel = follow(name, first);
    const subscription = { handler };
    const ready = new Promise((resolve, reject) => {
      subscription.resolve = resolve;
      subscription.end = (error) => {
        reject(error);
        onEnd?.(error);
      };
    });
    ready.catch(() => {}); // an application need not look at it
    channel.subscriptions.add(subscription);
    if (current?.has(channel)) subscription.resolve(positionOf(channel));
    step();
    return {
      ready,
      unsubscribe: () => unsubscribe(channel, subscription),
      position: () => positionOf(channel),
    };
  }

  function unsubscribe(channel, subscription) {
    if (!channel.subscriptions.delete(subscription)) return;
    subscription.end(new Error(`left ${channel.name}`));
    const isLast = channel.subscriptions.size === 0 && channel.name !== EVERYONE;
    if (isLast && isFollowed(channel)) channels.delete(channel.name);
    step();
  }

  function refuse(channel, { code, message }) {
    if (!isFollowed(channel)) return;
    channels.delete(channel.name);
    const error = Object.assign(new Error(`${channel.name}: ${message}`), { code });
    for (const one of channel.subscriptions) one.end(error);
    tellError(error);
  }

  /** Follows a channel while it is iterated over; what the loop has not taken yet is kept. */
  async function* iterate(name, beginning) {
    const messages = [];
    let wake;
    let end;
    const handler = (message) => {
      messages.push(message);
      wake?.();
    };
    const onEnd = (error) => {
      end = error;
      wake?.();
    };
    const subscription = subscribe(name, handler, beginning, onEnd);
    try {
      for (;;) {
        while (messages.length > 0 && end?.reason !== "close") yield messages.shift();
        if (end?.code) throw end;
        if (end) return;
        await new Promise((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      subscription.unsubscribe();
    }
  }

  /** Returns where the application is: it may not have been given yet all that has come. */
  function positionOf(channel) {
    const { epoch } = channel;
    let seq = channel.position;
    for (const one of events) if (one.channel === channel && one.before < seq) seq = one.before;
    return epoch === null ? null : { seq, epoch };
  }

  const positions = () =>
    [...channels].map(([name, one]) => [name, positionOf(one)]).filter((one) => one[1]);

  /** Takes where a channel is, from an answer. */
  function place(channel, position) {
    tellAll(channel, channel.answer(position, now()));
    for (const { resolve } of channel.subscriptions) resolve(positionOf(channel));
  }

  function takeFrame(frame) {
    checkFrame(frame);
    const channel = channels.get(frame.channel);
    if (channel) tellAll(channel, channel.frame(frame, now()));
    else if ((frame.channel === LISTED || frame.channel === OWN) && isNew(listedIds, frame.id))
      tell("message", { ...frame, replayed: false });
  }

  // Positions that outlive the page

  function withStorage(use) {
    try {
      if (storage) use();
    } catch (error) {
      storage = null;
      trouble("storage", wordsOf(error));
    }
  }

  function readPositions() {
    for (const [name, at] of Object.entries(readObject(storage.getItem(storageKey) ?? "{}"))) {
      need(isPosition(at));
      kept.set(name, at);
    }
  }

  function save() {
    saveAt = Infinity;
    const all = Object.fromEntries([...kept, ...positions()]);
    withStorage(() => storage.setItem(storageKey, JSON.stringify(all)));
  }

  // Connections begin and end

  function begin(reason) {
    retryAt = provenAt = Infinity;
    become("connecting", reason);
    current = createConnection();
    current.open(tokenReason);
  }

  /** Lives with the renewal: it may be not joined yet when the connection before it ends. */
  function takeOver(reason) {
    current = renewal;
    renewal = null;
    for (const channel of channels.values()) if (!current.has(channel)) channel.comeBack();
    if (!current.id) become("connecting", reason);
  }

  /** Lets go of the connections; the next one says where the client is. */
  function drop() {
    save();
    for (const one of connections()) one.close();
    current = renewal = null;
    retryAt = Infinity;
    for (const channel of channels.values()) channel.comeBack();
  }

  /** Ends until the application connects again. */
  function end(reason) {
    drop();
    listen("removeEventListener");
    become("closed", reason);
    const error = Object.assign(new Error(`closed: ${reason}`), { reason });
    for (const { subscriptions } of channels.values())
      for (const one of subscriptions) one.end(error);
  }

  // What a page tells; a worker and Node tell less, or nothing

  function listen(how) {
    for (const type of ["online", "pageshow", "pagehide", "visibilitychange"])
      globalThis[how]?.(type, hear);
  }

  function hear({ type, persisted }) {
    if (type === "pagehide") {
      drop();
      become("waiting", type);
    } else if (state === "waiting" && (type === "online" || persisted)) begin(type);
    else if (current?.id && (type === "online" || !isHidden())) current.ping();
    step();
  }

  /** One connection, from its token to its end, and the requests on it. */
  function createConnection() {
    /** By name, the channel as it was when its subscription was answered here. */
    const members = new Map();
    /** By ref, what is not answered yet. */
    const requests = new Map();
    /** The ref of what changes the members: one at a time. */
    let change;
    /** How many channels to ask for: one, after several were refused, as the error names none. */
    let most = MOST_CHANNELS;
    let socket;
    let isOpen = false;
    let isOver = false;
    let joinsUntil = now() + OPENING_MS;
    let silentAt = Infinity;
    let pingAt = Infinity;

    const has = (channel) => members.get(channel.name) === channel;
    const known = () => [...members.values()].filter(isFollowed);
    const connection = {
      id: null,
      renewAt: Infinity,
      open,
      close,
      work,
      ping,
      has,
    };

    async function open(reason) {
      let code = "token";
      let token;
      try {
        let address = isSigned ? await given(url, reason) : `${url}`;
        code = "bad-url";
        need(/^wss?:/i.test(address), code, "wss:"); // a URL may have a token
        code = "token";
        token = getToken && (await given(getToken, reason));
        if (isOver) return;
        let protocols;
        if (token && options.tokenIn === "protocol") protocols = ["crier.v1", `bearer.${token}`];
        else {
          if (token)
            address = `${address.split("#")[0]}${address.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`;
          code = "bad-url"; // if anything is wrong now
        }
        dial(address, protocols);
      } catch (error) {
        if (error?.name === "UnauthorizedError") code = "unauthorized";
        // A browser's words may quote the token.
        if (!isOver) fail(code, token ? code : wordsOf(error));
      }
      step();
    }

    function dial(address, protocols) {
      socket = new (options.WebSocket ?? WebSocket)(address, protocols);
      tokenReason = "refused"; // if it does not open
      const heard = (does) => (event) => {
        if (isOver) return;
        does(event);
        step();
      };
      socket.onopen = heard(() => {
        isOpen = true;
        tokenReason = "reconnect";
      });
      socket.onmessage = heard(({ data }) => read(data));
      socket.onclose = heard(() => onEnd(connection.id ? "cut" : "refused"));
      socket.onerror = socket.onclose; // old versions of Node close without a word
    }

    function close() {
      isOver = true;
      callSafely(() => socket?.close(1000));
      for (const { channel } of requests.values()) channel?.unanswered(now());
    }

    function work() {
      if (isDue(joinsUntil)) {
        if (socket) onEnd("timeout");
        else fail("token", "timeout");
      } else if (isDue(silentAt)) onEnd("silent");
      else if (isOpen) {
        for (const request of requests.values()) if (isDue(asksAt(request))) send(request);
        if (!requests.has(change)) changeMembers();
        for (const channel of known()) if (isDue(asksAt(channel))) replay(channel);
        if (isDue(pingAt)) ping();
        if (isDue(connection.renewAt)) renew();
      }
      const times = [...requests.values(), ...known()].map(asksAt);
      return Math.min(joinsUntil, silentAt, pingAt, connection.renewAt, ...times);
    }

    // Its end

    /** Goes on after the end of a connection: by its renewal, if that is on its way. */
    function onEnd(reason, mostMs = 0) {
      close();
      failures = isDue(provenAt) ? 0 : failures + 1;
      const backoffMs = Math.min(maxDelayMs, FIRST_DELAYS * minDelayMs * 2 ** failures);
      // As the server says; longer if it says so on one connection after another.
      const longestMs = (failures < 2 && mostMs) || Math.max(mostMs, backoffMs);
      const retryInMs = between(0, longestMs);
      if (connection === renewal) {
        renewal = null;
        provenAt = Infinity;
        current.renewAt = now() + retryInMs;
      } else if (renewal) takeOver(reason);
      else {
        if (reason === "refused" && failures >= TOLD_FAILURES)
          trouble(reason, `${failures} tries failed`, true);
        drop();
        retryAt = now() + retryInMs;
        become("waiting", reason, retryInMs);
      }
    }

    /** Notes that there will be no socket. */
    function fail(code, words) {
      const isRetried = code === "token" || connection === renewal;
      trouble(code, words, isRetried);
      if (isRetried) onEnd(code);
      else end(code);
    }

    function takeBye({ code, reconnect, afterMs }) {
      if (reconnect === false) end(`${code}`);
      else onEnd(`${code}`, spanOf(afterMs, 0));
    }

    // Requests

    /** Asks, and again until there is an answer that does not make `answered` throw, or a refusal. */
    function ask(action, fields, answered, refused = tellError, channel) {
      refs += 1;
      const ref = `${refs}`;
      const text = JSON.stringify({ action, ref, ...fields });
      const request = { text, answered, refused, channel, factor: 1 };
      requests.set(ref, request);
      send(request);
      return ref;
    }

    function send(request) {
      request.asksAt = now() + ANSWER_MS;
      silentAt = Math.min(silentAt, now() + UNANSWERED_MS);
      callSafely(() => socket.send(request.text));
    }

    /** Asks later, and later each time. */
    function pause(request, leastMs, mostMs = 2 * leastMs) {
      const ms = between(leastMs, mostMs) * request.factor;
      request.factor *= 2;
      request.asksAt = now() + Math.min(ms, MOST_PAUSE_MS);
    }

    function read(data) {
      silentAt = Infinity;
      try {
        take(readObject(data));
      } catch {
        tellBadText(data);
      }
    }

    function take(told) {
      const { type, ref } = told;
      const request = requests.get(ref);
      if (type === undefined) takeUntyped(told);
      else if (type === "bye") takeBye(told);
      else if (type === "error") takeError(told, request);
      else {
        request?.answered(told);
        requests.delete(ref);
      }
    }

    function takeUntyped(told) {
      if (told.seq !== undefined) takeFrame(told);
      else if (told.message === "Too Many Requests")
        for (const request of requests.values()) pause(request, 0, THROTTLED_MS); // it names none
    }

    function takeError(error, request) {
      const { code, ref } = error;
      if (code === "gone") {
        tokenReason = "refused";
        onEnd(code);
      } else if (!request) {
        if (ref === undefined) tellError(error);
      } else if (code === "busy") pause(request, Math.max(spanOf(error.afterMs, 0), LEAST_BUSY_MS));
      else {
        requests.delete(ref);
        request.refused(error);
      }
    }

    // Members

    /** Asks for the next thing that is wanted and not done. */
    function changeMembers() {
      const left = [...members.keys()].filter((name) => !channels.has(name) && name !== OWN);
      const missing = [...channels.values()].filter((channel) => !has(channel));
      if (left.length > 0) leave(left.slice(0, MOST_CHANNELS));
      else if (missing.length > 0) enter(missing.slice(0, most));
      else {
        most = MOST_CHANNELS;
        if (connection === renewal) {
          current.close();
          takeOver();
        }
      }
    }

    function leave(names) {
      for (const name of names) members.delete(name);
      change = ask("unsubscribe", { channels: names }, () => {});
    }

    function enter(some) {
      const action = connection.id ? "subscribe" : "join";
      const at = Object.fromEntries(some.map(({ name, since }) => [name, since]));
      const answered = (told) => {
        for (const { name } of some) checkPosition(told.channels[name]);
        if (action === "join") joined(told);
        for (const channel of some) {
          members.set(channel.name, channel);
          place(channel, told.channels[channel.name]);
        }
      };
      const refused = (error) => {
        if (some.length > 1) most = 1;
        else if (some[0].name !== EVERYONE) refuse(some[0], error);
        else {
          tellError(error);
          onEnd("refused");
        }
      };
      change = ask(action, { at, was: connectionIds }, answered, refused);
    }

    function joined({ connectionId, renewInMs }) {
      need(isText(connectionId));
      connection.id = connectionId;
      connectionIds = [...connectionIds, connectionId].slice(-MOST_EARLIER);
      joinsUntil = Infinity;
      provenAt = now() + UP_MS;
      const lifeMs = spanOf(renewInMs, Infinity) * between(0.85, 0.95);
      connection.renewAt = now() + Math.max(lifeMs, LEAST_RENEWAL_MS);
      pingLater();
      if (connection === current) become("connected", "joined");
    }

    function renew() {
      connection.renewAt = now() + TICK_MS; // again, if it is a renewal itself
      if (renewal) return;
      renewal = createConnection();
      renewal.open("renewal");
    }

    function replay(channel) {
      const { start, epoch } = channel.ask();
      const answered = (told) => {
        checkPosition(told);
        place(channel, told);
        // An answer that brings nothing may come for ever, and at once: it must be no busy loop.
        const isFurther = channel.position > start && channel.epoch === epoch;
        if (!isFurther && channel.asksAt !== null) channel.unanswered(now());
      };
      const refused = (error) => {
        channel.unanswered(now());
        if (error.code === "not-allowed") refuse(channel, error);
        else tellError(error);
      };
      const fields = { channel: channel.name, epoch, from: start, was: connectionIds };
      ask("replay", fields, answered, refused, channel);
    }

    function pingLater() {
      pingAt = now() + pingAfterMs * between(0.9, 1.1);
    }

    /** Asks for the newest numbers; nothing at all soon, or by then, means that it is dead. */
    function ping(mostSilentAt = silentAt) {
      pingLater();
      const all = known();
      while (all.length > 0) pingFor(all.splice(0, MOST_CHANNELS));
      silentAt = Math.min(mostSilentAt, now() + SILENT_MS);
    }

    function pingFor(some) {
      const at = Object.fromEntries(some.map(({ name, position }) => [name, position]));
      ask("ping", { at }, (told) => {
        for (const { name } of some) need(isNumber(told.at[name]));
        for (const channel of some) channel.pong(told.at[channel.name], now());
      });
    }

    return connection;
  }

  withStorage(readPositions);
  follow(EVERYONE);
  for (const name of options.channels ?? []) subscribe(name);
  isStepping = false;
  queueMicrotask(step); // what was wrong in here, to listeners to come

  return {
    /** One of idle, connecting, connected, waiting, closed. */
    get state() {
      return state;
    },

    /** Null while the client has not joined. */
    get connectionId() {
      return current?.id ?? null;
    },

    /** By channel, where the application is; channels without an answer are left out. */
    get positions() {
      return Object.fromEntries(positions());
    },

    /** Connects, at once when the client waits, and goes on where it was. */
    connect() {
      if (current) return;
      if (state !== "waiting") {
        failures = 0;
        tokenReason = "first";
        listen("addEventListener");
      }
      begin("connect");
      step();
    },

    /** Ends the connection, all timers and all listeners; positions are kept for another connect. */
    close() {
      if (state !== "closed") end("close");
      step();
    },

    /** Follows a channel, and gives its messages to a handler, too, until it is unsubscribed. */
    subscribe,

    channel: iterate,
  };
}
