/** The local run, where it serves this page: its URL, its tokens, and its ways to break things. */

/** What the local run answers; throws what is wrong, in its words. */
async function asked(path, options) {
  const answer = await fetch(path, options);
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.error ?? `the local run answered ${answer.status}`);
  return said;
}

const read = (path) => asked(path, { cache: "no-store" });

const post = (path, body) =>
  asked(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** Whether the local run serves this page: asking others for its file would be a 404 each time. */
async function isServedByLocalRun() {
  const answer = await fetch(location.pathname, { cache: "no-store" });
  return answer.headers.get("server")?.startsWith("crier") ?? false;
}

/** What the local run says of itself; null where another server has this page. */
export async function findLocalRun() {
  try {
    return (await isServedByLocalRun()) ? new LocalRun(await read("local.json")) : null;
  } catch {
    return null;
  }
}

class LocalRun {
  /** Its WebSocket URL, without what signs it. */
  url;
  channels;
  /** How old a connection gets, null for as old as it likes. */
  cutAfterSeconds;
  #auth;
  #tokenUrl;

  constructor({ url, auth, token, cutAfterSeconds, channels }) {
    this.url = url.split("?")[0];
    this.channels = channels;
    this.cutAfterSeconds = cutAfterSeconds;
    this.#auth = auth;
    this.#tokenUrl = token;
  }

  get makesTokens() {
    return this.#tokenUrl !== null;
  }

  /** Whether a client is let in without a token of its user's. */
  get letsIn() {
    return this.makesTokens || this.#auth === "open" || this.#auth === "iam";
  }

  /** What a client connects to: where URLs are signed, a new one each time. */
  get urlForClient() {
    if (this.#auth !== "iam") return this.url;
    return async () => (await read("local.json")).url;
  }

  async token(user) {
    return (await read(`${this.#tokenUrl}?user=${encodeURIComponent(user)}`)).token;
  }
}

/** Ways to break the connection: a word for the button, what is asked for, what is said of it. */
export const BREAKS = [
  {
    word: "Cut this one",
    needsConnection: true,
    run: (connection) => post("control", { do: "cut", connection }),
    said: "The local run cuts this connection.",
  },
  {
    word: "Cut all",
    needsConnection: false,
    run: () => post("control", { do: "cut" }),
    said: "The local run cuts all connections.",
  },
  {
    word: "No server for 10 s",
    needsConnection: false,
    run: async () => {
      await post("control", { do: "refuse", seconds: 10 });
      await post("control", { do: "cut" });
    },
    said: "The local run cuts all connections, and refuses new ones for 10 s.",
  },
  {
    word: "Drop 3 frames",
    needsConnection: true,
    run: (connection) => post("control", { do: "drop", connection, frames: 3 }),
    said: "The local run drops the next 3 frames on their way to this page.",
  },
];
