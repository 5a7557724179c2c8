/**
 * `npm run bench:admission`: what locks and path grants cost where writes are admitted, beside a context that has neither.
 *
 * 1. One process, one context in memory for each row, no sockets and no disk: nothing but admission is in the figures.
 * 2. The rows take turns, a batch of updates each, starting with another row in each round; a row's figure is the median of its
 *    rounds, and its ratio that of the medians.
 * 3. Every update is admitted: each writes where its author holds grants, and no other holds a lock.
 * 4. Rounds end in a garbage collection that no row is charged for.
 *
 * Not here: whole servers (main.ts).
 */
import * as Y from "yjs";
import type { Grant } from "../../shared/permission.ts";
import { Admission } from "../support/admission.ts";
import { callerOf } from "../support/callers.ts";

const ROUNDS = 41;
const WARM_UP_ROUNDS = 8;
const PER_ROUND = 500;
const HOUR_MS = 3_600_000;
const GRANTED_PATHS = 100;

interface Row {
  readonly name: string;
  /** Of others, on paths of their own. */
  readonly locks: number;
  /** Of the writer; 0 makes it a writer everywhere. */
  readonly paths: number;
}

const ROWS: readonly Row[] = [
  { name: "no locks, no list", locks: 0, paths: 0 },
  { name: "10 locks", locks: 10, paths: 0 },
  { name: "1,000 locks", locks: 1000, paths: 0 },
  { name: "100 path grants", locks: 0, paths: GRANTED_PATHS },
  { name: "10 locks, 100 path grants", locks: 10, paths: GRANTED_PATHS },
  { name: "1,000 locks, 100 path grants", locks: 1000, paths: GRANTED_PATHS },
];

class Lane {
  readonly name: string;
  readonly tookUs: number[] = [];
  readonly #admission: Admission;
  readonly #send: (change: (data: Y.Map<unknown>) => void) => Uint8Array;
  readonly #write: (update: Uint8Array) => ReturnType<ReturnType<Admission["client"]>["write"]>;

  constructor({ name, locks, paths }: Row) {
    this.name = name;
    const areas = Object.fromEntries(Array.from({ length: GRANTED_PATHS }, (_, i) => [`area${i}`, { text: "" }]));
    const held = Object.fromEntries(Array.from({ length: locks }, (_, i) => [`held${i}`, { by: "somebody" }]));
    this.#admission = new Admission({ ...areas, ...held });
    for (let i = 0; i < locks; i++) this.#admission.lock(`holder${i % 10}`, [`/held${i}`], { ttlMs: HOUR_MS });
    if (paths > 0) this.#admission.acl(grantOf(paths));
    const identity = paths > 0 ? { identity: callerOf("ada").identity } : {};
    const replica = this.#admission.client("ada", 1_000_003, identity.identity);
    this.#send = (change) => replica.make(change);
    this.#write = (update) => replica.write(update);
  }

  round(nth: number): void {
    const updates = Array.from({ length: PER_ROUND }, (_, i) => {
      const place = nth * PER_ROUND + i;
      return this.#send((data) => {
        const area = data.get(`area${place % GRANTED_PATHS}`);
        if (area instanceof Y.Map) area.set("text", `what was written as number ${place}`);
      });
    });
    const writes = updates.map((update) => this.#write(update));
    global.gc?.();
    const before = process.cpuUsage();
    const verdicts = writes.map((write) => this.#admission.admit(write)[0]);
    const { user, system } = process.cpuUsage(before);
    const refused = verdicts.find((verdict) => verdict?.kind !== "admitted");
    if (refused !== undefined) throw new Error(`${this.name}: an update was ${JSON.stringify(refused)}`);
    if (nth >= WARM_UP_ROUNDS) this.tookUs.push((user + system) / PER_ROUND);
  }
}

function grantOf(count: number): Grant {
  return { principal: "ada", role: "writer", paths: Array.from({ length: count }, (_, i) => `/area${i}`) };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

const lanes = ROWS.map((row) => new Lane(row));
for (let nth = 0; nth < WARM_UP_ROUNDS + ROUNDS; nth++)
  for (let i = 0; i < lanes.length; i++) lanes[(nth + i) % lanes.length]?.round(nth);

const base = median(lanes[0]?.tookUs ?? []);
console.log("| context                      | CPU per update, µs | × none |");
console.log("| ---------------------------- | -----------------: | -----: |");
for (const { name, tookUs } of lanes) {
  const us = median(tookUs);
  console.log(`| ${name.padEnd(28)} | ${us.toFixed(1).padStart(18)} | ${(us / base).toFixed(2).padStart(6)} |`);
}
