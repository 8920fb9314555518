/** Input that is none, handlers that do what they like, and positions that outlive the page. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crier } from "../../web/crier.js";
import {
  answer,
  frame,
  inPage,
  inWorld,
  joined,
  listen,
  position,
  settled,
} from "./support/world.mjs";

const BAD_TEXT = ["bad-text", false];
const codes = (heard) => heard.of("error").map(({ code, retry }) => [code, retry]);

for (const text of [
  "",
  "{",
  "7",
  "null",
  "[]",
  '"text"',
  "[".repeat(100_000),
  new ArrayBuffer(4),
  undefined,
  JSON.stringify(frame(0)),
  JSON.stringify(frame(-1)),
  JSON.stringify(frame(1.5)),
  JSON.stringify(frame(2 ** 53)),
  '{"seq":1e999,"id":"a","channel":"*"}',
  JSON.stringify({ ...frame(1), seq: "1" }),
  JSON.stringify({ ...frame(1), seq: null }),
  JSON.stringify({ ...frame(1), id: 1 }),
  JSON.stringify({ ...frame(1), id: undefined }),
  JSON.stringify({ ...frame(1), channel: undefined }),
  JSON.stringify({ ...frame(1), channel: ["*"] }),
])
  test(
    `the text ${String(text).slice(0, 70)} is told, and ignored`,
    inWorld(async (world) => {
      const { client, heard, socket } = joined(world, Crier);

      socket.sayText(text);
      socket.say(frame(1));

      assert.deepEqual(codes(heard), [BAD_TEXT]);
      assert.deepEqual(heard.seqs(), [1]);
      assert.equal(client.state, "connected");
    }),
  );

for (const told of [
  {},
  { type: "weather" },
  { type: 7, seq: 1 },
  { type: null, seq: 1 },
  { message: "Internal server error", connectionId: "c" },
  { type: "pong", ref: {}, at: [] },
  { type: "error", ref: null, code: null },
  { type: "__proto__" },
])
  test(
    `the text ${JSON.stringify(told)} is ignored without a word`,
    inWorld(async (world) => {
      const { client, heard, socket } = joined(world, Crier);

      socket.say(told);

      assert.deepEqual(heard.of("error"), []);
      assert.equal(client.state, "connected");
    }),
  );

test(
  "bad texts are told once in ten seconds",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);

    for (let i = 0; i < 3; i += 1) {
      socket.sayText("{");
      await world.pass(5_000);
    }

    assert.equal(heard.of("error").length, 2);
  }),
);

for (const sentAt of ["soon", null, undefined, {}])
  test(
    `a frame that was sent at ${sentAt} was sent at 0`,
    inWorld(async (world) => {
      const { heard, socket } = joined(world, Crier);

      socket.say({ ...frame(1), sentAt });

      assert.equal(heard.of("message")[0].sentAt, 0);
    }),
  );

const good = position(0);
for (const channels of [
  undefined,
  null,
  [],
  {},
  { "*": null },
  { "*": { ...good, epoch: 1 } },
  { "*": { ...good, from: -1 } },
  { "*": { ...good, to: "0" } },
  { "*": { ...good, frames: {} } },
  { "*": { ...good, frames: [frame(0)] } },
  { "*": { ...good, frames: [null] } },
  { "*": { ...good, lost: {} } },
  { "*": { ...good, lost: { reason: 7 } } },
])
  test(
    `an answer with the channels ${JSON.stringify(channels)} is none`,
    inWorld(async (world) => {
      const client = new Crier("wss://host");
      const heard = listen(client);
      client.connect();
      const { socket } = world;
      socket.open();
      answer(socket, 0, { channels });
      const { state } = client;
      await world.pass(10_000);
      answer(socket);

      assert.equal(state, "connecting");
      assert.deepEqual(codes(heard), [BAD_TEXT]);
      assert.equal(socket.sent.length, 2);
      assert.equal(client.state, "connected");
    }),
  );

test(
  "an answer that does not have what was asked for is none",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier, { pingAfterMs: 60_000 });
    client.subscribe("news");
    const { ref } = socket.last();
    socket.say({ type: "unsubscribed", ref, channels: ["news"] });
    socket.say({ type: "subscribed", ref, channels: { "*": good } });
    await world.pass(10_000);
    const asked = socket.asked("subscribe").length;
    answer(socket);
    await world.pass(50_000);
    for (const at of [undefined, null, [], { "*": -1 }, { "*": "0" }])
      socket.say({ type: "pong", ref: socket.last("ping").ref, at });
    socket.say({ type: "replay", ref: socket.last("ping").ref });

    assert.equal(asked, 2);
    assert.deepEqual(codes(heard), [BAD_TEXT, BAD_TEXT]);
    assert.equal(client.state, "connected");
  }),
);

test(
  "a replay without a position is none",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);
    socket.say(frame(2));
    await world.pass(3_000);
    const { ref } = socket.last();

    socket.say({ type: "subscribed", ref, channels: { "*": position(2, { from: 0 }) } });
    socket.say({ type: "replay", ref, channel: "*", epoch: 4 });

    assert.deepEqual(codes(heard), [BAD_TEXT]);
    assert.deepEqual(heard.seqs(), []);
  }),
);

test(
  "an error without words is told with what there is",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);

    socket.say({ type: "error", message: { a: 1 } });

    assert.deepEqual(heard.of("error"), [
      { code: "undefined", message: "[object Object]", retry: false },
    ]);
  }),
);

test(
  "a join that tells no id is not answered",
  inWorld(async (world) => {
    const client = new Crier("wss://host");
    const heard = listen(client);
    client.connect();
    world.socket.open();
    answer(world.socket, 0, { connectionId: 7 });
    const { state } = client;
    answer(world.socket);

    assert.equal(state, "connecting");
    assert.deepEqual(codes(heard), [BAD_TEXT]);
    assert.equal(client.connectionId, "c1");
  }),
);

// Handlers

test(
  "a handler that throws is reported, and stops nothing",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    const got = [];
    client.subscribe("*", () => {
      throw new Error("first");
    });
    client.subscribe("*", async () => {
      throw new Error("async");
    });
    client.subscribe("*", ({ seq }) => got.push(seq));
    client.on("message", () => {
      throw new Error("on");
    });

    socket.say(frame(1), frame(2));
    await settled();

    assert.deepEqual(got, [1, 2]);
    assert.deepEqual(heard.seqs(), [1, 2]);
    const words = world.reported.splice(0).map(({ message }) => message);
    assert.deepEqual(words.sort(), ["async", "async", "first", "first", "on", "on"]);
  }),
);

test(
  "a handler's error goes to the console where nothing reports errors",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const words = [];
    const { error } = console;
    globalThis.reportError = undefined;
    console.error = ({ message }) => words.push(message);
    client.on("message", () => {
      throw new Error("on");
    });

    socket.say(frame(1));
    console.error = error;

    assert.deepEqual(words, ["on"]);
  }),
);

test(
  "on returns what takes the handler off",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const got = [];
    const off = client.on("message", ({ seq }) => got.push(seq));

    socket.say(frame(1));
    off();
    off();
    socket.say(frame(2));

    assert.deepEqual(got, [1]);
  }),
);

test(
  "nothing is given to a handler that has left",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    const got = [];
    const one = client.subscribe("news", ({ seq }) => {
      got.push(`one ${seq}`);
      one.unsubscribe();
      other.unsubscribe();
    });
    const other = client.subscribe("news", ({ seq }) => got.push(`other ${seq}`));
    answer(socket);

    socket.say(frame(2, { channel: "news" }), frame(1, { channel: "news" }));

    assert.deepEqual(got, ["one 1"]);
    assert.deepEqual(heard.seqs(), []);
  }),
);

test(
  "nothing is given out after close, and all of it when the client is back",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    const got = [];
    client.subscribe("*", ({ seq }) => {
      got.push([seq, client.positions["*"].seq]);
      if (seq === 2) client.close();
    });
    socket.say(frame(3), frame(2), frame(4), frame(1), frame(5));
    const before = got.length;
    const kept = client.positions["*"];
    client.connect();
    world.socket.open();
    answer(world.socket, 4);

    assert.equal(before, 2);
    assert.equal(kept.seq, 2);
    assert.deepEqual(got, [
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
    ]);
    assert.deepEqual(heard.seqs(), [1, 3, 4]);
    assert.deepEqual(world.socket.sent[0].at, { "*": { seq: 4, epoch: "e" } });
  }),
);

test(
  "a gap that was not told yet is not behind the position",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    client.subscribe("a", () => client.close());
    client.subscribe("b");
    answer(socket);
    answer(socket);
    socket.drop();
    await world.pass(1_000);
    world.socket.open();
    const { ref } = world.socket.last();
    const lost = { from: 0, to: 9, reason: "too-many" };
    const channels = {
      "*": position(0),
      a: position(1, { from: 0, frames: [frame(1, { channel: "a" })] }),
      b: position(9, { from: 0, lost }),
    };
    world.socket.say({ type: "joined", ref, connectionId: "x", renewInMs: 0, channels });

    assert.equal(client.state, "closed");
    assert.deepEqual(client.positions.b, { seq: 0, epoch: "e" });
  }),
);

test(
  "handlers may subscribe, connect and close, and are told in order",
  inWorld(async (world) => {
    const client = new Crier("wss://host");
    const told = [];
    client.on("state", ({ to }) => {
      told.push(to);
      if (to === "connected") client.subscribe("news");
      if (to === "waiting") client.connect();
      if (to === "connecting" && told.length > 3) client.close();
      if (to === "closed" && told.length < 9) client.connect();
    });
    client.on("state", ({ from }) => told.push(from));
    client.connect();
    world.socket.open();
    answer(world.socket);
    const asked = world.socket.last();
    world.socket.drop();
    await world.pass(1_000);

    assert.deepEqual(asked.at, { news: null });
    assert.deepEqual(told.slice(0, 12), [
      "connecting",
      "idle",
      "connected",
      "connecting",
      "waiting",
      "connected",
      "connecting",
      "waiting",
      "closed",
      "connecting",
      ...told.slice(10, 12),
    ]);
    client.close();
  }),
);

test(
  "a handler that connects when the client could not be let in is no busy loop of its own making",
  inWorld(async (world) => {
    const client = new Crier("wss://host", { getToken: () => null });
    const heard = listen(client);
    let times = 0;
    client.on("error", () => {
      times += 1;
      if (times < 3) client.connect();
    });
    client.connect();
    await world.pass(1_000);

    assert.equal(times, 3);
    assert.deepEqual(heard.states().filter((one) => one.includes("closed:")).length, 3);
    assert.equal(client.state, "closed");
  }),
);

test(
  "a handler that closes while an answer is taken ends what follows from it",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier, { channels: ["a"] });
    client.subscribe("b", () => client.close());
    answer(socket);
    socket.say(frame(1, { channel: "b" }), frame(1), { type: "bye", code: "late" });
    await world.pass(100_000);

    assert.equal(client.state, "closed");
    assert.equal(world.timers, 0);
    assert.equal(world.sockets.length, 1);
  }),
);

test(
  "a subscription within a handler is given what comes next",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const got = [];
    const off = client.on("message", () => {
      off();
      client.subscribe("*", ({ seq }) => got.push(seq));
    });

    socket.say(frame(1), frame(2));

    assert.deepEqual(got, [2]);
  }),
);

// Positions that outlive the page

function storageWith(entries = {}) {
  const kept = new Map(Object.entries(entries));
  return {
    kept,
    writes: 0,
    getItem: (key) => kept.get(key) ?? null,
    setItem(key, value) {
      this.writes += 1;
      kept.set(key, value);
    },
  };
}

const KEY = "crier:wss://host/prod";

test(
  "positions are kept once a second, and on close",
  inWorld(async (world) => {
    const storage = storageWith();
    const { client, socket } = joined(world, Crier, { storage, channels: ["news"] });
    socket.say(frame(1), frame(2));
    await world.pass(999);
    const early = storage.writes;
    await world.pass(1);
    const first = [storage.writes, storage.kept.get(KEY)];
    await world.pass(9_000);
    socket.say(frame(3));
    client.close();

    assert.equal(early, 0);
    assert.deepEqual(first, [1, '{"*":{"seq":2,"epoch":"e"},"news":{"seq":0,"epoch":"e"}}']);
    assert.equal(storage.writes, 2);
    assert.equal(JSON.parse(storage.kept.get(KEY))["*"].seq, 3);
    assert.equal(world.timers, 0);
  }),
);

test(
  "positions are kept when the page is hidden for the back button",
  inPage(async (world) => {
    const storage = storageWith();
    const { client, socket } = joined(world, Crier, { storage });
    socket.say(frame(1));

    await world.tell("pagehide");

    assert.equal(storage.kept.get(KEY), '{"*":{"seq":1,"epoch":"e"}}');
    client.close();
  }),
);

test(
  "channels begin where they were kept, once, unless they are told where",
  inWorld(async (world) => {
    const at = (seq) => ({ seq, epoch: "e" });
    const kept = { "*": at(4), news: at(1), chat: at(2), other: at(3), __proto__: at(9) };
    const storage = storageWith({ [KEY]: JSON.stringify(kept) });
    const client = new Crier("wss://host/prod?x=1#y", { storage, channels: ["news"] });
    client.subscribe("chat", null, { last: 1 });
    client.connect();
    world.socket.open();
    const { at: asked } = world.socket.sent[0];
    answer(world.socket, 4);
    const other = client.subscribe("other");
    answer(world.socket, 4);
    other.unsubscribe();
    world.socket.say({ type: "unsubscribed", ref: world.socket.last().ref, channels: ["other"] });
    client.subscribe("other");

    assert.deepEqual(asked, { "*": at(4), news: at(1), chat: { last: 1 } });
    const others = world.socket.asked("subscribe").map((one) => one.at);
    assert.deepEqual(others, [{ other: at(3) }, { other: null }]);
    client.close();
  }),
);

test(
  "a channel may be kept whose name every object has",
  inWorld(async () => {
    const kept = '{"constructor":{"seq":3,"epoch":"e"},"__proto__":{"seq":4,"epoch":"e"}}';
    const storage = storageWith({ [KEY]: kept });
    const client = new Crier("wss://host/prod", { storage });
    const heard = listen(client);
    await settled();

    client.close();

    assert.deepEqual(codes(heard), []);
    assert.equal(storage.kept.get(KEY), kept);
  }),
);

test(
  "positions of channels that are not followed yet stay kept",
  inWorld(async (world) => {
    const storage = storageWith({ [KEY]: '{"later":{"seq":3,"epoch":"e"}}' });
    const { client } = joined(world, Crier, { storage });

    client.close();

    assert.deepEqual(JSON.parse(storage.kept.get(KEY)).later, { seq: 3, epoch: "e" });
  }),
);

test(
  "positions of channels are kept whatever their names mean to JavaScript",
  inWorld(async (world) => {
    const channels = ["constructor", "__proto__", "toString"];
    const storage = storageWith();
    const before = joined(world, Crier, { storage, channels });
    for (const channel of channels) before.socket.say(frame(1, { channel }));
    before.client.close();

    const { client, heard, socket } = joined(world, Crier, { storage, channels });

    const at = Object.entries(socket.last("join").at).map(([name, { seq }]) => [name, seq]);
    assert.deepEqual(at, [["*", 0], ...channels.map((name) => [name, 1])]);
    assert.deepEqual(heard.of("error"), []);
    client.close();
  }),
);

test(
  "a URL that is a function has a key of its own",
  inWorld(async () => {
    const storage = storageWith();
    const client = new Crier(() => "wss://host", { storage });

    client.close();

    assert.deepEqual([...storage.kept.keys()], ["crier:"]);
  }),
);

for (const text of ["{", "7", "[1]", '"text"', "null", '{"*":{"seq":"1","epoch":"e"}}'])
  test(
    `a storage that holds ${text} is told once, and left`,
    inWorld(async (world) => {
      const storage = storageWith({ [KEY]: text });
      const client = new Crier("wss://host/prod", { storage });
      const heard = listen(client);
      await settled();
      client.connect();
      world.socket.open();
      answer(world.socket);
      world.socket.say(frame(1));
      await world.pass(2_000);
      client.close();

      assert.deepEqual(codes(heard), [["storage", false]]);
      assert.deepEqual(heard.seqs(), [1]);
      assert.equal(storage.writes, 0);
    }),
  );

test(
  "a storage that throws is told once, and left",
  inWorld(async (world) => {
    const full = storageWith();
    full.setItem = () => {
      throw new Error("full");
    };
    const { heard, socket } = joined(world, Crier, { storage: full });
    socket.say(frame(1));
    await world.pass(1_000);
    socket.say(frame(2));
    await world.pass(1_000);
    const refusing = {
      getItem() {
        throw new Error("denied");
      },
    };
    const other = listen(new Crier("wss://host", { storage: refusing }));
    await settled();

    assert.deepEqual(codes(heard), [["storage", false]]);
    assert.equal(heard.of("error")[0].message, "full");
    assert.deepEqual(other.of("error")[0].message, "denied");
    assert.deepEqual(heard.seqs(), [1, 2]);
  }),
);

test(
  "a handler that closes leaves no timer, and keeps where the application is",
  inWorld(async (world) => {
    const storage = storageWith();
    const { client, socket } = joined(world, Crier, { storage });
    client.subscribe("*", () => client.close());

    socket.say(frame(2), frame(1));

    assert.equal(world.timers, 0);
    assert.equal(storage.kept.get(KEY), '{"*":{"seq":1,"epoch":"e"}}');
  }),
);
