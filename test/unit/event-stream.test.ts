/** The SSE reader on streams cut anywhere. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { readEvents } from "../../client/event-stream.ts";
import type { ServerEvent } from "../../client/event-stream.ts";

async function eventsOf(bytes: Uint8Array, cuts: readonly number[] = []): Promise<ServerEvent[]> {
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const bounds = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
    for (const [index, from] of bounds.entries()) yield bytes.subarray(from, bounds[index + 1] ?? bytes.length);
  }
  const events: ServerEvent[] = [];
  for await (const event of readEvents(chunks())) events.push(event);
  return events;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

test("[CLI-5] fields, ids without data, comments, several data lines", async () => {
  const text = "retry: 1000\nid: 6\n\n:\n\nevent: change\nid: 7\ndata: {\ndata:}\n\ndata: after\n\ndata: unfinished\n";
  expect(await eventsOf(encode(text))).toEqual([
    { event: "", data: "", lastEventId: "6" },
    { event: "", data: "", lastEventId: "6" },
    { event: "change", data: "{\n}", lastEventId: "7" },
    { event: "", data: "after", lastEventId: "7" },
  ]);
});

test("[CLI-5] wherever the bytes are cut, and whatever ends the lines, the events are the same", async () => {
  const lines = ["id: 1", "data: żółć 🙂", "", "event: change", "id: 2", "data: two", "", ""];
  const expected = await eventsOf(encode(lines.join("\n")));
  expect(expected.map(({ data }) => data)).toEqual(["żółć 🙂", "two"]);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("\n", "\r\n", "\r"),
      fc.array(fc.nat(), { maxLength: 12 }),
      async (newline, cuts) => {
        // A lone \r at the very end can't be told from half of \r\n before more comes.
        const bytes = encode(`${lines.join(newline)}${newline === "\r" ? "\r:\r\r:" : ""}`);
        const events = await eventsOf(bytes, cuts);
        expect(events.filter(({ data }) => data !== "")).toEqual(expected);
      },
    ),
    { seed: 5, numRuns: 500 },
  );
});
