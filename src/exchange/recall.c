/* recall.c: is there a kept answer to give? */
#include "exchange/recall.h"

#include "base/check.h"
#include "exchange/answer.h"
#include "exchange/conductor.h"
#include "wire/json.h"

/* A stream is some ten times as long as the answer in it. */
#define NOTED_MAX FLIGHT_BYTES_MAX

/* ---- at the door -------------------------------------------------------------------- */

/* Tags of the request's header that are words, as many and as long as may be. */
static struct slice read_tags(struct exchange *x, struct slice header)
{
	struct buf tags = BUF_INIT(CACHE_TAGS_MAX * (CACHE_TAG_BYTES + 1));
	struct slice one, kept;
	unsigned count = 0;

	while (count < CACHE_TAGS_MAX && slice_next_in_list(&header, &one)) {
		if (one.len > CACHE_TAG_BYTES)
			continue;
		buf_putf(&tags, "%s%.*s", count++ ? "," : "", SLICE_ARG(one));
	}
	kept = arena_copy(x->arena, buf_slice(&tags));
	buf_free(&tags);
	return kept;
}

static void read_wishes(struct recall *r, const struct h1_head *head)
{
	cache_wishes_init(&r->wishes);
	for (unsigned i = 0; i < head->header_count; i++)
		if (slice_eq_nocase(head->headers[i].name, S("cache-control")))
			cache_wishes_read(&r->wishes, head->headers[i].value);
}

static struct recall *recall_new(struct exchange *x, const struct cache_policy *policy)
{
	struct recall *r = arena_new(x->arena, struct recall);

	r->x = x;
	r->policy = policy;
	r->noted = BUF_INIT(NOTED_MAX);
	r->guest.on_news = recall_on_news;
	r->purges = cache_purges(x->all->setup.cache);
	return r;
}

struct recall *recall_for_ours(struct exchange *x, const struct cache_policy *policy)
{
	struct recall *r = recall_new(x, policy);

	r->may_keep = true;
	return r;
}

void recall_read(struct exchange *x, const struct h1_head *head, const struct model_policy *model)
{
	struct recall *r;

	if (!model->cache || !x->all->setup.cache)
		return;
	r = recall_new(x, model->cache);
	read_wishes(r, head);
	if (r->wishes.no_store || !recall_find_key(r, head, model))
		return;
	r->tags = read_tags(x, h1_get(head, S("x-backstay-cache-tag")));
	r->may_keep = r->policy->fresh_ms > 0 || r->policy->stale_ms > 0;
	x->recall = r;
}

struct slice recall_key_text(const struct exchange *x, char text[static CACHE_KEY_TEXT])
{
	if (!x->recall || x->recall->embed)
		return SLICE_NONE;
	cache_key_text(&x->recall->key, text);
	return slice_of(text);
}

/* ---- giving ---------------------------------------------------------------------------- */

static void remember_original(struct exchange *x, const struct cache_entry *e)
{
	const struct cache_facts *f = &e->facts;

	x->served_model = arena_copy(x->arena, f->served_model);
	x->served_target = arena_copy(x->arena, f->target);
	x->finish_reason = arena_copy(x->arena, f->finish_reason);
	x->usage = (struct usage){
		.known = f->usage_known, .input_tokens = f->input_tokens,
		.output_tokens = f->output_tokens, .cached_tokens = f->cached_tokens,
		.reasoning_tokens = f->reasoning_tokens,
	};
	x->untold_tokens = 0;
}

bool recall_give(struct exchange *x, struct cache_entry *e, enum cache_use use, mono_ms now)
{
	struct buf told = BUF_INIT(ANSWER_BYTES_MAX), whole = BUF_INIT(ANSWER_BYTES_MAX);
	struct slice bytes = e->facts.body;
	bool good = true;

	if (!recall_is_ours(x, e)) {
		good = recall_retell(x, e, &whole);
		bytes = buf_slice(&whole);
	}
	if (good && x->facts.stream) {
		good = x->dialect->answer_to_stream &&
		       x->dialect->answer_to_stream(exchanges_scratch(x->all), x->endpoint, &x->facts, bytes,
						    &told);
		bytes = buf_slice(&told);
	}
	if (good) {
		x->cache = use;
		x->cache_tier = e == x->recall->found ? cache_tier_of(x->recall->look.store_name)
						      : CACHE_TIER_MEMORY;
		x->cache_age_ms = cache_entry_age_ms(e, now);
		remember_original(x, e);
		give_answer(x, bytes, x->recall->policy->pace_ms, now);
	}
	buf_free(&told);
	buf_free(&whole);
	return good;
}

