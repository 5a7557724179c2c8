/**
 * The server's own key for tokens: a shared secret, or half of a key pair, each with the one way of signing that belongs to it.
 *
 * Invariants (AUTH):
 *  1. A key comes with its algorithms. So a token cannot choose, and a public key never serves as a secret.
 *  2. A secret that could be guessed is no key: who has it may be anybody.
 *
 * Not here: where keys are kept (server/config.ts), signing and verifying.
 */
import { createPrivateKey, createPublicKey, createSecretKey } from "node:crypto";
import type { KeyObject } from "node:crypto";

export interface OwnKey {
  readonly key: KeyObject;
  /** The first is the one to sign with. */
  readonly algorithms: readonly [string, ...string[]];
}

/** What is wrong with a key; the message goes on a sentence that begins with where the key came from. */
export class BadKey extends Error {
  override readonly name = "BadKey";
}

/** RFC 7518 §3.2: as long as the hash. */
const SECRET_BYTES_MIN = 32;
const SECRET_BYTES_MAX = 4096;
const DIFFERENT_CHARS_MIN = 8;
/** RFC 7518 §3.3. */
const RSA_BITS_MIN = 2048;

/** Parts of secrets that stand in guides and templates, without what separates words. */
const PLACEHOLDERS =
  /secretatleast256bits|your256bitsecret|yoursecret|yourjwt|mysecret|supersecret|topsecret|secretkey|thisisa|changeme|changethis|replaceme|placeholder|example|donotuse|password|passphrase|qwerty|abcdefghijkl|0123456789ab|1234567890/;

const MAKE_ONE = "Make one with: openssl rand -base64 48";

/** @throws {BadKey} */
export function secretKeyOf(secret: string): OwnKey {
  const bytes = Buffer.from(secret, "utf8");
  if (bytes.length < SECRET_BYTES_MIN) {
    throw new BadKey(`holds a secret of ${bytes.length} bytes, but it takes at least ${SECRET_BYTES_MIN}. ${MAKE_ONE}`);
  }
  if (bytes.length > SECRET_BYTES_MAX) {
    throw new BadKey(`holds more than ${SECRET_BYTES_MAX} bytes, which is no secret. Is it the right file?`);
  }
  if (isGuessable(secret)) throw new BadKey(`holds a secret that could be guessed. ${MAKE_ONE}`);
  return { key: createSecretKey(bytes), algorithms: ["HS256"] };
}

function isGuessable(secret: string): boolean {
  const words = secret.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
  if (PLACEHOLDERS.test(words) || new Set(secret).size < DIFFERENT_CHARS_MIN) return true;
  // a text that is a shorter one several times over stands inside itself, doubled, before its own length
  return `${secret}${secret}`.indexOf(secret, 1) < secret.length;
}

/** @throws {BadKey} */
export function publicKeyOf(pem: string): OwnKey {
  if (/PRIVATE KEY-----/.test(pem)) {
    throw new BadKey(
      "holds a private key. The server needs the public one only: openssl pkey -in private.pem -pubout -out public.pem",
    );
  }
  if (!pem.includes("-----BEGIN PUBLIC KEY-----")) {
    throw new BadKey("holds no public key. It must be a PEM file that begins with -----BEGIN PUBLIC KEY-----.");
  }
  return pairKeyOf(() => createPublicKey(pem));
}

/** @throws {BadKey} */
export function privateKeyOf(pem: string): OwnKey {
  if (!/-----BEGIN (?:EC |RSA )?PRIVATE KEY-----/.test(pem)) {
    throw new BadKey(
      "holds no private key that can be read. It must be a PEM file without a passphrase. Make one with: openssl genpkey -algorithm ed25519",
    );
  }
  return pairKeyOf(() => createPrivateKey(pem));
}

function pairKeyOf(create: () => KeyObject): OwnKey {
  const key = created(create);
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return { key, algorithms: ["EdDSA", "Ed25519"] };
    case "ec":
      if (namedCurve === "prime256v1") return { key, algorithms: ["ES256"] };
      break;
    case "rsa":
      if (modulusLength >= RSA_BITS_MIN) return { key, algorithms: ["RS256"] };
      throw new BadKey(`holds an RSA key of ${modulusLength} bits, but it takes at least ${RSA_BITS_MIN}.`);
    default:
  }
  throw new BadKey("holds a key of a kind that is not taken. Use Ed25519, EC P-256 or RSA.");
}

function created(create: () => KeyObject): KeyObject {
  try {
    return create();
  } catch {
    // what OpenSSL says helps nobody, and may quote
    throw new BadKey("holds a key that cannot be read: the PEM text is damaged.");
  }
}
