/** What is followed, what is given out, and what the server is asked for. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crier } from "../../web/crier.js";
import { answer, frame, inWorld, joined, listen, position, settled } from "./support/world.mjs";

const news = (seq, more) => frame(seq, { channel: "news", ...more });

function refuse(socket, code = "not-allowed", more = {}) {
  const { ref } = socket.sent.at(-1);
  socket.say({ type: "error", ref, code, message: "found a channel", retry: false, ...more });
}

test(
  "client joins with everyone and its channels, and gives out frames",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier, { channels: ["news"] });

    socket.say(frame(1), news(1, { message: { a: 1 } }));

    assert.deepEqual(socket.sent, [
      { action: "join", ref: "1", at: { "*": null, news: null }, was: [] },
    ]);
    assert.equal(socket.url, "wss://host/prod");
    assert.equal(socket.protocols, undefined);
    assert.deepEqual(heard.states(), ["idle connecting: connect", "connecting connected: joined"]);
    assert.deepEqual(heard.of("message"), [
      { message: "m1", channel: "*", seq: 1, id: "b1", sentAt: 1001, replayed: false },
      { message: { a: 1 }, channel: "news", seq: 1, id: "b1", sentAt: 1001, replayed: false },
    ]);
    assert.equal(client.state, "connected");
    assert.equal(client.connectionId, "c1");
    assert.deepEqual(client.positions, {
      "*": { seq: 1, epoch: "e" },
      news: { seq: 1, epoch: "e" },
    });
  }),
);

test(
  "client drops frames of channels that it does not follow",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);

    socket.say(news(1), frame(1, { channel: "__proto__" }), frame(1, { channel: "constructor" }));

    assert.deepEqual(heard.of("message"), []);
  }),
);

test(
  "client takes any channel's name for a name",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier, { channels: ["__proto__", "constructor"] });
    const got = [];
    client.subscribe("__proto__", ({ seq }) => got.push(seq));

    socket.say(frame(1, { channel: "__proto__" }), frame(1, { channel: "constructor" }));

    assert.deepEqual(Object.keys(socket.sent[0].at), ["*", "__proto__", "constructor"]);
    assert.deepEqual(got, [1]);
    assert.deepEqual(Object.keys(client.positions), ["*", "__proto__", "constructor"]);
  }),
);

test(
  "client gives out what is for its user, or for listed connections, once",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);

    for (const channel of ["@", "!"])
      socket.say(frame(9, { channel, id: channel }), frame(9, { channel, id: channel }));
    socket.say(frame(4, { channel: "!", id: "other" }));

    assert.deepEqual(
      heard.of("message").map(({ channel, seq, replayed }) => [channel, seq, replayed]),
      [
        ["@", 9, false],
        ["!", 9, false],
        ["!", 4, false],
      ],
    );
  }),
);

test(
  "client remembers the ids of 256 listed frames",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);

    for (let seq = 1; seq <= 257; seq += 1) socket.say(frame(seq, { channel: "!" }));
    socket.say(frame(2, { channel: "!" }), frame(1, { channel: "!" }));

    assert.deepEqual(heard.seqs().slice(255), [256, 257, 1]);
  }),
);

test(
  "client follows its user's stream when it is subscribed to, and never unsubscribes from it",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    const own = client.subscribe("@");
    answer(socket, 5);

    socket.say(frame(5, { channel: "@" }), frame(6, { channel: "@" }));
    own.unsubscribe();
    own.unsubscribe();

    assert.deepEqual(heard.seqs(), [6]);
    assert.deepEqual(socket.asked("unsubscribe"), []);
    client.subscribe("@");
    assert.deepEqual(socket.last().at, { "@": null });
  }),
);

test(
  "a keep-alive moves the position, and is no message",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);

    socket.say(frame(1, { message: { type: "keep-alive" } }));
    socket.say(frame(2, { message: { type: "keep-alive", more: 1 } }), frame(3, { message: null }));

    assert.deepEqual(heard.seqs(), [2, 3]);
    assert.equal(client.positions["*"].seq, 3);
  }),
);

test(
  "two subscriptions to a channel are one at the server, left with the last",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const got = [];
    const one = client.subscribe("news", ({ seq }) => got.push(`one ${seq}`), { last: 2 });
    answer(socket, 4);
    const other = client.subscribe("news", ({ seq }) => got.push(`other ${seq}`), { last: 9 });

    socket.say(news(5));
    one.unsubscribe();
    socket.say(news(6));
    const early = socket.asked("unsubscribe").length;
    other.unsubscribe();
    socket.say(news(7));

    assert.deepEqual(await other.ready, { seq: 4, epoch: "e" });
    assert.deepEqual(got, ["one 5", "other 5", "other 6"]);
    assert.equal(early, 0);
    assert.deepEqual(socket.last(), { action: "unsubscribe", ref: "3", channels: ["news"] });
    assert.equal(socket.asked("subscribe").length, 1);
    assert.deepEqual(socket.asked("subscribe")[0].at, { news: { last: 2 } });
  }),
);

test(
  "a subscription tells where it is",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const news_ = client.subscribe("news", null);
    const before = news_.position();

    answer(socket, 3);
    socket.say(news(4));

    assert.equal(before, null);
    assert.deepEqual(await news_.ready, { seq: 3, epoch: "e" });
    assert.deepEqual(news_.position(), { seq: 4, epoch: "e" });
  }),
);

for (const [since, asked] of [
  [
    { seq: 7, epoch: "e", more: 1 },
    { seq: 7, epoch: "e" },
  ],
  [7, null],
  [0, null],
  [null, null],
])
  test(
    `a subscription begins since ${JSON.stringify(since)}`,
    inWorld(async (world) => {
      const { client, socket } = joined(world, Crier);

      client.subscribe("news", null, { since });

      assert.deepEqual(socket.last().at, { news: asked });
    }),
  );

test(
  "a subscription since a number asks for what was sent after it",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    client.subscribe("news", null, { since: 7 });

    answer(socket, 9);
    await world.pass(0);
    const asked = socket.last();
    const frames = [news(8), news(9)];
    socket.say({
      type: "replay",
      ref: asked.ref,
      channel: "news",
      ...position(9, { from: 7, frames }),
    });

    assert.deepEqual([asked.action, asked.from], ["replay", 7]);
    assert.deepEqual(heard.seqs(), [8, 9]);
    assert.deepEqual(heard.of("recovered"), [{ channel: "news", count: 2 }]);
  }),
);

for (const since of [-1, 1.5, "7", { seq: 1 }, { epoch: "e" }, true])
  test(
    `a subscription since ${JSON.stringify(since)} is an error of the caller`,
    inWorld(async () => {
      const client = new Crier("wss://host");

      assert.throws(() => client.subscribe("news", null, { since }), TypeError);
      assert.throws(() => client.subscribe(7), TypeError);
    }),
  );

for (const last of [-1, 1.5, Number.NaN, "10", 10n, {}])
  test(
    `a subscription with the last ${last} is an error of the caller, and stops nothing`,
    inWorld(async (world) => {
      const { client, heard, socket } = joined(world, Crier);

      assert.throws(() => client.subscribe("news", null, { last }), TypeError);
      socket.say(frame(1));

      assert.deepEqual(heard.seqs(), [1]);
      assert.equal(socket.sent.length, 1);
    }),
  );

test(
  "everyone's channel can begin earlier, too",
  inWorld(async (world) => {
    const client = new Crier("wss://host");
    client.subscribe("*", null, { last: 3 });
    client.connect();
    world.socket.open();

    assert.deepEqual(world.socket.sent[0].at, { "*": { last: 3 } });
  }),
);

test(
  "everyone's channel is not left",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    const got = [];
    const all = client.subscribe("*", ({ seq }) => got.push(seq));
    all.unsubscribe();

    socket.say(frame(1));

    assert.deepEqual(got, []);
    assert.deepEqual(heard.seqs(), [1]);
    assert.equal(socket.sent.length, 1);
  }),
);

test(
  "sixty channels are a join and two requests, one after another",
  inWorld(async (world) => {
    const channels = Array.from({ length: 60 }, (_, index) => `c${index}`);
    const { socket } = joined(world, Crier, { channels });
    const first = socket.sent.length;
    answer(socket);
    answer(socket);

    const sizes = socket.sent.map(({ at }) => Object.keys(at).length);

    assert.equal(first, 2);
    assert.deepEqual(sizes, [25, 25, 11]);
    assert.deepEqual(Object.keys(socket.sent[0].at)[0], "*");
  }),
);

test(
  "one membership request is under way at a time",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const one = client.subscribe("one");
    client.subscribe("two");
    one.unsubscribe();
    const before = socket.sent.length;
    answer(socket);
    const { ref, channels } = socket.last();
    socket.say({ type: "unsubscribed", ref, channels });

    assert.equal(before, 2);
    assert.deepEqual(channels, ["one"]);
    assert.deepEqual(socket.last().at, { two: null });
  }),
);

test(
  "a channel that was left and wanted again needs an answer of its own",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    client.subscribe("news").unsubscribe();
    client.subscribe("news");

    answer(socket, 3);
    socket.say(news(4));
    const held = heard.seqs();
    answer(socket, 3);

    assert.deepEqual(held, []);
    assert.deepEqual(heard.seqs(), [4]);
    assert.equal(socket.asked("subscribe").length, 2);
    assert.deepEqual(socket.asked("unsubscribe"), []);
  }),
);

test(
  "a refused unsubscribe is told, and not asked again",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier, { channels: [] });
    const one = client.subscribe("news");
    answer(socket);
    one.unsubscribe();

    refuse(socket, "bad-frame");
    await world.pass(60_000);

    assert.equal(socket.asked("unsubscribe").length, 1);
    assert.deepEqual(heard.of("error"), [
      { code: "bad-frame", message: "found a channel", retry: false },
    ]);
  }),
);

test(
  "a channel that is refused alone is dropped, and its subscription told",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    const subscription = client.subscribe("news");

    refuse(socket);

    await assert.rejects(subscription.ready, { code: "not-allowed", message: /^news: / });
    assert.deepEqual(heard.of("error"), [
      { code: "not-allowed", message: "news: found a channel", retry: false },
    ]);
    subscription.unsubscribe();
    await world.pass(60_000);
    assert.equal(socket.sent.length, 2);
  }),
);

test(
  "channels that are refused together are asked for one at a time",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    client.subscribe("a").unsubscribe();
    const b = client.subscribe("b");
    client.subscribe("c");
    client.subscribe("d");
    answer(socket);
    const { ref, channels } = socket.last();
    socket.say({ type: "unsubscribed", ref, channels });

    refuse(socket, "too-many-channels");
    refuse(socket, "too-many-channels");
    answer(socket);
    client.subscribe("e");
    answer(socket);
    answer(socket);

    const asked = socket.asked("subscribe").map(({ at }) => Object.keys(at).join());
    assert.deepEqual(asked, ["a", "b,c,d", "b", "c", "d", "e"]);
    await assert.rejects(b.ready, { code: "too-many-channels" });
    assert.equal(heard.of("error").length, 1);
  }),
);

test(
  "a join that is refused is asked with everyone alone first",
  inWorld(async (world) => {
    const client = new Crier("wss://host", { channels: ["a", "b"] });
    const heard = listen(client);
    client.connect();
    const { socket } = world;
    socket.open();

    refuse(socket);
    answer(socket);
    answer(socket);
    refuse(socket);

    assert.deepEqual(
      socket.sent.map(({ action, at }) => `${action} ${Object.keys(at)}`),
      ["join *,a,b", "join *", "subscribe a", "subscribe b"],
    );
    assert.equal(client.state, "connected");
    assert.deepEqual(Object.keys(client.positions), ["*", "a"]);
    assert.deepEqual(
      heard.of("error").map(({ message }) => message),
      ["b: found a channel"],
    );
  }),
);

test(
  "a join with one more channel that is refused goes on without it",
  inWorld(async (world) => {
    const client = new Crier("wss://host", { channels: ["a"] });
    client.connect();
    world.socket.open();

    refuse(world.socket);

    assert.deepEqual(world.socket.last().at, { "*": null });
  }),
);

test(
  "a refused join with everyone alone is told, and tried later",
  inWorld(async (world) => {
    const client = new Crier("wss://host");
    const heard = listen(client);
    client.connect();
    world.socket.open();

    refuse(world.socket, "unknown-action");
    const { closedWith } = world.socket;
    await world.pass(2_000);

    assert.equal(closedWith, 1000);
    assert.deepEqual(heard.of("error")[0].code, "unknown-action");
    assert.equal(heard.of("error")[0].retry, false);
    assert.equal(heard.states()[1], "connecting waiting: refused");
    assert.equal(world.sockets.length, 2);
  }),
);

test(
  "a channel that was left while it was refused is not told",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    const subscription = client.subscribe("news");
    subscription.unsubscribe();

    refuse(socket);

    await assert.rejects(subscription.ready, /left news/);
    assert.deepEqual(heard.of("error"), []);
  }),
);

test(
  "a channel in code gives messages as they come, and is left with the loop",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const got = [];
    const loop = (async () => {
      for await (const { seq } of client.channel("news", { last: 1 })) {
        got.push(seq);
        if (seq === 3) break;
      }
    })();
    await settled();
    const asked = socket.last().at;
    answer(socket);

    socket.say(news(1), news(2));
    await settled();
    socket.say(news(3));
    await loop;

    assert.deepEqual(asked, { news: { last: 1 } });
    assert.deepEqual(got, [1, 2, 3]);
    assert.deepEqual(socket.last().channels, ["news"]);
  }),
);

test(
  "a channel in code ends when the client is closed, and gives nothing after that",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const got = [];
    const loop = (async () => {
      for await (const { seq } of client.channel("news")) got.push(seq);
    })();
    await settled();
    answer(socket);
    socket.say(news(1));
    client.close();

    await loop;

    assert.deepEqual(got, []);
  }),
);

test(
  "a channel in code gives what has come when the server ends the client",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const got = [];
    const loop = (async () => {
      for await (const { seq } of client.channel("news")) got.push(seq);
    })();
    await settled();
    answer(socket);
    socket.say(news(1), { type: "bye", code: "kicked", reconnect: false, afterMs: 0 });

    await loop;

    assert.deepEqual(got, [1]);
  }),
);

test(
  "a channel in code throws when it is refused",
  inWorld(async (world) => {
    const { client, socket } = joined(world, Crier);
    const loop = (async () => {
      for await (const one of client.channel("news")) assert.fail(one);
    })();
    await settled();

    refuse(socket);

    await assert.rejects(loop, { code: "not-allowed" });
  }),
);

test(
  "messages of a channel without order come as they come, once",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier, { ordered: false });

    socket.say(frame(2), frame(1), frame(2));

    assert.deepEqual(heard.seqs(), [2, 1]);
  }),
);

test(
  "frames that come before the join is answered wait for it, and are asked for after it",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);
    socket.drop();
    await world.pass(1_000);
    world.socket.open();

    world.socket.say(frame(3));
    await world.pass(5_000);
    const early = world.socket.asked("replay").length;
    answer(world.socket, 1);
    await world.pass(0);

    assert.equal(early, 0);
    assert.deepEqual(heard.seqs(), []);
    assert.equal(world.socket.last("replay").from, 1);
  }),
);

test(
  "frames that come before the first answer wait for it",
  inWorld(async (world) => {
    const client = new Crier("wss://host");
    const heard = listen(client);
    client.connect();
    world.socket.open();
    world.socket.say(frame(7), frame(5), frame(6));
    const early = heard.seqs();

    answer(world.socket, 5);

    assert.deepEqual([early, heard.seqs()], [[], [6, 7]]);
  }),
);
