/**
 * The contexts that the demo's agents share, who may write where in them, and their beginning.
 *
 * Not here: who the agents are (cast.ts), what they do (story.ts).
 */
import type { Client } from "../../../client/index.ts";

export const PLAN = "demo-plan";
export const RESEARCH = "demo-research";
export const ARTICLE = "demo-article";

export interface Task {
  section: string;
  status: "open" | "writing" | "done";
  owner?: string;
}

export interface Plan {
  goal: string;
  tasks: Record<string, Task>;
  /** The place where the reviewer may write. */
  reviews: Record<string, string>;
}

export interface Research {
  facts: Record<string, string>;
  found: number;
}

export interface Article {
  headline: string;
  /** Collaborative texts. */
  sections: Record<string, string>;
}

const PLAN_TYPE = "demo-plan";
const PLAN_SCHEMA = {
  type: "object",
  required: ["goal", "tasks", "reviews"],
  properties: {
    goal: { type: "string" },
    tasks: {
      type: "object",
      additionalProperties: {
        type: "object",
        required: ["section", "status"],
        properties: {
          section: { type: "string" },
          status: { enum: ["open", "writing", "done"] },
          owner: { type: "string" },
        },
      },
    },
    reviews: { type: "object", additionalProperties: { type: "string" } },
  },
};

const ARTICLE_TYPE = "demo-article";
const ARTICLE_SCHEMA = {
  type: "object",
  required: ["headline", "sections"],
  properties: {
    // which of two headlines that were set at once is the better one, no merge can know
    headline: { type: "string", "x-conflict": "manual" },
    sections: { type: "object", additionalProperties: { type: "string", "x-crdt": "text" } },
  },
};

/** Makes what is not there yet. */
export async function setUp(planner: Client): Promise<void> {
  await planner.types.put(PLAN_TYPE, PLAN_SCHEMA);
  await planner.types.put(ARTICLE_TYPE, ARTICLE_SCHEMA);
  const tags = ["demo"];
  const goal = "An article on how agents share what they know";
  await using plan = await planner.open<Plan>(PLAN, {
    create: { name: "The plan", type: PLAN_TYPE, tags, data: { goal, tasks: {}, reviews: {} } },
  });
  await plan.setAcl({
    grants: [
      { principal: "writer", role: "writer", paths: ["/tasks"] },
      { principal: "researcher", role: "writer", paths: ["/tasks"] },
      { principal: "reviewer", role: "writer", paths: ["/reviews"] },
      { principal: "*", role: "reader" },
    ],
  });
  await using _research = await planner.open<Research>(RESEARCH, {
    create: { name: "What was found out", tags, data: { facts: {}, found: 0 } },
  });
  await using _article = await planner.open<Article>(ARTICLE, {
    create: { name: "The article", type: ARTICLE_TYPE, tags, data: { headline: "Untitled", sections: {} } },
  });
}
