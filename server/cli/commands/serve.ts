/**
 * `mcm serve`: runs the server until it is told to stop.
 *
 * Not here: what a server is made of (server/server.ts, handed in as `start`).
 */
import type { Command } from "commander";
import { LIMITS } from "../../../shared/limits.ts";
import { SETTINGS } from "../../config-settings.ts";
import type { Setting } from "../../config-settings.ts";
import { loadConfig } from "../../config.ts";
import type { Config, Flags } from "../../config.ts";
import type { Cli } from "../client-command.ts";
import type { CliIo } from "../io.ts";

export interface RunningServer {
  /** Where it answers, such as http://127.0.0.1:4400. */
  readonly url: string;
  readonly place: string;
  /** Resolves when everything accepted is on disk and all connections are gone; rejects with what could not be written, and why. */
  close(): Promise<void>;
}

/** `socket`: to listen there and not on the network. */
export type Start = (config: Config, parts?: { readonly socket?: string }) => Promise<RunningServer>;

export function addServe(program: Command, { io, color }: Cli, start: Start): void {
  const command = program
    .command("serve")
    .summary("run the server")
    .description(
      "Runs the server until SIGINT or SIGTERM; it then finishes what it accepted, and ends with 0 if all of that is on the disk. A second signal ends it at once.",
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
    const forget = io.onStop(
      () => stopped.abort(),
      () => forced(io, "Ended by a second signal; what was not acknowledged yet may be lost."),
    );
    io.out(
      `${color.green("Ready")} at ${color.bold(server.url)}, contexts ${server.place}. Connect with any Yjs client: ${syncUrl(server.url)}/<id>`,
    );
    await aborted(stopped.signal);
    io.err("Stopping …");
    await closed(io, server);
    forget();
  });
}

/** A disk that does not answer must not hold the process up for ever: somebody waits to start it again. */
async function closed(io: CliIo, server: RunningServer): Promise<void> {
  const done = new AbortController();
  const seconds = LIMITS.stopMsMax / 1000;
  const timedOut = io.sleep(LIMITS.stopMsMax, done.signal).then(() => {
    if (!done.signal.aborted)
      forced(
        io,
        `The server did not stop within ${seconds} s: the disk does not answer. What was not acknowledged yet may be lost.`,
      );
  });
  try {
    await Promise.race([server.close(), timedOut.then(() => new Promise<never>(() => undefined))]);
  } finally {
    done.abort();
  }
}

function forced(io: CliIo, why: string): void {
  io.err(why);
  io.endNow();
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

function syncUrl(url: string): string {
  return `${url.replace(/^http/, "ws")}/sync`;
}
