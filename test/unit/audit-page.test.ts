/** The audit log's actions on the page about security: the same table as in the code. */
import { expect, test } from "vitest";
import { AUDIT_ACTIONS } from "../../shared/audit.ts";
import { read } from "../arch/source.ts";

test("[AUDIT-8] the page on security has every action, in the order and words of the code", () => {
  const { text } = read("docs/security.md");
  const section = text.slice(text.indexOf("## Audit log"), text.indexOf("## Threat model"));
  const rows = [...section.matchAll(/^\| `([a-z]+\.[a-z]+)` +\| (.+?) +\|$/gm)].map(([, action, meaning]) => [
    action,
    meaning,
  ]);
  expect(rows).toEqual(Object.entries(AUDIT_ACTIONS));
});
