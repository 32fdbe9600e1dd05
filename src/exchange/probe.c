/* Looks at targets from outside, where the config asks for it and no request
 * tells how they are doing. All workers look; route/ sees to it that only one
 * does at a time. */
#include "exchange/exchange.h"

#include "base/check.h"
#include "conn/pool.h"
#include "conn/dial.h"
#include "dialect/codec.h"
#include "route/target.h"
#include "wire/json.h"

#include <stdlib.h>

#define TICK_MS 250
#define LOOK_BODY_MAX ((size_t)1024 * 1024)

struct prober {
	struct exchanges *all;
	struct io_timer tick;
	struct list looks;
};

/* One look at one target. */
struct look {
	struct prober *prober;
	struct link link;
	struct config *config;
	const struct target_policy *target;
	const struct model_policy *model;
	mono_ms began_at;
	struct upstream_call *call;   /* at most one of these two */
	struct dial *dial;
	struct upstream_request request;
	struct buf path, headers, body;
	struct slice body_part;
	struct io_timer limit;
	struct io_grave grave;
	int status;
	bool unsaid;                  /* it had no credential to show */
};

static struct io *io_of(const struct look *l)
{
	return l->prober->all->setup.io;
}

/* ---- the end of a look ---------------------------------------------------------- */

static void bury(struct io_grave *grave)
{
	struct look *l = CONTAINER_OF(grave, struct look, grave);

	buf_free(&l->path);
	buf_free(&l->headers);
	buf_free(&l->body);
	config_give(l->config);
	free(l);
}

static void drop(struct look *l)
{
	if (l->call)
		upstream_cancel(l->call);
	if (l->dial)
		dial_cancel(l->dial);
	l->call = NULL;
	l->dial = NULL;
	io_timer_clear(io_of(l), &l->limit);
	list_remove(&l->prober->looks, &l->link);
	l->grave.bury = bury;
	io_bury(io_of(l), &l->grave);
}

static void finish(struct look *l, enum fault fault)
{
	const struct log *log = l->prober->all->setup.log;
	mono_ms now = io_now(io_of(l));
	unsigned news = target_probe_seen(l->target->state, l->model, now, io_random(io_of(l)),
					  l->began_at, fault);

	log_line(log, LOG_DEBUG, "probe", "target=%.*s fault=%s status=%d took_ms=%lld",
		 SLICE_ARG(l->target->name), fault_row(fault)->name, l->status,
		 (long long)(now - l->began_at));
	if (l->prober->all->setup.on_look)
		l->prober->all->setup.on_look(l->prober->all->setup.owner, l->target->name, fault);
	if (news)
		log_line(log, LOG_WARN, news & NEWS_MACHINE_OPENED ? "machine_open" : "breaker_open",
			 "id= target=%.*s backend=%.*s why=\"probes\" fault=%s in_ms=-1",
			 SLICE_ARG(l->target->name), SLICE_ARG(l->target->backend->name),
			 fault_row(fault)->name);
	drop(l);
}

/* What a status says of the target: a path must be fine; an API that answers at
 * all, be it that the key may not list models, is alive. */
static enum fault judge(const struct look *l)
{
	bool good = l->status >= 200 && l->status < 300;

	if (l->target->backend->probe.kind == PROBE_HTTP)
		return good ? FAULT_NONE : FAULT_SERVER_ERROR;
	if (l->status >= 500)
		return FAULT_SERVER_ERROR;
	/* A question that is refused says nothing of what other questions will get. */
	return good || l->unsaid || l->target->backend->probe.kind == PROBE_MODELS ? FAULT_NONE : FAULT_CALLER;
}

/* ---- what the connection tells ------------------------------------------------------ */

static void on_limit(struct io_timer *timer, mono_ms now)
{
	(void)now;
	finish(CONTAINER_OF(timer, struct look, limit), FAULT_SILENCE);
}

