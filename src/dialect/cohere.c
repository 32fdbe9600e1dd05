/* cohere.c: Cohere's v2 API as a dialect of backends: its rows, where it is asked,
 * and what its whole answers and errors mean. */
#include "dialect/cohere.h"

#include "base/check.h"
#include "dialect/openai.h"
#include "wire/json.h"

const struct codec codec_cohere_chat = {
	.name = S_INIT("cohere chat"),
	.task = CANON_CHAT,
	.endpoint = ENDPOINT_CHAT,
	.framing = FRAMING_SSE,
	.carries = CANON_HAS(SYSTEM) | CANON_HAS(TOOLS) | CANON_HAS(TOOL_CHOICE) | CANON_HAS(STRICT_TOOLS) |
		   CANON_HAS(IMAGE_URL) | CANON_HAS(IMAGE_DATA) | CANON_HAS(IMAGE_DETAIL) |
		   CANON_HAS(DOCUMENT_DATA) | CANON_HAS(CITATIONS) | CANON_HAS(JSON_MODE) |
		   CANON_HAS(JSON_SCHEMA) | CANON_HAS(TEMPERATURE) | CANON_HAS(TOP_P) | CANON_HAS(TOP_K) |
		   CANON_HAS(PENALTIES) | CANON_HAS(SEED) | CANON_HAS(STOP) | CANON_HAS(LOGPROBS) |
		   CANON_HAS(EFFORT) | CANON_HAS(THINK_BUDGET),
	.lacks = cohere_lacks,
	.write_request = cohere_write_request,
	.read_event = cohere_read_event,
	.read_end = cohere_read_end,
	.read_answer = cohere_read_answer,
};

static const struct codec *const codecs[] = { &codec_cohere_chat, &codec_cohere_embed, NULL };

static struct slice upstream_path(struct arena *arena, const struct dialect_ask *ask)
{
	(void)arena;
	return ask->codec && ask->codec->task == CANON_EMBED ? S("/v2/embed") : S("/v2/chat");
}

/* ---- errors ------------------------------------------------------------------------- */

/* Where Cohere's statuses and sentences mean something else than others'. */
static enum fault fault_of(const struct endpoint *endpoint, int status, const struct error_body *error,
			   bool hinted)
{
	/* The words of a request or an answer are on a list of forbidden ones. */
	if (status == 498)
		return FAULT_POLICY;
	/* A trial key's calls of a month are used up: waiting a minute does not help. */
	if (status == 429 && slice_find_nocase(error->message, S("Trial key")) != SLICE_NOT_FOUND &&
	    slice_find_nocase(error->message, S("month")) != SLICE_NOT_FOUND)
		return FAULT_NO_MONEY;
	/* "model 'x' not found, make sure the correct model ID was used …" */
	if (status == 404 && slice_starts_nocase(error->message, S("model ")))
		return FAULT_MODEL_GONE;
	return openai_fault_of_error(endpoint, status, error, hinted);
}

static void judge_answer(struct arena *arena, const struct endpoint *endpoint, int status,
			 const struct h1_head *head, struct slice body, int64_t wall_ms,
			 struct answer_facts *out)
{
	struct codec_reader reader = {
		.codec = endpoint->kind == ENDPOINT_EMBEDDINGS ? &codec_cohere_embed : &codec_cohere_chat,
		.arena = arena, .wall_ms = wall_ms,
	};
	struct canon_events events = canon_events_in(arena);
	struct event_facts facts;
	struct error_body error;

	*out = (struct answer_facts){ .retry_after_ms = -1 };
	if (status >= 200 && status <= 299) {
		out->fault = reader.codec->read_answer(&reader, body, &events);
		canon_facts(&events, &facts);
		if (facts.is & EVENT_ERROR) {
			out->fault = facts.fault;
			out->message = facts.message;
		}
		out->usage = facts.usage;
		out->finish_reason = facts.finish_reason;
		return;
	}
	if (status < 400) {
		out->fault = FAULT_BAD_ANSWER;
		return;
	}
	out->retry_after_ms = dialect_retry_hint_ms(head, body, wall_ms);
	error_body_read(arena, body, &error);
	out->fault = fault_of(endpoint, status, &error, out->retry_after_ms >= 0);
	out->message = error.message;
	out->type = error.type;
	out->code = error.code;
	out->param = error.param;
}

const struct dialect dialect_cohere = {
	.name = S_INIT("cohere"),
	.codecs = codecs,
	.base_tail = S_INIT("/v2"),
	.upstream_path = upstream_path,
	.judge_answer = judge_answer,
};
