/** Connections begin, fail, end, and begin again; tokens and URLs. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crier, UnauthorizedError } from "../../web/crier.js";
import { answer, frame, inPage, inWorld, joined, listen, settled } from "./support/world.mjs";

function begun(world, options = {}, url = "wss://host/prod") {
  const client = new Crier(url, { pingAfterMs: 0, minDelayMs: 250, ...options });
  const heard = listen(client);
  client.connect();
  return { client, heard, socket: world.socket };
}

/** Lets a number of tries fail; returns how long each pause was at most. */
async function failures(world, heard, tries) {
  for (let i = 0; i < tries; i += 1) {
    world.socket.drop();
    await world.pass(heard.of("state").findLast(({ to }) => to === "waiting").retryInMs);
  }
  return heard.of("state").flatMap(({ retryInMs }) => (retryInMs === undefined ? [] : retryInMs));
}

test(
  "pauses double up to a minute",
  inWorld(async (world) => {
    world.chance = 1;
    const { heard } = begun(world, { minDelayMs: undefined });

    const pauses = await failures(world, heard, 6);

    const expected = [4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
    assert.deepEqual(pauses, expected);
  }),
);

test(
  "pauses are random from nothing on, and follow the options",
  inWorld(async (world) => {
    world.chance = 0.25;
    const { heard } = begun(world, { minDelayMs: 1_000, maxDelayMs: 10_000 });

    assert.deepEqual(await failures(world, heard, 3), [2_000, 2_500, 2_500]);
  }),
);

for (const nonsense of [Number.NaN, -1, "soon", null])
  test(
    `an option that is ${nonsense} counts as not given`,
    inWorld(async (world) => {
      world.chance = 1;
      const { heard } = begun(world, { minDelayMs: nonsense, maxDelayMs: nonsense });

      assert.deepEqual(await failures(world, heard, 1), [4_000]);
    }),
  );

test(
  "pauses that may last no time at all are no busy loop",
  inWorld(async (world) => {
    let calls = 0;
    const getToken = () => {
      calls += 1;
      if (calls > 1_000) return new Promise(() => {});
      throw new Error("away");
    };
    const { client } = begun(world, { minDelayMs: 0, maxDelayMs: 0, getToken });

    await world.pass(1_000);

    assert.ok(calls > 10 && calls < 100, `${calls}`);
    client.close();
  }),
);

test(
  "pauses begin anew after ten seconds of a connection, and not before",
  inWorld(async (world) => {
    world.chance = 1;
    const { heard } = begun(world, { minDelayMs: undefined });
    await failures(world, heard, 4);
    for (const upMs of [9_999, 10_000]) {
      world.socket.open();
      answer(world.socket);
      await world.pass(upMs);
      world.socket.drop();
      await world.pass(heard.of("state").at(-1).retryInMs);
    }

    const pauses = heard.of("state").flatMap(({ retryInMs }) => retryInMs ?? []);
    assert.deepEqual(pauses.slice(4), [60_000, 2_000]);
  }),
);

test(
  "a refusal is told from the third on",
  inWorld(async (world) => {
    const { heard } = begun(world);

    await failures(world, heard, 2);
    const early = heard.of("error").length;
    world.socket.open(); // it closes before it is joined
    await failures(world, heard, 2);
    world.socket.open();
    answer(world.socket);
    await world.pass(10_000);
    await failures(world, heard, 3);

    assert.equal(early, 0);
    assert.deepEqual(
      heard.of("error").map(({ code, retry }) => [code, retry]),
      [
        ["refused", true],
        ["refused", true],
      ],
    );
  }),
);

test(
  "a token is asked for with a reason",
  inWorld(async (world) => {
    const reasons = [];
    const getToken = ({ reason }) => `t${reasons.push(reason)}`;
    const { client } = begun(world, { getToken });
    const next = async (end) => {
      await settled();
      end(world.socket);
      await world.pass(8_000);
    };

    await next((socket) => socket.drop());
    await next((socket) => {
      socket.open();
      socket.drop();
    });
    await next((socket) => {
      socket.open();
      answer(socket);
      socket.drop();
    });
    client.close();
    client.connect();
    await settled();

    assert.deepEqual(reasons, ["first", "refused", "reconnect", "reconnect", "first"]);
    assert.deepEqual(
      world.sockets.map(({ url }) => url.split("=")[1]),
      ["t1", "t2", "t3", "t4", "t5"],
    );
  }),
);

for (const [url, expected] of [
  ["wss://host", "wss://host?token=a%20b"],
  ["wss://host/?x=%7e&y", "wss://host/?x=%7e&y&token=a%20b"],
  ["ws://host/a#part", "ws://host/a?token=a%20b"],
  [new URL("wss://host/b"), "wss://host/b?token=a%20b"],
])
  test(
    `a token is added to ${url}`,
    inWorld(async (world) => {
      begun(world, { getToken: () => "a b" }, url);
      await settled();

      assert.equal(world.socket.url, expected);
      assert.equal(world.socket.protocols, undefined);
    }),
  );

test(
  "a token is offered as a sub-protocol",
  inWorld(async (world) => {
    begun(world, { getToken: async () => "abc", tokenIn: "protocol" });
    await settled();

    assert.equal(world.socket.url, "wss://host/prod");
    assert.deepEqual(world.socket.protocols, ["crier.v1", "bearer.abc"]);
  }),
);

class Another extends Error {
  name = "UnauthorizedError";
}

for (const [what, getToken] of [
  ["null", () => null],
  ["a promise of null", async () => null],
  [
    "an UnauthorizedError",
    () => {
      throw new UnauthorizedError("signed out");
    },
  ],
  ["an error of that name", () => Promise.reject(new Another("signed out"))],
])
  test(
    `a token that is ${what} ends the client`,
    inWorld(async (world) => {
      const { client, heard } = begun(world, { getToken });
      await world.pass(600_000);

      assert.deepEqual(heard.states().slice(1), ["connecting closed: unauthorized"]);
      assert.equal(heard.of("error").length, 1);
      assert.equal(heard.of("error")[0].code, "unauthorized");
      assert.equal(heard.of("error")[0].retry, false);
      assert.equal(world.sockets.length, 0);
      assert.equal(client.state, "closed");
      assert.equal(world.timers, 0);
    }),
  );

for (const [what, getToken, words] of [
  ["throws", () => JSON.parse("{"), /JSON/],
  ["throws a word", () => Promise.reject("offline"), /^offline$/],
  ["throws nothing", () => Promise.reject(), /^found undefined$/],
  ["throws an object", () => Promise.reject({ message: {} }), /^found object$/],
  ["returns nothing", () => undefined, /found undefined, expected a text/],
  ["returns an empty token", () => "", /expected a text/],
  ["returns an object", async () => ({}), /found \[object Object\]/],
])
  test(
    `a token function that ${what} is asked again`,
    inWorld(async (world) => {
      const { client, heard } = begun(world, { getToken });
      await settled();

      assert.deepEqual(heard.states().slice(1), ["connecting waiting: token"]);
      assert.equal(heard.of("error").length, 1);
      assert.equal(heard.of("error")[0].code, "token");
      assert.equal(heard.of("error")[0].retry, true);
      assert.match(heard.of("error")[0].message, words);
      await world.pass(1_000);
      assert.equal(heard.of("error").length, 2);
      client.close();
    }),
  );

test(
  "a token function that hangs is asked again, and its late answer ignored",
  inWorld(async (world) => {
    const answers = [];
    const getToken = () => new Promise((...about) => answers.push(about));
    const { heard } = begun(world, { getToken });

    await world.pass(29_999);
    const early = heard.of("error").length;
    await world.pass(1);
    answers[0][0]("late");
    await world.pass(1_000);
    answers[1][0]("next");
    await settled();
    answers[1][1](new Error("later still"));
    world.socket.drop();
    await world.pass(2_000);
    world.socket?.drop();
    await world.pass(30_000);
    answers[2][1](new Error("late"));
    await settled();

    assert.equal(early, 0);
    assert.deepEqual(
      world.sockets.map(({ url }) => url),
      ["wss://host/prod?token=next"],
    );
    assert.deepEqual(
      heard.of("error").map(({ code }) => code),
      ["token", "token"],
    );
  }),
);

test(
  "a handshake that hangs is dropped",
  inWorld(async (world) => {
    const { heard, socket } = begun(world);

    await world.pass(30_000);

    assert.equal(socket.closedWith, 1000);
    assert.deepEqual(heard.states().slice(1), ["connecting waiting: timeout"]);
  }),
);

test(
  "a join that is not answered is asked again, then dropped",
  inWorld(async (world) => {
    const { heard, socket } = begun(world);
    socket.open();

    await world.pass(30_000);

    assert.ok(socket.asked("join").length >= 3);
    assert.deepEqual(heard.states().slice(1), ["connecting waiting: timeout"]);
  }),
);

for (const url of ["nonsense", "https://host", "", undefined, 42])
  test(
    `a URL that is ${url} ends the client`,
    inWorld(async (world) => {
      const client = new Crier(url);
      const heard = listen(client);
      client.connect();

      assert.deepEqual(
        heard.slice(-2).map(([type, { to, code }]) => [type, to ?? code]),
        [
          ["error", "bad-url"], // first: by the state the application knows that it is over
          ["state", "closed"],
        ],
      );
      assert.equal(heard.of("error")[0].retry, false);
      assert.equal(heard.of("error")[0].message, "found bad-url, expected wss:");
      assert.equal(world.timers, 0);
    }),
  );

test(
  "a WebSocket that cannot be made ends the client, unless the token is to blame",
  inWorld(async (world) => {
    const about = class {
      constructor() {
        throw new SyntaxError("found a wrong character");
      }
    };
    const plain = begun(world, { WebSocket: about }).heard;
    const query = begun(world, { WebSocket: about, getToken: () => "t" });
    const protocol = begun(world, {
      WebSocket: about,
      getToken: () => "a b",
      tokenIn: "protocol",
    });
    const surrogate = begun(world, { getToken: () => "\ud800" });
    await settled();

    const codes = [plain, query.heard, protocol.heard, surrogate.heard].map((heard) => {
      const [{ code, retry }] = heard.of("error");
      return [code, retry, heard.of("state").at(-1).to];
    });
    assert.deepEqual(codes, [
      ["bad-url", false, "closed"],
      ["bad-url", false, "closed"],
      ["token", true, "waiting"],
      ["token", true, "waiting"],
    ]);
    for (const { client } of [query, protocol, surrogate]) client.close();
  }),
);

for (const [url, tokenIn] of [
  ["https://host", "query"],
  ["wss://host", "query"],
  ["wss://host", "protocol"],
])
  test(
    `no error quotes a token that goes into the ${tokenIn} of ${url}`,
    inWorld(async (world) => {
      const quoting = class {
        constructor(address, protocols) {
          throw new SyntaxError(`${address} or ${protocols} is invalid`);
        }
      };
      const client = new Crier(url, { WebSocket: quoting, getToken: () => "s3cr et", tokenIn });
      const heard = listen(client);
      client.connect();
      await settled();
      client.close();

      assert.equal(heard.of("error").length, 1);
      assert.doesNotMatch(JSON.stringify([heard.of("error"), heard.of("state")]), /s3cr/);
      assert.equal(world.timers, 0);
    }),
  );

test(
  "a URL may be signed for each connect",
  inWorld(async (world) => {
    const reasons = [];
    const { heard } = begun(
      world,
      {},
      async ({ reason }) => `wss://host?n=${reasons.push(reason)}`,
    );
    await settled();
    world.socket.drop();
    await world.pass(1_000);

    assert.deepEqual(reasons, ["first", "refused"]);
    assert.equal(world.socket.url, "wss://host?n=2");
    assert.deepEqual(heard.of("error"), []);
  }),
);

test(
  "a URL function that fails is asked again",
  inWorld(async (world) => {
    const { client, heard } = begun(world, {}, () => Promise.reject(new Error("no credentials")));
    await settled();

    assert.equal(heard.of("error")[0].code, "token");
    assert.equal(heard.of("error")[0].message, "no credentials");
    assert.equal(client.state, "waiting");
  }),
);

test(
  "a cut is followed by a join with positions, and what was missed",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier, { channels: ["news"] });
    socket.say(frame(1), frame(2));
    socket.drop();
    const { connectionId } = client;
    await world.pass(1_000);
    world.socket.open();
    const { at, was } = world.socket.sent[0];
    answer(world.socket, 2);

    assert.equal(connectionId, null);
    assert.deepEqual(at, { "*": { seq: 2, epoch: "e" }, news: { seq: 0, epoch: "e" } });
    assert.deepEqual(was, ["c1"]);
    assert.deepEqual(heard.states().slice(2), [
      "connected waiting: cut",
      "waiting connecting: retry",
      "connecting connected: joined",
    ]);
    assert.equal(heard.of("state")[2].retryInMs, 1_000);
    assert.deepEqual(heard.of("recovered"), [
      { channel: "*", count: 0 },
      { channel: "news", count: 0 },
    ]);
  }),
);

