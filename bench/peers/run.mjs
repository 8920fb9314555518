// Runs one Node strategy: the job and the measurement are those of bench/compare/job.py and bench/compare/measurement.py.
import { readFileSync, readSync, writeSync } from "node:fs";
import { Agent } from "node:https";

const CURVE_POINTS = 200;
const [STDIN, STDOUT] = [0, 1];

/** Reads `<way> <job as JSON>` from the command line and does it: `makePoster(job)` has `post` and `close`. */
export async function main(library, makePoster) {
  const [way, text] = process.argv.slice(2);
  const ways = { sequential, allSettled };
  if (!(way in ways) || !text) {
    throw new Error(`found ${way}; expected: node ${library}.mjs sequential|allSettled '<job JSON>'`);
  }
  const job = JSON.parse(text);
  const { post, close } = makePoster(job);
  await ways[way](ids("warm", job.warm_up), post, () => {});
  const name = { sequential: "sequential", allSettled: "all-settled" }[way];
  const measurement = await measure(`node-${library}-${name}`, job, (note) =>
    ways[way](ids("conn", job.connections), post, note),
  );
  writeLine(measurement);
  close();
}

/** Returns an agent of HTTP/1.1, whose sockets bound what is in flight. */
export function makeAgent(job) {
  return new Agent({
    keepAlive: true,
    maxSockets: job.in_flight,
    maxFreeSockets: job.in_flight,
    ca: job.ca ? readFileSync(job.ca) : undefined,
  });
}

/** Returns `post` with at most `limit` calls of it under way; the others wait in order. */
export function atMost(limit, post) {
  const waiting = [];
  let free = limit;
  return async (connectionId) => {
    if (free > 0) free -= 1;
    else await new Promise((resolve) => waiting.push(resolve));
    try {
      return await post(connectionId);
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}

/** The loop: awaits one post after another. */
async function sequential(connectionIds, post, note) {
  for (const connectionId of connectionIds) note(await outcomeOf(post(connectionId)));
}

/** The original idea: fires all posts at once; `post` bounds what is in flight. */
async function allSettled(connectionIds, post, note) {
  const settle = async (connectionId) => note(await outcomeOf(post(connectionId)));
  await Promise.allSettled(connectionIds.map(settle));
}

function ids(prefix, count) {
  return Array.from({ length: count }, (_, n) => `${prefix}-${String(n).padStart(8, "0")}=`);
}

async function outcomeOf(answer) {
  try {
    await answer;
    return "delivered";
  } catch (error) {
    const status = error.$metadata?.httpStatusCode ?? error.statusCode; // v3, v2
    return { 410: "gone", 429: "throttled" }[status] ?? "failed";
  }
}

async function measure(strategy, job, work) {
  const counts = { delivered: 0, gone: 0, failed: 0, throttled: 0 };
  const latencies = new Float64Array(job.connections);
  let ended = 0;
  awaitTheWord();
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work((outcome) => {
    counts[outcome] += 1;
    if (outcome === "delivered" || outcome === "gone") latencies[ended++] = performance.now() - began;
  });
  const wall = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const sorted = latencies.subarray(0, ended).sort();
  return {
    strategy,
    connections: job.connections,
    wall_seconds: wall / 1e3,
    cpu_seconds: (user + system) / 1e6,
    peak_memory_bytes: process.resourceUsage().maxRSS * 1024,
    ...counts,
    latency_ms: latencySummary(sorted),
    curve: curveOf(sorted),
  };
}

/** Says that all is warm and waits for a line, or the end, of standard input. */
function awaitTheWord() {
  writeLine({ warm: true });
  readSync(STDIN, Buffer.alloc(64));
}

/** Writes at once: what is written asynchronously may be lost when the process ends. */
function writeLine(facts) {
  writeSync(STDOUT, `${JSON.stringify(facts)}\n`);
}

function latencySummary(sorted) {
  const at = (share) => round(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

function curveOf(sorted) {
  const points = Math.min(CURVE_POINTS, sorted.length);
  return Array.from({ length: points }, (_, i) => {
    const rank = Math.ceil((sorted.length * (i + 1)) / points);
    return [round(sorted[rank - 1]), rank];
  });
}

function round(milliseconds) {
  return Math.round(milliseconds * 1e3) / 1e3;
}
