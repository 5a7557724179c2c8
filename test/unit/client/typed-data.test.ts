/**
 * Types of data by path. What is expected here is checked by the compiler (npm run types), where a wrong expectation, or an
 * error that fails to come, is an error; nothing happens at run time.
 */
import { describe, expectTypeOf, test } from "vitest";
import type {
  Client,
  Context,
  Input,
  Json,
  JsonObject,
  JsonOp,
  Modified,
  Patch,
  Snapshot,
  ValueAt,
} from "../../../client/index.ts";

interface Task {
  title: string;
  state: "open" | "done";
  votes?: number;
  owner: { name: string } | null;
  tags: string[];
  parts: Record<string, Task>;
}

interface Plan {
  tasks: Record<string, Task>;
  notes: string;
  size: [number, string];
  years: Record<number, boolean>;
}

describe("[SDK-27] the value at a path", () => {
  test("is what the type says", () => {
    expectTypeOf<ValueAt<Plan, "">>().toEqualTypeOf<Plan>();
    expectTypeOf<ValueAt<Plan, "/notes">>().toEqualTypeOf<string>();
    expectTypeOf<ValueAt<Plan, "/tasks">>().toEqualTypeOf<Record<string, Task>>();
    expectTypeOf<ValueAt<Plan, "/tasks/t1">>().toEqualTypeOf<Task>();
    expectTypeOf<ValueAt<Plan, "/tasks/t1/state">>().toEqualTypeOf<"open" | "done">();
    expectTypeOf<ValueAt<Plan, "/tasks/t1/parts/a/parts/b/parts/c/title">>().toEqualTypeOf<string>();
    expectTypeOf<ValueAt<Plan, `/tasks/${string}`>>().toEqualTypeOf<Task>();
    expectTypeOf<ValueAt<Plan, `/tasks/${string}/parts/${string}/title`>>().toEqualTypeOf<string>();
  });

  test("counts what may be absent as present, and looks into what may be null", () => {
    expectTypeOf<ValueAt<Plan, "/tasks/t1/votes">>().toEqualTypeOf<number>();
    expectTypeOf<ValueAt<Plan, "/tasks/t1/owner">>().toEqualTypeOf<{ name: string } | null>();
    expectTypeOf<ValueAt<Plan, "/tasks/t1/owner/name">>().toEqualTypeOf<string>();
  });

  test("follows lists and keys that are numbers", () => {
    expectTypeOf<ValueAt<Plan, "/tasks/t1/tags/0">>().toEqualTypeOf<string>();
    expectTypeOf<ValueAt<Plan, "/tasks/t1/tags/-">>().toEqualTypeOf<string>();
    expectTypeOf<ValueAt<Plan, `/tasks/t1/tags/${number}`>>().toEqualTypeOf<string>();
    expectTypeOf<ValueAt<Plan, "/size/1">>().toEqualTypeOf<string>();
    expectTypeOf<ValueAt<Plan, "/years/2026">>().toEqualTypeOf<boolean>();
  });

  test("is Json where nothing is known", () => {
    expectTypeOf<ValueAt<Plan, string>>().toEqualTypeOf<Json>();
    expectTypeOf<ValueAt<Plan, "/nope">>().toEqualTypeOf<Json>();
    expectTypeOf<ValueAt<Plan, "/notes/deeper">>().toEqualTypeOf<Json>();
    expectTypeOf<ValueAt<Plan, "/tasks/t1/tags/length">>().toEqualTypeOf<Json>();
    expectTypeOf<ValueAt<Plan, "@page/0">>().toEqualTypeOf<Json>();
    expectTypeOf<ValueAt<JsonObject, "/a/b">>().toEqualTypeOf<Json>();
    expectTypeOf<ValueAt<unknown, "/a">>().toEqualTypeOf<Json>();
  });
});

