/**
 * Every kind of concurrent write, carried out: what the data is in the end, what is told, what each policy makes of it.
 * docs/concurrent-writes.md is made from this.
 *
 * Not here: how the page is held against it (test/unit/concurrent-writes.test.ts).
 */
import * as Y from "yjs";
import type { JsonOp } from "../../shared/change.ts";
import type { ConflictPolicy } from "../../shared/conflict.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { findMarked, readData } from "../../shared/read-data.ts";
import { resolutionOf } from "../../server/state/conflict/conflict-resolver.ts";
import type { Detected } from "../../server/state/conflict/conflict-detector.ts";
import { applyJsonOps } from "../../server/state/json/json-changes.ts";
import { ConflictLab, LabClient } from "./conflict-lab.ts";

type Data = Y.Map<unknown>;

/** A live edit, made in a replica that has not seen the other write, or a JSON change, which is made on the present. */
type Write =
  | { readonly says: string; readonly live: (data: Data) => void }
  | { readonly says: string; readonly ops: readonly JsonOp[] };

interface Scenario {
  readonly start: JsonObject;
  readonly first: Write;
  readonly second: Write;
  /** The second sender says which version it had seen. */
  readonly knows?: true;
}

interface Group {
  readonly title: string;
  readonly scenarios: readonly Scenario[];
}

/** Under which the server writes JSON changes: below, or above, that of every client here. */
const SERVER_IDS = { low: 2, high: 1_000_000 } as const;

const at = (data: Data, ...path: readonly (string | number)[]): unknown =>
  path.reduce<unknown>(
    (value, step) => (value instanceof Y.Array ? value.get(Number(step)) : (value as Data).get(String(step))),
    data,
  );
const objectAt = (data: Data, ...path: readonly (string | number)[]): Data => at(data, ...path) as Data;
const listAt = (data: Data, ...path: readonly (string | number)[]): Y.Array<unknown> =>
  at(data, ...path) as Y.Array<unknown>;
const textAt = (data: Data, ...path: readonly (string | number)[]): Y.Text => at(data, ...path) as Y.Text;
const newObject = (members: JsonObject): Data => new Y.Map(Object.entries(members));

const sets = (key: string, value: Json): Write => ({
  says: `sets \`${key}\` to ${code(value)}`,
  live: (data) =>
    data.set(
      key,
      typeof value === "object" && value !== null && !Array.isArray(value) ? newObject(value as JsonObject) : value,
    ),
});
const deletes = (key: string): Write => ({ says: `deletes \`${key}\``, live: (data) => data.delete(key) });
const setsIn = (key: string, member: string, value: Json): Write => ({
  says: `sets \`${key}/${member}\` to ${code(value)}`,
  live: (data) => objectAt(data, key).set(member, value),
});
const inserts = (index: number, value: Json): Write => ({
  says: `inserts ${code(value)} at ${index}`,
  live: (data) => listAt(data, "list").insert(index, [value]),
});
const removes = (index: number): Write => ({
  says: `deletes element ${index}`,
  live: (data) => listAt(data, "list").delete(index, 1),
});
const types = (index: number, letters: string): Write => ({
  says: `types ${code(letters)} at ${index}`,
  live: (data) => textAt(data, "text").insert(index, letters),
});
const cuts = (index: number, count: number): Write => ({
  says: `deletes ${count} characters at ${index}`,
  live: (data) => textAt(data, "text").delete(index, count),
});
const change = (...ops: readonly JsonOp[]): Write => ({
  says: ops.map((op) => `JSON: ${code(op as unknown as Json)}`).join(", "),
  ops,
});