/* ---- looking ------------------------------------------------------------------------------ */

/* What a look has found, else what is in memory; the caller gets a reference. */
static struct cache_entry *known(struct exchange *x)
{
	struct recall *r = x->recall;

	return r->found ? cache_entry_take(r->found) : cache_get(x->all->setup.cache, &r->key);
}

static void begin_after_look(struct exchange *x, mono_ms now)
{
	if (!recall_begin(x, now))
		exchange_go(x, now);
}

void recall_go_on(struct exchange *x, mono_ms now)
{
	struct recall *r = x->recall;

	switch (r->stage) {
	case RECALL_AT_FIRST:
		begin_after_look(x, now);
		break;
	case RECALL_GIVEN_UP:
		exchange_give_up(x, r->full, now);
		break;
	case RECALL_LATE:
		exchange_late(x, now);
		break;
	}
}

static void on_looked(struct cache_look *l, struct cache_entry *e)
{
	struct recall *r = CONTAINER_OF(l, struct recall, look);

	r->found = e;
	recall_go_on(r->x, io_now(r->x->all->setup.io));
}

/* True: stores that take their time are asked; on_looked() goes on. */
static bool look_further(struct exchange *x, int stage, bool full)
{
	struct recall *r = x->recall;

	if (r->looked || !cache_can_look(x->all->setup.cache))
		return false;
	r->looked = true;
	r->stage = stage;
	r->full = full;
	r->look.done = on_looked;
	exchange_enter(x, EXCHANGE_RECALLING);
	cache_look_start(x->all->looks, &r->look, &r->key);
	return true;
}

/* ---- at the beginning -------------------------------------------------------------------- */

static void refuse_uncached(struct exchange *x)
{
	struct error_answer e = {
		.fault = FAULT_CALLER, .status = 504, .type = S("invalid_request_error"),
		.code = S("not_cached"), .request_id = x->id, .retry_after_ms = -1,
		.message = S("No kept answer fits, and the request asks for no other "
			     "(Cache-Control: only-if-cached)."),
	};

	answer_error(x, &e, SLICE_NONE);
	exchange_end(x, FAULT_CALLER);
}

bool recall_hit(struct exchange *x, mono_ms now)
{
	struct recall *r = x->recall;
	struct cache_entry *e = known(x);
	enum cache_verdict verdict;
	bool given = false;

	if (!e)
		return false;
	verdict = cache_verdict(r->policy, &r->wishes, cache_entry_age_ms(e, now));
	if (verdict != CACHE_MISS) {
		x->degraded_by = verdict == CACHE_GIVE_STALE ? DEGRADED_STALE : DEGRADED_NO;
		if (verdict == CACHE_GIVE_REFRESH)
			recall_refresh(x);
		given = recall_give(x, e, CACHE_USE_HIT, now);
	}
	cache_entry_give(e);
	return given;
}

bool recall_begin(struct exchange *x, mono_ms now)
{
	struct recall *r = x->recall;

	if (!r || r->embed)
		return false;
	if (r->refresh) {
		x->cache = CACHE_USE_REFRESH;
		return recall_join(x, now);
	}
	x->cache = CACHE_USE_MISS;
	if (cache_may_hit(r->policy, &r->wishes) &&
	    (recall_hit(x, now) || look_further(x, RECALL_AT_FIRST, false)))
		return true;
	if (r->wishes.only_if_cached) {
		refuse_uncached(x);
		return true;
	}
	return recall_join(x, now);
}

/* ---- when nothing else is left ---------------------------------------------------------------- */

bool recall_is_trouble(enum fault why)
{
	const struct fault_row *row = fault_row(why);

	switch (why) {
	case FAULT_SHED: case FAULT_BUDGET: case FAULT_NO_TARGET: case FAULT_DEADLINE: case FAULT_LOCAL:
		return true;
	case FAULT_UNSUPPORTED: case FAULT_SHUTDOWN: case FAULT_CLIENT_GONE:
		return false;
	default:
		/* What is wrong with the request itself is no trouble. */
		return row->elsewhere == ELSEWHERE_YES || row->elsewhere == ELSEWHERE_RESUME;
	}
}

