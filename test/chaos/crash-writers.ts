/**
 * Those who write and watch while the server is killed: SDK, stock Yjs, REST. Each runs from before the crash until after
 * it, tells the journal what it is told, and takes its connection along when it ends.
 *
 * Their errors after the kill are what a dead server looks like; before it they are failures of the test.
 */
import { setImmediate, setTimeout } from "node:timers/promises";
import { connect } from "../../client/index.ts";
import type { Context } from "../../client/index.ts";
import { readEvents } from "../../server/cli/event-stream.ts";
import type { ChangeView } from "../../shared/protocol/rest.ts";
import type { Random } from "../sim/random.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { openStockClient } from "../support/stock-client.ts";
import type { Journal } from "./crash-journal.ts";
import { countOps, editLive, keyOf } from "./crash-model.ts";

export interface Stage {
  readonly url: string;
  readonly contextId: string;
  readonly journal: Journal;
  readonly random: Random;
  /** Aborted when the server has been killed. */
  readonly dead: AbortSignal;
  /** This one is connected and about to begin. */
  readonly entered: () => void;
}

export type Participant = (stage: Stage, name: string) => Promise<void>;

/** Long enough for a disk that others keep busy: who cannot get in while the server lives is a failure. */
const OPEN_MS_MAX = 30_000;
/** Requests under way at once, of one asking writer. */
const AT_ONCE_MAX = 4;

const LOCAL = Symbol("local");

/** Edits its replica and is acknowledged. */
export const sdkEditor: Participant = async (stage, name) =>
  withContext(stage, name, async (context) => {
    const { journal, dead, random } = stage;
    for (let n = 1; !dead.aborted; n++) {
      context.doc.transact(() => editLive(context.data.root, name, n), LOCAL);
      const saved = context.saved().then(
        () => journal.acked(name, n),
        () => {},
      );
      await (random.percent(30) ? untilDead(stage, saved) : pause(random));
      journal.told(context.version);
    }
  });

/** Asks for JSON changes over the WebSocket, several at once, with idempotency keys. */
export const sdkAsker: Participant = async (stage, name) =>
  withContext(stage, name, async (context) => {
    await askAll(stage, name, (n) => context.update(countOps(name), { idempotencyKey: keyOf(name, n) }));
  });

/** A stock editor: nobody acknowledges what it writes, but what it receives was shown to it. */
export const stockEditor: Participant = async (stage, name) => {
  const { journal, dead, random, entered } = stage;
  const { doc, provider, synced, close } = openStockClient({ ...stage, actor: name });
  journal.watch(doc, name, LOCAL);
  try {
    await untilDead(stage, synced());
    entered();
    for (let n = 1; !dead.aborted && provider.synced; n++) {
      doc.transact(() => editLive(doc.getMap("data"), name, n), LOCAL);
      await pause(random);
    }
  } finally {
    close();
  }
};

/** Asks for JSON changes over REST, and reads. */
export const restAsker: Participant = async (stage, name) => {
  const { url, contextId, journal, entered } = stage;
  const rest = new RestCaller(url, name);
  entered();
  await askAll(
    stage,
    name,
    (n) => rest.change(contextId, countOps(name), keyOf(name, n)),
    async () => {
      const { version, data } = await rest.read(contextId);
      journal.shown(name, version, data);
    },
  );
};

/** Follows the live feed. */
export const feedReader: Participant = async ({ url, contextId, journal, dead, entered }, name) => {
  try {
    const body = await new RestCaller(url, name).feed(contextId, dead);
    entered();
    for await (const { event, data } of readEvents(body)) {
      if (event === "change") journal.record(JSON.parse(data) as ChangeView);
    }
  } catch (error) {
    ignoreIfDead(dead, error);
  }
};

/** Repeats, on a server that runs, a request whose answer may have been lost; returns what it is answered. */
export async function askAgain(stage: Pick<Stage, "url" | "contextId">, name: string, n: number): Promise<number> {
  const { url, contextId } = stage;
  if (!name.includes("sdk"))
    return (await new RestCaller(url, name).change(contextId, countOps(name), keyOf(name, n))).version;
  const client = await connect(url, { actor: name });
  const context = await client.open(contextId);
  const { version } = await context.update(countOps(name), { idempotencyKey: keyOf(name, n) });
  await client.close();
  return version;
}

async function askAll(
  stage: Stage,
  name: string,
  ask: (n: number) => Promise<{ readonly version: number }>,
  between: () => Promise<void> = async () => {},
): Promise<void> {
  const { journal, dead, random } = stage;
  const one = async (n: number): Promise<void> => {
    journal.asks(name, n);
    journal.answered(name, n, (await ask(n)).version);
  };
  try {
    for (let n = 1; !dead.aborted;) {
      const burst = Array.from({ length: random.between(1, AT_ONCE_MAX) }, () => one(n++));
      await untilDead(stage, Promise.all(burst));
      // a repeated request, as after a lost answer, changes nothing
      if (random.percent(20)) await untilDead(stage, one(n - 1));
      if (random.percent(50)) await untilDead(stage, between());
    }
  } catch (error) {
    ignoreIfDead(dead, error);
  }
}

async function withContext(stage: Stage, name: string, act: (context: Context) => Promise<void>): Promise<void> {
  const { url, contextId, journal, dead, entered } = stage;
  try {
    const client = await connect(url, { actor: name, timeoutMs: OPEN_MS_MAX });
    const opening = client.open(contextId);
    await untilDead(stage, opening);
    if (dead.aborted) {
      // the address is dead for good: it cannot get in any more, only give up later
      opening.then(() => client.close()).catch(() => {});
      return;
    }
    const context = await opening;
    journal.watch(context.doc, name, LOCAL);
    context.subscribe("", ({ changes }) => {
      for (const change of changes) journal.record(change);
    });
    entered();
    await act(context);
    // an SDK that believes to be online would wait for its unsaved edits
    await until(
      () => context.status !== "online",
      (check) => context.on("status", check),
    );
    await client.close();
  } catch (error) {
    ignoreIfDead(dead, error);
  }
}

/** The kill and its news do not come in one step: an error counts as the dead server's if that one is dead by then. */
function ignoreIfDead(dead: AbortSignal, error: unknown): void {
  if (!dead.aborted) throw error;
}

/** Waits for the promise, but no longer than the server lives: what it leaves unanswered never settles. */
async function untilDead({ dead }: Pick<Stage, "dead">, promise: Promise<unknown>): Promise<void> {
  promise.catch(() => {}); // it may fail after we stopped waiting
  await Promise.race([
    promise,
    until(
      () => dead.aborted,
      (check) => dead.addEventListener("abort", check, { once: true }),
    ),
  ]);
}

function until(isMet: () => boolean, listen: (check: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (isMet()) resolve();
    };
    listen(check);
    check();
  });
}

/** The rhythm of typing, sped up: mostly one edit after the other, now and then a breath. */
async function pause(random: Random): Promise<void> {
  await (random.percent(80) ? setImmediate() : setTimeout(random.between(1, 3)));
}
