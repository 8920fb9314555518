// reconnecting-websocket with the global WebSocket of Node: the URL is all that it is given.

import { createRequire } from "node:module";
import { bind } from "./lines.mjs";

const require = createRequire(new URL("../../../web/package.json", import.meta.url));
const ReconnectingWebSocket = require("reconnecting-websocket");

bind(new ReconnectingWebSocket(process.argv[2]));
