/** Schemas: which are taken, what they find, and what their annotations say of a place. */
import { describe, expect, test } from "vitest";
import { compileSchema } from "../../server/state/schema/context-schema.ts";
import { addedViolations, schemaViolation } from "../../server/state/schema/violations.ts";
import { ServiceError } from "../../shared/errors.ts";
import type { Json, JsonObject } from "../../shared/json.ts";
import { LIMITS } from "../../shared/limits.ts";

function refusal(schema: JsonObject): { readonly code: string; readonly path: unknown; readonly message: string } {
  try {
    compileSchema(schema);
  } catch (error) {
    if (error instanceof ServiceError) return { code: error.code, path: error.details["path"], message: error.message };
    throw error;
  }
  throw new Error("the schema was taken");
}

/** "path message" of each violation. */
function found(schema: JsonObject, data: Json): string[] {
  return compileSchema(schema)
    .violations(data)
    .map(({ path, message }) => `${path} ${message}`)
    .sort();
}

/** From text: the linter takes an object with `then` for a promise. */
function ifThen(condition: JsonObject, consequence: JsonObject): JsonObject {
  const schema: JsonObject = JSON.parse(`{"if": ${JSON.stringify(condition)}, "then": ${JSON.stringify(consequence)}}`);
  return schema;
}

const nested = (levels: number): JsonObject => (levels === 0 ? {} : { not: nested(levels - 1) });

