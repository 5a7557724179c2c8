/** Operations of the store as statements of a transaction, planned once for a connection. */
import type { ClientBase } from "pg";
import type { StoreOp } from "../store/store.ts";

const DELETE = { name: "mcm_delete", text: "DELETE FROM mcm.record WHERE key = ANY($1::bytea[])" };
const PUT = {
  name: "mcm_put",
  text: `INSERT INTO mcm.record (key, value) SELECT * FROM unnest($1::bytea[], $2::bytea[])
    ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value`,
};

/** The type of an element, as the engine numbers types. */
const BYTEA = 17;

/** Of several operations on a key the last one counts: a statement may touch a row once. */
export function writeOps(client: ClientBase, ops: readonly StoreOp[]): readonly Promise<unknown>[] {
  const last = new Map(ops.map((op) => [Buffer.from(op.key).toString("latin1"), op]));
  const deleted: Uint8Array[] = [];
  const keys: Uint8Array[] = [];
  const values: Uint8Array[] = [];
  for (const op of last.values()) {
    if (op.type === "del") deleted.push(op.key);
    else {
      keys.push(op.key);
      values.push(op.value);
    }
  }
  const asked: Promise<unknown>[] = [];
  if (deleted.length > 0) asked.push(client.query({ ...DELETE, values: [bytesArray(deleted)] }));
  if (keys.length > 0) asked.push(client.query({ ...PUT, values: [bytesArray(keys), bytesArray(values)] }));
  return asked;
}

/** In the engine's own form: pg would write an array as text, each byte as two. */
function bytesArray(items: readonly Uint8Array[]): Buffer {
  const header = [1, 0, BYTEA, items.length, 1];
  const size = items.reduce((sum, { length }) => sum + 4 + length, 4 * header.length);
  const array = Buffer.allocUnsafe(size);
  let at = 0;
  for (const number of header) at = array.writeInt32BE(number, at);
  for (const item of items) {
    at = array.writeInt32BE(item.length, at);
    array.set(item, at);
    at += item.length;
  }
  return array;
}