void recall_let_go(struct exchange *x)
{
	struct recall *r = x->recall;

	if (!r)
		return;
	if (r->guest.flight && r->guest.leads)
		flight_end(&r->guest, false, NULL);
	else
		flight_leave(&r->guest);
	cache_look_cancel(&r->look);
	recall_lease_end(x);
	recall_embed_drop(x);
}

static bool give_stale(struct exchange *x, struct cache_entry *e, enum fault why, mono_ms now)
{
	x->degraded_by = DEGRADED_STALE;
	x->degraded_why = why;
	log_line(x->all->setup.log, LOG_INFO, "stale_given", "id=%.*s model=%.*s why=%s age_ms=%lld",
		 SLICE_ARG(x->id), SLICE_ARG(x->model->name), fault_row(why)->name,
		 (long long)cache_entry_age_ms(e, now));
	return recall_give(x, e, CACHE_USE_STALE, now);
}

/* The kept answer to the question that is likest: by what it means, else by its
 * letters. */
static struct cache_entry *likest(struct exchange *x, mono_ms now)
{
	struct recall *r = x->recall;
	struct cache *cache = x->all->setup.cache;
	struct cache_entry *e = NULL;

	if (r->meaning && r->meaning->count)
		e = cache_vector_find(cache, r->context, r->meaning->numbers, r->meaning->count,
				      (double)r->policy->embed_milli / 100000, &x->similarity);
	if (e && cache_may_rescue(r->policy, &r->wishes, cache_entry_age_ms(e, now)))
		return e;
	cache_entry_give(e);
	return r->policy->near_milli > 0
		? cache_near(cache, r->context, r->sketch, (double)r->policy->near_milli / 100000, now,
			     r->policy->stale_ms, &x->similarity) : NULL;
}

/* The answer to another question, which is very like this one. */
static bool give_near(struct exchange *x, enum fault why, mono_ms now)
{
	struct recall *r = x->recall;
	struct cache_entry *e;
	bool given = false;

	if (!r->context)
		return false;
	e = likest(x, now);
	if (e && cache_may_rescue(r->policy, &r->wishes, cache_entry_age_ms(e, now))) {
		x->degraded_by = DEGRADED_NEAR;
		x->degraded_why = why;
		log_line(x->all->setup.log, LOG_INFO, "near_given",
			 "id=%.*s model=%.*s why=%s age_ms=%lld similarity=%.2f", SLICE_ARG(x->id),
			 SLICE_ARG(x->model->name), fault_row(why)->name,
			 (long long)cache_entry_age_ms(e, now), x->similarity);
		given = recall_give(x, e, CACHE_USE_NEAR, now);
	}
	cache_entry_give(e);
	return given;
}

bool recall_rescue(struct exchange *x, enum fault why, bool full, mono_ms now)
{
	int stage = why == FAULT_DEADLINE ? RECALL_LATE : RECALL_GIVEN_UP;
	struct recall *r = x->recall;
	struct cache_entry *e;
	bool given = false;

	if (!r || !x->client || x->resorted || !r->policy->stale_ms || !recall_is_trouble(why))
		return false;
	recall_let_go(x);
	e = known(x);
	if (e && cache_may_rescue(r->policy, &r->wishes, cache_entry_age_ms(e, now)))
		given = give_stale(x, e, why, now);
	else if (!e)
		given = look_further(x, stage, full);
	cache_entry_give(e);
	if (given)
		return true;
	r->stage = stage;
	r->full = full;
	return recall_embed_look(x) || give_near(x, why, now);
}

/* ---- fetching anew ------------------------------------------------------------------------------ */

void recall_refresh(struct exchange *x)
{
	struct recall like = { .x = x, .key = x->recall->key, .refresh = true };
	struct slice star = SLICE_NONE;
	struct exchange *fetch;
	struct recall *r;

	recall_flight_key(&like);
	if (!x->all->flights || flight_is_under_way(x->all->setup.flights, &like.flight_key))
		return;
	fetch = exchange_copy(x);
	r = recall_new(fetch, x->recall->policy);
	r->wishes = x->recall->wishes;
	r->key = like.key;
	r->flight_key = like.flight_key;
	r->tags = arena_copy(fetch->arena, x->recall->tags);
	r->may_keep = true;
	r->refresh = true;
	fetch->recall = r;
	config_model(fetch->config, fetch->facts.model, &star);
	exchange_begin(fetch, x->model, star);
}
