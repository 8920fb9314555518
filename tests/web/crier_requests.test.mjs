/** Requests: asked again until they are answered, and what else the server may say. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crier } from "../../web/crier.js";
import { answer, frame, inWorld, joined, listen, position } from "./support/world.mjs";

const THROTTLED = { message: "Too Many Requests", connectionId: "c", requestId: "r" };

/** Has a gap, and the replay that is asked for. */
async function withReplay(world, options) {
  const about = joined(world, Crier, options);
  about.socket.say(frame(2));
  await world.pass(3_000);
  return { ...about, asked: about.socket.last() };
}

const replay = ({ ref, channel }, to, more) => ({
  type: "replay",
  ref,
  channel,
  ...position(to, more),
});

test(
  "a gap that does not close is asked for",
  inWorld(async (world) => {
    const { heard, socket, asked } = await withReplay(world);

    socket.say(replay(asked, 2, { from: 0, frames: [frame(1), frame(2)] }));

    const was = ["c1"];
    assert.deepEqual(asked, { action: "replay", ref: "2", channel: "*", epoch: "e", from: 0, was });
    assert.deepEqual(
      heard.of("message").map(({ seq, replayed }) => [seq, replayed]),
      [
        [1, true],
        [2, false],
      ],
    );
  }),
);

test(
  "what is lost is told",
  inWorld(async (world) => {
    const { heard, socket, asked } = await withReplay(world);

    socket.say(replay(asked, 2, { from: 0, lost: { from: 0, to: 2, reason: "expired" } }));

    assert.deepEqual(heard.of("gap"), [{ channel: "*", from: 0, to: 2, reason: "expired" }]);
  }),
);

test(
  "a gap that closes is not asked for",
  inWorld(async (world) => {
    const { socket } = joined(world, Crier);

    socket.say(frame(2), frame(1));
    await world.pass(9_000);

    assert.equal(socket.sent.length, 1);
  }),
);

test(
  "a request without an answer is asked again, in the same words",
  inWorld(async (world) => {
    const { socket, asked } = await withReplay(world);

    await world.pass(9_999);
    const before = socket.sent.length;
    await world.pass(1);
    await world.pass(9_000);
    socket.say(replay(asked, 2, { from: 0 }));
    await world.pass(60_000);

    assert.equal(before, 2);
    assert.deepEqual(socket.sent.slice(1), [asked, asked]);
  }),
);

test(
  "a connection on which nothing at all is answered is dropped",
  inWorld(async (world) => {
    const { heard, socket } = await withReplay(world);

    await world.pass(29_999);
    const before = socket.closedWith;
    await world.pass(1);

    assert.equal(before, null);
    assert.equal(socket.asked("replay").length, 3);
    assert.equal(heard.states().at(-1), "connected waiting: silent");
  }),
);

test(
  "a connection that still says something is kept, and asked again",
  inWorld(async (world) => {
    const { client, socket } = await withReplay(world);

    for (let i = 0; i < 5; i += 1) {
      await world.pass(10_000);
      socket.say({ type: "news of tomorrow" });
    }

    assert.equal(client.state, "connected");
    assert.equal(socket.asked("replay").length, 6);
  }),
);

test(
  "a throttled request is asked again later each time",
  inWorld(async (world) => {
    const { socket } = await withReplay(world);
    world.chance = 0.999_999;

    const waits = [];
    for (let i = 0; i < 6; i += 1) {
      socket.say(THROTTLED);
      const before = world.nowMs;
      const { length } = socket.sent;
      while (socket.sent.length === length) await world.pass(100);
      waits.push(Math.round((world.nowMs - before) / 1_000));
    }

    assert.deepEqual(waits, [4, 8, 16, 32, 60, 60]);
  }),
);

