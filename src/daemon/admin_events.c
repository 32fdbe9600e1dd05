/* The live stream: the whole state twice a second, and at once when a target's use
 * changes; and each exchange as it ends, as server-sent events. The state is written once for all listeners; who reads
 * too slowly is left out until he has caught up. */
#include "daemon/admin_inside.h"

#include "base/check.h"
#include "route/target.h"

#include <stdlib.h>

#define TICK_MS        500
#define TICK_LARGE_MS  2000           /* where the state is large */
#define LOOK_MS        50             /* so often it is asked whether a target's use has changed */
#define LOOK_LARGE_MS  250
#define LARGE_BYTES    ((size_t)256 * 1024)
#define PENDING_MAX    ((size_t)512 * 1024)
#define LISTENERS_MAX  64
#define EVENTS_AT_ONCE 40             /* exchanges told in one tick; more are left out */
#define FIRST_EVENTS   60             /* and to one who has just come */

struct listener {
	struct admin *admin;
	struct client_conn *conn;
	struct link link;
};

static void on_gone(void *owner)
{
	struct listener *l = owner;

	list_remove(&l->admin->listeners, &l->link);
	free(l);
}

static const struct client_request_events request_events = { .on_gone = on_gone };

static void put_exchange(void *owner, struct slice line)
{
	struct buf *out = owner;

	/* JSON has no raw newline, so it is one line of data. */
	(void)!(buf_append(out, S("event: exchange\ndata: ")) && buf_append(out, line) &&
		buf_append(out, S("\n\n")));
}

static void put_state(struct admin *a, struct buf *out)
{
	struct buf state = BUF_INIT(out->max / 2);

	if (admin_write_state(a->state, io_now(a->io), &state))
		(void)!(buf_append(out, S("event: state\ndata: ")) && buf_append(out, buf_slice(&state)) &&
			buf_append(out, S("\n\n")));
	buf_free(&state);
}

/* What all targets can be used for, as one number. */
static uint64_t uses(const struct admin *a, mono_ms now)
{
	const struct config *c = a->state->config;
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t m = 0; m < c->model_count; m++)
		for (size_t i = 0; i < c->models[m].target_count; i++) {
			struct target_look look;

			target_look(c->models[m].targets[i].state, &c->models[m], now, 0, &look);
			sum = (sum ^ (uint64_t)look.use) * UINT64_C(0x100000001b3);
		}
	return sum;
}

static void tell_all(struct admin *a, mono_ms now)
{
	recent_since(a->state->recent, &a->seen, EVENTS_AT_ONCE, put_exchange, &a->document);
	put_state(a, &a->document);
	LIST_EACH(&a->listeners, link, after) {
		struct listener *l = CONTAINER_OF(link, struct listener, link);

		if (client_pending(l->conn) <= PENDING_MAX)
			client_respond_data(l->conn, buf_slice(&a->document));
	}
	a->large = buf_len(&a->document) > LARGE_BYTES;
	a->tell_at = mono_after(now, a->large ? TICK_LARGE_MS : TICK_MS);
	buf_free(&a->document);
}

static void on_tick(struct io_timer *t, mono_ms now)
{
	struct admin *a = CONTAINER_OF(t, struct admin, tick);
	uint64_t in_use;

	if (list_empty(&a->listeners))
		return;               /* the next one to come begins it again */
	in_use = uses(a, now);
	if (now >= a->tell_at || in_use != a->told_uses)
		tell_all(a, now);
	a->told_uses = in_use;
	io_timer_set(a->io, t, mono_after(now, a->large ? LOOK_LARGE_MS : LOOK_MS));
}

void admin_events(struct admin *a, const struct admin_request *r)
{
	const struct h1_header headers[] = {
		{ S("content-type"), S("text/event-stream") },
		{ S("cache-control"), S("no-store") },
		{ S("x-content-type-options"), S("nosniff") },
	};
	struct listener *l;
	uint64_t seen = 0, troubles = 0;

	if (a->listeners.count >= LISTENERS_MAX) {
		admin_answer_error(a, r, 503, S("too many watch already; close a dashboard"));
		return;
	}
	if (slice_eq(r->head->method, S("HEAD"))) {
		client_respond_whole(r->conn, 200, headers, COUNT_OF(headers), SLICE_NONE);
		return;
	}
	l = calloc(1, sizeof *l);
	must(l != NULL);
	l->admin = a;
	l->conn = r->conn;
	client_claim(r->conn, &request_events, l);
	client_respond_head(r->conn, 200, headers, COUNT_OF(headers), CLIENT_LENGTH_UNKNOWN);
	(void)!buf_append(&a->document, S("retry: 1000\n\n"));
	recent_since(a->state->troubles, &troubles, FIRST_EVENTS, put_exchange, &a->document);
	recent_since(a->state->recent, &seen, FIRST_EVENTS, put_exchange, &a->document);
	put_state(a, &a->document);
	client_respond_data(r->conn, buf_slice(&a->document));
	buf_free(&a->document);
	if (list_empty(&a->listeners)) {
		a->seen = seen;
		a->told_uses = uses(a, io_now(a->io));
		a->tell_at = mono_after(io_now(a->io), TICK_MS);
		io_timer_set(a->io, &a->tick, mono_after(io_now(a->io), LOOK_MS));
	}
	list_append(&a->listeners, &l->link);
}

void admin_events_begin(struct admin *a)
{
	list_init(&a->listeners);
	a->tick.fire = on_tick;
}

void admin_events_end(struct admin *a)
{
	io_timer_clear(a->io, &a->tick);
}
