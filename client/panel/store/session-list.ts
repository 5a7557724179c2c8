/** The live sessions of the server, or of one context: who, how, and how far behind; and their end. */
import type { SessionList as SessionPage, SessionView } from "../../../shared/protocol/rest-monitoring.ts";
import type { Machine } from "./machine.ts";
import type { Notices } from "./notices.ts";
import { Poll } from "./poll.ts";
import type { Link } from "./sign-in.ts";

const EVERY_MS = 2000;
const PAGE_MAX = 500;
/** 5,000 sessions. */
const PAGES_MAX = 10;

export interface Sessions {
  readonly sessions: readonly SessionView[];
  /** There are more than are listed. */
  readonly isCut: boolean;
}

/** Those of one context, if one is given. */
export function sessionPoll(machine: Machine, link: Pick<Link, "call">, contextId?: string): Poll<Sessions> {
  return new Poll(machine, EVERY_MS, () => allSessions(link, contextId));
}

interface Deed {
  readonly link: Pick<Link, "call">;
  readonly notices: Notices;
}

/** Its client comes again by itself, as another session. */
export async function closeSession({ link, notices }: Deed, { id, actor, contextId }: SessionView): Promise<void> {
  await notices.tried(async () => {
    await link.call("DELETE", ["sessions", id]);
    notices.done(`Closed ${actor}'s session on ${contextId}`);
  });
}

async function allSessions(link: Pick<Link, "call">, contextId: string | undefined): Promise<Sessions> {
  const sessions: SessionView[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const found = await link.call<SessionPage>("GET", ["sessions"], {
      query: { limit: PAGE_MAX, context: contextId, cursor },
    });
    sessions.push(...found.sessions);
    cursor = found.next;
    if (cursor === undefined) return { sessions, isCut: false };
  }
  return { sessions, isCut: true };
}
