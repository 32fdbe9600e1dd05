/* tls.h: what the TLS files share; only src/io/real includes it. */
#ifndef BACKSTAY_IO_REAL_TLS_H
#define BACKSTAY_IO_REAL_TLS_H

#include "base/lock.h"
#include "io/real/real.h"

#include <openssl/ssl.h>

/* Sessions kept for coming back to the same server without a full handshake. */
#define TLS_SESSIONS_MAX 32
/* Servers of one setup whose certificates' ends are known. */
#define TLS_PEERS_MAX 64

struct io_tls {
	struct refcount refs;
	SSL_CTX *ctx;
	struct lock lock;                /* for what follows; the rest never changes */
	struct {
		char *name;
		SSL_SESSION *session;
	} sessions[TLS_SESSIONS_MAX];
	unsigned next_session;           /* where the next new name goes */
	struct {
		char *name;
		int64_t expires;         /* Unix time in seconds; 0: not seen yet */
	} peers[TLS_PEERS_MAX];
};

/* Where the end of the certificate of the server `name` is noted; -1: nowhere, there
 * are too many. Any thread, as below. */
int tls_peer_slot(struct io_tls *tls, struct slice name);
/* The server's name, which holds as long as the setup: OpenSSL's app data of its
 * connections, by which their sessions are found again. NULL for -1. */
char *tls_peer_name(struct io_tls *tls, int slot);
void tls_peer_note(struct io_tls *tls, int slot, const X509 *certificate);

/* The session last got from the server `name`, with a reference for the caller;
 * NULL if there is none. Any thread. */
SSL_SESSION *tls_session_get(struct io_tls *tls, const char *name);
/* Forgets it, after trouble. */
void tls_session_drop(struct io_tls *tls, const char *name);

/* OpenSSL's last error of this thread as a phrase; its queue is empty afterwards. */
void tls_error_text(char *out, size_t size);

#endif
