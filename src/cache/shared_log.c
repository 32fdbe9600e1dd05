#include "cache/shared_log.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDERS_MAX 10000              /* kept in the stream, and known here */
#define NEWS_KEPT "1000"
#define BLOCK_MS "2000"
#define STALL_MS 7000
#define OWN_KEPT_MS 3600000           /* own orders are told again to a store that has lost them */
#define RETRY_MS 500

/* An order, own or heard. */
struct order {
	struct order *next;
	uint64_t id;                  /* drawn by whoever gave it */
	struct log_place place;       /* in the stream; 0, 0: not there yet */
	enum cache_purge_what what;
	struct cache_key key;
	char name[CACHE_NAME_MAX + 1];
	bool own;
	mono_ms since;
};

/* XADD on its way. */
struct telling {
	struct net_call call;
	struct shared_log *log;
	uint64_t id;                  /* of the order; 0: news */
};

struct shared_log {
	struct shared_log_setup setup;
	char orders_name[192], news_name[192];
	char node[20];
	struct redis *redis;          /* that reads, blocked most of the time */
	struct redis_call reading;
	enum { LOG_AWAY, LOG_READING_ALL, LOG_READING_NEWS, LOG_IN_STEP } state;
	struct log_place place, news_place;
	struct order *orders, **last; /* by age */
	size_t order_count;
	struct io_timer retry;
	bool closed;
};

int log_place_compare(struct log_place a, struct log_place b)
{
	if (a.ms != b.ms)
		return a.ms < b.ms ? -1 : 1;
	return a.number < b.number ? -1 : a.number > b.number;
}

/* ---- orders ------------------------------------------------------------------------------ */

static const char *const what_words[] = {
	[CACHE_PURGE_KEY] = "key", [CACHE_PURGE_TAG] = "tag", [CACHE_PURGE_MODEL] = "model",
	[CACHE_PURGE_ALL] = "all",
};

static struct order *order_find(struct shared_log *l, uint64_t id)
{
	for (struct order *o = l->orders; o; o = o->next)
		if (o->id == id)
			return o;
	return NULL;
}

static struct order *order_add(struct shared_log *l, const struct cache_purge *p, uint64_t id, bool own)
{
	struct order *o = calloc(1, sizeof *o);

	must(o != NULL);
	o->id = id;
	o->what = p->what;
	o->key = p->key;
	o->own = own;
	o->since = io_now(l->setup.io);
	snprintf(o->name, sizeof o->name, "%.*s", SLICE_ARG(p->name));
	*l->last = o;
	l->last = &o->next;
	if (++l->order_count > ORDERS_MAX) {
		struct order *first = l->orders;

		l->orders = first->next;
		l->order_count--;
		free(first);
	}
	return o;
}

static bool is_meant(const struct order *o, const struct cache_entry *e)
{
	switch (o->what) {
	case CACHE_PURGE_KEY:
		return cache_key_eq(&e->key, &o->key);
	case CACHE_PURGE_TAG:
		return cache_entry_has_tag(e, slice_of(o->name));
	case CACHE_PURGE_MODEL:
		return slice_eq(e->facts.model, slice_of(o->name));
	case CACHE_PURGE_ALL:
		break;
	}
	return true;
}

bool shared_log_drops(const struct shared_log *l, const struct cache_entry *e, struct log_place place)
{
	/* What was ordered longer ago than is remembered may have meant it. */
	if (l->order_count == ORDERS_MAX && log_place_compare(place, l->orders->place) < 0)
		return true;
	for (const struct order *o = l->orders; o; o = o->next)
		if ((o->place.ms == 0 || log_place_compare(o->place, place) > 0) && is_meant(o, e))
			return true;
	return false;
}

/* ---- telling -------------------------------------------------------------------------------- */

static bool place_of(struct slice text, struct log_place *out)
{
	struct slice ms = SLICE_NONE, number = SLICE_NONE;

	return slice_cut(text, '-', &ms, &number) && slice_to_u64(ms, &out->ms) &&
	       slice_to_u64(number, &out->number);
}

