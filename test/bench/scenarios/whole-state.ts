/**
 * A client that wants the whole of a document: when it has all of it, for the scenarios about state.
 *
 * 1. A client is complete when it has as many bytes of content as the document's state, give or take 2 %: servers encode the same state
 *    a little differently. That the content is right is checked with a real document after the clock has stopped.
 */
import * as Y from "yjs";
import { LoadClient } from "../load-client.ts";
import type { Room } from "../load-client.ts";
import { untilQuiet } from "../cpu.ts";
import { Goal } from "../pace.ts";
import type { RunningServer } from "../spawn-server.ts";
import { Receiver, documentOf, scattered, updateIn } from "../updates.ts";

const FEED_MS_MAX = 100_000;
/** Updates given to the socket at once. */
const BATCH = 100;

export interface Expected {
  readonly text: string;
  readonly state: Uint8Array;
}

export function expectedOf(count: number): Expected & { readonly updates: readonly Uint8Array[] } {
  const updates = scattered(count);
  const doc = documentOf(updates);
  return { updates, text: doc.getText("text").toJSON(), state: Y.encodeStateAsUpdate(doc) };
}

/**
 * Sends the updates one by one and resolves when the server has spread the last of them and come to rest. The clients that did it and
 * saw it stay connected: the document is in use until they are closed.
 */
export async function fed(room: Room, { pid }: RunningServer, updates: readonly Uint8Array[]): Promise<LoadClient[]> {
  const arrived = new Goal(1, FEED_MS_MAX);
  const receiver = new Receiver(-1);
  const watcher = await LoadClient.join(room, { onContent: (message) => arrived.add(receiver.see(message)) });
  const author = await LoadClient.join(room);
  await Promise.all([watcher.synced, author.synced]);
  for (let i = 0; i < updates.length; i += BATCH) {
    author.send(Buffer.concat(updates.slice(i, i + BATCH).map((update) => author.updateFrame(update))));
  }
  await arrived.reached;
  await untilQuiet(pid);
  return [author, watcher];
}

export interface Joined {
  readonly client: LoadClient;
  readonly messages: readonly Buffer[];
  readonly atMs: number;
}

/** Joins and resolves when all of the state is there, with the time that was on the clock. */
export async function joinForAll(room: Room, expected: Expected, stallMs = 60_000): Promise<Joined> {
  const messages: Buffer[] = [];
  let bytes = 0;
  const { promise, resolve, reject } = promiseWithHands<number>();
  const timer = setTimeout(() => {
    reject(new Error(`${bytes} of about ${expected.state.length} bytes came within ${stallMs} ms.`));
  }, stallMs);
  const client = await LoadClient.join(room, {
    onContent(message) {
      messages.push(Buffer.from(message));
      bytes += message.length;
      if (bytes >= expected.state.length * 0.98) resolve(performance.now());
    },
  });
  const atMs = await promise.finally(() => clearTimeout(timer));
  return { client, messages, atMs };
}

/** @throws {Error} unless a real document makes the expected text of what was received */
export function assertComplete({ messages }: Joined, expected: Expected): void {
  const text = documentOf(messages.map(updateIn)).getText("text").toJSON();
  if (text !== expected.text) {
    throw new Error(`A real document got ${text.length} of ${expected.text.length} characters, or others.`);
  }
}

function promiseWithHands<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<Value>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
