// A client as a program: each line of stdin is sent, each text that comes is a line of stdout.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

/** Loads a package of web/node_modules. */
export const load = createRequire(new URL("../../../web/package.json", import.meta.url));

/** Binds a socket of the WebSocket API to stdin and stdout; stderr says when it opens. */
export function bind(socket) {
  socket.addEventListener("open", () => console.error("open"));
  socket.addEventListener("message", ({ data }) => console.log(data));
  createInterface({ input: process.stdin })
    .on("line", (line) => socket.send(line))
    .on("close", () => process.exit());
}
