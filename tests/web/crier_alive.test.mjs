/** A connection that only looks alive, pings, and the renewal that comes before its end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crier, UnauthorizedError } from "../../web/crier.js";
import { answer, frame, inPage, inWorld, joined, listen, position } from "./support/world.mjs";

const RENEW_MS = 100_000;
const RENEWAL_MS = 90_000; // with a chance of one half

function pong(socket, more = {}) {
  const { ref, at } = socket.last("ping");
  socket.say({ type: "pong", ref, at: { ...at, ...more } });
}

for (const [what, wake] of [
  ["is seen again", (world) => world.see("visible")],
  ["is online again", (world) => world.tell("online")],
  [
    "was asleep",
    async (world) => {
      await world.sleep(5_001);
      await world.pass(10_000);
    },
  ],
])
  test(
    `a page that ${what} looks whether its connection carries`,
    inPage(async (world) => {
      const { client, heard, socket } = joined(world, Crier);
      await wake(world);
      const pings = socket.asked("ping");
      await world.pass(4_999);
      const before = client.state;
      await world.pass(1);

      assert.deepEqual(pings.length, 1);
      assert.deepEqual(pings[0].at, { "*": 0 });
      assert.equal(before, "connected");
      assert.equal(heard.states().at(-1), "connected waiting: silent");
      assert.equal(socket.closedWith, 1000);
      client.close();
    }),
  );

test(
  "any text shows that the connection carries",
  inPage(async (world) => {
    const { client, socket } = joined(world, Crier);
    await world.see("visible");

    socket.sayText("nonsense");
    await world.pass(9_000);

    assert.equal(client.state, "connected");
    assert.equal(socket.asked("ping").length, 1);
    client.close();
  }),
);

test(
  "a page that is not seen, or not connected, asks nothing",
  inPage(async (world) => {
    const { client, socket } = joined(world, Crier);
    await world.see("hidden");
    await world.sleep(60_000);
    await world.pass(10_000);
    client.close();
    client.connect();
    await world.see("visible");
    await world.tell("online");

    assert.deepEqual(socket.asked("ping"), []);
    assert.equal(world.sockets.length, 2);
    client.close();
  }),
);

test(
  "a tick that is hardly late, or whose clock jumped back, asks nothing",
  inWorld(async (world) => {
    const { socket } = joined(world, Crier);
    await world.sleep(5_000);
    await world.pass(10_000);
    await world.sleep(-3_600_000);
    await world.pass(30_000);

    assert.deepEqual(socket.asked("ping"), []);
  }),
);

test(
  "a clock that jumps forward is asked about once",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    await world.sleep(3_600_000);
    await world.pass(10_000);
    pong(socket);
    await world.pass(60_000);

    assert.equal(socket.asked("ping").length, 1);
    assert.equal(client.state, "connected");
  }),
);

test(
  "a computer that falls asleep again has its connection asked again",
  inPage(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    await world.see("visible");
    await world.sleep(5_001);
    await world.pass(5_000);
    const between = [client.state, socket.asked("ping").length];
    await world.pass(5_000);

    assert.deepEqual(between, ["connected", 2]);
    assert.equal(heard.states().at(-1), "connected waiting: silent");
    client.close();
  }),
);

test(
  "a dead connection is noticed, however often the page is shown meanwhile",
  inPage(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    for (let i = 0; i < 3; i += 1) {
      await world.see("visible");
      await world.pass(1_700);
    }

    assert.equal(heard.states().at(-1), "connected waiting: silent");
    assert.equal(socket.asked("ping").length, 3);
    client.close();
  }),
);

test(
  "idle pings come every eight minutes or so, with positions",
  inWorld(async (world) => {
    const times = [];
    const { client, socket } = joined(world, Crier, { pingAfterMs: 480_000, channels: ["news"] });
    client.subscribe("waits for its answer");
    socket.say({ ...frame(1), channel: "news" });
    for (const chance of [0, 1]) {
      world.chance = chance;
      const { length } = socket.asked("ping");
      const before = world.nowMs;
      while (socket.asked("ping").length === length) {
        await world.pass(1_000);
        socket.say({ type: "alive" });
      }
      times.push((world.nowMs - before) / 1_000);
      pong(socket);
    }

    assert.deepEqual(socket.asked("ping")[0].at, { "*": 0, news: 1 });
    assert.deepEqual(times, [480, 432]); // the chance at the time of the one before decides
  }),
);

test(
  "a ping names 25 channels at most",
  inWorld(async (world) => {
    const channels = Array.from({ length: 30 }, (_, index) => `c${index}`);
    const { socket } = joined(world, Crier, { channels, pingAfterMs: 1_000 });
    answer(socket);

    await world.pass(1_000);

    const sizes = socket.asked("ping").map(({ at }) => Object.keys(at).length);
    assert.deepEqual(sizes, [25, 6]);
  }),
);

test(
  "the last frame is asked for when a pong knows of it",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier, { pingAfterMs: 100_000 });
    await world.pass(100_000);
    pong(socket, { "*": 1 });
    await world.pass(3_000);
    const { ref } = socket.last("replay");
    const frames = [frame(1)];
    socket.say({ type: "replay", ref, channel: "*", ...position(1, { from: 0, frames }) });

    assert.deepEqual(heard.seqs(), [1]);
  }),
);

test(
  "a pong for a channel that was left changes nothing",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier, { pingAfterMs: 100_000 });
    const subscription = client.subscribe("news");
    answer(socket);
    await world.pass(100_000);
    subscription.unsubscribe();
    socket.say({ type: "unsubscribed", ref: socket.last().ref, channels: ["news"] });

    pong(socket, { news: 5 });
    await world.pass(5_000);

    assert.deepEqual(socket.asked("replay"), []);
  }),
);

test(
  "a refused ping is told",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier, { pingAfterMs: 100_000 });
    await world.pass(100_000);

    socket.say({ type: "error", ref: socket.last().ref, code: "not-allowed", message: "no" });

    assert.deepEqual(heard.of("error"), [{ code: "not-allowed", message: "no", retry: false }]);
  }),
);

/** A client whose connection is about to be renewed. */
async function renewing(world, options = {}, renewInMs = RENEW_MS) {
  const client = new Crier("wss://host", { pingAfterMs: 0, minDelayMs: 250, ...options });
  const heard = listen(client);
  client.connect();
  await world.pass(0);
  world.socket.open();
  answer(world.socket, 0, { renewInMs });
  await world.pass(RENEWAL_MS);
  return { client, heard, old: world.sockets[0], fresh: world.sockets[1] };
}

