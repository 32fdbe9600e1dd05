#include "daemon/probe.h"

#include "base/check.h"
#include "dialect/dialect.h"
#include "io/real/real.h"

#include <stdlib.h>

struct asking;

struct one {
	struct asking *all;
	struct probe *probe;
	struct upstream_call *call;   /* NULL once it is gone */
	struct upstream_request request;
	struct buf body;
};

struct asking {
	struct io *io;
	struct upstream_pool *pool;
	struct arena *arena;
	struct io_timer limit;
	struct one *ones;
	size_t count, left;
	mono_ms started_at;
};

static void finish(struct one *o)
{
	o->probe->took_ms = io_now(o->all->io) - o->all->started_at;
	o->call = NULL;
	if (--o->all->left == 0)
		io_real_stop(o->all->io);
}

/* Judges another status than 200 while its head is there: the hint headers are
 * of no use here, so the body alone will do. */
static void judge(struct one *o)
{
	struct answer_facts facts = { .fault = FAULT_SERVER_ERROR, .retry_after_ms = -1 };
	const struct dialect *dialect;
	const struct endpoint *endpoint;
	struct h1_head head = { .status = o->probe->status, .minor = 1 };
	const char *allow;

	endpoint = dialect_endpoint(S("POST"), S("/v1/chat/completions"), &dialect, &allow);
	must(endpoint != NULL);
	dialect->judge_answer(o->all->arena, endpoint, o->probe->status, &head, buf_slice(&o->body),
			      io_wall_ms(o->all->io), &facts);
	o->probe->fault = facts.fault;
	o->probe->text = arena_copy(o->all->arena, facts.message);
}

static void on_connected(void *owner, bool reused)
{
	(void)owner, (void)reused;
}

static void on_head(void *owner, const struct h1_head *head)
{
	struct one *o = owner;

	o->probe->status = head->status;
}

static void on_body(void *owner, struct slice bytes)
{
	struct one *o = owner;

	(void)!buf_append(&o->body, bytes);   /* body_max has bounded it */
}

static void on_end(void *owner, bool until_close)
{
	struct one *o = owner;

	(void)until_close;
	if (o->probe->status == 200) {
		o->probe->fault = FAULT_NONE;
		o->probe->body = arena_copy(o->all->arena, buf_slice(&o->body));
	} else {
		judge(o);
	}
	finish(o);
}

static void on_fault(void *owner, enum fault why, const char *text)
{
	struct one *o = owner;

	o->probe->fault = why;
	o->probe->text = arena_copy(o->all->arena, slice_of(text));
	finish(o);
}

static const struct upstream_events events = {
	.on_connected = on_connected,
	.on_head = on_head,
	.on_body = on_body,
	.on_end = on_end,
	.on_fault = on_fault,
};

static void on_limit(struct io_timer *t, mono_ms now)
{
	struct asking *all = CONTAINER_OF(t, struct asking, limit);

	(void)now;
	for (size_t i = 0; i < all->count; i++) {
		struct one *o = &all->ones[i];

		if (!o->call)
			continue;
		upstream_cancel(o->call);
		o->probe->fault = FAULT_SILENCE;
		finish(o);
	}
}

static void start(struct one *o)
{
	o->request = (struct upstream_request){
		.method = S("GET"),
		.target = o->probe->target,
		.headers = o->probe->headers,
		.fresh = true,
		.body_max = PROBE_BODY_MAX,
	};
	o->body = BUF_INIT(PROBE_BODY_MAX);
	o->call = upstream_start(o->all->pool, o->probe->origin, &o->request, &events, o);
}

bool probes_run(struct probe *probes, size_t count, int64_t limit_ms, struct arena *arena,
		char *why, size_t why_size)
{
	struct asking all = { .arena = arena, .count = count, .left = count };

	if (count == 0)
		return true;
	all.io = io_real_create(why, why_size);
	if (!all.io)
		return false;
	all.pool = upstream_pool_create(all.io, NULL);
	all.ones = arena_array(arena, struct one, count);
	all.started_at = io_now(all.io);
	all.limit.fire = on_limit;
	io_timer_set(all.io, &all.limit, mono_after(all.started_at, limit_ms));
	for (size_t i = 0; i < count; i++) {
		all.ones[i].all = &all;
		all.ones[i].probe = &probes[i];
		start(&all.ones[i]);
	}
	io_real_run(all.io);
	for (size_t i = 0; i < count; i++)
		buf_free(&all.ones[i].body);
	upstream_pool_free(all.pool);
	io_real_free(all.io);
	return true;
}
