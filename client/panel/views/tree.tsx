/**
 * The lines of a document, as a tree that keys and pointers move through.
 *
 * Not here: which lines there are (store/document-tree.ts), what is said of the selected one (inspector.tsx).
 */
import type { Signal } from "@preact/signals";
import { parsePath } from "../../../shared/path.ts";
import { formatPath } from "../../../shared/path.ts";
import type { DocumentTree, TreeLine } from "../store/document-tree.ts";
import type { LastWriter } from "../store/last-writer.ts";
import type { OpenContext } from "../store/open-context.ts";
import { isContainer } from "../store/tree-values.ts";
import { agoText } from "../store/when.ts";
import { copy, hueOf, nowMs } from "./bits.tsx";
import { Icon } from "./icon.tsx";
import { isNarrow } from "./narrow.ts";
import { ValueInput, inputFor } from "./value-input.tsx";
import { VirtualList } from "./virtual-list.tsx";

interface TreeProps {
  readonly opened: OpenContext;
  readonly tree: DocumentTree;
  /** The path whose value is being edited in its line. */
  readonly editing: Signal<string | undefined>;
}

export function Tree({ opened, tree, editing }: TreeProps) {
  const lines = tree.lines.value;
  const selected = opened.selected.value;
  const at = lines.findIndex(({ path }) => path === selected);
  const line = lines[at];
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = KEYS[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act({ opened, tree, editing, lines, at });
  };
  return (
    <VirtualList
      items={lines}
      rowPx={isNarrow.value ? 34 : 26}
      shown={at}
      look="tree"
      attributes={{
        role: "tree",
        "aria-label": "Document",
        tabIndex: 0,
        onKeyDown,
        ...(line === undefined ? {} : { "aria-activedescendant": lineId(line.path) }),
      }}
      render={(it) => <Line key={it.path} line={it} isSelected={it.path === selected} {...{ opened, tree, editing }} />}
    />
  );
}

function lineId(path: string): string {
  return `line${path.replaceAll(/[^\w/-]/g, (char) => `.${char.codePointAt(0)}.`)}`;
}

interface Step extends TreeProps {
  readonly lines: readonly TreeLine[];
  readonly at: number;
}

const PAGE = 20;

const KEYS: Readonly<Record<string, (step: Step) => void>> = {
  ArrowDown: (step) => go(step, step.at + 1),
  ArrowUp: (step) => go(step, step.at - 1),
  PageDown: (step) => go(step, step.at + PAGE),
  PageUp: (step) => go(step, step.at - PAGE),
  Home: (step) => go(step, 0),
  End: (step) => go(step, step.lines.length - 1),
  ArrowRight: (step) => {
    const line = step.lines[step.at];
    if (line === undefined || !isContainer(line.kind)) return;
    if (line.isOpen) go(step, step.at + 1);
    else step.tree.toggle(line.path);
  },
  ArrowLeft: (step) => {
    const line = step.lines[step.at];
    if (line === undefined) return;
    if (line.isOpen) return step.tree.toggle(line.path);
    const parent = formatPath(parsePath(line.path).slice(0, -1));
    const above = step.lines.findIndex(({ path }) => path === parent);
    if (above >= 0) go(step, above);
  },
  Enter: (step) => {
    const line = step.lines[step.at];
    if (line !== undefined) begin(step, line);
  },
  c: ({ opened, lines, at }) => {
    const line = lines[at];
    if (line !== undefined) void copyPath(opened, line.path);
  },
};

function go({ opened, lines }: Step, at: number): void {
  const line = lines[Math.min(Math.max(at, 0), lines.length - 1)];
  if (line !== undefined) point(opened, line.path);
}

function point(opened: OpenContext, path: string): void {
  opened.select(path);
  opened.writers.pointAt(path);
}

/** Values are edited where they are; containers unfold; texts have an editor beside the tree. */
function begin({ opened, tree, editing }: TreeProps, line: TreeLine): void {
  point(opened, line.path);
  if (isContainer(line.kind)) tree.toggle(line.path);
  else if (mayEdit(opened, line)) editing.value = line.path;
}

function mayEdit(opened: OpenContext, { path, kind }: TreeLine): boolean {
  return inputFor(kind) && path.startsWith("/") && opened.context.mayWriteAt(path);
}

export async function copyPath(opened: OpenContext, path: string): Promise<void> {
  const isDone = await opened.notices.tried(async () => {
    await copy(path);
    return true;
  });
  if (isDone === true) opened.notices.done(`Copied ${path}`);
}

interface LineProps extends TreeProps {
  readonly line: TreeLine;
  readonly isSelected: boolean;
}

function Line({ line, isSelected, opened, tree, editing }: LineProps) {
  const { path, key, depth, kind, isOpen } = line;
  const isFolder = isContainer(kind);
  return (
    <div
      id={lineId(path)}
      role="treeitem"
      class={`line${isSelected ? " selected" : ""}`}
      aria-level={depth + 1}
      aria-selected={isSelected}
      {...(isFolder ? { "aria-expanded": isOpen } : {})}
      onClick={() => point(opened, path)}
      onDblClick={() => begin({ opened, tree, editing }, line)}
      onMouseEnter={() => opened.writers.pointAt(path)}
      title={path}
    >
      <Fresh opened={opened} path={path} />
      <span class="indent" style={{ width: `${depth * 16}px` }} aria-hidden="true" />
      <span
        class="fold"
        aria-hidden="true"
        onClick={(event) => {
          event.stopPropagation();
          if (isFolder) tree.toggle(path);
        }}
      >
        {isFolder && <Icon name={isOpen ? "down" : "right"} />}
      </span>
      <span class="key">{key}</span>
      {editing.value === path ? (
        <ValueInput
          kind={kind}
          value={line.value}
          label={`Value of ${path}`}
          onDone={(value) => {
            editing.value = undefined;
            document.querySelector<HTMLElement>(".tree")?.focus();
            if (value !== undefined) void opened.set(path, value);
          }}
        />
      ) : (
        <Shown line={line} />
      )}
      <By writer={opened.writers.known.value.get(path)} />
    </div>
  );
}

/** A short glow of the actor's colour where a change just came. */
function Fresh({ opened, path }: { readonly opened: OpenContext; readonly path: string }) {
  const touch = opened.touches.get(path);
  if (touch === undefined || Date.now() - touch.atMs > FRESH_MS) return null;
  return <span key={touch.version} class={`fresh ${hueOf(touch.actor)}`} aria-hidden="true" />;
}

const FRESH_MS = 1500;

function Shown({ line: { kind, size, head } }: { readonly line: TreeLine }) {
  switch (kind) {
    case "object":
      return <span class="value dim">{`{${size}}`}</span>;
    case "array":
      return <span class="value dim">{`[${size}]`}</span>;
    case "text":
      return (
        <span class="value text">
          <span class="badge">text</span>
          {head === "" ? <span class="dim">empty</span> : head}
        </span>
      );
    case "string":
      return <span class="value string">{head === "" ? '""' : head}</span>;
    default:
      return <span class={`value ${kind}`}>{head}</span>;
  }
}

function By({ writer }: { readonly writer: LastWriter | undefined }) {
  if (writer === undefined) return null;
  if (writer === "none" || writer.actor === undefined) return <span class="by">older than the history</span>;
  const { actor, version, atMs } = writer;
  return (
    <span class={`by ${hueOf(actor)}`}>
      <span class="dot" aria-hidden="true" />
      {actor} · v{version}
      {atMs !== undefined && ` · ${agoText(atMs, nowMs())}`}
    </span>
  );
}
