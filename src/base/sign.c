#include "base/sign.h"

#include "base/check.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <limits.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 16384

/* libcrypto's own type under our name: nobody else needs its headers. */
static EVP_PKEY *inside(const struct sign_key *key)
{
	return (EVP_PKEY *)(uintptr_t)key;
}

/* Nobody sits at a terminal to be asked for one. */
static int no_password(char *out, int size, int writing, void *owner)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)owner;
	return -1;
}

struct sign_key *sign_key_read(struct slice pem)
{
	BIO *in;
	EVP_PKEY *key;

	if (pem.len == 0 || pem.len > INT_MAX)
		return NULL;
	in = BIO_new_mem_buf(pem.at, (int)pem.len);
	must(in != NULL);
	key = PEM_read_bio_PrivateKey(in, NULL, no_password, NULL);
	BIO_free(in);
	if (key && (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < RSA_BITS_MIN ||
		    EVP_PKEY_get_bits(key) > RSA_BITS_MAX)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return (struct sign_key *)key;
}

void sign_key_free(struct sign_key *key)
{
	EVP_PKEY_free(inside(key));
}

bool sign_rs256(const struct sign_key *key, struct slice text, struct buf *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char signature[RSA_BITS_MAX / 8];
	size_t len = sizeof signature;
	bool good;

	must(ctx != NULL);
	good = EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, inside(key)) == 1 &&
	       EVP_DigestSign(ctx, signature, &len, (const unsigned char *)text.at, text.len) == 1;
	EVP_MD_CTX_free(ctx);
	return good && sign_base64url((struct slice){ (const char *)signature, len }, out);
}

void sign_hmac_sha256(struct slice key, struct slice text, uint8_t out[static DIGEST_SHA256_BYTES])
{
	unsigned len = 0;

	must(key.len <= INT_MAX);
	must(HMAC(EVP_sha256(), key.len ? key.at : "", (int)key.len,
		  (const unsigned char *)(text.len ? text.at : ""), text.len, out, &len) != NULL);
	must(len == DIGEST_SHA256_BYTES);
}

bool sign_base64url(struct slice bytes, struct buf *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	size_t most = bytes.len / 3 * 4 + 4, len = 0;
	char *to = buf_room(out, most);

	if (!to)
		return false;
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i < 3 ? bytes.len - i : 3;
		uint32_t group = 0;

		for (size_t j = 0; j < 3; j++)
			group = group << 8 | (j < left ? (unsigned char)bytes.at[i + j] : 0u);
		for (size_t j = 0; j <= left; j++)
			to[len++] = alphabet[group >> (18 - 6 * j) & 63];
	}
	buf_added(out, len);
	return true;
}
