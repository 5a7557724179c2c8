/** Content is counted, not frames: merged, joined, repeated and echoed updates must come out the same. */
import * as Y from "yjs";
import { describe, expect, test } from "vitest";
import { encodeStep2, encodeUpdate } from "../../shared/protocol/frames.ts";
import { Receiver, assertContent, documentOf, scattered, typing, updateIn } from "../bench/updates.ts";

const UPDATES = 50;
const writers = [typing(0, UPDATES), typing(1, UPDATES), typing(2, UPDATES)];
const all = writers.flat();
const messages = all.map(encodeUpdate);

describe("the updates", () => {
  test("are of about 64 bytes and make one text with nothing pending", () => {
    const later = all.filter((_, i) => i % UPDATES > 0).map(({ length }) => length);
    expect(Math.min(...later)).toBeGreaterThan(58);
    expect(Math.max(...later)).toBeLessThan(72);
    expect(documentOf(all).getText("text").length).toBe(44 * all.length);
  });

  test("all over a text are many items, the same each time", () => {
    const [one, other] = [scattered(500), scattered(500)];
    expect(one).toEqual(other);
    expect(documentOf(one).store.clients.get(0x8000_0000)?.length).toBeGreaterThan(400);
  });
});

describe("Receiver", () => {
  const count = (own: number, received: readonly Uint8Array[]): number => {
    const receiver = new Receiver(own);
    for (const message of received) receiver.see(message);
    return receiver.count;
  };

  test("counts every update once, one by one, joined in a message, merged, or as state", () => {
    expect(count(-1, messages)).toBe(150);
    expect(count(-1, [Buffer.concat(messages)])).toBe(150);
    expect(count(-1, [encodeUpdate(Y.mergeUpdates(all))])).toBe(150);
    expect(count(-1, [encodeStep2(Y.encodeStateAsUpdate(documentOf(all)))])).toBe(150);
  });

  test("does not count what the client wrote itself, nor anything twice", () => {
    expect(count(1, [...messages, ...messages])).toBe(100);
  });

  test("does not count past an update that is missing", () => {
    expect(count(-1, messages.toSpliced(10, 1))).toBe(10 + 100);
  });

  test("is not misled by marks in part or by other bytes", () => {
    const text = new TextEncoder();
    expect(count(-1, [text.encode("^~00000000x"), text.encode("^~0000000"), text.encode("^^~000000001")])).toBe(0);
    expect(count(-1, [text.encode("^^~000000000")])).toBe(1);
  });

  test("names what is new", () => {
    const seen: string[] = [];
    const receiver = new Receiver(0, (writer, sequence) => seen.push(`${writer}:${sequence}`));
    receiver.see(
      Buffer.concat([messages[0] ?? [], messages[50] ?? [], messages[51] ?? []].map((it) => Buffer.from(it))),
    );
    expect(seen).toEqual(["1:0", "1:1"]);
  });
});

describe("assertContent", () => {
  test("passes for the same content in other messages", () => {
    expect(() => assertContent([encodeUpdate(Y.mergeUpdates(all))], messages)).not.toThrow();
    expect(updateIn(encodeUpdate(Uint8Array.of(0, 0)))).toEqual(Uint8Array.of(0, 0));
  });

  test("fails for content that is missing, and for none at all", () => {
    expect(() => assertContent(messages.slice(1), messages)).toThrow("A real document got");
    expect(() => assertContent([], [])).toThrow("0 of 0");
  });
});
