/* TLS on one stream's descriptor. Nothing here calls the owner. */
#include "io/real/tls.h"
#include "io/real/stream.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* Longest DNS name (RFC 1035 2.3.4). */
#define NAME_MAX_BYTES 255
/* One SSL_write call takes at most this much. */
#define WRITE_MAX (1 << 20)

/* Says why a handshake or record failed; never how to do without checking. */
static void fail_tls(struct io_stream *s)
{
	bool verify_failed = !s->accepted && SSL_get_verify_result(s->ssl) != X509_V_OK;
	const char *name = SSL_get_app_data(s->ssl);
	char reason[200], text[280];

	if (name)
		tls_session_drop(s->tls, name);

	tls_error_text(reason, sizeof reason);
	if (verify_failed)
		snprintf(text, sizeof text, "the server's certificate was refused: %s",
			 X509_verify_cert_error_string(SSL_get_verify_result(s->ssl)));
	else
		snprintf(text, sizeof text, "TLS: %s", reason);
	stream_fail_copy(s, IO_TLS_FAILED, text);
}

/* What an SSL_ call that returned n <= 0 came to. */
static enum stream_io outcome(struct io_stream *s, int n, bool *wants_other, int own_want,
			      const char *doing)
{
	int error = errno, why = SSL_get_error(s->ssl, n);

	switch (why) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		*wants_other = why != own_want;
		return STREAM_IO_BLOCKED;
	case SSL_ERROR_ZERO_RETURN:
		return STREAM_IO_END;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		if (error == 0)
			return STREAM_IO_END;
		stream_fail_errno(s, error, doing);
		return STREAM_IO_FAILED;
	default:
		fail_tls(s);
		return STREAM_IO_FAILED;
	}
}

static bool begin(struct io_stream *s, struct io_tls *tls)
{
	ERR_clear_error();
	s->ssl = SSL_new(tls->ctx);
	if (!s->ssl || SSL_set_fd(s->ssl, s->watch.fd) != 1) {
		ERR_clear_error();
		stream_fail(s, IO_LOCAL, "no memory for TLS");
		stream_owe(s);
		return false;
	}
	s->tls = io_tls_take(tls);
	s->state = STREAM_HANDSHAKE;
	return true;
}

void tls_stream_accept(struct io_stream *s, struct io_tls *tls)
{
	if (begin(s, tls))
		SSL_set_accept_state(s->ssl);
}

/* An IP literal is checked against the certificate's IP names and sent in no
 * SNI (RFC 6066 3); a final dot belongs to DNS, not to certificates. */
static bool expect_name(SSL *ssl, struct slice name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char z[NAME_MAX_BYTES + 1];

	if (name.len > 1 && name.at[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len > NAME_MAX_BYTES || memchr(name.at, 0, name.len))
		return false;
	memcpy(z, name.at, name.len);
	z[name.len] = 0;
	if (X509_VERIFY_PARAM_set1_ip_asc(param, z) == 1)
		return true;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, z, name.len) == 1 &&
	       SSL_set_tlsext_host_name(ssl, z) == 1;
}

/* A session of the same setup and name was verified when it was made. */
static void offer_session(struct io_stream *s)
{
	const char *name = SSL_get_app_data(s->ssl);
	SSL_SESSION *session = name ? tls_session_get(s->tls, name) : NULL;

	if (session)
		(void)SSL_set_session(s->ssl, session);
	SSL_SESSION_free(session);
}

void io_stream_tls(struct io_stream *s, struct io_tls *tls, struct slice name)
{
	must(s->state == STREAM_OPEN || s->state == STREAM_BROKEN);
	must(!s->ssl && buf_len(&s->out) == 0);
	if (s->text || !begin(s, tls))
		return;
	SSL_set_connect_state(s->ssl);
	if (!expect_name(s->ssl, name)) {
		ERR_clear_error();
		stream_fail(s, IO_TLS_FAILED,
			    "the server's name cannot be verified: it is no host name");
	}
	s->tls_peer = tls_peer_slot(tls, name);
	SSL_set_app_data(s->ssl, tls_peer_name(tls, s->tls_peer));
	offer_session(s);
	stream_owe(s);
}

enum stream_io tls_handshake_step(struct io_stream *s)
{
	enum stream_io how;
	int n;

	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(s->ssl);
	if (n == 1) {
		s->read_wants_write = false;
		if (!s->accepted)
			tls_peer_note(s->tls, s->tls_peer, SSL_get0_peer_certificate(s->ssl));
		return STREAM_IO_OK;
	}
	how = outcome(s, n, &s->read_wants_write, SSL_ERROR_WANT_READ, "TLS handshake");
	if (how == STREAM_IO_END)
		stream_fail(s, IO_TLS_FAILED,
			    "the peer closed the connection during the TLS handshake");
	return how;
}

static enum stream_io read_records(struct io_stream *s, char *at, size_t room, size_t *got)
{
	int n;

	s->read_wants_write = false;
	do {
		ERR_clear_error();
		errno = 0;
		n = SSL_read(s->ssl, at + *got, (int)(room - *got));
		if (n <= 0)
			return outcome(s, n, &s->read_wants_write, SSL_ERROR_WANT_READ, "reading");
		*got += (size_t)n;
	} while (*got < room && SSL_has_pending(s->ssl));
	return STREAM_IO_OK;
}

enum stream_io tls_read(struct io_stream *s, char *at, size_t room, size_t *got)
{
	enum stream_io how = read_records(s, at, room, got);

	/* Reading what belongs to the handshake (a session ticket behind it) takes a
	 * buffer for writing too, which OpenSSL keeps until something is written: 16 KiB
	 * of each connection that only listens. Buffers that hold anything stay. */
	if (how == STREAM_IO_OK || how == STREAM_IO_BLOCKED)
		(void)SSL_free_buffers(s->ssl);
	return how;
}

enum stream_io tls_write(struct io_stream *s, struct slice bytes, size_t *taken)
{
	s->write_wants_read = false;
	while (*taken < bytes.len) {
		size_t left = bytes.len - *taken;
		int n;

		ERR_clear_error();
		errno = 0;
		n = SSL_write(s->ssl, bytes.at + *taken, left < WRITE_MAX ? (int)left : WRITE_MAX);
		if (n <= 0) {
			enum stream_io how = outcome(s, n, &s->write_wants_read,
						     SSL_ERROR_WANT_WRITE, "writing");

			if (how == STREAM_IO_END) {
				stream_fail(s, IO_RESET, "writing: the peer has closed");
				how = STREAM_IO_FAILED;
			}
			return how;
		}
		*taken += (size_t)n;
	}
	return STREAM_IO_OK;
}

void tls_stream_finish(struct io_stream *s)
{
	ERR_clear_error();
	(void)SSL_shutdown(s->ssl);
	ERR_clear_error();
}

/* OpenSSL takes a session for spoilt when its connection went without
 * close_notify, which is how most of ours end (RFC 8446 has no such rule). */
void tls_stream_end(struct io_stream *s)
{
	if (s->ssl && !s->text)
		SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(s->ssl);
	s->ssl = NULL;
	io_tls_give(s->tls);
	s->tls = NULL;
}

bool tls_has_unread(const struct io_stream *s)
{
	return SSL_has_pending(s->ssl) || (SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN);
}
