/**
 * Server-sent events out of a response body, as the WHATWG HTML standard §9.2.6 reads them.
 *
 * Invariants:
 *  1. Chunks may be cut anywhere, inside a character or between \r and \n.
 *  2. `lastEventId` of an event is the newest id seen, also one that came without data.
 *
 * Not here: reconnecting (whoever reads). Node 20 has no EventSource, and those of browsers take no headers.
 */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly lastEventId: string;
}

/** Blocks without data come too (event "", data ""): they tell an id or are heartbeats. An unfinished block is dropped. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  let lastEventId = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    // A \r at the very end may be half of a \r\n: it waits for the next chunk.
    const blocks = rest.split(/(?:\r\n|\n|\r(?!\n|$)){2}/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const event = parseBlock(block, lastEventId);
      lastEventId = event.lastEventId;
      yield event;
    }
  }
}

function parseBlock(block: string, idBefore: string): ServerEvent {
  let event = "";
  let lastEventId = idBefore;
  const data: string[] = [];
  for (const line of block.split(/\r\n|\n|\r/)) {
    const [, field = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === "event") event = value;
    if (field === "data") data.push(value);
    if (field === "id" && !value.includes("\0")) lastEventId = value;
  }
  return { event, data: data.join("\n"), lastEventId };
}
