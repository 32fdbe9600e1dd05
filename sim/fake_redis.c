/* fake_redis.c: strings that live for a while, streams, and blocked readers. */
#include "sim/fake_redis.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/list.h"
#include "base/map.h"
#include "sim/sim.h"
#include "wire/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADDRESSES_MAX 8
#define STREAMS_MAX 4
#define REPLY_MAX ((size_t)64 << 20)

struct value {
	struct slice bytes;           /* malloc'd */
	mono_ms until;
};

/* One line of a stream: its id and its words, as a reply has them. */
struct line {
	struct line *next;
	uint64_t ms, number;
	struct buf reply;             /* "*2 id *n words" */
};

struct stream {
	struct slice name;            /* malloc'd */
	struct line *first, **last;
	size_t count;
	uint64_t ms, number;          /* of the newest */
};

struct fake_redis {
	struct io *io;
	struct io_socket *sockets[ADDRESSES_MAX];
	struct io_listener *listeners[ADDRESSES_MAX];
	size_t count;
	struct list clients;
	struct map *values;
	struct stream streams[STREAMS_MAX];
	size_t stream_count;
	int64_t delay_ms;
	bool full;
	unsigned commands;
};

/* A reply on its way. */
struct reply {
	struct link link;
	struct io_timer timer;
	struct client *client;
	struct buf bytes;
};

struct client {
	struct fake_redis *r;
	struct link link;
	struct io_stream *stream;
	struct resp reader;
	struct list replies;
	/* XREAD BLOCK: */
	bool blocked;
	struct io_timer block;
	struct slice names[STREAMS_MAX];      /* malloc'd */
	uint64_t ms[STREAMS_MAX], number[STREAMS_MAX];
	size_t name_count;
	struct io_grave grave;
};

/* ---- values -------------------------------------------------------------------------- */

static struct slice keep(struct slice s)
{
	char *at = malloc(s.len + 1);

	must(at != NULL);
	if (s.len)
		memcpy(at, s.at, s.len);
	return (struct slice){ at, s.len };
}

static void drop(struct slice s)
{
	free((char *)(uintptr_t)s.at);
}

static void value_free(struct value *v)
{
	if (!v)
		return;
	drop(v->bytes);
	free(v);
}

static struct value *value_of(struct fake_redis *r, struct slice name)
{
	struct value *v = map_get(r->values, name);

	if (v && v->until <= io_now(r->io)) {
		map_remove(r->values, name);
		value_free(v);
		v = NULL;
	}
	return v;
}

static void values_free(struct fake_redis *r)
{
	size_t cursor = 0;
	struct slice name;
	void *v;

	while (map_next(r->values, &cursor, &name, &v))
		value_free(v);
	map_free(r->values);
	r->values = map_create(1);
}

static struct stream *stream_of(struct fake_redis *r, struct slice name, bool make)
{
	struct stream *s;

	for (size_t i = 0; i < r->stream_count; i++)
		if (slice_eq(r->streams[i].name, name))
			return &r->streams[i];
	if (!make)
		return NULL;
	must(r->stream_count < STREAMS_MAX);
	s = &r->streams[r->stream_count++];
	*s = (struct stream){ .name = keep(name) };
	s->last = &s->first;
	return s;
}

static void streams_free(struct fake_redis *r)
{
	for (size_t i = 0; i < r->stream_count; i++) {
		for (struct line *l = r->streams[i].first, *next; l; l = next) {
			next = l->next;
			buf_free(&l->reply);
			free(l);
		}
		drop(r->streams[i].name);
	}
	r->stream_count = 0;
}

/* ---- replies ----------------------------------------------------------------------------- */

static void on_reply(struct io_timer *t, mono_ms now)
{
	struct reply *p = CONTAINER_OF(t, struct reply, timer);
	struct slice bytes = buf_slice(&p->bytes);

	(void)now;
	io_write(p->client->stream, &bytes, 1);
	list_remove(&p->client->replies, &p->link);
	buf_free(&p->bytes);
	free(p);
}

