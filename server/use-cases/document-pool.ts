/**
 * Makes and encodes documents on a thread of their own: imports hold hostile bytes and whole documents, and live sync must
 * not wait for either.
 *
 * Not here: how (document-maker.ts), the thread (worker-pool.ts).
 */
import type { Monitor } from "../monitor-port.ts";
import { bareEntry } from "../state/document-fold.ts";
import type { ImportedDocument } from "../state/import/imported-document.ts";
import { WorkerPool } from "../worker-pool.ts";
import type { DocumentMaker, EncodeInput } from "./document-maker.ts";
import type * as worker from "./document-worker.ts";

export class DocumentPool implements DocumentMaker {
  readonly #pool: WorkerPool<typeof worker>;

  constructor(monitor?: Monitor) {
    const module = new URL("./document-worker", import.meta.url);
    this.#pool = new WorkerPool(module, { name: "documents", threads: 1, isBackground: true, monitor });
  }

  /** `list` must be all of its buffer. */
  assemble(list: Uint8Array): Promise<ImportedDocument> {
    return this.#pool.run("assemble", list);
  }

  encode({ base, tail, nodeClientId, encoding }: EncodeInput): Promise<Uint8Array> {
    return this.#pool.run("encode", { base, tail: tail.map(bareEntry), nodeClientId, encoding });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
