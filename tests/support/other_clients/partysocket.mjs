// partysocket with the global WebSocket of Node: the URL is all that it is given.

import { bind, load } from "./lines.mjs";

const { default: PartySocket } = load("partysocket/ws");

bind(new PartySocket(process.argv[2]));