export const GROUPS: readonly Group[] = [
  {
    title: "One key",
    scenarios: [
      { start: {}, first: sets("k", "a"), second: sets("k", "b") },
      { start: {}, first: sets("k", "a"), second: sets("k", "a") },
      { start: {}, first: sets("k", { a: 1 }), second: sets("k", { b: 2 }) },
      { start: {}, first: sets("k", "ab"), second: sets("k", "abc") },
      { start: { k: 0 }, first: deletes("k"), second: sets("k", 1) },
      { start: { k: 0 }, first: sets("k", 1), second: deletes("k") },
      { start: { k: 0 }, first: deletes("k"), second: deletes("k") },
      { start: { n: 5 }, first: sets("n", 6), second: sets("n", 6) },
    ],
  },
  {
    title: "Inside an object",
    scenarios: [
      { start: { o: {} }, first: setsIn("o", "a", 1), second: setsIn("o", "b", 2) },
      { start: { o: {} }, first: setsIn("o", "a", 1), second: setsIn("o", "a", 2) },
      { start: { o: { a: 0 } }, first: deletes("o"), second: setsIn("o", "b", 1) },
      { start: { o: { a: 0 } }, first: sets("o", { c: 1 }), second: setsIn("o", "b", 1) },
      { start: { o: { a: 0 } }, first: setsIn("o", "b", 1), second: deletes("o") },
      { start: { o: { a: 0 } }, first: setsIn("o", "b", 1), second: deletes("o"), knows: true },
      { start: { o: { a: 0 } }, first: setsIn("o", "b", 1), second: sets("o", { c: 1 }), knows: true },
    ],
  },
  {
    title: "An array, and its elements",
    scenarios: [
      { start: { list: [1] }, first: inserts(1, 2), second: inserts(1, 3) },
      { start: { list: [1, 2] }, first: removes(0), second: inserts(1, 3) },
      { start: { list: [1, 2] }, first: removes(0), second: removes(0) },
      {
        start: { list: [{ a: 0 }] },
        first: { says: "sets `a` of element 0 to `1`", live: (data) => objectAt(data, "list", 0).set("a", 1) },
        second: { says: "sets `a` of element 0 to `2`", live: (data) => objectAt(data, "list", 0).set("a", 2) },
      },
      {
        start: { list: [{ a: 0 }] },
        first: removes(0),
        second: { says: "sets `a` of element 0 to `1`", live: (data) => objectAt(data, "list", 0).set("a", 1) },
      },
      {
        start: { list: [{ a: 0 }, "x"] },
        first: {
          says: "moves element 0 to the end (deletes it, inserts a copy)",
          live: (data) => {
            listAt(data, "list").delete(0, 1);
            listAt(data, "list").insert(1, [newObject({ a: 0 })]);
          },
        },
        second: { says: "sets `a` of element 0 to `1`", live: (data) => objectAt(data, "list", 0).set("a", 1) },
      },
      { start: { list: [1] }, first: deletes("list"), second: inserts(1, 2) },
      { start: { list: [1] }, first: sets("list", "none"), second: inserts(1, 2) },
    ],
  },
  {
    title: "A text",
    scenarios: [
      { start: { text: { $text: "ab" } }, first: types(1, "X"), second: types(1, "Y") },
      { start: { text: { $text: "ab" } }, first: types(0, "X"), second: types(2, "Y") },
      { start: { text: { $text: "abcd" } }, first: cuts(0, 4), second: types(2, "Y") },
      { start: { text: { $text: "abcd" } }, first: cuts(0, 3), second: cuts(1, 3) },
      { start: { text: { $text: "ab" } }, first: deletes("text"), second: types(2, "Y") },
      { start: { text: { $text: "ab" } }, first: sets("text", "plain"), second: types(2, "Y") },
      { start: { text: { $text: "ab" } }, first: types(2, "X"), second: deletes("text") },
      { start: { text: { $text: "ab" } }, first: types(2, "X"), second: deletes("text"), knows: true },
    ],
  },
  {
    title: "JSON changes, which are made on the present, and live edits",
    scenarios: [
      {
        start: { n: 5 },
        first: change({ op: "increment", path: "/n", by: 1 }),
        second: change({ op: "increment", path: "/n", by: 1 }),
      },
      { start: { n: 5 }, first: change({ op: "increment", path: "/n", by: 1 }), second: sets("n", 7) },
      { start: { n: 5 }, first: sets("n", 7), second: change({ op: "increment", path: "/n", by: 1 }) },
      {
        start: { k: 0 },
        first: change({ op: "add", path: "/k", value: 1 }),
        second: change({ op: "add", path: "/k", value: 2 }),
      },
      { start: { k: 0 }, first: change({ op: "remove", path: "/k" }), second: sets("k", 2) },
      {
        start: { o: { a: 0 } },
        first: change({ op: "merge", path: "/o", value: { b: 1 } }),
        second: setsIn("o", "c", 2),
      },
      {
        start: { o: { a: 0 } },
        first: change({ op: "replace", path: "/o", value: { b: 1 } }),
        second: setsIn("o", "c", 2),
      },
      { start: { o: { a: 0 } }, first: change({ op: "move", from: "/o", path: "/p" }), second: setsIn("o", "c", 2) },
      { start: { list: [1, 2] }, first: change({ op: "remove", path: "/list/0" }), second: inserts(2, 3) },
      {
        start: { text: { $text: "one two" } },
        first: change({ op: "edit_text", path: "/text", old: "two", new: "2" }),
        second: types(0, "zero "),
      },
      {
        start: { text: { $text: "one two" } },
        first: change({ op: "replace", path: "/text", value: "one three" }),
        second: types(0, "zero "),
      },
    ],
  },
];

export interface Outcome {
  readonly data: Json;
  readonly told: readonly Detected[];
  /** Whether something is left for somebody to decide. */
  readonly isOpen: boolean;
}

