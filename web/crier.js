/**
 * Receives broadcasts of Crier (`crier.v1`): each once, in order, or a word for what is lost.
 *
 * `FollowedChannel` has the rules of order, without a clock; `Connection` is one WebSocket and what
 * was asked on it; `Crier` holds the two together, reconnects, and is what applications use.
 * All times are in milliseconds. The types are in crier.d.ts.
 */

const EVERYONE = "*";
const OWN = "@";
const LISTED = "!"; // sent to a list of connections: its numbers are not for clients

const GAP_WAIT_MS = 2_000;
const GAP_SPREAD_MS = 2_000; // up to this much later: others have the same gap at the same moment
const MOST_HELD_FRAMES = 256;
const MOST_HELD_CHARACTERS = 1_024 * 1_024;
const KNOWN_IDS = 256;
const LOW_PONGS = 2; // one may have been read a moment too early

const MOST_CHANNELS = 25; // of one request
const MOST_EPOCH = 32; // characters
const MOST_EARLIER = 3;
const ANSWER_MS = 10_000;
const MOST_UNANSWERED = 3;
const MOST_BUSY_MS = 60_000;
const LEAST_BUSY_MS = 1_000;
const SPREAD_MS = 4_000; // for requests that the throttle refused
const MOST_SPREAD_MS = 16_000;
const OPENING_MS = 30_000;
const FIRST_DELAYS = 4; // 30,000 clients that are cut at once then come back with the fewest tries
const LEAST_DELAY_MS = 25;
const UP_MS = 10_000;
const TICK_MS = 10_000;
const SILENT_MS = 5_000;
const LATE_MS = 5_000;
const TOLD_REFUSALS = 3;
const STUCK_MS = 1_000;
const LEAST_RENEWAL_MS = 1_000;
const SAVE_MS = 1_000;
const MOST_DOUBLINGS = 20; // a number, however often it failed
const BAD_TEXT_MS = 10_000;
const MOST_DELAY_MS = 2 ** 31 - 1; // a longer timer fires at once

const DEFAULTS = {
  gapWaitMs: GAP_WAIT_MS,
  minDelayMs: 500,
  maxDelayMs: 60_000,
  pingAfterMs: 480_000,
};

const now = () => performance.now();
const between = (low, high) => low + Math.random() * (high - low);
const isNumber = (found) => Number.isSafeInteger(found) && found >= 0;
const isSpan = (found) => Number.isFinite(found) && found > 0;
const isText = (found) => typeof found === "string";
const isHidden = () => globalThis.document?.visibilityState === "hidden";
const isPosition = (found) =>
  isNumber(found?.seq) && isText(found.epoch) && found.epoch.length <= MOST_EPOCH;

/** Tells what an error says; what was thrown may be anything. */
function wordsOf(error) {
  const words = isText(error) ? error : error?.message;
  return isText(words) ? words : `it threw ${typeof error}`;
}

