/** A context's document as it is now: the tree of its values, and beside it all about the one that is selected. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { DocumentTree } from "../store/document-tree.ts";
import type { OpenContext } from "../store/open-context.ts";
import type { Route } from "../store/route.ts";
import { Empty } from "./bits.tsx";
import { Inspector } from "./inspector.tsx";
import { Tree } from "./tree.tsx";

interface DocumentViewProps {
  readonly opened: OpenContext;
  readonly tree: DocumentTree;
  readonly route: Extract<Route, { view: "context" }>;
}

export function DocumentView({ opened, tree, route }: DocumentViewProps) {
  const editing = useSignal<string | undefined>(undefined);
  useEffect(() => {
    if (route.path !== undefined) opened.reveal(route.path);
  }, [opened, route.path]);
  const lines = tree.lines.value;
  const selected = opened.selected.value;
  const line = lines.find(({ path }) => path === selected);
  return (
    <div class="split">
      <div class="pane tree-pane">
        <div class="pane-head">
          <button type="button" class="quiet" onClick={() => tree.unfoldAll()}>
            Unfold all
          </button>
          <button type="button" class="quiet" onClick={() => tree.foldAll()}>
            Fold all
          </button>
          <span class="hint">Enter edits, C copies the path</span>
        </div>
        {lines.length === 0 ? (
          <Empty title="Nothing in it yet">Add a member on the right.</Empty>
        ) : (
          <Tree opened={opened} tree={tree} editing={editing} />
        )}
      </div>
      <Inspector key={selected} opened={opened} path={selected} line={line} />
    </div>
  );
}
