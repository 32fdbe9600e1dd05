#include "base/digest.h"

#include "base/check.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdatomic.h>

/* OpenSSL looks an algorithm up anew for each digest unless it is given the one it
 * found: that is dearer than to digest a short text. Kept until the process ends. */
static const EVP_MD *sha256(void)
{
	static _Atomic(EVP_MD *) known;
	EVP_MD *md = atomic_load(&known), *none = NULL;

	if (md)
		return md;
	md = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(md != NULL);
	if (atomic_compare_exchange_strong(&known, &none, md))
		return md;
	EVP_MD_free(md);
	return none;
}

void digest_sha256(struct slice s, uint8_t out[static DIGEST_SHA256_BYTES])
{
	unsigned len = 0;

	/* Fails only without memory or without the algorithm: nothing a caller
	 * could do anything about. */
	must(EVP_Digest(s.len ? s.at : "", s.len, out, &len, sha256(), NULL) == 1);
	must(len == DIGEST_SHA256_BYTES);
}

void digest_hmac_sha256(struct slice key, struct slice s, uint8_t out[static DIGEST_SHA256_BYTES])
{
	unsigned len = 0;

	must(key.len <= INT_MAX);
	must(HMAC(EVP_sha256(), key.len ? key.at : "", (int)key.len,
		  (const unsigned char *)(s.len ? s.at : ""), s.len, out, &len) != NULL);
	must(len == DIGEST_SHA256_BYTES);
}

void digest_sha256_parts(const struct slice *parts, size_t count,
			 uint8_t out[static DIGEST_SHA256_BYTES])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned len = 0;

	must(ctx != NULL);
	must(EVP_DigestInit_ex(ctx, sha256(), NULL) == 1);
	for (size_t i = 0; i < count; i++)
		must(parts[i].len == 0 || EVP_DigestUpdate(ctx, parts[i].at, parts[i].len) == 1);
	must(EVP_DigestFinal_ex(ctx, out, &len) == 1);
	must(len == DIGEST_SHA256_BYTES);
	EVP_MD_CTX_free(ctx);
}

/* 0 .. 15, or -1. */
static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool digest_from_hex(struct slice hex, uint8_t out[static DIGEST_SHA256_BYTES])
{
	uint8_t bytes[DIGEST_SHA256_BYTES];

	if (hex.len != 2 * sizeof bytes)
		return false;
	for (size_t i = 0; i < sizeof bytes; i++) {
		int high = hex_value(hex.at[2 * i]), low = hex_value(hex.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high * 16 + low);
	}
	for (size_t i = 0; i < sizeof bytes; i++)
		out[i] = bytes[i];
	return true;
}

void digest_to_hex(const uint8_t digest[static DIGEST_SHA256_BYTES],
		   char out[static 2 * DIGEST_SHA256_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_SHA256_BYTES; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[2 * DIGEST_SHA256_BYTES] = '\0';
}
