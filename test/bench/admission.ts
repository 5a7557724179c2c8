/**
 * `npm run bench:admission`: what locks and path grants cost where writes are admitted, beside a context that has neither.
 *
 * 1. One process, a context in memory for each row and kind of write, no sockets and no disk: nothing but admission is in the
 *    figures.
 * 2. Writes are admitted in turns of many, as under load: what one of them costs is small then, and what is added to it shows.
 * 3. The rows take turns, starting with another row in each round; a row's figure is the median of its rounds, and its ratio
 *    that of the medians.
 * 4. Every write is admitted: each is where its author holds grants, and no other holds a lock.
 * 5. Rounds begin after a garbage collection that no row is charged for.
 *
 * Not here: whole servers (main.ts), how soon a lock is granted (scenarios/locks.ts).
 */
import * as Y from "yjs";
import type { Grant } from "../../shared/permission.ts";
import type { Write } from "../../server/state/writes.ts";
import { parseActor } from "../../shared/ids.ts";
import { LIMITS } from "../../shared/limits.ts";
import { Admission } from "../support/admission.ts";
import { callerOf } from "../support/callers.ts";

const ROUNDS = 41;
const WARM_UP_ROUNDS = 8;
const TURNS = 10;
const PER_TURN = 100;
const HOUR_MS = 3_600_000;
const AREAS = 100;

interface Row {
  readonly name: string;
  /** Of others, on paths of their own. */
  readonly locks: number;
  /** Locks that the writer's session holds, elsewhere. */
  readonly leases?: number;
  /** Of the writer; 0 makes it a writer everywhere. */
  readonly paths?: number;
}

const { sessionLeasesMax } = LIMITS;

const ROWS: readonly Row[] = [
  { name: "no locks, no list", locks: 0 },
  { name: "10 locks", locks: 10 },
  { name: "1,000 locks", locks: LIMITS.locksMax },
  { name: `${sessionLeasesMax} of the writer's own`, locks: 0, leases: sessionLeasesMax },
  { name: `${sessionLeasesMax} own, 900 of others`, locks: 900, leases: sessionLeasesMax },
  { name: "100 path grants", locks: 0, paths: AREAS },
  { name: "10 locks, 100 path grants", locks: 10, paths: AREAS },
  { name: "1,000 locks, 100 path grants", locks: LIMITS.locksMax, paths: AREAS },
];

type Kind = "live" | "json";

class Lane {
  readonly row: Row;
  readonly kind: Kind;
  readonly tookUs: number[] = [];
  readonly #admission: Admission;
  /** The write with this number. */
  readonly #write: (nth: number) => Write;

  constructor(row: Row, kind: Kind) {
    const { locks, leases = 0, paths = 0 } = row;
    this.row = row;
    this.kind = kind;
    const areas = Object.fromEntries(Array.from({ length: AREAS }, (_, i) => [`area${i}`, { text: "" }]));
    const held = Object.fromEntries(Array.from({ length: locks + leases }, (_, i) => [`held${i}`, { by: "somebody" }]));
    this.#admission = new Admission({ ...areas, ...held });
    for (let i = 0; i < locks; i++) this.#admission.lock(`holder${i % 10}`, [`/held${i}`], { ttlMs: HOUR_MS });
    if (paths > 0) this.#admission.acl(grantOf(paths));
    const identity = paths > 0 ? callerOf("ada").identity : undefined;
    const replica = this.#admission.client("ada", 1_000_003, identity);
    const own = Array.from({ length: leases }, (_, i) => replica.lock([`/held${locks + i}`], HOUR_MS));
    const tokens = own.map(({ token }) => token);
    this.#write = (nth) => {
      const [area, text] = [`area${nth % AREAS}`, `what was written as number ${nth}`];
      if (kind === "live") return replica.write(replica.make((data) => setText(data.get(area), text)));
      const ops = [{ op: "replace", path: `/${area}/text`, value: text }] as const;
      return { kind: "ops", actor: parseActor("ada"), origin: "rest", ops, tokens, ...(identity && { identity }) };
    };
  }

  round(nth: number): void {
    const writes = Array.from({ length: TURNS * PER_TURN }, (_, i) => this.#write(nth * TURNS * PER_TURN + i));
    global.gc?.();
    const before = process.cpuUsage();
    for (let turn = 0; turn < TURNS; turn++) this.#admit(writes.slice(turn * PER_TURN, (turn + 1) * PER_TURN));
    const { user, system } = process.cpuUsage(before);
    if (nth >= WARM_UP_ROUNDS) this.tookUs.push((user + system) / writes.length);
  }

  #admit(writes: readonly Write[]): void {
    const refused = this.#admission.admit(...writes).find(({ kind }) => kind !== "admitted");
    if (refused !== undefined) throw new Error(`${this.row.name}: a write was ${JSON.stringify(refused)}`);
  }
}

function setText(area: unknown, text: string): void {
  if (area instanceof Y.Map) area.set("text", text);
}

function grantOf(count: number): Grant {
  return { principal: "ada", role: "writer", paths: Array.from({ length: count }, (_, i) => `/area${i}`) };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;

const lanes = ROWS.flatMap((row) => [new Lane(row, "live"), new Lane(row, "json")]);
for (let nth = 0; nth < WARM_UP_ROUNDS + ROUNDS; nth++)
  for (let i = 0; i < lanes.length; i++) lanes[(nth + i) % lanes.length]?.round(nth);

const figureOf = (row: Row | undefined, kind: Kind): number =>
  median(lanes.find((lane) => lane.row === row && lane.kind === kind)?.tookUs ?? []);

console.log("| context                      | live edit, µs | × none | JSON change, µs | × none |");
console.log("| ---------------------------- | ------------: | -----: | --------------: | -----: |");
for (const row of ROWS) {
  const cells = (["live", "json"] as const).flatMap((kind) => {
    const us = figureOf(row, kind);
    return [us.toFixed(1).padStart(kind === "live" ? 13 : 15), (us / figureOf(ROWS[0], kind)).toFixed(2).padStart(6)];
  });
  console.log(`| ${[row.name.padEnd(28), ...cells].join(" | ")} |`);
}
