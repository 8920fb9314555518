// A client as a program: each line of stdin is sent, each text that comes is a line of stdout.

import { createInterface } from "node:readline";

/** Bind a socket of the WebSocket API to stdin and stdout, and say on stderr when it opens. */
export function bind(socket) {
  socket.addEventListener("open", () => console.error("open"));
  socket.addEventListener("message", ({ data }) => console.log(data));
  createInterface({ input: process.stdin })
    .on("line", (line) => socket.send(line))
    .on("close", () => process.exit());
}
