/**
 * The README's quickstart, run as it is written: the blocks marked `quickstart`, in order, in what looks like a fresh clone.
 *
 * Verbatim but for the port: 4400 may be somebody's. A block that fails, or a README without the blocks, fails the test.
 */
import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { expect, test } from "@playwright/test";
import { RestCaller } from "../test/support/rest-caller.ts";
import { codeBlocks } from "./support/markdown.ts";
import type { CodeBlock } from "./support/markdown.ts";

const ROOT = join(import.meta.dirname, "..");
const README_PORT = "4400";
const BLOCK_MS_MAX = 60_000;

/** A clone with everything installed: the repository's files, but a working folder of its own. */
async function makeClone(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mcm-quickstart-"));
  for (const name of await readdir(ROOT)) {
    if (name !== ".git" && name !== "data") await symlink(join(ROOT, name), join(folder, name));
  }
  return folder;
}

async function freePort(): Promise<string> {
  const server = createServer().listen({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return address !== null && typeof address === "object" ? String(address.port) : "";
}

class Shell {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;
  readonly #background: ChildProcess[] = [];
  #scripts = 0;

  constructor(folder: string, port: string) {
    this.#folder = folder;
    // what a terminal has, without what Playwright and npm put there
    const foreign = /^(npm_|FORCE_COLOR$|NODE_OPTIONS$|TEST_|PW_|PLAYWRIGHT_)/i;
    const own = Object.entries(process.env).filter(([name]) => !foreign.test(name));
    this.#env = { ...Object.fromEntries(own), NO_COLOR: "1", MCM_URL: `http://127.0.0.1:${port}` };
  }

  /** Runs a block; resolves with what it printed when it has ended, or, for a server, when it is ready. */
  async run({ info: [language], code }: CodeBlock): Promise<string> {
    if (language === "sh" && code.startsWith("npm start")) return this.#serve(code);
    if (language === "sh") return this.#end("bash", ["-e", "-o", "pipefail", "-c", code]);
    if (language !== "js") throw new Error(`the quickstart has a block in ${language}, which nobody runs here`);
    const script = join(this.#folder, `quickstart-${++this.#scripts}.mjs`);
    await writeFile(script, code);
    return this.#end(process.execPath, [script]);
  }

  /** Ends what runs in the background, with all that it started. */
  async close(): Promise<void> {
    for (const child of this.#background) {
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) continue;
      const ended = once(child, "exit");
      process.kill(-child.pid, "SIGTERM");
      await ended;
    }
  }

  async #end(program: string, args: readonly string[]): Promise<string> {
    const options = { cwd: this.#folder, env: this.#env, timeout: BLOCK_MS_MAX };
    const { stdout } = await promisify(execFile)(program, args, options);
    return stdout;
  }

  #serve(code: string): Promise<string> {
    // a group of its own, so that npm and the server end together
    const child = spawn("bash", ["-c", code], { cwd: this.#folder, env: this.#env, detached: true });
    this.#background.push(child);
    const output: string[] = [];
    return new Promise((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on("line", (line) => {
          output.push(line);
          if (line.startsWith("Ready at")) resolve(output.join("\n"));
        });
      }
      child.once("close", (exit) => reject(new Error(`the server ended with ${exit}:\n${output.join("\n")}`)));
    });
  }
}

test("the README's quickstart works as written", async () => {
  test.setTimeout(4 * BLOCK_MS_MAX);
  const readme = await readFile(join(ROOT, "README.md"), "utf8");
  const blocks = codeBlocks(readme).filter(({ info }) => info.includes("quickstart"));
  expect(blocks.length, "blocks marked quickstart in README.md").toBeGreaterThan(2);

  const port = await freePort();
  const folder = await makeClone();
  const shell = new Shell(folder, port);
  const printed: string[] = [];
  try {
    for (const block of blocks) {
      const code = block.code.replaceAll(README_PORT, port);
      await test.step(`README.md:${block.line} ${code.split("\n")[0]}`, async () => {
        printed.push(await shell.run({ ...block, code }));
      });
    }
    // each door left its mark: curl, the SDK's update and live edit, the CLI
    const { data } = await new RestCaller(`http://127.0.0.1:${port}`, "judge").read("plan");
    expect(data).toEqual({
      tasks: { t1: { title: "Ship it", done: true }, t2: { title: "Tell everybody" } },
      notes: "Draft. Hello",
    });
    expect(printed.join("\n")).toContain("Tell everybody");
  } finally {
    await shell.close();
    await rm(folder, { recursive: true, force: true });
  }
});
