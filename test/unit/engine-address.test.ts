/** Several hosts in one address. */
import { expect, test } from "vitest";
import { addressesOf } from "../../shared/engine-address.ts";

test("[LOG-32] each host of an address is one of its own, with all that the others have", () => {
  expect(addressesOf("postgres://mcm:a,b@one:5432,two,[::1]:6000/mcm?sslmode=require")).toEqual([
    "postgres://mcm:a,b@one:5432/mcm?sslmode=require",
    "postgres://mcm:a,b@two/mcm?sslmode=require",
    "postgres://mcm:a,b@[::1]:6000/mcm?sslmode=require",
  ]);
  expect(addressesOf("postgresql://one/mcm")).toEqual(["postgresql://one/mcm"]);
});

test.each(["level", "mysql://one/mcm", "postgres://one", "postgres://one/"])("%s is none", (text) => {
  expect(addressesOf(text)).toEqual([]);
});