describe("what is taken", () => {
  test.each<[string, JsonObject]>([
    ["the dialect by name", { $schema: "https://json-schema.org/draft/2020-12/schema", $id: "https://example.org/a" }],
    [
      "references to definitions, anchors and itself",
      {
        $defs: { "a/b c": { $anchor: "here" } },
        properties: { a: { $ref: "#/$defs/a~1b%20c" }, b: { $ref: "#here" }, c: { $ref: "#" } },
      },
    ],
    ["what only looks like a schema", { default: { $ref: "x" }, const: { foo: 1 }, examples: [{ $id: "y" }] }],
    ["members with the names of keywords", { properties: { $ref: { type: "string" }, $id: {}, "x-crdt": {} } }],
    [
      "all of its own words",
      { properties: { a: { "x-crdt": "text", "x-conflict": "manual" } }, items: { format: "date-time" } },
    ],
    ["schemas that are true or false", { properties: { a: true, b: false }, $ref: "#/properties/a" }],
  ])("[TYPE-1] %s", (_name, schema) => {
    expect(() => compileSchema(schema)).not.toThrow();
  });

  test.each<[string, JsonObject, string, RegExp]>([
    ["a value that the dialect does not allow", { type: "strin" }, "/type", /must be equal to one of/],
    [
      "a keyword that is none",
      { properties: { a: { requierd: ["b"] } } },
      "/properties/a/requierd",
      /"requierd" is not a keyword/,
    ],
    ["a keyword of another dialect", { dependencies: {} }, "/dependencies", /not a keyword/],
    ["a dynamic reference", { $dynamicRef: "#" }, "/$dynamicRef", /not a keyword/],
    ["an asynchronous schema", { $async: true }, "/$async", /not a keyword/],
    ["an unknown format", { items: { format: "zip-code" } }, "/items/format", /format is not known/],
    ["another dialect", { $schema: "http://json-schema.org/draft-07/schema#" }, "/$schema", /not 2020-12/],
    [
      "a dialect inside",
      { items: { $schema: "https://json-schema.org/draft/2020-12/schema" } },
      "/items/$schema",
      /dialect/,
    ],
    ["a reference to elsewhere", { $ref: "https://example.org/a" }, "/$ref", /nothing is fetched/],
    ["a reference to a file", { allOf: [{ $ref: "task.json" }] }, "/allOf/0/$ref", /nothing is fetched/],
    ["a reference to nothing", { $ref: "#/$defs/a" }, "/$ref", /no schema/],
    ["a reference to what is no schema", { enum: [{ type: "string" }], $ref: "#/enum/0" }, "/$ref", /no schema/],
    ["a reference that cannot be decoded", { $ref: "#/%" }, "/$ref", /no schema/],
    ["an identity inside", { $defs: { a: { $id: "https://example.org/a" } } }, "/$defs/a/$id", /identity/],
    ["an anchor twice", { $defs: { a: { $anchor: "x" }, b: { $anchor: "x" } } }, "/$defs/b/$anchor", /twice/],
    ["a CRDT that is none", { properties: { a: { "x-crdt": "map" } } }, "/properties/a/x-crdt", /text, counter/],
    ["a policy that is none", { "x-conflict": 1 }, "/x-conflict", /record, first-wins, merge, manual/],
    ["a pattern that is none", { properties: { a: { pattern: "(" } } }, "/properties/a/pattern", /regular expression/],
    ["a name pattern that is none", { patternProperties: { "[": {} } }, "/patternProperties/[", /regular expression/],
    ["a schema that is itself", { $ref: "#" }, "", /again and again/],
    [
      "a circle of schemas",
      { $defs: { a: { anyOf: [{ $ref: "#/$defs/b" }] }, b: { not: { $ref: "#/$defs/a" } } } },
      "/$defs/a",
      /again/,
    ],
    ["deep nesting", nested(LIMITS.depthMax + 1), "/not".repeat(LIMITS.depthMax), /nested more than 64/],
    ["too many bytes", { title: "ä".repeat(LIMITS.schemaBytesMax / 2) }, "", /bytes, and 65536 are allowed/],
  ])("[TYPE-1] not: %s", (_name, schema, path, says) => {
    const { code, message, path: where } = refusal(schema);
    expect({ code, where }).toEqual({ code: "INVALID_SCHEMA", where: path });
    expect(message).toMatch(says);
  });

  test("[TYPE-1] not: references that double each other, or form a long row", () => {
    const chain = (length: number, next: (name: string) => JsonObject): JsonObject => ({
      $defs: Object.fromEntries(
        Array.from({ length }, (_, at) => [`d${at}`, at === length - 1 ? {} : next(`#/$defs/d${at + 1}`)]),
      ),
    });
    expect(refusal(chain(30, ($ref) => ({ allOf: [{ $ref }, { $ref }] }))).message).toMatch(
      /subschemas apply to one value/,
    );
    expect(refusal(chain(1000, ($ref) => ({ $ref }))).message).toMatch(/in a row/);
    expect(() => compileSchema(chain(60, ($ref) => ({ $ref })))).not.toThrow();
  });

  test("[TYPE-2] text of a schema stays text", () => {
    const planted = `"+globalThis.process.exit(9)+"\`\${process.exit(9)}'); process.exit(9);//`;
    const schema = compileSchema({
      title: planted,
      $comment: planted,
      properties: { [planted]: { const: planted, enum: [planted], description: planted } },
      required: [planted],
      dependentRequired: { [planted]: [planted] },
      patternProperties: { [`^${planted.replaceAll(/[^a-z]/g, ".")}$`]: { minLength: 1 } },
      $defs: { [planted]: { $anchor: "a" } },
    });
    expect(schema.violations({})).toHaveLength(1);
    expect(schema.violations({ [planted]: planted })).toEqual([]);
  });

  test("[TYPE-2] what every object inherits is no member of the data, nor of the schema", () => {
    const schema = {
      required: ["toString"],
      properties: { constructor: { type: "string" }, valueOf: { maxLength: 1 } },
    };
    expect(found(schema, {})).toEqual([` must have the member "toString"`]);
    expect(found(schema, { toString: 1, constructor: 2 })).toEqual(["/constructor must be string"]);
    expect(found({ additionalProperties: false, properties: {} }, { constructor: 1 })).toHaveLength(1);
    expect(compileSchema({ properties: { a: { "x-crdt": "text" } } }).crdtAt(["data", "constructor"])).toBeUndefined();
    expect(refusal({ $ref: "#/constructor" }).message).toMatch(/no schema/);
  });

  test("[TYPE-2] values are compared by what they hold, whatever their members are called", () => {
    const odd = { toString: null, constructor: 1, valueOf: [] };
    expect(found({ enum: [{ a: 1 }, odd] }, { ...odd })).toEqual([]);
    expect(found({ enum: [{ a: 1 }] }, odd)).toHaveLength(1);
    expect(found({ const: { a: [1, { b: 2 }], c: "" } }, { c: "", a: [1, { b: 2 }] })).toEqual([]);
    expect(found({ const: [] }, {})).toHaveLength(1);
    expect(found({ const: "null" }, null)).toHaveLength(1);
    expect(found({ const: 0 }, -0)).toEqual([]);
    expect(found({ uniqueItems: true }, [odd, { ...odd }])).toHaveLength(1);
    expect(refusal({ type: [odd, odd] })).toMatchObject({ code: "INVALID_SCHEMA" });
  });

  test("[TYPE-2] nothing is called __proto__", () => {
    const schema: JsonObject = JSON.parse('{"properties": {"__proto__": {"type": "string"}}}');
    expect(refusal(schema)).toMatchObject({ code: "INVALID_SCHEMA", path: "/properties/__proto__" });
    const data: JsonObject = JSON.parse('{"__proto__": {"a": 1}}');
    expect(found({ properties: { a: { type: "string" } }, maxProperties: 0 }, data)).toHaveLength(1);
  });

  test("[TYPE-2] schemas know nothing of each other, and one of a name may follow another", () => {
    const first = compileSchema({ $id: "https://example.org/a", type: "object", required: ["a"] });
    const second = compileSchema({ $id: "https://example.org/a", type: "object" });
    expect([first.violations({}).length, second.violations({}).length]).toEqual([1, 0]);
  });

  test("[TYPE-1] what happens to the object afterwards is nothing to the schema", () => {
    const given = { required: ["a"] };
    const schema = compileSchema(given);
    given.required.push("b");
    expect(schema.violations({ a: 1 })).toEqual([]);
  });
});

