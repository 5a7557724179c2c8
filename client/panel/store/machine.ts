/**
 * What the panel's state needs of the machine it runs on: a browser in the page, anything in tests.
 *
 * Not here: the browser's (machine-of-page.ts beside main.tsx).
 */
import type { WebSocketClass } from "../../socket.ts";

export type Stop = () => void;

export interface Machine {
  /** The server's address, without a slash at the end. */
  readonly baseUrl: string;
  readonly fetch: typeof fetch;
  readonly WebSocket?: WebSocketClass;
  /** Runs the task once, before the next picture is drawn. */
  readonly frame: (task: () => void) => Stop;
  readonly after: (ms: number, task: () => void) => Stop;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Kept as long as the tab is; undefined forgets. */
  readonly memory: {
    readonly get: (name: string) => string | undefined;
    readonly set: (name: string, value: string | undefined) => void;
  };
}
