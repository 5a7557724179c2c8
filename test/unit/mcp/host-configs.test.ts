/** What each host is told, and that what else its file says stays; the command that prints or writes it. */
import { homedir } from "node:os";
import { describe, expect, test } from "vitest";
import { HOSTS, withServer } from "../../../server/cli/mcp/host-configs.ts";
import type { McpEntry } from "../../../server/cli/mcp/host-configs.ts";
import { runCli } from "../../../server/cli/program.ts";
import { noServer, TestIo } from "../../integration/cli-harness.ts";

const STARTED: McpEntry = { kind: "command", command: "npx", args: ["-y", "mcp-context-manager", "mcp"] };
const THERE: McpEntry = { kind: "url", url: "https://mcm.example/mcp", hasToken: true };
const OPEN: McpEntry = { kind: "url", url: "http://127.0.0.1:4400/mcp", hasToken: false };
const entry = (of: McpEntry) => ({ name: "contexts", entry: of });

describe("what a host is told", () => {
  test("[HUB-5] to start, or where to go, with a token from the environment", () => {
    const told = (of: McpEntry) => HOSTS.map((host) => withServer(host, "", entry(of)));
    expect([STARTED, THERE, OPEN].map(told)).toMatchInlineSnapshot(`
      [
        [
          "{
        "mcpServers": {
          "contexts": {
            "command": "npx",
            "args": [
              "-y",
              "mcp-context-manager",
              "mcp"
            ]
          }
        }
      }
      ",
          "{
        "mcpServers": {
          "contexts": {
            "command": "npx",
            "args": [
              "-y",
              "mcp-context-manager",
              "mcp"
            ]
          }
        }
      }
      ",
          "{
        "servers": {
          "contexts": {
            "type": "stdio",
            "command": "npx",
            "args": [
              "-y",
              "mcp-context-manager",
              "mcp"
            ]
          }
        }
      }
      ",
          "[mcp_servers.contexts]
      command = "npx"
      args = ["-y", "mcp-context-manager", "mcp"]
      ",
        ],
        [
          "{
        "mcpServers": {
          "contexts": {
            "type": "http",
            "url": "https://mcm.example/mcp",
            "headers": {
              "Authorization": "Bearer \${MCM_TOKEN}"
            }
          }
        }
      }
      ",
          "{
        "mcpServers": {
          "contexts": {
            "url": "https://mcm.example/mcp",
            "headers": {
              "Authorization": "Bearer \${env:MCM_TOKEN}"
            }
          }
        }
      }
      ",
          "{
        "servers": {
          "contexts": {
            "type": "http",
            "url": "https://mcm.example/mcp",
            "headers": {
              "Authorization": "Bearer \${env:MCM_TOKEN}"
            }
          }
        }
      }
      ",
          "[mcp_servers.contexts]
      url = "https://mcm.example/mcp"
      bearer_token_env_var = "MCM_TOKEN"
      ",
        ],
        [
          "{
        "mcpServers": {
          "contexts": {
            "type": "http",
            "url": "http://127.0.0.1:4400/mcp"
          }
        }
      }
      ",
          "{
        "mcpServers": {
          "contexts": {
            "url": "http://127.0.0.1:4400/mcp"
          }
        }
      }
      ",
          "{
        "servers": {
          "contexts": {
            "type": "http",
            "url": "http://127.0.0.1:4400/mcp"
          }
        }
      }
      ",
          "[mcp_servers.contexts]
      url = "http://127.0.0.1:4400/mcp"
      ",
        ],
      ]
    `);
  });

  test.each(HOSTS)("[HUB-5] %s: no token is in it, and told again it stays as it is", (host) => {
    const once = withServer(host, "", entry(THERE));
    expect(once).toContain("MCM_TOKEN");
    expect(withServer(host, once, entry(THERE))).toBe(once);
    expect(() => withServer(host, once, entry(STARTED))).toThrow('has another server called "contexts"');
  });

  test.each(["claude-code", "cursor", "vscode"] as const)("[HUB-5] %s: what else the file says stays", (host) => {
    const section = host === "vscode" ? "servers" : "mcpServers";
    const before = { inputs: [1], [section]: { other: { command: "x" } } };
    const after: unknown = JSON.parse(withServer(host, JSON.stringify(before), entry(STARTED)));
    expect(after).toMatchObject({ inputs: [1], [section]: { other: { command: "x" }, contexts: { command: "npx" } } });
    expect(() => withServer(host, "{ // a comment\n}", entry(STARTED))).toThrow("it is not plain JSON");
    expect(() => withServer(host, "[]", entry(STARTED))).toThrow("it is not plain JSON");
    expect(() => withServer(host, `{"${section}": 1}`, entry(STARTED))).toThrow("is no object");
  });

  test("[HUB-5] codex: the table goes to the end, every line before it stays", () => {
    const before = '# mine\nmodel = "x"\n\n[mcp_servers.other]\ncommand = "y" # why\n';
    const after = withServer("codex", before, entry(STARTED));
    expect(after.startsWith(before)).toBe(true);
    for (const header of ["[mcp_servers.contexts]", '[ mcp_servers . "contexts" ]', "[mcp_servers.contexts.env]"])
      expect(() => withServer("codex", `${header}\ncommand = "z"\n`, entry(STARTED))).toThrow("another server");
  });
});

