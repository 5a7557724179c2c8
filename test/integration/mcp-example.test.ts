/** The worked example of docs/mcp.md, call by call: each of the three agents is another official client. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { read } from "../arch/source.ts";
import { GENERATIONS, overHttp } from "../support/mcp-clients.ts";
import type { McpTalk } from "../support/mcp-clients.ts";
import { startTestServer } from "../support/running-server.ts";
import type { TestServer } from "../support/running-server.ts";

interface Step {
  readonly agent: string;
  readonly tool: string;
  readonly args: object;
  readonly answer: string;
}

const STEP = /^(\w+) +→ (\w+) (\{.*\})\n +← (.+)$/gm;

function stepsOf(page: string): readonly Step[] {
  const [, script = ""] = /^```text three agents\n([^]*?)^```/m.exec(page) ?? [];
  return [...script.matchAll(STEP)].map(([, agent = "", tool = "", args = "", answer = ""]) => ({
    agent,
    tool,
    args: JSON.parse(args) as object,
    answer,
  }));
}

let server: TestServer;
let agents: Map<string, McpTalk>;
const steps = stepsOf(read("docs/mcp.md").text);

beforeAll(async () => {
  server = await startTestServer();
  const names = [...new Set(steps.map(({ agent }) => agent))];
  const talks = names.map(async (name, index) => {
    const generation = GENERATIONS[index % GENERATIONS.length] ?? GENERATIONS[0];
    return [name, await overHttp(generation, { url: server.url, name })] as const;
  });
  agents = new Map(await Promise.all(talks));
});
afterAll(async () => {
  await Promise.all([...agents.values()].map((talk) => talk.close()));
  await server.close();
});

test("[MCP-18] three agents work on one plan as the page says", async () => {
  expect([steps.length, agents.size]).toEqual([11, 3]);
  for (const { agent, tool, args, answer } of steps) {
    const given = await agents.get(agent)?.call(tool, args);
    const expected = answer.startsWith("{")
      ? { isError: false, data: JSON.parse(answer) as object }
      : { isError: true, text: expect.stringContaining(answer) };
    expect({ agent, tool, ...given }).toMatchObject(expected);
  }
});
