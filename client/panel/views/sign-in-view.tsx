/** Before anybody is in: a token is asked for, or the server is waited for. */
import { useSignal } from "@preact/signals";
import type { Panel } from "../store/panel.ts";
import { ProblemNote } from "./bits.tsx";

export function SignInView({ panel: { signIn } }: { readonly panel: Panel }) {
  const standing = signIn.standing.value;
  const token = useSignal("");
  if (standing.is === "in") return null;
  if (standing.is === "asking")
    return (
      <p class="waiting" role="status">
        Connecting…
      </p>
    );
  if (standing.is === "unreachable")
    return (
      <section class="card narrow">
        <h1>The server does not answer</h1>
        <ProblemNote problem={standing.problem} />
        <button type="button" class="primary" onClick={() => void signIn.begin()}>
          Try again
        </button>
      </section>
    );
  const submit = (event: Event): void => {
    event.preventDefault();
    void signIn.withToken(token.peek());
  };
  return (
    <form class="card narrow" onSubmit={submit}>
      <h1>Sign in</h1>
      <p>This server asks who is looking. The panel shows what your token may see.</p>
      <label for="token">Token</label>
      <textarea
        id="token"
        rows={4}
        spellcheck={false}
        autocomplete="off"
        required
        aria-describedby="token-note"
        value={token.value}
        onInput={({ currentTarget }) => {
          token.value = currentTarget.value;
        }}
      />
      <p id="token-note" class="note">
        <code>mcm token issue</code> makes one on servers with their own key. It stays in this tab until you sign out.
      </p>
      <ProblemNote problem={standing.problem} />
      <button type="submit" class="primary">
        Sign in
      </button>
    </form>
  );
}