test("[SDK-27] a string may be written as a collaborative text", () => {
  expectTypeOf<Input<string>>().toEqualTypeOf<string | { readonly $text: string }>();
  expectTypeOf<Task>().toExtend<Input<Task>>();
  expectTypeOf<Input<Json>>().toEqualTypeOf<Json>();
  expectTypeOf<{ votes: null; owner: { name: { $text: "Ada" } } }>().toExtend<Patch<Task>>();
  expectTypeOf<{ votes: "many" }>().not.toExtend<Patch<Task>>();
});

// never called: only compiled
export function typedCalls(plan: Context<Plan>, id: string, ops: readonly JsonOp[], task: Task): void {
  expectTypeOf(plan.get()).toEqualTypeOf<Plan>();
  expectTypeOf(plan.get(`/tasks/${id}`)).toEqualTypeOf<Task>();
  expectTypeOf(plan.get(id)).toEqualTypeOf<Json>();
  expectTypeOf(plan.at(3)).resolves.toEqualTypeOf<Snapshot<Plan>>();
  expectTypeOf(plan.at(3, "/notes")).resolves.toEqualTypeOf<Snapshot<string>>();

  void plan.update(ops);
  void plan.update([...ops, { op: "remove", path: "/notes" }]);
  void plan.update([
    { op: "add", path: "/tasks/t1", value: task },
    { op: "add", path: `/tasks/${id}/parts/p1`, value: { ...task, title: { $text: "" } } },
    { op: "add", path: "/tasks/t1/tags/-", value: "new" },
    { op: "merge", path: "/tasks/t1", value: { votes: null, state: "done" } },
    { op: "increment", path: "/tasks/t1/votes", by: 1 },
    { op: "edit_text", path: "/notes", old: "a", new: "b" },
    { op: "add", path: "/nope", value: { any: ["thing"] } },
  ]);
  // @ts-expect-error a number is no string
  void plan.update([{ op: "add", path: "/notes", value: 1 }]);
  // @ts-expect-error a state of which the type knows nothing
  void plan.update([{ op: "replace", path: `/tasks/${id}/state`, value: "closed" }]);
  // @ts-expect-error a member that is misspelt
  void plan.update([{ op: "merge", path: "/tasks/t1", value: { titel: "x" } }]);
  // @ts-expect-error an operation that there is not
  void plan.update([{ op: "set", path: "/notes", value: "x" }]);

  const modified = plan.modify("/tasks/t1/votes", (votes = 0) => votes + 1);
  expectTypeOf(modified).resolves.toEqualTypeOf<Modified<number>>();
  void plan.modify("/tasks/t1", (found) => ({ ...(found ?? task), state: "done" }));
  void plan.modify(`/tasks/${id}`, (found) => ({ ...(found ?? task), state: "done" }));
  void plan.modify("/tasks/t1", async (found) => ({ ...(found ?? task), state: "done" }));
  // @ts-expect-error the next value must be there
  void plan.modify("/tasks/t1/votes", () => {});
  // @ts-expect-error and of the type
  void plan.modify("/tasks/t1/state", () => "closed");
}

export async function typedOpening(client: Client): Promise<void> {
  expectTypeOf(await client.open<Plan>("plan")).toEqualTypeOf<Context<Plan>>();
  expectTypeOf(await client.open("plan")).toEqualTypeOf<Context>();
  expectTypeOf((await client.open("plan")).get()).toEqualTypeOf<JsonObject>();
  // what it is made with does not say what it will hold
  expectTypeOf(await client.open("plan", { create: { data: { tasks: {} } } })).toEqualTypeOf<Context>();
  const data = { tasks: {}, notes: { $text: "" }, size: [1, "m"], years: {} } as const;
  await client.open<Plan>("plan", { create: { data } });
  // @ts-expect-error not such a plan
  await client.open<Plan>("plan", { create: { data: { ...data, notes: 1 } } });
  // a function for contexts of any kind
  const nameOf = <Data>(context: Context<Data>): string => `${context.id} ${context.version}`;
  nameOf(await client.open<Plan>("plan"));
  nameOf(await client.open("plan"));
}
