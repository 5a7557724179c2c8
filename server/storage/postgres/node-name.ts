/**
 * How the connections of a node bear its id, so that the engine can say which nodes there are.
 *
 *     mcp-context-manager hints 7c9e6679-7425-40de-944b-e07fc1f90ae7     its line to the others, when it listens
 *     mcp-context-manager 7c9e6679-7425-40de-944b-e07fc1f90ae7           those that read and write
 *
 * As `application_name`, of which the engine keeps 63 bytes.
 *
 * Not here: what follows from it (lines/roll-call.ts).
 */
const PRODUCT = "mcp-context-manager";
/** Of a line that does not listen yet. */
export const LINE_NAME = `${PRODUCT} hints`;
const NAMED = new RegExp(`^${PRODUCT} (hints )?([0-9a-f-]{36})$`);

/** Their names, by comma. */
export const NAMES_QUERY = `SELECT string_agg(application_name, ',') AS names FROM pg_stat_activity
  WHERE datname = current_database() AND application_name LIKE '${PRODUCT} %'`;

export interface NodesThere {
  /** They have a connection: what they sent may still be carried out. */
  readonly connected: ReadonlySet<string>;
  /** They hear what is said. */
  readonly listening: ReadonlySet<string>;
}

export function listenerName(node: string): string {
  return `${LINE_NAME} ${node}`;
}

/** `node`: undefined for a program that is none. */
export function connectionName(node: string | undefined): string {
  return node === undefined ? PRODUCT : `${PRODUCT} ${node}`;
}

export function nodesIn(names: string): NodesThere {
  const connected = new Set<string>();
  const listening = new Set<string>();
  for (const name of names.split(",")) {
    const [, isLine, node] = NAMED.exec(name) ?? [];
    if (node === undefined) continue;
    connected.add(node);
    if (isLine !== undefined) listening.add(node);
  }
  return { connected, listening };
}