static void on_connected(void *owner, bool reused)
{
	(void)owner;
	(void)reused;
}

static void on_head(void *owner, const struct h1_head *head)
{
	struct look *l = owner;

	l->status = head->status;
}

static void on_body(void *owner, struct slice bytes)
{
	(void)owner;
	(void)bytes;
}

static void on_end(void *owner, bool until_close)
{
	struct look *l = owner;

	(void)until_close;
	l->call = NULL;
	finish(l, judge(l));
}

static void on_fault(void *owner, enum fault why, const char *text)
{
	struct look *l = owner;

	(void)text;
	l->call = NULL;
	finish(l, why);
}

static const struct upstream_events call_events = {
	.on_connected = on_connected, .on_head = on_head, .on_body = on_body, .on_end = on_end,
	.on_fault = on_fault,
};

static void on_dialled(void *owner, struct io_stream *s, const struct io_addr *addr)
{
	struct look *l = owner;

	(void)addr;
	l->dial = NULL;
	io_close(s, IO_CLOSE_NOW);
	finish(l, FAULT_NONE);
}

static void on_dial_fault(void *owner, enum fault why, const char *text)
{
	struct look *l = owner;

	(void)text;
	l->dial = NULL;
	finish(l, why);
}

static const struct dial_events dial_events = { on_dialled, on_dial_fault };

/* ---- a look --------------------------------------------------------------------------- */

/* What the backend is talked to in; NULL: it holds no conversations. */
static const struct codec *chat_codec(const struct backend_policy *b)
{
	for (const struct codec *const *c = b->dialect->codecs; c && *c; c++)
		if ((*c)->task == CANON_CHAT && (*c)->write_request)
			return *c;
	return NULL;
}

static void write_path(struct look *l, enum probe_kind kind, const struct codec *codec)
{
	const struct backend_policy *b = l->target->backend;
	struct arena *arena = arena_create(0);
	const struct dialect_ask ask = { .codec = codec, .model = l->target->model, .vendor = b->vendor,
					 .place = b->place };

	if (kind == PROBE_HTTP) {
		buf_put(&l->path, b->probe.path);
		arena_free(arena);
		return;
	}
	buf_put(&l->path, l->target->origin->base_path);
	if (kind == PROBE_MODELS)
		buf_putf(&l->path, "%.*s/models", SLICE_ARG(b->dialect->base_tail));
	else
		buf_put(&l->path, dialect_ask_path(arena, b->dialect, &ask));
	if (b->query.len)
		buf_putf(&l->path, "%c%.*s", slice_find(buf_slice(&l->path), '?') == SLICE_NOT_FOUND ? '?' : '&',
			 SLICE_ARG(b->query));
	arena_free(arena);
}

/* Who reasons first may use it all up without a word: that is an answer. */
static void write_question(struct look *l, const struct codec *codec)
{
	const struct backend_policy *b = l->target->backend;
	const struct codec_target target = { .model = l->target->model, .vendor = b->vendor };
	struct arena *arena = arena_create(0);
	struct canon_request *r = canon_request_new(arena);
	struct canon_message *m = canon_add_message(arena, r, NULL, CANON_USER);

	canon_add_part(arena, &m->parts, NULL, CANON_PART_TEXT)->text = S("\"Say OK.\"");
	r->max_tokens = 16;
	must(codec->write_request(arena, r, &target, &l->body));
	buf_puts(&l->headers, "Content-Type: application/json\r\n");
	arena_free(arena);
}

