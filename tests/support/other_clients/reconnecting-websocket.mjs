// reconnecting-websocket with the global WebSocket of Node: the URL is all that it is given.

import { bind, load } from "./lines.mjs";

const ReconnectingWebSocket = load("reconnecting-websocket");

bind(new ReconnectingWebSocket(process.argv[2]));
