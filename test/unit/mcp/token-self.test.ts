/** Who a token makes one, read before the server was asked. */
import { expect, test } from "vitest";
import { selfOfToken } from "../../../server/cli/mcp/token-self.ts";
import { SCOPES } from "../../../shared/permission.ts";
import { assemble } from "../../support/tokens.ts";

test.each([
  [
    { sub: "ada", scope: "contexts:read openid" },
    { actor: "ada", scopes: ["contexts:read"] },
  ],
  [
    { sub: "ada", scp: ["contexts:read", 7] },
    { actor: "ada", scopes: ["contexts:read"] },
  ],
  [
    { sub: "ada", scope: "" },
    { actor: "ada", scopes: [] },
  ],
  [{ sub: 7 }, { actor: "", scopes: SCOPES }],
])("[HUB-7] %o", (claims, self) => {
  expect(selfOfToken(assemble({ alg: "HS256" }, claims))).toEqual(self);
});

test.each(["", "opaque", "a.b.c", assemble({}, "no JSON"), assemble({}, [1])])(
  "[HUB-7] %s says nothing, and the server decides",
  (token) => {
    expect(selfOfToken(token)).toEqual({ actor: "", scopes: SCOPES });
  },
);
