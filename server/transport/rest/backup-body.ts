/**
 * The body of a backup: written piece by piece as fast as the client takes it.
 *
 * Invariants (DATA):
 *  1. The next piece is made when the client has taken the former one: no queue grows here.
 *  2. A client that goes away ends the backup at its next piece, one that takes nothing for slowConsumerMsMax is cut: what a
 *     backup reads from is held on the disk meanwhile.
 *
 * Not here: what is sent (storage/backup/backup-stream.ts).
 */
import { LIMITS } from "../../../shared/limits.ts";
import type { Clock } from "../../clock.ts";

interface BackupBodyOptions {
  readonly clock: Clock;
  /** Ends the connection of a client that takes nothing. */
  readonly cut: () => void;
  readonly onError: (error: unknown) => void;
}

export interface BackupBody {
  readonly stream: ReadableStream<Uint8Array>;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Ends the stream with the work. Rejects when that fails before the first piece; resolves with the first piece otherwise. */
  readonly begin: (work: Promise<void>) => Promise<void>;
}

export function backupBody({ clock, cut, onError }: BackupBodyOptions): BackupBody {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  // that it ended early is told to whoever writes
  writer.closed.catch(() => undefined);
  let hasBegun = false;
  let begun = (): void => undefined;
  const first = new Promise<void>((resolve) => (begun = resolve));

  const write = async (bytes: Uint8Array): Promise<void> => {
    hasBegun = true;
    begun();
    let cancelTimer = (): void => undefined;
    const stalled = new Promise<never>((_, reject) => {
      cancelTimer = clock.setTimer(LIMITS.slowConsumerMsMax, () => {
        reject(new Error("The client takes nothing."));
        cut();
      });
    });
    try {
      await Promise.race([writer.write(bytes), stalled]);
    } finally {
      cancelTimer();
    }
  };

  const finish = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      if (!hasBegun) throw error;
      onError(error);
    }
    // of a client that is gone there is nothing to close
    writer.close().catch(() => undefined);
  };

  return { stream: readable, write, begin: (work) => Promise.race([first, finish(work)]) };
}
