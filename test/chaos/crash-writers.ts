/**
 * Those who write and watch while the server is killed: SDK, stock Yjs, REST. Each runs from before the crash until after
 * it, tells the journal what it is told, and takes its connection along when it ends.
 *
 * Their errors after the kill are what a dead server looks like; before it they are failures of the test.
 */
import * as Y from "yjs";
import { connect } from "../../client/index.ts";
import type { Context } from "../../client/index.ts";
import { readEvents } from "../../client/event-stream.ts";
import { isJsonObject } from "../../shared/json.ts";
import type { ChangeView } from "../../shared/protocol/rest.ts";
import { RestCaller } from "../support/rest-caller.ts";
import { openStockClient } from "../support/stock-client.ts";
import { countOf, partsOf } from "./crash-journal.ts";
import { countOps, editLive, keyOf } from "./crash-model.ts";
import { answered, ignoreIfDead, pause, until, untilDead } from "./crash-stage.ts";
import type { Participant, Stage } from "./crash-stage.ts";

/** Long enough for a disk that others keep busy: who cannot get in while the server lives is a failure. */
const OPEN_MS_MAX = 30_000;
/** Requests under way at once, of one asking writer. */
const AT_ONCE_MAX = 4;

const LOCAL = Symbol("local");
/** The close code that a stock client gets when its context is compacted. */
const OLD_EPOCH = 4409;

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
      await (random.percent(30) ? answered(stage, saved) : pause(random));
      journal.told(context.version);
    }
  });

/** Asks for JSON changes over the WebSocket, several at once, with idempotency keys. */
export const sdkAsker: Participant = async (stage, name) =>
  withContext(stage, name, async (context) => {
    await askAll(stage, name, (n) => context.update(countOps(name), { idempotencyKey: keyOf(name, n) }));
  });

/**
 * A stock editor: nobody acknowledges what it writes, but what it receives was shown to it. When the context is compacted
 * its page is loaded anew.
 */
export const stockEditor: Participant = async (stage, name) => {
  for (let isFirst = true; await editsOnOnePage(stage, name, isFirst); isFirst = false);
};

/** True when the page must be loaded again. */
async function editsOnOnePage(stage: Stage, name: string, isFirst: boolean): Promise<boolean> {
  const { journal, dead, random, entered } = stage;
  const doc = new Y.Doc();
  journal.watch(doc, name, LOCAL);
  const { provider, close } = openStockClient({ ...stage, actor: name, doc });
  let closeCode = 0;
  const hasClosed = new Promise<void>((resolve) => {
    provider.on("closed", ({ code }) => {
      closeCode = code;
      resolve();
    });
  });
  const isIn = until(
    () => provider.synced,
    (check) => provider.on("sync", check),
  );
  try {
    await untilDead(stage, Promise.race([isIn, hasClosed]));
    if (isFirst) await entered();
    for (let n = editsOf(doc, name) + 1; !dead.aborted && provider.synced; n++) {
      doc.transact(() => editLive(doc.getMap("data"), name, n), LOCAL);
      await pause(random);
    }
    await untilDead(stage, hasClosed);
    if (!dead.aborted && closeCode !== OLD_EPOCH) throw new Error(`The server closed with ${closeCode}`);
    return !dead.aborted;
  } finally {
    close();
  }
}

function editsOf(doc: Y.Doc, name: string): number {
  const data: unknown = doc.getMap("data").toJSON();
  return isJsonObject(data) && "live" in data ? countOf(partsOf(data).live[name] ?? { count: 0 }) : 0;
}

/** Asks for JSON changes over REST, and reads. */
export const restAsker: Participant = async (stage, name) => {
  const { url, contextId, journal, entered } = stage;
  const rest = new RestCaller(url, name);
  await entered();
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
    void entered();
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
      await answered(stage, Promise.all(burst));
      // a repeated request, as after a lost answer, changes nothing
      if (random.percent(20)) await answered(stage, one(n - 1));
      if (random.percent(50)) await answered(stage, between());
    }
  } catch (error) {
    ignoreIfDead(dead, error);
  }
}

async function withContext(stage: Stage, name: string, act: (context: Context) => Promise<void>): Promise<void> {
  const { url, contextId, journal, dead, entered } = stage;
  const { epoch } = journal;
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
    journal.watch(context.doc, name, LOCAL, epoch);
    // the context was compacted: what was not saved was carried over
    context.on("reset", (doc) => journal.watch(doc, name, LOCAL, epoch));
    context.on("rejected", ({ error }) => journal.faults.push(`${name} was handed an edit back: ${error.message}`));
    context.subscribe("", ({ changes }) => {
      for (const change of changes) journal.record(change);
    });
    await entered();
    await act(context);
    if (stage.survives) await context.saved();
    // an SDK that believes to be online would wait for its unsaved edits
    else
      await until(
        () => context.status !== "online",
        (check) => context.on("status", check),
      );
    await client.close();
  } catch (error) {
    ignoreIfDead(dead, error);
  }
}
