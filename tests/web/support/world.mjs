/** A world without a network and without real time: clocks, timers, chance, sockets, a page. */

const real = {
  setImmediate: globalThis.setImmediate,
};

/** Lets all promises that can go on do so. */
export function settled() {
  return new Promise((resolve) => real.setImmediate(resolve));
}

/** A socket whose server is the test. */
export class FakeSocket {
  sent = [];
  isOpen = false;
  closedWith = null;
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
  }

  send(text) {
    if (!this.isOpen) throw new Error("found a socket that is not open");
    if (this.closedWith === null) this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith ??= code;
  }

  // What the server does

  open() {
    this.isOpen = true;
    this.onopen?.({});
  }

  say(...told) {
    for (const one of told) this.onmessage?.({ data: JSON.stringify(one) });
  }

  sayText(data) {
    this.onmessage?.({ data });
  }

  drop(code = 1006) {
    this.onclose?.({ code });
  }

  /** The requests of an action, or all. */
  asked(action) {
    return this.sent.filter((one) => !action || one.action === action);
  }

  last(action) {
    return this.asked(action).at(-1);
  }
}

export function frame(seq, more = {}) {
  return { id: `b${seq}`, seq, channel: "*", message: `m${seq}`, sentAt: 1_000 + seq, ...more };
}

export function position(to, more = {}) {
  return { epoch: "e", seq: to, from: to, to, frames: [], ...more };
}

/** Time, chance and sockets; `install` puts them in the place of the global ones. */
export class World {
  /** performance.now */
  nowMs = 1_000;
  /** Date.now less performance.now: a clock may jump. */
  dateMs = 1_700_000_000_000;
  chance = 0.5;
  sockets = [];
  rejections = [];
  reported = [];
  #timers = new Map();
  #ids = 0;
  #replaced = new Map();
  #onRejection = (error) => this.rejections.push(error);

  constructor() {
    const world = this;
    this.WebSocket = class extends FakeSocket {
      constructor(...about) {
        super(...about);
        world.sockets.push(this);
      }
    };
    this.page = new EventTarget();
    this.page.hidden = false;
  }

  install() {
    const replace = (name, value) => {
      this.#replaced.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    };
    replace("setTimeout", (run, delayMs) => this.#start(run, delayMs));
    replace("clearTimeout", (id) => this.#timers.delete(id));
    replace("performance", { now: () => this.nowMs });
    replace("Date", class extends Date {});
    globalThis.Date.now = () => this.dateMs + this.nowMs;
    replace("Math", Object.create(Math, { random: { value: () => this.chance } }));
    replace("WebSocket", this.WebSocket);
    replace("reportError", (error) => this.reported.push(error));
    process.on("unhandledRejection", this.#onRejection);
    return this;
  }

  /** Has a page, as in a browser. */
  installPage() {
    const window = new EventTarget();
    const replace = (name, value) => {
      this.#replaced.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    };
    this.listening = 0;
    replace("addEventListener", (...about) => {
      this.listening += 1;
      window.addEventListener(...about);
    });
    replace("removeEventListener", (...about) => {
      this.listening -= 1;
      window.removeEventListener(...about);
    });
    replace("document", this.page);
    this.window = window;
    return this;
  }

  uninstall() {
    for (const [name, descriptor] of this.#replaced) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else delete globalThis[name];
    }
    process.off("unhandledRejection", this.#onRejection);
  }

  #start(run, delayMs = 0) {
    if (!(delayMs >= 0 && delayMs <= 2 ** 31 - 1)) throw new Error(`found a delay of ${delayMs}`);
    this.#ids += 1;
    this.#timers.set(this.#ids, { at: this.nowMs + delayMs, run });
    return this.#ids;
  }

  get timers() {
    return this.#timers.size;
  }

  /** In how many milliseconds timers will fire, the next one first. */
  get pending() {
    return [...this.#timers.values()].map(({ at }) => at - this.nowMs).sort((a, b) => a - b);
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** Lets time pass, timer after timer. */
  async pass(ms) {
    const end = this.nowMs + ms;
    let fired = 0;
    await settled();
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end);
      due.sort(([a, one], [b, other]) => one.at - other.at || a - b);
      if (due.length === 0) break;
      fired += 1;
      if (fired > 10_000) throw new Error("found a busy loop");
      const [[id, { at, run }]] = due;
      this.#timers.delete(id);
      this.nowMs = Math.max(this.nowMs, at);
      run();
      await settled();
    }
    this.nowMs = end;
    await settled();
  }

  /** The computer sleeps: the clock of the wall goes on, and timers are late. */
  async sleep(ms) {
    await settled();
    this.dateMs += ms;
    await this.pass(0);
  }

  /** A window's event. */
  async tell(type, more = {}) {
    this.window.dispatchEvent(Object.assign(new Event(type), more));
    await settled();
  }

  async see(visibilityState) {
    this.page.hidden = visibilityState === "hidden";
    this.window.dispatchEvent(new Event("visibilitychange")); // it bubbles from the document
    await settled();
  }
}

/** Notes all events of a client, in order, as [type, detail]. */
export function listen(client) {
  const heard = [];
  for (const type of ["message", "state", "recovered", "gap", "error"])
    client.addEventListener(type, ({ detail }) => heard.push([type, detail]));
  heard.of = (type) => heard.filter(([one]) => one === type).map(([, detail]) => detail);
  heard.states = () => heard.of("state").map(({ from, to, reason }) => `${from} ${to}: ${reason}`);
  heard.seqs = () => heard.of("message").map(({ seq }) => seq);
  return heard;
}

/** Answers a join or a subscribe: all that it names is at a number, in the epoch `e`. */
export function answer(socket, to = 0, more = {}) {
  const asked = socket.sent.findLast(({ action }) => action === "join" || action === "subscribe");
  const channels = Object.fromEntries(
    Object.entries(asked.at).map(([name, since]) => [
      name,
      position(Math.max(to, since?.seq ?? 0), { from: since?.seq ?? to }),
    ]),
  );
  if (asked.action === "subscribe")
    return socket.say({ type: "subscribed", ref: asked.ref, channels, ...more });
  socket.say({
    type: "joined",
    ref: asked.ref,
    connectionId: `c${asked.ref}`,
    renewInMs: 7_200_000,
    channels,
    ...more,
  });
}

/** Runs a test in a world of its own; in the end no promise and no handler may have failed. */
export function inWorld(run, { hasPage = false } = {}) {
  return async () => {
    const world = new World().install();
    if (hasPage) world.installPage();
    try {
      await run(world);
      await settled();
    } finally {
      world.uninstall();
    }
    for (const error of [...world.rejections, ...world.reported]) throw error;
  };
}

export const inPage = (run) => inWorld(run, { hasPage: true });

/** A client that has joined, and what is at hand then. */
export function joined(world, Crier, options = {}) {
  const client = new Crier("wss://host/prod", { pingAfterMs: 0, minDelayMs: 250, ...options });
  const heard = listen(client);
  client.connect();
  const { socket } = world;
  socket.open();
  answer(socket);
  return { client, heard, socket };
}
