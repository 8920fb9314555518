/** The rules of order: the cases that the client in Python passes, too, and the bounds. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { followChannel } from "../../web/crier.js";

const CASES = JSON.parse(
  readFileSync(new URL("../cases/followed_channel.json", import.meta.url), "utf8"),
);
const MOST_HELD_FRAMES = 256;
const MOST_HELD_CHARACTERS = 1024 * 1024;

function written(event) {
  if (event.type === "message") return { message: event.frame.seq, replayed: event.isReplayed };
  if (event.type === "gap") return { gap: [event.start, event.end, event.reason] };
  return { recovered: event.frames };
}

function take(channel, step) {
  const nowMs = step.now ?? 0;
  if (step.frame) return channel.frame(step.frame, nowMs);
  if (step.answer) return channel.answer(step.answer, nowMs);
  if (step.ask) {
    const { start, epoch } = channel.ask();
    assert.deepEqual([start, epoch], step.ask);
  } else if (step.comeBack !== undefined) {
    channel.comeBack();
    assert.deepEqual(channel.since, step.comeBack);
  } else if (step.unanswered) channel.unanswered(nowMs);
  else if (step.pong !== undefined) channel.pong(step.pong, nowMs);
  else assert.fail(`unknown step ${JSON.stringify(step)}`);
  return [];
}

for (const { name, ordered: isOrdered, first, steps } of CASES)
  test(`case: ${name}`, () => {
    const channel = followChannel(() => 0.5, { isOrdered, first });

    for (const step of steps) {
      const events = take(channel, step);

      assert.deepEqual(events.map(written), step.events ?? [], JSON.stringify(step));
      assert.equal(channel.asksAt, step.asksAt ?? null, JSON.stringify(step));
    }
  });

const frame = (seq, message = "") => ({ id: `b${seq}`, seq, sentAt: seq, message });

function answer(from, to) {
  const frames = Array.from({ length: to - from }, (_, index) => frame(from + index + 1));
  return { epoch: "e", seq: to, from, to, frames };
}

for (const isOrdered of [true, false])
  test(`channel holds a bounded number of frames, ordered: ${isOrdered}`, () => {
    const channel = followChannel(() => 0.5, { isOrdered });
    channel.answer(answer(0, 0), 0);
    const end = MOST_HELD_FRAMES + 3;
    const events = [];
    for (let seq = 2; seq <= end; seq += 1) events.push(...channel.frame(frame(seq), seq));
    const { asksAt } = channel;
    channel.ask();

    events.push(...channel.answer(answer(0, end), 400));

    assert.equal(asksAt, MOST_HELD_FRAMES + 2); // when the first one found no room
    const given = events.filter(({ type }) => type === "message").map((one) => one.frame.seq);
    const all = Array.from({ length: end }, (_, index) => index + 1);
    assert.deepEqual(
      [...given].sort((a, b) => a - b),
      all,
    );
    assert.equal(given.join() === all.join(), isOrdered);
  });

test("channel holds as many frames as its bound says, and no more", () => {
  const channel = followChannel(() => 0.5);
  channel.answer(answer(0, 0), 0);

  for (let seq = 2; seq < 2 + MOST_HELD_FRAMES; seq += 1) channel.frame(frame(seq), 0);
  const before = channel.asksAt;
  channel.frame(frame(2 + MOST_HELD_FRAMES), 7);

  assert.equal(before, 3_000);
  assert.equal(channel.asksAt, 7);
});

test("channel holds a bounded number of characters, and the frame that closes the gap", () => {
  const channel = followChannel(() => 0.5);
  channel.answer(answer(0, 0), 0);
  const large = "x".repeat(MOST_HELD_CHARACTERS / 3);
  for (const seq of [2, 3, 4]) channel.frame(frame(seq, large), seq);

  const events = channel.frame(frame(1, large), 5);

  assert.deepEqual(
    events.map((event) => event.frame.seq),
    [1, 2, 3],
  );
  assert.equal(channel.asksAt, 4);
});

test("channel has room again when held frames were given out", () => {
  const channel = followChannel(() => 0.5);
  channel.answer(answer(0, 0), 0);
  const large = "x".repeat(MOST_HELD_CHARACTERS / 2);
  channel.frame(frame(2, large), 0);
  channel.frame(frame(1, large), 0);

  channel.frame(frame(4, large), 10);

  assert.equal(channel.asksAt, 3_010); // it is held, and the gap may close
});

test("channel without room asks no sooner again, however many frames come", () => {
  const channel = followChannel(() => 0.5);
  channel.answer(answer(0, 0), 0);
  for (let seq = 2; seq <= 2 + MOST_HELD_FRAMES; seq += 1) channel.frame(frame(seq), 0);
  channel.ask();
  channel.answer(answer(0, 0), 10); // what is missing is still under way
  channel.unanswered(10);

  channel.frame(frame(3 + MOST_HELD_FRAMES), 20);

  assert.equal(channel.asksAt, 3_010);
});

test("channel waits for a gap as long as it was told to", () => {
  const channel = followChannel(() => 0.5, { gapWaitMs: 100 });
  channel.answer(answer(0, 0), 0);

  channel.frame(frame(2), 0);

  assert.equal(channel.asksAt, 1_100);
});

test("channel asks for nothing before its first answer", () => {
  const channel = followChannel(() => 0.5, { first: { last: 3 } });

  channel.frame(frame(7), 0);

  assert.equal(channel.asksAt, null);
  assert.deepEqual(channel.since, { last: 3 });
});

test("channel takes huge numbers", () => {
  const channel = followChannel(() => 0.5);
  channel.answer(answer(0, 0), 0);

  const events = channel.frame(frame(Number.MAX_SAFE_INTEGER), 0);

  assert.deepEqual(events, []);
  assert.equal(channel.asksAt, 3_000);
});

test("channel holds as many characters as its bound says, and not one more", () => {
  for (const [more, asksAt] of [
    [0, 3_000],
    [1, 9],
  ]) {
    const channel = followChannel(() => 0.5);
    channel.answer(answer(0, 0), 0);
    const half = MOST_HELD_CHARACTERS / 2 - JSON.stringify(frame(2)).length;
    channel.frame(frame(2, "x".repeat(half)), 0);

    channel.frame(frame(3, "x".repeat(half + more)), 9);

    assert.equal(channel.asksAt, asksAt);
  }
});
