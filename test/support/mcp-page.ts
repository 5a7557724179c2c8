/** What docs/mcp.md says that the code knows: the table of tools, and what each host is told. */
import { withServer } from "../../server/cli/mcp/host-configs.ts";
import type { HostName, McpEntry } from "../../server/cli/mcp/host-configs.ts";
import { TOOLS, toolsOf } from "../../server/transport/mcp/tools.ts";
import type { Tool } from "../../server/transport/mcp/tool.ts";

const COLUMNS = ["", "tool", "what it does", "arguments", "scope"];

/** As a markdown formatter would write it. */
export function toolTable(): string {
  const core = new Set(toolsOf("core"));
  const rows = TOOLS.map((tool) => [core.has(tool) ? "●" : "", ...cellsOf(tool)]);
  const widths = COLUMNS.map((column, at) => Math.max(3, column.length, ...rows.map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[], fill = " ") =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0, fill)).join(" | ")} |`;
  const rule = line(
    COLUMNS.map(() => ""),
    "-",
  );
  return [line(COLUMNS), rule, ...rows.map((row) => line(row))].join("\n");
}

function cellsOf({ listed, scope }: Tool): readonly string[] {
  const { name, description = "", inputSchema } = listed();
  const { properties = {}, required = [] } = inputSchema;
  const [sentence = ""] = description.split(/(?<=\.)\s/);
  const args = Object.keys(properties).map((key) => `\`${key}\`${required.includes(key) ? "" : "?"}`);
  return [`\`${name}\``, sentence.replaceAll("|", "\\|"), args.join(", "), `\`${scope}\``];
}

const ENTRIES: Readonly<Record<"command" | "url", McpEntry>> = {
  command: { kind: "command", command: "npx", args: ["-y", "mcp-context-manager", "mcp"] },
  url: { kind: "url", url: "https://contexts.example.org/mcp", hasToken: true },
};

/** What a host's file holds. */
export function hostFileText(host: HostName, kind: keyof typeof ENTRIES): string {
  return withServer(host, "", { name: "contexts", entry: ENTRIES[kind] });
}
