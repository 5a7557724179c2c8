/**
 * XML written from its tree (`xmlTreeOf` in shared/value-json.ts): built anew, or brought to it by the least change.
 *
 * Invariants (XML):
 *  1. Nodes that both trees have stay the same Yjs types, so that others' concurrent edits in them survive; a node that
 *     changed inside stays too when it is of the same kind and name.
 *  2. Where the tree has null (a node that JSON cannot hold), a node of that kind stays if one is there; none is made.
 *
 * Not here: the texts in it (delta-write.ts), what a tree must be like (xml-intake.ts).
 */
import * as Y from "yjs";
import { isJsonObject } from "../../../shared/json.ts";
import type { Json, JsonObject } from "../../../shared/json.ts";
import { sameJson } from "../../../shared/json-equality.ts";
import type { StepBudget } from "../../../shared/json-equality.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { alignLists } from "../../../shared/list-alignment.ts";
import { xmlTreeOf } from "../../../shared/value-json.ts";
import { restoreDelta } from "./delta-write.ts";

/** What stands for XML in a document. */
export type XmlType = Y.XmlFragment | Y.XmlElement | Y.XmlText;

/** True when a type can be brought to the tree in its place: a list for a fragment, the same kind of node, the same name. */
export function canBecome(type: XmlType, tree: Json): boolean {
  return isSameKind(xmlTreeOf(type), tree);
}

/** Brings what a type holds to the tree; call it inside a transaction. The tree is of its kind (`canBecome`). */
export function restoreXml(type: XmlType, tree: Json): void {
  restoreNode(type, xmlTreeOf(type), tree, { left: LIMITS.diffStepsMax });
}

/** A new type with the content of a tree. */
export function xmlFrom(tree: Json): XmlType {
  if (!isJsonObject(tree)) {
    const fragment = new Y.XmlFragment();
    fragment.insert(0, nodesFrom(listOf(tree)));
    return fragment;
  }
  if (!isElement(tree)) {
    const text = new Y.XmlText();
    restoreDelta(text, deltaOf(tree));
    return text;
  }
  const element = new Y.XmlElement(nameOf(tree));
  for (const [key, value] of Object.entries(attributesOf(tree))) setAttribute(element, key, value);
  element.insert(0, nodesFrom(childrenOf(tree)));
  return element;
}

function nodesFrom(trees: readonly Json[]): (Y.XmlElement | Y.XmlText)[] {
  return trees.flatMap((tree) => {
    const node = tree === null ? null : xmlFrom(tree);
    return node instanceof Y.XmlElement || node instanceof Y.XmlText ? [node] : [];
  });
}

function restoreNode(type: XmlType, present: Json, wanted: Json, budget: StepBudget): void {
  if (type instanceof Y.XmlText) restoreDelta(type, deltaOf(wanted));
  else if (type instanceof Y.XmlElement) {
    restoreAttributes(type, attributesOf(present), attributesOf(wanted));
    restoreChildren(type, childrenOf(present), { wanted: childrenOf(wanted), budget });
  } else restoreChildren(type, listOf(present), { wanted: listOf(wanted), budget });
}

function restoreAttributes(element: Y.XmlElement, present: JsonObject, wanted: JsonObject): void {
  for (const key of Object.keys(present)) if (!Object.hasOwn(wanted, key)) element.removeAttribute(key);
  for (const [key, value] of Object.entries(wanted)) {
    const isThere = Object.hasOwn(present, key) && sameJson(present[key], value, { left: LIMITS.diffStepsMax });
    if (!isThere) setAttribute(element, key, value);
  }
}

/** Editors store any JSON as an attribute; Yjs's type says strings only. */
function setAttribute(element: Y.XmlElement<{ [key: string]: Json }>, key: string, value: Json): void {
  element.setAttribute(key, value);
}

function restoreChildren(
  parent: Y.XmlFragment,
  present: readonly Json[],
  { wanted, budget }: { readonly wanted: readonly Json[]; readonly budget: StepBudget },
): void {
  const nodes = parent.toArray();
  const { start, steps } = alignLists(present, wanted, budget);
  let index = start;
  for (const step of steps) {
    const node = step.before === undefined ? undefined : nodes[step.before];
    const tree = step.after === undefined ? undefined : wanted[step.after];
    const before = step.before === undefined ? undefined : present[step.before];
    if (step.isSame) index++;
    else if (isNode(node) && before !== undefined && tree !== undefined && isSameKind(before, tree)) {
      restoreNode(node, before, tree, budget);
      index++;
    } else {
      if (step.before !== undefined) parent.delete(index, 1);
      const made = tree === undefined ? [] : nodesFrom([tree]);
      parent.insert(index, made);
      index += made.length;
    }
  }
}

function isSameKind(present: Json, wanted: Json): boolean {
  if (!isJsonObject(present) || !isJsonObject(wanted)) return Array.isArray(present) && Array.isArray(wanted);
  return isElement(present) ? isElement(wanted) && nameOf(present) === nameOf(wanted) : !isElement(wanted);
}

function isNode(value: unknown): value is Y.XmlElement | Y.XmlText {
  return value instanceof Y.XmlElement || value instanceof Y.XmlText;
}

function isElement(tree: JsonObject): boolean {
  return Object.hasOwn(tree, "element");
}

function nameOf(tree: JsonObject): string {
  const name = tree["element"];
  return typeof name === "string" ? name : "";
}

function attributesOf(tree: Json): JsonObject {
  const attributes = isJsonObject(tree) ? tree["attributes"] : undefined;
  return attributes !== undefined && isJsonObject(attributes) ? attributes : {};
}

function childrenOf(tree: Json): readonly Json[] {
  return listOf(isJsonObject(tree) ? tree["children"] : undefined);
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

function deltaOf(tree: Json): readonly Json[] {
  return listOf(isJsonObject(tree) ? tree["text"] : undefined);
}