static void on_told(struct net_call *c, const struct resp_value *v)
{
	struct telling *t = CONTAINER_OF(c, struct telling, call);
	struct order *o = t->id ? order_find(t->log, t->id) : NULL;
	struct log_place place;

	if (o && v && v->type == RESP_TEXT && place_of(v->text, &place))
		o->place = place;
	free(t);
}

static struct telling *telling_new(struct shared_log *l, uint64_t id)
{
	struct telling *t = calloc(1, sizeof *t);

	must(t != NULL);
	t->log = l;
	t->id = id;
	t->call.done = on_told;
	return t;
}

static void tell_order(struct shared_log *l, const struct order *o)
{
	struct telling *t = telling_new(l, o->id);
	char id[20], hex[CACHE_KEY_TEXT] = "", most[16];

	if (o->what == CACHE_PURGE_KEY)
		cache_key_text(&o->key, hex);
	snprintf(id, sizeof id, "%016llx", (unsigned long long)o->id);
	snprintf(most, sizeof most, "%d", ORDERS_MAX);

	const struct slice words[] = {
		S("XADD"), slice_of(l->orders_name), S("MAXLEN"), S("~"), slice_of(most), S("*"),
		S("id"), slice_of(id), S("drop"), slice_of(what_words[o->what]),
		S("name"), o->what == CACHE_PURGE_KEY ? slice_of(hex) : slice_of(o->name),
	};

	redis_net_call(l->setup.net, &t->call, slice_of(l->orders_name), words, COUNT_OF(words));
}

void shared_log_order(struct shared_log *l, const struct cache_purge *p)
{
	struct order *o = order_add(l, p, io_random(l->setup.io) | 1, true);

	if (l->state == LOG_IN_STEP)
		tell_order(l, o);
}

void shared_log_tell(struct shared_log *l, struct slice what, struct slice about, int64_t span_ms)
{
	struct telling *t;
	char span[24];

	if (l->state != LOG_IN_STEP)
		return;
	snprintf(span, sizeof span, "%lld", (long long)span_ms);

	const struct slice words[] = {
		S("XADD"), slice_of(l->news_name), S("MAXLEN"), S("~"), S(NEWS_KEPT), S("*"),
		S("from"), slice_of(l->node), S("what"), what, S("about"), about, S("span"), slice_of(span),
	};

	t = telling_new(l, 0);
	redis_net_call(l->setup.net, &t->call, slice_of(l->news_name), words, COUNT_OF(words));
}

/* What the store has not got, or has lost. */
static void tell_what_lacks(struct shared_log *l)
{
	mono_ms now = io_now(l->setup.io);

	for (const struct order *o = l->orders; o; o = o->next)
		if (o->place.ms == 0 && o->own && now - o->since < OWN_KEPT_MS)
			tell_order(l, o);
}

/* ---- hearing ----------------------------------------------------------------------------------- */

static bool read_id(struct slice text, uint64_t *out)
{
	uint64_t id = 0;

	if (text.len != 16)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (digit < 0)
			return false;
		id = id << 4 | (uint64_t)digit;
	}
	*out = id;
	return true;
}

static struct slice field(const struct resp_value *fields, struct slice name)
{
	const struct resp_value *v = resp_get(fields, name);

	return v && v->type == RESP_TEXT ? v->text : SLICE_NONE;
}

static bool read_order(const struct resp_value *fields, struct cache_purge *p, uint64_t *id)
{
	struct slice what = field(fields, S("drop"));
	bool known = false;

	*p = (struct cache_purge){ .name = field(fields, S("name")) };
	for (size_t i = 0; i < COUNT_OF(what_words); i++)
		if (slice_eq(what, slice_of(what_words[i]))) {
			p->what = (enum cache_purge_what)i;
			known = true;
		}
	return known && read_id(field(fields, S("id")), id) && p->name.len <= CACHE_NAME_MAX &&
	       (p->what != CACHE_PURGE_KEY || cache_key_parse(p->name, &p->key));
}

static void hear_order(struct shared_log *l, struct log_place place, const struct resp_value *fields)
{
	struct cache_purge p;
	struct order *o;
	uint64_t id;

	l->place = place;
	if (!read_order(fields, &p, &id))
		return;                 /* of a later version: not for us */
	o = order_find(l, id);
	if (!o) {
		o = order_add(l, &p, id, false);
		l->setup.on_purge(l->setup.owner, &p);
	}
	o->place = place;
}

