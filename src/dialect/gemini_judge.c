/* gemini_judge.c: judging answers and streams that are passed on, with the
 * reader of those that are translated. */
#include "dialect/gemini.h"

#include "base/check.h"
#include "dialect/openai.h"

#include <string.h>

/* ---- whole answers ---------------------------------------------------------------------- */

static void take_error(const struct endpoint *endpoint, int status, const struct error_body *error,
		       struct answer_facts *out)
{
	out->fault = openai_fault_of_error(endpoint, status, error, out->retry_after_ms >= 0);
	out->message = error->message;
	out->type = error->type;
	out->code = error->code;
	out->param = error->param;
}

static void take_events(const struct canon_events *events, struct answer_facts *out)
{
	struct event_facts facts;

	canon_facts(events, &facts);
	out->usage = facts.usage;
	out->finish_reason = facts.finish_reason;
	if (!(facts.is & EVENT_ERROR))
		return;
	out->fault = facts.fault;
	out->message = facts.message;
	out->type = facts.type;
	out->code = facts.code;
	out->param = facts.param;
}

static void judge_chat(struct arena *arena, struct slice body, int64_t wall_ms,
		       struct answer_facts *out)
{
	struct gemini_stream s = { .passes = true };
	struct canon_events events = canon_events_in(arena);
	bool good = gemini_read_piece(&s, body, wall_ms, &events);

	take_events(&events, out);
	if (good && !s.content && !s.finished)
		out->fault = FAULT_BAD_ANSWER;
}

/* {"embedding"}, {"embeddings"}, {"predictions"} (Vertex), {"totalTokens"}. */
static void judge_other(struct arena *arena, const struct endpoint *endpoint, struct slice body,
			struct answer_facts *out)
{
	static const struct slice promised[] = {
		S_INIT("embedding"), S_INIT("embeddings"), S_INIT("predictions"),
	};
	struct error_body error;
	bool good = false;

	out->fault = FAULT_BAD_ANSWER;
	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT)
		return;
	error_body_read(arena, body, &error);
	if (error.found && error_body_is_error(json_member(body, S("error")))) {
		take_error(endpoint, 0, &error, out);
		return;
	}
	if (endpoint->kind == ENDPOINT_COUNT_TOKENS)
		good = json_member(body, S("totalTokens")).len > 0;
	for (size_t i = 0; i < COUNT_OF(promised); i++)
		good |= endpoint->kind == ENDPOINT_EMBEDDINGS &&
			error_body_is_error(json_member(body, promised[i]));     /* not empty */
	if (good)
		out->fault = FAULT_NONE;
}

void gemini_judge_answer(struct arena *arena, const struct endpoint *endpoint, int status,
			 const struct h1_head *head, struct slice body, int64_t wall_ms,
			 struct answer_facts *out)
{
	struct error_body error;

	*out = (struct answer_facts){ .fault = FAULT_NONE, .retry_after_ms = -1 };
	if (status >= 200 && status <= 299) {
		if (endpoint->kind == ENDPOINT_CHAT)
			judge_chat(arena, body, wall_ms, out);
		else
			judge_other(arena, endpoint, body, out);
		if (out->fault != FAULT_NONE)
			out->retry_after_ms = dialect_retry_hint_ms(head, body, wall_ms);
		return;
	}
	/* Redirects are never followed (S18). */
	if (status < 400) {
		out->fault = FAULT_BAD_ANSWER;
		return;
	}
	out->retry_after_ms = dialect_retry_hint_ms(head, body, wall_ms);
	error_body_read(arena, body, &error);
	take_error(endpoint, status, &error, out);
	/* A key that is none is a 400 here (ErrorInfo's reason API_KEY_INVALID). */
	if (status == 400 && slice_find_slice(body, S("\"API_KEY_INVALID\"")) != SLICE_NOT_FOUND)
		out->fault = FAULT_CREDENTIAL;
	/* So is a place from which Google serves nobody. */
	if (status == 400 && slice_find_slice(error.message, S("User location is not supported")) !=
			     SLICE_NOT_FOUND)
		out->fault = FAULT_CREDENTIAL;
}

/* ---- streams ---------------------------------------------------------------------------------- */

/* The reader's state lives in the four numbers that a dialect may keep: eight
 * counts of calls, the bits of candidates, and two flags. */
static struct gemini_stream load(const struct stream_facts *so_far)
{
	struct gemini_stream s = { .passes = true };

	memcpy(s.calls, &so_far->private[0], sizeof s.calls);
	s.finished = (uint8_t)so_far->private[1];
	s.seen = (uint8_t)(so_far->private[1] >> 8);
	s.started = so_far->private[2] != 0;
	s.content = so_far->content_seen;
	return s;
}

static void save(const struct gemini_stream *s, struct stream_facts *so_far)
{
	memcpy(&so_far->private[0], s->calls, sizeof s->calls);
	so_far->private[1] = (uint64_t)s->finished | (uint64_t)s->seen << 8;
	so_far->private[2] = s->started;
}

static void bring_up_to_date(const struct gemini_stream *s, struct stream_facts *so_far,
			     struct event_facts *out)
{
	so_far->content_seen |= (out->is & EVENT_CONTENT) != 0;
	so_far->error_seen |= (out->is & (EVENT_ERROR | EVENT_BROKEN)) != 0;
	/* With several candidates the answer is complete when each is. */
	if (s->finished)
		so_far->finish_seen = (s->seen & ~s->finished) == 0;
	if (!so_far->finish_seen)
		out->is &= ~(unsigned)EVENT_FINISH;
	if (out->usage.known)
		so_far->usage = out->usage;
	so_far->events++;
}

void gemini_judge_event(struct arena *arena, const struct endpoint *endpoint, struct slice type,
			struct slice data, struct stream_facts *so_far, struct event_facts *out)
{
	struct gemini_stream s = load(so_far);
	struct canon_events events = canon_events_in(arena);

	(void)type;
	*out = (struct event_facts){ .retry_after_ms = -1 };
	data = slice_trim(data);
	if (endpoint->kind != ENDPOINT_CHAT || !data.len || slice_eq(data, S("[DONE]"))) {
		so_far->events++;
		return;
	}
	gemini_read_piece(&s, data, 0, &events);
	canon_facts(&events, out);
	/* Arguments in pieces are for the client to join; nobody else can go on with them. */
	if (slice_find_slice(data, S("\"willContinue\"")) != SLICE_NOT_FOUND ||
	    slice_find_slice(data, S("\"partialArgs\"")) != SLICE_NOT_FOUND)
		out->pieces_lost = true;
	save(&s, so_far);
	bring_up_to_date(&s, so_far, out);
}

enum fault gemini_judge_end(const struct endpoint *endpoint, const struct stream_facts *so_far)
{
	if (endpoint->kind != ENDPOINT_CHAT || (so_far->finish_seen && !so_far->error_seen))
		return FAULT_NONE;
	return so_far->content_seen ? FAULT_CUT : FAULT_BAD_ANSWER;
}

/* The last piece says that it is the last. */
void gemini_write_end(const struct endpoint *endpoint, const struct stream_facts *so_far,
		      struct buf *out)
{
	(void)endpoint;
	(void)so_far;
	(void)out;
}
