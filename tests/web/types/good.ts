// A program that uses all of the client; it must compile.

import {
  Crier,
  type FollowedChannel,
  followChannel,
  type Gap,
  type Message,
  type Options,
  type Position,
  type State,
  type Subscription,
  UnauthorizedError,
} from "crier-client";

interface Score {
  score: string;
}

const everything: Options = {
  getToken: async ({ reason }) => (reason === "renewal" ? "token" : null),
  tokenIn: "protocol",
  channels: ["news", "@"],
  ordered: false,
  gapWaitMs: 2_000,
  minDelayMs: 500,
  maxDelayMs: 60_000,
  pingAfterMs: 480_000,
  storage: localStorage,
  WebSocket,
};

export async function follow(show: (score: string) => void): Promise<void> {
  const crier = new Crier<Score>("wss://host/prod", everything);
  const state: State = crier.state;
  const positions: Record<string, Position> = crier.positions;
  const connectionId: string | null = crier.connectionId;
  show(`${state} ${connectionId} ${positions.news?.seq}`);

  const off: () => void = crier.on("message", ({ message }) => show(message.score));
  crier.on("state", ({ from, to, reason, retryInMs = 0 }) => show(from + to + reason + retryInMs));
  crier.on("gap", ({ channel, from, to, reason }: Gap) => show(channel + (to - from) + reason));
  crier.on("recovered", ({ channel, count }) => show(channel + count));
  crier.on("error", ({ code, message, retry }) => show(code + message + retry));
  crier.addEventListener("message", (event) => show((event as CustomEvent).detail.channel));
  crier.connect();

  const subscription: Subscription = crier.subscribe(
    "news",
    ({ message, seq, id, sentAt, replayed }: Message<Score>) =>
      show(message.score + seq + id + sentAt + replayed),
    { last: 10 },
  );
  const { seq, epoch } = await subscription.ready;
  crier.subscribe("chat", null, { since: { seq, epoch } });
  crier.subscribe("more", undefined, { since: subscription.position() });
  crier.subscribe("@", ({ channel }) => show(channel), { since: 5 });
  subscription.unsubscribe();

  for await (const { message } of crier.channel("news", { since: 1 })) show(message.score);
  off();
  crier.close();
}

export const signed = new Crier(async ({ reason }) => `wss://host/?signed=${reason}`);
export const plain = new Crier(new URL("wss://host"), { getToken: () => "token" });
plain.on("message", ({ message }) => {
  const found: unknown = message;
  throw new UnauthorizedError(`found ${found}`);
});

const channel: FollowedChannel = followChannel(Math.random, {
  isOrdered: true,
  first: { last: 3 },
});
for (const event of channel.answer({ epoch: "e", from: 0, to: 0, frames: [] }, 0))
  if (event.type === "gap") channel.comeBack();
export const asksAt: number | null = channel.asksAt;
