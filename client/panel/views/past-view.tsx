/** The document at one version, chosen by a slider, and how it differs from another. */
import { useSignal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import type { TreeLine } from "../store/document-tree.ts";
import type { OpenContext } from "../store/open-context.ts";
import type { PastDocument } from "../store/past-document.ts";
import type { Reverting } from "../store/reverting.ts";
import { isContainer } from "../store/tree-values.ts";
import { clockText } from "../store/when.ts";
import { ProblemNote } from "./bits.tsx";
import { DiffList } from "./diff-list.tsx";
import { Icon } from "./icon.tsx";
import { isNarrow } from "./narrow.ts";
import { VirtualList } from "./virtual-list.tsx";

interface PastViewProps {
  readonly opened: OpenContext;
  readonly past: PastDocument;
  readonly reverting: Reverting;
}

export function PastView({ opened, past, reverting }: PastViewProps) {
  const selected = useSignal("");
  const { to = opened.version.value, from } = past.wanted.value ?? {};
  return (
    <div class="pane past">
      <Slider opened={opened} past={past} />
      <div class="pane-head past-tabs">
        <button type="button" class="quiet" aria-pressed={from === undefined} onClick={() => past.show(to)}>
          Document
        </button>
        <button
          type="button"
          class="quiet"
          aria-pressed={from !== undefined}
          onClick={() => past.show(to, Math.max(0, to - 1))}
        >
          Difference
        </button>
        {from !== undefined && <From past={past} from={from} to={to} />}
        {opened.access.value?.mayWrite !== false && (
          <span class="end">
            <button
              type="button"
              onClick={() => void reverting.ask({ what: "restore", version: to, path: selected.peek() })}
            >
              Restore…
            </button>
            <button
              type="button"
              onClick={() => void reverting.ask({ what: "undo", actor: opened.link.actor, from: 0, path: "" })}
            >
              Undo…
            </button>
          </span>
        )}
      </div>
      <ProblemNote problem={past.problem.value} />
      {from === undefined ? <PastTree past={past} selected={selected} /> : <DiffOf past={past} />}
    </div>
  );
}

function Slider({ opened, past }: Pick<PastViewProps, "opened" | "past">) {
  const head = opened.version.value;
  const { to = head, from } = past.wanted.value ?? {};
  const at = past.past.value;
  const show = (version: number): void => past.show(version, from === undefined ? undefined : Math.max(0, version - 1));
  return (
    <div class="pane-head slider">
      <input
        type="range"
        aria-label="Version shown"
        aria-valuetext={`version ${to} of ${head}`}
        min={0}
        max={head}
        value={to}
        onInput={({ currentTarget }) => show(Number(currentTarget.value))}
      />
      <span class="mono">
        v{to}
        <span class="dim"> of {head}</span>
      </span>
      <span class="dim when">{at?.version === to ? clockText(at.atMs).slice(0, 8) : "…"}</span>
      <button type="button" class="quiet" disabled={to === head} onClick={() => show(head)}>
        Now
      </button>
    </div>
  );
}

function From({ past, from, to }: { readonly past: PastDocument; readonly from: number; readonly to: number }) {
  return (
    <label class="from">
      from v
      <input
        type="number"
        aria-label="Compare from version"
        min={0}
        value={from}
        onChange={({ currentTarget }) => past.show(to, Math.max(0, Math.floor(Number(currentTarget.value))))}
      />
    </label>
  );
}

function DiffOf({ past }: { readonly past: PastDocument }) {
  const difference = past.difference.value;
  return difference === undefined ? null : <DiffList lines={difference.lines} />;
}

interface PastTreeProps {
  readonly past: PastDocument;
  readonly selected: Signal<string>;
}

/** Lines are buttons: what is chosen here is what would be restored. */
function PastTree({ past, selected }: PastTreeProps) {
  const { tree } = past;
  return (
    <VirtualList
      items={tree.lines.value}
      rowPx={isNarrow.value ? 34 : 26}
      look="tree"
      attributes={{ role: "list", "aria-label": "The document at this version", tabIndex: 0 }}
      render={(line) => (
        <PastLine
          key={line.path}
          line={line}
          isSelected={selected.value === line.path}
          onSelect={() => {
            selected.value = selected.peek() === line.path ? "" : line.path;
          }}
          onToggle={() => tree.toggle(line.path)}
        />
      )}
    />
  );
}

interface PastLineProps {
  readonly line: TreeLine;
  readonly isSelected: boolean;
  readonly onSelect: () => void;
  readonly onToggle: () => void;
}

function PastLine({ line, isSelected, onSelect, onToggle }: PastLineProps) {
  const { path, key, depth, kind, isOpen, size, head } = line;
  const isFolder = isContainer(kind);
  return (
    <div role="listitem" class={`line${isSelected ? " selected" : ""}`} title={path}>
      <span class="indent" style={{ width: `${depth * 16}px` }} aria-hidden="true" />
      {isFolder ? (
        <button
          type="button"
          class="fold-button"
          aria-expanded={isOpen}
          aria-label={`Members of ${path}`}
          onClick={onToggle}
        >
          <Icon name={isOpen ? "down" : "right"} />
        </button>
      ) : (
        <span class="fold" />
      )}
      <button type="button" class="line-button" aria-pressed={isSelected} onClick={onSelect}>
        <span class="key">{key}</span>
        <span class={`value ${kind}`}>{isFolder ? (kind === "array" ? `[${size}]` : `{${size}}`) : head}</span>
      </button>
    </div>
  );
}
