/** Latency of the last minute: a dot for each frame, the median, and when nothing was connected. */

import { count, duration } from "./page-words.js";

const WINDOW_MS = 60_000;
const MOST_POINTS = 1_000;
const MOST_MS = 10_000; // at the top; what took longer is there, too, in another colour
const WIDTH = 600;
const DECADE = 100; // the plot's height of ten times as long; 10 ms are at the bottom, 10 s on top

const x = (atMs, nowMs) => Math.round(WIDTH * (1 - (nowMs - atMs) / WINDOW_MS) * 10) / 10;

function y(latencyMs) {
  const decades = Math.log10(Math.min(MOST_MS, Math.max(10, latencyMs))) - 1;
  return Math.round((3 - decades) * DECADE * 10) / 10;
}

function median(sorted) {
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

export class LatencyPlot {
  #dots;
  #over;
  #line;
  #band;
  #words;
  #points = [];
  #hasBegun = false;
  /** @type {{from: number, to: number}[]} times without a connection; the last may be open */
  #away = [];

  constructor({ dots, over, line, band, words }) {
    this.#dots = dots;
    this.#over = over;
    this.#line = line;
    this.#band = band;
    this.#words = words;
  }

  add(latencyMs, atMs) {
    this.#points.push({ latencyMs, atMs });
    if (this.#points.length > MOST_POINTS) this.#points.shift();
  }

  /** Note from when on there is a connection, or none any more; before the first one says nothing. */
  connected(isConnected, atMs) {
    this.#hasBegun ||= isConnected;
    if (!this.#hasBegun) return;
    const last = this.#away.at(-1);
    const isAway = last !== undefined && last.to === Number.POSITIVE_INFINITY;
    if (isAway && isConnected) last.to = atMs;
    if (!isAway && !isConnected) this.#away.push({ from: atMs, to: Number.POSITIVE_INFINITY });
  }

  draw(nowMs) {
    const isInWindow = (atMs) => nowMs - atMs <= WINDOW_MS;
    this.#points = this.#points.filter((one) => isInWindow(one.atMs));
    this.#away = this.#away.filter((one) => isInWindow(one.to));
    const sorted = this.#points.map((one) => one.latencyMs).sort((a, b) => a - b);
    const middle = sorted.length > 0 ? median(sorted) : null;
    const isOver = (one) => one.latencyMs > MOST_MS;
    const path = (points) =>
      points.map((one) => `M${x(one.atMs, nowMs)} ${y(one.latencyMs)}h0`).join("");
    this.#dots.setAttribute("d", path(this.#points.filter((one) => !isOver(one))));
    this.#over.setAttribute("d", path(this.#points.filter(isOver)));
    this.#line.setAttribute("d", middle === null ? "" : `M0 ${y(middle)}H${WIDTH}`);
    this.#band.setAttribute("d", this.#away.map((one) => this.#bandPath(one, nowMs)).join(""));
    this.#words.textContent = this.#sentence(sorted, middle);
  }

  #bandPath({ from, to }, nowMs) {
    const left = Math.max(0, x(from, nowMs));
    return `M${left} 0H${x(Math.min(to, nowMs), nowMs)}V${3 * DECADE}H${left}Z`;
  }

  #sentence(sorted, middle) {
    if (middle === null) return "No frame in the last 60 s.";
    const over = sorted.at(-1) > MOST_MS ? " (orange: above the scale)" : "";
    const numbers = `Median ${duration(middle)}, worst ${duration(sorted.at(-1))}${over}`;
    const behind = sorted[0] < 0 ? "; this device’s clock is behind" : "";
    const frames =
      sorted.length < MOST_POINTS
        ? `${count(sorted.length, "frame")} in the last 60 s`
        : `the last ${count(MOST_POINTS, "frame")}`;
    return `${numbers}, of ${frames}${behind}.`;
  }
}