static void say(struct client *c, struct buf *bytes)
{
	struct fake_redis *r = c->r;
	struct reply *p;

	if (r->delay_ms < 0) {
		buf_free(bytes);
		return;
	}
	p = calloc(1, sizeof *p);
	must(p != NULL);
	p->client = c;
	p->bytes = *bytes;
	p->timer.fire = on_reply;
	list_append(&c->replies, &p->link);
	io_timer_set(r->io, &p->timer, mono_after(io_now(r->io), r->delay_ms));
}

static void put_bulk(struct buf *b, struct slice s)
{
	buf_putf(b, "$%zu\r\n", s.len);
	buf_put(b, s);
	buf_puts(b, "\r\n");
}

static void put_lines(struct buf *b, const struct stream *s, uint64_t ms, uint64_t number)
{
	size_t count = 0;

	for (const struct line *l = s ? s->first : NULL; l; l = l->next)
		count += l->ms > ms || (l->ms == ms && l->number > number);
	buf_putf(b, "*%zu\r\n", count);
	for (const struct line *l = s ? s->first : NULL; l; l = l->next)
		if (l->ms > ms || (l->ms == ms && l->number > number))
			buf_put(b, buf_slice(&l->reply));
}

/* ---- blocked readers ------------------------------------------------------------------------ */

static bool is_behind(const struct client *c, size_t i, const struct stream *s)
{
	return s && (s->ms > c->ms[i] || (s->ms == c->ms[i] && s->number > c->number[i]));
}

static void unblock(struct client *c)
{
	io_timer_clear(c->r->io, &c->block);
	c->blocked = false;
	for (size_t i = 0; i < c->name_count; i++)
		drop(c->names[i]);
	c->name_count = 0;
}

/* False: there is nothing for it yet. */
static bool serve_blocked(struct client *c)
{
	struct buf out = BUF_INIT(REPLY_MAX);
	size_t behind = 0;

	for (size_t i = 0; i < c->name_count; i++)
		behind += is_behind(c, i, stream_of(c->r, c->names[i], false));
	if (!behind)
		return false;
	buf_putf(&out, "%%%zu\r\n", behind);
	for (size_t i = 0; i < c->name_count; i++) {
		struct stream *s = stream_of(c->r, c->names[i], false);

		if (!is_behind(c, i, s))
			continue;
		put_bulk(&out, c->names[i]);
		put_lines(&out, s, c->ms[i], c->number[i]);
	}
	unblock(c);
	say(c, &out);
	return true;
}

static void on_block_over(struct io_timer *t, mono_ms now)
{
	struct client *c = CONTAINER_OF(t, struct client, block);
	struct buf out = BUF_INIT(64);

	(void)now;
	buf_puts(&out, "_\r\n");
	unblock(c);
	say(c, &out);
}

static void serve_all_blocked(struct fake_redis *r)
{
	LIST_EACH(&r->clients, l, after) {
		struct client *c = CONTAINER_OF(l, struct client, link);

		if (c->blocked)
			serve_blocked(c);
	}
}

/* ---- commands -------------------------------------------------------------------------------- */

struct command {
	struct client *c;
	const struct resp_value *words;
	size_t count;
	struct buf *out;
};

static struct slice word(const struct command *m, size_t i)
{
	return i < m->count ? m->words[i].text : SLICE_NONE;
}

static void set(const struct command *m)
{
	struct fake_redis *r = m->c->r;
	struct value *v;
	int64_t lives = 0;

	if (r->full) {
		buf_puts(m->out, "-OOM command not allowed when used memory > 'maxmemory'.\r\n");
		return;
	}
	if (slice_eq(word(m, 5), S("NX")) && value_of(r, word(m, 1))) {
		buf_puts(m->out, "_\r\n");
		return;
	}
	v = calloc(1, sizeof *v);
	must(v != NULL);
	must(slice_eq(word(m, 3), S("PX")));
	must(slice_to_i64(word(m, 4), &lives));
	v->bytes = keep(word(m, 2));
	v->until = mono_after(io_now(r->io), lives);
	value_free(map_set(r->values, word(m, 1), v));
	buf_puts(m->out, "+OK\r\n");
}

/* Drops a value that is still the caller's. */
static void drop_own(const struct command *m)
{
	struct value *v = value_of(m->c->r, word(m, 3));
	bool own = v && slice_eq(v->bytes, word(m, 4));

	if (own)
		value_free(map_remove(m->c->r->values, word(m, 3)));
	buf_putf(m->out, ":%d\r\n", own);
}