test(
  "a connection is renewed before its end, without a change of state",
  inWorld(async (world) => {
    const reasons = [];
    const getToken = ({ reason }) => `t${reasons.push(reason)}`;
    const { client, heard, old, fresh } = await renewing(world, { getToken });
    old.say(frame(1));
    fresh.open();
    old.say(frame(2));
    const asked = fresh.last();
    answer(fresh, 2, { connectionId: "fresh" });
    old.say(frame(3));
    fresh.say(frame(2), frame(3));

    assert.deepEqual(reasons, ["first", "renewal"]);
    assert.deepEqual(asked.at, { "*": { seq: 1, epoch: "e" } });
    assert.deepEqual(asked.was, ["c1"]);
    assert.equal(old.closedWith, 1000);
    assert.equal(client.connectionId, "fresh");
    assert.deepEqual(heard.seqs(), [1, 2, 3]);
    assert.equal(heard.of("state").length, 2);
    assert.deepEqual(heard.of("recovered"), []);
  }),
);

test(
  "a renewal comes between 85 and 95 % of the time",
  inWorld(async (world) => {
    for (const [chance, expected] of [
      [0, 85_000],
      [1, 95_000],
    ]) {
      world.chance = chance;
      const { client } = joined(world, Crier);
      client.close();
      client.connect();
      world.socket.open();
      answer(world.socket, 0, { renewInMs: RENEW_MS });
      const { length } = world.sockets;
      await world.pass(expected - 1);
      const before = world.sockets.length;
      await world.pass(1);

      assert.deepEqual([before, world.sockets.length], [length, length + 1]);
      client.close();
    }
  }),
);

for (const renewInMs of [-1, "soon", null, true, {}])
  test(
    `a connection with renewInMs ${renewInMs} is not renewed`,
    inWorld(async (world) => {
      const { client } = await renewing(world, {}, renewInMs);
      await world.pass(10_000_000);

      assert.equal(world.sockets.length, 1);
      client.close();
    }),
  );

