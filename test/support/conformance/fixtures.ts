/**
 * What the MCP conformance suite expects a server to have beside its own tools: fixed answers, elicitation, sampling, logs.
 *
 * Mounted around the product's handlers; everything else that the suite does meets the product itself.
 *
 * Not here: the suite (test/integration/mcp-conformance.test.ts).
 */
import { createRequestStateCodec } from "@modelcontextprotocol/server";
import type {
  CallToolResult,
  GetPromptResult,
  InputRequiredResult,
  ReadResourceResult,
  Resource,
  ServerContext,
  Tool,
} from "@modelcontextprotocol/server";
import type { Extension } from "../../../server/transport/mcp/mcp-server.ts";
import { elicitationTools } from "./elicitation-fixtures.ts";
import { inputRequiredTools, promptWithInput } from "./input-required-fixtures.ts";

export interface FixtureTool {
  readonly inputSchema?: Exclude<Tool["inputSchema"], undefined>;
  call(args: Readonly<Record<string, unknown>>, context: ServerContext): Answer | Promise<Answer>;
}

type Answer = CallToolResult | InputRequiredResult;

/** One transparent pixel, and one sample of silence. */
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=";
const WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQIAAAAAAA==";

const text = (said: string): CallToolResult => ({ content: [{ type: "text", text: said }] });

const contentTools: Readonly<Record<string, FixtureTool>> = {
  test_simple_text: { call: () => text("This is a simple text response for testing.") },
  test_image_content: { call: () => ({ content: [{ type: "image", data: PNG, mimeType: "image/png" }] }) },
  test_audio_content: { call: () => ({ content: [{ type: "audio", data: WAV, mimeType: "audio/wav" }] }) },
  test_embedded_resource: {
    call: () => ({
      content: [
        {
          type: "resource",
          resource: {
            uri: "test://embedded-resource",
            mimeType: "text/plain",
            text: "This is an embedded resource content.",
          },
        },
      ],
    }),
  },
  test_multiple_content_types: {
    call: () => ({
      content: [
        { type: "text", text: "Multiple content types test:" },
        { type: "image", data: PNG, mimeType: "image/png" },
        {
          type: "resource",
          resource: {
            uri: "test://mixed-content-resource",
            mimeType: "application/json",
            text: JSON.stringify({ test: "data", value: 123 }),
          },
        },
      ],
    }),
  },
  test_error_handling: {
    call: () => ({ ...text("This tool intentionally returns an error for testing"), isError: true }),
  },
  test_tool_with_logging: {
    call: async (_args, { mcpReq }) => {
      for (const said of ["Tool execution started", "Tool processing data", "Tool execution completed"])
        await mcpReq.log("info", said);
      return text("logged three times");
    },
  },
  test_logging_tool: {
    call: async (_args, { mcpReq }) => {
      await mcpReq.log("info", "only for those who asked");
      return text("logged, if that was wanted");
    },
  },
  test_tool_with_progress: {
    call: async (_args, { mcpReq }) => {
      const progressToken = mcpReq._meta?.progressToken;
      for (const progress of progressToken === undefined ? [] : [0, 50, 100])
        await mcpReq.notify({
          method: "notifications/progress",
          params: { progressToken, progress, total: 100, message: `${progress} %` },
        });
      return text("done");
    },
  },
};

const FIXTURE = "A fixture of the conformance suite";
const NO_INPUT: Tool["inputSchema"] = { type: "object" };
const STATES = createRequestStateCodec({ key: new Uint8Array(32).fill(7), ttlSeconds: 60 });

const TOOLS: Readonly<Record<string, FixtureTool>> = {
  ...contentTools,
  ...elicitationTools,
  ...inputRequiredTools(STATES),
};

const LISTED: readonly Tool[] = Object.entries(TOOLS).map(([name, { inputSchema = NO_INPUT }]) => ({
  name,
  description: FIXTURE,
  inputSchema,
}));

const RESOURCES: readonly Resource[] = ["static-text", "static-binary", "watched-resource"].map((name) => ({
  uri: `test://${name}`,
  name,
  description: FIXTURE,
}));

function readFixture(uri: string): ReadResourceResult | undefined {
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id !== undefined) {
    const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
    return { contents: [{ uri, mimeType: "application/json", text: data }] };
  }
  switch (uri) {
    case "test://static-text":
      return { contents: [{ uri, mimeType: "text/plain", text: "This is the content of the static text resource." }] };
    case "test://static-binary":
      return { contents: [{ uri, mimeType: "image/png", blob: PNG }] };
    case "test://watched-resource":
      return { contents: [{ uri, mimeType: "text/plain", text: "watched" }] };
    default:
      return undefined;
  }
}

type Arguments = Readonly<Record<string, string>>;
type FixturePrompt = (args: Arguments, context: ServerContext) => GetPromptResult | InputRequiredResult;

const say = (said: string): GetPromptResult["messages"][number] => ({
  role: "user",
  content: { type: "text", text: said },
});

const PROMPTS: Readonly<Record<string, FixturePrompt>> = {
  test_simple_prompt: () => ({ messages: [say("This is a simple prompt for testing.")] }),
  test_prompt_with_arguments: ({ arg1, arg2 }) => ({
    messages: [say(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)],
  }),
  test_prompt_with_embedded_resource: ({ resourceUri: uri = "" }) => ({
    messages: [
      {
        role: "user",
        content: {
          type: "resource",
          resource: { uri, mimeType: "text/plain", text: "Embedded resource content for testing." },
        },
      },
      say("Please process the embedded resource above."),
    ],
  }),
  test_prompt_with_image: () => ({
    messages: [
      { role: "user", content: { type: "image", data: PNG, mimeType: "image/png" } },
      say("Please analyze the image above."),
    ],
  }),
  test_input_required_result_prompt: promptWithInput,
};

export function conformanceFixtures(): Extension {
  return {
    capabilities: { logging: {} },
    options: { requestState: { verify: (state, context) => STATES.verify(state, context) } },
    isSubscribable: (uri) => uri === "test://watched-resource",
    handlers: (product) => ({
      ...product,
      "tools/list": async (request, context) => {
        const { tools, ...rest } = await product["tools/list"](request, context);
        return { ...rest, tools: [...tools, ...LISTED] };
      },
      "tools/call": (request, context) => {
        const { name, arguments: args = {} } = request.params;
        return TOOLS[name]?.call(args, context) ?? product["tools/call"](request, context);
      },
      "resources/list": async (request, context) => {
        const { resources, ...rest } = await product["resources/list"](request, context);
        return { ...rest, resources: [...resources, ...RESOURCES] };
      },
      "resources/read": (request, context) =>
        readFixture(request.params.uri) ?? product["resources/read"](request, context),
      "prompts/list": async (request, context) => {
        const { prompts, ...rest } = await product["prompts/list"](request, context);
        return {
          ...rest,
          prompts: [...prompts, ...Object.keys(PROMPTS).map((name) => ({ name, description: FIXTURE }))],
        };
      },
      "prompts/get": (request, context) => {
        const { name, arguments: args = {} } = request.params;
        return PROMPTS[name]?.(args, context) ?? product["prompts/get"](request, context);
      },
    }),
  };
}
