/** The channels that are followed: their table, and their subscriptions at the client. */

import { channelWords } from "./page-words.js";

export class Channels {
  #body;
  #onLeft;
  #client = null;
  /** @type {Map<string, {row: HTMLElement, position: HTMLElement, received: HTMLElement, count: number, subscription: object | null, last: number}>} */
  #followed = new Map();

  /** `onLeft` is called when a channel was left, by its button or because it was refused. */
  constructor({ body, onLeft }) {
    this.#body = body;
    this.#onLeft = onLeft;
    this.add("*");
  }

  /** Names that a reload should find again. */
  get names() {
    return [...this.#followed.keys()].filter((name) => name !== "*");
  }

  /** Follow a channel; `last` frames of it come first. */
  add(name, { last = 0 } = {}) {
    if (this.#followed.has(name)) return;
    const one = { ...this.#makeRow(name), count: 0, subscription: null, last };
    this.#followed.set(name, one);
    if (this.#client) this.#subscribe(name, one);
  }

  has(name) {
    return this.#followed.has(name);
  }

  leave(name) {
    const one = this.#followed.get(name);
    if (!one || name === "*") return;
    one.subscription?.unsubscribe();
    one.row.remove();
    this.#followed.delete(name);
  }

  /** Subscribe to all of them at a new client. */
  useClient(client) {
    this.#client = client;
    for (const [name, one] of this.#followed) {
      one.subscription = null;
      this.#subscribe(name, one);
    }
  }

  received(name) {
    const one = this.#followed.get(name);
    if (one) one.count += 1;
  }

  /** Show where each channel is now. */
  draw() {
    const positions = this.#client?.positions ?? {};
    for (const [name, one] of this.#followed) {
      const seq = Object.hasOwn(positions, name) ? positions[name].seq.toLocaleString("en") : "–";
      if (one.position.textContent !== seq) one.position.textContent = seq;
      const received = one.count.toLocaleString("en");
      if (one.received.textContent !== received) one.received.textContent = received;
    }
  }

  #subscribe(name, one) {
    if (name === "*") return; // always followed, and never left
    one.subscription = this.#client.subscribe(name, undefined, one.last ? { last: one.last } : {});
    const client = this.#client;
    one.subscription.ready.catch(({ reason }) => {
      const isFollowed = client === this.#client && this.#followed.get(name) === one;
      if (!isFollowed || reason) return; // closed: it goes on when it is connected again
      this.leave(name); // refused: why is told by the client's error event
      this.#onLeft({ name, isByUser: false });
    });
  }

  #makeRow(name) {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = channelWords(name);
    head.title = head.textContent;
    const [position, received, last] = ["number", "number", ""].map((kind) => {
      const cell = document.createElement("td");
      cell.className = kind;
      return cell;
    });
    if (name !== "*") last.append(this.#makeButton(name));
    row.append(head, position, received, last);
    this.#body.append(row);
    return { row, position, received };
  }

  #makeButton(name) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Leave";
    button.setAttribute("aria-label", `Leave ${name}`);
    button.addEventListener("click", () => {
      this.leave(name);
      this.#onLeft({ name, isByUser: true });
    });
    return button;
  }
}
