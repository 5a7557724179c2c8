/**
 * What the server tells of a frame, as a line for people.
 *
 * Not here: which frames there are (session-traffic.ts), the facts (server/sync/frame-facts.ts).
 */
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import type { SessionFrameView } from "../../../shared/protocol/rest-traffic.ts";
import type { FrameName } from "../../../shared/traffic.ts";
import { bytesText } from "./when.ts";

type Saying = readonly (string | undefined)[];

export function sayingOf({ type, facts }: Pick<SessionFrameView, "type" | "facts">): string {
  if (facts["isTooLarge"] === true) return "too large to be read here";
  if (facts["isMalformed"] === true) return ["cannot be read", word(facts, "rule")].filter(Boolean).join(": ");
  return SAYINGS[type](facts)
    .filter((part) => part !== undefined && part !== "")
    .join(" · ");
}

const update = (facts: JsonObject): Saying => [
  number("#", facts, "frame"),
  paths(facts),
  kinds(facts),
  facts["deletes"] === 0 ? undefined : count(facts, "deletes", "deleted range"),
  clients(facts),
];

const SAYINGS: Readonly<Record<FrameName, (facts: JsonObject) => Saying>> = {
  step1: (facts) => [`what is there beyond ${clients(facts) ?? "nothing"}?`],
  step2: update,
  update,
  awareness: (facts) => [clients(facts) ?? "nobody: a sign of life"],
  auth: () => [],
  "query-awareness": () => ["who is here?"],
  hello: (facts) => [number("epoch ", facts, "epoch"), number("v", facts, "version")],
  ack: (facts) => [number("up to #", facts, "frames"), number("v", facts, "version")],
  rejected: (facts) => [number("#", facts, "frame"), word(facts, "code"), word(facts, "rule"), paths(facts)],
  commit: (facts) => [
    number("v", facts, "version"),
    list(facts, "actors").join(", "),
    paths(facts),
    facts["changes"] === 1 ? undefined : count(facts, "changes", "change"),
    size(facts["updateBytes"]),
  ],
  request: (facts) => [
    numbered(word(facts, "method") ?? "?", facts),
    paths(facts),
    word(facts, "mode"),
    number("if v", facts, "ifVersion"),
  ],
  response: (facts) => [
    numbered(facts["ok"] === true ? "ok" : (word(facts, "code") ?? "refused"), facts),
    word(facts, "rule"),
    number("v", facts, "version"),
    paths(facts) ?? word(facts, "path"),
  ],
  event: (facts) => [
    [word(facts, "event"), word(facts, "op")].filter(Boolean).join(" "),
    word(facts, "actor"),
    paths(facts) ?? word(facts, "path"),
    word(facts, "kind"),
    number("v", facts, "version"),
  ],
  token: () => ["a new token"],
  base: (facts) => [number("made on v", facts, "version")],
  unknown: () => ["no frame of the protocol"],
};

/** The number by which an answer names its request. */
function numbered(what: string, facts: JsonObject): string {
  return `${what} (${number("", facts, "id") ?? "?"})`;
}

function word(facts: JsonObject, name: string): string | undefined {
  const value = facts[name];
  return typeof value === "string" ? value : undefined;
}

function number(before: string, facts: JsonObject, name: string): string | undefined {
  const value = facts[name];
  return typeof value === "number" ? `${before}${value}` : undefined;
}

function count(facts: JsonObject, name: string, what: string): string | undefined {
  const value = facts[name];
  return typeof value === "number" ? `${value} ${what}${value === 1 ? "" : "s"}` : undefined;
}

function list(facts: JsonObject, name: string): readonly string[] {
  const value = facts[name];
  const texts = Array.isArray(value) ? value.filter((it) => typeof it === "string") : [];
  const more = Number(facts[`${name}Count`] ?? 0) - texts.length;
  return more > 0 ? [...texts, `+${more}`] : texts;
}

function paths(facts: JsonObject): string | undefined {
  const named = list(facts, "paths").map((path) => (path === "" ? "everything" : path));
  return named.length === 0 ? undefined : named.join("  ");
}

function kinds(facts: JsonObject): string | undefined {
  const value = facts["kinds"];
  if (!isJsonObject(value)) return undefined;
  return Object.entries(value)
    .map(([kind, times]) => `${textOf(times)} ${kind}`)
    .join(", ");
}

function clients(facts: JsonObject): string | undefined {
  const value = facts["clients"];
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const more = Number(facts["clientsCount"] ?? 0) - value.length;
  return [...value.map(client), ...(more > 0 ? [`+${more}`] : [])].join(", ");
}

/** Of the updates in a commit: who made them all is sent none. */
function size(bytes: Json | undefined): string | undefined {
  return typeof bytes === "number" && bytes > 0 ? bytesText(bytes) : undefined;
}

/** "ada 7:12", "7:12–14" for three clocks, "7 left". */
function client(it: Json): string {
  if (!isJsonObject(it)) return "?";
  const { id, clock, from, to, actor, hasLeft } = it;
  if (hasLeft === true) return `${textOf(id)} left`;
  const name = typeof actor === "string" ? `${actor} ` : "";
  if (typeof from !== "number" || typeof to !== "number") return `${name}${textOf(id)}:${textOf(clock)}`;
  return `${name}${textOf(id)}:${from}${to - from > 1 ? `–${to - 1}` : ""}`;
}

function textOf(value: Json | undefined): string {
  return typeof value === "number" || typeof value === "string" ? String(value) : "?";
}
