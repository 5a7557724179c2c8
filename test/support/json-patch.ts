/**
 * RFC 6902 `add`, `remove` and `replace` on plain JSON, written for being obviously right: a reference for diffs. Marks are
 * objects like any other here.
 */
import type { JsonOp } from "../../shared/change.ts";
import type { Json } from "../../shared/json.ts";

export function patched(value: Json, ops: readonly JsonOp[]): Json {
  return ops.reduce((now, op) => {
    const steps = op.path.split("/").slice(1);
    return applied(
      now,
      steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~")),
      op,
    );
  }, value);
}

function applied(value: Json, steps: readonly string[], op: JsonOp): Json {
  const [step, ...rest] = steps;
  if (step === undefined) {
    if (op.op !== "replace") throw new Error(`${op.op} of the whole`);
    return op.value;
  }
  if (Array.isArray(value)) return appliedToList(value, step, rest, op);
  if (typeof value !== "object" || value === null) throw new Error(`nothing below ${op.path}`);
  const members = new Map<string, Json>(Object.entries(value));
  const present = members.get(step);
  if ((op.op !== "add" || rest.length > 0) && present === undefined) throw new Error(`no member ${op.path}`);
  if (rest.length > 0) members.set(step, applied(present ?? null, rest, op));
  else if (op.op === "remove") members.delete(step);
  else members.set(step, valueOf(op));
  return Object.fromEntries(members);
}

function appliedToList(list: readonly Json[], step: string, rest: readonly string[], op: JsonOp): Json {
  if (!/^(0|[1-9]\d*)$/.test(step)) throw new Error(`no index: ${step}`);
  const index = Number(step);
  const isInsertion = op.op === "add" && rest.length === 0;
  if (index > list.length || (index === list.length && !isInsertion)) throw new Error(`no element ${op.path}`);
  const copy = [...list];
  if (isInsertion) copy.splice(index, 0, valueOf(op));
  else if (rest.length === 0 && op.op === "remove") copy.splice(index, 1);
  else copy[index] = rest.length === 0 ? valueOf(op) : applied(list[index] ?? null, rest, op);
  return copy;
}

function valueOf(op: JsonOp): Json {
  if (op.op !== "add" && op.op !== "replace") throw new Error(`${op.op} is no operation of a diff`);
  return op.value;
}
