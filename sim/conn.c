/* conn.c: a simulated TCP connection: pieces on the wire, the two kernels'
 * buffers, and what can befall both. */
#include "sim/inside.h"

#include <stdlib.h>
#include <string.h>

#define OUT_MAX ((size_t)1 << 30)
/* Where bandwidth counts, bytes leave in pieces of at most so many. */
#define PIECE_MAX 4096
/* Most bytes of one on_data, as one read() would give. */
#define READ_MAX 65536
/* How long a closed stream swallows input behind its FIN. */
#define SWALLOW_US 2000000

static void arrive(struct sim_event *e);
static void room(struct sim_event *e);
static void give_up(struct sim_event *e);
static void idle(struct sim_event *e);
static void life(struct sim_event *e);
static void readable(struct sim_event *e);
static void drained(struct sim_event *e);
static void linger(struct sim_event *e);

/* ---- birth and death --------------------------------------------------------- */

static void half_init(struct half *h, struct sim_conn *c, unsigned to)
{
	h->conn = c;
	h->to = to;
	list_init(&h->flight);
	h->arrived = BUF_INIT(OUT_MAX);
	h->arrive.run = arrive;
	h->room.run = room;
	h->give_up.run = give_up;
}

static void end_init(struct io_stream *e, struct sim_conn *c, unsigned side)
{
	e->conn = c;
	e->side = side;
	e->out = BUF_INIT(OUT_MAX);
	e->life.run = life;
	e->read.run = readable;
	e->drain.run = drained;
	e->linger.run = linger;
}

struct sim_conn *conn_create(struct io *io, const struct io_addr *to)
{
	struct sim *sim = io->sim;
	struct sim_conn *c = calloc(1, sizeof *c);

	must(c != NULL);
	c->sim = sim;
	c->id = ++sim->next_conn;
	c->to = *to;
	c->from = sim_io_addr(io);
	c->from.port = sim->next_port;
	sim->next_port = sim->next_port == UINT16_MAX ? 40000 : (uint16_t)(sim->next_port + 1);
	c->way = sim_link_to(sim, to);
	c->way->connects++;
	c->latency_us = c->way->latency_us;
	c->jitter_us = c->way->jitter_us;
	c->window = c->way->window;
	c->cuts = c->way->cuts;
	c->idle.run = idle;
	for (unsigned i = 0; i < 2; i++) {
		half_init(&c->halves[i], c, i);
		end_init(&c->ends[i], c, i);
	}
	list_append(&sim->conns, &c->link);
	return c;
}

static void half_free(struct half *h)
{
	struct sim *sim = h->conn->sim;

	LIST_EACH(&h->flight, n, after) {
		list_remove(&h->flight, n);
		free(CONTAINER_OF(n, struct piece, link));
	}
	buf_free(&h->arrived);
	sim_event_clear(sim, &h->arrive);
	sim_event_clear(sim, &h->room);
	sim_event_clear(sim, &h->give_up);
}

static void end_quiet(struct io_stream *e)
{
	struct sim *sim = e->conn->sim;

	sim_event_clear(sim, &e->life);
	sim_event_clear(sim, &e->read);
	sim_event_clear(sim, &e->drain);
	sim_event_clear(sim, &e->linger);
	if (link_on_list(&e->flush_link))
		list_remove(&e->io->flush, &e->flush_link);
}

/* The connection is on no list any more. */
void conn_free(struct sim_conn *c)
{
	sim_event_clear(c->sim, &c->accept);
	sim_event_clear(c->sim, &c->idle);
	for (unsigned i = 0; i < 2; i++) {
		half_free(&c->halves[i]);
		end_quiet(&c->ends[i]);
		buf_free(&c->ends[i].out);
		io_tls_give(c->ends[i].tls);
	}
	free(c);
}

static bool over(const struct io_stream *e)
{
	return e->state == END_GONE || e->state == END_ABSENT;
}