/** @param idsRise whether the second writer has the higher Yjs client id, and so wins where a key is set twice */
export function outcomeOf(
  { start, first, second, knows }: Scenario,
  policy: ConflictPolicy,
  idsRise: boolean,
): Outcome {
  const lab = new ConflictLab(idsRise ? SERVER_IDS.low : SERVER_IDS.high);
  applyJsonOps(lab.doc, [{ op: "add", path: "", value: start }], "start");
  const [a, b] = (idsRise ? [10, 20] : [20, 10]).map((id) => new LabClient(id, lab.doc)) as [LabClient, LabClient];
  const seen = Y.decodeStateVector(Y.encodeStateVector(b.doc));
  const had = (client: number, clock: number): boolean => clock < (seen.get(client) ?? 0);
  const options = knows === true ? { knows: had } : {};
  const late = "live" in second ? b.edit(second.live) : undefined;
  if ("live" in first) lab.take(a.edit(first.live));
  else applyJsonOps(lab.doc, first.ops, "first");
  if ("ops" in second) applyJsonOps(lab.doc, second.ops, "second");
  const told = late === undefined ? [] : lab.take(late, options);
  let isOpen = false;
  for (const detected of told) {
    const { status, ops } = resolutionOf(policy, detected, (path) => findMarked(lab.doc, path));
    if (status === "open") isOpen = true;
    applyJsonOps(lab.doc, ops, "resolver");
  }
  return { data: readData(lab.doc, ""), told, isOpen };
}

export function pageOfWrites(): string {
  return `${INTRODUCTION}${GROUPS.map(sectionOf).join("\n")}`;
}

const INTRODUCTION = `# What concurrent writes give

Two writers change the same thing, the second without having seen the first. Yjs merges what can be merged: members of an
object, elements of an array, characters of a text. Where it keeps one of two writes, the server tells of a conflict and
keeps what lost. Of two values set for one key the one of the higher Yjs client id stays, whichever came first: rows with
"or" show both cases.

\`record\` lets the result stand, as does \`manual\`, which leaves the conflict open until somebody resolves it. \`first-wins\`
and \`merge\` write a change of their own; their columns say what the data is then, "stands" where they write nothing, and
"open" where they leave the decision to somebody. "In elements" is said of places inside an array: elements have no names of
their own, so the conflict has the array's path, and no side can be put back there by the server.

A JSON change (REST, CLI, \`update\`) is made on the present data, so it never loses against what is there. Whether the
present is what its author had read, \`ifVersion\` says. Of what the sender of a live edit had seen the server knows only if
the client tells it, as our SDK does ("says what it had seen"); a stock Yjs client does not.

_This page is made by \`UPDATE_DOCS=1 npx vitest run --project unit test/unit/concurrent-writes.test.ts\`, and held by the same test._

`;

const HEADINGS = ["Before", "First", "Second", "Result", "Told", "first-wins", "merge"];

function sectionOf({ title, scenarios }: Group): string {
  return `## ${title}\n\n${tableOf([HEADINGS, ...scenarios.map(rowOf)])}`;
}

function rowOf(scenario: Scenario): readonly string[] {
  const both = (show: (outcome: Outcome, idsRise: boolean) => string, policy: ConflictPolicy = "record"): string =>
    eitherOf([true, false].map((idsRise) => show(outcomeOf(scenario, policy, idsRise), idsRise)));
  const byPolicy = (policy: ConflictPolicy): string =>
    both(({ data, isOpen, told }, idsRise) => {
      if (told.length === 0) return "";
      const stands = code(data) === code(outcomeOf(scenario, "record", idsRise).data);
      return isOpen ? "open" : stands ? "stands" : code(data);
    }, policy);
  const { start, first, second, knows } = scenario;
  return [
    code(start),
    first.says,
    `${second.says}${knows === true ? "; says what it had seen" : ""}`,
    both(({ data }) => code(data)),
    both(({ told }) => told.map(toldOf).join("; ")),
    byPolicy("first-wins"),
    byPolicy("merge"),
  ];
}

function toldOf({ kind, path, isNested, winner, loser }: Detected): string {
  const side = ({ value }: Detected["winner"]): string => (value === undefined ? "the deletion" : code(value));
  return `\`${kind}\` ${isNested === true ? "in elements of" : "at"} \`${path}\`: ${side(loser)} lost to ${side(winner)}`;
}

/** What both cases give, said once if it is the same. */
function eitherOf(cases: readonly string[]): string {
  return [...new Set(cases)].join(" or ");
}

function code(value: Json): string {
  const text = JSON.stringify(value).replaceAll("|", "\\|");
  return `\`${text}\``;
}

/** Columns as wide as their widest cell, as the formatter leaves it. */
function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |\n`;
  const [headings = [], ...others] = rows;
  return line(headings) + line(widths.map((width) => "-".repeat(width))) + others.map(line).join("");
}
