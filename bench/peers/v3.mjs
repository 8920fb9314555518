// AWS SDK for JavaScript v3, as fast as it fairly allows: node v3.mjs sequential|allSettled '<job>'
import { main, makeAgent } from "./run.mjs";
import { makeClient, makePost } from "./v3-client.mjs";

await main("v3", (job) => {
  const agent = makeAgent(job);
  // The waiting for a socket is meant; a warning about it is not wanted.
  const handler = { httpsAgent: agent, socketAcquisitionWarningTimeout: 2 ** 31 - 1 };
  return { post: makePost(makeClient(job, handler), job), close: () => agent.destroy() };
});