test(
  "a busy server is asked again later each time",
  inWorld(async (world) => {
    const { heard, socket, asked } = await withReplay(world);

    const waits = [];
    for (const afterMs of [2_000, 2_000, 2_000, 2_000, 2_000, 2_000, "nonsense"]) {
      socket.say({
        type: "error",
        ref: asked.ref,
        code: "busy",
        message: "",
        retry: true,
        afterMs,
      });
      const before = world.nowMs;
      const { length } = socket.sent;
      while (socket.sent.length === length) await world.pass(1_000);
      waits.push((world.nowMs - before) / 1_000);
    }

    assert.deepEqual(waits, [3, 6, 12, 24, 48, 60, 60]);
    assert.deepEqual(heard.of("error"), []);
  }),
);

test(
  "a server that is busy for no time is not asked at once",
  inWorld(async (world) => {
    const { socket, asked } = await withReplay(world);

    socket.say({ type: "error", ref: asked.ref, code: "busy", message: "", afterMs: 0 });
    await world.pass(999);

    assert.equal(socket.sent.length, 2);
  }),
);

test(
  "a replay that is refused is told, and asked anew after a pause",
  inWorld(async (world) => {
    const { heard, socket, asked } = await withReplay(world);

    socket.say({ type: "error", ref: asked.ref, code: "bad-frame", message: "no", retry: false });
    await world.pass(2_999);
    const before = socket.sent.length;
    await world.pass(1);

    assert.equal(before, 2);
    assert.equal(socket.last("replay").from, 0);
    assert.notEqual(socket.last("replay").ref, asked.ref);
    assert.deepEqual(heard.of("error"), [{ code: "bad-frame", message: "no", retry: false }]);
  }),
);

test(
  "a channel whose replay is not allowed any more is dropped",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier, { channels: ["news"] });
    socket.say(frame(2, { channel: "news" }));
    await world.pass(3_000);
    const { ref } = socket.last();

    socket.say({ type: "error", ref, code: "not-allowed", message: "no", retry: false });
    await world.pass(0);

    assert.deepEqual(Object.keys(client.positions), ["*"]);
    assert.equal(heard.of("error")[0].message, "news: no");
    assert.deepEqual(socket.last().channels, ["news"]);
  }),
);

test(
  "a replay of a channel that was left is forgotten",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    const subscription = client.subscribe("news");
    answer(socket);
    socket.say(frame(2, { channel: "news" }));
    await world.pass(3_000);
    const asked = socket.last();

    subscription.unsubscribe();
    socket.say({ type: "unsubscribed", ref: socket.last().ref, channels: ["news"] });
    socket.say(replay(asked, 2, { from: 0, frames: [frame(1, { channel: "news" })] }));
    await world.pass(60_000);

    assert.deepEqual(heard.seqs(), []);
    assert.equal(socket.asked("replay").length, 1);
  }),
);

test(
  "a gap of a channel that was left is not asked for",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const subscription = client.subscribe("news");
    answer(socket);
    socket.say(frame(2, { channel: "news" }));

    subscription.unsubscribe();
    socket.say({ type: "unsubscribed", ref: socket.last().ref, channels: ["news"] });
    await world.pass(60_000);

    assert.deepEqual(socket.asked("replay"), []);
  }),
);

test(
  "a channel with a gap is not asked for before its own answer",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    client.subscribe("news", null, { since: { seq: 1, epoch: "e" } });
    socket.say(frame(3, { channel: "news" }));

    await world.pass(5_000);
    const early = socket.asked("replay").length;
    answer(socket, 1);
    await world.pass(5_000);

    assert.equal(early, 0);
    assert.equal(socket.asked("replay").length, 1);
  }),
);

test(
  "pages are asked for one after another, at once",
  inWorld(async (world) => {
    const { heard, socket, asked } = await withReplay(world);
    socket.say(replay(asked, 1, { from: 0, frames: [frame(1)], more: true }));

    await world.pass(0);

    assert.equal(socket.last().from, 2);
    assert.deepEqual(heard.seqs(), [1, 2]);
  }),
);

