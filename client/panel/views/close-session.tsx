/** Asks whether a session shall be closed, and says what that does. */
import type { Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { SessionView } from "../../../shared/protocol/rest-monitoring.ts";

interface CloseSessionProps {
  /** The one that is asked about. */
  readonly asked: Signal<SessionView | undefined>;
  readonly onClose: (session: SessionView) => void;
}

export function CloseSession({ asked, onClose }: CloseSessionProps) {
  const session = asked.value;
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = session !== undefined;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  const leave = (): void => {
    asked.value = undefined;
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    leave();
    if (session !== undefined) onClose(session);
  };
  return (
    <dialog ref={dialog} class="question" aria-labelledby="close-title" onClose={leave}>
      {session !== undefined && (
        <form onSubmit={submit}>
          <h2 id="close-title">
            Close {session.actor}’s session on {session.contextId}?
          </h2>
          <p>
            Its client connects again by itself, as a new session, and sends what it had not saved. To keep somebody
            out, revoke the token or change the context’s access list.
          </p>
          <div class="revert-deeds">
            <button type="button" onClick={leave}>
              Leave it
            </button>
            <button type="submit" class="primary">
              Close it
            </button>
          </div>
        </form>
      )}
    </dialog>
  );
}
