// Each line that ends with a word on what is wrong must not compile.

import { Crier, followChannel } from "crier-client";

const crier = new Crier<{ score: string }>("wss://host");

new Crier(); // no URL
new Crier(42); // a URL that is a number
new Crier("wss://host", { tokenIn: "header" }); // an unknown way for tokens
new Crier("wss://host", { getToken: () => 42 }); // a token that is a number
new Crier("wss://host", { getToken: "token" }); // a token that is no function
new Crier("wss://host", { channels: "news" }); // channels that are no list
new Crier("wss://host", { maxDelay: 5 }); // an option without its unit
new Crier("wss://host", { storage: {} }); // a storage that stores nothing
crier.on("massage", () => {}); // an event that is none
crier.on("message", ({ message }) => message.points); // a key that messages do not have
crier.on("gap", ({ reason }) => reason === "lost"); // a reason that is none
crier.on("state", ({ to }) => to === "open"); // a state that is none
crier.state = "closed"; // a state that is set
crier.subscribe("news", null, { since: "5" }); // a number that is text
crier.subscribe("news", null, { since: { seq: 5 } }); // a position without its epoch
crier.subscribe("news", ({ text }) => text); // a message without that key
crier.subscribe(["news"]); // a list in place of a name
crier.subscribe("news").ready.seq; // a promise that is not awaited
for (const one of crier.channel("news")) void one; // a loop that does not await
followChannel(); // no jitter
followChannel(Math.random).position = 5; // a position that is set
