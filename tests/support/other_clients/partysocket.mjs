// partysocket with the global WebSocket of Node: the URL is all that it is given.

import { createRequire } from "node:module";
import { bind } from "./lines.mjs";

const require = createRequire(new URL("../../../web/package.json", import.meta.url));
const { default: PartySocket } = require("partysocket/ws");

bind(new PartySocket(process.argv[2]));
