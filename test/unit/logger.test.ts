/** What the log does not say: tokens and secrets, wherever they turn up. */
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../server/config.ts";
import { createLogger } from "../../server/monitor/logger.ts";
import { claimsAt, SECRET, sign } from "../support/tokens.ts";

const logged = (message: string, fields: Record<string, unknown> = {}): string => {
  const lines: string[] = [];
  createLogger({ level: "info", destination: { write: (line) => void lines.push(line) }, isPretty: false }).info(
    message,
    fields,
  );
  expect(lines).toHaveLength(1);
  return lines.join();
};

test("[LOGGER-1] fields that hold tokens, one or two levels deep", () => {
  const names = [
    "token",
    "authorization",
    "proxy-authorization",
    "sec-websocket-protocol",
    "cookie",
    "secret",
    "password",
    "access_token",
  ];
  for (const name of names) {
    expect(JSON.parse(logged("x", { [name]: "s3cret" }))).toMatchObject({ [name]: "[secret]" });
    expect(JSON.parse(logged("x", { headers: { [name]: "s3cret", host: "a" } }))).toMatchObject({
      headers: { [name]: "[secret]", host: "a" },
    });
  }
});

describe("tokens in text", () => {
  test.each([
    ["/sync/plan?token=s3cret", "/sync/plan?token=[secret]"],
    ["/sync/plan?create=true&token=s3cret&actor=ada", "/sync/plan?create=true&token=[secret]&actor=ada"],
    ["/mcp?access_token=s3cret#x", "/mcp?access_token=[secret]#x"],
    ["Authorization: Bearer s3cret", "Authorization: Bearer [secret]"],
    ["bearer  s3cret, and more", "bearer  [secret], and more"],
    ["the token of ada has expired", "the token of ada has expired"],
    ["bearer", "bearer"],
  ])("[LOGGER-2] %s", (text, written) => {
    expect(JSON.parse(logged(text))).toMatchObject({ msg: written });
    const failed = JSON.parse(logged("failed", { deep: { deeper: { url: text } }, error: new Error(text) }));
    expect(failed).toMatchObject({ deep: { deeper: { url: written } }, error: { message: written } });
    expect(JSON.stringify(failed)).not.toContain("s3cret");
  });

  test("[LOGGER-2] a JWT, in whatever it stands", async () => {
    const token = await sign(claimsAt(0));
    for (const text of [
      token,
      `got "${token}" from`,
      `mcm.v1,${token}`,
      `${token}.`,
      `a\n${token}\nb`,
      `a\u0001${token}\u0001b`,
      `a\nBearer ${token}`,
      `/x/${token}/y`,
    ]) {
      const line = logged(text, { error: new Error("outer", { cause: new Error(text) }), list: [[text]] });
      for (const part of token.split(".")) expect(line).not.toContain(part);
      expect(JSON.parse(line)).toBeTruthy();
    }
  });

  test("[LOGGER-2] no text takes long", () => {
    for (const text of [
      "eyJ".repeat(300_000),
      "eyJa.".repeat(200_000),
      "?token".repeat(200_000),
      "Bearer ".repeat(150_000),
    ]) {
      expect(logged(text).length).toBeGreaterThan(text.length / 4);
    }
  });
});

test("[AUTH-11] a configuration that is logged, printed or turned into text has no secret in it", () => {
  const config = parseConfig({ auth: "jwt" }, { MCM_JWT_SECRET: SECRET });
  expect(config.auth.mode === "jwt" && config.auth.key.key.export().toString()).toBe(SECRET);
  for (const text of [logged("starting", { config }), logged("starting", { ...config }), JSON.stringify(config)]) {
    expect(text).toContain("127.0.0.1");
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain(Buffer.from(SECRET).toString("base64"));
    expect(text).not.toContain(Buffer.from(SECRET).toString("hex"));
  }
});
