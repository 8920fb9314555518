// AWS SDK for JavaScript v3, as fast as it fairly allows: node v3.mjs sequential|allSettled '<job>'
import {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import { main } from "./run.mjs";

// They change nothing about the post; signing, retrying (off) and serialising stay.
const NEEDLESS = ["loggerMiddleware", "recursionDetectionMiddleware", "getUserAgentMiddleware"];

await main("v3", (job, agent) => {
  const client = new ApiGatewayManagementApiClient({
    endpoint: job.url,
    region: job.region,
    credentials: {
      accessKeyId: job.access_key,
      secretAccessKey: job.secret_key,
      sessionToken: job.session_token,
    },
    // The waiting for a socket is meant; a warning about it is not wanted.
    requestHandler: { httpsAgent: agent, socketAcquisitionWarningTimeout: 2 ** 31 - 1 },
    maxAttempts: 1,
  });
  for (const name of NEEDLESS) client.middlewareStack.remove(name);
  return (connectionId) =>
    client.send(new PostToConnectionCommand({ ConnectionId: connectionId, Data: job.frame }));
});
