/* resume.c: going on with a broken stream on another target, so that the client
 * sees one answer. */
#include "exchange/attempt.h"
#include "exchange/translate.h"

#include "base/check.h"

bool resume_is_possible(const struct exchange *x, enum fault why)
{
	enum fault_elsewhere elsewhere = fault_row(why)->elsewhere;

	return x->may_resume && !x->ledger.lost &&
	       (elsewhere == ELSEWHERE_YES || elsewhere == ELSEWHERE_RESUME);
}

static bool says_only_the_rest(enum resume_way way)
{
	return way != RESUME_NONE && way != RESUME_REPLAY;
}

enum resume_way resume_way_for(const struct exchange *x)
{
	enum resume_way way = (enum resume_way)x->pick.target->resume;

	way = x->dialect->may_resume(x->endpoint, &x->facts, way);
	/* The Responses API has no way to say how an answer begins. */
	if (x->endpoint->kind == ENDPOINT_RESPONSES && x->pick.target->backend->dialect == x->dialect &&
	    says_only_the_rest(way))
		way = RESUME_REPLAY;
	/* Half a tool call, thinking, a refusal: only the same model can go on. */
	if (says_only_the_rest(way) && ledger_plain_text(&x->ledger).len == 0)
		way = RESUME_REPLAY;
	return way;
}

const char *resume_way_name(enum resume_way way)
{
	static const char *const names[] = {
		[RESUME_AUTO] = "auto", [RESUME_NONE] = "none", [RESUME_REPLAY] = "replay",
		[RESUME_PREFILL] = "prefill", [RESUME_CONTINUE_FINAL] = "continue_final_message",
		[RESUME_PREFIX] = "prefix", [RESUME_INSTRUCT] = "instruct",
	};

	return names[way];
}

void resume_spent(const struct exchange *x, int64_t *input, int64_t *output)
{
	*input = x->usage.input_tokens;
	*output = x->usage.output_tokens + x->untold_tokens;
}

/* ---- telling ----------------------------------------------------------------------- */

/* Gives an event's data to the client under the answer's first name; with
 * `retold` only what the seam found new. False: the attempt has ended. */
static bool tell(struct attempt *a, struct slice type, struct slice data, bool retold)
{
	struct exchange *x = a->x;
	struct event_rewrite how = {
		.identity = &x->identity,
		.retold = retold,
		.texts = a->seam->texts,
		.text_count = a->seam->text_count,
		.mute_finished = a->seam->mute_finished,
	};
	struct buf json = BUF_INIT(2 * EVENT_BYTES_MAX), event = BUF_INIT(2 * EVENT_BYTES_MAX);
	bool told;

	resume_spent(x, &how.add_input, &how.add_output);
	told = x->dialect->rewrite_event(x->endpoint, data, &how, &json) &&
	       sse_try_write(&event, type, buf_slice(&json));
	if (told) {
		if (a->state == ATTEMPT_HOLDING) {
			attempt_enter(a, ATTEMPT_STREAMING);
			exchange_on_resumed(a, io_now(x->all->setup.io));
		}
		relay_bytes(a, buf_slice(&event));
	}
	buf_free(&json);
	buf_free(&event);
	if (!told)
		attempt_fail(a, FAULT_BAD_ANSWER, S("an event is larger than the limit"));
	return told;
}

/* The same for a backend of another dialect. */
static bool tell_foreign(struct attempt *a, struct arena *scratch, const struct canon_events *events,
			 bool retold)
{
	struct exchange *x = a->x;
	struct buf *told = &x->all->told;
	bool fits;

	buf_clear(told);
	fits = retold ? translate_retell(a, scratch, events, told) : translate_tell(a, events, told);
	if (!fits) {
		attempt_fail(a, FAULT_BAD_ANSWER, S("an event is larger than the limit"));
		return false;
	}
	if (buf_len(told) == 0)
		return true;
	if (a->state == ATTEMPT_HOLDING) {
		attempt_enter(a, ATTEMPT_STREAMING);
		exchange_on_resumed(a, io_now(x->all->setup.io));
	}
	relay_bytes(a, buf_slice(told));
	return true;
}

