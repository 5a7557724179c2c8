/**
 * How the past, its authors and conflicts look to people.
 */
import type { JsonOp } from "../../shared/change.ts";
import type { Json } from "../../shared/json.ts";
import type { ConflictView } from "../../shared/protocol/rest-conflicts.ts";
import type { BlameView, CheckpointView, RevertResult } from "../../shared/protocol/rest-history.ts";
import type { ChangeView } from "../../shared/protocol/rest.ts";
import { jsonText, pathsText, pathText, safe, table } from "./output.ts";
import type { Colors } from "./output.ts";

/** Values in tables are cut here, so that a row stays a line; --json has them whole. */
const CELL_CHARS_MAX = 60;

export function changeTable(changes: readonly ChangeView[], color: Colors): string {
  const rows = changes.map(({ version, at, actor, origin, paths, message = "" }) => [
    String(version),
    at,
    safe(actor),
    origin,
    pathsText(paths),
    safe(message),
  ]);
  return table([["VERSION", "WHEN", "WHO", "VIA", "PATHS", "MESSAGE"], ...rows], color);
}

export function blameTable({ lines }: BlameView, color: Colors): string {
  const rows = lines.map(({ version, at = "", actor = "", message = "", ...place }) => [
    version === undefined ? "-" : String(version),
    at,
    safe(actor),
    placeText(place),
    safe(message),
  ]);
  return table([["VERSION", "WHEN", "WHO", "WHAT", "MESSAGE"], ...rows], color);
}

/** `/list/2` for an element, `/notes@12 "a passage"` for a run of a text. */
function placeText({
  path,
  index,
  start,
  text,
}: Pick<BlameView["lines"][number], "path" | "index" | "start" | "text">): string {
  const element = index === undefined ? "" : `/${index}`;
  const run = text === undefined ? "" : `${start === undefined ? "" : `@${start}`} ${valueText(text)}`;
  return `${pathText(path)}${element}${run}`;
}

export function checkpointTable(checkpoints: readonly CheckpointView[], color: Colors): string {
  const rows = checkpoints.map(({ name, version, at, actor, message = "" }) => [
    safe(name),
    String(version),
    at,
    safe(actor),
    safe(message),
  ]);
  return table([["NAME", "VERSION", "WHEN", "WHO", "MESSAGE"], ...rows], color);
}

export function conflictTable(conflicts: readonly ConflictView[], color: Colors): string {
  const rows = conflicts.map(({ id, status, kind, path, winner, loser }) => [
    id,
    status,
    kind,
    pathText(path),
    sideText(winner),
    sideText(loser),
  ]);
  return table([["ID", "STATUS", "KIND", "PATH", "WINNER", "LOSER"], ...rows], color);
}

function sideText({ actor = "somebody", version, value }: ConflictView["winner"]): string {
  const what = value === undefined ? "(deleted)" : valueText(value);
  return `${safe(actor)}${version === undefined ? "" : ` v${version}`}: ${what}`;
}

/** One line an operation: `replace  /title  "Two"`. */
export function opLines(ops: readonly JsonOp[], color: Colors): string {
  const width = Math.max(...ops.map(({ op }) => op.length));
  return ops.map((op) => `${color.bold(op.op.padEnd(width))}  ${pathText(op.path)}${operandText(op)}`).join("\n");
}

function operandText(op: JsonOp): string {
  if ("value" in op) return `  ${jsonText(op.value)}`;
  if ("from" in op) return `  from ${pathText(op.from)}`;
  const { op: _, path: __, ...rest } = op;
  return Object.keys(rest).length === 0 ? "" : `  ${jsonText(rest)}`;
}

/** What a restore or an undo left as it is, one line a place. */
export function keptLines(kept: RevertResult["kept"]): string {
  return kept
    .map(({ path, reason, by }) => {
      if (reason === "not-json") return `kept ${pathText(path)}: JSON has no form for it`;
      const who = by?.actor === undefined ? "others" : safe(by.actor);
      return `kept ${pathText(path)}: ${who} wrote there since${by?.version === undefined ? "" : `, at version ${by.version}`}`;
    })
    .join("\n");
}

function valueText(value: Json): string {
  const text = jsonText(value);
  return text.length <= CELL_CHARS_MAX ? text : `${text.slice(0, CELL_CHARS_MAX - 1)}…`;
}
