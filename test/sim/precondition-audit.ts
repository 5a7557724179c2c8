/**
 * Answers to changes that named a version, against what happened after it.
 *
 *  PRE-2  what was carried out met no change at its places, also when it changed nothing; what was refused did
 *  PRE-3  in scope `context`, no change at all
 *  PRE-4  or the log no longer says
 */
import { isJsonObject } from "../../shared/json.ts";
import type { JsonOp } from "../../shared/change.ts";
import { overlaps, parsePath } from "../../shared/path.ts";
import type { Answer, KeyedChange } from "./ledger.ts";
import type { LogReplay, Violate } from "./log-replay.ts";

interface Happened {
  readonly replay: LogReplay;
  /** Versions before it may be forgotten. */
  readonly baseVersion: number;
}

type Asked = Omit<KeyedChange, "key">;

export function checkPrecondition(asked: Asked, answer: Answer, happened: Happened, violate: Violate): void {
  const { ifVersion } = asked;
  if (ifVersion === undefined) return;
  const conditional = { ...asked, ifVersion };
  if (answer.kind === "done") checkDone(conditional, answer, happened, violate);
  else if (answer.code === "VERSION_CONFLICT") {
    const why = wrongRefusal(conditional, answer, happened);
    if (why !== undefined)
      violate("S3 PRE-2", `a change for version ${ifVersion} was refused, ${why}: ${JSON.stringify(answer.details)}`);
  }
}

type Conditional = Asked & { readonly ifVersion: number };

function checkDone(
  { ifVersion, ifVersionScope, ops }: Conditional,
  { seq, version }: Extract<Answer, { kind: "done" }>,
  { replay }: Happened,
  violate: Violate,
): void {
  const own = seq === 0 ? undefined : replay.entries[seq - 1];
  const between = replay.changesBetween(ifVersion, own === undefined ? version + 1 : own.version);
  const places = [...ops.flatMap(writtenBy), ...(own?.paths ?? [])];
  const met = between.find(({ paths }) => ifVersionScope === "context" || paths.some((path) => isAmong(path, places)));
  if (met !== undefined)
    violate(
      "S3 PRE-2",
      `a change of ${places.join()} for version ${ifVersion} was made as version ${version}, past version ${met.version} at ${met.paths.join()}`,
    );
}

/** What the log has against the refusal. */
function wrongRefusal(
  { ifVersion, ifVersionScope, ops }: Conditional,
  { details }: Extract<Answer, { kind: "refused" }>,
  { replay, baseVersion }: Happened,
): string | undefined {
  const { currentVersion, changedBy, path } = details;
  if (!(Number(currentVersion) > ifVersion && Number(currentVersion) <= replay.version))
    return "though nothing came after it";
  if (!isJsonObject(changedBy))
    return ifVersionScope === "context" || baseVersion > ifVersion
      ? undefined
      : "though the log says what came after it";
  const by = replay.changeAt(Number(changedBy["version"]));
  if (by === undefined || by.version <= ifVersion || by.actor !== changedBy["actor"]) return "naming a wrong change";
  if (!isAmong(String(path), by.paths)) return "naming a place that was not changed";
  const isAsked = ifVersionScope === "context" || isAmong(String(path), ops.flatMap(placesOf));
  return isAsked ? undefined : "naming a place that was not asked for";
}

function placesOf(op: JsonOp): readonly string[] {
  return "from" in op ? [op.path, op.from] : [op.path];
}

function writtenBy(op: JsonOp): readonly string[] {
  return op.op === "add" || op.op === "replace" ? [op.path] : [];
}

function isAmong(path: string, places: readonly string[]): boolean {
  return places.some((place) => overlaps(parsePath(place), parsePath(path)));
}
