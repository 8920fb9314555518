/** The page: what its parts say to each other. Each part is a module of its own. */

import { Channels } from "./page-channels.js";
import { FrameList } from "./page-frames.js";
import { LatencyPlot } from "./page-latency.js";
import { BREAKS, findLocalRun } from "./page-local.js";
import { Session } from "./page-session.js";
import { Spoken } from "./page-spoken.js";
import {
  changeWords,
  channelWords,
  lossWords,
  reasonWords,
  recoveredWords,
  stateWord,
  troubleWords,
} from "./page-words.js";

const KEPT = "crier-page"; // in sessionStorage: a URL without its query, and channels; no token
const TICK_MS = 200;
const OF_CHANNELS = ["bad-channel", "not-allowed", "too-many-channels"];
const TOGETHER_MS = 300; // what channels have recovered within this time is one row

const at = (id) => document.getElementById(id);
const list = new FrameList({
  rows: at("rows"),
  empty: at("empty"),
  noneOfChannel: at("none-of-channel"),
  note: at("frames-note"),
});
const plot = new LatencyPlot({
  dots: at("plot-dots"),
  over: at("plot-over"),
  line: at("plot-median"),
  band: at("plot-away"),
  words: at("latency-words"),
});
const spoken = new Spoken(at("spoken"));
const channels = new Channels({ body: at("channels"), onLeft });
const session = new Session({
  message: showMessage,
  state: showChange,
  gap: showLoss,
  recovered: showRecovered,
  error: showError,
  renewed: () => list.say("good", "Renewed: a new connection has taken the old one's place."),
  client: (client) => channels.useClient(client),
});
let localRun = null;
/** The button that had the focus when it was disabled. */
let leftButton = null;
let recovered = [];

/** Write a text where it differs: what has not changed is not drawn again. */
function write(id, text) {
  const element = at(id);
  if (element.textContent !== text) element.textContent = text;
}

function showMessage(message) {
  const nowMs = Date.now();
  list.frame(message, nowMs);
  channels.received(message.channel);
  offerFilter(message.channel);
  spoken.frame(message.replayed);
  if (!message.replayed && message.sentAt > 0) plot.add(nowMs - message.sentAt, nowMs);
}

function showChange(change) {
  const kinds = { connected: "good", waiting: "waiting" };
  if (change.to !== "connecting") list.say(kinds[change.to] ?? "plain", changeWords(change));
  if (change.to === "connected") at("trouble").textContent = "";
  plot.connected(change.to === "connected", Date.now());
  spoken.say("state", changeWords(change));
  showState();
}

function showLoss(gap) {
  const words = lossWords(gap);
  list.say("gap", `▲ ${words}`, { channel: gap.channel });
  spoken.say(`gap ${gap.channel}`, words);
}

function showRecovered(one) {
  if (recovered.length === 0) {
    setTimeout(() => {
      list.say("good", `✓ ${recoveredWords(recovered)}`);
      recovered = [];
    }, TOGETHER_MS);
  }
  recovered.push(one);
}

function showError({ code, message, retry }) {
  const words = troubleWords({ code, message, retry });
  list.say("error", `✕ Error ${code}: ${words}`);
  if (OF_CHANNELS.includes(code)) return sayOfChannel(`✕ ${words}`);
  at("trouble").textContent = `✕ ${words}`;
  spoken.say("error", words);
}

function showState() {
  const { state, nextTryAt, lastReason, connectionId } = session;
  const isOpen = state !== "idle" && state !== "closed";
  const left = nextTryAt === null ? null : Math.max(0, nextTryAt - Date.now());
  const next = left === null ? "" : `next try in ${(left / 1000).toFixed(1)} s`;
  at("state").dataset.state = state;
  write("state-word", stateWord(state));
  write("state-why", [next, reasonWords(lastReason)].filter(Boolean).join(" · "));
  write("connection-id", (state === "connected" && connectionId) || "none");
  allowConnect(state === "connecting" || state === "connected", isOpen);
  allow(at("break-here"), state === "connected");
  for (const button of at("break-buttons").children) {
    allow(button, button.dataset.needs !== "connection" || state === "connected");
  }
}

/** Enable Connect where it would do something, and Close; the keyboard moves on to the other. */
function allowConnect(isUp, isOpen) {
  const [connect, close, focused] = [at("connect"), at("close"), document.activeElement];
  connect.disabled = isUp && session.isMadeOf(wanted());
  close.disabled = !isOpen;
  if (focused === connect && connect.disabled) close.focus();
  if (focused === close && close.disabled) connect.focus();
}

/** Enable a button, or disable it; the keyboard finds it again where it was left. */
function allow(button, isAllowed) {
  if (!isAllowed && document.activeElement === button) leftButton = button;
  button.disabled = !isAllowed;
  if (!isAllowed || button !== leftButton) return;
  if (document.activeElement === document.body) button.focus({ preventScroll: true });
  leftButton = null;
}

