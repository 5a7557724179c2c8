/**
 * The probe on whatever is admitted: honest histories, damaged and hostile updates. It neither throws nor leaves a trace.
 *
 * MCM_FUZZ multiplies the counts; MCM_SEED replaces the fixed seed, which is printed when something fails.
 */
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { ServiceError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { parsePath } from "../../shared/path.ts";
import { CollectedPlaces } from "../../server/state/conflict/collected-places.ts";
import { ConflictProbe } from "../../server/state/conflict/conflict-detector.ts";
import type { Detected } from "../../server/state/conflict/conflict-detector.ts";
import { touchOf } from "../../server/state/update/touched-paths.ts";
import { scanUpdate } from "../../server/state/update/update-scanner.ts";
import { intBelow, pick, randomFrom, runHistory } from "../support/editing-history.ts";
import type { Random } from "../support/editing-history.ts";
import { HOSTILE_UPDATES, victimDoc } from "../support/hostile-updates.ts";

const SEED = Number(process.env["MCM_SEED"] ?? 20_263);
const TIMES = Number(process.env["MCM_FUZZ"] ?? 1);
const HISTORIES = 200 * TIMES;
const MUTATIONS = 20_000 * TIMES;
const TIMEOUT_MS = 60_000 * Math.max(1, TIMES);

/** Judges as admission does; undefined when the update is refused. */
function probed(
  doc: Y.Doc,
  update: Uint8Array,
  { random, collected }: { random: Random; collected: CollectedPlaces },
): readonly Detected[] | undefined {
  let scanned;
  try {
    scanned = scanUpdate(update);
    touchOf(doc, scanned);
  } catch (error) {
    if (error instanceof ServiceError) return undefined;
    throw error;
  }
  const salt = intBelow(random, 7);
  const options = {
    update,
    collected,
    isWhole: random() < 0.5,
    ...(random() < 0.5 && { knows: (client: number, clock: number) => (client + clock + salt) % 3 !== 0 }),
  };
  let found: readonly Detected[] = [];
  doc.transact(() => {
    const probe = new ConflictProbe(doc, scanned, options);
    Y.applyUpdate(doc, update);
    found = probe.conflicts();
  });
  for (const { path, winner, loser } of found) {
    parsePath(path);
    for (const { value = null } of [winner, loser]) {
      const bytes = new TextEncoder().encode(JSON.stringify(value)).byteLength;
      expect(bytes).toBeLessThanOrEqual(LIMITS.conflictValueBytesMax);
    }
  }
  expect(found.length).toBeLessThanOrEqual(LIMITS.conflictsPerChangeMax);
  return found;
}

function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  const at = intBelow(random, bytes.length);
  const byte = bytes[at] ?? 0;
  return pick(random, [
    () => bytes.with(at, byte ^ (1 << intBelow(random, 8))),
    () => bytes.with(at, (byte + pick(random, [1, 255, 2] as const)) & 255),
    () => bytes.with(at, intBelow(random, 12)),
    () => Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1 + intBelow(random, 3))]),
  ] as const)();
}

describe("[CONFLICT-8] the probe never throws and leaves no trace", () => {
  test(`${HISTORIES} honest histories, each with a twin that nobody probes`, { timeout: TIMEOUT_MS }, () => {
    let conflicts = 0;
    for (let run = 0; run < HISTORIES; run++) {
      const server = new Y.Doc();
      const twin = new Y.Doc();
      for (const doc of [server, twin]) doc.clientID = 1_000_000;
      server.getMap("data");
      twin.getMap("data");
      const context = { random: randomFrom(run), collected: new CollectedPlaces(server) };
      try {
        runHistory(randomFrom(SEED + run), 40, server, ({ update }) => {
          conflicts += probed(server, update, context)?.length ?? 0;
          Y.applyUpdate(twin, update);
        });
        expect(Y.encodeStateAsUpdate(server)).toEqual(Y.encodeStateAsUpdate(twin));
      } catch (error) {
        throw new Error(`MCM_SEED=${SEED + run} fails in its first history`, { cause: error });
      }
    }
    expect(conflicts).toBeGreaterThan(HISTORIES);
  });

  test(`${MUTATIONS} damaged updates`, { timeout: TIMEOUT_MS }, () => {
    const samples: { state: Uint8Array; update: Uint8Array }[] = [];
    for (let run = 0; run < 40; run++) {
      const server = new Y.Doc();
      runHistory(randomFrom(SEED + run), 40, server, ({ update }) => {
        samples.push({ state: Y.encodeStateAsUpdate(server), update });
        Y.applyUpdate(server, update);
      });
    }
    const random = randomFrom(SEED);
    let accepted = 0;
    for (let i = 0; i < MUTATIONS; i++) {
      const { state, update } = samples[intBelow(random, samples.length)] ?? {
        state: Uint8Array.of(0, 0),
        update: Uint8Array.of(0, 0),
      };
      const damaged = mutated(random, update);
      // most are refused, which needs no document of their own
      if (!isScanned(damaged)) continue;
      const doc = new Y.Doc();
      doc.getMap("data");
      Y.applyUpdate(doc, state);
      try {
        if (probed(doc, damaged, { random, collected: new CollectedPlaces(doc) }) !== undefined) accepted++;
      } catch (error) {
        throw new Error(`MCM_SEED=${SEED}, number ${i}: ${damaged.join()}`, { cause: error });
      }
    }
    expect(accepted).toBeGreaterThan(MUTATIONS / 100);
  });

  test("hostile updates are refused before, and judged if they were not", () => {
    for (const { name, update } of HOSTILE_UPDATES) {
      const doc = victimDoc();
      const context = { random: randomFrom(1), collected: new CollectedPlaces(doc) };
      expect([name, probed(doc, update, context)]).toEqual([name, undefined]);
    }
  });
});

function isScanned(update: Uint8Array): boolean {
  try {
    scanUpdate(update);
    return true;
  } catch {
    return false;
  }
}
