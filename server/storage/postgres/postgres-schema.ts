/**
 * What lies in the database: the records of the log, as any store has them (log/log-keys.ts), in one table.
 *
 *   mcm.record           key and value; the primary key orders them byte by byte
 *   mcm.context_number   numbers for new contexts, in blocks
 *   mcm.layout           version of these tables; that of the records is a record
 *
 * Invariants:
 *  1. Migrations run one at a time and all or nothing, whichever node begins first. What was released stays as it is:
 *     a change is a new migration.
 *
 * Not here: what keys and values mean (server/storage/log).
 */
import type { ClientBase } from "pg";
import { newerFormat } from "../log/record.ts";
import { lockKeyOf } from "./lock-key.ts";

/** Numbers that a node takes from the sequence at a time. */
export const NUMBER_BLOCK = 1000;

const MIGRATIONS = [
  // updates of heads find room on their own page, and values are not compressed: documents are small or changing
  `CREATE TABLE mcm.record (key bytea PRIMARY KEY, value bytea NOT NULL)
     WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
   ALTER TABLE mcm.record ALTER COLUMN value SET STORAGE EXTERNAL;
   CREATE SEQUENCE mcm.context_number INCREMENT BY ${NUMBER_BLOCK};`,
] as const;

/** @throws {ServiceError} DATA_FORMAT_NEWER; {DatabaseError} what the database says */
export async function migrate(client: ClientBase, location: string): Promise<void> {
  await client.query(`BEGIN; SELECT pg_advisory_xact_lock(${lockKeyOf("migrations")})`);
  await client.query("CREATE SCHEMA IF NOT EXISTS mcm");
  await client.query("CREATE TABLE IF NOT EXISTS mcm.layout (version int NOT NULL)");
  const { rows } = await client.query<{ version: number }>("SELECT version FROM mcm.layout");
  const version = rows[0]?.version ?? 0;
  if (version > MIGRATIONS.length) throw newerFormat(`The data in ${location}`);
  for (const migration of MIGRATIONS.slice(version)) await client.query(migration);
  const isNew = rows.length === 0;
  if (version < MIGRATIONS.length || isNew)
    await client.query(isNew ? "INSERT INTO mcm.layout VALUES ($1)" : "UPDATE mcm.layout SET version = $1", [
      MIGRATIONS.length,
    ]);
  await client.query("COMMIT");
}