function showCounts() {
  for (const [name, value] of Object.entries(session.counts)) {
    write(name, value.toLocaleString("en"));
  }
}

function offerFilter(channel) {
  const select = at("filter");
  if ([...select.options].some((one) => one.value === channel)) return;
  select.append(new Option(channelWords(channel), channel));
}

function onLeft({ name, isByUser }) {
  if (isByUser)
    at("channel").focus(); // its button is gone
  else at("channel").value ||= name; // it was refused: perhaps it is misspelt
  keep();
}

/** Keep what a reload should find again. A URL's query may have a token, and is not kept. */
function keep() {
  const url = isLocalUrl() ? "" : at("url").value.trim().split(/[?#]/)[0];
  const kept = { url, tokenIn: at("token-in").value, channels: channels.names };
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(kept));
  } catch {
    // this browser keeps nothing: then a reload begins anew
  }
}

/** Fill in what was kept; tell whether something was. */
function restore() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEPT));
    if (kept === null) return false;
    at("url").value = kept.url;
    at("token-in").value = kept.tokenIn;
    follow(kept.channels);
    return true;
  } catch {
    return false; // what was kept is not ours
  }
}

function follow(names, options) {
  for (const name of names) {
    channels.add(name, options);
    offerFilter(name);
  }
}

const isLocalUrl = () => localRun !== null && at("url").value.trim() === localRun.url;

/** Where each token comes from: the field, else the local run; undefined where there is none. */
function tokenSource() {
  const typed = () => at("token").value.trim();
  const isMade = isLocalUrl() && localRun.makesTokens;
  if (isMade) return () => typed() || localRun.token(at("user").value.trim());
  return typed() ? typed : undefined;
}

/** What the form says of the client that is wanted. */
const wanted = () => ({
  url: isLocalUrl() ? localRun.urlForClient : at("url").value.trim(),
  tokenIn: at("token-in").value,
  getToken: tokenSource(),
});

function connect() {
  at("trouble").textContent = "";
  session.open(wanted());
  showState();
  keep();
}

function subscribe() {
  const name = at("channel").value.trim();
  if (name === "") return at("channel").focus();
  const isFollowed = channels.has(name);
  sayOfChannel(isFollowed ? `${channelWords(name)} is followed already.` : "");
  if (isFollowed) return;
  follow([name], { last: Number(at("since").value) });
  at("channel").value = "";
  keep();
}

/** Say beside its field why a channel is not followed; "" for nothing. */
function sayOfChannel(words) {
  at("channel-trouble").textContent = words;
  at("channel").setAttribute("aria-invalid", String(words !== ""));
  if (words) spoken.say("error", words);
}

function makeBreakButton({ word, needsConnection, run, said }) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = word;
  button.dataset.needs = needsConnection ? "connection" : "";
  button.addEventListener("click", async () => {
    list.say("plain", said); // before what follows from it
    try {
      await run(session.connectionId);
    } catch (error) {
      showError({ code: "local", message: error.message, retry: true });
    }
  });
  return button;
}

function onSubmit(id, act) {
  at(id).addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

function listen() {
  onSubmit("connection-form", connect);
  onSubmit("channel-form", subscribe);
  at("close").addEventListener("click", () => session.close());
  at("break-here").addEventListener("click", () => session.closeAndReconnect());
  at("filter").addEventListener("change", () => list.filter(at("filter").value));
  at("clear").addEventListener("click", () => list.clear());
  at("pause").addEventListener("click", () => {
    const isPaused = at("pause").getAttribute("aria-pressed") !== "true";
    at("pause").setAttribute("aria-pressed", String(isPaused));
    list.pause(isPaused);
  });
}

async function useLocalRun(isRestored) {
  localRun = await findLocalRun();
  if (localRun === null) {
    at("break-reason").textContent =
      "The other ways need the local run: open this page from crier local.";
    return;
  }
  if (at("url").value === "") at("url").value = localRun.url;
  if (!isRestored) follow(localRun.channels);
  at("user-field").hidden = !localRun.makesTokens;
  at("break-local").disabled = false;
  if (localRun.letsIn && isLocalUrl()) connect();
  const seconds = localRun.cutAfterSeconds;
  at("break-reason").textContent =
    seconds === null
      ? "The local run does these, on the way to the local AWS."
      : `The local run does these, and ends each connection after ${seconds} s by itself.`;
}

function tick() {
  session.watch();
  showState();
  showCounts();
  channels.draw();
}

at("unstarted").remove();
at("break-buttons").append(...BREAKS.map(makeBreakButton));
listen();
const isRestored = restore();
tick();
setInterval(tick, TICK_MS);
setInterval(() => plot.draw(Date.now()), 1000);
await useLocalRun(isRestored);
