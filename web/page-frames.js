/** The list of what came: a bounded number of rows, newest first. All text of others is text. */

import { channelWords, clockTime, count, duration, seen } from "./page-words.js";

const MOST_ROWS = 200;
const CUT_AFTER = 240;

/** An element with a class and a text, which is never read as HTML. */
function element(tag, name, text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

/** The beginning of a long text, which ends before half a character. */
function beginning(text) {
  const last = text.charCodeAt(CUT_AFTER - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? CUT_AFTER - 1 : CUT_AFTER);
}

/** A text that others wrote; one that is long is cut, with a button that shows all of it. */
function messageElement(text) {
  const said = element("div", "said");
  const shown = element("span", "text", text);
  said.append(shown);
  if (text.length <= CUT_AFTER) return said;
  const more = element("button", "more");
  more.type = "button";
  const show = (isWhole) => {
    shown.textContent = isWhole ? text : `${beginning(text)}…`;
    shown.classList.toggle("whole", isWhole);
    shown.tabIndex = isWhole ? 0 : -1; // what scrolls is reached by keyboard
    more.textContent = isWhole ? "Show less" : `Show all ${count(text.length, "character")}`;
    more.setAttribute("aria-expanded", String(isWhole));
  };
  more.addEventListener("click", () => show(!shown.classList.contains("whole")));
  show(false);
  said.append(more);
  return said;
}

/** A message as a text: quotes tell a text that is blank, or looks like other JSON. */
function messageText(message) {
  const json = JSON.stringify(message) ?? "";
  if (typeof message !== "string") return seen(json);
  try {
    JSON.parse(message);
    return seen(json);
  } catch {
    return message.trim() ? seen(message) : json;
  }
}

function timeElement(atMs) {
  const { time, fraction } = clockTime(atMs);
  const at = element("span", "at", time);
  at.append(element("span", "fraction", fraction));
  return at;
}

function frameRow({ message, channel, seq, sentAt, replayed }, atMs) {
  const row = element("li", replayed ? "row replayed" : "row");
  const name = element("span", "name", channelWords(channel));
  name.title = channel;
  const latency = sentAt > 0 ? duration(atMs - sentAt) : "–"; // 0: the frame has no time
  row.append(
    timeElement(atMs),
    name,
    element("span", "seq number", String(seq)),
    element("span", "ms number", replayed ? "↺ replayed" : latency),
    messageElement(messageText(message)),
  );
  return row;
}

function noteRow(kind, text, atMs) {
  const row = element("li", `row note-row ${kind}`);
  row.append(timeElement(atMs), element("span", "said", text));
  return row;
}

export class FrameList {
  #rows;
  #empty;
  #noneOfChannel;
  #note;
  /** @type {{channel: string | null, row: HTMLElement}[]} newest last: what is not shown yet */
  #coming = [];
  /** @type {{channel: string | null, row: HTMLElement}[]} newest first */
  #shown = [];
  #channel = "";
  #isPaused = false;
  #isDrawing = false;
  #missed = 0;

  constructor({ rows, empty, noneOfChannel, note }) {
    this.#rows = rows;
    this.#empty = empty;
    this.#noneOfChannel = noneOfChannel;
    this.#note = note;
  }

  frame(message, atMs) {
    this.#take(message.channel, frameRow(message, atMs));
  }

  /** A row of words, as wide as the list; `kind` is how it looks. */
  say(kind, text, { channel = null } = {}) {
    this.#take(channel, noteRow(kind, text, Date.now()));
  }

  /** Show one channel's rows, and those of none; "" shows all. */
  filter(channel) {
    this.#channel = channel;
    for (const one of this.#shown) this.#hide(one);
    this.#draw();
  }

  pause(isPaused) {
    this.#isPaused = isPaused;
    this.#draw();
  }

  clear() {
    this.#coming = [];
    this.#shown = [];
    this.#missed = 0;
    this.#rows.replaceChildren();
    this.#draw();
  }

  #take(channel, row) {
    this.#coming.push({ channel, row });
    if (this.#coming.length > MOST_ROWS) this.#coming.shift();
    if (this.#isPaused) this.#missed += 1;
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => this.#draw());
  }

  /** Put what has come above the others, once a picture: a flood costs no more than that. */
  #draw() {
    this.#isDrawing = false;
    if (!this.#isPaused && this.#coming.length > 0) this.#prepend();
    const hasFrames = this.#shown.some(({ channel, row }) => channel !== null && !row.hidden);
    this.#empty.hidden = hasFrames || this.#channel !== "";
    this.#noneOfChannel.hidden = hasFrames || this.#channel === "";
    this.#note.textContent = this.#isPaused
      ? `Paused; ${this.#missed.toLocaleString("en")} more came.`
      : `Newest first, the last ${MOST_ROWS}.`;
  }

  #prepend() {
    const newest = this.#coming.reverse();
    this.#coming = [];
    this.#missed = 0;
    for (const one of newest) this.#hide(one);
    this.#rows.prepend(...newest.map((one) => one.row));
    const all = [...newest, ...this.#shown];
    this.#shown = all.slice(0, MOST_ROWS);
    for (const one of all.slice(MOST_ROWS)) one.row.remove();
  }

  #hide({ channel, row }) {
    row.hidden = this.#channel !== "" && channel !== null && channel !== this.#channel;
  }
}
