#include "cache/redis.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

#define REPLY_BYTES_MAX ((size_t)72 * 1024 * 1024)
#define COMMAND_BYTES_MAX ((size_t)80 * 1024 * 1024)

enum redis_state { REDIS_RESOLVING, REDIS_CONNECTING, REDIS_SECURING, REDIS_GREETING, REDIS_READY, REDIS_LOST };

struct redis {
	struct redis_setup setup;
	enum redis_state state;
	struct io_resolve resolve;
	unsigned address;             /* that is tried */
	struct io_stream *stream;
	struct resp reader;
	struct list calls;            /* under way, in order */
	struct redis_call hello, plain_auth, select;
	struct io_timer limit;        /* READY: a reply is due; before: all of it */
	char why[160];
	bool closed;
	struct io_grave grave;
};

static void lose(struct redis *r, const char *why)
{
	if (r->state == REDIS_LOST)
		return;
	snprintf(r->why, sizeof r->why, "%s", why);
	r->state = REDIS_LOST;
	io_timer_clear(r->setup.io, &r->limit);
	if (r->stream)
		io_close(r->stream, IO_CLOSE_NOW);
	r->stream = NULL;
	while (!list_empty(&r->calls)) {
		struct redis_call *c = CONTAINER_OF(list_first(&r->calls), struct redis_call, link);

		list_remove(&r->calls, &c->link);
		c->done(c, NULL);
	}
	if (!r->closed)
		r->setup.on_lost(r->setup.owner, r->why);
}

static void bury(struct io_grave *g)
{
	struct redis *r = CONTAINER_OF(g, struct redis, grave);

	resp_free(&r->reader);
	free(r);
}

void redis_close(struct redis *r)
{
	if (!r)
		return;
	must(!r->closed);
	r->closed = true;
	if (r->state == REDIS_RESOLVING)
		io_resolve_cancel(r->setup.io, &r->resolve);
	lose(r, "it is closed");
	r->grave.bury = bury;
	io_bury(r->setup.io, &r->grave);
}

bool redis_is_ready(const struct redis *r)
{
	return r && r->state == REDIS_READY;
}

size_t redis_pending(const struct redis *r)
{
	return r->stream ? io_write_pending(r->stream) : 0;
}

/* ---- commands ------------------------------------------------------------------------ */

static void await_reply(struct redis *r)
{
	if (r->state == REDIS_READY)
		io_timer_set(r->setup.io, &r->limit, list_empty(&r->calls) ? MONO_NEVER
			     : mono_after(io_now(r->setup.io), r->setup.stall_ms));
}

void redis_call_written(struct redis *r, struct redis_call *c, struct slice command)
{
	bool first = list_empty(&r->calls);

	must(r->stream != NULL);
	list_append(&r->calls, &c->link);
	io_write(r->stream, &command, 1);
	if (first)
		await_reply(r);
}

void redis_call(struct redis *r, struct redis_call *c, const struct slice *words, size_t count)
{
	struct buf command = BUF_INIT(COMMAND_BYTES_MAX);

	must(resp_write(&command, words, count));
	redis_call_written(r, c, buf_slice(&command));
	buf_free(&command);
}

/* ---- who we are -------------------------------------------------------------------------- */

static void be_ready(struct redis *r)
{
	r->state = REDIS_READY;
	await_reply(r);
	r->setup.on_ready(r->setup.owner);
}

static bool is_error(const struct resp_value *v)
{
	return v->type == RESP_ERROR;
}

static void lose_by(struct redis *r, const char *what, const struct resp_value *v)
{
	char why[160];

	snprintf(why, sizeof why, "%s: %.*s", what, slice_int_len(v->text) < 100 ? slice_int_len(v->text) : 100,
		 v->text.at ? v->text.at : "");
	lose(r, why);
}

static void on_select(struct redis_call *c, const struct resp_value *v)
{
	struct redis *r = CONTAINER_OF(c, struct redis, select);

	if (v && is_error(v))
		lose_by(r, "the database cannot be selected", v);
	else if (v)
		be_ready(r);
}

static void select_database(struct redis *r)
{
	char number[16];

	snprintf(number, sizeof number, "%u", r->setup.database);
	if (!r->setup.database) {
		be_ready(r);
		return;
	}
	r->select.done = on_select;
	redis_call(r, &r->select, (const struct slice[]){ S("SELECT"), slice_of(number) }, 2);
}

static void on_plain_auth(struct redis_call *c, const struct resp_value *v)
{
	struct redis *r = CONTAINER_OF(c, struct redis, plain_auth);

	if (v && is_error(v))
		lose_by(r, "it refuses who we are", v);
	else if (v)
		select_database(r);
}

