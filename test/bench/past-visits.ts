/**
 * The process that visits the past, started by past-visitor.ts: `past-visits.ts CONTEXT_ADDRESS NEWEST_VERSION`.
 */
import type { Order, Report, Visit } from "./past-visitor.ts";
import { VISITS } from "./past-visitor.ts";
import { timedRequest } from "./rest-client.ts";

const [address = "", newest = ""] = process.argv.slice(2);
let asked = 0;

/** Versions all over the past, none twice. */
function nextVersion(): number {
  return 1 + ((asked++ * 10_007) % Number(newest));
}

const timed: Readonly<Record<Visit, () => Promise<number>>> = {
  read: () => get(`?version=${nextVersion()}`),
  diff: () => get(`/diff?from=${nextVersion()}&to=${nextVersion()}`),
  blame: () => get("/blame"),
  restore: async () => (await timedRequest(new URL(`${address}/restore`), "POST", { version: nextVersion() })).ms,
};

async function get(rest: string): Promise<number> {
  return (await timedRequest(new URL(address + rest), "GET")).ms;
}

async function visits(stopped: AbortSignal): Promise<Report> {
  const took: Record<Visit, number[]> = { read: [], diff: [], restore: [], blame: [] };
  try {
    while (!stopped.aborted) {
      for (const what of VISITS) took[what].push(await timed[what]());
    }
    return { took };
  } catch (error) {
    return { failed: String(error) };
  }
}

let stop = new AbortController();
process.on("message", (order: Order) => {
  if (order === "stop") return stop.abort();
  stop = new AbortController();
  void visits(stop.signal).then((report) => process.send?.(report));
});
process.on("disconnect", () => process.exit());
