/**
 * Another build of our server, to be measured beside this one: what a change costs is the difference of the two in one run.
 *
 *     BENCH_EARLIER=/tmp/main/dist/server/main.js npm run bench -- --only saturation --servers ours,earlier
 *
 * Not here: making that build.
 */
import { urlIn } from "./adapter.ts";
import type { ServerAdapter } from "./adapter.ts";
import { ours } from "./ours.ts";

const MAIN = process.env["BENCH_EARLIER"];

/** None unless a build is named. */
export const earlier: readonly ServerAdapter[] =
  MAIN === undefined
    ? []
    : [
        {
          ...ours,
          id: "earlier",
          label: "ours, the other build",
          command: async (dataDir) => ({ argv: [MAIN, "serve", "--port", "0", "--data-dir", dataDir], urlIn }),
        },
      ];
