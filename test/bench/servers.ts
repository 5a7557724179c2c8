/**
 * The servers of the benchmark, ours first.
 *
 * Not here: how they are driven (servers/).
 */
import type { ServerAdapter } from "./servers/adapter.ts";
import { earlier } from "./servers/earlier.ts";
import { hocuspocus } from "./servers/hocuspocus.ts";
import { ours } from "./servers/ours.ts";
import { relay } from "./servers/relay.ts";
import { yWebsocket } from "./servers/y-websocket.ts";

export const SERVERS: readonly ServerAdapter[] = [ours, relay, hocuspocus, yWebsocket, ...earlier];
