/* stream.c: streams and listeners as io.h shows them. */
#include "sim/inside.h"

#include "base/lock.h"

#include <stdlib.h>
#include <string.h>

/* The kernel gives up a SYN that nobody answers after this (Linux: 6 retries). */
#define SYN_GIVE_UP_US 127000000
/* How long a closed stream may take to flush, as in src/io/real. */
#define FLUSH_US 10000000
/* How long accepting pauses when the process has no descriptor left. */
#define ACCEPT_PAUSE_US 100000

/* ---- connecting ---------------------------------------------------------------- */

/* In a turn of the listener's loop: its new stream. */
static void accept_run(struct sim_event *event)
{
	struct sim_conn *c = CONTAINER_OF(event, struct sim_conn, accept);
	struct io_stream *e = &c->ends[1];
	struct io_listener *l = c->listener;
	char name[32];

	if (e->io->streams_max && e->io->streams >= e->io->streams_max) {
		sim_event_set(c->sim, event, c->sim->now_us + ACCEPT_PAUSE_US);
		return;
	}
	c->listener = NULL;
	e->io->streams++;
	sim_trace(c->sim, e->io->name, "%s accepted", conn_name(e, name, sizeof name));
	l->on_accept(l->owner, e, &c->from);
	must(e->events != NULL || e->state == END_LINGER || e->state == END_GONE);
	if (e->broken_text && e->state == END_OPEN)
		sim_event_set(c->sim, &e->life, 0);
	end_wake(e, 0);
}

/* The SYN has reached the server's machine. */
static void syn_run(struct sim_event *event)
{
	struct sim_conn *c = CONTAINER_OF(event, struct sim_conn, accept);
	struct sim *sim = c->sim;
	struct io_listener *l = sim_listener_at(sim, &c->to);
	struct io_stream *server = &c->ends[1];
	int64_t back_us = sim->now_us + sim_latency_us(sim, c->latency_us, c->jitter_us);
	int64_t accept_us = back_us + sim_latency_us(sim, c->latency_us, c->jitter_us);

	if (!l) {
		end_break(&c->ends[0], IO_REFUSED, "connection refused", back_us);
		return;
	}
	c->listener = l;
	c->open = true;
	c->active_us = sim->now_us;
	server->state = END_OPEN;
	server->io = l->io;
	server->life.io = server->read.io = server->drain.io = l->io;
	server->tls = io_tls_take(l->tls);
	server->handshaking = l->tls != NULL;
	conn_take_plans(c);
	conn_watch_idle(c);
	c->halves[0].last_at_us = back_us;
	c->halves[1].last_at_us = accept_us;
	sim_event_set(sim, &c->ends[0].life, back_us);
	c->accept.io = l->io;
	c->accept.run = accept_run;
	sim_event_set(sim, &c->accept, accept_us);
}

static enum sim_connect fate(struct sim_link *way)
{
	enum sim_connect what = way->connect;

	if (what != SIM_CONNECT_OK && way->connect_count > 0 && --way->connect_count == 0)
		way->connect = SIM_CONNECT_OK;
	return what;
}

struct io_stream *io_connect(struct io *io, const struct io_addr *to,
			     const struct io_stream_events *events, void *owner)
{
	struct sim_conn *c = conn_create(io, to);
	struct io_stream *e = &c->ends[0];
	struct sim *sim = io->sim;
	int64_t there_us = sim->now_us + sim_latency_us(sim, c->latency_us, c->jitter_us);
	enum sim_connect what = fate(c->way);
	char text[IO_ADDR_TEXT_MAX], name[32];

	must(events != NULL);
	e->io = io;
	e->life.io = e->read.io = e->drain.io = io;
	e->events = events;
	e->owner = owner;
	e->state = END_CONNECTING;
	c->accept.run = syn_run;
	sim_trace(sim, io->name, "%s connects to %s", conn_name(e, name, sizeof name),
		  io_addr_text(to, text));
	if (io->streams_max && io->streams >= io->streams_max)
		end_break(e, IO_LOCAL, "too many open files", 0);
	else if (what == SIM_CONNECT_OK)
		sim_event_set(sim, &c->accept, there_us);
	else if (what == SIM_CONNECT_REFUSE)
		end_break(e, IO_REFUSED, "connection refused",
			  there_us + sim_latency_us(sim, c->latency_us, c->jitter_us));
	else if (what == SIM_CONNECT_BLACKHOLE)
		end_break(e, IO_TIMED_OUT, "connection timed out", sim->now_us + SYN_GIVE_UP_US);
	else if (what == SIM_CONNECT_UNREACHABLE)
		end_break(e, IO_UNREACHABLE, "no route to host", there_us);
	else
		end_break(e, IO_LOCAL, "cannot assign requested address", 0);
	io->streams++;
	return e;
}

