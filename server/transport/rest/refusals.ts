/**
 * The handler of a context's refused writes.
 *
 * Not here: who may ask (access-guard.ts), what is kept (server/context/refusal-ring.ts).
 */
import { isoTime } from "../../../shared/iso-time.ts";
import type { RefusalList, RefusalView } from "../../../shared/protocol/rest-refusals.ts";
import { noQuerySchema } from "../../../shared/protocol/rest.ts";
import type { Refusal } from "../../../shared/refusal.ts";
import { contextIdOf, json } from "./call.ts";
import type { Call, RestHandler, RestParts } from "./call.ts";
import { parseQuery } from "./request.ts";

export const refusalHandlers = { list } satisfies Record<string, RestHandler>;

async function list({ service }: RestParts, call: Call): Promise<Response> {
  parseQuery(noQuerySchema, call.request.url);
  const { items, silent } = await service.server.refusals.list(call.caller, contextIdOf(call));
  const view: RefusalList = {
    refusals: items.map(viewOf),
    ...(silent === undefined ? {} : { silentNodes: silent }),
  };
  return json(view);
}

function viewOf({ atMs, paths, ...rest }: Refusal): RefusalView {
  return { ...rest, at: isoTime(atMs), paths: [...paths] };
}