describe("violations", () => {
  test.each<[JsonObject, Json, string[]]>([
    [{ properties: { a: { type: "string" } } }, { a: 1 }, ["/a must be string"]],
    [{ required: ["a"] }, {}, [' must have the member "a"']],
    [{ additionalProperties: false }, { "x/y": 1 }, ["/x~1y is a member that the schema does not know"]],
    [{ unevaluatedProperties: false }, { b: 1 }, ["/b is a member that the schema does not know"]],
    [{ propertyNames: { maxLength: 1 } }, { aa: 1 }, ["/aa has a name that the schema does not allow"]],
    [{ properties: { a: { enum: ["x", 2] } } }, { a: 1 }, ['/a must be one of "x", 2']],
    [{ properties: { a: { const: { x: 1 } } } }, { a: 1 }, ['/a must be {"x":1}']],
    [{ properties: { a: false } }, { a: 1 }, ["/a must not be there"]],
    [
      { properties: { a: { anyOf: [{ type: "string" }, { $ref: "#/$defs/n" }] } }, $defs: { n: { type: "null" } } },
      { a: 1 },
      ["/a must match one of the alternatives (anyOf)"],
    ],
    [
      { properties: { a: { oneOf: [{ type: "number" }, { minimum: 0 }] } } },
      { a: 1 },
      ["/a must match exactly one of the alternatives (oneOf)"],
    ],
    [
      { properties: { a: { contains: { type: "null" } } } },
      { a: [1, 2] },
      ["/a must contain at least 1 valid item(s)"],
    ],
    [ifThen({ required: ["a"] }, { required: ["b"] }), { a: 1 }, [' must have the member "b"']],
    [{ items: { type: "string" } }, [1], ["/0 must be string"]],
    [{ properties: { a: { format: "date" } } }, { a: "yesterday" }, ['/a must match format "date"']],
    [
      { properties: { a: { uniqueItems: true } } },
      {
        a: [
          { x: 1, y: [] },
          { y: [], x: 1 },
        ],
      },
      ["/a must not hold equal elements"],
    ],
    [{ type: "object", maxProperties: 1 }, { a: 1, b: 2 }, [" must NOT have more than 1 properties"]],
  ])("[TYPE-3] of %j in %j", (schema, data, told) => {
    expect(found(schema, data)).toEqual(told);
  });

  test.each<[Json[], boolean]>([
    [[1, "1", null, false, [], {}, "[]", "{}"], true],
    [[0, -0], false],
    [["a", "a"], false],
    [
      [
        [1, [2]],
        [1, [2]],
      ],
      false,
    ],
    [[{ a: [1, 2] }, { a: { 0: 1, 1: 2 } }], true],
    [[{ members: [] }, {}], true],
    [[["a", "b"], { a: "b" }], true],
  ])("[TYPE-12] the elements of %j are all different: %s", (elements, areDifferent) => {
    expect(compileSchema({ uniqueItems: true }).violations(elements)).toHaveLength(areDifferent ? 0 : 1);
  });

  test("[TYPE-3] the refusal tells twenty, counts all, and shows nothing of the data", () => {
    const schema = compileSchema({ additionalProperties: { type: "string", pattern: "^b" } });
    const data = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`k${at}`, at < 25 ? at : "secret"]));
    const refused = schemaViolation(schema.violations(data));
    expect(refused).toMatchObject({ code: "SCHEMA_VIOLATION", details: { count: 50 } });
    expect(refused.details["violations"]).toHaveLength(20);
    expect(Object.keys(Object.assign({}, ...[refused.details["violations"]].flat())).sort()).toEqual([
      "message",
      "path",
    ]);
    expect(JSON.stringify([refused.message, refused.details])).not.toContain("secret");
    expect(refused.message).toMatch(/type: \/k0 must be string \(and 49 more\)/);
    expect(() => schema.check(data)).toThrow(refused.message);
    expect(() => schema.check({})).not.toThrow();
  });

  test("[TYPE-3] words of the schema are cut", () => {
    const [told] = compileSchema({ properties: { a: { const: "x".repeat(5000) } } }).violations({ a: 1 });
    expect(told?.message).toHaveLength(201);
  });

  const added = (schema: JsonObject, before: Json, after: Json): string[] => {
    const compiled = compileSchema(schema);
    return addedViolations(compiled.violations(before), compiled.violations(after)).map(({ path }) => path);
  };
  const list = { properties: { l: { items: { required: ["a"], properties: { a: { type: "string" } } } } } };

  test("[TYPE-4] a violation that moves with its element is the same one, one more of it is not", () => {
    expect(added(list, { l: [{}] }, { l: [{ a: "" }, {}] })).toEqual([]);
    expect(added(list, { l: [{}] }, { l: [{}, {}] })).toEqual(["/l/1"]);
    expect(added(list, { l: [{}] }, { l: [{ a: 1 }] })).toEqual(["/l/0/a"]);
    expect(added({ additionalProperties: { type: "string" } }, { a: 1 }, { b: 1 })).toEqual(["/b"]);
  });

  test("[TYPE-4] a value that breaks another alternative than before is no worse", () => {
    const schema = { properties: { a: { anyOf: [{ type: "object", required: ["x"] }, { type: "string" }] } } };
    expect(added(schema, { a: {} }, { a: 5 })).toEqual([]);
    expect(added(schema, { a: "" }, { a: 5 })).toEqual(["/a"]);
  });
});