static void hear_news(struct shared_log *l, struct log_place place, const struct resp_value *fields)
{
	int64_t span_ms = 0;

	l->news_place = place;
	if (slice_eq(field(fields, S("from")), slice_of(l->node)) ||
	    !slice_to_i64(field(fields, S("span")), &span_ms))
		return;
	l->setup.on_news(l->setup.owner, field(fields, S("what")), field(fields, S("about")), span_ms);
}

/* [[place, [name, value ...]] ...] */
static size_t hear_entries(struct shared_log *l, const struct resp_value *entries, bool news)
{
	size_t heard = 0;

	for (size_t i = 0; entries->type == RESP_LIST && i < entries->count; i++) {
		const struct resp_value *e = &entries->items[i];
		struct log_place place;

		if (e->type != RESP_LIST || e->count < 2 || e->items[0].type != RESP_TEXT ||
		    !place_of(e->items[0].text, &place))
			continue;
		heard++;
		if (news)
			hear_news(l, place, &e->items[1]);
		else
			hear_order(l, place, &e->items[1]);
	}
	return heard;
}

/* RESP3: {name: entries}; RESP2: [[name, entries] ...] */
static void hear_streams(struct shared_log *l, const struct resp_value *v)
{
	size_t count = v->type == RESP_MAP || v->type == RESP_LIST ? v->count : 0;

	for (size_t i = 0; i < count; i++) {
		const struct resp_value *name, *entries;

		if (v->type == RESP_LIST && (v->items[i].type != RESP_LIST || v->items[i].count != 2))
			continue;
		name = v->type == RESP_MAP ? &v->items[2 * i] : &v->items[i].items[0];
		entries = v->type == RESP_MAP ? &v->items[2 * i + 1] : &v->items[i].items[1];
		hear_entries(l, entries, slice_eq(name->text, slice_of(l->news_name)));
	}
}

/* ---- reading on ------------------------------------------------------------------------------------ */

static void place_text(struct log_place p, char out[static 48])
{
	snprintf(out, 48, "%llu-%llu", (unsigned long long)p.ms, (unsigned long long)p.number);
}

static void on_read(struct redis_call *c, const struct resp_value *v);

static void read_more(struct shared_log *l)
{
	char at[48], news_at[48];

	place_text(l->place, at);
	place_text(l->news_place, news_at);

	const struct slice all[] = { S("XRANGE"), slice_of(l->orders_name), S("-"), S("+") };
	const struct slice newest[] = { S("XREVRANGE"), slice_of(l->news_name), S("+"), S("-"), S("COUNT"), S("1") };
	const struct slice on[] = {
		S("XREAD"), S("COUNT"), S("1000"), S("BLOCK"), S(BLOCK_MS), S("STREAMS"),
		slice_of(l->orders_name), slice_of(l->news_name), slice_of(at), slice_of(news_at),
	};

	l->reading.done = on_read;
	if (l->state == LOG_READING_ALL)
		redis_call(l->redis, &l->reading, all, COUNT_OF(all));
	else if (l->state == LOG_READING_NEWS)
		redis_call(l->redis, &l->reading, newest, COUNT_OF(newest));
	else
		redis_call(l->redis, &l->reading, on, COUNT_OF(on));
}

/* The whole log has come: what is known and is not in it was lost there. If so
 * much has been ordered that some of it is gone unheard, nothing here can be
 * trusted. */
static void caught_up(struct shared_log *l, struct log_place before, const struct resp_value *v)
{
	struct log_place first = { 0, 0 };
	bool full = v->count >= ORDERS_MAX;

	if (full && v->items[0].type == RESP_LIST && v->items[0].count)
		place_of(v->items[0].items[0].text, &first);
	if (full && log_place_compare(before, first) < 0) {
		log_line(l->setup.log, LOG_WARN, "cache_log_lost", "dropped=all");
		l->setup.on_purge(l->setup.owner, &(struct cache_purge){ .what = CACHE_PURGE_ALL });
	}
	tell_what_lacks(l);
}

