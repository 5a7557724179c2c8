/**
 * Whether writing one draft over another would change anything: what is the same is not written.
 *
 * Not here: making either (json-draft.ts, value-intake.ts).
 */
import { Foreign, ListDraft, ObjectDraft, TextDraft } from "./json-draft.ts";
import type { DraftValue } from "./json-draft.ts";
import { XmlDraft, sameTree } from "./xml-draft.ts";

/**
 * True when writing `wanted` over `present` would change nothing. A text holds what an equal string says, but a string
 * is not yet a text. Numbers compare by value; the order of keys does not count.
 */
export function sameContent(present: DraftValue, wanted: DraftValue): boolean {
  if (present instanceof TextDraft) return present.text === (wanted instanceof TextDraft ? wanted.text : wanted);
  if (present instanceof ObjectDraft) return wanted instanceof ObjectDraft && sameMembers(present, wanted);
  if (present instanceof ListDraft) return wanted instanceof ListDraft && sameElements(present, wanted);
  return sameLeaf(present, wanted);
}

function sameLeaf(present: DraftValue, wanted: DraftValue): boolean {
  if (present instanceof XmlDraft) return wanted instanceof XmlDraft && sameTree(present.tree, wanted.tree);
  if (present instanceof Uint8Array) return wanted instanceof Uint8Array && sameBytes(present, wanted);
  if (present instanceof Foreign) return wanted instanceof Foreign && present.source === wanted.source;
  return present === wanted;
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function sameMembers(present: ObjectDraft, wanted: ObjectDraft): boolean {
  let count = 0;
  for (const [key, member] of present.entries()) {
    const other = wanted.get(key);
    if (other === undefined || !sameContent(member, other)) return false;
    count++;
  }
  for (const _ of wanted.keys()) count--;
  return count === 0;
}

function sameElements(present: ListDraft, wanted: ListDraft): boolean {
  if (present.length !== wanted.length) return false;
  const others = wanted.values();
  for (const element of present.values()) {
    const other = others.next();
    if (other.done === true || !sameContent(element, other.value)) return false;
  }
  return true;
}