for (const renewInMs of [0, 1])
  test(
    `a connection that ends in ${renewInMs} ms is renewed, and once a second at most`,
    inWorld(async (world) => {
      const { client } = joined(world, Crier);
      client.close();
      client.connect();
      for (let i = 0; i < 50; i += 1) {
        world.socket.open();
        if (world.socket.sent.length === 1) answer(world.socket, 0, { renewInMs });
        await world.pass(100);
      }

      assert.ok(world.sockets.length >= 4, `${world.sockets.length}`);
      assert.ok(world.sockets.length <= 8, `${world.sockets.length}`);
      client.close();
    }),
  );

test(
  "a renewal in a very long time is no busy loop",
  inWorld(async (world) => {
    await renewing(world, {}, 1e15);
    await world.pass(2 * RENEWAL_MS);

    assert.equal(world.sockets.length, 1);
  }),
);

test(
  "a renewal takes over when all channels are answered there, and pings there",
  inWorld(async (world) => {
    const channels = Array.from({ length: 30 }, (_, index) => `c${index}`);
    const client = new Crier("wss://host", { channels, pingAfterMs: 200_000 });
    client.connect();
    const old = world.socket;
    old.open();
    answer(old, 0, { renewInMs: RENEW_MS });
    answer(old);
    await world.pass(RENEWAL_MS);
    const fresh = world.socket;
    fresh.open();
    answer(fresh);
    const early = old.closedWith;
    client.subscribe("last");
    answer(fresh);
    const still = old.closedWith;
    answer(fresh);
    await world.pass(200_000);

    assert.deepEqual([early, still, old.closedWith], [null, null, 1000]);
    assert.equal(old.asked("ping").length, 0);
    assert.equal(fresh.asked("ping").length, 2);
    client.close();
  }),
);

test(
  "a renewal is not renewed itself before it takes over, but then",
  inWorld(async (world) => {
    const channels = Array.from({ length: 30 }, (_, index) => `c${index}`);
    const client = new Crier("wss://host", { channels, pingAfterMs: 0 });
    client.connect();
    world.socket.open();
    answer(world.socket, 0, { renewInMs: RENEW_MS });
    answer(world.socket);
    await world.pass(RENEWAL_MS);
    world.socket.open();
    answer(world.socket, 0, { renewInMs: 1 });
    await world.pass(5_000);
    const { length } = world.sockets;
    answer(world.socket);

    await world.pass(10_000);

    assert.deepEqual([length, world.sockets.length], [2, 3]);
    client.close();
  }),
);

test(
  "a renewal that fails is tried again, later each time, while the old connection lives",
  inWorld(async (world) => {
    world.chance = 0.5;
    const { client, heard, old } = await renewing(world);
    const waits = [];
    for (let i = 0; i < 4; i += 1) {
      const { length } = world.sockets;
      const before = world.nowMs;
      world.socket.drop();
      while (world.sockets.length === length) await world.pass(500);
      waits.push(world.nowMs - before);
    }
    world.socket.open();
    answer(world.socket);

    assert.deepEqual(waits, [500, 1_000, 2_000, 4_000]);
    assert.deepEqual(heard.of("error"), []);
    assert.equal(heard.of("state").length, 2);
    assert.equal(old.closedWith, 1000);
    assert.equal(client.state, "connected");
  }),
);

test(
  "a renewal without a token goes on with the old connection, and asks again",
  inWorld(async (world) => {
    const tokens = ["first", null, new UnauthorizedError("no"), new Error("away"), "next"];
    const getToken = () => {
      const token = tokens.shift();
      if (token instanceof Error) throw token;
      return token;
    };
    const { client, heard, old } = await renewing(world, { getToken });
    await world.pass(8_000);
    world.socket.open();
    answer(world.socket);

    assert.deepEqual(
      heard.of("error").map(({ code, retry }) => [code, retry]),
      [
        ["unauthorized", true],
        ["unauthorized", true],
        ["token", true],
      ],
    );
    assert.equal(old.closedWith, 1000);
    assert.equal(client.state, "connected");
    assert.equal(world.socket.url, "wss://host?token=next");
  }),
);

test(
  "a renewal that is told to come later does so",
  inWorld(async (world) => {
    const { fresh } = await renewing(world);
    fresh.open();
    fresh.say({ type: "bye", code: "moved", reconnect: true, afterMs: 8_000 });
    await world.pass(3_999);
    const before = world.sockets.length;
    await world.pass(1);

    assert.deepEqual([before, world.sockets.length], [2, 3]);
  }),
);

