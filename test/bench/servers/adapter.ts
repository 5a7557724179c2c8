/**
 * Port: what the load must know of a server to drive it. All speak y-websocket's messages; some wrap them.
 *
 * Not here: processes (spawn-server.ts), sockets (load-client.ts).
 */

export interface ServerAdapter {
  readonly id: string;
  readonly label: string;
  /** Answers SyncStep1 with the document's state. */
  readonly holdsState: boolean;
  /** Has the document again after a restart. */
  readonly persists: boolean;
  /** The command after `node`, and how to find the address in a line of its output. */
  command(dataDir: string): Promise<Command>;
  /** Whatever must exist before clients may connect. */
  createRooms(url: URL, rooms: readonly string[]): Promise<void>;
  /** Path and query of the WebSocket of a room. */
  path(room: string): string;
  /** Bytes in front of every message, both ways. */
  prefix(room: string): Uint8Array;
  /** Messages to send, each behind the prefix, before SyncStep1. */
  greeting(): readonly Uint8Array[];
}

export interface Command {
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly urlIn: (line: string) => string | undefined;
}

export const NO_BYTES = new Uint8Array(0);

export const urlIn = (line: string): string | undefined => /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0];
