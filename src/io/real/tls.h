/* tls.h: what the TLS files share; only src/io/real includes it. */
#ifndef BACKSTAY_IO_REAL_TLS_H
#define BACKSTAY_IO_REAL_TLS_H

#include "base/lock.h"
#include "io/real/real.h"

#include <openssl/ssl.h>

struct io_tls {
	struct refcount refs;
	SSL_CTX *ctx;
};

/* OpenSSL's last error of this thread as a phrase; its queue is empty afterwards. */
void tls_error_text(char *out, size_t size);

#endif