void io_stream_tls(struct io_stream *s, struct io_tls *tls, struct slice name)
{
	struct sim_conn *c = s->conn;
	struct io_stream *peer = &c->ends[1];
	int64_t back_us = c->sim->now_us + 2 * sim_latency_us(c->sim, c->latency_us, c->jitter_us);

	must(s->side == 0);
	must(s->state == END_OPEN);
	must(!s->handshaking);
	must(!s->tls);
	sim_trace(c->sim, s->io->name, "#%llu starts TLS as %.*s", (unsigned long long)c->id,
		  SLICE_ARG(name));
	s->tls = io_tls_take(tls);
	s->handshaking = true;
	sim_event_clear(c->sim, &s->read);
	if (c->way->tls == SIM_TLS_STALL || c->halves[1].vanished)
		return;
	if (c->halves[1].stall_until_us > c->sim->now_us)
		back_us = c->halves[1].stall_until_us + c->latency_us;
	if (peer->state == END_GONE || c->halves[1].dead) {
		end_break(s, IO_RESET, "connection reset by peer", back_us);
	} else if (c->way->tls == SIM_TLS_FAIL) {
		end_break(s, IO_TLS_FAILED, "certificate verify failed", back_us);
		if (peer->handshaking)
			end_break(peer, IO_TLS_FAILED, "alert bad certificate",
				  back_us + c->latency_us);
	} else if (!peer->tls && !c->way->tunnel) {
		end_break(s, IO_TLS_FAILED, "wrong version number", back_us);
	} else {
		sim_event_set(c->sim, &s->life, back_us);
	}
}

/* ---- using ------------------------------------------------------------------------ */

void io_stream_adopt(struct io_stream *s, const struct io_stream_events *events, void *owner)
{
	must(s->state == END_CONNECTING || s->state == END_OPEN || s->state == END_BROKEN);
	must(events != NULL);
	s->events = events;
	s->owner = owner;
	end_wake(s, 0);
}

void io_write(struct io_stream *s, const struct slice *parts, size_t count)
{
	must(s->state == END_CONNECTING || s->state == END_OPEN || s->state == END_BROKEN);
	must(!s->finish);
	if (s->state == END_BROKEN || s->broken_text)
		return;
	for (size_t i = 0; i < count; i++)
		must(buf_append(&s->out, parts[i]));
	if (buf_len(&s->out) > s->conn->sim->queued_max)
		s->conn->sim->queued_max = buf_len(&s->out);
	if (buf_len(&s->out) > s->io->queued_max)
		s->io->queued_max = buf_len(&s->out);
	if (buf_len(&s->out))
		end_queue(s);
}

size_t io_write_pending(const struct io_stream *s)
{
	return buf_len(&s->out);
}

/* Here bytes always come elsewhere. */
void io_read_into(struct io_stream *s, char *at, size_t room)
{
	must(s->state == END_CONNECTING || s->state == END_OPEN || s->state == END_BROKEN);
	(void)at, (void)room;
}

void io_read_pause(struct io_stream *s, bool paused)
{
	must(s->state == END_CONNECTING || s->state == END_OPEN || s->state == END_BROKEN);
	s->paused = paused;
	if (!paused)
		end_wake(s, 0);
}

void io_stream_finish(struct io_stream *s)
{
	must(s->state == END_CONNECTING || s->state == END_OPEN || s->state == END_BROKEN);
	if (s->finish || s->state == END_BROKEN)
		return;
	s->finish = true;
	end_queue(s);
}

/* ---- closing ---------------------------------------------------------------------- */

/* A SYN that is still under way is forgotten, and so is a connection that the
 * server has not accepted yet. */
static void close_unopened(struct io_stream *s)
{
	struct io_stream *server = &s->conn->ends[1];

	s->conn->listener = NULL;
	sim_event_clear(s->conn->sim, &s->conn->accept);
	if (server->state != END_ABSENT)
		end_gone(server);
	end_gone(s);
}

static void close_flush(struct io_stream *s)
{
	struct half *in = &s->conn->halves[s->side];

	if (s->broken_text) {
		end_gone(s);
		return;
	}
	buf_clear(&in->arrived);
	half_room(in);
	s->state = END_LINGER;
	s->finish = true;
	s->handshaking = false;
	end_queue(s);
	sim_event_set(s->conn->sim, &s->linger, s->conn->sim->now_us + FLUSH_US);
	if (in->rst_arrived)
		end_gone(s);
}

void io_close(struct io_stream *s, enum io_close how)
{
	static const char *const names[] = { "closes", "closes now", "resets" };
	struct half *out = &s->conn->halves[!s->side];
	bool unread = buf_len(&s->conn->halves[s->side].arrived) > 0;
	char name[32];

	must(s->state == END_CONNECTING || s->state == END_OPEN || s->state == END_BROKEN);
	must(s->io->streams > 0);
	s->io->streams--;
	sim_trace(s->conn->sim, s->io->name, "%s %s", conn_name(s, name, sizeof name), names[how]);
	sim_event_clear(s->conn->sim, &s->read);
	sim_event_clear(s->conn->sim, &s->drain);
	sim_event_clear(s->conn->sim, &s->life);
	s->events = NULL;
	if (s->state == END_CONNECTING) {
		close_unopened(s);
	} else if (s->state == END_BROKEN) {
		end_gone(s);
	} else if (how == IO_CLOSE_FLUSH) {
		close_flush(s);
	} else {
		if (how == IO_CLOSE_RESET || unread)
			half_push(out, PIECE_RST, SLICE_NONE);
		else if (!out->fin_sent)
			half_push(out, PIECE_FIN, SLICE_NONE);
		end_gone(s);
	}
}

