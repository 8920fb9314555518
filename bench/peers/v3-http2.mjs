// AWS SDK for JavaScript v3 over HTTP/2, by its own handler: node v3-http2.mjs sequential|allSettled '<job>'
import { readFileSync } from "node:fs";
import { NodeHttp2Handler } from "@smithy/node-http-handler";
import { atMost, main } from "./run.mjs";
import { makeClient, makePost } from "./v3-client.mjs";

// What the server announces. The handler does not read that: past this many it opens another session.
const STREAMS_OF_A_SESSION = 128;

await main("v3-http2", (job) => {
  const handler = new NodeHttp2Handler({
    maxConcurrentStreams: STREAMS_OF_A_SESSION,
    nodeHttp2ConnectOptions: { ca: job.ca ? readFileSync(job.ca) : undefined },
  });
  const client = makeClient(job, handler);
  // The handler has no bound of its own: without one, 3,000 posts open 24 sessions at once.
  return { post: atMost(job.in_flight, makePost(client, job)), close: () => handler.destroy() };
});
