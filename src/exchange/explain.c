/* What a request needs of its target, and why it went where it went: every
 * decision is a line of the log at debug level, every change of a target's
 * health one at its own level, and for one request, where its client asks with
 * x-backstay-explain: 1 (and may), both are told in a response header. */
#include "exchange/rumours.h"
#include "exchange/exchange.h"

#include "base/check.h"
#include "cache/cache.h"
#include "exchange/translate.h"
#include "route/target.h"
#include "wire/json.h"

#include <stdio.h>

#define EXPLAIN_BYTES_MAX 2048
#define HASH_SEED 0x706c616365

/* ---- reading ----------------------------------------------------------------- */

static bool may_explain(const struct exchange *x)
{
	return x->config->admit.key_count == 0 || (x->who && x->who->may_explain);
}

void explain_read(struct exchange *x, const struct h1_head *head, const struct model_policy *model)
{
	struct slice asked = h1_get(head, S("x-backstay-explain")), tie;

	x->explains = asked.len && !slice_eq(asked, S("0")) && may_explain(x);
	x->explained = BUF_INIT(EXPLAIN_BYTES_MAX);
	tie = slice_eq(model->sticky, S("user")) ? x->facts.user
	    : model->sticky.len ? h1_get(head, model->sticky) : SLICE_NONE;
	if (tie.len)
		x->sticky = slice_hash(tie, HASH_SEED) | 1;
}

/* ---- what it needs ---------------------------------------------------------------- */

static unsigned needs_of(const struct request_facts *f)
{
	return (f->has_tools ? CAN_TOOLS : 0u) | (f->has_images ? CAN_IMAGES : 0u) |
	       (f->has_audio ? CAN_AUDIO : 0u) | (f->has_schema ? CAN_SCHEMA : 0u) |
	       (f->stream ? CAN_STREAM : 0u);
}

/* About how many tokens the input has: 3.5 bytes of JSON each, which is near for
 * prose and code. Pictures and sound are not words: then nobody knows. */
static int64_t tokens_of(const struct exchange *x)
{
	if (x->facts.has_images || x->facts.has_audio)
		return 0;
	return (int64_t)(buf_len(&x->body) * 2 / 7);
}

/* The beginning of a conversation: all up to and with the first message of the
 * user. It is the same in every turn, so a conversation stays with its cache. */
static uint64_t prefix_of(const struct exchange *x)
{
	struct slice messages = x->facts.conversation, rest, one;
	const char *end;

	if (x->endpoint->kind != ENDPOINT_CHAT && x->endpoint->kind != ENDPOINT_RESPONSES)
		return 0;
	if (json_is_nothing(messages))
		return 0;
	if (json_type_of(messages) != JSON_ARRAY)
		return slice_hash(messages, HASH_SEED) | 1;
	rest = messages;
	end = messages.at;
	while (json_next(&rest, NULL, &one)) {
		end = one.at + one.len;
		if (json_type_of(one) == JSON_OBJECT && json_string_eq(json_member(one, S("role")), S("user")))
			break;
	}
	return slice_hash((struct slice){ messages.at, (size_t)(end - messages.at) }, HASH_SEED) | 1;
}

/* ---- telling ------------------------------------------------------------------------- */

static enum log_level level_of(enum plan_event_kind kind)
{
	switch (kind) {
	case PLAN_EVENT_CREDENTIAL_OFF:
	case PLAN_EVENT_MODEL_GONE:
		return LOG_ERROR;
	case PLAN_EVENT_BREAKER_OPEN:
	case PLAN_EVENT_MACHINE_OPEN:
	case PLAN_EVENT_EJECTED:
		return LOG_WARN;
	case PLAN_EVENT_CHOSEN:
	case PLAN_EVENT_SKIPPED:
	case PLAN_EVENT_PAUSED:
	case PLAN_EVENT_FAILED:
	case PLAN_EVENT_BUDGET_SPENT:
	case PLAN_EVENT_PACED:
		return LOG_DEBUG;
	default:
		return LOG_INFO;
	}
}

static const char *fault_name(enum fault f)
{
	return f == FAULT_NONE ? "" : fault_row(f)->name;
}

/* A sentence of the header: "+3ms a/m: skipped (open, silence, 1.2 s)". */
static void put_explained(struct exchange *x, const char *name, const struct plan_event *e,
			  int64_t in_ms)
{
	const char *first = *e->why && e->fault ? ", " : "";
	const char *second = (*e->why || e->fault) && in_ms >= 0 ? ", " : "";
	bool brackets = *e->why || e->fault != FAULT_NONE || in_ms >= 0;
	char time[32] = "";
	bool room;

	if (in_ms >= 0)
		snprintf(time, sizeof time, "%lld.%lld s", (long long)in_ms / 1000,
			 (long long)in_ms / 100 % 10);
	room = buf_printf(&x->explained, "%s+%lldms %.*s: %s%s%s%s%s%s%s%s",
			  buf_len(&x->explained) ? "; " : "",
			  (long long)(io_now(x->all->setup.io) - x->started_at),
			  SLICE_ARG(e->target->name), name, brackets ? " (" : "",
			  e->why, first, fault_name(e->fault), second, time, brackets ? ")" : "");
	(void)room;                   /* beyond its maximum nothing is added */
}

