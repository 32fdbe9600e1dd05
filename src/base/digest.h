/* digest.h: SHA-256 (FIPS 180-4) and what is made with it, through libcrypto. */
#ifndef BACKSTAY_BASE_DIGEST_H
#define BACKSTAY_BASE_DIGEST_H

#include "base/slice.h"

#define DIGEST_SHA256_BYTES 32

/* The digest of `s`. */
void digest_sha256(struct slice s, uint8_t out[static DIGEST_SHA256_BYTES]);
/* HMAC-SHA256 (RFC 2104) of `s` under `key`, which may have any length. */
void digest_hmac_sha256(struct slice key, struct slice s, uint8_t out[static DIGEST_SHA256_BYTES]);
/* The digest of parts that stand one behind the other. */
void digest_sha256_parts(const struct slice *parts, size_t count,
			 uint8_t out[static DIGEST_SHA256_BYTES]);
/* 64 hex digits of either case to bytes; false, with `out` untouched, if `hex` is
 * not exactly that. */
bool digest_from_hex(struct slice hex, uint8_t out[static DIGEST_SHA256_BYTES]);
/* Lower-case hex, NUL-terminated. */
void digest_to_hex(const uint8_t digest[static DIGEST_SHA256_BYTES],
		   char out[static 2 * DIGEST_SHA256_BYTES + 1]);

#endif
