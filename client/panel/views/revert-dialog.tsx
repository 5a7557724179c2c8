/** Restoring a part of a document, or undoing an actor: what it would do is seen before it is done. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { KeptPath } from "../../../shared/history.ts";
import type { Question, Reverting } from "../store/reverting.ts";
import { DiffList } from "./diff-list.tsx";

interface RevertDialogProps {
  readonly reverting: Reverting;
  readonly actors: readonly string[];
}

export function RevertDialog({ reverting, actors }: RevertDialogProps) {
  const question = reverting.question.value;
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = question !== undefined;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  return (
    <dialog ref={dialog} aria-labelledby="revert-title" onClose={() => reverting.cancel()}>
      {question !== undefined && <Form reverting={reverting} question={question} actors={actors} />}
    </dialog>
  );
}

interface FormProps extends RevertDialogProps {
  readonly question: Question;
}

function Form({ reverting, question, actors }: FormProps) {
  const message = useSignal("");
  const trial = reverting.trial.value;
  const isRestore = question.what === "restore";
  const submit = (event: Event): void => {
    event.preventDefault();
    void reverting.carryOut(message.peek());
  };
  return (
    <form class="revert" onSubmit={submit}>
      <h2 id="revert-title">{isRestore ? `Restore from v${question.version}` : "Undo what an actor did"}</h2>
      <div class="revert-fields">
        {question.what === "undo" && <UndoFields reverting={reverting} question={question} actors={actors} />}
        <label>
          Only at path
          <input
            class="mono"
            placeholder="everything"
            value={question.path}
            onChange={({ currentTarget }) => void reverting.ask({ ...question, path: currentTarget.value.trim() })}
          />
        </label>
        <label>
          Why
          <input
            placeholder="shown in the history"
            value={message.value}
            onInput={({ currentTarget }) => {
              message.value = currentTarget.value;
            }}
          />
        </label>
      </div>
      <div class="revert-trial">
        {trial === undefined ? (
          <p class="waiting" role="status">
            {reverting.isBusy.value ? "Trying it…" : "It cannot be done like this."}
          </p>
        ) : (
          <>
            <DiffList lines={trial.lines} />
            <Kept kept={trial.kept} />
          </>
        )}
      </div>
      <div class="revert-deeds">
        <button type="button" onClick={() => reverting.cancel()}>
          Leave it
        </button>
        <button
          type="submit"
          class="primary"
          disabled={trial === undefined || reverting.isBusy.value || trial.lines.length === 0}
        >
          {isRestore ? "Restore" : "Undo"}
        </button>
      </div>
    </form>
  );
}

interface UndoFieldsProps {
  readonly reverting: Reverting;
  readonly question: Extract<Question, { what: "undo" }>;
  readonly actors: readonly string[];
}

function UndoFields({ reverting, question, actors }: UndoFieldsProps) {
  const names = [...new Set([...actors, question.actor])].sort();
  return (
    <>
      <label>
        Of whom
        <select
          aria-label="Of whom"
          value={question.actor}
          onChange={({ currentTarget }) => void reverting.ask({ ...question, actor: currentTarget.value })}
        >
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        After version
        <input
          type="number"
          min={0}
          value={question.from}
          onChange={({ currentTarget }) =>
            void reverting.ask({ ...question, from: Math.max(0, Number(currentTarget.value)) })
          }
        />
      </label>
    </>
  );
}

/** What would stay, because others wrote there since. */
function Kept({ kept }: { readonly kept: readonly KeptPath[] }) {
  if (kept.length === 0) return null;
  return (
    <div class="kept">
      <h3>Left as it is</h3>
      <ul>
        {kept.map(({ path, reason, by }) => (
          <li key={path}>
            <code>{path}</code>{" "}
            <span class="dim">
              {reason === "changed-since" ? `${by?.actor ?? "somebody"} wrote there since` : "no JSON"}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
