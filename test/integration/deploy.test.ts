/**
 * What is shipped for operators, held against a server that runs: rules, dashboard, Prometheus' configuration, the container.
 *
 * The programs themselves (Prometheus, docker-compose) are asked where they are installed.
 */
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { parseConfig } from "../../server/config.ts";
import { SETTINGS } from "../../server/config-settings.ts";
import { metricsIn } from "../support/metrics-text.ts";
import { findProgram, freePort, needing, run, serve } from "../support/programs.ts";
import type { Service } from "../support/programs.ts";
import { startSecureServer } from "../support/secure-server.ts";
import type { SecureServer } from "../support/secure-server.ts";
import { SECRET } from "../support/tokens.ts";

const DASHBOARD = "deploy/grafana/dashboards/mcp-context-manager.json";
const RULES = "deploy/prometheus/rules.yml";

const rulesSchema = z.object({
  groups: z.array(z.object({ rules: z.array(z.object({ alert: z.string(), expr: z.string() })) })),
});
const dashboardSchema = z.object({
  panels: z.array(
    z.object({
      title: z.string(),
      type: z.string(),
      description: z.string().optional(),
      datasource: z.object({ uid: z.string() }).optional(),
      targets: z.array(z.object({ expr: z.string() })).default([]),
    }),
  ),
});

const rules = rulesSchema
  .parse(parse(await readFile(RULES, "utf8")))
  .groups.flatMap((group) => group.rules.map(({ expr }) => expr));
const { panels } = dashboardSchema.parse(JSON.parse(await readFile(DASHBOARD, "utf8")));
const questions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

