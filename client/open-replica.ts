/**
 * From nothing to a replica an application may have: local copy first, then the server, whichever is enough.
 */
import { ServiceError } from "../shared/errors.ts";
import type { ProviderOptions } from "./provider.ts";
import { Replica } from "./replica.ts";
import { ReplicaStore } from "./replica-store.ts";
import type { Persistence } from "./replica-store.ts";

/** Where the local copy is; its name tells server, owner and context. */
export interface LocalCopy {
  readonly persistence: Persistence;
  readonly name: string;
  /** The actor that the server must take us for; unless it takes everybody's word. */
  readonly owner?: string;
}

export interface OpenReplicaOptions {
  readonly provider: ProviderOptions;
  readonly copy?: LocalCopy;
  readonly timeoutMs: number;
}

/** @throws {ServiceError} UNREACHABLE, or with what the server ends the session; what the store throws when it can't be opened */
export async function openReplica({ provider, copy, timeoutMs }: OpenReplicaOptions): Promise<Replica> {
  const replica = new Replica(provider, copy?.owner);
  let hasCopy = false;
  try {
    if (copy !== undefined) hasCopy = await restore(replica, copy);
    const opened = untilOpened(replica, hasCopy, timeoutMs);
    replica.connect();
    await opened;
    return replica;
  } catch (error) {
    replica.close(new ServiceError("CLOSED", "The context could not be opened."));
    await replica.dispose();
    throw error;
  }
}

/** True when the store had something. */
async function restore(replica: Replica, { persistence, name }: LocalCopy): Promise<boolean> {
  const store = new ReplicaStore(await persistence.open(name), (error) => replica.events.emit("storeFailed", error));
  const stored = await store.load();
  replica.restore(store, stored);
  return stored.updates.length > 0;
}

function untilOpened(replica: Replica, hasCopy: boolean, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = (): void => {
      if (hasCopy) settle(resolve);
      else
        settle(() =>
          reject(
            new ServiceError(
              "UNREACHABLE",
              `The server did not sync the context within ${timeoutMs} ms. Check the address, and that the server runs.`,
            ),
          ),
        );
    };
    const timer = setTimeout(late, timeoutMs);
    const off = [
      replica.events.on("status", (status) => {
        if (status === "online") settle(resolve);
      }),
      replica.events.on("connectionLost", () => {
        // after "closed", which says in the same turn that the server will not have us
        if (hasCopy) queueMicrotask(() => settle(resolve));
      }),
      replica.events.on("closed", (error) => settle(() => reject(error))),
    ];
    function settle(outcome: () => void): void {
      clearTimeout(timer);
      for (const unsubscribe of off) unsubscribe();
      outcome();
    }
  });
}
