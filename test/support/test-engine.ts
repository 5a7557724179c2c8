/**
 * The PostgreSQL that all tests of the layer `nodes` share, each in databases of its own: it runs from before the first of
 * them until after the last (a global setup of vitest).
 */
import pg from "pg";
import type { TestProject } from "vitest/node";
import { PostgresServer } from "./postgres-server.ts";

/** Three nodes with up to ten connections each, of as many servers as the tests of all workers have at once. */
const CONNECTIONS_MAX = 600;

let engine: PostgresServer | undefined;

export async function setup(project: TestProject): Promise<void> {
  engine = await PostgresServer.start({ settings: { max_connections: String(CONNECTIONS_MAX) } });
  project.provide("engine", engine.address("postgres"));
}

export async function teardown(): Promise<void> {
  await engine?.stop();
}

let count = 0;

/** A database that nobody has used; its address. */
export async function newDatabase(address: string): Promise<string> {
  const name = `t${process.pid}_${++count}`;
  await administer(address, `CREATE DATABASE ${name}`);
  const url = new URL(address);
  url.pathname = `/${name}`;
  return url.href;
}

/** Nobody uses it any more; a server may be closed twice. */
export async function dropDatabase(address: string, database: string): Promise<void> {
  await administer(address, `DROP DATABASE IF EXISTS ${new URL(database).pathname.slice(1)}`);
}

async function administer(address: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  await client.query(statement);
  await client.end();
}
