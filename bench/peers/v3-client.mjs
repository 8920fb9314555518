// A client of the AWS SDK for JavaScript v3, as fast as it fairly allows: for both of its protocols.
import {
  ApiGatewayManagementApiClient,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";

// They change nothing about the post; signing, retrying (off) and serialising stay.
const NEEDLESS = ["loggerMiddleware", "recursionDetectionMiddleware", "getUserAgentMiddleware"];

/** Returns a client for a job, which sends by this handler. */
export function makeClient(job, requestHandler) {
  const client = new ApiGatewayManagementApiClient({
    endpoint: job.url,
    region: job.region,
    credentials: {
      accessKeyId: job.access_key,
      secretAccessKey: job.secret_key,
      sessionToken: job.session_token,
    },
    requestHandler,
    maxAttempts: 1,
  });
  for (const name of NEEDLESS) client.middlewareStack.remove(name);
  return client;
}

/** Returns what posts the job's frame to one connection. */
export function makePost(client, job) {
  return (connectionId) =>
    client.send(new PostToConnectionCommand({ ConnectionId: connectionId, Data: job.frame }));
}