/* What all have left of a minute's worth; kept as the text "at left left". */
static void count_down(const struct command *m)
{
	struct fake_redis *r = m->c->r;
	struct value *v = value_of(r, word(m, 3));
	long long at = io_now(r->io), left[2], most[2], taken[2];
	char text[96];

	for (size_t i = 0; i < 2; i++) {
		most[i] = strtoll(word(m, 4 + i).at, NULL, 10);
		taken[i] = strtoll(word(m, 6 + i).at, NULL, 10);
		left[i] = most[i] * 1000;
	}
	if (v)
		must(sscanf(v->bytes.at, "%lld %lld %lld", &at, &left[0], &left[1]) == 3);
	for (size_t i = 0; i < 2; i++) {
		left[i] += (io_now(r->io) - at) * most[i] / 60;
		left[i] = left[i] > most[i] * 1000 ? most[i] * 1000 : left[i];
		left[i] -= taken[i] * 1000;
		left[i] = left[i] < -most[i] * 1000 ? -most[i] * 1000 : left[i];
	}
	v = calloc(1, sizeof *v);
	must(v != NULL);
	snprintf(text, sizeof text, "%lld %lld %lld", (long long)io_now(r->io), left[0], left[1]);
	v->bytes = keep((struct slice){ text, strlen(text) + 1 });
	v->until = mono_after(io_now(r->io), 180000);
	value_free(map_set(r->values, word(m, 3), v));
	buf_putf(m->out, "*2\r\n:%lld\r\n:%lld\r\n", left[0], left[1]);
}

/* Is it one of the words from the `first` on? */
static bool is_word(const struct command *m, size_t first, struct slice what)
{
	for (size_t i = first; i < m->count; i++)
		if (slice_eq(word(m, i), what))
			return true;
	return false;
}

/* Of a hash, kept as the lines "name time value": all but those names that the words
 * from the `first` on say, and one more, into `out`. */
static void lines_without(const struct command *m, struct slice key, struct slice name, size_t first,
			  struct buf *out)
{
	struct value *v = value_of(m->c->r, key);
	struct slice rest = v ? v->bytes : SLICE_NONE, line, id, value;

	while (slice_cut(rest, '\n', &line, &rest))
		if (slice_cut(line, ' ', &id, &value) && !slice_eq(id, name) && !is_word(m, first, id))
			buf_putf(out, "%.*s\n", SLICE_ARG(line));
}

static void keep_lines(const struct command *m, struct slice key, struct buf *lines, int64_t lives)
{
	struct value *v = calloc(1, sizeof *v);

	must(v != NULL);
	v->bytes = keep(buf_slice(lines));
	v->until = mono_after(io_now(m->c->r->io), lives);
	value_free(map_set(m->c->r->values, key, v));
	buf_free(lines);
}

/* Writes a node's line and tells those of the others. */
static void meet(const struct command *m)
{
	struct buf lines = BUF_INIT(1 << 20), told = BUF_INIT(1 << 20);
	struct slice rest, line, id, at, text;
	int64_t now = io_now(m->c->r->io), lives = 0, then = 0, before = -1;
	struct value *v = value_of(m->c->r, word(m, 3));
	size_t count = 0;

	must(slice_to_i64(word(m, 6), &lives));
	for (rest = v ? v->bytes : SLICE_NONE; slice_cut(rest, '\n', &line, &rest);) {
		must(slice_cut(line, ' ', &id, &text) && slice_cut(text, ' ', &at, &text));
		must(slice_to_i64(at, &then));
		if (slice_eq(id, word(m, 4)))
			before = now - then;
		if (slice_eq(id, word(m, 4)) || is_word(m, 9, id))
			continue;
		put_bulk(&told, id);
		buf_putf(&told, ":%lld\r\n", (long long)(now - then));
		put_bulk(&told, text);
		count++;
	}
	lines_without(m, word(m, 3), word(m, 4), 9, &lines);
	buf_putf(&lines, "%.*s %lld %.*s\n", SLICE_ARG(word(m, 4)), (long long)now, SLICE_ARG(word(m, 5)));
	keep_lines(m, word(m, 3), &lines, lives);
	buf_putf(m->out, "*%zu\r\n:%lld\r\n:%zu\r\n", 2 + 3 * count, (long long)before, count);
	buf_put(m->out, buf_slice(&told));
	buf_free(&told);
}

