/**
 * Runs the demo: the server, its cast, the story round by round, and what the terminal shows of it.
 *
 * Not here: what the agents do (story.ts).
 */
import { parseConfig } from "../../config.ts";
import type { Cli } from "../client-command.ts";
import type { Start } from "../commands/serve.ts";
import { safe } from "../output.ts";
import { assemble } from "./cast.ts";
import { ARTICLE } from "./stage.ts";
import { startOver, tellStory } from "./story.ts";
import type { Mood, Stage } from "./story.ts";

export interface DemoFlags {
  readonly port: string;
  readonly rounds?: number;
  /** Twice as fast is 2. */
  readonly speed: number;
  /** The panel, in a browser. */
  readonly open: boolean;
}

/** Time to look at what came of it. */
const BETWEEN_ROUNDS_MS = 8000;
const NAME_WIDTH = "researcher".length + 1;

/** Until it is stopped, or all rounds were told. @throws Node's error when the port is taken */
export async function playDemo(
  { io, color }: Cli,
  { port, rounds = Infinity, speed, open }: DemoFlags,
  start: Start,
): Promise<void> {
  const server = await start(parseConfig({ port, storage: "memory", logLevel: "warn" }, {}));
  const stopped = new AbortController();
  const { signal } = stopped;
  const forget = io.onStop(() => stopped.abort());
  const tint: Readonly<Record<Mood, (text: string) => string>> = {
    work: (text) => text,
    lock: color.yellow,
    refusal: color.red,
    conflict: color.magenta,
    line: color.cyan,
  };
  try {
    await using cast = await assemble(server.url);
    const page = `${server.url}/panel/#/contexts/${ARTICLE}`;
    io.out(`${color.green("Ready")} at ${color.bold(page)}: look at it, and write in it. Nothing is kept.`);
    if (open) io.browse(page);
    await play(
      {
        cast,
        signal,
        tell: (who, mood, text) => io.out(`${color.bold(who.padEnd(NAME_WIDTH))}${tint[mood](safe(text))}`),
        pause: async (ms) => {
          await io.sleep(ms / speed, signal);
          signal.throwIfAborted();
        },
      },
      rounds,
    );
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    forget();
    await server.close();
  }
}

async function play(stage: Stage, rounds: number): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    if (round > 1) await startOver(stage);
    await tellStory(stage);
    await stage.pause(BETWEEN_ROUNDS_MS);
  }
}
