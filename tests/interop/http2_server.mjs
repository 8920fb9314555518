// Node's own HTTP/2 server (or HTTPS server), which records each post and answers it by its path.
// `node http2_server.mjs '<options as JSON>'`, with: port, protocol, pem and record (paths), and
//   settings: what it announces;
//   changes: [{after, settings}], announced anew on a connection after so many of its posts;
//   leaveAfter: it takes leave of a connection (GOAWAY) after so many of its posts, 0 for never.
// It ends on SIGTERM, and writes what it has received to the record before that.
import { readFileSync, writeFileSync } from "node:fs";
import { constants, createSecureServer } from "node:http2";
import { createServer } from "node:https";

const options = JSON.parse(process.argv[2]);
const pem = readFileSync(options.pem);
const [shared, places, posts, attempts] = [[], new Map(), [], new Map()];
const connections = new Map();

const server =
  options.protocol === "h2"
    ? createSecureServer({ key: pem, cert: pem, settings: options.settings }, receive)
    : createServer({ key: pem, cert: pem, maxHeaderSize: 65536 }, receive);
server.keepAliveTimeout = 60_000;
server.on("session", noteSession);
server.listen(options.port, "127.0.0.1");
process.on("SIGTERM", () => {
  writeFileSync(options.record, JSON.stringify({ shared, posts }));
  process.exit(0);
});

/** Changes a connection's settings, or leaves it, after so many posts. */
function noteSession(session) {
  let count = 0;
  session.on("error", () => {});
  session.on("stream", (stream) => {
    stream.on("error", () => {});
    count += 1;
    for (const change of options.changes) if (change.after === count) session.settings(change.settings);
    if (count === options.leaveAfter) session.close();
  });
}

/** Reads a post whole. */
function receive(request, response) {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    record(request, Buffer.concat(pieces).toString());
    answer(request, response);
  });
}

/** What many posts share is recorded once. */
function record(request, body) {
  const { ":path": path = request.url, authorization, ...others } = request.headers;
  const text = JSON.stringify([request.httpVersion, others, body]);
  if (!places.has(text)) places.set(text, shared.push(JSON.parse(text)) - 1);
  posts.push([connectionOf(request), path, authorization, places.get(text)]);
}

function connectionOf(request) {
  const connection = request.stream?.session ?? request.socket;
  if (!connections.has(connection)) connections.set(connection, connections.size);
  return connections.get(connection);
}

/** A connection's answer follows from its name, and from how often it was posted to. */
function answer(request, response) {
  const name = /@connections\/([a-z]+)/.exec(request.url)?.[1];
  const attempt = (attempts.get(request.url) ?? 0) + 1;
  attempts.set(request.url, attempt);
  const isFirst = attempt === 1;
  if (name === "gone") return refuse(response, 410);
  if (name === "wrong") return refuse(response, 400);
  if (name === "full") return refuse(response, 429);
  if (name === "down") return refuse(response, 503);
  if (name === "once" && isFirst) return refuse(response, 503);
  if (name === "refused" && isFirst) return reset(response, constants.NGHTTP2_REFUSED_STREAM);
  if (name === "reset" && isFirst) return reset(response, constants.NGHTTP2_INTERNAL_ERROR);
  if (name === "hints") return hint(response);
  response.writeHead(200).end();
}

function refuse(response, status) {
  response.writeHead(status, { "x-amzn-errortype": "InjectedException" });
  response.end('{"message":"injected"}');
}

function reset(response, code) {
  if (response.stream) response.stream.close(code);
  else response.socket.destroy();
}

/** 103 before the answer, a body in two pieces, a trailer after it. */
function hint(response) {
  response.writeEarlyHints({ link: "</style.css>; rel=preload" });
  response.writeHead(200, { "content-type": "text/plain", trailer: "x-checked" });
  response.write("two ");
  response.addTrailers({ "x-checked": "yes" });
  response.end("pieces");
}