/** Calls what the application gave; its error, now or later, is reported and stops nothing else. */
async function callHandler(handler, argument) {
  try {
    await handler(argument);
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
  if (ids.size > KNOWN_IDS) ids.delete(ids.values().next().value);
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
export class FollowedChannel {
  constructor(jitter, options) {
    expose(this, followChannel(jitter, options));
  }
}

function followChannel(jitter, { isOrdered = true, first, gapWaitMs = GAP_WAIT_MS } = {}) {
  /** Null before the first answer: until then the position is 0, and frames are held. */
  let epoch = first?.epoch ?? null;
  let position = epoch === null ? 0 : first.seq;
  /** How many frames a client that came back was given so far; null when it has them all. */
  let recovered = epoch === null ? null : 0;
  /** Frames above the position; those of a channel without order have been given out. */
  const held = new Map();
  let heldCharacters = 0;
  const ids = new Set();
  let knownUntil = 0;
  let newestMs = 0;
  let lowPongs = 0;
  let isAsking = false;
  let gapAt;
  let mustAskAt;
  /** What the method that is called returns. */
  let events;

  const later = (nowMs) => nowMs + gapWaitMs + jitter() * GAP_SPREAD_MS;

  function askNothing() {
    gapAt = mustAskAt = undefined;
  }

  /** Gives a frame out; not again if it came before the client knew of its epoch. */
  function give(message) {
    if (!isNew(ids, message.frame.id)) return;
    newestMs = Math.max(newestMs, message.frame.sentAt);
    if (message.isReplayed && recovered !== null) recovered += 1;
    events.push(message);
  }

  function letGo(seq) {
    const { message, characters } = held.get(seq);
    held.delete(seq);
    heldCharacters -= characters;
    return message;
  }

  function dropUntil(end) {
    for (const seq of held.keys()) if (seq <= end) letGo(seq);
  }

  /** Holds a frame above the position; one of a channel without order is given out. */
  function take(frame, isReplayed, nowMs) {
    const { seq } = frame;
    if (held.has(seq) || seq <= position) return;
    const characters = JSON.stringify(frame).length;
    const hasRoom =
      held.size < MOST_HELD_FRAMES && heldCharacters + characters <= MOST_HELD_CHARACTERS;
    // A replay gives again what has no room; the next one is held for a moment only.
    if (!hasRoom && !isReplayed && seq !== position + 1) mustAskAt = nowMs;
    else {
      const message = { type: "message", frame, isReplayed };
      held.set(seq, { message, characters });
      heldCharacters += characters;
      if (!isOrdered && epoch !== null) give(message);
    }
  }

  /** Moves on to a number, and over the frames that follow it without a hole. */
  function moveTo(end) {
    position = Math.max(position, end);
    for (const seq of [...held.keys()].sort((a, b) => a - b)) {
      if (seq > position + 1) break;
      position = Math.max(position, seq);
      const message = letGo(seq);
      if (isOrdered) give(message);
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
    if (!isOrdered) for (const { message } of held.values()) give(message);
  }

  /** Goes on from where an answer says: back only where numbers have begun anew. */
  function lose(answer, nowMs) {
    const reason = answer.lost?.reason ?? "epoch";
    const end = answer.to;
    recovered = null;
    if (reason !== "epoch" && end <= position) return; // it is late: all has come meanwhile
    events.push({ type: "gap", start: position, end, reason });
    if (reason !== "epoch") dropUntil(end);
    else {
      epoch = answer.epoch;
      position = end;
      knownUntil = newestMs = 0;
      dropUntil(Infinity); // of which epoch they are is not known
      mustAskAt = nowMs; // the answer has them, if they are of this one
    }
    moveTo(end);
  }

  function takeAnswer(answer, nowMs) {
    if (epoch === null) begin(answer);
    else if (answer.lost || answer.epoch !== epoch) return lose(answer, nowMs);
    for (const frame of answer.frames) take(frame, true, nowMs);
    if (answer.from > position) mustAskAt = nowMs; // it says nothing of what lies between
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
      const at = Math.min(gapAt ?? Infinity, mustAskAt ?? Infinity);
      return isAsking || epoch === null || at === Infinity ? null : at;
    },

    /** Returns the question to ask now. */
    ask() {
      isAsking = true;
      askNothing();
      return { start: position, epoch };
    },

    /** Notes that a question was not answered, or refused for now: ask again after a pause. */
    unanswered(nowMs) {
      isAsking = false;
      mustAskAt = later(nowMs);
    },

    /** Notes that the client joins again, with `since`: the answer says what it has missed. */
    comeBack() {
      isAsking = false;
      askNothing();
      recovered = epoch === null ? null : 0;
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

/** Timers by key: one that is started again takes the place of the one before. */
class Timers {
  #ids = new Map();
  #afterwards;

  constructor(afterwards) {
    this.#afterwards = afterwards;
  }

  has(key) {
    return this.#ids.has(key);
  }

  start(key, delayMs, run) {
    this.stop(key);
    const fire = () => {
      this.#ids.delete(key);
      run();
      this.#afterwards();
    };
    this.#ids.set(key, setTimeout(fire, Math.min(Math.max(delayMs, 0), MOST_DELAY_MS)));
  }

  stop(key) {
    clearTimeout(this.#ids.get(key));
    this.#ids.delete(key);
  }

  stopAll() {
    for (const key of this.#ids.keys()) this.stop(key);
  }
}

/** Reads a text of the server; null if it is no JSON object. */
function readObject(data) {
  try {
    const found = isText(data) ? JSON.parse(data) : null;
    return typeof found === "object" && !Array.isArray(found) ? found : null;
  } catch {
    return null;
  }
}

/** Tells whether it can be given to a channel; repairs the time, which decides little. */
function isFrame(found) {
  if (!isNumber(found?.seq) || !found.seq || !isText(found.id) || !isText(found.channel))
    return false;
  if (!Number.isFinite(found.sentAt)) found.sentAt = 0;
  return true;
}

const isAnswer = (found) =>
  isText(found?.epoch) &&
  isNumber(found.from) &&
  isNumber(found.to) &&
  Array.isArray(found.frames) &&
  found.frames.every(isFrame) &&
  (found.lost === undefined || isText(found.lost?.reason));

/**
 * One connection, from its token to its end: its socket, its timers, and the requests on it.
 * `host` is told what comes; once the connection is closed, nothing of it is heard any more.
 */
class Connection {
  /** The socket is open. */
  isOpen = false;
  isJoined = false;
  isOver = false;
  /** It has lived for a while: its end is no failure. */
  isProven = false;
  /** One request at a time changes what is subscribed to. */
  isChanging = false;
  connectionId = null;
  renewInMs = null;
  /** By name, the channel as it was wanted when its subscription was answered here. */
  subscribed = new Map();
  /** How many texts came. */
  texts = 0;
  timers;
  #host;
  #socket = null;
  #requests = new Map();

  constructor(host) {
    this.#host = host;
    this.timers = new Timers(host.afterwards);
    this.timers.start("opening", OPENING_MS, () => host.onSlow(this));
  }

  get hasSocket() {
    return this.#socket !== null;
  }

  attach(socket) {
    const heard = (does) => (event) => {
      if (this.isOver) return;
      does(event);
      this.#host.afterwards();
    };
    const ended = heard(() => this.#host.onEnd(this, this.isJoined ? "cut" : "refused"));
    socket.onopen = heard(() => {
      this.isOpen = true;
      this.#host.onOpen(this);
    });
    socket.onmessage = heard(({ data }) => this.#take(data));
    socket.onclose = ended;
    socket.onerror = ended; // old versions of Node close without a word
    this.#socket = socket;
  }

  close() {
    this.isOver = true;
    this.timers.stopAll();
    this.#socket?.close(1000);
  }

  /**
   * Asks, and asks again until there is an answer of that type for which `isProper` holds, or a
   * refusal. Returns a function that forgets it all.
   */
  ask(action, fields, type, isProper, answered, refused) {
    const ref = this.#host.nextRef();
    const request = { ref, text: JSON.stringify({ action, ref, ...fields }) };
    Object.assign(request, { type, isProper, answered, refused, texts: this.texts });
    Object.assign(request, { unanswered: 0, busy: 0, spreadMs: SPREAD_MS });
    this.#requests.set(ref, request);
    this.#send(request);
    return () => this.#forget(request);
  }

  #forget({ ref }) {
    this.#requests.delete(ref);
    this.timers.stop(ref);
  }

  #send(request) {
    request.isPaused = false;
    this.timers.start(request.ref, ANSWER_MS, () => this.#askAgain(request));
    this.#socket.send(request.text);
  }

  #askAgain(request) {
    request.unanswered += 1;
    const isSilent = request.texts === this.texts; // since it was asked first
    if (isSilent && request.unanswered >= MOST_UNANSWERED) this.#host.onEnd(this, "silent");
    else this.#send(request);
  }

  #pause(request, pauseMs) {
    request.isPaused = true;
    this.timers.start(request.ref, pauseMs, () => this.#send(request));
  }

  #take(data) {
    this.texts += 1;
    this.timers.stop("silent");
    const told = readObject(data);
    if (!told) this.#host.onBadText("a text that is no JSON object");
    else if (told.type !== undefined) this.#takeTyped(told);
    else if ("seq" in told) this.#host.onFrame(told);
    else if (told.message === "Too Many Requests") this.#slowDown();
  }

  #takeTyped(told) {
    const request = this.#requests.get(told.ref);
    if (told.type === "bye") this.#host.onBye(this, told);
    else if (told.type === "error") this.#takeError(told, request);
    else if (request) this.#takeAnswer(told, request);
  }

  #takeError(error, request) {
    if (error.code === "gone") this.#host.onEnd(this, "gone");
    else if (request && error.code === "busy") {
      const afterMs = Math.max(Number(error.afterMs) || 0, LEAST_BUSY_MS);
      this.#pause(request, Math.min(afterMs * between(1, 2) * 2 ** request.busy++, MOST_BUSY_MS));
    } else if (request) {
      this.#forget(request);
      request.refused(error);
    } else if (error.ref === undefined) this.#host.onError(error);
  }

  #takeAnswer(told, request) {
    if (told.type !== request.type || !request.isProper(told))
      return this.#host.onBadText("an answer that is not as expected");
    this.#forget(request);
    request.answered(told);
  }

  /** The throttle does not say which request it refused. */
  #slowDown() {
    for (const request of this.#requests.values()) {
      if (request.isPaused) continue;
      this.#pause(request, between(0, request.spreadMs));
      request.spreadMs = Math.min(request.spreadMs * 2, MOST_SPREAD_MS);
    }
  }
}

/** Asks the application for a token, or a URL. */
async function given(source, reason) {
  const found = await source({ reason });
  if (found === null) throw new UnauthorizedError("found null, expected a token");
  if (!isText(found) || !found) throw new TypeError(`found ${typeof found}, expected a string`);
  return found;
}

/** Tells why a URL is none of a WebSocket; nothing if it is one. */
function wrongIn(url) {
  const found = URL.canParse(url) ? new URL(url).protocol : "no URL";
  return /^wss?:$/.test(found) ? "" : `found ${found}, expected ws: or wss:`;
}

function withToken(url, token) {
  const [plain] = url.split("#");
  return `${plain}${plain.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`;
}

/** Tells whether it keeps a connection from being idle, and nothing else. */
function isKeepAlive(message) {
  return message?.type === "keep-alive" && Object.keys(message).length === 1;
}

/** A client of one stack: connects, reconnects, and gives out each message once. */
export class Crier extends EventTarget {
  #url;
  #options;
  #storage;
  #storageKey;
  #state = "idle";
  /** The connection, or the one that is being opened; null while there is none. */
  #current = null;
  /** The one that will take its place; null while there is none. */
  #renewal = null;
  #channels = new Map();
  #listedIds = new Set();
  /** Positions that a page before this one has kept, and that no channel has begun at yet. */
  #kept = new Map();
  #connectionIds = [];
  /** Events that are not given out yet: nothing changes while a handler is called. */
  #events = [];
  #isTelling = false;
  #timers = new Timers(() => this.#tell());
  #refs = 0;
  #failures = 0;
  #refusals = 0;
  #renewalFailures = 0;
  #tokenReason = "first";
  #closedBy = null;
  #badTextAt = -Infinity;
  /** What a connection tells. */
  #host = {
    afterwards: () => this.#tell(),
    nextRef: () => `${++this.#refs}`,
    onSlow: (connection) => this.#onSlow(connection),
    onOpen: (connection) => this.#settle(connection),
    onEnd: (connection, reason) => this.#onEnd(connection, reason),
    onBye: (connection, bye) => this.#onBye(connection, bye),
    onFrame: (frame) => this.#onFrame(frame),
    onError: ({ code, message }) => this.#trouble(code, message, false),
    onBadText: (words) => this.#onBadText(words),
  };
  /** What a page tells; a worker and Node tell less, or nothing. */
  #listeners = [
    [globalThis, "online", () => (this.#retry("online") ? 0 : this.#probe())],
    [globalThis, "pageshow", ({ persisted }) => persisted && this.#retry("pageshow")],
    [globalThis, "pagehide", () => this.#onHide()],
    [globalThis.document, "visibilitychange", () => isHidden() || this.#probe()],
  ].map(([target, type, does]) => [target, type, (event) => this.#hear(does, event)]);

  constructor(url, options = {}) {
    super();
    this.#url = url;
    this.#options = { ...options };
    for (const [name, usual] of Object.entries(DEFAULTS)) {
      const found = options[name];
      this.#options[name] = typeof found === "number" && found >= 0 ? found : usual;
    }
    this.#storage = options.storage;
    this.#storageKey = `crier:${typeof url === "function" ? "" : `${url}`.split(/[?#]/)[0]}`;
    this.#readPositions();
    this.#follow(EVERYONE);
    for (const name of options.channels ?? []) this.#subscribe(name);
    Promise.resolve().then(() => this.#tell()); // what was wrong in here, to listeners to come
  }

  /** One of idle, connecting, connected, waiting, closed. */
  get state() {
    return this.#state;
  }

  /** Null while the client has not joined. */
  get connectionId() {
    return this.#current?.connectionId ?? null;
  }

  /** By channel, where the application is; channels without an answer are left out. */
  get positions() {
    return Object.fromEntries(this.#positions());
  }

  /** Calls a handler with each event's detail. Returns a function that takes it off again. */
  on(type, handler) {
    const listener = ({ detail }) => void callHandler(handler, detail);
    this.addEventListener(type, listener);
    return () => this.removeEventListener(type, listener);
  }

  /** Connects, at once when the client waits, and goes on where it was. */
  connect() {
    if (this.#current) return;
    if (this.#state !== "waiting") {
      this.#failures = this.#refusals = 0;
      this.#tokenReason = "first";
      for (const [target, ...listener] of this.#listeners) target?.addEventListener?.(...listener);
    }
    this.#begin("connect");
    this.#tell();
  }

  /** Ends the connection, all timers and all listeners; positions are kept for another connect. */
  close() {
    if (this.#state !== "closed") this.#end("close");
    this.#tell();
  }

  /** Follows a channel, and gives its messages to a handler, too, until it is unsubscribed. */
  subscribe(name, handler, options) {
    const subscription = this.#subscribe(name, handler, options);
    return {
      ready: subscription.ready,
      unsubscribe: () => this.#unsubscribe(subscription),
      position: () => this.#positionOf(subscription.channel),
    };
  }

  /** Follows a channel while it is iterated over; what the loop has not taken yet is kept. */
  async *channel(name, options) {
    const messages = [];
    let wake;
    const handler = (message) => {
      messages.push(message);
      wake?.();
    };
    const subscription = this.#subscribe(name, handler, options);
    subscription.onEnd = () => wake?.();
    try {
      for (;;) {
        while (messages.length > 0 && this.#closedBy !== "close") yield messages.shift();
        if (subscription.error) throw subscription.error;
        if (this.#state === "closed") return;
        await new Promise((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      this.#unsubscribe(subscription);
    }
  }

  #hear(does, event) {
    does(event);
    this.#tell();
  }

  // Channels

  #follow(name, first = this.#kept.get(name)) {
    this.#kept.delete(name);
    const { ordered, gapWaitMs } = this.#options;
    const followed = new FollowedChannel(() => Math.random(), {
      isOrdered: ordered,
      first,
      gapWaitMs,
    });
    const channel = { name, followed, subscriptions: new Set(), isAnswered: false };
    this.#channels.set(name, channel);
    return channel;
  }

  #subscribe(name, handler, options) {
    if (!isText(name)) throw new TypeError(`found a channel that is ${typeof name}, expected text`);
    const first = firstOf(options ?? {});
    let channel = this.#channels.get(name);
    if (channel && first && channel.subscriptions.size === 0) this.#forgetChannel(channel); // `*`
    if (!this.#channels.has(name)) channel = this.#follow(name, first);
    const subscription = { channel, handler, isActive: true };
    subscription.ready = new Promise((resolve, reject) => {
      Object.assign(subscription, { resolve, reject });
    });
    subscription.ready.catch(() => {}); // an application need not look at it
    channel.subscriptions.add(subscription);
    if (channel.isAnswered) subscription.resolve(this.#positionOf(channel));
    this.#settleAll();
    return subscription;
  }

  #unsubscribe(subscription) {
    const { channel } = subscription;
    if (!subscription.isActive) return;
    this.#endSubscription(subscription, new Error(`${channel.name} was left`));
    channel.subscriptions.delete(subscription);
    if (channel.subscriptions.size > 0 || channel.name === EVERYONE) return;
    this.#forgetChannel(channel);
    this.#settleAll();
  }

  /** Lets a promise that waits know; does nothing to one that has its position. */
  #endSubscription(subscription, error) {
    subscription.isActive = false;
    subscription.reject(error);
    subscription.onEnd?.();
  }

  #forgetChannel(channel) {
    if (this.#isFollowed(channel)) this.#channels.delete(channel.name);
    this.#events = this.#events.filter((event) => event.channel !== channel);
    this.#current?.timers.stop(channel);
    channel.forgetReplay?.();
  }

  #refuse(channel, { code, message }) {
    if (!this.#isFollowed(channel)) return;
    const error = Object.assign(new Error(`${channel.name}: ${message}`), { code });
    this.#forgetChannel(channel);
    for (const subscription of channel.subscriptions) {
      subscription.error = error;
      this.#endSubscription(subscription, error);
    }
    this.#trouble(code, error.message, false);
    this.#settleAll();
  }

  #isFollowed(channel) {
    return this.#channels.get(channel.name) === channel;
  }

  /** Returns where the application is: it may not have been given yet all that has come. */
  #positionOf(channel) {
    const { position, epoch } = channel.followed;
    if (epoch === null) return null;
    const waiting = this.#events.filter((event) => event.channel === channel);
    return { seq: Math.min(position, ...waiting.map((event) => event.before)), epoch };
  }

  #positions() {
    return [...this.#channels.values()]
      .map((channel) => [channel.name, this.#positionOf(channel)])
      .filter(([, position]) => position);
  }

  // Connections

  #begin(reason) {
    this.#timers.stop("retry");
    this.#closedBy = null;
    this.#current = new Connection(this.#host);
    this.#become("connecting", reason);
    this.#open(this.#current, this.#tokenReason);
  }

  async #open(connection, reason) {
    try {
      const { getToken, tokenIn } = this.#options;
      const url = typeof this.#url === "function" ? await given(this.#url, reason) : `${this.#url}`;
      const token = getToken && (await given(getToken, reason));
      if (connection.isOver) return;
      if (!token) this.#dial(connection, url);
      else if (tokenIn === "protocol") this.#dial(connection, url, ["crier.v1", `bearer.${token}`]);
      else this.#dial(connection, withToken(url, token));
    } catch (error) {
      const code = error?.name === "UnauthorizedError" ? "unauthorized" : "token";
      if (!connection.isOver) this.#fail(connection, code, wordsOf(error));
    }
    this.#tell();
  }

  #dial(connection, url, protocols) {
    const { WebSocket = globalThis.WebSocket } = this.#options;
    const wrong = wrongIn(url);
    if (wrong) return this.#fail(connection, "bad-url", wrong);
    try {
      connection.attach(protocols ? new WebSocket(url, protocols) : new WebSocket(url));
    } catch (error) {
      this.#fail(connection, protocols ? "token" : "bad-url", wordsOf(error));
    }
  }

  /** Notes that there will be no socket. */
  #fail(connection, code, words) {
    const isFinal = code !== "token" && connection !== this.#renewal;
    if (isFinal) this.#end(code);
    else this.#onEnd(connection, code);
    this.#trouble(code, words, !isFinal);
  }

  #onSlow(connection) {
    if (connection.hasSocket) this.#onEnd(connection, "timeout");
    else this.#fail(connection, "token", `found nothing in ${OPENING_MS} ms, expected a token`);
  }

  #onEnd(connection, reason, pauseMs) {
    connection.close();
    if (connection === this.#renewal) {
      this.#renewal = null;
      this.#renewalFailures += 1;
      this.#renewLater(pauseMs ?? this.#pauseMs(this.#renewalFailures));
    } else if (this.#renewal) this.#takeOver(reason);
    else {
      this.#countFailure(connection, reason);
      this.#drop();
      this.#wait(reason, pauseMs ?? this.#pauseMs(this.#failures));
    }
  }

  #countFailure({ isOpen, isJoined, isProven, hasSocket }, reason) {
    this.#failures = isProven ? 0 : this.#failures + 1;
    if (hasSocket) this.#tokenReason = isOpen && reason !== "gone" ? "reconnect" : "refused";
    if (isJoined || reason !== "refused") return;
    this.#refusals += 1;
    if (this.#refusals >= TOLD_REFUSALS)
      this.#trouble(
        "refused",
        `the server is away, or refuses the token: ${this.#refusals} connections did not open`,
        true,
      );
  }

  #pauseMs(failures) {
    const { minDelayMs, maxDelayMs } = this.#options;
    const firstMs = FIRST_DELAYS * Math.max(minDelayMs, LEAST_DELAY_MS);
    return between(0, Math.min(maxDelayMs, firstMs * 2 ** Math.min(failures, MOST_DOUBLINGS)));
  }

  #wait(reason, pauseMs) {
    this.#timers.start("retry", pauseMs, () => this.#begin("retry"));
    this.#become("waiting", reason, { retryInMs: pauseMs });
  }

  #onBye(connection, { code, reconnect, afterMs }) {
    const reason = isText(code) ? code : "bye";
    if (reconnect === false) this.#end(reason);
    else this.#onEnd(connection, reason, isSpan(afterMs) ? between(0, afterMs) : undefined);
  }

  /** Ends until the application connects again. */
  #end(reason) {
    this.#saveAndDrop();
    for (const [target, ...listener] of this.#listeners) target?.removeEventListener?.(...listener);
    this.#closedBy = reason;
    this.#become("closed", reason);
    for (const { subscriptions } of this.#channels.values())
      for (const one of subscriptions) {
        one.reject(new Error(`the client was closed: ${reason}`));
        one.onEnd?.();
      }
  }

  #saveAndDrop() {
    this.#savePositions();
    this.#drop();
    this.#timers.stopAll();
  }

  /** Lets go of the connections; the next one says where the client is. */
  #drop() {
    this.#current?.close();
    this.#renewal?.close();
    this.#current = this.#renewal = null;
    for (const { followed } of this.#channels.values()) followed.comeBack();
  }

  #retry(reason) {
    if (this.#state !== "waiting") return false;
    this.#begin(reason);
    return true;
  }

  #onHide() {
    this.#saveAndDrop();
    this.#become("waiting", "pagehide");
  }

  // What is subscribed to

  #settleAll() {
    if (this.#current) this.#settle(this.#current);
    if (this.#renewal) this.#settle(this.#renewal);
  }

  /** Asks for the next thing that is wanted and not done on a connection. */
  #settle(connection) {
    const { isOpen, isOver, isChanging, isJoined, subscribed } = connection;
    if (!isOpen || isOver || isChanging) return;
    const missing = [...this.#channels.values()].filter((one) => subscribed.get(one.name) !== one);
    const left = [...subscribed.keys()].filter((name) => !this.#channels.has(name) && name !== OWN);
    if (!isJoined) this.#join(connection, missing);
    else if (left.length > 0) this.#leave(connection, left.slice(0, MOST_CHANNELS));
    else if (missing.length > 0) this.#change(connection, "subscribe", batchOf(missing));
    else if (connection === this.#renewal) this.#swap();
  }

  #join(connection, missing) {
    const everyone = this.#channels.get(EVERYONE);
    const others = missing.filter((one) => one !== everyone);
    const isSuspect = others.some((one) => one.isSuspect);
    const named = isSuspect ? [] : others.slice(0, MOST_CHANNELS - 1);
    this.#change(connection, "join", [everyone, ...named]);
  }

  #leave(connection, channels) {
    connection.isChanging = true;
    const done = () => {
      connection.isChanging = false;
      for (const name of channels) connection.subscribed.delete(name);
      this.#settle(connection);
    };
    const refused = (error) => {
      this.#host.onError(error);
      done();
    };
    connection.ask("unsubscribe", { channels }, "unsubscribed", () => true, done, refused);
  }

  #change(connection, action, channels) {
    connection.isChanging = true;
    const at = Object.fromEntries(channels.map(({ name, followed }) => [name, followed.since]));
    const isProper = (told) => channels.every(({ name }) => isAnswer(told.channels?.[name]));
    const answered = (told) => {
      connection.isChanging = false;
      if (action === "join") this.#onJoined(connection, told);
      for (const channel of channels) {
        connection.subscribed.set(channel.name, channel);
        if (this.#isFollowed(channel)) this.#onPosition(channel, told.channels[channel.name]);
      }
      this.#settle(connection);
    };
    const refused = (error) => {
      connection.isChanging = false;
      this.#onRefused(connection, channels, error);
    };
    const type = action === "join" ? "joined" : "subscribed";
    const fields = { at, ...this.#was(connection) };
    connection.ask(action, fields, type, isProper, answered, refused);
  }

  /** The error does not say which channel it is: each is asked for alone, and then it does. */
  #onRefused(connection, channels, error) {
    const others = channels.filter(({ name }) => name !== EVERYONE);
    const [suspect = channels[0]] = others;
    for (const channel of others) channel.isSuspect = true;
    if (others.length > 1) this.#settle(connection);
    else if (suspect.name !== EVERYONE) {
      this.#refuse(suspect, error);
      this.#settle(connection); // on this one it may be wanted no more
    } else {
      this.#host.onError(error);
      this.#onEnd(connection, "refused");
    }
  }

  #onJoined(connection, { connectionId, renewInMs }) {
    connection.isJoined = true;
    connection.renewInMs = renewInMs;
    connection.timers.stop("opening");
    if (isText(connectionId)) {
      connection.connectionId = connectionId;
      this.#connectionIds = [...this.#connectionIds, connectionId].slice(-MOST_EARLIER - 1);
    }
    if (connection === this.#current) this.#use("joined");
  }

  /** Says which connections were the client's own: what it has sent itself may exclude these. */
  #was({ connectionId }) {
    const was = this.#connectionIds.filter((id) => id !== connectionId).slice(-MOST_EARLIER);
    return was.length > 0 ? { was } : {};
  }

  /** Lives with the current connection from now on. */
  #use(reason) {
    const { timers, renewInMs } = this.#current;
    const connection = this.#current;
    this.#refusals = this.#renewalFailures = 0;
    this.#tokenReason = "reconnect";
    this.#become("connected", reason);
    timers.start("proven", UP_MS, () => {
      connection.isProven = true;
      this.#failures = 0;
    });
    if (isSpan(renewInMs))
      this.#renewLater(Math.max(renewInMs * between(0.85, 0.95), LEAST_RENEWAL_MS));
    this.#watch();
    this.#pingLater();
    for (const channel of this.#channels.values()) this.#askLater(channel);
  }

  // Renewal

  #renewLater(delayMs) {
    this.#current.timers.start("renew", delayMs, () => {
      this.#renewal = new Connection(this.#host);
      this.#open(this.#renewal, "renewal");
    });
  }

  /** Everything is subscribed to there, too: the old connection is not needed any more. */
  #swap() {
    this.#current.close();
    this.#takeOver();
  }

  /** Goes on with the new connection, as it is: it may be not joined yet when the old one ends. */
  #takeOver(reason) {
    this.#current = this.#renewal;
    this.#renewal = null;
    const { isJoined, subscribed } = this.#current;
    if (!isJoined) this.#become("connecting", reason);
    this.#forgetReplays();
    for (const channel of this.#channels.values())
      if (subscribed.get(channel.name) !== channel) channel.followed.comeBack();
    if (isJoined) this.#use();
  }

  /** What was asked on the old connection is not answered any more. */
  #forgetReplays() {
    for (const channel of this.#channels.values()) {
      if (channel.forgetReplay) channel.followed.unanswered(now());
      channel.forgetReplay = null;
    }
  }

  // What comes

  #onFrame(frame) {
    if (!isFrame(frame)) return this.#onBadText("a frame without a proper seq, id or channel");
    const channel = this.#channels.get(frame.channel);
    if (frame.channel === LISTED || (frame.channel === OWN && !channel)) {
      if (isNew(this.#listedIds, frame.id)) this.#announce({}, { type: "message", frame });
    } else if (channel) {
      for (const event of channel.followed.frame(frame, now())) this.#announce(channel, event);
      this.#askLater(channel);
    }
  }

  #onPosition(channel, position) {
    channel.forgetReplay?.();
    channel.forgetReplay = null;
    channel.isSuspect = false;
    for (const event of channel.followed.answer(position, now())) this.#announce(channel, event);
    channel.isAnswered = true;
    for (const { resolve } of channel.subscriptions) resolve(this.#positionOf(channel));
    this.#askLater(channel);
  }

  /** Asks for a replay when it is time to. */
  #askLater(channel) {
    const { asksAt } = channel.followed;
    const { timers, isJoined } = this.#current;
    if (!isJoined) return;
    const delayMs = Math.max(asksAt, channel.notBeforeMs ?? 0) - now();
    if (asksAt === null) timers.stop(channel);
    else timers.start(channel, delayMs, () => this.#askNow(channel));
  }

  #askNow(channel) {
    const { name, followed } = channel;
    const connection = this.#current;
    if (connection.subscribed.get(name) !== channel) return; // its answer is still to come
    const { start: from, epoch } = followed.ask();
    const isProper = (told) => told.channel === name && isAnswer(told);
    const answered = (told) => {
      // An answer that brings nothing may come for ever, and at once: it must not be a busy loop.
      channel.notBeforeMs = told.to > from ? 0 : now() + STUCK_MS;
      this.#onPosition(channel, told);
    };
    const refused = (error) => {
      channel.forgetReplay = null;
      if (error.code === "not-allowed") return this.#refuse(channel, error);
      this.#host.onError(error);
      followed.unanswered(now());
      this.#askLater(channel);
    };
    const fields = { channel: name, epoch, from, ...this.#was(connection) };
    channel.forgetReplay = connection.ask("replay", fields, "replay", isProper, answered, refused);
  }

  #onBadText(words) {
    if (now() < this.#badTextAt + BAD_TEXT_MS) return;
    this.#badTextAt = now();
    this.#trouble("bad-text", `found ${words}; it was ignored`, false);
  }

  // Is the connection alive?

  #pingLater() {
    const { pingAfterMs } = this.#options;
    if (!pingAfterMs) return;
    this.#current.timers.start("ping", pingAfterMs * between(0.9, 1.1), () => {
      this.#ping();
      this.#pingLater();
    });
  }

  #ping() {
    const known = [...this.#current.subscribed.values()].filter((one) => this.#isFollowed(one));
    do this.#pingFor(known.splice(0, MOST_CHANNELS));
    while (known.length > 0);
  }

  #pingFor(channels) {
    const at = Object.fromEntries(channels.map(({ name, followed }) => [name, followed.position]));
    const isProper = (told) => channels.every(({ name }) => isNumber(told.at?.[name]));
    const answered = (told) => {
      for (const channel of channels.filter((one) => this.#isFollowed(one))) {
        channel.followed.pong(told.at[channel.name], now());
        this.#askLater(channel);
      }
    };
    this.#current.ask("ping", { at }, "pong", isProper, answered, this.#host.onError);
  }

  /** Looks whether the connection still carries: the computer may have slept. */
  #probe() {
    if (this.#state !== "connected" || this.#current.timers.has("silent")) return;
    this.#ping();
    const connection = this.#current;
    const due = Date.now() + SILENT_MS;
    connection.timers.start("silent", SILENT_MS, () => {
      if (Date.now() > due + LATE_MS)
        this.#probe(); // it slept again: there was no time to answer
      else this.#onEnd(connection, "silent");
    });
  }

  /** A timer that is late means that the computer slept, or that the page was frozen. */
  #watch() {
    const due = Date.now() + TICK_MS;
    this.#current.timers.start("tick", TICK_MS, () => {
      if (Date.now() > due + LATE_MS && !isHidden()) this.#probe();
      this.#watch();
    });
  }

  // Positions that outlive the page

  #readPositions() {
    try {
      const text = this.#storage?.getItem(this.#storageKey) ?? "{}";
      const positions = Object.entries(readObject(text) ?? { text });
      if (!positions.every(([, one]) => isPosition(one))) throw new TypeError("found no positions");
      this.#kept = new Map(positions);
    } catch (error) {
      this.#giveUpStorage(error);
    }
  }

  #savePositions() {
    try {
      const positions = Object.fromEntries([...this.#kept, ...this.#positions()]);
      this.#storage?.setItem(this.#storageKey, JSON.stringify(positions));
    } catch (error) {
      this.#giveUpStorage(error);
    }
  }

  #giveUpStorage(error) {
    this.#storage = null;
    this.#trouble("storage", wordsOf(error), false);
  }

  // What the application is told

  #become(to, reason, more) {
    const from = this.#state;
    this.#state = to;
    if (from !== to) this.#events.push({ type: "state", detail: { from, to, reason, ...more } });
  }

  #trouble(code, message, retry) {
    this.#events.push({ type: "error", detail: { code: `${code}`, message: `${message}`, retry } });
  }

  #announce(channel, event) {
    const { type, frame } = event;
    if (type !== "message") {
      const { start, end, reason, frames } = event;
      const told = type === "gap" ? { from: start, to: end, reason } : { count: frames };
      const detail = { channel: channel.name, ...told };
      this.#events.push({ type, channel, detail, before: start ?? Infinity });
    } else if (!isKeepAlive(frame.message)) {
      const { message, channel: name, seq, id, sentAt } = frame;
      const detail = { message, channel: name, seq, id, sentAt, replayed: !!event.isReplayed };
      this.#events.push({ type, channel, detail, before: seq - 1 });
    }
  }

  /** Gives out the events, one by one: a handler may close, subscribe or leave meanwhile. */
  #tell() {
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (;;) {
      // What came before a close is kept: the positions are beyond it, so no replay brings it again.
      const next = this.#events.findIndex((one) => !one.channel || this.#state !== "closed");
      if (next < 0) break;
      this.#tellOne(this.#events.splice(next, 1)[0]);
    }
    this.#isTelling = false;
  }

  #tellOne({ type, channel, detail }) {
    const isWanted = () =>
      !channel?.name || (this.#state !== "closed" && this.#isFollowed(channel));
    if (type === "message")
      for (const one of [...(channel.subscriptions ?? [])])
        if (one.isActive && isWanted() && one.handler) callHandler(one.handler, detail);
    if (isWanted()) this.dispatchEvent(new CustomEvent(type, { detail }));
    if (channel && this.#storage && this.#state !== "closed" && !this.#timers.has("save"))
      this.#timers.start("save", SAVE_MS, () => this.#savePositions());
  }
}

/** Returns where a subscription begins, as FollowedChannel has it; nothing for from now on. */
function firstOf({ since, last }) {
  if (isNumber(since)) return { seq: since };
  if (isPosition(since)) return { seq: since.seq, epoch: since.epoch };
  if (since != null) throw new TypeError("found a wrong since, expected a number or a position");
  return last === undefined ? undefined : { last };
}

/** Returns what to subscribe to next: alone what is perhaps refused. */
function batchOf(channels) {
  const suspects = channels.filter((one) => one.isSuspect);
  return suspects.length > 0 ? suspects.slice(0, 1) : channels.slice(0, MOST_CHANNELS);
}