describe("hostile data", () => {
  const took = (work: () => void): number => {
    const start = performance.now();
    work();
    return performance.now() - start;
  };

  test("[TYPE-12] many elements are compared in one pass", () => {
    const schema = compileSchema({ uniqueItems: true, items: { type: "object" } });
    const elements = Array.from({ length: 100_000 }, (_, at) => ({ at }));
    // ajv's own comparison takes minutes
    expect(took(() => schema.violations(elements))).toBeLessThan(5000);
  });

  test("[TYPE-12] no format can be made to search long", () => {
    const text = `http://${": ".repeat(50_000)}`;
    for (const format of [
      "uri",
      "email",
      "hostname",
      "date-time",
      "uri-template",
      "ipv6",
      "json-pointer",
      "duration",
    ]) {
      expect(took(() => compileSchema({ format }).violations(text))).toBeLessThan(2000);
    }
    expect(refusal({ format: "url" }).message).toMatch(/format is not known/);
  });

  test("[TYPE-12] data that is nested too deep for a schema breaks it, and nothing else happens", () => {
    const rows = Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`r${at}`, { $ref: `#/$defs/r${at + 1}` }]));
    const schema = compileSchema({ $ref: "#/$defs/r0", $defs: { ...rows, r50: { items: { $ref: "#/$defs/r0" } } } });
    let data: Json = [];
    for (let level = 0; level < 20_000; level++) data = [data];
    expect(schema.violations([[]])).toEqual([]);
    expect(schema.violations(data)).toMatchObject([{ path: "", message: expect.stringMatching(/too deep/) }]);
  });
});

