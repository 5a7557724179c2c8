/** All contexts: found, sorted, and opened from here. */
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { ListedContextInfo } from "../../../shared/protocol/rest.ts";
import { ORDERS } from "../store/context-list.ts";
import type { ContextList, Order } from "../store/context-list.ts";
import { hrefOf } from "../store/route.ts";
import { bytesText } from "../store/when.ts";
import { Actor, Ago, Empty, Pill, ProblemNote } from "./bits.tsx";
import { Icon } from "./icon.tsx";
import { isNarrow } from "./narrow.ts";
import { VirtualList } from "./virtual-list.tsx";

export function ContextsView({ contexts }: { readonly contexts: ContextList }) {
  useEffect(() => contexts.start(), [contexts]);
  const rows = contexts.rows.value;
  return (
    <section class="page" aria-labelledby="contexts-title">
      <div class="page-head">
        <h1 id="contexts-title">Contexts</h1>
        {rows !== undefined && (
          <span class="count">
            {rows.length}
            {contexts.isCut.value ? "+" : ""}
          </span>
        )}
        <Filters contexts={contexts} />
      </div>
      <ProblemNote problem={contexts.problem.value} />
      <Rows rows={rows} isFiltered={contexts.text.value !== "" || contexts.type.value !== ""} />
      {contexts.isCut.value && <p class="note">There are more. Search to find them.</p>}
    </section>
  );
}

const ORDER_NAMES = {
  updated: "Last change",
  id: "Id",
  type: "Type",
  version: "Version",
  size: "Size",
  sessions: "Sessions",
  locks: "Locks",
  conflicts: "Conflicts",
} as const satisfies Record<Order, string>;

function Filters({ contexts }: { readonly contexts: ContextList }) {
  const { text, type, types, order } = contexts;
  return (
    <div class="filters" role="search">
      <label class="field grow">
        <Icon name="search" />
        <input
          type="search"
          aria-label="Search contexts"
          placeholder="Id, name or description"
          value={text.value}
          onInput={({ currentTarget }) => contexts.find(currentTarget.value, type.peek())}
        />
      </label>
      <select
        aria-label="Type"
        value={type.value}
        onChange={({ currentTarget }) => contexts.find(text.peek(), currentTarget.value)}
      >
        <option value="">All types</option>
        {types.value.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <select
        aria-label="Sort by"
        value={order.value}
        onChange={({ currentTarget }) => {
          order.value = ORDERS.find((it) => it === currentTarget.value) ?? "updated";
        }}
      >
        {ORDERS.map((it) => (
          <option key={it} value={it}>
            {ORDER_NAMES[it]}
          </option>
        ))}
      </select>
    </div>
  );
}

function Rows({
  rows,
  isFiltered,
}: {
  readonly rows: readonly ListedContextInfo[] | undefined;
  readonly isFiltered: boolean;
}) {
  if (rows === undefined) return null;
  if (rows.length === 0 && isFiltered) return <Empty title="Nothing matches">No context has this text and type.</Empty>;
  if (rows.length === 0)
    return (
      <Empty title="No contexts yet">
        Make one:{" "}
        <code>
          curl -s {new URL("..", location.href).href}v1/contexts -H 'content-type: application/json' -d '{"{"}"id":
          "plan"{"}"}'
        </code>
      </Empty>
    );
  return (
    <div class="table contexts">
      <div class="table-head" aria-hidden="true">
        <span>Context</span>
        <span>Type</span>
        <span class="number">Version</span>
        <span class="number">Size</span>
        <span class="number">Sessions</span>
        <span class="number">Locks</span>
        <span class="number">Conflicts</span>
        <span>By</span>
        <span>Last change</span>
      </div>
      <VirtualList
        items={rows}
        rowPx={isNarrow.value ? 60 : 36}
        attributes={{ role: "list", "aria-label": "Contexts", tabIndex: 0 }}
        render={(row, index) => <Row key={row.id} row={row} index={index} count={rows.length} />}
      />
    </div>
  );
}

interface RowProps {
  readonly row: ListedContextInfo;
  readonly index: number;
  readonly count: number;
}

function Row({ row, index, count }: RowProps) {
  const { id, name, type, version, createdBy, updatedAt, tags } = row;
  return (
    <div class="table-row" role="listitem" aria-posinset={index + 1} aria-setsize={count}>
      <span class="main-cell">
        <a href={hrefOf({ view: "context", id, tab: "document" })}>{id}</a>
        {name !== undefined && <span class="dim">{name}</span>}
        {tags.slice(0, 3).map((tag) => (
          <span key={tag} class="tag">
            {tag}
          </span>
        ))}
      </span>
      <span>{type === undefined ? <span class="dim">–</span> : <Pill>{type}</Pill>}</span>
      <span class="number">v{version}</span>
      <Figures figures={row.figures} />
      <span>
        <Actor name={createdBy} />
      </span>
      <span class="dim">
        <Ago atMs={Date.parse(updatedAt)} />
      </span>
    </div>
  );
}

/** Of each context so many are looked at. */
const CONFLICTS_COUNTED = 100;

function Figures({ figures }: { readonly figures: ListedContextInfo["figures"] }) {
  const { diskBytes, sessions, locks, conflicts } = figures ?? {};
  const { recent, open = 0 } = conflicts ?? {};
  const some = recent === CONFLICTS_COUNTED ? `${recent}+` : recent;
  return (
    <>
      <Figure name="Size">{diskBytes === undefined ? undefined : bytesText(diskBytes)}</Figure>
      <Figure name="Sessions">{sessions}</Figure>
      <Figure name="Locks">{locks}</Figure>
      <Figure name="Conflicts">{open === 0 ? some : <Pill tone="warn">{open} open</Pill>}</Figure>
    </>
  );
}

/** Nothing is drawn back, and what is not known is said to be so. */
function Figure({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  const isKnown = children !== undefined;
  return (
    <span
      class={children === 0 || !isKnown ? "number figure dim" : "number figure"}
      title={isKnown ? name : `${name}: not known yet`}
    >
      <span class="visually-hidden">{name} </span>
      {isKnown ? children : "–"}
    </span>
  );
}
