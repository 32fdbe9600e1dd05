#include "cache/shared.h"

#include "base/check.h"
#include "cache/meters.h"
#include "cache/nodes.h"
#include "cache/pack.h"
#include "cache/shared_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 256
#define HEAD_BYTES 32                 /* before the packed answer: four numbers */
#define PACK_SLACK ((size_t)64 * 1024)
#define PUT_BYTES_MAX ((size_t)16 * 1024 * 1024)      /* on their way to the store */

struct shared {
	struct store store;
	struct shared_setup setup;
	struct redis_net *net;
	struct shared_log *log;
	struct meters *meters;
	struct nodes *nodes;
	size_t put_bytes;
	bool closed;
	struct lock lock;             /* over the numbers */
	struct store_stats numbers;
};

struct getting {
	struct net_call call;
	struct shared *shared;
	struct store_get *get;
};

struct putting {
	struct net_call call;
	struct shared *shared;
	size_t bytes;
};

static struct shared *shared_of(struct store *s)
{
	return CONTAINER_OF(s, struct shared, store);
}

static void count(struct shared *s, uint64_t *number)
{
	lock_take(&s->lock);
	(*number)++;
	lock_give(&s->lock);
}

static void note_trouble(struct shared *s, struct slice what)
{
	lock_take(&s->lock);
	s->numbers.failures++;
	snprintf(s->numbers.trouble, sizeof s->numbers.trouble, "%.*s",
		 slice_int_len(what) < 120 ? slice_int_len(what) : 120, what.at ? what.at : "");
	lock_give(&s->lock);
}

static bool works(const struct shared *s)
{
	return !s->closed && redis_net_is_up(s->net) && shared_log_in_step(s->log);
}

/* The braces make a cluster keep an answer and its lease on one node, where they are
 * written in the order in which they are sent. */
static struct slice name_of(const struct shared *s, char kind, const struct cache_key *key,
			    char out[static NAME_MAX_BYTES])
{
	char hex[CACHE_KEY_TEXT];

	cache_key_text(key, hex);
	snprintf(out, NAME_MAX_BYTES, "%.*s:%c:{%s}", SLICE_ARG(s->setup.policy->prefix), kind, hex);
	return slice_of(out);
}

/* ---- ages -------------------------------------------------------------------------------- */

/* What stands before an answer: its age and its time to live when it was written,
 * and how far its writer had heard. */
struct head {
	uint64_t age_ms, lives_ms;
	struct log_place place;
};

static void put_head(const struct head *h, struct buf *out)
{
	const uint64_t numbers[] = { h->age_ms, h->lives_ms, h->place.ms, h->place.number };

	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		for (int k = 0; k < 8; k++) {
			char c = (char)(unsigned char)(numbers[i] >> (8 * k));

			buf_put(out, (struct slice){ &c, 1 });
		}
}

static bool take_head(struct slice *rest, struct head *h)
{
	uint64_t *const numbers[] = { &h->age_ms, &h->lives_ms, &h->place.ms, &h->place.number };

	if (rest->len <= HEAD_BYTES)
		return false;
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		*numbers[i] = 0;
		for (size_t k = 0; k < 8; k++)
			*numbers[i] |= (uint64_t)(unsigned char)rest->at[8 * i + k] << (8 * k);
	}
	*rest = slice_from(*rest, HEAD_BYTES);
	return h->age_ms < INT64_MAX / 4 && h->lives_ms < INT64_MAX / 4;
}

/* ---- asking --------------------------------------------------------------------------------- */

/* Both at one moment of the store. */
static const char ask_script[] =
	"local v = redis.call('GET', KEYS[1]) "
	"if not v then return false end "
	"return {v, redis.call('PTTL', KEYS[1])}";

static struct cache_entry *read_answer(struct shared *s, const struct resp_value *v, const struct cache_key *key)
{
	struct slice rest = v->items[0].text;
	struct cache_entry *e;
	int64_t left_ms = v->items[1].integer;
	struct head h;

	if (v->items[0].type != RESP_TEXT || v->items[1].type != RESP_INTEGER || !take_head(&rest, &h) ||
	    left_ms < 0 || (uint64_t)left_ms > h.lives_ms)
		return NULL;
	e = cache_unpack(rest, key, s->setup.entry_max + PACK_SLACK, io_now(s->setup.io),
			 (int64_t)(h.age_ms + h.lives_ms - (uint64_t)left_ms));
	if (e && shared_log_drops(s->log, e, h.place)) {
		cache_entry_give(e);
		e = NULL;
	}
	return e;
}

