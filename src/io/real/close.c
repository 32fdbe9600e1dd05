/* How streams end. A plain close() while bytes of the peer are unread, or are
 * still to come, makes the kernel send a reset, and the reset makes the peer's
 * kernel throw away our last words. So a polite end takes three steps: flush,
 * FIN, swallow until the peer has ended too or patience is over. */
#include "io/real/stream.h"
#include "io/real/socket.h"

#include <errno.h>
#include <unistd.h>

#define FLUSH_MS 10000
#define SWALLOW_MS 2000
/* Reads thrown away in one turn. */
#define SWALLOWS_PER_TURN 4

static void reset_and_destroy(struct io_stream *s)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };

	if (s->watch.fd >= 0)
		(void)setsockopt(s->watch.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
	stream_destroy(s);
}

static void on_patience_over(struct io_timer *t, mono_ms now)
{
	struct io_stream *s = CONTAINER_OF(t, struct io_stream, linger);

	(void)now;
	/* A FIN behind half of our words would pass for their end. */
	if (buf_len(&s->out) > 0)
		reset_and_destroy(s);
	else
		stream_destroy(s);
}

/* The peer's bytes do not matter any more, so those of TLS are not decrypted. */
static void swallow(struct io_stream *s)
{
	ssize_t n;

	for (unsigned i = 0; i < SWALLOWS_PER_TURN; i++) {
		n = read(s->watch.fd, s->io->scratch, SCRATCH_BYTES);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			stream_destroy(s);
			return;
		}
		if ((size_t)n < SCRATCH_BYTES)
			return;
	}
}

static void begin_swallowing(struct io_stream *s)
{
	if (s->ssl)
		(void)shutdown(s->watch.fd, SHUT_WR);
	if (s->peer_ended) {
		stream_destroy(s);
		return;
	}
	io_timer_set(s->io, &s->linger, mono_after(io_now(s->io), SWALLOW_MS));
	stream_watch(s);
}

void stream_linger_step(struct io_stream *s, int revents)
{
	if (s->finished) {
		if (revents & EV_READ)
			swallow(s);
		return;
	}
	s->write_wants_read = false;
	switch (stream_push(s)) {
	case STREAM_IO_OK:
		begin_swallowing(s);
		return;
	case STREAM_IO_BLOCKED:
		stream_watch(s);
		return;
	case STREAM_IO_END:
	case STREAM_IO_FAILED:
		stream_destroy(s);
		return;
	}
}

static void linger(struct io_stream *s)
{
	struct io *io = s->io;

	if (s->peer_ended && buf_len(&s->out) == 0 && !s->ssl) {
		stream_destroy(s);
		return;
	}
	s->state = STREAM_LINGER;
	s->linger = (struct io_timer){ .fire = on_patience_over };
	if (s->finished) {
		begin_swallowing(s);
		return;
	}
	s->finish = true;
	io_timer_set(io, &s->linger, mono_after(io_now(io), FLUSH_MS));
	stream_dirty(s);
	stream_watch(s);
}

void io_close(struct io_stream *s, enum io_close how)
{
	must(s->state != STREAM_CLOSED && s->state != STREAM_LINGER);
	if (how == IO_CLOSE_RESET)
		reset_and_destroy(s);
	else if (how == IO_CLOSE_FLUSH && s->state == STREAM_OPEN && !s->text)
		linger(s);
	else
		stream_destroy(s);
}