void end_gone(struct io_stream *e)
{
	struct sim_conn *c = e->conn;

	e->state = END_GONE;
	end_quiet(e);
	buf_clear(&e->out);
	if (!over(&c->ends[0]) || !over(&c->ends[1]) || c->buried)
		return;
	c->buried = true;
	sim_event_clear(c->sim, &c->accept);
	sim_event_clear(c->sim, &c->idle);
	for (unsigned i = 0; i < 2; i++) {
		sim_event_clear(c->sim, &c->halves[i].arrive);
		sim_event_clear(c->sim, &c->halves[i].room);
		sim_event_clear(c->sim, &c->halves[i].give_up);
	}
	list_remove(&c->sim->conns, &c->link);
	list_append(&c->sim->dead, &c->link);
}

const char *conn_name(const struct io_stream *e, char *out, size_t out_size)
{
	snprintf(out, out_size, "#%llu%s", (unsigned long long)e->conn->id, e->side ? "s" : "");
	return out;
}

static void trace(const struct io_stream *e, const char *what)
{
	char name[32];

	sim_trace(e->conn->sim, e->io ? e->io->name : NULL, "%s %s",
		  conn_name(e, name, sizeof name), what);
}

/* ---- the wire ------------------------------------------------------------------ */

/* Onto the wire, whatever the state of the half; in order, one latency later. */
static void wire_put(struct half *h, enum piece_kind kind, struct slice bytes, int64_t more_us)
{
	struct sim_conn *c = h->conn;
	struct sim *sim = c->sim;
	int64_t leaves_us = sim->now_us + more_us;
	struct piece *p;

	if (h->rst_sent)
		return;
	h->rst_sent = kind == PIECE_RST;
	h->fin_sent |= kind == PIECE_FIN;
	c->active_us = sim->now_us;
	if (h->vanished) {
		h->lost_bytes += bytes.len;
		return;
	}
	p = malloc(sizeof *p + bytes.len);
	must(p != NULL);
	memset(&p->link, 0, sizeof p->link);
	p->kind = kind;
	p->len = bytes.len;
	if (bytes.len)
		memcpy(p->bytes, bytes.at, bytes.len);
	if (c->way->bytes_per_s > 0 && bytes.len) {
		if (h->busy_until_us > leaves_us)
			leaves_us = h->busy_until_us;
		leaves_us += (int64_t)bytes.len * 1000000 / c->way->bytes_per_s;
		h->busy_until_us = leaves_us;
	}
	p->at_us = leaves_us + sim_latency_us(sim, c->latency_us, c->jitter_us);
	if (p->at_us < h->last_at_us)
		p->at_us = h->last_at_us;
	if (p->at_us < h->stall_until_us)
		p->at_us = h->stall_until_us;
	h->last_at_us = p->at_us;
	h->flight_bytes += bytes.len;
	list_append(&h->flight, &p->link);
	if (h->flight.count == 1)
		sim_event_set(sim, &h->arrive, p->at_us);
}

/* The writer of `h` writes to nobody: RST comes back. */
static void bounce(struct half *h, int64_t more_us)
{
	wire_put(&h->conn->halves[!h->to], PIECE_RST, SLICE_NONE, more_us);
}

void half_push(struct half *h, enum piece_kind kind, struct slice bytes)
{
	h->sent += bytes.len;
	if (h->dead) {
		if (kind == PIECE_DATA)
			bounce(h, h->conn->latency_us);
		h->fin_sent |= kind == PIECE_FIN;
		return;
	}
	wire_put(h, kind, bytes, 0);
}

