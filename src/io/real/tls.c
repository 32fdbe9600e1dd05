/* TLS setups: certificates, keys and rules, made once and shared by streams of
 * all threads (an SSL_CTX that nobody changes any more is safe to share). */
#include "io/real/tls.h"
#include "base/check.h"

#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const unsigned char alpn_http11[] = "\x08http/1.1";

struct io_tls *io_tls_take(struct io_tls *tls)
{
	if (tls)
		refcount_take(&tls->refs);
	return tls;
}

static int64_t end_of(const X509 *certificate)
{
	struct tm tm;

	if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm);
}

int64_t io_tls_expires(const struct io_tls *tls)
{
	return end_of(SSL_CTX_get0_certificate(tls->ctx));
}

/* ---- the other side's certificates ------------------------------------------------- */

static int find_peer(const struct io_tls *tls, struct slice name)
{
	for (int i = 0; i < TLS_PEERS_MAX && tls->peers[i].name; i++)
		if (slice_eq(name, slice_of(tls->peers[i].name)))
			return i;
	return -1;
}

int tls_peer_slot(struct io_tls *tls, struct slice name)
{
	int slot;

	lock_take(&tls->lock);
	slot = find_peer(tls, name);
	for (int i = 0; i < TLS_PEERS_MAX && slot < 0; i++)
		if (!tls->peers[i].name) {
			tls->peers[i].name = slice_to_cstring(name);
			slot = i;
		}
	lock_give(&tls->lock);
	return slot;
}

char *tls_peer_name(struct io_tls *tls, int slot)
{
	return slot < 0 ? NULL : tls->peers[slot].name;
}

void tls_peer_note(struct io_tls *tls, int slot, const X509 *certificate)
{
	int64_t expires = end_of(certificate);

	if (slot < 0 || !expires)
		return;
	lock_take(&tls->lock);
	tls->peers[slot].expires = expires;
	lock_give(&tls->lock);
}

int64_t io_tls_peer_expires(struct io_tls *tls, struct slice name)
{
	int64_t expires = 0;
	int slot;

	lock_take(&tls->lock);
	slot = find_peer(tls, name);
	if (slot >= 0)
		expires = tls->peers[slot].expires;
	lock_give(&tls->lock);
	return expires;
}

void io_tls_give(struct io_tls *tls)
{
	if (!tls || !refcount_give(&tls->refs))
		return;
	for (size_t i = 0; i < TLS_SESSIONS_MAX; i++) {
		SSL_SESSION_free(tls->sessions[i].session);
		free(tls->sessions[i].name);
	}
	for (size_t i = 0; i < TLS_PEERS_MAX; i++)
		free(tls->peers[i].name);
	lock_destroy(&tls->lock);
	SSL_CTX_free(tls->ctx);
	free(tls);
}

/* ---- sessions ---------------------------------------------------------------- */

/* Puts `session` (NULL: nothing) in the place of `name`; gives what was there.
 * A name seen for the first time takes the oldest place. */
static SSL_SESSION *session_swap(struct io_tls *tls, const char *name, SSL_SESSION *session)
{
	SSL_SESSION *old;
	size_t i = 0;

	while (i < TLS_SESSIONS_MAX &&
	       !(tls->sessions[i].name && strcmp(tls->sessions[i].name, name) == 0))
		i++;
	if (i == TLS_SESSIONS_MAX) {
		if (!session)
			return NULL;
		i = tls->next_session++ % TLS_SESSIONS_MAX;
		free(tls->sessions[i].name);
		must((tls->sessions[i].name = strdup(name)) != NULL);
	}
	old = tls->sessions[i].session;
	tls->sessions[i].session = session;
	return old;
}

/* OpenSSL hands a new session over; 1: we keep its reference. Besides a handshake's
 * work it saves memory: connections of one session share the server's certificates. */
static int on_new_session(SSL *ssl, SSL_SESSION *session)
{
	struct io_tls *tls = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	const char *name = SSL_get_app_data(ssl);
	SSL_SESSION *old;

	if (!name)
		return 0;
	lock_take(&tls->lock);
	old = session_swap(tls, name, session);
	lock_give(&tls->lock);
	SSL_SESSION_free(old);
	return 1;
}

SSL_SESSION *tls_session_get(struct io_tls *tls, const char *name)
{
	SSL_SESSION *session = NULL;

	lock_take(&tls->lock);
	for (size_t i = 0; i < TLS_SESSIONS_MAX && !session; i++)
		if (tls->sessions[i].name && strcmp(tls->sessions[i].name, name) == 0)
			session = tls->sessions[i].session;
	if (session)
		SSL_SESSION_up_ref(session);
	lock_give(&tls->lock);
	return session;
}

