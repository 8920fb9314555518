/** One client at a time, and what the page counts of it. */

import { Crier } from "./crier.js";

/** Positions survive a reload in this tab, where the browser allows it. */
function tabStorage() {
  try {
    return sessionStorage;
  } catch {
    return undefined;
  }
}

const identityOf = ({ url, tokenIn, getToken }) =>
  JSON.stringify([String(url), tokenIn, getToken !== undefined]);

export class Session {
  counts = { received: 0, replayed: 0, losses: 0, reconnected: 0, renewed: 0 };
  /** When the next try is, by Date.now; null while none is due. */
  nextTryAt = null;
  lastReason = "";
  #client = null;
  #madeOf = "";
  #handlers;
  #hasConnected = false;
  #lastId = null;

  /** `handlers` has one function for each event of the client, and `client` for a new one. */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  get state() {
    return this.#client?.state ?? "idle";
  }

  get connectionId() {
    return this.#client?.connectionId ?? null;
  }

  /** Tell whether the client is made of the same. */
  isMadeOf(options) {
    return identityOf(options) === this.#madeOf;
  }

  /** Connect; the same client goes on, with its positions, when it is made of the same. */
  open({ url, tokenIn, getToken }) {
    const options = { url, tokenIn, getToken };
    if (!this.isMadeOf(options)) {
      this.#client?.close();
      this.#client = this.#make(url, { tokenIn, getToken, storage: tabStorage() });
      this.#madeOf = identityOf(options);
      this.#handlers.client(this.#client);
    }
    this.#client.connect(); // at once, also while it waits
  }

  close() {
    this.#client?.close();
  }

  /** Break the connection as far as a page can do that by itself. */
  closeAndReconnect() {
    this.#client?.close();
    this.#client?.connect();
  }

  /** A renewal changes the connection and tells no state: it is seen here, when this is asked. */
  watch() {
    const id = this.connectionId;
    if (this.state !== "connected" || id === null) return;
    if (this.#lastId !== null && id !== this.#lastId) {
      this.counts.renewed += 1;
      this.#handlers.renewed();
    }
    this.#lastId = id;
  }

  #make(url, options) {
    const client = new Crier(url, options);
    client.on("message", (message) => {
      this.counts.received += 1;
      if (message.replayed) this.counts.replayed += 1;
      this.#handlers.message(message);
    });
    client.on("gap", (gap) => {
      this.counts.losses += 1;
      this.#handlers.gap(gap);
    });
    client.on("state", (change) => this.#changed(change));
    client.on("recovered", this.#handlers.recovered);
    client.on("error", this.#handlers.error);
    return client;
  }

  #changed(change) {
    const { to, reason, retryInMs } = change;
    this.lastReason = reason;
    this.nextTryAt = to === "waiting" && retryInMs !== undefined ? Date.now() + retryInMs : null;
    this.#lastId = null;
    if (to === "connected") {
      if (this.#hasConnected) this.counts.reconnected += 1;
      this.#hasConnected = true;
    }
    this.#handlers.state(change);
  }
}