test(
  "pages that bring nothing are no busy loop",
  inWorld(async (world) => {
    const { socket } = await withReplay(world);
    const before = socket.sent.length;

    for (let i = 0; i < 100; i += 1) {
      if (socket.sent.length > before + i)
        socket.say(replay(socket.last(), 0, { from: 0, more: true }));
      await world.pass(100);
    }
    const loops = socket.sent.length - before;
    for (let i = 0; i < 100; i += 1) {
      const asked = socket.last();
      socket.say(replay(asked, 0, { epoch: asked.epoch === "e" ? "n" : "e" }));
      await world.pass(100);
    }

    assert.ok(loops <= 11, `${loops}`);
    assert.ok(socket.sent.length - before - loops <= 11, `${socket.sent.length}`);
  }),
);

test(
  "ever new epochs are no busy loop, though their numbers grow",
  inWorld(async (world) => {
    const { socket } = await withReplay(world);
    const before = socket.sent.length;

    for (let i = 0; i < 100; i += 1) {
      socket.say(replay(socket.last(), 10 + i, { epoch: `e${i}` }));
      await world.pass(100);
    }

    const asked = socket.sent.length - before;
    assert.ok(asked >= 3 && asked <= 5, `${asked}`); // every two to four seconds
  }),
);

test(
  "a connection that is gone is left for a new one, with a new token",
  inWorld(async (world) => {
    const reasons = [];
    const getToken = ({ reason }) => `t${reasons.push(reason)}`;
    const client = new Crier("wss://host", { getToken });
    const heard = listen(client);
    client.connect();
    await world.pass(0);
    world.socket.open();
    answer(world.socket);

    world.socket.say({ type: "error", code: "gone", message: "no row", retry: false });
    await world.pass(2_000);

    assert.equal(world.sockets[0].closedWith, 1000);
    assert.equal(heard.states().at(-2), "connected waiting: gone");
    assert.deepEqual(reasons, ["first", "refused"]);
  }),
);

test(
  "an error without a ref is told; one of a request that is over is not",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);

    socket.say({ type: "error", code: "bad-frame", message: "no JSON", retry: false });
    socket.say({ type: "error", ref: "77", code: "bad-frame", message: "old", retry: false });
    socket.say({ type: "joined", ref: "77" }, { type: "pong" });

    assert.deepEqual(heard.of("error"), [{ code: "bad-frame", message: "no JSON", retry: false }]);
  }),
);

test(
  "refs are unique in a client's life",
  inWorld(async (world) => {
    const { socket } = joined(world, Crier);
    socket.drop();
    await world.pass(2_000);
    world.socket.open();

    assert.deepEqual([socket.last().ref, world.socket.last().ref], ["1", "2"]);
  }),
);

test(
  "a join waits for its turn as other requests do",
  inWorld(async (world) => {
    const client = new Crier("wss://host");
    client.connect();
    const { socket } = world;
    socket.open();
    socket.say(THROTTLED);
    await world.pass(4_000);

    assert.equal(socket.asked("join").length, 2);
    answer(socket);
    assert.equal(client.state, "connected");
  }),
);

test(
  "what was under way on a socket that ended is asked anew",
  inWorld(async (world) => {
    const { heard, socket, asked } = await withReplay(world);
    socket.drop();
    await world.pass(2_000);
    socket.say(replay(asked, 2, { from: 0, frames: [frame(1)] }));
    world.socket.open();
    answer(world.socket, 2, {});
    await world.pass(60_000);

    assert.deepEqual(world.socket.sent[0].at, { "*": { seq: 0, epoch: "e" } });
    assert.deepEqual(world.socket.sent[0].was, ["c1"]);
    assert.equal(world.socket.sent.length, 1);
    assert.deepEqual(heard.seqs(), [2]);
  }),
);

test(
  "a socket that throws is reported, asked again, and given up",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    let tries = 0;
    socket.send = () => {
      tries += 1;
      throw new Error("not now");
    };
    socket.close = socket.send;
    client.subscribe("news");
    const first = tries;
    await world.pass(10_000);
    const second = tries;

    await world.pass(20_000);

    assert.deepEqual([first, second], [1, 2]);
    assert.equal(heard.states().at(-1), "connected waiting: silent");
    assert.ok(world.reported.every(({ message }) => message === "not now"));
    assert.equal(world.reported.splice(0).length, tries);
    client.close();
    assert.equal(world.timers, 0);
  }),
);