static void part(const struct command *m)
{
	struct value *v = value_of(m->c->r, word(m, 1));
	struct buf lines = BUF_INIT(1 << 20);

	lines_without(m, word(m, 1), word(m, 2), 2, &lines);
	if (v)
		keep_lines(m, word(m, 1), &lines, v->until - io_now(m->c->r->io));
	buf_puts(m->out, ":1\r\n");
}

/* The scripts there are: a value and what is left of its time; and those above. */
static void eval(const struct command *m)
{
	struct value *v = value_of(m->c->r, word(m, 3));

	if (slice_find_slice(word(m, 1), S("HGETALL")) != SLICE_NOT_FOUND) {
		meet(m);
		return;
	}
	if (slice_find_slice(word(m, 1), S("DEL")) != SLICE_NOT_FOUND) {
		drop_own(m);
		return;
	}
	if (slice_find_slice(word(m, 1), S("HMGET")) != SLICE_NOT_FOUND) {
		count_down(m);
		return;
	}
	if (!v) {
		buf_puts(m->out, "_\r\n");
		return;
	}
	buf_puts(m->out, "*2\r\n");
	put_bulk(m->out, v->bytes);
	buf_putf(m->out, ":%lld\r\n", (long long)(v->until - io_now(m->c->r->io)));
}

static void xadd(const struct command *m)
{
	struct fake_redis *r = m->c->r;
	struct stream *s = stream_of(r, word(m, 1), true);
	struct line *l = calloc(1, sizeof *l);
	uint64_t ms = (uint64_t)io_now(r->io);
	char id[48];

	must(l != NULL);
	s->number = ms == s->ms ? s->number + 1 : 0;
	s->ms = ms;
	l->ms = s->ms;
	l->number = s->number;
	l->reply = BUF_INIT(1 << 16);
	snprintf(id, sizeof id, "%llu-%llu", (unsigned long long)l->ms, (unsigned long long)l->number);
	buf_puts(&l->reply, "*2\r\n");
	put_bulk(&l->reply, slice_of(id));
	buf_putf(&l->reply, "*%zu\r\n", m->count - 6);
	for (size_t i = 6; i < m->count; i++)   /* XADD name MAXLEN ~ N * ... */
		put_bulk(&l->reply, word(m, i));
	*s->last = l;
	s->last = &l->next;
	s->count++;
	put_bulk(m->out, slice_of(id));
}

static void xrevrange(const struct command *m)
{
	struct stream *s = stream_of(m->c->r, word(m, 1), false);
	struct line *newest = s ? s->first : NULL;

	while (newest && newest->next)
		newest = newest->next;
	buf_putf(m->out, "*%d\r\n", newest ? 1 : 0);
	if (newest)
		buf_put(m->out, buf_slice(&newest->reply));
}

/* XREAD COUNT N BLOCK MS STREAMS names places; true: the reply comes later. */
static void xread(const struct command *m)
{
	struct client *c = m->c;
	size_t streams = (m->count - 6) / 2;
	int64_t block_ms = 0;

	must(streams <= STREAMS_MAX);
	must(slice_to_i64(word(m, 4), &block_ms));
	for (size_t i = 0; i < streams; i++) {
		struct slice at = word(m, 6 + streams + i), ms = SLICE_NONE, number = SLICE_NONE;

		must(slice_cut(at, '-', &ms, &number));
		must(slice_to_u64(ms, &c->ms[i]));
		must(slice_to_u64(number, &c->number[i]));
		c->names[i] = keep(word(m, 6 + i));
	}
	c->name_count = streams;
	c->blocked = true;
	if (!serve_blocked(c))
		io_timer_set(c->r->io, &c->block, mono_after(io_now(c->r->io), block_ms));
}

