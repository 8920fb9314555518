// AWS SDK for JavaScript v2, as fast as it fairly allows: node v2.mjs sequential|allSettled '<job>'
import { createRequire } from "node:module";
import { main, makeAgent } from "./run.mjs";

const require = createRequire(import.meta.url);
require("aws-sdk/lib/maintenance_mode_message").suppress = true;
const ApiGatewayManagementApi = require("aws-sdk/clients/apigatewaymanagementapi");

await main("v2", (job) => {
  const agent = makeAgent(job);
  const client = new ApiGatewayManagementApi({
    endpoint: job.url,
    region: job.region,
    accessKeyId: job.access_key,
    secretAccessKey: job.secret_key,
    sessionToken: job.session_token,
    httpOptions: { agent },
    maxRetries: 0,
    paramValidation: false,
  });
  const post = (connectionId) =>
    client.postToConnection({ ConnectionId: connectionId, Data: job.frame }).promise();
  return { post, close: () => agent.destroy() };
});