static void end_hears(struct io_stream *e, struct half *h, const struct piece *p)
{
	struct io_stream *peer = &e->conn->ends[!e->side];

	if (p->kind == PIECE_DATA)
		must(buf_append(&h->arrived, (struct slice){ p->bytes, p->len }));
	h->fin_arrived |= p->kind == PIECE_FIN;
	h->rst_arrived |= p->kind == PIECE_RST;
	if (p->kind == PIECE_RST && (e->paused || e->handshaking))
		end_break(e, IO_RESET, "connection reset by peer", 0);
	else if (e->handshaking && e->side == 1 && p->kind == PIECE_DATA && !peer->tls)
		end_break(e, IO_TLS_FAILED, "not a TLS handshake", 0);
	else if (e->handshaking && p->kind == PIECE_FIN)
		end_break(e, IO_TLS_FAILED, "the peer closed during the handshake", 0);
	else
		end_wake(e, 0);
}

static void half_hears(struct half *h, const struct piece *p)
{
	struct io_stream *e = &h->conn->ends[h->to];

	switch (e->state) {
	case END_ABSENT:
	case END_CONNECTING:
	case END_BROKEN:
		break;
	case END_GONE:
		if (p->kind == PIECE_DATA)
			bounce(h, 0);
		break;
	case END_LINGER:
		h->fin_arrived |= p->kind == PIECE_FIN;
		if (p->kind == PIECE_DATA)
			half_room(h);
		else if (p->kind == PIECE_RST || h->conn->halves[!h->to].fin_sent)
			end_gone(e);
		break;
	case END_OPEN:
		end_hears(e, h, p);
		break;
	}
}

static void arrive(struct sim_event *event)
{
	struct half *h = CONTAINER_OF(event, struct half, arrive);
	struct sim *sim = h->conn->sim;

	while (!list_empty(&h->flight) && !h->conn->buried) {
		struct piece *p = CONTAINER_OF(list_first(&h->flight), struct piece, link);

		if (p->at_us > sim->now_us) {
			sim_event_set(sim, &h->arrive, p->at_us);
			return;
		}
		list_remove(&h->flight, &p->link);
		h->flight_bytes -= p->len;
		h->conn->active_us = sim->now_us;
		half_hears(h, p);
		free(p);
	}
}

void half_room(struct half *h)
{
	struct sim_conn *c = h->conn;
	struct io_stream *writer = &c->ends[!h->to];

	if (!buf_len(&writer->out) || h->room.node.at)
		return;
	sim_event_set(c->sim, &h->room,
		      c->sim->now_us + sim_latency_us(c->sim, c->latency_us, c->jitter_us));
}

static void room(struct sim_event *event)
{
	struct half *h = CONTAINER_OF(event, struct half, room);

	end_send(&h->conn->ends[!h->to]);
}

static void give_up(struct sim_event *event)
{
	struct half *h = CONTAINER_OF(event, struct half, give_up);

	end_break(&h->conn->ends[!h->to], IO_TIMED_OUT, "connection timed out", 0);
}

/* ---- sending -------------------------------------------------------------------- */

static void tell_drained(struct io_stream *e)
{
	if (!e->backed_up || buf_len(&e->out) || e->state != END_OPEN)
		return;
	e->backed_up = false;
	sim_event_set(e->conn->sim, &e->drain, 0);
}

static void plan_strikes(struct half *h)
{
	struct sim_plan plan = h->plan;

	h->planned = false;
	conn_strike(h->conn, plan.strike, plan.direction, plan.for_ms, true);
}

/* One piece; false where the window is full. */
static bool send_piece(struct io_stream *e, struct half *h)
{
	size_t used = h->flight_bytes + h->lost_bytes + buf_len(&h->arrived);
	struct slice bytes = buf_slice(&e->out);

	if (h->dead)
		used = 0;
	if (used >= e->conn->window)
		return false;
	if (bytes.len > e->conn->window - used)
		bytes.len = e->conn->window - used;
	if (e->conn->way->bytes_per_s > 0 && bytes.len > PIECE_MAX)
		bytes.len = PIECE_MAX;
	if (h->planned && h->sent + bytes.len > h->plan.after_bytes)
		bytes.len = (size_t)(h->plan.after_bytes - h->sent);
	if (!bytes.len) {
		plan_strikes(h);
		return true;
	}
	half_push(h, PIECE_DATA, bytes);
	buf_consume(&e->out, bytes.len);
	return true;
}