let folder: string;
let server: SecureServer;
let token: string;
/** Of a scrape: those that have a type, and those that have a value. */
const families = new Set<string>();
const series = new Set<string>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "mcm-deploy-"));
  server = await startSecureServer(join(folder, "data"));
  token = await server.admin();
  await server.call(token, "POST", "/v1/contexts", { id: "plan", data: { title: "One" } });
  await server.call(token, "PATCH", "/v1/contexts/plan", { changes: [{ op: "add", path: "/a", value: 1 }] });
  const response = await fetch(`${server.url}/metrics`, { headers: { authorization: `Bearer ${token}` } });
  const text = await response.text();
  for (const [, name = "", type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    families.add(name);
    if (type === "histogram") for (const part of ["bucket", "sum", "count"]) families.add(`${name}_${part}`);
  }
  for (const key of metricsIn(text).keys()) series.add(key.replace(/\{.*$/, ""));
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

/** The metrics that an expression asks for. */
function namesIn(expr: string): readonly string[] {
  return expr.match(/\b(?:mcm|process)_\w+/g) ?? [];
}

test("[ALERT-5] the rules ask only for series that a scrape has", () => {
  const asked = rules.flatMap(namesIn);
  expect(asked.length).toBeGreaterThanOrEqual(rules.length);
  expect(asked.filter((name) => !families.has(name))).toEqual([]);
});

test("[DEPLOY-1] the dashboard asks only for series that a scrape has, and says of each panel what it shows", () => {
  expect(questions.filter((expr) => namesIn(expr).length === 0)).toEqual([]);
  expect(questions.flatMap(namesIn).filter((name) => !families.has(name))).toEqual([]);
  const shown = panels.filter(({ type }) => type !== "row");
  expect(shown.filter(({ description = "", targets }) => description === "" || targets.length === 0)).toEqual([]);
});

test("[DEPLOY-1] its panels ask the data source that is provisioned", async () => {
  const text = await readFile("deploy/grafana/provisioning/datasources/prometheus.yml", "utf8");
  const { datasources } = z.object({ datasources: z.array(z.object({ uid: z.string() })) }).parse(parse(text));
  const asked = new Set(panels.flatMap(({ datasource }) => datasource?.uid ?? []));
  expect([...asked]).toEqual(datasources.map(({ uid }) => uid));
});

describe.skipIf(findProgram("prometheus") === undefined)(`a real Prometheus${needing("prometheus")}`, () => {
  let prometheus: Service;
  let address: string;

  beforeAll(async () => {
    address = `http://127.0.0.1:${await freePort()}`;
    const credentials = join(folder, "metrics-token");
    await writeFile(credentials, token);
    await copyFile(RULES, join(folder, "rules.yml"));
    const shipped = await readFile("deploy/prometheus/prometheus.yml", "utf8");
    // where the server is, and how often it is asked, are what a test must change
    const config = [
      ["/run/secrets/metrics-token", credentials],
      ["server:4400", new URL(server.url).host],
      ["scrape_interval: 15s", "scrape_interval: 1s"],
      ["evaluation_interval: 15s", "evaluation_interval: 1s"],
    ].reduce((text, [from = "", to = ""]) => {
      expect(text).toContain(from);
      return text.replace(from, to);
    }, shipped);
    await writeFile(join(folder, "prometheus.yml"), config);
    prometheus = await serve(
      "prometheus",
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "prometheus")}`,
        `--web.listen-address=${new URL(address).host}`,
      ],
      { isReady: async () => (await valuesOf("count_over_time(up[1m]) >= 3 and up == 1")).length > 0 },
    );
  }, 60_000);
  afterAll(() => prometheus.close());

  async function ask<Data>(path: string, schema: z.ZodType<Data>): Promise<Data> {
    const answer: unknown = await (await fetch(`${address}/api/v1/${path}`)).json();
    const { data } = z
      .object({ status: z.literal("success", `${path}: ${JSON.stringify(answer)}`), data: schema })
      .parse(answer);
    return data;
  }

  async function valuesOf(expr: string): Promise<readonly unknown[]> {
    const query = new URLSearchParams({ query: expr.replaceAll("$__rate_interval", "1m") });
    return (await ask(`query?${query}`, z.object({ result: z.array(z.unknown()) }))).result;
  }

  test("[DEPLOY-1] answers every question of the dashboard, with values where the server has any", async () => {
    let answered = 0;
    // a scrape that takes longer than it may leaves nothing with a value until the next one
    const mute = async (): Promise<readonly string[]> => {
      const answers = await Promise.all(questions.map(async (expr) => ({ expr, values: await valuesOf(expr) })));
      answered = answers.filter(({ values }) => values.length > 0).length;
      return answers.flatMap(({ expr, values }) =>
        values.length === 0 && namesIn(expr).every((it) => series.has(it)) ? [expr] : [],
      );
    };
    await expect.poll(mute).toEqual([]);
    expect(answered).toBeGreaterThan(questions.length / 2);
  });

  test("[DEPLOY-2] evaluates every rule without an error", async () => {
    const ruleSchema = z.object({ name: z.string(), health: z.string(), lastError: z.string().optional() });
    const read = async () =>
      (await ask("rules", z.object({ groups: z.array(z.object({ rules: z.array(ruleSchema) })) }))).groups.flatMap(
        (group) => group.rules,
      );
    await expect
      .poll(async () => (await read()).every(({ health }) => health !== "unknown"), { timeout: 10_000 })
      .toBe(true);
    const evaluated = await read();
    expect(evaluated.length).toBe(rules.length);
    expect(evaluated.filter(({ health }) => health !== "ok")).toEqual([]);
  });
});

const composeSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      environment: z.record(z.string(), z.union([z.string(), z.number()])).default({}),
      ports: z.array(z.string()).default([]),
      volumes: z.array(z.string()).default([]),
      secrets: z.array(z.string()).default([]),
      profiles: z.array(z.string()).default([]),
      image: z.string(),
      depends_on: z.union([z.array(z.string()), z.record(z.string(), z.object({ condition: z.string() }))]).default([]),
      healthcheck: z.object({ test: z.array(z.string()) }).optional(),
    }),
  ),
  volumes: z.record(z.string(), z.unknown()),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
});

describe("docker-compose.yml", async () => {
  const compose = composeSchema.parse(parse(await readFile("docker-compose.yml", "utf8"), { merge: true }));
  const services = Object.values(compose.services);
  const ofCluster = Object.entries(compose.services).filter(([, { profiles }]) => profiles.includes("cluster"));
  const nodes = ofCluster.filter(([, { image }]) => image === "mcp-context-manager");
  /** What the image sets, and what compose puts in. */
  const environmentOf = async (service: string, env: Readonly<Record<string, string>> = {}) => {
    const [, assignments = ""] = /^ENV (.*)$/m.exec(await readFile("Dockerfile", "utf8")) ?? [];
    const set = Object.fromEntries(assignments.split(" ").map((assignment) => assignment.split("=")));
    const all: Record<string, string> = { ...set, ...compose.services[service]?.environment };
    const filled = (value: string): string =>
      value.replace(/\$\{(\w+):-(.*?)\}/g, (_, name: string, otherwise: string) => env[name] ?? otherwise);
    return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, filled(value)]));
  };

  test("[DEPLOY-3] mounts what is there, and shows itself to this machine only", () => {
    const sources = services.flatMap(({ volumes }) => volumes.map((volume) => volume.split(":")[0] ?? ""));
    expect(
      sources.filter((source) => !(source.startsWith(".") ? existsSync(source) : source in compose.volumes)),
    ).toEqual([]);
    expect(services.flatMap(({ secrets }) => secrets).filter((name) => !(name in compose.secrets))).toEqual([]);
    const ports = services.flatMap((service) => service.ports);
    expect([ports.length, ports.filter((port) => !port.startsWith("127.0.0.1:"))]).toEqual([4, []]);
    expect(new Set(ports.map((port) => port.split(":")[1])).size).toBe(4);
  });

  test("[DEPLOY-3] docker-compose takes it", async (context) => {
    if (findProgram("docker-compose") === undefined) context.skip("install docker-compose");
    const args = ["-f", "docker-compose.yml", "--profile", "cluster", "config", "-q"];
    expect(await run("docker-compose", args)).toEqual({ code: 0, output: "" });
  });

  test("[DEPLOY-3] with what the image sets, the server has a configuration that it starts with", async () => {
    const environment = await environmentOf("server");
    const known = new Set<string>(Object.values(SETTINGS).map(({ variable }) => variable));
    const ours = Object.keys(environment).filter((name) => name.startsWith("MCM_"));
    expect([ours.length > 5, ours.filter((name) => !known.has(name))]).toEqual([true, []]);
    const config = parseConfig({}, environment, { jwtSecretFile: { text: SECRET } });
    expect(config).toMatchObject({
      host: "0.0.0.0",
      port: 4400,
      dataDir: "/data",
      allowedHosts: ["server", "localhost"],
    });
  });

  test("[DEPLOY-4] the cluster's nodes are alike, and start with the database's address, one name and one secret", async () => {
    expect(nodes.map(([name]) => name)).toEqual(["node-1", "node-2", "node-3"]);
    const known = new Set<string>(Object.values(SETTINGS).map(({ variable }) => variable));
    const [first, ...others] = await Promise.all(
      nodes.map(async ([name]) => {
        const environment = await environmentOf(name, {
          MCM_POSTGRES_PASSWORD: "pass",
          MCM_PUBLIC_HOST: "mcm.example",
        });
        expect(Object.keys(environment).filter((it) => it.startsWith("MCM_") && !known.has(it))).toEqual([]);
        return parseConfig({}, environment, { jwtSecretFile: { text: SECRET } });
      }),
    );
    expect(first).toMatchObject({
      storage: "postgres://mcm:pass@postgres:5432/mcm",
      host: "0.0.0.0",
      allowedHosts: ["node-1", "node-2", "node-3", "mcm.example"],
    });
    for (const other of others) expect(JSON.stringify(other)).toBe(JSON.stringify(first));
  });

  test("[DEPLOY-4] it starts in order: primary, standby, nodes, balancer; each says whether it is well", () => {
    const waitsFor = ofCluster.map(([name, { depends_on: before }]) => [
      name,
      Object.entries(before).map(([it, { condition }]) => `${it} ${condition}`),
    ]);
    const databases = ["postgres service_healthy", "postgres-standby service_healthy"];
    expect(Object.fromEntries(waitsFor)).toEqual({
      postgres: [],
      "postgres-standby": [databases[0]],
      ...Object.fromEntries(nodes.map(([name]) => [name, databases])),
      balancer: nodes.map(([name]) => `${name} service_healthy`),
    });
    // the nodes' stands in the image
    const mute = ofCluster.filter(
      ([, { image, healthcheck }]) => !image.startsWith("mcp-") && healthcheck === undefined,
    );
    expect(mute).toEqual([]);
  });

  test("[DEPLOY-4] no secret stands in the file, and the scripts of the database take theirs from the environment", async () => {
    const texts = ["docker-compose.yml", "deploy/postgres/primary.sh", "deploy/postgres/standby.sh"];
    for (const text of await Promise.all(texts.map((file) => readFile(file, "utf8")))) {
      const said = Array.from(text.matchAll(/^.*password.*$/gim), ([line]) => line.trim());
      expect(
        said.filter((line) => !/MCM_POSTGRES_PASSWORD|:'password'|secrets\/|__FILE|-password\]/.test(line)),
      ).toEqual([]);
    }
    const variables = ofCluster.flatMap(([, { environment }]) => Object.entries(environment));
    const secrets = variables.filter(([name]) => /PASSWORD/.test(name)).map(([, value]) => value);
    expect(new Set(secrets)).toEqual(new Set(["${MCM_POSTGRES_PASSWORD:-}"]));
  });

  test("[DEPLOY-4] the balancer and Prometheus know all nodes", async () => {
    const places = nodes.map(([name]) => `${name}:4400`);
    const nginx = await readFile("deploy/proxy/nginx-cluster.conf", "utf8");
    const upstreams = Array.from(nginx.matchAll(/upstream \w+ \{[^}]*\}/g), ([block]) =>
      Array.from(block.matchAll(/server (\S+) .*resolve;/g), ([, place]) => place),
    );
    expect(upstreams).toEqual([places, places]);
    expect(await readFile("deploy/prometheus/prometheus.yml", "utf8")).toContain(
      `targets: ["server:4400", ${places.map((place) => `"${place}"`).join(", ")}]`,
    );
  });

  test("[DEPLOY-3] the image is built of what is there and let through", async () => {
    const copied = Array.from(
      (await readFile("Dockerfile", "utf8")).matchAll(/^COPY (?!--from)(.*) \S+$/gm),
      ([, it = ""]) => it.split(" "),
    ).flat();
    const allowed = (await readFile(".dockerignore", "utf8"))
      .split("\n")
      .flatMap((line) => (line.startsWith("!") ? line.slice(1) : []));
    expect(copied.filter((path) => !existsSync(path))).toEqual([]);
    expect(copied.toSorted()).toEqual(allowed.toSorted());
  });
});