/* ---- listening ---------------------------------------------------------------------- */

struct io_socket {
	struct io_addr at;
};

struct io_socket *io_socket_open(const struct io_addr *at, char *why, size_t why_size)
{
	struct io_socket *s = calloc(1, sizeof *s);

	if (why_size)
		why[0] = '\0';
	must(s != NULL);
	s->at = *at;
	return s;
}

struct io_addr io_socket_addr(const struct io_socket *s)
{
	return s->at;
}

void io_socket_close(struct io_socket *s)
{
	free(s);
}

static bool is_any(const struct io_addr *a)
{
	static const uint8_t zero[16];

	return a->family != IO_UNIX && memcmp(a->bytes, zero, sizeof zero) == 0;
}

static bool listens_at(const struct io_listener *l, const struct io_addr *at)
{
	if (io_addr_eq(&l->at, at))
		return true;
	return is_any(&l->at) && l->at.port == at->port && at->family != IO_UNIX;
}

/* One of those that listen there, by chance (SO_REUSEPORT). */
struct io_listener *sim_listener_at(struct sim *sim, const struct io_addr *at)
{
	unsigned count = 0, pick;

	LIST_EACH(&sim->listeners, n, after)
		count += listens_at(CONTAINER_OF(n, struct io_listener, link), at);
	if (!count)
		return NULL;
	pick = count == 1 ? 0 : (unsigned)rng_below(&sim->rng, count);
	LIST_EACH(&sim->listeners, n, after) {
		struct io_listener *l = CONTAINER_OF(n, struct io_listener, link);

		if (listens_at(l, at) && pick-- == 0)
			return l;
	}
	never("a listener was counted and is gone");
}

struct io_listener *io_listen(struct io *io, struct io_socket *socket, struct io_tls *tls,
			      void (*on_accept)(void *owner, struct io_stream *s,
						const struct io_addr *peer),
			      void *owner)
{
	struct io_listener *l = calloc(1, sizeof *l);
	char text[IO_ADDR_TEXT_MAX];

	must(l != NULL);
	must(on_accept != NULL);
	if (socket->at.port == 0 && socket->at.family != IO_UNIX)
		socket->at.port = (uint16_t)(20000 + rng_below(&io->sim->rng, 10000));
	l->io = io;
	l->at = socket->at;
	l->tls = io_tls_take(tls);
	l->on_accept = on_accept;
	l->owner = owner;
	list_append(&io->sim->listeners, &l->link);
	sim_trace(io->sim, io->name, "listens on %s", io_addr_text(&l->at, text));
	return l;
}

void io_listener_set_tls(struct io_listener *l, struct io_tls *tls)
{
	struct io_tls *old = l->tls;

	l->tls = io_tls_take(tls);
	io_tls_give(old);
}

void io_listener_close(struct io_listener *l)
{
	struct sim *sim = l->io->sim;

	LIST_EACH(&sim->conns, n, after) {
		struct sim_conn *c = CONTAINER_OF(n, struct sim_conn, link);

		if (c->listener != l)
			continue;
		c->listener = NULL;
		sim_event_clear(sim, &c->accept);
		half_push(&c->halves[0], PIECE_RST, SLICE_NONE);
		end_gone(&c->ends[1]);
	}
	list_remove(&sim->listeners, &l->link);
	sim_trace(sim, l->io->name, "stops listening");
	io_tls_give(l->tls);
	free(l);
}

/* ---- TLS setups: counted, and empty ---------------------------------------------------- */

struct io_tls {
	struct refcount owners;
};

static struct io_tls *tls_create(char *why, size_t why_size)
{
	struct io_tls *tls = calloc(1, sizeof *tls);

	if (why_size)
		why[0] = '\0';
	must(tls != NULL);
	refcount_init(&tls->owners);
	return tls;
}

struct io_tls *io_tls_client(const struct io_tls_client_options *o, char *why, size_t why_size)
{
	(void)o;
	return tls_create(why, why_size);
}

struct io_tls *io_tls_server(const char *cert_file, const char *key_file, char *why,
			     size_t why_size)
{
	(void)cert_file;
	(void)key_file;
	return tls_create(why, why_size);
}

int64_t io_tls_expires(const struct io_tls *tls)
{
	(void)tls;
	return 0;
}

int64_t io_tls_peer_expires(struct io_tls *tls, struct slice name)
{
	(void)tls;
	(void)name;
	return 0;
}

struct io_tls *io_tls_take(struct io_tls *tls)
{
	if (tls)
		refcount_take(&tls->owners);
	return tls;
}

void io_tls_give(struct io_tls *tls)
{
	if (tls && refcount_give(&tls->owners))
		free(tls);
}