test(
  "a join names the last three connections",
  inWorld(async (world) => {
    world.chance = 0;
    joined(world, Crier);
    for (const id of ["x2", "x3", 4, "x5", "x6"]) {
      world.socket.drop();
      await world.pass(2_000);
      world.socket.open();
      answer(world.socket, 0, { connectionId: id });
    }
    world.socket.drop();
    await world.pass(2_000);
    world.socket.open();

    assert.deepEqual(world.socket.sent[0].was, ["x3", "x5", "x6"]);
  }),
);

test(
  "late events of an old socket are ignored",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    socket.drop();
    socket.drop();
    socket.say(frame(1));
    await world.pass(1_000);
    world.sockets[0].onerror({});
    world.sockets[0].open();

    assert.equal(client.state, "connecting");
    assert.deepEqual(heard.seqs(), []);
    assert.equal(world.sockets.length, 2);
  }),
);

test(
  "an error of a socket ends it, also when it does not say that it is closed",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);

    socket.onerror({});

    assert.equal(heard.states().at(-1), "connected waiting: cut");
  }),
);

test(
  "connect tries at once, and does nothing when there is a connection",
  inWorld(async (world) => {
    const { client, heard, socket } = begun(world);
    client.connect();
    socket.drop();
    client.connect();
    client.connect();
    world.socket.open();
    answer(world.socket);
    client.connect();
    await world.pass(60_000);

    assert.equal(world.sockets.length, 2);
    assert.equal(heard.states()[2], "waiting connecting: connect");
  }),
);

