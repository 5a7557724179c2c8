/**
 * `mcm watch`: prints changes as they happen, across restarts of the server, each once.
 *
 * After a lost connection it resumes behind the last version it saw. Refusals that will stay (no such context) end it.
 *
 * Not here: the event format (client/event-stream.ts).
 */
import type { Command } from "commander";
import { ServiceError } from "../../../shared/errors.ts";
import { changeSchema } from "../../../shared/protocol/rest.ts";
import { ConfigError } from "../../config.ts";
import { addClientOptions, clientOf, wholeNumber } from "../client-command.ts";
import type { Cli, ClientFlags } from "../client-command.ts";
import { readEvents } from "../../../client/event-stream.ts";
import { changeLine, jsonText, safe } from "../output.ts";

interface WatchFlags extends ClientFlags {
  readonly since?: number;
  readonly path?: string;
  readonly by?: string;
}

const RETRY_MS_MIN = 250;
const RETRY_MS_MAX = 10_000;

export function addWatch(program: Command, cli: Cli): void {
  const command = program
    .command("watch")
    .summary("follow a context's changes")
    .description("Prints each change as it happens, until interrupted. With --json one JSON object a line.")
    .argument("<id>", "the context's id")
    .option("--since <version>", "begin with the changes after this version; 0 is the beginning", wholeNumber(0))
    .option("--path <pointer>", "only changes at, above or below this JSON Pointer")
    .option("--by <name>", "only changes by this actor")
    .addHelpText("after", "\nExamples:\n  mcm watch plan\n  mcm watch plan --since 0 --path /tasks --json");
  addClientOptions(command).action((id: string, flags: WatchFlags) => watch(cli, id, flags));
}

async function watch(cli: Cli, id: string, { since, path, by: actor, json, ...target }: WatchFlags): Promise<void> {
  const { io, color } = cli;
  const client = clientOf(cli, target);
  const stop = new AbortController();
  const forget = io.onStop(() => stop.abort());
  let lastEventId = "";
  let failures = 0;

  const followOnce = async (): Promise<void> => {
    const body = await client.follow(id, { since, path, actor }, { lastEventId, signal: stop.signal });
    for await (const event of readEvents(body)) {
      failures = 0;
      lastEventId = event.lastEventId;
      if (event.event !== "change") continue;
      const change: unknown = JSON.parse(event.data);
      io.out(json === true ? jsonText(change) : changeLine(changeSchema.parse(change), color));
    }
  };

  while (!stop.signal.aborted) {
    const error = await followOnce().catch((reason: unknown) => reason);
    if (stop.signal.aborted) break;
    if (isFinal(error)) throw error;
    if (failures === 0) io.err(color.dim(`${whyLost(error)} Trying again …`));
    await io.sleep(backoffMs(failures, io.random()), stop.signal);
    failures += 1;
  }
  forget();
}

/** What will stay. A cut connection shows as fetch's TypeError, or as the feed's end without an error. */
function isFinal(error: unknown): boolean {
  return error instanceof ConfigError || (error instanceof ServiceError && error.retry !== "later");
}

function whyLost(error: unknown): string {
  return error instanceof ServiceError ? safe(error.message) : "The connection was lost.";
}

/** Exponential, with full jitter, so that many watchers don't come back at the same moment. */
function backoffMs(failures: number, random: number): number {
  return RETRY_MS_MIN + random * Math.min(RETRY_MS_MAX - RETRY_MS_MIN, RETRY_MS_MIN * 2 ** failures);
}
