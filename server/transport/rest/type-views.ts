/**
 * The views of context types, in the shapes of shared/protocol/rest-types.ts.
 */
import type { ContextType, TypeReport } from "../../../shared/context-type.ts";
import type { TypeResult, TypeView } from "../../../shared/protocol/rest-types.ts";
import { isoTime } from "../../../shared/iso-time.ts";

export function typeView({ name, schema, revision, updatedAtMs, updatedBy }: ContextType): TypeView {
  return { name, schema, revision, updatedAt: isoTime(updatedAtMs), updatedBy };
}

export function typeResult({ type, report }: { type: ContextType; report: TypeReport }): TypeResult {
  const invalid = report.invalid.map(({ id, violations }) => ({
    id,
    violations: violations.map(({ path, message }) => ({ path, message })),
  }));
  return { type: typeView(type), report: { checked: report.checked, invalid } };
}
