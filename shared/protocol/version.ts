/**
 * The version of our WebSocket extension and its history.
 *
 * A change to the bytes of any frame ≥ 100 that an older peer can't read needs a new subprotocol name here, a line below,
 * and a server that still speaks the former one. test/compat pins the frames.
 *
 *  - mcm.v1 (0.1.0): hello, ack, rejected, commit, request, response, event, token, base.
 */
export const SUBPROTOCOL = "mcm.v1";
export const PROTOCOL_VERSION = 1;

/** The release; a test compares it with package.json. */
export const PRODUCT_VERSION = "0.1.0";

/** What a subprotocol begins with that carries a token: browsers cannot set headers. It is never chosen, so never sent back. */
export const TOKEN_PROTOCOL = "mcm.token.";