test(
  "a bye that lets the client come back spreads the clients",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);

    socket.say({ type: "bye", code: "moved", reconnect: true, afterMs: 60_000 });

    assert.equal(socket.closedWith, 1000);
    assert.equal(heard.states().at(-1), "connected waiting: moved");
    assert.equal(heard.of("state").at(-1).retryInMs, 30_000);
    await world.pass(30_000);
    assert.equal(world.sockets.length, 2);
  }),
);

for (const afterMs of [0, -1, "soon", undefined, null, Number.NaN])
  test(
    `a bye with afterMs ${afterMs} is followed by a pause as any cut`,
    inWorld(async (world) => {
      const { heard, socket } = joined(world, Crier);

      socket.say({ type: "bye", code: 7, afterMs });

      assert.equal(heard.states().at(-1), "connected waiting: 7");
      assert.equal(heard.of("state").at(-1).retryInMs, 1_000);
    }),
  );

test(
  "byes on one connection after another are followed by longer pauses",
  inWorld(async (world) => {
    const { heard } = joined(world, Crier);

    for (let i = 0; i < 5; i += 1) {
      world.socket.say({ type: "bye", code: "moved", reconnect: true, afterMs: 1 });
      await world.pass(heard.of("state").at(-1).retryInMs);
      world.socket.open();
      answer(world.socket);
    }

    const waits = heard.of("state").filter(({ to }) => to === "waiting");
    assert.deepEqual(
      waits.map(({ retryInMs }) => retryInMs),
      [0.5, 2_000, 4_000, 8_000, 16_000],
    );
  }),
);