static void on_got(struct net_call *c, const struct resp_value *v)
{
	struct getting *g = CONTAINER_OF(c, struct getting, call);
	struct store_get *get = g->get;
	struct shared *s = g->shared;
	struct cache_entry *e = NULL;
	enum store_end end = STORE_NOTHING;

	free(g);
	if (v && v->type == RESP_LIST && v->count == 2)
		e = read_answer(s, v, &get->key);
	else if (!v || v->type == RESP_ERROR)
		end = STORE_FAILED;
	if (end == STORE_FAILED && !s->closed)
		note_trouble(s, v ? v->text : slice_of(redis_net_trouble(s->net)));
	if (e) {
		count(s, &s->numbers.found);
		end = STORE_FOUND;
	}
	get->done(get, end, e);
}

/* Sends what somebody waits for; `name` decides where to. */
static void ask(struct shared *s, struct store_get *get,
		void (*done)(struct net_call *c, const struct resp_value *v), struct slice name,
		const struct slice *words, size_t count)
{
	struct getting *g;

	if (!works(s)) {
		get->done(get, STORE_FAILED, NULL);
		return;
	}
	g = calloc(1, sizeof *g);
	must(g != NULL);
	g->shared = s;
	g->get = get;
	g->call.done = done;
	redis_net_call(s->net, &g->call, name, words, count);
}

static void shared_get(struct store *store, struct store_get *get)
{
	struct shared *s = shared_of(store);
	char text[NAME_MAX_BYTES];
	struct slice name = name_of(s, 'a', &get->key, text);
	const struct slice words[] = { S("EVAL"), S(ask_script), S("1"), name };

	count(s, &s->numbers.gets);
	ask(s, get, on_got, name, words, COUNT_OF(words));
}

/* ---- leases --------------------------------------------------------------------------------- */

/* Only who has it gives it back: it may have expired and be another's by now. */
static const char release_script[] =
	"if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end "
	"return 0";

static void token_text(uint64_t token, char out[static 20])
{
	snprintf(out, 20, "%016llx", (unsigned long long)token);
}

static void on_leased(struct net_call *c, const struct resp_value *v)
{
	struct getting *g = CONTAINER_OF(c, struct getting, call);
	struct store_get *get = g->get;
	struct shared *s = g->shared;
	bool good = v && (v->type == RESP_TEXT || v->type == RESP_NULL);

	free(g);
	if (!good && !s->closed)
		note_trouble(s, v ? v->text : slice_of(redis_net_trouble(s->net)));
	get->done(get, !good ? STORE_FAILED : v->type == RESP_TEXT ? STORE_FOUND : STORE_NOTHING, NULL);
}

void shared_lease(struct store *store, struct store_get *get, uint64_t token)
{
	struct shared *s = shared_of(store);
	char text[NAME_MAX_BYTES], mark[20], lives[24];
	struct slice name = name_of(s, 'l', &get->key, text);

	token_text(token, mark);
	snprintf(lives, sizeof lives, "%lld", (long long)s->setup.policy->lease_ms);

	const struct slice words[] = { S("SET"), name, slice_of(mark), S("PX"), slice_of(lives), S("NX") };

	ask(s, get, on_leased, name, words, COUNT_OF(words));
}

static void on_released(struct net_call *c, const struct resp_value *v)
{
	(void)v;                        /* else it expires */
	free(CONTAINER_OF(c, struct putting, call));
}

void shared_release(struct store *store, const struct cache_key *key, uint64_t token)
{
	struct shared *s = shared_of(store);
	char text[NAME_MAX_BYTES], mark[20];
	struct slice name = name_of(s, 'l', key, text);
	struct putting *p = calloc(1, sizeof *p);

	must(p != NULL);
	token_text(token, mark);

	const struct slice words[] = { S("EVAL"), S(release_script), S("1"), name, slice_of(mark) };

	p->shared = s;
	p->call.done = on_released;
	redis_net_call(s->net, &p->call, name, words, COUNT_OF(words));
}

/* ---- keeping ------------------------------------------------------------------------------------ */

static void on_put(struct net_call *c, const struct resp_value *v)
{
	struct putting *p = CONTAINER_OF(c, struct putting, call);
	struct shared *s = p->shared;

	s->put_bytes -= p->bytes;
	free(p);
	if (v && v->type == RESP_ERROR)
		note_trouble(s, v->text);       /* full, for instance */
	else if (v)
		count(s, &s->numbers.puts);
	else
		count(s, &s->numbers.dropped);
}

static void send_put(struct shared *s, const struct cache_key *key, struct slice value, int64_t lives_ms)
{
	struct putting *p = calloc(1, sizeof *p);
	char text[NAME_MAX_BYTES], lives[24];
	struct slice name = name_of(s, 'a', key, text);

	must(p != NULL);
	snprintf(lives, sizeof lives, "%lld", (long long)lives_ms);

	const struct slice words[] = { S("SET"), name, value, S("PX"), slice_of(lives) };

	p->shared = s;
	p->bytes = value.len;
	p->call.done = on_put;
	s->put_bytes += p->bytes;
	redis_net_call(s->net, &p->call, name, words, COUNT_OF(words));
}

