/** Names of advisory locks: PostgreSQL knows them by 64 bits. Two names that share them wait for each other, and nothing else. */
import { createHash } from "node:crypto";

/** As SQL writes it; safe to stand in a statement. */
export function lockKeyOf(name: string): string {
  return createHash("sha256").update(name).digest().readBigInt64BE().toString();
}