test(
  "a bye may ask for a very long pause",
  inWorld(async (world) => {
    const { heard, socket } = joined(world, Crier);

    socket.say({ type: "bye", code: "moved", reconnect: true, afterMs: 1e300 });
    await world.pass(1_000_000);

    assert.equal(heard.of("state").at(-1).to, "waiting");
  }),
);

test(
  "a bye that says stay away ends the client",
  inWorld(async (world) => {
    const { client, heard, socket } = joined(world, Crier);

    socket.say({ type: "bye", code: "kicked", reconnect: false, afterMs: 0 }, frame(1));
    await world.pass(100_000);

    assert.equal(heard.states().at(-1), "connected closed: kicked");
    assert.equal(client.state, "closed");
    assert.equal(client.connectionId, null);
    assert.equal(socket.closedWith, 1000);
    assert.equal(world.timers, 0);
    assert.deepEqual(heard.seqs(), []);
  }),
);

test(
  "close ends all, and connect goes on from the same positions",
  inPage(async (world) => {
    const { client, heard, socket } = joined(world, Crier, { getToken: undefined });
    socket.say(frame(1));
    client.close();
    client.close();
    socket.say(frame(2));
    const { timers, listening } = world;
    client.connect();
    world.socket.open();

    assert.equal(socket.closedWith, 1000);
    assert.deepEqual([timers, listening], [0, 0]);
    assert.deepEqual(heard.states().slice(2), [
      "connected closed: close",
      "closed connecting: connect",
    ]);
    assert.deepEqual(heard.seqs(), [1]);
    assert.deepEqual(world.socket.sent[0].at, { "*": { seq: 1, epoch: "e" } });
  }),
);