void end_send(struct io_stream *e)
{
	struct half *h = &e->conn->halves[!e->side];

	if ((e->state != END_OPEN && e->state != END_LINGER) || e->handshaking || e->broken_text)
		return;
	while (buf_len(&e->out) && send_piece(e, h))
		;
	tell_drained(e);
	if (e->finish && !buf_len(&e->out) && !h->fin_sent && !h->rst_sent) {
		if (h->planned && h->sent >= h->plan.after_bytes)
			plan_strikes(h);
		if (!h->fin_sent)
			half_push(h, PIECE_FIN, SLICE_NONE);
	}
	if (e->state != END_LINGER || !h->fin_sent)
		return;
	if (e->conn->halves[e->side].fin_arrived)
		end_gone(e);
	else
		sim_event_set(e->conn->sim, &e->linger, e->conn->sim->now_us + SWALLOW_US);
}

void end_queue(struct io_stream *e)
{
	if (!link_on_list(&e->flush_link))
		list_append(&e->io->flush, &e->flush_link);
}

static void linger(struct sim_event *event)
{
	struct io_stream *e = CONTAINER_OF(event, struct io_stream, linger);

	if (buf_len(&e->out))
		half_push(&e->conn->halves[!e->side], PIECE_RST, SLICE_NONE);
	end_gone(e);
}

static void drained(struct sim_event *event)
{
	struct io_stream *e = CONTAINER_OF(event, struct io_stream, drain);

	if (e->state != END_OPEN)
		return;
	if (buf_len(&e->out)) {
		e->backed_up = true;
		return;
	}
	trace(e, "drained");
	if (e->events->on_drained)
		e->events->on_drained(e->owner);
}

/* ---- telling the owner ------------------------------------------------------------ */

void end_break(struct io_stream *e, enum io_broken why, const char *text, int64_t at_us)
{
	if (e->state == END_LINGER)
		end_gone(e);
	if (e->state != END_CONNECTING && e->state != END_OPEN)
		return;
	if (e->broken_text)
		return;
	end_quiet(e);
	buf_clear(&e->out);
	e->broken_why = why;
	e->broken_text = text;
	sim_event_set(e->conn->sim, &e->life, at_us);
}

static void tell_broken(struct io_stream *e)
{
	trace(e, e->broken_text);
	end_quiet(e);
	buf_clear(&e->out);
	buf_clear(&e->conn->halves[e->side].arrived);
	e->state = END_BROKEN;
	must(e->events->on_broken != NULL);
	e->events->on_broken(e->owner, e->broken_why, e->broken_text);
}

static void handshake_done(struct io_stream *e)
{
	struct io_stream *peer = &e->conn->ends[!e->side];

	e->handshaking = false;
	if (peer->handshaking && peer->state == END_OPEN) {
		peer->handshaking = false;
		end_queue(peer);
		end_wake(peer, e->conn->latency_us);
	}
}

/* Connected, TLS set up, or broken. */
static void life(struct sim_event *event)
{
	struct io_stream *e = CONTAINER_OF(event, struct io_stream, life);

	if (!e->events)
		return;
	if (e->broken_text) {
		tell_broken(e);
		return;
	}
	if (e->handshaking) {
		if (e->conn->halves[0].vanished)
			return;
		handshake_done(e);
		trace(e, "TLS stands");
	} else {
		e->state = END_OPEN;
		trace(e, "connected");
	}
	end_queue(e);
	if (e->events->on_open)
		e->events->on_open(e->owner);
	end_wake(e, 0);
}

static bool something_to_tell(const struct io_stream *e, const struct half *in)
{
	if (e->paused)
		return in->rst_arrived;
	return buf_len(&in->arrived) || (in->fin_arrived && !e->end_told) || in->rst_arrived;
}

