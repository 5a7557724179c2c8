/**
 * Replays a trace through a running server: SDK clients write, a stock client and a REST program watch, and on the way the
 * server is killed with -9 and started again on the same data.
 *
 * Resolves when all have ended in the same text: that of the trace. Throws the name of the one that has not.
 */
import { RestCaller } from "../support/rest-caller.ts";
import type { ServerProcess } from "../support/server-process.ts";
import { TEXT, endContentOf } from "./desk.ts";
import { Figures } from "./figures.ts";
import { TraceAuthor } from "./trace-author.ts";
import type { Sent } from "./trace-author.ts";
import type { Trace } from "./trace-file.ts";
import { RestPoller, StockWatcher } from "./trace-watchers.ts";

export interface ReplayOptions {
  readonly server: ServerProcess;
  readonly crashes: number;
  /** Told how many transactions were sent. */
  readonly onProgress?: (count: number) => void;
}

export interface Replay {
  readonly figures: Figures;
  readonly content: string;
  readonly reads: number;
  readonly readsRefused: number;
}

export async function replayTrace(trace: Trace, { server, crashes, onProgress }: ReplayOptions): Promise<Replay> {
  const content = endContentOf(trace);
  const { url } = server;
  const contextId = trace.name;
  await new RestCaller(url, "author-0").create(contextId, { [TEXT]: { $text: "" } });

  const figures = new Figures();
  const sent = Array.from({ length: trace.authors }, (): Sent[] => []);
  const watcher = await StockWatcher.join({ url, contextId }, figures);
  const poller = new RestPoller({ url, contextId });
  let count = 0;
  const onSent = (author: number, it: Sent): void => {
    sent[author]?.push(it);
    watcher.expect(author, it);
    crasher.sent(++count);
    onProgress?.(count);
  };
  const place = { url, contextId, figures, sent, onSent };
  const authors = await Promise.all(sent.map((_, author) => TraceAuthor.join(author, place)));
  const crasher = new Crasher({
    server,
    figures,
    dueAt: Array.from({ length: crashes }, (_, index) => Math.floor(((index + 1) * trace.txns.length) / (crashes + 1))),
    everybodyBack: () => Promise.all([watcher, ...authors].map((participant) => participant.online())),
  });

  const startMs = performance.now();
  await Promise.all(authors.map((author) => author.write(trace.txns)));
  figures.seconds = (performance.now() - startMs) / 1000;
  await crasher.done();

  const ends = await Promise.all(authors.map((author) => author.finish()));
  const seenBy = {
    ...Object.fromEntries(
      ends.flatMap(([desk, replica], author) => [
        [`desk ${author}`, desk],
        [`SDK client ${author}`, replica],
      ]),
    ),
    "the stock client": await watcher.finish(),
    "the REST program": await poller.finish(),
  };
  watcher.leave();
  await Promise.all(authors.map((author) => author.leave()));
  for (const [who, text] of Object.entries(seenBy))
    if (text !== content) throw new Error(difference(who, text, content));
  return { figures, content, reads: poller.reads, readsRefused: poller.failures };
}

interface CrasherOptions {
  readonly server: ServerProcess;
  readonly figures: Figures;
  /** Counts of transactions at which the server is killed. */
  readonly dueAt: readonly number[];
  readonly everybodyBack: () => Promise<unknown>;
}

/** Kills the server in full swing and starts it again, while the authors go on. */
class Crasher {
  readonly #options: CrasherOptions;
  #work: Promise<void> = Promise.resolve();

  constructor(options: CrasherOptions) {
    this.#options = options;
  }

  sent(count: number): void {
    if (!this.#options.dueAt.includes(count)) return;
    this.#work = this.#work.then(() => this.#crash());
    // its error is for done(); until then it must not count as unhandled
    this.#work.catch(() => {});
  }

  done(): Promise<void> {
    return this.#work;
  }

  async #crash(): Promise<void> {
    const { server, figures, everybodyBack } = this.#options;
    const killed = server.kill();
    figures.era++;
    await killed;
    await server.restart();
    await everybodyBack();
    figures.era++;
  }
}

function difference(who: string, text: string, content: string): string {
  let at = 0;
  while (at < text.length && text[at] === content[at]) at++;
  const around = (it: string): string => JSON.stringify(it.slice(Math.max(0, at - 20), at + 20));
  return `${who} ended in another text (${text.length} characters, not ${content.length}): at ${at} it has ${around(text)}, not ${around(content)}.`;
}
