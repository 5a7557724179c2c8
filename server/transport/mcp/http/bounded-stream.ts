/**
 * Event streams that the SDK makes without looking at who reads them: here they get a bound, and an end that is noticed.
 *
 * Invariants (MCP-10):
 *  1. No more than `bytesMax` waits for a client that does not read; then the stream breaks off.
 *  2. `onEnd` is called once, when the stream ended, broke off, or the client went away.
 */

interface StreamOptions {
  readonly bytesMax: number;
  readonly onEnd: () => void;
}

/** The same answer; `onEnd` is called at once when it is no stream. */
export function boundedStream(response: Response, { bytesMax, onEnd }: StreamOptions): Response {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true;
  if (response.body === null || !isStream) {
    onEnd();
    return response;
  }
  const reader = response.body.getReader();
  let isOver = false;
  const end = (): void => {
    if (!isOver) onEnd();
    isOver = true;
  };
  const body = new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        const passOn = async (): Promise<void> => {
          for (;;) {
            const { done, value } = await reader.read();
            if (isOver) return;
            if (done) {
              end();
              controller.close();
              return;
            }
            controller.enqueue(value);
            if ((controller.desiredSize ?? 0) < 0) throw new Error("the client reads too slowly");
          }
        };
        // not awaited: the stream is there at once
        passOn().catch((error: unknown) => {
          end();
          controller.error(error);
          reader.cancel(error).catch(() => undefined);
        });
      },
      cancel: (reason) => {
        end();
        return reader.cancel(reason);
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: bytesMax }),
  );
  const { status, statusText, headers } = response;
  return new Response(body, { status, statusText, headers });
}
