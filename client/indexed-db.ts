/**
 * RecordStore on IndexedDB: one database for each replica, shared by the tabs that have it open.
 *
 * Invariants:
 *  1. Calls take effect in the order they were made; one IndexedDB transaction each.
 *  2. `replace` takes away only what this object loaded or appended: another tab's records stay.
 */
import type { Persistence, RecordStore } from "./replica-store.ts";

const STORE = "records";

/** Keeps replicas in the browser's IndexedDB. */
export function indexedDb(): Persistence {
  return {
    async open(name) {
      const request = indexedDB.open(`mcm:${name}`, 1);
      request.addEventListener("upgradeneeded", () => request.result.createObjectStore(STORE, { autoIncrement: true }));
      return new IndexedDbStore(await resultOf(request));
    },
  };
}

class IndexedDbStore implements RecordStore {
  readonly #db: IDBDatabase;
  #keys: IDBValidKey[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(db: IDBDatabase) {
    this.#db = db;
    // somebody deletes the database or a newer release upgrades it: do not stand in the way; later writes fail
    db.addEventListener("versionchange", () => db.close());
  }

  load(): Promise<readonly Uint8Array[]> {
    return this.#inTurn(async (store) => {
      const [keys, values] = await Promise.all([resultOf(store.getAllKeys()), resultOf<unknown[]>(store.getAll())]);
      this.#keys = keys;
      return values.filter((value) => value instanceof Uint8Array);
    });
  }

  append(record: Uint8Array): Promise<void> {
    return this.#inTurn(async (store) => {
      this.#keys.push(await resultOf(store.add(record)));
    });
  }

  replace(records: readonly Uint8Array[]): Promise<void> {
    return this.#inTurn(async (store) => {
      for (const key of this.#keys) store.delete(key);
      this.#keys = await Promise.all(records.map((record) => resultOf(store.add(record))));
    });
  }

  async close(): Promise<void> {
    await this.#last.catch(() => {});
    this.#db.close();
  }

  /** Resolves when the transaction is complete, not when its requests are. */
  #inTurn<Result>(task: (store: IDBObjectStore) => Promise<Result>): Promise<Result> {
    const turn = this.#last.then(async () => {
      const transaction = this.#db.transaction(STORE, "readwrite");
      const [result] = await Promise.all([task(transaction.objectStore(STORE)), completionOf(transaction)]);
      return result;
    });
    this.#last = turn.catch(() => {});
    return turn;
  }
}

function resultOf<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("IndexedDB failed without a reason.")));
  });
}

function completionOf(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (): void => reject(transaction.error ?? new Error("IndexedDB aborted the transaction."));
    transaction.addEventListener("complete", () => resolve());
    transaction.addEventListener("error", failed);
    transaction.addEventListener("abort", failed);
  });
}