/* An event of our own, for text that no event of the backend stands for. */
static struct slice blank_event(const struct exchange *x)
{
	return x->endpoint->kind == ENDPOINT_CHAT
		? S("{\"id\":null,\"object\":\"chat.completion.chunk\",\"created\":null,\"model\":null}")
		: S("{\"id\":null,\"object\":\"text_completion\",\"created\":null,\"model\":null}");
}

/* What the seam held back until the end. False: the attempt has ended. */
static bool tell_held(struct attempt *a, struct arena *scratch)
{
	struct canon_events none = canon_events_in(scratch);
	bool told;

	if (!a->seam->text_count)
		return true;
	told = a->translation ? tell_foreign(a, scratch, &none, true)
			      : tell(a, SLICE_NONE, blank_event(a->x), true);
	if (told)
		relay_count_piece(a->x);
	return told;
}

/* An event has been judged and told, if there was anything to tell. Gives `told`. */
static bool count(struct attempt *a, bool told, bool has_content)
{
	if (told && has_content)
		relay_count_piece(a->x);
	return told;
}

/* `scratch` is the one that events under way lie in: another call for it might
 * give it back under them. */
static bool finish(struct attempt *a, struct arena *scratch)
{
	struct exchange *x = a->x;

	if (!a->translation && x->dialect->judge_end(x->endpoint, &a->facts) != FAULT_NONE) {
		attempt_fail(a, FAULT_BAD_ANSWER, S("the stream was done without an answer in it"));
		return false;
	}
	seam_end(a->seam, &x->ledger);
	if (!tell_held(a, scratch))
		return false;
	if (!seam_caught_up(&x->ledger)) {
		attempt_fail(a, FAULT_DIVERGED, S("it ended before it had told what was sent already"));
		return false;
	}
	if (a->state == ATTEMPT_HOLDING) {
		attempt_enter(a, ATTEMPT_STREAMING);
		exchange_on_resumed(a, io_now(x->all->setup.io));
	}
	return true;
}

bool resume_finish(struct attempt *a)
{
	return finish(a, exchanges_scratch(a->x->all));
}

bool resume_event(struct attempt *a, struct arena *scratch, const struct sse_event *event,
		  const struct event_facts *facts)
{
	if (!event->has_data) {
		if (a->state == ATTEMPT_STREAMING)
			relay_bytes(a, event->raw);
		return true;
	}
	if (a->heard)
		attempt_progress(a);
	if (facts->is & EVENT_DONE) {
		if (!resume_finish(a))
			return false;
		relay_bytes(a, event->raw);
		return true;
	}
	switch (seam_feed(a->seam, &a->x->ledger, scratch, facts)) {
	case SEAM_SWALLOW:
		return true;
	case SEAM_PASS:
		return count(a, tell(a, event->type, event->data, false), facts->is & EVENT_CONTENT);
	case SEAM_RETELL:
		return count(a, tell(a, event->type, event->data, true), a->seam->text_count > 0);
	case SEAM_DIFFERS:
		break;
	}
	attempt_fail(a, FAULT_DIVERGED, S("it differs from what was sent already"));
	return false;
}

bool resume_foreign(struct attempt *a, struct arena *scratch, const struct canon_events *events,
		    const struct event_facts *facts)
{
	struct canon_events body = *events, last = *events;
	bool done = (facts->is & EVENT_DONE) != 0, told = true;

	if (a->heard && events->count)
		attempt_progress(a);
	body.count -= done;
	last.at += body.count;
	last.count = done;
	if (body.count)
		switch (seam_feed(a->seam, &a->x->ledger, scratch, facts)) {
		case SEAM_SWALLOW:
			break;
		case SEAM_PASS:
			told = count(a, tell_foreign(a, scratch, &body, false), facts->is & EVENT_CONTENT);
			break;
		case SEAM_RETELL:
			told = count(a, tell_foreign(a, scratch, &body, true), a->seam->text_count > 0);
			break;
		case SEAM_DIFFERS:
			attempt_fail(a, FAULT_DIVERGED, S("it differs from what was sent already"));
			return false;
		}
	if (!told || !done)
		return told;
	return finish(a, scratch) && tell_foreign(a, scratch, &last, false);
}
