/** Who was denied what on the server, newest first, of the audit log: for its admins. */
import type { AuditEntryView, AuditList } from "../../../shared/protocol/rest-audit.ts";
import type { Machine } from "./machine.ts";
import { Poll } from "./poll.ts";
import type { Link } from "./sign-in.ts";

const EVERY_MS = 3000;
const LIMIT = 200;

export function denialPoll(machine: Machine, link: Pick<Link, "call">): Poll<readonly AuditEntryView[]> {
  return new Poll(machine, EVERY_MS, async () => {
    const query = { outcome: "denied", limit: LIMIT };
    return (await link.call<AuditList>("GET", ["audit"], { query })).entries;
  });
}
