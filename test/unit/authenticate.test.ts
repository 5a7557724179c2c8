/** Identity in open mode, host names, the log's secrets, the release number. */
import { expect, test } from "vitest";
import { authenticateOpen } from "../../server/security/authenticate.ts";
import { createLogger } from "../../server/monitor/logger.ts";
import { isHostAllowed, isOriginAllowed } from "../../shared/host.ts";
import { PRODUCT_VERSION } from "../../shared/protocol/version.ts";
import { read } from "../arch/source.ts";

const actorOf = async (header: string | undefined, query = "") => {
  const headers = header === undefined ? {} : { "mcm-actor": header };
  return (await authenticateOpen({ headers, query: new URLSearchParams(query) })).actor;
};

test("[REST-24] an open server takes the name it is given: header, then query, then anonymous", async () => {
  expect(await actorOf(undefined)).toBe("anonymous");
  expect(await actorOf(undefined, "actor=bob")).toBe("bob");
  expect(await actorOf("ada", "actor=bob")).toBe("ada");
  expect(await actorOf("J%C3%BCrgen%20M%C3%BCller")).toBe("Jürgen Müller");
  for (const bad of ["", "%", "%zz", "a%00b", "x".repeat(129)])
    await expect(actorOf(bad)).rejects.toThrow(/Mcm-Actor|actor name/);
  await expect(actorOf(undefined, "actor=")).rejects.toThrow(/actor name/);
});

test("[REST-16] origins of pages", () => {
  for (const origin of ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:80", "https://mcm.example"]) {
    expect([origin, isOriginAllowed(origin, ["mcm.example"])]).toEqual([origin, true]);
  }
  for (const origin of [
    "",
    "null",
    "http://evil.example",
    "http://localhost.evil.example",
    "file://localhost",
    "localhost",
  ]) {
    expect([origin, isOriginAllowed(origin, ["mcm.example"])]).toEqual([origin, false]);
  }
});

test("[REST-16] host names", () => {
  const allowed = ["Mcm.Example"];
  for (const host of [
    "localhost",
    "LocalHost:4400",
    "127.0.0.1:1",
    "127.9.9.9",
    "[::1]",
    "[::1]:80",
    "mcm.example:1",
  ]) {
    expect([host, isHostAllowed(host, allowed)]).toEqual([host, true]);
  }
  for (const host of [
    "",
    "localhost.",
    "xlocalhost",
    "127.0.0.1.nip.example",
    "evil:localhost",
    "[::2]",
    "1.127.0.0.1",
    "mcm.example.evil",
  ]) {
    expect([host, isHostAllowed(host, allowed)]).toEqual([host, false]);
  }
});

test("[LOGGER-1] tokens are not written, causes are", () => {
  const lines: string[] = [];
  const logger = createLogger({
    level: "info",
    destination: { write: (line) => void lines.push(line) },
    isPretty: false,
  });
  logger.debug("quiet");
  logger.warn("loud", {
    token: "s3cret",
    headers: { authorization: "s3cret" },
    error: new Error("outer", { cause: new Error("inner") }),
  });
  expect(lines).toHaveLength(1);
  expect(lines.join()).not.toContain("s3cret");
  expect(JSON.parse(lines.join())).toMatchObject({
    msg: "loud",
    token: "[secret]",
    error: { message: expect.stringContaining("outer") },
  });
  expect(lines.join()).toContain("inner");
});

test("the release number is the package's", () => {
  expect(JSON.parse(read("package.json").text)).toMatchObject({ version: PRODUCT_VERSION });
});
