/**
 * Who may reach the server from where, and how much: settings about the edges.
 *
 * Invariants (CONF):
 *  1. `auto` bounds amounts where callers prove who they are. An open server serves one machine, where every address is the same
 *     and names are free to choose: there it bounds nothing (docs/decisions/0009).
 *
 * Not here: reading variables (config.ts), what the amounts mean (security/rate-limiter.ts).
 */
import { z } from "zod";
import { LIMITS } from "../shared/limits.ts";

const list = (one: z.ZodType<string, string>, message: string) =>
  z
    .string()
    .transform((text) => text.split(",").flatMap((entry) => (entry.trim() === "" ? [] : [entry.trim().toLowerCase()])))
    .refine((entries) => entries.every((entry) => one.safeParse(entry).success), message);

/** As a browser writes it: no path, no default port. */
const origin = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) && new URL(text).origin === text);
const network = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()]);
/** `*.` before a name stands for all below it. What looks like an address must be one. */
const host = z.string().regex(/^(?:\*\.)?(?=[^/]*[a-z])[a-z0-9][a-z0-9.-]{0,252}$/);

const amount = z
  .string()
  .regex(/^(?:auto|\d{1,12})$/, "must be a whole number (0 for no bound), or auto")
  .transform((text) => (text === "auto" ? undefined : Number(text)));

export const edgesSchema = z.strictObject({
  allowedOrigins: list(origin, "must be origins such as https://app.example, separated by commas"),
  trustedProxies: list(network, "must be addresses or networks such as 10.0.0.0/8, separated by commas"),
  webhookAllow: list(
    z.union([network, host]),
    "must be host names (*.example.org for all below one), IP addresses or ranges such as 10.0.0.0/8, separated by commas",
  ),
  addressConnectionsMax: amount,
  actorConnectionsMax: amount,
  actorOpsPerS: amount,
  actorFramesPerS: amount,
  actorBytesPerS: amount,
});

type EdgeSettings = z.infer<typeof edgesSchema>;
type Amount = "addressConnectionsMax" | "actorConnectionsMax" | "actorOpsPerS" | "actorFramesPerS" | "actorBytesPerS";

export interface EdgeConfig {
  /** Of pages that may call the server besides those of its own hosts; lower case. */
  readonly allowedOrigins: readonly string[];
  /** Addresses and networks whose word on where a request comes from is taken. */
  readonly trustedProxies: readonly string[];
  /** Hosts, addresses and networks that the server sends requests to although they are not public. */
  readonly webhookAllow: readonly string[];
  /** 0 is no bound. */
  readonly rates: Readonly<Record<Amount, number>>;
}

export function edgesOf(
  { allowedOrigins, trustedProxies, webhookAllow, ...amounts }: EdgeSettings,
  isOpen: boolean,
): EdgeConfig {
  const amountOf = (name: Amount): number => amounts[name] ?? (isOpen ? 0 : LIMITS[name]);
  return {
    allowedOrigins,
    trustedProxies,
    webhookAllow,
    rates: {
      addressConnectionsMax: amountOf("addressConnectionsMax"),
      actorConnectionsMax: amountOf("actorConnectionsMax"),
      actorOpsPerS: amountOf("actorOpsPerS"),
      actorFramesPerS: amountOf("actorFramesPerS"),
      actorBytesPerS: amountOf("actorBytesPerS"),
    },
  };
}
