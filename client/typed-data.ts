/**
 * Types of data by path: what `client.open<Plan>(…)` makes of `get("/tasks/t1/title")`.
 *
 * Invariants:
 *  1. A path that the compiler cannot follow, one computed at run time for example, gives plain Json: less is known, nothing
 *     is made up. In `/tasks/${id}` the variable counts as one step, as it is when its "/" and "~" are escaped.
 *  2. What may be absent counts as present: reading it throws when it is not there.
 *  3. The compiler's work grows with the steps of the path, not with the data: a type may contain itself.
 *
 * Nothing checks at run time that the data is what the application says. Schemas on the server do (`client.types`).
 */
import type { Json } from "../shared/json.ts";

/** What is at a JSON Pointer in data of this type; Json where that can't be told. */
export type ValueAt<Data, Path extends string> = Path extends ""
  ? Data
  : Path extends `/${infer Steps}`
    ? OrJson<Below<Data, Steps>>
    : Json;

/** What may be written where `Value` is read: `{$text}` makes a string a collaborative text, which reads as a string. */
export type Input<Value> = Json extends Value
  ? Json
  : Value extends string
    ? Value | { readonly $text: Value }
    : Value extends object
      ? { readonly [Key in keyof Value]: Input<Value[Key]> }
      : Value;

/** A merge patch (RFC 7396) for `Value`: null removes, what is left out stays. */
export type Patch<Value> = Json extends Value
  ? Json
  : Value extends readonly unknown[]
    ? Input<Value>
    : Value extends object
      ? { readonly [Key in keyof Value]?: Patch<Value[Key]> | null }
      : Input<Value>;

/** An operation on data of this type at one path; JsonOp when nothing is known of the data. */
export type OpAt<Data, Path extends string> =
  | { readonly op: "add" | "replace" | "test"; readonly path: Path; readonly value: Input<ValueAt<Data, Path>> }
  | { readonly op: "remove"; readonly path: Path }
  | { readonly op: "move" | "copy"; readonly path: Path; readonly from: string }
  | { readonly op: "merge"; readonly path: Path; readonly value: Patch<ValueAt<Data, Path>> }
  | { readonly op: "increment"; readonly path: Path; readonly by: number }
  | { readonly op: "edit_text"; readonly path: Path; readonly old: string; readonly new: string }
  | { readonly op: "append_text"; readonly path: Path; readonly text: string };

/** Operations, each with the type of its own path. */
export type OpsAt<Data, Paths extends readonly string[]> = readonly [
  ...{ [Index in keyof Paths]: OpAt<Data, Paths[Index]> },
];

type OrJson<Value> = [Value] extends [never] ? Json : unknown extends Value ? Json : Value;

type Below<Value, Steps extends string> = Steps extends `${infer Step}/${infer Rest}`
  ? Below<Member<Value, Step>, Rest>
  : Member<Value, Steps>;

type Member<Value, Step extends string> = Value extends readonly unknown[]
  ? Element<Value, Step>
  : Value extends object
    ? Exclude<Value[Step & keyof Value], undefined>
    : never;

type Element<List extends readonly unknown[], Step extends string> = Step extends `${number}` | "-"
  ? Step extends keyof List
    ? List[Step]
    : List[number]
  : never;