/* What other machines should know of a target, too. */
static void pass_on(const struct exchange *x, const struct plan_event *e, int64_t in_ms)
{
	static const struct { enum plan_event_kind kind; enum target_rumour rumour; } rows[] = {
		{ PLAN_EVENT_BREAKER_OPEN, RUMOUR_OPEN }, { PLAN_EVENT_MACHINE_OPEN, RUMOUR_MACHINE_OPEN },
		{ PLAN_EVENT_PACED, RUMOUR_PACED },
	};

	for (size_t i = 0; x->all->setup.cache && i < COUNT_OF(rows); i++)
		if (rows[i].kind == e->kind)
			cache_tell(x->all->setup.cache, slice_of(target_rumour_name(rows[i].rumour)),
				   e->target->name, in_ms > 0 ? in_ms : 0);
}

static bool is_back(enum plan_event_kind kind)
{
	return kind == PLAN_EVENT_BREAKER_RAMP || kind == PLAN_EVENT_MACHINE_BACK ||
	       kind == PLAN_EVENT_CREDENTIAL_BACK || kind == PLAN_EVENT_MODEL_BACK;
}

static void on_event(void *owner, const struct plan_event *e)
{
	struct exchange *x = owner;
	mono_ms now = io_now(x->all->setup.io);
	int64_t in_ms = e->at == MONO_NEVER ? -1 : e->at > now ? e->at - now : 0;
	enum log_level level = level_of(e->kind);

	if (x->explains)
		put_explained(x, plan_event_name(e->kind), e, in_ms);
	pass_on(x, e, in_ms);
	if (x->model->room && is_back(e->kind))
		lobby_forget(x->model->room, now);
	if (!log_wants(x->all->setup.log, level))
		return;
	log_line(x->all->setup.log, level, plan_event_name(e->kind),
		 "id=%.*s target=%.*s backend=%.*s why=\"%s\" fault=%s in_ms=%lld", SLICE_ARG(x->id),
		 SLICE_ARG(e->target->name), SLICE_ARG(e->target->backend->name), e->why,
		 fault_row(e->fault)->name, (long long)in_ms);
}

void explain_note(struct exchange *x, const struct target_policy *target, const char *what,
		  const char *why)
{
	const struct plan_event e = { .target = target, .why = why, .at = MONO_NEVER };

	if (x->explains)
		put_explained(x, what, &e, -1);
}

void explain_plan(struct exchange *x)
{
	const struct plan_wants wants = {
		.needs = needs_of(&x->facts),
		.fits = translate_fits,
		.tokens = tokens_of(x),
		.prefix = x->model->balance == BALANCE_PREFIX_AFFINITY ? prefix_of(x) : 0,
		.sticky = x->sticky,
		.on_event = on_event,
		.owner = x,
		.cheap = x->budget && x->budget->then == BUDGET_CHEAPER,
		.tell_all = x->explains || log_wants(x->all->setup.log, LOG_DEBUG),
	};

	plan_want(x->plan, &wants);
}

struct slice explain_text(struct exchange *x)
{
	return x->explains ? buf_slice(&x->explained) : SLICE_NONE;
}

void explain_free(struct exchange *x)
{
	buf_free(&x->explained);
}

/* ---- rate limits ------------------------------------------------------------------------ */

static void tell_left(struct cache *cache, const struct target_policy *target, const struct rate_headroom *said)
{
	char what[RUMOUR_BYTES];

	cache_tell(cache, rumours_left(what, said), target->name,
		   said->requests_full_in_ms > said->tokens_full_in_ms ? said->requests_full_in_ms
								       : said->tokens_full_in_ms);
}

void explain_upstream_head(struct attempt *a, const struct h1_head *head)
{
	struct io *io = a->x->all->setup.io;
	struct dialect_room requests, tokens;
	struct rate_headroom said;

	dialect_rate_rooms(head, io_wall_ms(io), &requests, &tokens);
	if (requests.left < 0 && tokens.left < 0)
		return;
	said = (struct rate_headroom){
		.requests_limit = requests.limit,
		.requests_left = requests.left,
		.requests_full_in_ms = requests.full_in_ms,
		.tokens_limit = tokens.limit,
		.tokens_left = tokens.left,
		.tokens_full_in_ms = tokens.full_in_ms,
	};
	if (target_headroom(a->pick.target, io_now(io), &said) && a->x->all->setup.cache)
		tell_left(a->x->all->setup.cache, a->pick.target, &said);
}
