/**
 * A page whose client does what the query's `options` say. `heard` has all that it tells, and
 * `wrong` what a page without faults does not have: the tests read both.
 */

import { Crier } from "./crier.js";

const EVENTS = ["message", "state", "recovered", "gap", "error"];
const STORAGES = { session: () => sessionStorage, local: () => localStorage };

const {
  url,
  user: first,
  storage,
  ...options
} = JSON.parse(new URLSearchParams(location.search).get("options"));
let user = first;
const heard = [];
const reasons = [];
const wrong = [];
const shown = [];

async function getToken({ reason }) {
  reasons.push(reason);
  const answer = await fetch(`token?user=${user}`);
  return answer.text();
}

function show(message) {
  const item = document.createElement("li");
  item.textContent = typeof message === "string" ? message : JSON.stringify(message);
  document.querySelector("#messages").append(item);
}

for (const type of ["error", "unhandledrejection"])
  addEventListener(type, ({ message, reason }) => wrong.push(`${type}: ${message ?? reason}`));
document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
  wrong.push(`${violatedDirective} forbids ${blockedURI}`),
);
addEventListener("pageshow", ({ persisted }) => shown.push(persisted));

const client = new Crier(url, {
  ...options,
  ...(user && { getToken }),
  ...(storage && { storage: STORAGES[storage]() }),
});
for (const type of EVENTS)
  client.addEventListener(type, ({ detail }) =>
    heard.push({ type, detail, at: Date.now(), visibility: document.visibilityState }),
  );
client.on("message", ({ message }) => show(message));
client.connect();

/** Ask for another user's tokens from now on. */
function use(name) {
  user = name;
}

Object.assign(window, { use, client, heard, reasons, shown, wrong });
