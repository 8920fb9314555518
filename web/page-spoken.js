/** What a screen reader says by itself: each state and gap, and a summary of frames now and then. */

import { count } from "./page-words.js";

const SETTLE_MS = 500; // states that follow one another at once are said once
const SUMMARY_MS = 10_000;

export class Spoken {
  #element;
  #timer = 0;
  #sentences = [];
  #received = 0;
  #replayed = 0;

  constructor(element) {
    this.#element = element;
    setInterval(() => this.#summarize(), SUMMARY_MS);
  }

  /** Say a sentence soon; a newer one of the same `kind` takes its place. */
  say(kind, sentence) {
    this.#sentences = [...this.#sentences.filter((one) => one.kind !== kind), { kind, sentence }];
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#element.textContent = this.#sentences.map((one) => one.sentence).join(" ");
      this.#sentences = [];
    }, SETTLE_MS);
  }

  frame(isReplayed) {
    this.#received += 1;
    if (isReplayed) this.#replayed += 1;
  }

  #summarize() {
    if (this.#received === 0) return;
    const again = this.#replayed > 0 ? `, ${this.#replayed} of them replayed` : "";
    this.say("frames", `${count(this.#received, "frame")} came${again}.`);
    this.#received = 0;
    this.#replayed = 0;
  }
}
