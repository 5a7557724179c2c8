/**
 * A shared text, edited live with the carets of the others.
 *
 * 1. It is in a shadow root: there the editor's style sheets are made by script, as the page's policy asks.
 * 2. When the document is replaced it binds to the new text.
 */
import { history, historyKeymap, standardKeymap } from "@codemirror/commands";
import { EditorState } from "@codemirror/state";
import { EditorView, keymap } from "@codemirror/view";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { yCollab } from "y-codemirror.next";
import { textOf } from "../../../shared/yjs-values.ts";
import type { OpenContext } from "../store/open-context.ts";
import { remoteCarets } from "./remote-carets.ts";

interface TextEditorProps {
  readonly opened: OpenContext;
  readonly path: string;
  readonly isReadOnly: boolean;
}

export function TextEditor({ opened, path, isReadOnly }: TextEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const resets = useSignal(0);
  useEffect(() => opened.happenings.on("reset", () => resets.value++), [opened]);
  useEffect(() => {
    const text = opened.textAt(path);
    if (host.current === null || text === undefined) return undefined;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open" });
    const view = new EditorView({
      root,
      parent: root,
      state: EditorState.create({
        doc: textOf(text),
        extensions: [
          keymap.of([...standardKeymap, ...historyKeymap]),
          history(),
          EditorView.lineWrapping,
          EditorView.contentAttributes.of({ "aria-label": `Text at ${path}`, spellcheck: "true" }),
          EditorState.readOnly.of(isReadOnly),
          EditorView.editable.of(!isReadOnly),
          yCollab(text, null),
          remoteCarets(text, opened.context.awareness),
          LOOK,
        ],
      }),
    });
    return () => view.destroy();
  }, [opened, path, isReadOnly, resets.value]);
  return <div ref={host} class="text-editor" />;
}

const LOOK = EditorView.theme({
  "&": { color: "var(--text)", fontSize: "13px", minHeight: "8em" },
  "&.cm-focused": { outline: "none" },
  ".cm-content": { fontFamily: "var(--mono)", lineHeight: "1.7", padding: "18px 0 10px", caretColor: "var(--text)" },
  ".cm-line": { padding: "0 12px" },
  ".cm-scroller": { overflow: "auto" },
});
