/** What was refused, to whom, where and why: of one context, and of the server as a whole. */
import { useEffect, useMemo } from "preact/hooks";
import type { AuditEntryView } from "../../../shared/protocol/rest-audit.ts";
import type { RefusalView } from "../../../shared/protocol/rest-refusals.ts";
import { denialPoll } from "../store/denials.ts";
import type { Machine } from "../store/machine.ts";
import type { OpenContext } from "../store/open-context.ts";
import { RefusalBoard } from "../store/refusal-board.ts";
import { hrefOf } from "../store/route.ts";
import type { Link } from "../store/sign-in.ts";
import { Actor, Ago, Empty, Pill } from "./bits.tsx";
import { Lacking } from "./lacking.tsx";

/** The writes and locks that one context refused. */
export function RefusalsView({ opened }: { readonly opened: OpenContext }) {
  const board = useMemo(() => new RefusalBoard(opened), [opened]);
  useEffect(() => board.start(), [board]);
  const refusals = board.refusals.value;
  return (
    <div class="pane alone">
      <Lacking what="refused writes" problem={board.problem.value} />
      {refusals?.length === 0 && (
        <Empty title="Nothing was refused">Since the server started, every write here was taken.</Empty>
      )}
      {refusals !== undefined && refusals.length > 0 && <Refusals id={opened.id} refusals={refusals} />}
    </div>
  );
}

interface RefusalsProps {
  readonly id: string;
  readonly refusals: readonly RefusalView[];
}

function Refusals({ id, refusals }: RefusalsProps) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Refused writes">
      <table>
        <thead>
          <tr>
            <th scope="col">Actor</th>
            <th scope="col">Why</th>
            <th scope="col">Paths</th>
            <th scope="col">In the way</th>
            <th scope="col">Door</th>
            <th scope="col">When</th>
          </tr>
        </thead>
        <tbody>
          {refusals.map((refusal) => (
            <tr key={refusal.id}>
              <td>
                <Actor name={refusal.actor} />
              </td>
              <td>
                <Pill tone="bad">{refusal.code}</Pill> {refusal.rule !== undefined && <Pill>{refusal.rule}</Pill>}
              </td>
              <td class="paths">
                {refusal.paths.map((path) => (
                  <a key={path} class="mono" href={hrefOf({ view: "context", id, tab: "document", path })}>
                    {path === "" ? "everything" : path}
                  </a>
                ))}
              </td>
              <td>{refusal.by === undefined ? <span class="dim">–</span> : <Actor name={refusal.by} />}</td>
              <td class="dim">{refusal.origin}</td>
              <td class="dim">
                <Ago atMs={Date.parse(refusal.at)} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface DenialsProps {
  readonly machine: Machine;
  readonly link: Link;
}

/** What the whole server denied. */
export function DenialsView({ machine, link }: DenialsProps) {
  const poll = useMemo(() => denialPoll(machine, link), [machine, link]);
  useEffect(() => poll.start(), [poll]);
  const entries = poll.value.value;
  return (
    <section class="page" aria-labelledby="denials-title">
      <div class="page-head">
        <h1 id="denials-title">Denied</h1>
        <span class="note">
          Access that the server denied. Writes refused by locks and schemas are with their context.
        </span>
      </div>
      <div class="pane alone">
        <Lacking what="its audit log" problem={poll.problem.value} />
        {entries?.length === 0 && <Empty title="Nothing was denied">The audit log has no denial.</Empty>}
        {entries !== undefined && entries.length > 0 && <Denials entries={entries} />}
      </div>
    </section>
  );
}

function Denials({ entries }: { readonly entries: readonly AuditEntryView[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Denials">
      <table>
        <thead>
          <tr>
            <th scope="col">Actor</th>
            <th scope="col">What</th>
            <th scope="col">Why</th>
            <th scope="col">Where</th>
            <th scope="col">From</th>
            <th scope="col">When</th>
          </tr>
        </thead>
        <tbody>
          {entries.map((entry) => (
            <Denial key={entry.id} entry={entry} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Denial({ entry }: { readonly entry: AuditEntryView }) {
  const { actor, action, code, rule, context, paths = [], address, count, at } = entry;
  return (
    <tr>
      <td>{actor === undefined ? <span class="dim">unknown</span> : <Actor name={actor} />}</td>
      <td class="mono">{action}</td>
      <td>
        <Pill tone="bad">{code ?? "denied"}</Pill> {rule !== undefined && <Pill>{rule}</Pill>}
        {count !== undefined && <span class="dim"> ×{count}</span>}
      </td>
      <td class="paths">
        {context !== undefined && <a href={hrefOf({ view: "context", id: context, tab: "refusals" })}>{context}</a>}
        {paths.map((path) => (
          <code key={path}>{path}</code>
        ))}
      </td>
      <td class="dim">{address}</td>
      <td class="dim">
        <Ago atMs={Date.parse(at)} />
      </td>
    </tr>
  );
}