/* Servers before version 6, and sentinels of that age, know no HELLO. */
static void auth_plainly(struct redis *r)
{
	const struct slice words[] = { S("AUTH"), r->setup.user.len ? r->setup.user : r->setup.password,
				       r->setup.password };

	if (!r->setup.password.len) {
		select_database(r);
		return;
	}
	r->plain_auth.done = on_plain_auth;
	redis_call(r, &r->plain_auth, words, r->setup.user.len ? 3 : 2);
}

static void on_hello(struct redis_call *c, const struct resp_value *v)
{
	struct redis *r = CONTAINER_OF(c, struct redis, hello);

	if (!v)
		return;
	if (!is_error(v))
		select_database(r);
	else if (slice_find_nocase(v->text, S("unknown command")) != SLICE_NOT_FOUND ||
		 slice_starts(v->text, S("NOPROTO")))
		auth_plainly(r);
	else
		lose_by(r, "it refuses who we are", v);
}

static void greet(struct redis *r)
{
	struct slice words[7] = { S("HELLO"), S("3") };
	size_t n = 2;

	r->state = REDIS_GREETING;
	if (r->setup.password.len) {
		words[n++] = S("AUTH");
		words[n++] = r->setup.user.len ? r->setup.user : S("default");
		words[n++] = r->setup.password;
	}
	r->hello.done = on_hello;
	redis_call(r, &r->hello, words, n);
}

/* ---- the stream ------------------------------------------------------------------------------ */

static void take_reply(struct redis *r, const struct resp_value *v)
{
	struct redis_call *c;

	if (v->type == RESP_PUSH)
		return;                 /* news that nobody asked for */
	if (list_empty(&r->calls)) {
		lose(r, "it sent what was not asked for");
		return;
	}
	c = CONTAINER_OF(list_first(&r->calls), struct redis_call, link);
	list_remove(&r->calls, &c->link);
	await_reply(r);
	c->done(c, v);
}

static void on_data(void *owner, struct slice bytes)
{
	struct redis *r = owner;

	for (;;) {
		struct arena *arena = arena_create(0);
		struct resp_value v;
		enum resp_step step = resp_feed(&r->reader, &bytes, arena, &v);

		if (step == RESP_VALUE)
			take_reply(r, &v);
		arena_free(arena);
		if (step == RESP_BROKEN)
			lose(r, "it does not speak RESP");
		/* Whoever was told may have closed it: it is buried later. */
		if (step != RESP_VALUE || r->state == REDIS_LOST)
			return;
	}
}

static void try_address(struct redis *r);

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	struct redis *r = owner;

	(void)why;
	if (r->state == REDIS_CONNECTING && r->address + 1 < r->resolve.count) {
		io_close(r->stream, IO_CLOSE_NOW);
		r->stream = NULL;
		r->address++;
		try_address(r);
		return;
	}
	lose(r, text);
}

static void on_end(void *owner)
{
	lose(owner, "it closed the connection");
}

static void on_open(void *owner)
{
	struct redis *r = owner;

	if (r->state == REDIS_CONNECTING && r->setup.tls) {
		r->state = REDIS_SECURING;
		io_stream_tls(r->stream, r->setup.tls, r->setup.host);
		return;
	}
	greet(r);
}

static const struct io_stream_events events = {
	.on_open = on_open, .on_data = on_data, .on_end = on_end, .on_broken = on_broken,
};

static void try_address(struct redis *r)
{
	r->state = REDIS_CONNECTING;
	r->stream = io_connect(r->setup.io, &r->resolve.addrs[r->address], &events, r);
}

static void on_resolved(struct io_resolve *resolve)
{
	struct redis *r = CONTAINER_OF(resolve, struct redis, resolve);

	r->state = REDIS_CONNECTING;
	if (!resolve->count)
		lose(r, resolve->why ? resolve->why : "its name has no address");
	else
		try_address(r);
}

static void on_limit(struct io_timer *t, mono_ms now)
{
	struct redis *r = CONTAINER_OF(t, struct redis, limit);

	(void)now;
	if (r->state == REDIS_RESOLVING)
		io_resolve_cancel(r->setup.io, &r->resolve);
	lose(r, r->state == REDIS_READY ? "it does not reply" : "it cannot be reached in time");
}

struct redis *redis_open(const struct redis_setup *setup)
{
	struct redis *r = calloc(1, sizeof *r);

	must(r != NULL);
	r->setup = *setup;
	list_init(&r->calls);
	resp_init(&r->reader, REPLY_BYTES_MAX);
	r->limit.fire = on_limit;
	r->resolve.done = on_resolved;
	io_timer_set(setup->io, &r->limit, mono_after(io_now(setup->io), setup->connect_ms));
	io_resolve_start(setup->io, &r->resolve, setup->host, setup->port);
	return r;
}