static void on_all_read(struct shared_log *l, const struct resp_value *v)
{
	struct log_place before = l->place;

	for (struct order *o = l->orders; o; o = o->next)
		o->place = (struct log_place){ 0, 0 };
	l->place = (struct log_place){ 0, 0 };
	hear_entries(l, v, false);
	l->state = LOG_READING_NEWS;
	caught_up(l, before, v);
}

static void on_read(struct redis_call *c, const struct resp_value *v)
{
	struct shared_log *l = CONTAINER_OF(c, struct shared_log, reading);

	if (!v)
		return;                 /* on_lost() follows */
	if (v->type == RESP_ERROR) {
		log_line(l->setup.log, LOG_WARN, "cache_log_failed", "reason=\"%.*s\"", SLICE_ARG(v->text));
		shared_log_down(l);
		io_timer_set(l->setup.io, &l->retry, mono_after(io_now(l->setup.io), RETRY_MS * 10));
		return;
	}
	switch (l->state) {
	case LOG_READING_ALL:
		on_all_read(l, v);
		break;
	case LOG_READING_NEWS:
		l->news_place = (struct log_place){ 0, 0 };
		if (v->type == RESP_LIST && v->count && v->items[0].type == RESP_LIST && v->items[0].count)
			place_of(v->items[0].items[0].text, &l->news_place);
		l->state = LOG_IN_STEP;
		tell_what_lacks(l);
		break;
	case LOG_IN_STEP:
		hear_streams(l, v);
		break;
	case LOG_AWAY:
		return;
	}
	read_more(l);
}

static void on_ready(void *owner)
{
	struct shared_log *l = owner;

	l->state = LOG_READING_ALL;
	read_more(l);
}

static void on_lost(void *owner, const char *why)
{
	struct shared_log *l = owner;

	(void)why;
	shared_log_down(l);
	io_timer_set(l->setup.io, &l->retry, mono_after(io_now(l->setup.io), RETRY_MS));
}

static void on_retry(struct io_timer *t, mono_ms now)
{
	(void)now;
	shared_log_up(CONTAINER_OF(t, struct shared_log, retry));
}

/* ---- life ---------------------------------------------------------------------------------------------- */

void shared_log_up(struct shared_log *l)
{
	const struct shared_policy *p = l->setup.policy;
	struct redis_setup setup = {
		.io = l->setup.io, .tls = p->tls, .user = p->user, .password = p->password,
		.database = p->mode == SHARED_CLUSTER ? 0 : p->database, .connect_ms = p->connect_ms,
		.stall_ms = STALL_MS, .on_ready = on_ready, .on_lost = on_lost, .owner = l,
	};

	if (l->redis || l->closed || !redis_net_is_up(l->setup.net) ||
	    !redis_net_where(l->setup.net, slice_of(l->orders_name), &setup.host, &setup.port))
		return;
	l->redis = redis_open(&setup);
}

void shared_log_down(struct shared_log *l)
{
	struct redis *r = l->redis;

	l->redis = NULL;
	l->state = LOG_AWAY;
	redis_close(r);
}

bool shared_log_in_step(const struct shared_log *l)
{
	return l->state == LOG_IN_STEP;
}

struct log_place shared_log_place(const struct shared_log *l)
{
	return l->place;
}

struct shared_log *shared_log_create(const struct shared_log_setup *setup)
{
	struct shared_log *l = calloc(1, sizeof *l);

	must(l != NULL);
	l->setup = *setup;
	l->last = &l->orders;
	l->retry.fire = on_retry;
	/* What stands in braces decides the slot: both are on one node. */
	snprintf(l->orders_name, sizeof l->orders_name, "{%.*s}:drop", SLICE_ARG(setup->policy->prefix));
	snprintf(l->news_name, sizeof l->news_name, "{%.*s}:news", SLICE_ARG(setup->policy->prefix));
	snprintf(l->node, sizeof l->node, "%016llx", (unsigned long long)io_random(setup->io));
	return l;
}

void shared_log_close(struct shared_log *l)
{
	l->closed = true;
	io_timer_clear(l->setup.io, &l->retry);
	shared_log_down(l);
}

void shared_log_free(struct shared_log *l)
{
	for (struct order *o = l->orders, *next; o; o = next) {
		next = o->next;
		free(o);
	}
	free(l);
}
