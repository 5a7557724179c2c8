/** docs/mcp.md says what is so: the tools, what each host is told, and the numbers. */
import { describe, expect, test } from "vitest";
import { HOSTS } from "../../../server/cli/mcp/host-configs.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { read } from "../../arch/source.ts";
import { hostFileText, toolTable } from "../../support/mcp-page.ts";

const page = read("docs/mcp.md").text;

test("the table of tools is the code's", () => {
  const [, table] = /<!-- tools:begin -->\n\n([^]*?)\n\n<!-- tools:end -->/.exec(page) ?? [];
  expect(table).toBe(toolTable());
});

describe.each(HOSTS)("%s", (host) => {
  test.each(["command", "url"] as const)("what it is told to find a %s", (kind) => {
    const [, text = ""] = new RegExp(`^\`\`\`\\w+ ${host} ${kind}\\n([^]*?)^\`\`\``, "m").exec(page) ?? [];
    const told = hostFileText(host, kind);
    if (host === "codex") expect(text).toBe(told);
    else expect(JSON.parse(text)).toEqual(JSON.parse(told));
  });
});

test("the bounds are those that hold", () => {
  for (const said of [
    `${LIMITS.mcpCallsPerActorMax} calls under way`,
    `${LIMITS.mcpStreamsPerActorMax} streams`,
    `${LIMITS.mcpSessionsPerActorMax} sessions`,
    `${LIMITS.mcpSubscriptionsMax} subscriptions a stream`,
    `at most ${LIMITS.mcpWaitSecondsMax} seconds later`,
    `every ${LIMITS.mcpProgressMs / 1000} seconds`,
  ])
    expect(page.replaceAll(/\s+/g, " ")).toContain(said);
});
