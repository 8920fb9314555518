/** Types of the client of Crier. Times are in milliseconds. */

export type State = "idle" | "connecting" | "connected" | "waiting" | "closed";

/** Where a client is in a channel: it was given all up to `seq` that was meant for it. */
export interface Position {
  seq: number;
  epoch: string;
}

export interface Message<T = unknown> {
  /** What was sent. Show it as text (`textContent`), never as HTML. */
  message: T;
  /** A channel's name, `*` for everyone's, `@` for your user's, `!` for a list of connections. */
  channel: string;
  seq: number;
  id: string;
  sentAt: number;
  /** True if it comes late: it was asked for, because it was missed or lies before. */
  replayed: boolean;
}

export interface StateChange {
  from: State;
  to: State;
  /** Such as connect, joined, cut, refused, token, silent, timeout, retry, or the code of a bye. */
  reason: string;
  /** With `waiting`: when the next try begins. */
  retryInMs?: number;
}

/** Messages after `from`, up to `to`, are lost: load your state anew. */
export interface Gap {
  channel: string;
  from: number;
  to: number;
  reason: "expired" | "too-many" | "epoch";
}

/** The client came back, and has all that it had missed in the channel. */
export interface Recovered {
  channel: string;
  count: number;
}

export interface Trouble {
  /** From `not-allowed` on, and any other text: what the server answered. */
  code:
    | "unauthorized"
    | "token"
    | "refused"
    | "bad-url"
    | "bad-text"
    | "storage"
    | "not-allowed"
    | "bad-channel"
    | "too-many-channels"
    | (string & {});
  message: string;
  /** True if the client tries again by itself. */
  retry: boolean;
}

export type TokenReason = "first" | "reconnect" | "refused" | "renewal";

export interface About {
  reason: TokenReason;
}

/** Where a subscription begins; from now on without any of these. */
export interface Beginning {
  /** After this position, or this number. */
  since?: Position | number | null;
  /** With the last ones that are kept, up to this number. */
  last?: number;
}

export interface Options {
  /**
   * Fetches a new token for each connect. Null, or an UnauthorizedError, ends the client; any other
   * error is tried again.
   */
  getToken?(about: About): string | null | Promise<string | null>;
  /** How the token is sent; in the query by default. */
  tokenIn?: "query" | "protocol";
  /** Followed from the beginning, beside `*`, which always is. */
  channels?: string[];
  /** False gives each message at once, and once; true by default. */
  ordered?: boolean;
  /** How long a gap may close by itself; 2,000 by default. */
  gapWaitMs?: number;
  /** 500 by default; doubles with each failure. */
  minDelayMs?: number;
  /** 60,000 by default. */
  maxDelayMs?: number;
  /** 480,000 by default; 0 is never. */
  pingAfterMs?: number;
  /** Where positions outlive the page: `localStorage`, or `sessionStorage`. */
  storage?: {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
  };
  /** The global one by default. */
  WebSocket?: new (
    url: string,
    protocols?: string[],
  ) => WebSocketLike;
}

/** What the client uses of a WebSocket. */
export interface WebSocketLike {
  // biome-ignore lint/suspicious/noExplicitAny: implementations differ in their events
  onopen: ((event: any) => any) | null;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  onmessage: ((event: any) => any) | null;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  onclose: ((event: any) => any) | null;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  onerror: ((event: any) => any) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** Ends the client when `getToken` throws it; any error of this name does. */
export class UnauthorizedError extends Error {
  readonly name: "UnauthorizedError";
}

export interface Subscription {
  /** Where it began. Rejects if the channel is refused or left before, or the client closed. */
  readonly ready: Promise<Position>;
  unsubscribe(): void;
  /** Null before the first answer. */
  position(): Position | null;
}

export interface Events<T = unknown> {
  message: Message<T>;
  state: StateChange;
  recovered: Recovered;
  gap: Gap;
  error: Trouble;
}

/** A client of one stack. Its events are CustomEvents; `on` gives a handler their detail. */
export class Crier<T = unknown> extends EventTarget {
  /** A function as `url` is called for each connect: for URLs that are signed. */
  constructor(url: string | URL | ((about: About) => string | Promise<string>), options?: Options);
  readonly state: State;
  /** Give it to your backend, which can exclude you from what you have sent. Null until joined. */
  readonly connectionId: string | null;
  /** By channel; those with an answer only. */
  readonly positions: Record<string, Position>;
  connect(): void;
  /** Ends all of it; `connect` goes on from the same positions. */
  close(): void;
  subscribe(
    channel: string,
    handler?: ((message: Message<T>) => void) | null,
    beginning?: Beginning,
  ): Subscription;
  /**
   * Subscribes when iteration begins, and leaves when it ends. It ends when the client is closed,
   * and throws when the channel is refused. Messages wait, without a bound, until the loop takes
   * them.
   */
  channel(name: string, beginning?: Beginning): AsyncIterable<Message<T>>;
  /** Returns a function that takes the handler off. */
  on<K extends keyof Events<T>>(type: K, handler: (detail: Events<T>[K]) => void): () => void;
}

/** A frame as the server sends it. */
export interface Frame {
  id: string;
  seq: number;
  channel?: string;
  message?: unknown;
  sentAt: number;
}

/** The position of a channel in an answer of the server. */
export interface Answer {
  epoch: string;
  seq?: number;
  from: number;
  to: number;
  frames: Frame[];
  more?: boolean;
  lost?: { from: number; to: number; reason: string };
}

export type ChannelEvent =
  | { type: "message"; frame: Frame; isReplayed: boolean }
  | { type: "gap"; start: number; end: number; reason: string }
  | { type: "recovered"; frames: number };

export interface First {
  seq?: number;
  epoch?: string;
  last?: number;
}

/** Where one channel is: each frame once, in order, or what is lost. */
export interface FollowedChannel {
  readonly position: number;
  readonly epoch: string | null;
  readonly since: First | null;
  readonly asksAt: number | null;
  ask(): { start: number; epoch: string };
  unanswered(nowMs: number): void;
  comeBack(): void;
  frame(frame: Frame, nowMs: number): ChannelEvent[];
  pong(newest: number, nowMs: number): void;
  answer(answer: Answer, nowMs: number): ChannelEvent[];
}

/** The rules of order for one channel, without a clock; for clients with a transport of their own. */
export function followChannel(
  jitter: () => number,
  options?: { isOrdered?: boolean; first?: First | null; gapWaitMs?: number },
): FollowedChannel;
