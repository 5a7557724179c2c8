/**
 * Other thresholds than the table's, from a JSON file:
 *
 *     { "log-lag": { "warning": { "at": 2, "clearAt": 1, "forS": 30 }, "critical": false }, "conflict-rate": false }
 *
 * Not here: the table (alert-rules.ts).
 */
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ServiceError } from "../../../shared/errors.ts";
import type { AlertRule, Threshold } from "./alert-rules.ts";

const thresholdSchema = z.strictObject({
  at: z.number().exactOptional(),
  clearAt: z.number().exactOptional(),
  forS: z.number().min(0).max(86_400).exactOptional(),
});
const levelSchema = z.union([z.literal(false), thresholdSchema]).exactOptional();
const ruleSchema = z.union([
  z.literal(false),
  z.strictObject({ info: levelSchema, warning: levelSchema, critical: levelSchema }),
]);
const overridesSchema = z.record(z.string(), ruleSchema);

export type AlertOverrides = z.infer<typeof overridesSchema>;
type ThresholdOverride = z.infer<typeof thresholdSchema>;

/** @throws {ServiceError} INVALID_REQUEST that says what is wrong with the file */
export async function readAlertOverrides(path: string): Promise<AlertOverrides> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw invalid(`The alert rules ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}.`);
  }
  const parsed = overridesSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(
    `The alert rules ${path} are not of the documented form at /${issue?.path.join("/")}: ${issue?.message}.`,
  );
}

/**
 * A rule or level that is false is left out; what an override does not say stays.
 * @throws {ServiceError} INVALID_REQUEST for a rule or level that there is not, and for one that would flap
 */
export function withOverrides(rules: readonly AlertRule[], overrides: AlertOverrides): readonly AlertRule[] {
  const stranger = Object.keys(overrides).find((name) => !rules.some((rule) => rule.name === name));
  if (stranger !== undefined) {
    throw invalid(`There is no alert rule "${stranger}". There are: ${rules.map(({ name }) => name).join(", ")}.`);
  }
  return rules.flatMap((rule) => {
    const override = overrides[rule.name];
    if (override === undefined) return [rule];
    if (override === false) return [];
    const missing = Object.keys(override).find((level) => !rule.thresholds.some((it) => it.level === level));
    if (missing !== undefined) throw invalid(`The alert rule "${rule.name}" has no level "${missing}".`);
    const thresholds = rule.thresholds.flatMap((threshold) => {
      const own = override[threshold.level];
      return own === false ? [] : [checked(rule, changed(threshold, own ?? {}))];
    });
    return [{ ...rule, thresholds }];
  });
}

function changed(threshold: Threshold, { at, clearAt, forS }: ThresholdOverride): Threshold {
  const factor = at === undefined || threshold.at === 0 ? 1 : at / threshold.at;
  return {
    ...threshold,
    at: at ?? threshold.at,
    // as far from the threshold as it was, in proportion
    clearAt: clearAt ?? threshold.clearAt * factor,
    forMs: forS === undefined ? threshold.forMs : forS * 1000,
  };
}

function checked({ name, badWhen }: AlertRule, threshold: Threshold): Threshold {
  const { level, at, clearAt } = threshold;
  if (badWhen === "high" ? clearAt < at : clearAt > at) return threshold;
  const side = badWhen === "high" ? "below" : "above";
  throw invalid(`The alert rule "${name}" would flap: clearAt of "${level}" must be ${side} ${at}, and is ${clearAt}.`);
}

function invalid(message: string): ServiceError {
  return new ServiceError("INVALID_REQUEST", message);
}
