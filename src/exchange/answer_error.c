/* What goes to the client when things went wrong. */
#include "exchange/answer.h"
#include "exchange/queue.h"
#include "exchange/translate.h"

#include "base/check.h"

/* ---- one error response ----------------------------------------------------------- */

static bool waiting_helps(enum fault f)
{
	return f == FAULT_RATE_LIMITED || f == FAULT_OVERLOADED || f == FAULT_SHED ||
	       f == FAULT_SHUTDOWN;
}

void answer_error(struct exchange *x, const struct error_answer *e, struct slice body)
{
	struct h1_header headers[3 + ANSWER_OWN_HEADERS];
	struct buf written = BUF_INIT(256 * 1024);
	int64_t wait_ms = e->retry_after_ms;
	size_t n = 0;

	if (!x->client)
		return;                 /* nobody is left to tell */
	headers[n++] = (struct h1_header){ S("content-type"), S("application/json") };
	/* The tries were ours; the SDK's own retries would multiply them (S11, C10). */
	headers[n++] = (struct h1_header){ S("x-should-retry"), S("false") };
	if (wait_ms < 0 && waiting_helps(e->fault))
		wait_ms = 1000;
	if (wait_ms >= 0)
		headers[n++] = (struct h1_header){ S("retry-after"), arena_printf(x->arena, "%lld",
			(long long)((wait_ms + 999) / 1000)) };
	n += answer_own_headers(x, headers + n);
	if (!body.len) {
		x->dialect->write_error(e, &written);
		body = buf_slice(&written);
	}
	x->status_sent = dialect_error_status(x->dialect, e);
	x->bytes_out = body.len;
	client_respond_whole(x->client, x->status_sent, headers, n, body);
	x->client = NULL;
	buf_free(&written);
}

void answer_unknown_model(struct exchange *x, struct slice name, struct error_answer *e)
{
	struct slice near = config_nearest_model(x->config, name);

	*e = (struct error_answer){
		.fault = FAULT_CALLER,
		.status = 404,
		.code = S("model_not_found"),
		.param = S("model"),
		.request_id = x->id,
		.retry_after_ms = -1,
		.message = near.len
			? arena_printf(x->arena, "The model '%.*s' is not in this proxy's configuration. "
				       "Did you mean '%.*s'? GET /v1/models lists all.",
				       SLICE_ARG(name), SLICE_ARG(near))
			: arena_printf(x->arena, "The model '%.*s' is not in this proxy's configuration. "
				       "GET /v1/models lists those that are.", SLICE_ARG(name)),
	};
}

/* ---- no key in an error ---------------------------------------------------------------- */

/* Some upstreams repeat the key they refuse, or the headers they were sent. */
static bool shows_key(const struct pick *pick, struct slice text)
{
	struct slice key = pick->target->backend->key;

	return key.len && slice_find_slice(text, key) != SLICE_NOT_FOUND;
}

void answer_scrub(struct attempt *a)
{
	struct said *said = a->said;

	if (!said)
		return;
	if (fault_row(a->fault)->blame == BLAME_CREDENTIAL || shows_key(&a->pick, said->facts.message))
		said->facts.message = SLICE_NONE;
	if (shows_key(&a->pick, said->error_body))
		said->error_body = SLICE_NONE;
}

/* ---- the last word of a chain -------------------------------------------------------- */

/* The upstream blames the request: its own words say most. */
static bool is_verdict_on_request(enum fault f)
{
	const struct fault_row *row = fault_row(f);

	return row->blame == BLAME_NOBODY && row->elsewhere != ELSEWHERE_YES;
}

static bool all_paced(const struct exchange *x)
{
	for (unsigned i = 0; i < x->attempts; i++) {
		enum fault f = x->records[i].fault;

		if (f != FAULT_RATE_LIMITED && f != FAULT_NO_MONEY && f != FAULT_OUTRUN)
			return false;
	}
	return x->attempts > 0;
}

/* Which try's fault tells the most: the last one, but a rate limit only where
 * waiting would help, that is where nothing else went wrong. */
static unsigned most_telling(const struct exchange *x)
{
	unsigned best = x->attempts - 1;

	if (all_paced(x)) {
		for (unsigned i = 0; i < x->attempts; i++)
			if (x->records[i].fault == FAULT_RATE_LIMITED)
				best = i;
		return best;
	}
	while (best > 0 && (fault_row(x->records[best].fault)->blame == BLAME_PACE ||
			    x->records[best].fault == FAULT_OUTRUN))
		best--;
	/* Who was only slower than another tells nothing. */
	while (x->records[best].fault == FAULT_OUTRUN && best + 1 < x->attempts)
		best++;
	return best;
}