void tls_session_drop(struct io_tls *tls, const char *name)
{
	SSL_SESSION *old;

	lock_take(&tls->lock);
	old = session_swap(tls, name, NULL);
	lock_give(&tls->lock);
	SSL_SESSION_free(old);
}

/* ---- setups ------------------------------------------------------------------ */

void tls_error_text(char *out, size_t size)
{
	unsigned long e = ERR_peek_last_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	if (e && ERR_SYSTEM_ERROR(e))
		reason = strerror(ERR_GET_REASON(e));
	snprintf(out, size, "%s", reason ? reason : "unknown trouble");
	ERR_clear_error();
}

static bool failed(char *why, size_t why_size, const char *doing, const char *file)
{
	char text[200];

	tls_error_text(text, sizeof text);
	if (file)
		snprintf(why, why_size, "%s %s: %s", doing, file, text);
	else
		snprintf(why, why_size, "%s: %s", doing, text);
	return false;
}

/* What holds for both sides. The rules of RFC 9325: TLS 1.2 at least, no
 * compression, no renegotiation. A peer that leaves without close_notify is
 * told as a plain end: HTTP's own framing knows whether something is missing. */
static struct io_tls *setup_create(const SSL_METHOD *method)
{
	struct io_tls *tls = calloc(1, sizeof *tls);

	must(tls != NULL);
	refcount_init(&tls->refs);
	lock_init(&tls->lock);
	tls->ctx = SSL_CTX_new(method);
	must(tls->ctx != NULL);
	SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(tls->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_COMPRESSION |
					      SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(tls->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	/* Without it each record costs two reads: head, then body. */
	SSL_CTX_set_read_ahead(tls->ctx, 1);
	SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_OFF);
	return tls;
}

static bool use_key_pair(SSL_CTX *ctx, const char *cert_file, const char *key_file, char *why,
			 size_t why_size)
{
	if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
		return failed(why, why_size, "cannot use certificate", cert_file);
	if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
		return failed(why, why_size, "cannot use key", key_file);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return failed(why, why_size, "key and certificate do not match", key_file);
	return true;
}

static bool use_trust(SSL_CTX *ctx, const char *ca_file, char *why, size_t why_size)
{
	if (ca_file) {
		if (SSL_CTX_load_verify_file(ctx, ca_file) != 1)
			return failed(why, why_size, "cannot use CA file", ca_file);
	} else if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
		return failed(why, why_size, "cannot use the system's certificate store", NULL);
	}
	return true;
}

struct io_tls *io_tls_client(const struct io_tls_client_options *o, char *why, size_t why_size)
{
	struct io_tls *tls;

	ERR_clear_error();
	tls = setup_create(TLS_client_method());
	SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_app_data(tls->ctx, tls);
	SSL_CTX_set_session_cache_mode(tls->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(tls->ctx, on_new_session);
	if (SSL_CTX_set_alpn_protos(tls->ctx, alpn_http11, sizeof alpn_http11 - 1) != 0 ||
	    !use_trust(tls->ctx, o->ca_file, why, why_size) ||
	    (o->cert_file && !use_key_pair(tls->ctx, o->cert_file,
					   o->key_file ? o->key_file : o->cert_file, why,
					   why_size))) {
		io_tls_give(tls);
		return NULL;
	}
	return tls;
}

/* RFC 7301: a client that offers protocols, none of which we speak, is refused. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned in_len, void *arg)
{
	unsigned char *chosen;
	unsigned char chosen_len;

	(void)ssl, (void)arg;
	if (SSL_select_next_proto(&chosen, &chosen_len, alpn_http11, sizeof alpn_http11 - 1, in,
				  in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	*out_len = chosen_len;
	return SSL_TLSEXT_ERR_OK;
}

struct io_tls *io_tls_server(const char *cert_file, const char *key_file, char *why, size_t why_size)
{
	struct io_tls *tls;

	ERR_clear_error();
	tls = setup_create(TLS_server_method());
	SSL_CTX_set_options(tls->ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_alpn_select_cb(tls->ctx, choose_alpn, NULL);
	SSL_CTX_set_session_id_context(tls->ctx, (const unsigned char *)"backstay", 8);
	SSL_CTX_set_num_tickets(tls->ctx, 1);
	if (!use_key_pair(tls->ctx, cert_file, key_file, why, why_size)) {
		io_tls_give(tls);
		return NULL;
	}
	return tls;
}