test(
  "close before anything else, while waiting, and while a token is on its way",
  inWorld(async (world) => {
    const idle = new Crier("wss://host");
    const heard = listen(idle);
    idle.close();
    const waiting = begun(world);
    world.socket.drop();
    waiting.client.close();
    const token = begun(world, { getToken: async () => "t" });
    token.client.close();
    await world.pass(100_000);

    assert.deepEqual(heard.states(), ["idle closed: close"]);
    assert.equal(waiting.heard.states().at(-1), "waiting closed: close");
    assert.equal(world.sockets.length, 1);
    assert.equal(world.timers, 0);
  }),
);

test(
  "a client that is closed lets those know that wait for a channel",
  inWorld(async (world) => {
    const { client } = begun(world);
    const subscription = client.subscribe("news");

    client.close();

    await assert.rejects(subscription.ready, /closed: close/);
    client.connect();
    world.socket.open();
    answer(world.socket);
    assert.deepEqual(subscription.position(), { seq: 0, epoch: "e" });
    assert.deepEqual(await client.subscribe("news").ready, { seq: 0, epoch: "e" });
  }),
);

test(
  "a page that is online again, or shown again, connects at once",
  inPage(async (world) => {
    const { heard } = begun(world);
    world.socket.drop();
    await world.tell("pageshow", { persisted: false });
    const early = world.sockets.length;
    await world.tell("online");
    world.socket.drop();
    await world.tell("pageshow", { persisted: true });
    await world.tell("pageshow", { persisted: true });

    assert.equal(early, 1);
    assert.equal(world.sockets.length, 3);
    assert.deepEqual(
      heard.states().filter((one) => one.startsWith("waiting")),
      ["waiting connecting: online", "waiting connecting: pageshow"],
    );
  }),
);

test(
  "a page that is hidden for the back button closes quietly, and comes back",
  inPage(async (world) => {
    const { client, heard, socket } = joined(world, Crier);
    socket.say(frame(1));
    await world.tell("pagehide");
    const { timers } = world;
    const detail = heard.of("state").at(-1);
    await world.tell("pagehide");
    await world.tell("pageshow", { persisted: true });
    world.socket.open();

    assert.equal(socket.closedWith, 1000);
    assert.equal(timers, 0);
    assert.deepEqual(detail, {
      from: "connected",
      to: "waiting",
      reason: "pagehide",
      retryInMs: undefined,
    });
    assert.deepEqual(world.socket.sent[0].at, { "*": { seq: 1, epoch: "e" } });
    assert.equal(heard.states().at(-1), "waiting connecting: pageshow");
    client.close();
  }),
);

test(
  "options that are undefined count as not given",
  inWorld(async (world) => {
    const { client, socket } = begun(world, {
      channels: undefined,
      tokenIn: undefined,
      ordered: undefined,
      WebSocket: undefined,
      storage: undefined,
      getToken: () => "t",
    });
    await settled();

    assert.equal(socket, undefined);
    assert.equal(world.socket.url, "wss://host/prod?token=t");
    assert.equal(world.socket.protocols, undefined);
    client.close();
  }),
);

test(
  "pauses stay pauses however often a client fails",
  inWorld(async (world) => {
    world.chance = 0;
    const { heard } = begun(world, { minDelayMs: 0 });
    await failures(world, heard, 1_100);
    world.chance = 1;

    world.socket.drop();

    assert.equal(heard.of("state").at(-1).retryInMs, 60_000);
  }),
);

test(
  "chance is looked up when it is needed",
  inWorld(async (world) => {
    const { socket } = joined(world, Crier);
    world.chance = 1;
    globalThis.Math = Object.create(Math, { random: { value: () => 0 } });

    socket.say(frame(2));

    assert.ok(world.pending.includes(2_000));
  }),
);