void end_wake(struct io_stream *e, int64_t delay_us)
{
	struct half *in = &e->conn->halves[e->side];

	if (e->state != END_OPEN || !e->events || e->handshaking || e->broken_text)
		return;
	if (e->read.node.at || !something_to_tell(e, in))
		return;
	sim_event_set(e->conn->sim, &e->read, e->conn->sim->now_us + delay_us);
}

static void give_bytes(struct io_stream *e, struct half *in)
{
	struct sim *sim = e->conn->sim;
	struct slice all = buf_slice(&in->arrived);
	size_t len = all.len < READ_MAX ? all.len : READ_MAX;
	char name[32], *copy;

	if (e->conn->cuts == SIM_CUT_BYTES)
		len = 1;
	else if (e->conn->cuts == SIM_CUT_RANDOM)
		len = 1 + (size_t)rng_below(&sim->rng, len);
	/* A copy of exactly that size: reading past it, or after the handler has
	 * returned, is seen by the sanitizers. */
	copy = malloc(len);
	must(copy != NULL);
	memcpy(copy, all.at, len);
	buf_consume(&in->arrived, len);
	sim_trace(sim, e->io->name, "%s reads %zu bytes %08x", conn_name(e, name, sizeof name), len,
		  (unsigned)(slice_hash((struct slice){ copy, len }, 0) & 0xffffffff));
	half_room(in);
	if (e->events->on_data)
		e->events->on_data(e->owner, (struct slice){ copy, len });
	free(copy);
}

static void readable(struct sim_event *event)
{
	struct io_stream *e = CONTAINER_OF(event, struct io_stream, read);
	struct half *in = &e->conn->halves[e->side];
	int64_t gap_us = 1;

	if (e->state != END_OPEN || !something_to_tell(e, in))
		return;
	if (buf_len(&in->arrived) && !e->paused) {
		give_bytes(e, in);
	} else if (in->fin_arrived && !e->end_told && !e->paused) {
		e->end_told = true;
		trace(e, "the peer has finished");
		if (e->events->on_end)
			e->events->on_end(e->owner);
	} else {
		e->broken_why = IO_RESET;
		e->broken_text = "connection reset by peer";
		tell_broken(e);
		return;
	}
	if (e->conn->cuts == SIM_CUT_RANDOM)
		gap_us += (int64_t)rng_below(&e->conn->sim->rng, 20);
	end_wake(e, gap_us);
}

/* ---- blows --------------------------------------------------------------------------- */

void conn_take_plans(struct sim_conn *c)
{
	for (unsigned i = 0; i < c->way->plan_count; i++) {
		struct sim_plan *p = &c->way->plans[i];
		struct half *h = &c->halves[p->direction == SIM_TO_CLIENT ? 0 : 1];

		if (!p->count || h->planned)
			continue;
		if (p->count > 0)
			p->count--;
		h->planned = true;
		h->plan = *p;
	}
}

static void half_vanish(struct half *h, bool spare)
{
	struct sim *sim = h->conn->sim;

	h->vanished = true;
	if (h->conn->way->give_up_ms > 0)
		sim_event_set(sim, &h->give_up, sim->now_us + h->conn->way->give_up_ms * 1000);
	if (spare)
		return;
	LIST_EACH(&h->flight, n, after) {
		struct piece *p = CONTAINER_OF(n, struct piece, link);

		h->lost_bytes += p->len;
		list_remove(&h->flight, n);
		free(p);
	}
	h->flight_bytes = 0;
	sim_event_clear(sim, &h->arrive);
}

static void half_stall(struct half *h, int64_t for_ms, bool spare)
{
	struct sim *sim = h->conn->sim;

	h->stall_until_us = sim->now_us + for_ms * 1000;
	if (spare)
		return;
	LIST_EACH(&h->flight, n, after) {
		struct piece *p = CONTAINER_OF(n, struct piece, link);

		if (p->at_us < h->stall_until_us)
			p->at_us = h->stall_until_us;
		h->last_at_us = p->at_us;
	}
	if (!list_empty(&h->flight))
		sim_event_set(sim, &h->arrive,
			      CONTAINER_OF(list_first(&h->flight), struct piece, link)->at_us);
}