static void shared_put(struct store *store, struct cache_entry *e)
{
	struct shared *s = shared_of(store);
	int64_t age_ms = cache_entry_age_ms(e, io_now(s->setup.io)), lives_ms = e->facts.kept_ms - age_ms;
	const struct head h = { (uint64_t)age_ms, lives_ms > 0 ? (uint64_t)lives_ms : 0, shared_log_place(s->log) };
	struct buf value = BUF_INIT(SIZE_MAX / 2);

	if (!works(s) || s->put_bytes + e->size > PUT_BYTES_MAX || lives_ms <= 0) {
		count(s, &s->numbers.dropped);
		return;
	}
	put_head(&h, &value);
	if (cache_pack(e, &value))
		send_put(s, &e->key, buf_slice(&value), lives_ms);
	buf_free(&value);
}

static void shared_purge(struct store *store, const struct cache_purge *p)
{
	shared_log_order(shared_of(store)->log, p);
}

/* ---- life ------------------------------------------------------------------------------------------- */

static void on_up(void *owner)
{
	struct shared *s = owner;

	log_line(s->setup.log, LOG_INFO, "cache_shared_up", "prefix=%.*s", SLICE_ARG(s->setup.policy->prefix));
	lock_take(&s->lock);
	s->numbers.trouble[0] = 0;
	lock_give(&s->lock);
	shared_log_up(s->log);
	nodes_up(s->nodes);
}

static void on_down(void *owner, const char *why)
{
	struct shared *s = owner;
	char text[200];

	log_line(s->setup.log, LOG_WARN, "cache_shared_down", "reason=%s this_node=alone",
		 log_quote(slice_of(why), text, sizeof text));
	note_trouble(s, slice_of(why));
	shared_log_down(s->log);
	nodes_down(s->nodes, why);
}

static void shared_stats(struct store *store, struct store_stats *out)
{
	struct shared *s = shared_of(store);

	lock_take(&s->lock);
	*out = s->numbers;
	lock_give(&s->lock);
	out->name = "shared";
}

static void shared_close(struct store *store)
{
	struct shared *s = shared_of(store);

	s->closed = true;
	meters_close(s->meters);
	nodes_close(s->nodes);
	shared_log_close(s->log);
	redis_net_close(s->net);
}

static void shared_free(struct store *store)
{
	struct shared *s = shared_of(store);

	shared_log_free(s->log);
	meters_free(s->meters);
	nodes_free(s->nodes);
	redis_net_free(s->net);
	lock_destroy(&s->lock);
	free(s);
}

static const struct store_ops ops = {
	.get = shared_get, .put = shared_put, .purge = shared_purge, .stats = shared_stats,
	.close = shared_close, .free = shared_free,
};

void shared_tell(struct store *store, struct slice what, struct slice about, int64_t span_ms)
{
	shared_log_tell(shared_of(store)->log, what, about, span_ms);
}

void shared_stir(struct store *store, struct cache_meter *m)
{
	struct shared *s = shared_of(store);

	meters_stir(s->meters, m, redis_net_is_up(s->net));
}

void shared_meet(struct store *store, void (*describe)(void *owner, struct cache_node *out), void *owner)
{
	nodes_meet(shared_of(store)->nodes, describe, owner);
}

void shared_leave(struct store *store, void (*done)(void *owner), void *owner)
{
	nodes_leave(shared_of(store)->nodes, done, owner);
}

void shared_cluster(struct store *store, mono_ms now, struct cache_cluster *out)
{
	nodes_look(shared_of(store)->nodes, now, out);
}

struct store *shared_create(const struct shared_setup *setup)
{
	struct shared *s = calloc(1, sizeof *s);
	struct redis_net_setup net = {
		.io = setup->io, .policy = setup->policy, .log = setup->log, .on_up = on_up,
		.on_down = on_down, .owner = s,
	};
	struct shared_log_setup log = {
		.io = setup->io, .policy = setup->policy, .log = setup->log, .on_purge = setup->on_purge,
		.on_news = setup->on_news, .owner = setup->owner,
	};

	must(s != NULL);
	s->store.ops = &ops;
	s->setup = *setup;
	lock_init(&s->lock);
	s->net = redis_net_create(&net);
	log.net = s->net;
	s->log = shared_log_create(&log);
	s->meters = meters_create(setup->io, s->net, setup->policy->prefix);
	s->nodes = nodes_create(setup->io, s->net, setup->policy->prefix);
	return &s->store;
}