test(
  "a renewal goes on as the reconnect when the old connection ends first",
  inWorld(async (world) => {
    const { client, heard, old, fresh } = await renewing(world);
    old.drop();
    const { state, connectionId } = client;
    fresh.open();
    answer(fresh, 1);

    assert.deepEqual([state, connectionId], ["connecting", null]);
    assert.deepEqual(heard.states().slice(2), [
      "connected connecting: cut",
      "connecting connected: joined",
    ]);
    assert.deepEqual(heard.of("recovered"), [{ channel: "*", count: 0 }]);
    assert.equal(world.sockets.length, 2);
  }),
);

test(
  "a renewal that has joined takes over at once when the old connection ends first",
  inWorld(async (world) => {
    const channels = Array.from({ length: 25 }, (_, index) => `c${index}`);
    const client = new Crier("wss://host", { channels, pingAfterMs: 0 });
    const heard = listen(client);
    client.connect();
    const old = world.socket;
    old.open();
    answer(old, 0, { renewInMs: RENEW_MS });
    answer(old);
    await world.pass(RENEWAL_MS);
    const fresh = world.socket;
    fresh.open();
    answer(fresh, 0, { connectionId: "fresh" });
    old.say(frame(2));
    await world.pass(3_000);
    old.drop();
    await world.pass(3_000);
    const { action, channel } = fresh.last("replay");
    answer(fresh);

    assert.equal(client.connectionId, "fresh");
    assert.equal(heard.of("state").length, 2);
    assert.deepEqual([action, channel], ["replay", "*"]);
    assert.deepEqual(heard.of("recovered"), [{ channel: "c24", count: 0 }]);
    client.close();
  }),
);

test(
  "a replay that was under way is asked for on the new connection",
  inWorld(async (world) => {
    const { client, old, fresh } = await renewing(world, { channels: ["news"] });
    fresh.open();
    old.say(frame(2));
    await world.pass(3_000);
    const asked = old.last();
    answer(fresh);
    old.say({ type: "replay", ref: asked.ref, channel: "*", ...position(2, { from: 0 }) });
    await world.pass(3_000);

    assert.equal(asked.action, "replay");
    assert.equal(fresh.last().action, "replay");
    client.close();
  }),
);

test(
  "a replay that is asked for between the answers of a renewal is asked for again",
  inWorld(async (world) => {
    const channels = Array.from({ length: 25 }, (_, index) => `c${index}`);
    const client = new Crier("wss://host", { channels, pingAfterMs: 0 });
    client.connect();
    const old = world.socket;
    old.open();
    answer(old, 0, { renewInMs: RENEW_MS });
    answer(old);
    await world.pass(RENEWAL_MS);
    const fresh = world.socket;
    fresh.open();
    answer(fresh);
    old.say(frame(2));
    await world.pass(3_000);
    const early = [old.asked("replay").length, fresh.asked("replay").length];
    answer(fresh);
    await world.pass(3_000);

    assert.deepEqual(early, [1, 0]);
    assert.equal(fresh.asked("replay").length, 1);
    client.close();
  }),
);

test(
  "close, and a bye that says stay away, end the renewal, too",
  inWorld(async (world) => {
    const first = await renewing(world);
    first.client.close();
    await world.pass(1_000_000);

    assert.deepEqual([first.old.closedWith, first.fresh.closedWith], [1000, 1000]);
    assert.equal(world.timers, 0);
    first.client.connect();
    world.socket.open();
    answer(world.socket, 0, { renewInMs: RENEW_MS });
    await world.pass(RENEWAL_MS);
    world.socket.open();
    world.socket.say({ type: "bye", code: "kicked", reconnect: false });
    assert.equal(first.client.state, "closed");
    assert.equal(world.timers, 0);
  }),
);

test(
  "a new token is asked for when the one before was refused, also for the renewal",
  inWorld(async (world) => {
    const { client, old, fresh } = await renewing(world);
    old.say({ type: "error", code: "gone", message: "no row" });

    assert.equal(client.state, "connecting");
    assert.equal(fresh.closedWith, null);
    await world.pass(0);
    client.close();
  }),
);