static void write_request(struct look *l, enum probe_kind kind)
{
	const struct backend_policy *b = l->target->backend;
	const struct codec *codec = kind == PROBE_COMPLETION ? chat_codec(b) : NULL;

	write_path(l, kind, codec);
	request_fixed_headers(&l->headers, b);
	for (size_t i = 0; i < b->header_count; i++)
		h1_write_header(&l->headers, b->headers[i].name, b->headers[i].value);
	if (codec)
		write_question(l, codec);
	l->body_part = buf_slice(&l->body);
	l->request = (struct upstream_request){
		.method = kind == PROBE_COMPLETION ? S("POST") : S("GET"),
		.target = buf_slice(&l->path),
		.headers = buf_slice(&l->headers),
		.body = &l->body_part,
		.body_parts = kind == PROBE_COMPLETION ? 1 : 0,
		.has_body = kind == PROBE_COMPLETION,
		.body_max = LOOK_BODY_MAX,
	};
	/* A token that is not there yet is no reason not to look. */
	if (!request_credential(l->prober->all, l->config, b, l->target->origin, &l->request, &l->headers))
		l->unsaid = true;
	l->request.headers = buf_slice(&l->headers);
}

/* A pattern has no model of its own to ask. */
static enum probe_kind kind_for(const struct target_policy *t)
{
	if (t->backend->probe.kind == PROBE_COMPLETION &&
	    (slice_ends(t->model, S("*")) || !chat_codec(t->backend)))
		return PROBE_MODELS;
	return t->backend->probe.kind;
}

static void look_at(struct prober *p, const struct model_policy *model,
		    const struct target_policy *t, mono_ms now)
{
	struct look *l = calloc(1, sizeof *l);
	enum probe_kind kind = kind_for(t);

	must(l != NULL);
	*l = (struct look){
		.prober = p, .config = config_take(p->all->config), .target = t, .model = model,
		.began_at = now, .limit = { .fire = on_limit }, .path = BUF_INIT(16 * 1024),
		.headers = BUF_INIT(H1_HEAD_BYTES_MAX * 2), .body = BUF_INIT(16 * 1024),
	};
	list_append(&p->looks, &l->link);
	io_timer_set(io_of(l), &l->limit, mono_after(now, t->backend->probe.timeout_ms));
	if (kind == PROBE_TCP) {
		l->dial = dial_start(io_of(l), p->all->setup.pool->names, t->origin, &dial_events, l);
		return;
	}
	write_request(l, kind);
	l->call = upstream_start(p->all->setup.pool, t->origin, &l->request, &call_events, l);
}

/* ---- all of them ------------------------------------------------------------------------ */

static bool any_probes(const struct config *c)
{
	for (size_t i = 0; i < c->backend_count; i++)
		if (c->backends[i].probe.every_ms)
			return true;
	return false;
}

static void on_tick(struct io_timer *timer, mono_ms now)
{
	struct prober *p = CONTAINER_OF(timer, struct prober, tick);
	const struct config *c = p->all->config;

	for (size_t m = 0; m < c->model_count; m++) {
		for (size_t i = 0; i < c->models[m].target_count; i++) {
			const struct target_policy *t = &c->models[m].targets[i];
			int64_t every_ms = t->backend->probe.every_ms;

			if (every_ms && target_probe_due(t->state, now, every_ms))
				look_at(p, &c->models[m], t, now);
		}
	}
	io_timer_set(p->all->setup.io, &p->tick, mono_after(now, TICK_MS));
}

void prober_update(struct prober *p)
{
	struct io *io = p->all->setup.io;

	if (any_probes(p->all->config))
		io_timer_set(io, &p->tick, mono_after(io_now(io), TICK_MS));
	else
		io_timer_clear(io, &p->tick);
}

size_t prober_count(const struct prober *p)
{
	return p->looks.count;
}

struct prober *prober_create(struct exchanges *all)
{
	struct prober *p = calloc(1, sizeof *p);

	must(p != NULL);
	p->all = all;
	p->tick.fire = on_tick;
	list_init(&p->looks);
	prober_update(p);
	return p;
}

void prober_free(struct prober *p)
{
	if (!p)
		return;
	io_timer_clear(p->all->setup.io, &p->tick);
	LIST_EACH(&p->looks, link, after)
		drop(CONTAINER_OF(link, struct look, link));
	free(p);
}