static void do_command(struct client *c, const struct resp_value *v)
{
	struct buf out = BUF_INIT(REPLY_MAX);
	const struct command m = { c, v->items, v->count, &out };
	struct slice name = word(&m, 0);

	c->r->commands++;
	if (slice_eq(name, S("HELLO"))) {
		buf_puts(&out, "%1\r\n+proto\r\n:3\r\n");
	} else if (slice_eq(name, S("SET"))) {
		set(&m);
	} else if (slice_eq(name, S("EVAL"))) {
		eval(&m);
	} else if (slice_eq(name, S("HDEL"))) {
		part(&m);
	} else if (slice_eq(name, S("XADD"))) {
		xadd(&m);
	} else if (slice_eq(name, S("XRANGE"))) {
		put_lines(&out, stream_of(c->r, word(&m, 1), false), 0, 0);
	} else if (slice_eq(name, S("XREVRANGE"))) {
		xrevrange(&m);
	} else if (slice_eq(name, S("XREAD"))) {
		xread(&m);
		return;
	} else {
		buf_puts(&out, "-ERR unknown command\r\n");
	}
	say(c, &out);
	serve_all_blocked(c->r);
}

/* ---- connections ------------------------------------------------------------------------------- */

static void bury(struct io_grave *g)
{
	struct client *c = CONTAINER_OF(g, struct client, grave);

	resp_free(&c->reader);
	free(c);
}

static void end_client(struct client *c)
{
	io_close(c->stream, IO_CLOSE_NOW);
	if (c->blocked)
		unblock(c);
	LIST_EACH(&c->replies, l, after) {
		struct reply *p = CONTAINER_OF(l, struct reply, link);

		io_timer_clear(c->r->io, &p->timer);
		list_remove(&c->replies, l);
		buf_free(&p->bytes);
		free(p);
	}
	list_remove(&c->r->clients, &c->link);
	c->grave.bury = bury;
	io_bury(c->r->io, &c->grave);
}

static void on_data(void *owner, struct slice bytes)
{
	struct client *c = owner;
	struct arena *arena = arena_create(0);
	struct resp_value v;

	while (resp_feed(&c->reader, &bytes, arena, &v) == RESP_VALUE)
		do_command(c, &v);
	arena_free(arena);
}

static void on_end(void *owner)
{
	end_client(owner);
}

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	(void)why, (void)text;
	end_client(owner);
}

static const struct io_stream_events events = { .on_data = on_data, .on_end = on_end, .on_broken = on_broken };

static void on_accept(void *owner, struct io_stream *s, const struct io_addr *peer)
{
	struct fake_redis *r = owner;
	struct client *c = calloc(1, sizeof *c);

	(void)peer;
	must(c != NULL);
	c->r = r;
	c->stream = s;
	resp_init(&c->reader, REPLY_MAX);
	list_init(&c->replies);
	c->block.fire = on_block_over;
	list_append(&r->clients, &c->link);
	io_stream_adopt(s, &events, c);
}

/* ---- life ------------------------------------------------------------------------------------------ */

struct fake_redis *fake_redis_create(struct io *io, const struct io_addr *at, size_t at_count)
{
	struct fake_redis *r = calloc(1, sizeof *r);

	must(r != NULL);
	must(at_count <= ADDRESSES_MAX);
	r->io = io;
	r->count = at_count;
	r->values = map_create(1);
	list_init(&r->clients);
	for (size_t i = 0; i < at_count; i++) {
		r->sockets[i] = io_socket_open(&at[i], NULL, 0);
		r->listeners[i] = io_listen(io, r->sockets[i], NULL, on_accept, r);
	}
	return r;
}

void fake_redis_slow(struct fake_redis *r, int64_t delay_ms)
{
	r->delay_ms = delay_ms;
}

void fake_redis_full(struct fake_redis *r, bool full)
{
	r->full = full;
}

void fake_redis_empty(struct fake_redis *r)
{
	values_free(r);
	streams_free(r);
}

unsigned fake_redis_names(struct fake_redis *r)
{
	return (unsigned)map_count(r->values);
}

unsigned fake_redis_commands(const struct fake_redis *r)
{
	return r->commands;
}

void fake_redis_free(struct fake_redis *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->count; i++)
		io_listener_close(r->listeners[i]);
	LIST_EACH(&r->clients, l, after)
		end_client(CONTAINER_OF(l, struct client, link));
	sim_run_for(sim_io_world(r->io), 1);
	for (size_t i = 0; i < r->count; i++)
		io_socket_close(r->sockets[i]);
	values_free(r);
	map_free(r->values);
	streams_free(r);
	free(r);
}