static struct slice tell_story(struct exchange *x, unsigned told, const struct answer_facts *said)
{
	const struct attempt_record *r = &x->records[told];
	const char *text = fault_row(r->fault)->text;

	if (said->message.len)
		return arena_printf(x->arena, "%u attempt%s failed; the most telling, on %.*s: %s "
				    "(\"%.*s\"). Request id %.*s.", x->attempts,
				    x->attempts == 1 ? "" : "s", SLICE_ARG(r->target), text,
				    SLICE_ARG(said->message), SLICE_ARG(x->id));
	return arena_printf(x->arena, "%u attempt%s failed; the most telling, on %.*s: %s. "
			    "Request id %.*s.", x->attempts, x->attempts == 1 ? "" : "s",
			    SLICE_ARG(r->target), text, SLICE_ARG(x->id));
}

/* Nothing could be tried: each target is out for a reason of its own. */
static void choose_by_plan(struct exchange *x, mono_ms now, struct error_answer *e)
{
	mono_ms at;

	e->fault = plan_nothing_why(x->plan, &at);
	switch (e->fault) {
	case FAULT_RATE_LIMITED:
		e->retry_after_ms = at > now ? at - now : 0;
		e->message = arena_printf(x->arena, "All targets of the model '%.*s' have asked for a pause "
					  "that is longer than this request may wait.",
					  SLICE_ARG(x->facts.model));
		break;
	case FAULT_UNSUPPORTED:
		e->status = 400;
		e->message = translate_why_not(x);
		if (e->message.len) {
			e->code = x->canon_fault == FAULT_NONE ? S("unsupported_request") : SLICE_NONE;
			break;
		}
		e->code = S("unsupported_request");
		e->message = arena_printf(x->arena, "No target of the model '%.*s' can do what this request "
					  "asks for (tools, images, audio, a JSON schema or streaming).",
					  SLICE_ARG(x->facts.model));
		break;
	case FAULT_NO_TARGET:
		e->message = arena_printf(x->arena, "No target of the model '%.*s' can take this request.",
					  SLICE_ARG(x->facts.model));
		break;
	default:
		e->message = arena_printf(x->arena, "No target of the model '%.*s' is in use at present: %s. "
					  "The next try is due in %lld s.", SLICE_ARG(x->facts.model),
					  fault_row(e->fault)->text,
					  (long long)(at > now ? (at - now + 999) / 1000 : 0));
		break;
	}
}

static void choose_without_tries(struct exchange *x, bool full, mono_ms now, struct error_answer *e)
{
	if (!full) {
		choose_by_plan(x, now, e);
		return;
	}
	queue_error(x, e);
}

void answer_choose_error(struct exchange *x, bool full, mono_ms now, struct error_answer *e,
			 struct slice *body)
{
	const struct answer_facts *said;
	mono_ms retry_at;
	unsigned told;

	*body = SLICE_NONE;
	*e = (struct error_answer){ .request_id = x->id, .retry_after_ms = -1 };
	if (budgets_refuse(x)) {
		budgets_error(x, e);
		return;
	}
	retry_at = plan_retry_at(x->plan);
	if (x->attempts == 0) {
		choose_without_tries(x, full, now, e);
		return;
	}
	told = most_telling(x);
	said = said_facts(x->said[told]);
	e->fault = x->records[told].fault;
	if (is_verdict_on_request(e->fault)) {
		e->status = x->records[told].status >= 400 ? x->records[told].status : 0;
		e->message = said->message;
		e->type = said->type;
		e->code = said->code;
		e->param = said->param;
		*body = x->said[told] ? x->said[told]->error_body : SLICE_NONE;
	} else {
		e->message = tell_story(x, told, said);
	}
	if (waiting_helps(e->fault) && retry_at != MONO_NEVER)
		e->retry_after_ms = retry_at > now ? retry_at - now : 0;
}

void answer_broken_error(struct exchange *x, enum fault why, struct error_answer *e)
{
	const struct answer_facts *said = said_facts(exchange_broke(x)->said);

	*e = (struct error_answer){
		.fault = why,
		.type = said->type,
		.code = said->code,
		.param = said->param,
		.request_id = x->id,
		.retry_after_ms = -1,
		.so_far = &x->broke->so_far,
		.message = said->message.len
			? arena_printf(x->arena, "The answer broke off: %s (\"%.*s\"). Request id %.*s.",
				       fault_row(why)->text, SLICE_ARG(said->message),
				       SLICE_ARG(x->id))
			: arena_printf(x->arena, "The answer broke off: %s. Request id %.*s.",
				       fault_row(why)->text, SLICE_ARG(x->id)),
	};
}
