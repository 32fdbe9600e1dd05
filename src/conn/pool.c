#include "conn/pool.h"
#include "conn/upstream_inside.h"

#include <stdlib.h>
#include <string.h>

struct bucket {
	struct upstream_pool *pool;
	struct list idle;
	struct io_timer expiry;       /* when the oldest has been idle for too long */
	struct io_grave grave;
	struct slice key, host;       /* in text[] */
	char text[];
};

/* ---- connections ---------------------------------------------------------------------- */

static void conn_bury(struct io_grave *g)
{
	free(CONTAINER_OF(g, struct upstream_conn, grave));
}

/* The name whose look-up gave a connection its address. */
static struct slice dialled_host(const struct origin *o)
{
	return o->proxy ? o->proxy->host : o->host;
}

struct upstream_conn *pool_conn_create(struct upstream_pool *p, const struct origin *origin,
				       struct io_stream *s, const struct io_addr *addr)
{
	struct slice host = dialled_host(origin);
	size_t addr_bytes = io_addr_bytes(addr);
	struct upstream_conn *c = calloc(1, sizeof *c + addr_bytes + origin->key.len + host.len);
	char *text;

	must(c != NULL);
	text = c->text + addr_bytes;
	c->pool = p;
	c->stream = s;
	memcpy(c->text, addr, addr_bytes);
	c->addr_bytes = (uint8_t)addr_bytes;
	c->idle_ms = origin->idle_ms;
	c->idle_max = origin->idle_max;
	if (origin->key.len > 0)
		memcpy(text, origin->key.at, origin->key.len);
	if (host.len > 0)
		memcpy(text + origin->key.len, host.at, host.len);
	c->key = (struct slice){ text, origin->key.len };
	c->host = (struct slice){ text + origin->key.len, host.len };
	p->counters.open++;
	return c;
}

struct io_addr pool_conn_addr(const struct upstream_conn *c)
{
	return io_addr_from(c->text, c->addr_bytes);
}

/* Does its name still lead there? */
static bool is_right(const struct upstream_conn *c)
{
	struct io_addr addr = pool_conn_addr(c);

	return names_still_has(c->pool->names, c->host, &addr);
}

void pool_conn_close(struct upstream_conn *c, enum io_close how)
{
	struct upstream_pool *p = c->pool;

	must(c->stream != NULL);
	must(p->counters.open > 0);
	if (c->bucket) {
		list_remove(&c->bucket->idle, &c->link);
		p->counters.idle--;
		c->bucket = NULL;
	}
	p->counters.open--;
	io_close(c->stream, how);
	c->stream = NULL;
	c->grave.bury = conn_bury;
	io_bury(p->io, &c->grave);
}

/* ---- what idle connections say ------------------------------------------------------------ */

static void on_idle_data(void *owner, struct slice bytes)
{
	struct upstream_conn *c = owner;
	struct io_addr addr = pool_conn_addr(c);
	char text[IO_ADDR_TEXT_MAX];

	c->pool->counters.junk_discards++;
	log_line(c->pool->log, LOG_INFO, "junk_on_idle_connection", "peer=%s bytes=%zu",
		 io_addr_text(&addr, text), bytes.len);
	pool_conn_close(c, IO_CLOSE_NOW);
}

static void on_idle_end(void *owner)
{
	pool_conn_close(owner, IO_CLOSE_NOW);
}

static void on_idle_broken(void *owner, enum io_broken why, const char *text)
{
	(void)why;
	(void)text;
	pool_conn_close(owner, IO_CLOSE_NOW);
}

static const struct io_stream_events idle_events = {
	.on_data = on_idle_data,
	.on_end = on_idle_end,
	.on_broken = on_idle_broken,
};

/* ---- buckets -------------------------------------------------------------------------------- */

static void bucket_bury(struct io_grave *g)
{
	free(CONTAINER_OF(g, struct bucket, grave));
}

static void bucket_end(struct bucket *b)
{
	must(list_empty(&b->idle));
	io_timer_clear(b->pool->io, &b->expiry);
	map_remove(b->pool->buckets, b->key);
	b->grave.bury = bucket_bury;
	io_bury(b->pool->io, &b->grave);
}

static struct upstream_conn *oldest(const struct bucket *b)
{
	struct link *last = list_last(&b->idle);

	return last ? CONTAINER_OF(last, struct upstream_conn, link) : NULL;
}

/* One timer for all of a bucket: it is set again only when it has fired, so
 * that taking and putting cost nothing here. */