void conn_strike(struct sim_conn *c, enum sim_strike strike, enum sim_direction direction,
		 int64_t for_ms, bool spare)
{
	static const char *const names[] = { "cut", "reset", "vanishes", "stalls" };
	struct half *reader = &c->halves[direction == SIM_TO_CLIENT ? 0 : 1];
	struct half *writer = &c->halves[direction == SIM_TO_CLIENT ? 1 : 0];

	sim_trace(c->sim, NULL, "#%llu %s after %llu bytes to the %s", (unsigned long long)c->id,
		  names[strike], (unsigned long long)reader->sent,
		  direction == SIM_TO_CLIENT ? "client" : "server");
	switch (strike) {
	case SIM_STRIKE_CUT:
		wire_put(reader, PIECE_FIN, SLICE_NONE, 0);
		wire_put(writer, PIECE_RST, SLICE_NONE, 0);
		reader->dead = writer->dead = true;
		break;
	case SIM_STRIKE_RESET:
		wire_put(reader, PIECE_RST, SLICE_NONE, 0);
		wire_put(writer, PIECE_RST, SLICE_NONE, 0);
		reader->dead = writer->dead = true;
		break;
	case SIM_STRIKE_VANISH:
		half_vanish(reader, spare);
		half_vanish(writer, spare);
		break;
	case SIM_STRIKE_STALL:
		half_stall(reader, for_ms, spare);
		break;
	}
}

static void close_both(struct sim_conn *c)
{
	sim_trace(c->sim, NULL, "#%llu closed on the way", (unsigned long long)c->id);
	for (unsigned i = 0; i < 2; i++) {
		wire_put(&c->halves[i], PIECE_FIN, SLICE_NONE, 0);
		c->halves[i].dead = true;
	}
}

void conn_watch_idle(struct sim_conn *c)
{
	if (c->way->idle_close_ms > 0)
		sim_event_set(c->sim, &c->idle, c->active_us + c->way->idle_close_ms * 1000);
}

static void idle(struct sim_event *event)
{
	struct sim_conn *c = CONTAINER_OF(event, struct sim_conn, idle);

	if (c->halves[0].dead || c->halves[0].vanished)
		return;
	if (c->sim->now_us - c->active_us < c->way->idle_close_ms * 1000)
		conn_watch_idle(c);
	else
		close_both(c);
}

static bool struck(const struct sim_conn *c, const struct io_addr *addr, int64_t idle_ms)
{
	if (!c->open || (addr && !io_addr_eq(addr, &c->to)))
		return false;
	return c->sim->now_us - c->active_us >= idle_ms * 1000;
}

unsigned sim_strike(struct sim *sim, const struct io_addr *addr, enum sim_strike strike,
		    int64_t idle_ms, int64_t for_ms)
{
	unsigned count = 0;

	LIST_EACH(&sim->conns, n, after) {
		struct sim_conn *c = CONTAINER_OF(n, struct sim_conn, link);

		if (!struck(c, addr, idle_ms))
			continue;
		count++;
		if (strike == SIM_STRIKE_CUT)
			close_both(c);
		else
			conn_strike(c, strike, SIM_TO_CLIENT, for_ms, false);
		if (strike == SIM_STRIKE_STALL)
			conn_strike(c, strike, SIM_TO_SERVER, for_ms, false);
	}
	return count;
}

unsigned sim_junk(struct sim *sim, const struct io_addr *addr, struct slice bytes, int64_t idle_ms)
{
	unsigned count = 0;

	LIST_EACH(&sim->conns, n, after) {
		struct sim_conn *c = CONTAINER_OF(n, struct sim_conn, link);

		if (!struck(c, addr, idle_ms))
			continue;
		count++;
		wire_put(&c->halves[0], PIECE_DATA, bytes, 0);
	}
	return count;
}
