/** The console of docs/locks.md, typed into the real service: what it prints is what the page says. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../server/cli/program.ts";
import { LIMITS } from "../../shared/limits.ts";
import { read } from "../arch/source.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { startRestServer } from "../support/rest-server.ts";
import { startService } from "../support/service-rig.ts";
import { noServer, TestIo } from "./cli-harness.ts";

const page = read("docs/locks.md").text;
const clock = new ManualClock();
let rig: Awaited<ReturnType<typeof startService>>;
let server: Awaited<ReturnType<typeof startRestServer>>;

beforeAll(async () => {
  rig = await startService(undefined, undefined, undefined, clock);
  server = await startRestServer(rig.guard, clock);
});
afterAll(async () => {
  await server.close();
  await rig.service.close();
  await rig.storage.close();
});

interface Step {
  readonly command: string;
  /** Seconds that pass while it waits, or after it. */
  readonly seconds: number;
  readonly prints: string;
}

/** `$ command`, what it prints, and `# 30 seconds later` between. */
const steps = [...page.matchAll(/^```console\n(.*?)^```$/gms)].flatMap(([, block = ""]) =>
  block.split(/^\$ /m).flatMap((text): Step[] => {
    const [command = "", ...lines] = text.trimEnd().split("\n");
    const later = lines.findIndex((line) => line.startsWith("# "));
    const [, seconds = 0] = /^# (\d+) seconds later$/.exec(lines[later] ?? "") ?? [];
    const prints = lines.filter((_, index) => index !== later).join("\n");
    return command === "" ? [] : [{ command, seconds: Number(seconds), prints }];
  }),
);

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;
/** What the ids of the page are here. */
const ids = new Map<string, string>();

/** Ids and times are others each time. */
function plain(text: string): string {
  return text.replaceAll(UUID, "<id>").replaceAll(/\d{4}-\d\d-\d\dT[\d:.]{12}Z/g, "<time>");
}

async function typed({ command, seconds }: Step): Promise<string> {
  const here = command.replaceAll(UUID, (id) => ids.get(id) ?? id);
  const args = [...here.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
  const io = new TestIo({ MCM_URL: server.url });
  const timers = clock.timerCount;
  const done = runCli(args.slice(1), { io, start: noServer });
  if (args.includes("--wait")) {
    await expect.poll(() => clock.timerCount).toBe(timers + 1);
    clock.advance(seconds * 1000);
  }
  await done;
  if (!args.includes("--wait")) clock.advance(seconds * 1000);
  return [...io.lines, ...io.errors].join("\n");
}

test("[LOCK-2] [LOCK-4] [LOCK-7] [LOCK-8] [LOCK-13] docs/locks.md says what happens", async () => {
  expect(steps).toHaveLength(17);
  for (const step of steps) {
    const printed = await typed(step);
    expect([step.command, plain(printed)]).toEqual([step.command, plain(step.prints)]);
    const actual = printed.match(UUID) ?? [];
    (step.prints.match(UUID) ?? []).forEach((id, index) => ids.set(id, actual[index] ?? ""));
  }
});

test("docs/locks.md has the limits of the product", () => {
  expect(page).toContain(`${LIMITS.lockTtlMsDefault / 1000} seconds unless you say otherwise`);
  expect(page).toContain("1 second to 10 minutes");
  expect([LIMITS.lockTtlMsMin, LIMITS.lockTtlMsMax, LIMITS.lockWaitMsMax]).toEqual([1000, 600_000, 60_000]);
  expect(page).toContain("at most 1,000 locks, a lock at most 64 paths, and 1,000 requests may wait");
  expect(page).toContain("500 of each may be one actor's");
  expect([LIMITS.actorLocksMax, LIMITS.actorLockWaitersMax]).toEqual([500, 500]);
  expect([LIMITS.locksMax, LIMITS.lockPathsMax, LIMITS.lockWaitersMax]).toEqual([1000, 64, 1000]);
});