static void on_expiry(struct io_timer *t, mono_ms now)
{
	struct bucket *b = CONTAINER_OF(t, struct bucket, expiry);
	struct upstream_conn *c;

	while ((c = oldest(b)) && c->idle_until <= now)
		pool_conn_close(c, IO_CLOSE_NOW);
	if (c)
		io_timer_set(b->pool->io, t, c->idle_until);
	else
		bucket_end(b);
}

static struct bucket *bucket_for(struct upstream_conn *c)
{
	struct bucket *b = map_get(c->pool->buckets, c->key);

	if (b)
		return b;
	b = calloc(1, sizeof *b + c->key.len + c->host.len);
	must(b != NULL);
	b->pool = c->pool;
	b->expiry.fire = on_expiry;
	list_init(&b->idle);
	memcpy(b->text, c->key.at, c->key.len + c->host.len);
	b->key = (struct slice){ b->text, c->key.len };
	b->host = (struct slice){ b->text + c->key.len, c->host.len };
	map_set(c->pool->buckets, b->key, b);
	return b;
}

void pool_put(struct upstream_conn *c)
{
	struct upstream_pool *p = c->pool;
	struct bucket *b;

	must(c->bucket == NULL);
	if (c->idle_max == 0 || c->idle_ms <= 0 || !is_right(c)) {
		pool_conn_close(c, IO_CLOSE_NOW);
		return;
	}
	b = bucket_for(c);
	if (b->idle.count >= c->idle_max)
		pool_conn_close(oldest(b), IO_CLOSE_NOW);
	c->bucket = b;
	c->reused = true;
	c->idle_until = mono_after(io_now(p->io), c->idle_ms);
	list_prepend(&b->idle, &c->link);
	p->counters.idle++;
	io_stream_adopt(c->stream, &idle_events, c);
	if (b->expiry.node.at == 0)
		io_timer_set(p->io, &b->expiry, c->idle_until);
}

struct upstream_conn *pool_take(struct upstream_pool *p, const struct origin *origin)
{
	struct bucket *b = map_get(p->buckets, origin->key);
	mono_ms now = io_now(p->io);

	if (!b || list_empty(&b->idle))
		return NULL;
	names_refresh(p->names, b->host);
	while (!list_empty(&b->idle)) {
		struct upstream_conn *c =
			CONTAINER_OF(list_first(&b->idle), struct upstream_conn, link);

		if (c->idle_until <= now || !is_right(c)) {
			pool_conn_close(c, IO_CLOSE_NOW);
			continue;
		}
		list_remove(&b->idle, &c->link);
		c->bucket = NULL;
		p->counters.idle--;
		p->counters.reuses++;
		return c;
	}
	return NULL;
}

/* The answer for `host` has changed (catalogue N05). */
static void on_names_changed(void *owner, struct slice host)
{
	struct upstream_pool *p = owner;
	size_t cursor = 0;
	struct slice key;
	void *value;

	while (map_next(p->buckets, &cursor, &key, &value)) {
		struct bucket *b = value;

		if (!slice_eq_nocase(b->host, host))
			continue;
		LIST_EACH(&b->idle, n, after) {
			struct upstream_conn *c = CONTAINER_OF(n, struct upstream_conn, link);

			if (!is_right(c))
				pool_conn_close(c, IO_CLOSE_NOW);
		}
	}
}

/* ---- the pool ----------------------------------------------------------------------------------- */

struct upstream_pool *upstream_pool_create(struct io *io, const struct log *log)
{
	struct upstream_pool *p = calloc(1, sizeof *p);

	must(p != NULL);
	p->io = io;
	p->log = log;
	p->names = names_create(io, log);
	p->buckets = map_create(io_random(io));
	list_init(&p->calls);
	names_watch(p->names, on_names_changed, p);
	return p;
}

void upstream_pool_flush(struct upstream_pool *p)
{
	size_t cursor = 0;
	struct slice key;
	void *value;

	while (map_next(p->buckets, &cursor, &key, &value)) {
		struct bucket *b = value;

		while (!list_empty(&b->idle))
			pool_conn_close(oldest(b), IO_CLOSE_NOW);
	}
}

static void pool_bury(struct io_grave *g)
{
	free(CONTAINER_OF(g, struct upstream_pool, grave));
}

void upstream_pool_free(struct upstream_pool *p)
{
	size_t cursor;
	struct slice key;
	void *value;

	call_close_released(p);
	must(list_empty(&p->calls));
	upstream_pool_flush(p);
	while (cursor = 0, map_next(p->buckets, &cursor, &key, &value))
		bucket_end(value);
	map_free(p->buckets);
	names_free(p->names);
	p->grave.bury = pool_bury;
	io_bury(p->io, &p->grave);
}

const struct upstream_counters *upstream_pool_counters(const struct upstream_pool *p)
{
	return &p->counters;
}