describe("mcm mcp install", () => {
  async function install(args: readonly string[], io = new TestIo({})): Promise<[number, TestIo]> {
    return [await runCli(["mcp", "install", ...args], { io, start: noServer }), io];
  }

  test("[HUB-5] prints, and writes nothing unless told to", async () => {
    const [code, io] = await install(["--host", "cursor"]);
    expect([code, io.binaries.size]).toEqual([0, 0]);
    expect(JSON.parse(io.lines.join("\n"))).toMatchObject({ mcpServers: { contexts: { command: "npx" } } });
    expect(io.errors.join()).toContain(".cursor/mcp.json");
  });

  test("[HUB-5] writes the host's file, which need not be there, and says when it was told already", async () => {
    const io = new TestIo({});
    await install(["--host", "codex", "--write"], io);
    const path = `${homedir()}/.codex/config.toml`;
    const written = io.written(path);
    expect(written).toContain("[mcp_servers.contexts]");
    await install(["--host", "codex", "--write"], io);
    expect([io.written(path), io.errors.at(-1)]).toEqual([written, `${path} has it already.`]);
  });

  test("[HUB-5] a server's address and a token's name go in, the token does not", async () => {
    const io = new TestIo({ MCM_TOKEN: "abc.def.ghi", MCM_URL: "https://mcm.example/" });
    await install(["--host", "vscode", "--file", "there.json", "--name", "team", "--write"], io);
    const text = io.written("there.json") ?? "";
    expect(JSON.parse(text)).toEqual({
      servers: {
        team: {
          type: "http",
          url: "https://mcm.example/mcp",
          headers: { Authorization: "Bearer ${env:MCM_TOKEN}" },
        },
      },
    });
    expect([...io.lines, ...io.errors, text].join()).not.toContain("abc.def");
  });

  test("[HUB-5] a file that cannot be added to is left alone, with exit code 2", async () => {
    const io = new TestIo({});
    io.files.set(".mcp.json", "{ // mine\n}");
    const [code] = await install(["--host", "claude-code", "--write"], io);
    expect([code, io.written(".mcp.json"), io.errors.join()]).toEqual([
      2,
      undefined,
      expect.stringContaining("Add by hand what is printed without --write"),
    ]);
    expect((await install(["--host", "emacs"]))[0]).toBe(2);
    expect((await install(["--host", "cursor", "--name", "a b"]))[0]).toBe(2);
  });
});
