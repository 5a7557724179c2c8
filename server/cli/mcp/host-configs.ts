/**
 * How each agent host is told of an MCP server: which file, in which form, and a server added to what stands there.
 *
 * Invariants (HUB-5):
 *  1. What else a file says stays as it is; an entry of the same name is not replaced unless it is ours to the letter.
 *  2. No token is ever written: files refer to an environment variable.
 *
 * Not here: reading and writing files (commands/mcp-install.ts).
 */
import { ConfigError } from "../../config.ts";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";

export const HOSTS = ["claude-code", "cursor", "vscode", "codex"] as const;
export type HostName = (typeof HOSTS)[number];

/** What the host is to start, or where it is to go. */
export type McpEntry =
  | { readonly kind: "command"; readonly command: string; readonly args: readonly string[] }
  | { readonly kind: "url"; readonly url: string; readonly hasToken: boolean };

interface Host {
  /** From the project's folder, or from the user's own with a `~`. */
  readonly file: string;
  readonly add: (text: string, name: string, entry: McpEntry) => string;
}

const TOKEN_VARIABLE = "MCM_TOKEN";

const HOST_FILES: Readonly<Record<HostName, Host>> = {
  "claude-code": {
    file: ".mcp.json",
    add: addToJson("mcpServers", (entry) =>
      entry.kind === "command" ? started(entry) : { type: "http", ...remote(entry, `\${${TOKEN_VARIABLE}}`) },
    ),
  },
  cursor: {
    file: ".cursor/mcp.json",
    add: addToJson("mcpServers", (entry) =>
      entry.kind === "command" ? started(entry) : remote(entry, `\${env:${TOKEN_VARIABLE}}`),
    ),
  },
  vscode: {
    file: ".vscode/mcp.json",
    add: addToJson("servers", (entry) =>
      entry.kind === "command"
        ? { type: "stdio", ...started(entry) }
        : { type: "http", ...remote(entry, `\${env:${TOKEN_VARIABLE}}`) },
    ),
  },
  codex: { file: "~/.codex/config.toml", add: addToToml },
};

export function hostFile(host: HostName): string {
  return HOST_FILES[host].file;
}

/** The file's new text. "" for a file that there is not. @throws {ConfigError} */
export function withServer(
  host: HostName,
  text: string,
  { name, entry }: { readonly name: string; readonly entry: McpEntry },
): string {
  return HOST_FILES[host].add(text, name, entry);
}

function started({ command, args }: Extract<McpEntry, { kind: "command" }>): JsonObject {
  return { command, args };
}

function remote({ url, hasToken }: Extract<McpEntry, { kind: "url" }>, token: string): JsonObject {
  return hasToken ? { url, headers: { Authorization: `Bearer ${token}` } } : { url };
}

function addToJson(section: string, entryOf: (entry: McpEntry) => JsonObject): Host["add"] {
  return (text, name, entry) => {
    const file = parsed(text);
    const { [section]: servers = {} } = file;
    if (!isJsonObject(servers)) throw unreadable(`"${section}" in it is no object`);
    const wanted = entryOf(entry);
    refuseOther(servers[name], wanted, name);
    return `${JSON.stringify({ ...file, [section]: { ...servers, [name]: wanted } }, null, 2)}\n`;
  };
}

function parsed(text: string): JsonObject {
  if (text.trim() === "") return {};
  try {
    const file: unknown = JSON.parse(text);
    if (isJsonObject(file)) return file;
  } catch {
    // said below
  }
  throw unreadable("it is not plain JSON; comments and commas at the end are not read");
}

function refuseOther(there: Json | undefined, wanted: JsonObject, name: string): void {
  if (there === undefined || JSON.stringify(there) === JSON.stringify(wanted)) return;
  throw taken(name);
}

/** Only ever adds a table at the end: all other lines stay, comments too. */
function addToToml(text: string, name: string, entry: McpEntry): string {
  const header = `[mcp_servers.${name}]`;
  const lines =
    entry.kind === "command"
      ? [
          `command = ${JSON.stringify(entry.command)}`,
          `args = [${entry.args.map((one) => JSON.stringify(one)).join(", ")}]`,
        ]
      : [
          `url = ${JSON.stringify(entry.url)}`,
          ...(entry.hasToken ? [`bearer_token_env_var = ${JSON.stringify(TOKEN_VARIABLE)}`] : []),
        ];
  const table = [header, ...lines].join("\n");
  if (text.includes(table)) return text;
  if (new RegExp(`^\\s*\\[\\s*mcp_servers\\s*\\.\\s*"?${name}"?\\s*[.\\]]`, "m").test(text)) throw taken(name);
  const before = text === "" ? "" : text.replace(/\n*$/, "\n\n");
  return `${before}${table}\n`;
}

function taken(name: string): ConfigError {
  return new ConfigError([
    `The file has another server called "${name}". Take it out, or choose another name with --name.`,
  ]);
}

function unreadable(why: string): ConfigError {
  return new ConfigError([`The file cannot be added to: ${why}. Add by hand what is printed without --write.`]);
}
