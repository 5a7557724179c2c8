/**
 * Addresses of a database: `postgres://user:password@host:port,host:port/database`, of whose hosts one is the primary.
 *
 * Not here: which one that is (server/storage/postgres), whether each is an address (server/config.ts).
 */
const ADDRESS = /^(postgres(?:ql)?:\/\/(?:[^@/]*@)?)([^@/]*)(\/.+)$/;

/** One for each host, in their order; none when it is not of this form. */
export function addressesOf(text: string): readonly string[] {
  const [, before = "", hosts, after = ""] = ADDRESS.exec(text) ?? [];
  return hosts?.split(",").map((host) => `${before}${host}${after}`) ?? [];
}
