/** All about the selected value: where it is, who wrote it last, what may be done with it; a text has its editor here. */
import { useSignal } from "@preact/signals";
import type { TreeLine } from "../store/document-tree.ts";
import type { OpenContext } from "../store/open-context.ts";
import { hrefOf } from "../store/route.ts";
import { below, isContainer } from "../store/tree-values.ts";
import { Actor, Ago, IconButton } from "./bits.tsx";
import { TextEditor } from "./text-editor.tsx";
import { copyPath } from "./tree.tsx";
import { parsedJson } from "./value-input.tsx";

interface InspectorProps {
  readonly opened: OpenContext;
  readonly path: string;
  /** Undefined for the document as a whole, and for what is gone. */
  readonly line: TreeLine | undefined;
}

export function Inspector({ opened, path, line }: InspectorProps) {
  const mayWrite = opened.access.value?.mayWrite !== false && (line === undefined || isWritable(opened, path));
  return (
    <aside class="pane inspector" aria-label="Selected value">
      <div class="pane-head">
        <code class="path">{line === undefined ? "/" : path}</code>
        {line !== undefined && <Deeds opened={opened} path={path} mayWrite={mayWrite} />}
      </div>
      {line !== undefined && <Facts opened={opened} line={line} />}
      {line !== undefined && <Whole opened={opened} line={line} isReadOnly={!mayWrite} />}
      {mayWrite && <Adding opened={opened} line={line} />}
    </aside>
  );
}

/** Containers take more; so does the document as a whole. */
function Adding({ opened, line }: Pick<InspectorProps, "opened" | "line">) {
  if (line === undefined) return <AddForm opened={opened} path="" isList={false} />;
  return isContainer(line.kind) ? <AddForm opened={opened} path={line.path} isList={line.kind === "array"} /> : null;
}

interface DeedsProps {
  readonly opened: OpenContext;
  readonly path: string;
  readonly mayWrite: boolean;
}

function Deeds({ opened, path, mayWrite }: DeedsProps) {
  const remove = (): void => void opened.change([{ op: "remove", path }]);
  return (
    <>
      <a class="quiet-link" href={hrefOf({ view: "context", id: opened.id, tab: "timeline", path })}>
        History
      </a>
      <IconButton icon="copy" label="Copy the path" onClick={() => void copyPath(opened, path)} />
      {mayWrite && <IconButton icon="trash" label={`Remove ${path}`} onClick={remove} />}
    </>
  );
}

interface WholeProps {
  readonly opened: OpenContext;
  readonly line: TreeLine;
  readonly isReadOnly: boolean;
}

/** What a line is too short for. */
function Whole({ opened, line, isReadOnly }: WholeProps) {
  const { kind, path, value, head } = line;
  if (kind === "text") return <TextEditor opened={opened} path={path} isReadOnly={isReadOnly} />;
  if (kind !== "string" && kind !== "xml") return null;
  return <pre class="whole">{typeof value === "string" ? value : head}</pre>;
}

function isWritable(opened: OpenContext, path: string): boolean {
  return path.startsWith("/") && opened.opening.value.is === "open" && opened.context.mayWriteAt(path);
}

const SIZES = { object: "members", array: "elements", text: "characters", string: "characters" } as const;

function Facts({ opened, line }: { readonly opened: OpenContext; readonly line: TreeLine }) {
  const { kind, size, path } = line;
  const writer = opened.writers.known.value.get(path);
  const unit = Object.entries(SIZES).find(([name]) => name === kind)?.[1];
  return (
    <dl class="facts">
      <dt>Kind</dt>
      <dd>
        {kind === "text" ? "shared text" : kind}
        {unit !== undefined && `, ${size} ${unit}`}
      </dd>
      <dt>Last writer</dt>
      <dd>
        {writer === undefined && <span class="dim">…</span>}
        {writer === "none" && <span class="dim">older than the history</span>}
        {writer !== undefined && writer !== "none" && writer.actor !== undefined && (
          <>
            <Actor name={writer.actor} /> in v{writer.version}
            {writer.atMs !== undefined && (
              <>
                , <Ago atMs={writer.atMs} />
              </>
            )}
            {writer.message !== undefined && <q>{writer.message}</q>}
          </>
        )}
      </dd>
    </dl>
  );
}

interface AddFormProps {
  readonly opened: OpenContext;
  readonly path: string;
  readonly isList: boolean;
}

function AddForm({ opened, path, isList }: AddFormProps) {
  const key = useSignal("");
  const text = useSignal("");
  const problem = useSignal("");
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const value = parsedJson(text.peek());
    if (value === undefined) {
      problem.value = 'Not JSON. Write text in "quotes".';
      return;
    }
    const place = isList ? `${path}/-` : below(path, key.peek());
    const version = await opened.change([{ op: "add", path: place, value }]);
    if (version === undefined) return;
    key.value = "";
    text.value = "";
    opened.tree?.reveal(isList ? `${path}/0` : place);
  };
  return (
    <form class="add" onSubmit={(event) => void submit(event)}>
      <h2>{isList ? "Add an element" : "Add a member"}</h2>
      {!isList && (
        <input
          aria-label="Name"
          placeholder="name"
          required
          value={key.value}
          onInput={({ currentTarget }) => {
            key.value = currentTarget.value;
          }}
        />
      )}
      <input
        aria-label="Value, as JSON"
        aria-invalid={problem.value !== ""}
        placeholder='JSON, or {"$text": "…"} for a shared text'
        required
        spellcheck={false}
        value={text.value}
        onInput={({ currentTarget }) => {
          text.value = currentTarget.value;
          problem.value = "";
        }}
      />
      <button type="submit">Add</button>
      {problem.value !== "" && (
        <span class="field-problem" role="alert">
          {problem.value}
        </span>
      )}
    </form>
  );
}
