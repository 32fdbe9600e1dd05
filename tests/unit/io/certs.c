#include "certs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <cmocka.h>

static void add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void save(const struct cert *c)
{
	FILE *f = fopen(c->cert_file, "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, c->x509), 1);
	fclose(f);
	f = fopen(c->key_file, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, c->key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
}

void cert_make(struct cert *c, const struct cert *issuer, const char *dir, const char *name,
	       const char *alt, long from_s, long to_s)
{
	X509 *x = X509_new();
	X509 *signer = issuer ? issuer->x509 : x;
	static long serial = 1;

	assert_non_null(x);
	c->x509 = x;
	c->key = EVP_EC_gen("P-256");
	assert_non_null(c->key);
	snprintf(c->cert_file, sizeof c->cert_file, "%s/%s.pem", dir, name);
	snprintf(c->key_file, sizeof c->key_file, "%s/%s.key", dir, name);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
	X509_gmtime_adj(X509_getm_notBefore(x), from_s);
	X509_gmtime_adj(X509_getm_notAfter(x), to_s);
	X509_set_pubkey(x, c->key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(signer));
	add_extension(x, signer, NID_basic_constraints, alt ? "critical,CA:FALSE" : "critical,CA:TRUE");
	add_extension(x, signer, NID_subject_key_identifier, "hash");
	if (alt)
		add_extension(x, signer, NID_subject_alt_name, alt);
	assert_true(X509_sign(x, issuer ? issuer->key : c->key, EVP_sha256()) > 0);
	save(c);
}

void cert_end(struct cert *c)
{
	X509_free(c->x509);
	EVP_PKEY_free(c->key);
	unlink(c->cert_file);
	unlink(c->key_file);
	memset(c, 0, sizeof *c);
}