describe("annotations", () => {
  const schema = compileSchema({
    "x-conflict": "merge",
    properties: {
      title: { "x-crdt": "text" },
      tasks: {
        "x-conflict": "manual",
        additionalProperties: { $ref: "#/$defs/task" },
        properties: { first: { "x-conflict": "record" } },
      },
      list: { prefixItems: [{ "x-crdt": "counter" }], items: { "x-crdt": "text" } },
      one: {
        oneOf: [
          { properties: { a: { "x-crdt": "text" } } },
          { properties: { a: { "x-crdt": "counter" }, b: { "x-crdt": "counter" } } },
        ],
      },
      either: ifThen({ properties: { a: { "x-crdt": "text" } } }, { properties: { a: { "x-crdt": "counter" } } }),
      rest: { unevaluatedProperties: { "x-crdt": "text" }, unevaluatedItems: { "x-crdt": "counter" } },
      no: { not: { "x-crdt": "text" } },
      deps: { dependentSchemas: { a: { properties: { b: { "x-crdt": "text" } } } } },
    },
    patternProperties: { "^n_": { "x-crdt": "counter" } },
    $defs: {
      task: {
        allOf: [{ properties: { votes: { "x-crdt": "counter", "x-conflict": "first-wins" } } }],
        properties: { notes: { anyOf: [{ type: "null" }, { "x-crdt": "text" }] }, inner: { $ref: "#/$defs/task" } },
      },
    },
  });

  test.each<[string[], string | undefined]>([
    [["title"], "text"],
    [[], undefined],
    [["other"], undefined],
    [["tasks", "t1", "votes"], "counter"],
    [["tasks", "t1", "notes"], "text"],
    [["tasks", "first", "votes"], undefined],
    [["tasks", "t1", "inner", "inner", "votes"], "counter"],
    [["n_x"], "counter"],
    [["list", "0"], "counter"],
    [["list", "1"], "text"],
    [["list", "-"], "text"],
    [["one", "a"], "text"],
    [["one", "b"], "counter"],
    [["either", "a"], "counter"],
    [["rest", "x"], "text"],
    [["no"], undefined],
    [["deps", "b"], "text"],
  ])("[TYPE-8] at %j there is %s", (steps, kind) => {
    expect(schema.crdtAt(["data", ...steps])).toBe(kind);
    expect(schema.crdtAt(["other", ...steps])).toBeUndefined();
  });

  test.each([
    ["", "merge"],
    ["/title", "merge"],
    ["/tasks", "manual"],
    ["/tasks/t1", "manual"],
    ["/tasks/t1/votes", "first-wins"],
    ["/tasks/t1/votes/far/below", "first-wins"],
    ["/tasks/first", "record"],
    ["/nowhere/at/all", "merge"],
    ["@text/title", "record"],
  ])("[TYPE-8] the policy at %j is %s", (path, policy) => {
    expect(schema.conflictPolicyAt(path)).toBe(policy);
  });

  test("[TYPE-8] without annotations there is no CRDT, and the policy is record", () => {
    const plain = compileSchema({});
    expect([plain.crdtAt(["data"]), plain.conflictPolicyAt("/a")]).toEqual([undefined, "record"]);
  });

  test("[TYPE-6] strings become texts where the schema says so, and only there", () => {
    expect(
      schema.textsMarked([
        { op: "add", path: "/title", value: "a" },
        { op: "replace", path: "/tasks", value: { t1: { notes: "b", title: "c", inner: { notes: "d" } } } },
        { op: "merge", path: "/tasks/t1", value: { notes: "e", votes: null, x: ["f"] } },
        { op: "add", path: "/list/-", value: "g" },
        { op: "add", path: "/list", value: [1, "h"] },
        { op: "merge", path: "", value: { title: "i" } },
        { op: "test", path: "/title", value: "a" },
        { op: "add", path: "@title", value: "j" },
        { op: "add", path: "no path", value: "k" },
        { op: "merge", path: "/rest", value: { $text: "m" } },
        { op: "append_text", path: "/title", text: "l" },
      ]),
    ).toEqual([
      { op: "add", path: "/title", value: { $text: "a" } },
      {
        op: "replace",
        path: "/tasks",
        value: { t1: { notes: { $text: "b" }, title: "c", inner: { notes: { $text: "d" } } } },
      },
      { op: "merge", path: "/tasks/t1", value: { notes: { $text: "e" }, votes: null, x: ["f"] } },
      { op: "add", path: "/list/-", value: { $text: "g" } },
      { op: "add", path: "/list", value: [1, { $text: "h" }] },
      { op: "merge", path: "", value: { title: { $text: "i" } } },
      { op: "test", path: "/title", value: "a" },
      { op: "add", path: "@title", value: "j" },
      { op: "add", path: "no path", value: "k" },
      { op: "merge", path: "/rest", value: { $text: "m" } },
      { op: "append_text", path: "/title", text: "l" },
    ]);
    expect(schema.markedData({ title: { $text: "a" }, n_x: "b", tasks: { t: { notes: "c" } } })).toEqual({
      title: { $text: "a" },
      n_x: "b",
      tasks: { t: { notes: { $text: "c" } } },
    });
  });

  test("[TYPE-6] marking takes any depth, and keeps every key", () => {
    let value: Json = "x";
    for (let level = 0; level < 100_000; level++) value = { inner: value };
    expect(() => schema.markedData({ tasks: { t: value } })).not.toThrow();
    const odd: JsonObject = JSON.parse('{"tasks": {"t": {"__proto__": {"notes": "x"}}}}');
    expect(JSON.stringify(schema.markedData(odd))).toBe(JSON.stringify(odd));
  });
});
