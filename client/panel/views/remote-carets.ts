/**
 * Where the others are in a text: their carets with names, and what they have selected; and where we are, for them.
 *
 * It speaks the awareness field `cursor` as y-codemirror.next does, so stock editors and the panel see each other. It is our
 * own because that one colours with style attributes, which the page's policy forbids.
 */
import { StateEffect } from "@codemirror/state";
import type { Extension, Range } from "@codemirror/state";
import { Decoration, EditorView, ViewPlugin, WidgetType } from "@codemirror/view";
import type { DecorationSet, ViewUpdate } from "@codemirror/view";
import * as Y from "yjs";
import { hueOf } from "./bits.tsx";

/** y-protocols' Awareness, as far as carets need it. */
export interface Carets {
  readonly clientID: number;
  getStates(): ReadonlyMap<number, Readonly<Record<string, unknown>>>;
  getLocalState(): unknown;
  setLocalStateField(name: string, value: unknown): void;
  on(name: "change", listener: () => void): void;
  off(name: "change", listener: () => void): void;
}

const moved = StateEffect.define();

export function remoteCarets(text: Y.Text, carets: Carets): Extension {
  return [
    ViewPlugin.define((view) => new RemoteCarets(view, text, carets), { decorations: (it) => it.decorations }),
    LOOK,
  ];
}

class RemoteCarets {
  decorations: DecorationSet;
  readonly #text: Y.Text;
  readonly #carets: Carets;
  readonly #view: EditorView;
  #frame = 0;

  constructor(view: EditorView, text: Y.Text, carets: Carets) {
    this.#view = view;
    this.#text = text;
    this.#carets = carets;
    this.decorations = this.#seen(view.state.doc.length);
    carets.on("change", this.#soon);
  }

  update(update: ViewUpdate): void {
    const isMoved = update.transactions.some(({ effects }) => effects.some((effect) => effect.is(moved)));
    if (update.docChanged || isMoved) this.decorations = this.#seen(update.state.doc.length);
    if (update.selectionSet || update.focusChanged || update.docChanged) this.#tell(update);
  }

  destroy(): void {
    cancelAnimationFrame(this.#frame);
    this.#carets.off("change", this.#soon);
    if (this.#carets.getLocalState() !== null) this.#carets.setLocalStateField("cursor", null);
  }

  readonly #soon = (): void => {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => this.#view.dispatch({ effects: moved.of(null) }));
  };

  #tell({ view, state }: ViewUpdate): void {
    if (this.#carets.getLocalState() === null || !view.hasFocus) return;
    const { anchor, head } = state.selection.main;
    const place = (index: number): Y.RelativePosition => Y.createRelativePositionFromTypeIndex(this.#text, index);
    this.#carets.setLocalStateField("cursor", { anchor: place(anchor), head: place(head) });
  }

  #seen(length: number): DecorationSet {
    const ranges: Range<Decoration>[] = [];
    for (const [id, state] of this.#carets.getStates()) {
      if (id === this.#carets.clientID) continue;
      const name = typeof state["actor"] === "string" ? state["actor"] : "?";
      const { anchor, head } = spanOf(state["cursor"], this.#text) ?? {};
      if (anchor === undefined || head === undefined || Math.max(anchor, head) > length) continue;
      const [from, to] = anchor < head ? [anchor, head] : [head, anchor];
      if (from < to) ranges.push(Decoration.mark({ class: `cm-peer-selection ${hueOf(name)}` }).range(from, to));
      ranges.push(Decoration.widget({ widget: new Caret(name), side: 1 }).range(head));
    }
    return Decoration.set(ranges, true);
  }
}

/** Undefined when the caret is in another text, or is none. */
function spanOf(cursor: unknown, text: Y.Text): { readonly anchor: number; readonly head: number } | undefined {
  if (typeof cursor !== "object" || cursor === null || text.doc === null) return undefined;
  const [anchor, head] = ["anchor", "head"].map((name) => indexOf(Reflect.get(cursor, name), text));
  return anchor === undefined || head === undefined ? undefined : { anchor, head };
}

function indexOf(position: unknown, text: Y.Text): number | undefined {
  if (typeof position !== "object" || position === null || text.doc === null) return undefined;
  try {
    const found = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(position), text.doc);
    return found?.type === text ? found.index : undefined;
  } catch {
    return undefined; // whatever a client wrote there
  }
}

class Caret extends WidgetType {
  readonly #name: string;

  constructor(name: string) {
    super();
    this.#name = name;
  }

  override eq(other: WidgetType): boolean {
    return other instanceof Caret && other.#name === this.#name;
  }

  toDOM(): HTMLElement {
    const caret = document.createElement("span");
    caret.className = `cm-peer ${hueOf(this.#name)}`;
    const label = document.createElement("span");
    label.className = "cm-peer-name";
    label.textContent = this.#name;
    caret.append(label);
    return caret;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

const HUES = Object.fromEntries(
  Array.from({ length: 8 }, (_, hue) => [`.hue-${hue}`, { "--hue": `var(--hue-${hue})` }]),
);

const LOOK = EditorView.baseTheme({
  ...HUES,
  ".cm-peer": { position: "relative", borderLeft: "2px solid var(--hue)", marginLeft: "-1px", marginRight: "-1px" },
  ".cm-peer-name": {
    position: "absolute",
    left: "-2px",
    top: "-1.25em",
    padding: "0 4px",
    borderRadius: "3px 3px 3px 0",
    font: "600 10px/1.3 system-ui, sans-serif",
    whiteSpace: "nowrap",
    color: "var(--surface)",
    background: "var(--hue)",
    pointerEvents: "none",
    zIndex: "5",
  },
  ".cm-peer-selection": { backgroundColor: "color-mix(in srgb, var(--hue) 22%, transparent)" },
});
