/** Other thresholds than the table's: read from a file, checked, and put in its place. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { readAlertOverrides, withOverrides } from "../../../server/monitor/alerts/alert-overrides.ts";
import { ALERT_RULES } from "../../../server/monitor/alerts/alert-rules.ts";

const folder = mkdtempSync(join(tmpdir(), "mcm-rules-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fileWith = (text: string): string => {
  const path = join(folder, "rules.json");
  writeFileSync(path, text);
  return path;
};
const ruleOf = (name: string, rules = ALERT_RULES) => rules.find((rule) => rule.name === name);

test("[ALERT-8] what an override says holds, the rest stays", async () => {
  const path = fileWith(
    '{"log-lag": {"warning": {"at": 2, "clearAt": 0.1, "forS": 30}, "critical": false}, "memory": false}',
  );
  const rules = withOverrides(ALERT_RULES, await readAlertOverrides(path));
  expect(ruleOf("log-lag", [...rules])?.thresholds).toEqual([{ level: "warning", at: 2, forMs: 30_000, clearAt: 0.1 }]);
  expect(rules.map(({ name }) => name)).toEqual(
    ALERT_RULES.map(({ name }) => name).filter((name) => name !== "memory"),
  );
  expect(ruleOf("disk-space", [...rules])).toBe(ruleOf("disk-space"));
});

test("[ALERT-8] with another threshold alone, the value at which it is left moves along", () => {
  const rules = withOverrides(ALERT_RULES, {
    "log-lag": { warning: { at: 4 } },
    "disk-space": { warning: { at: 0.2 } },
  });
  expect(ruleOf("log-lag", [...rules])?.thresholds[0]).toMatchObject({ at: 4, clearAt: 2, forMs: 10_000 });
  expect(ruleOf("disk-space", [...rules])?.thresholds[0]).toMatchObject({ at: 0.2, clearAt: 0.24 });
});

test.each([
  ['{"log-lags": false}', /^There is no alert rule "log-lags"\. There are: log-unavailable, log-lag,/],
  ['{"damaged-data": {"info": {"at": 3}}}', /^The alert rule "damaged-data" has no level "info"\.$/],
  [
    '{"log-lag": {"warning": {"at": 1, "clearAt": 1}}}',
    /would flap: clearAt of "warning" must be below 1, and is 1\.$/,
  ],
  [
    '{"disk-space": {"critical": {"clearAt": 0.01}}}',
    /would flap: clearAt of "critical" must be above 0\.03, and is 0\.01\.$/,
  ],
  ['{"log-lag": {"warning": {"forS": -1}}}', /not of the documented form at \/log-lag/],
  ['{"log-lag": {"warning": {"seconds": 1}}}', /not of the documented form at \/log-lag/],
  ["[]", /not of the documented form at \//],
  ["{", /rules\.json cannot be read: /],
])("[ALERT-8] %s is refused by name", async (text, says) => {
  const path = fileWith(text);
  const attempt = async () => withOverrides(ALERT_RULES, await readAlertOverrides(path));
  await expect(attempt()).rejects.toMatchObject({ code: "INVALID_REQUEST", message: expect.stringMatching(says) });
});

test("[ALERT-8] a file that is not there is told by its name", async () => {
  await expect(readAlertOverrides("/nowhere/rules.json")).rejects.toMatchObject({
    message: expect.stringMatching(/^The alert rules \/nowhere\/rules\.json cannot be read: ENOENT/),
  });
});
