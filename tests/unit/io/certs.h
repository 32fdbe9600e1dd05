/* certs.h: certificates made on the spot for tests of TLS. */
#ifndef BACKSTAY_TESTS_IO_CERTS_H
#define BACKSTAY_TESTS_IO_CERTS_H

#include <openssl/x509.h>

/* A certificate, its key, and the files they are in. */
struct cert {
	X509 *x509;
	EVP_PKEY *key;
	char cert_file[80], key_file[80];
};

/* A certificate for the names in `alt` (as in "DNS:localhost,IP:127.0.0.1";
 * NULL: a certificate authority), valid from now + from_s to now + to_s, signed
 * by `issuer` (NULL: by itself), with its files in `dir`. */
void cert_make(struct cert *c, const struct cert *issuer, const char *dir, const char *name,
	       const char *alt, long from_s, long to_s);
/* Frees it and removes its files. */
void cert_end(struct cert *c);

#endif
