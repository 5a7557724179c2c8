/** Operations of the store as statements of a transaction. */
import type { ClientBase } from "pg";
import type { StoreOp } from "../store/store.ts";

/** Parameters of one statement: the protocol counts them in 16 bits. */
const PUTS_MAX = 10_000;

/** Of several operations on a key the last one counts: a statement may touch a row once. */
export async function writeOps(client: ClientBase, ops: readonly StoreOp[]): Promise<void> {
  const last = new Map(ops.map((op) => [Buffer.from(op.key).toString("latin1"), op]));
  const deleted: Uint8Array[] = [];
  const puts: Uint8Array[] = [];
  for (const op of last.values()) {
    if (op.type === "put") puts.push(op.key, op.value);
    else deleted.push(op.key);
  }
  if (deleted.length > 0) await client.query("DELETE FROM mcm.record WHERE key = ANY($1)", [deleted.map(buffer)]);
  // one value each: an array of them would be sent as text
  for (let at = 0; at < puts.length; at += 2 * PUTS_MAX) await put(client, puts.slice(at, at + 2 * PUTS_MAX));
}

async function put(client: ClientBase, values: readonly Uint8Array[]): Promise<void> {
  const rows = Array.from(
    { length: values.length / 2 },
    (_, row) => `($${2 * row + 1}::bytea, $${2 * row + 2}::bytea)`,
  );
  const text = `INSERT INTO mcm.record (key, value) VALUES ${rows.join()} ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value`;
  await client.query(text, values.map(buffer));
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
