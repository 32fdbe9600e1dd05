/* sign.h: proving who one is: RSA signatures for tokens (RFC 7518, RS256), HMAC
 * (RFC 2104), and the base64 of such things; through libcrypto. */
#ifndef BACKSTAY_BASE_SIGN_H
#define BACKSTAY_BASE_SIGN_H

#include "base/buf.h"
#include "base/digest.h"

/* A private RSA key. */
struct sign_key;

/* Reads a PEM text ("-----BEGIN PRIVATE KEY-----" or "... RSA PRIVATE KEY"),
 * without a password. NULL if it holds no private RSA key of 2048 to 16384 bits.
 * The caller ends it with sign_key_free(). Any thread. */
struct sign_key *sign_key_read(struct slice pem);
/* Frees it, wiped; NULL is fine. */
void sign_key_free(struct sign_key *key);
/* Appends base64url(signature of `text` with RSASSA-PKCS1-v1_5 and SHA-256),
 * without padding. False where the buf's maximum is passed or libcrypto fails. */
MUST_USE bool sign_rs256(const struct sign_key *key, struct slice text, struct buf *out);

/* HMAC of `text` with SHA-256. */
void sign_hmac_sha256(struct slice key, struct slice text, uint8_t out[static DIGEST_SHA256_BYTES]);

/* Appends base64 of the URL alphabet without padding (RFC 4648, 5). False, with
 * nothing appended, where the buf's maximum is passed. */
MUST_USE bool sign_base64url(struct slice bytes, struct buf *out);

#endif
