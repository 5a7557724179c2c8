/**
 * `mcm serve`: runs the server until it is told to stop.
 *
 * Not here: what a server is made of (server/server.ts, handed in as `start`).
 */
import type { Command } from "commander";
import { SETTINGS } from "../../config-settings.ts";
import type { Setting } from "../../config-settings.ts";
import { loadConfig } from "../../config.ts";
import type { Config, Flags } from "../../config.ts";
import type { Cli } from "../client-command.ts";

export interface RunningServer {
  /** Where it answers, such as http://127.0.0.1:4400. */
  readonly url: string;
  /** Resolves when everything accepted is on disk and all connections are gone. */
  close(): Promise<void>;
}

/** `socket`: to listen there and not on the network. */
export type Start = (config: Config, parts?: { readonly socket?: string }) => Promise<RunningServer>;

export function addServe(program: Command, { io, color }: Cli, start: Start): void {
  const command = program
    .command("serve")
    .summary("run the server")
    .description(
      "Runs the server until SIGINT or SIGTERM; it then finishes what it accepted. A second signal ends it at once.",
    );
  for (const { flag, placeholder, meaning, variable, default: preset } of Object.values<Setting>(SETTINGS)) {
    const value = preset === "" ? "" : `, default ${preset}`;
    if (flag !== undefined) command.option(`${flag} ${placeholder}`, `${meaning} (env ${variable}${value})`);
  }
  command.addHelpText(
    "after",
    "\nExamples:\n  mcm serve\n  mcm serve --port 4500 --data-dir /var/lib/mcm\n  MCM_STORAGE=memory mcm serve",
  );
  command.action(async (flags: Flags) => {
    const config = await loadConfig(flags, io.environment, (path) => io.read(path));
    const server = await start(config);
    const stopped = new AbortController();
    const forget = io.onStop(() => stopped.abort());
    const place = config.storage === "memory" ? "in memory only" : `in ${config.dataDir}`;
    io.out(
      `${color.green("Ready")} at ${color.bold(server.url)}, contexts ${place}. Connect with any Yjs client: ${syncUrl(server.url)}/<id>`,
    );
    await aborted(stopped.signal);
    io.err("Stopping …");
    await server.close();
    forget();
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function syncUrl(url: string): string {
  return `${url.replace(/^http/, "ws")}/sync`;
}
