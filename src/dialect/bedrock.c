/* bedrock.c: AWS Bedrock's Converse API as a dialect of backends: its rows, where
 * it is asked, and what its whole answers and errors mean. */
#include "dialect/bedrock.h"

#include "base/check.h"
#include "wire/json.h"
#include "wire/url.h"

#define CARRIED                                                                               \
	(CANON_HAS(SYSTEM) | CANON_HAS(TOOLS) | CANON_HAS(TOOL_CHOICE) | CANON_HAS(STRICT_TOOLS) | \
	 CANON_HAS(IMAGE_DATA) | CANON_HAS(AUDIO_IN) | CANON_HAS(IMAGE_OUT) | CANON_HAS(VIDEO) |   \
	 CANON_HAS(DOCUMENT_DATA) | CANON_HAS(RESULT_MEDIA) | CANON_HAS(TOOL_ERRORS) |             \
	 CANON_HAS(CITATIONS) |                                                                  \
	 CANON_HAS(JSON_SCHEMA) | CANON_HAS(TEMPERATURE) | CANON_HAS(TOP_P) | CANON_HAS(TOP_K) |   \
	 CANON_HAS(STOP) | CANON_HAS(EFFORT) | CANON_HAS(THINK_BUDGET) | CANON_HAS(THINK_PARTS) |  \
	 CANON_HAS(PREFILL) | CANON_HAS(CACHE_HINT) | CANON_HAS(METADATA) | CANON_HAS(SERVICE_TIER))

const struct codec codec_bedrock_converse = {
	.name = S_INIT("bedrock converse"),
	.task = CANON_CHAT,
	.endpoint = ENDPOINT_CHAT,
	.framing = FRAMING_EVENTSTREAM,
	.carries = CARRIED,
	.lacks = bedrock_lacks,
	.write_request = bedrock_write_request,
	.read_event = bedrock_read_event,
	.read_end = bedrock_read_end,
	.read_answer = bedrock_read_answer,
};

/* {"inputTokens": 12} */
static enum fault read_count(struct codec_reader *r, struct slice body, struct canon_events *out)
{
	struct canon_event *e;
	int64_t n;

	if (json_validate(body, NULL) != JSON_OK || !json_i64(json_member(body, S("inputTokens")), &n) || n < 0)
		return FAULT_BAD_ANSWER;
	r->started = r->done = true;
	canon_add(out, CANON_EVENT_START)->created = r->wall_ms / 1000;
	e = canon_add(out, CANON_EVENT_COUNT);
	e->usage = (struct usage){ .known = true, .input_tokens = n };
	canon_add(out, CANON_EVENT_DONE);
	return FAULT_NONE;
}

const struct codec codec_bedrock_count = {
	.name = S_INIT("bedrock count"),
	.task = CANON_COUNT,
	.endpoint = ENDPOINT_COUNT_TOKENS,
	.carries = CARRIED,
	.lacks = bedrock_lacks,
	.write_request = bedrock_write_count,
	.read_answer = read_count,
};

static const struct codec *const codecs[] = {
	&codec_bedrock_converse, &codec_bedrock_count, &codec_bedrock_embed, NULL,
};

/* ---- where it is asked -------------------------------------------------------------- */

/* The model is one segment of the path, whatever is in its name (an ARN has
 * colons and slashes). */
static struct slice upstream_path(struct arena *arena, const struct dialect_ask *ask)
{
	struct slice model = url_encode(arena, ask->model);
	enum canon_task task = ask->codec ? ask->codec->task : CANON_CHAT;
	const char *what = task == CANON_COUNT ? "count-tokens" : task == CANON_EMBED ? "invoke"
			 : ask->stream ? "converse-stream" : "converse";

	return arena_printf(arena, "/model/%.*s/%s", SLICE_ARG(model), what);
}

/* ---- whole answers --------------------------------------------------------------------- */

static void judge_error(struct arena *arena, int status, const struct h1_head *head, struct slice body,
			struct answer_facts *out)
{
	bool json = json_validate(body, NULL) == JSON_OK && json_type_of(body) == JSON_OBJECT;
	struct slice name = head ? h1_get(head, S("x-amzn-errortype")) : SLICE_NONE;

	if (!name.len && json)
		name = json_string(arena, json_member(body, S("__type")));
	if (!name.len && json)
		name = json_string(arena, json_member(body, S("code")));
	name = bedrock_error_name(name);
	out->message = dialect_error_message(arena, body);
	if (!out->message.len && json)
		out->message = json_string(arena, json_member(body, S("Message")));
	out->fault = bedrock_fault_of(name, status, out->message);
	/* A page comes from something in front of the service, and says nothing of the key. */
	if (status == 403 && !json && !name.len)
		out->fault = FAULT_SERVER_ERROR;
	if (json || name.len) {
		out->type = S("");
		out->code = name.len ? name : S("");
		out->param = S("");
	}
}

static void judge_answer(struct arena *arena, const struct endpoint *endpoint, int status,
			 const struct h1_head *head, struct slice body, int64_t wall_ms,
			 struct answer_facts *out)
{
	struct codec_reader reader = {
		.codec = endpoint->kind == ENDPOINT_COUNT_TOKENS ? &codec_bedrock_count
			: endpoint->kind == ENDPOINT_EMBEDDINGS ? &codec_bedrock_embed : &codec_bedrock_converse,
		.arena = arena, .wall_ms = wall_ms,
	};
	struct canon_events events = canon_events_in(arena);
	struct event_facts facts;

	*out = (struct answer_facts){ .retry_after_ms = dialect_retry_hint_ms(head, body, wall_ms) };
	if (status < 200 || status > 299) {
		judge_error(arena, status, head, body, out);
		return;
	}
	out->fault = reader.codec->read_answer(&reader, body, &events);
	canon_facts(&events, &facts);
	if (facts.is & EVENT_ERROR) {
		out->fault = facts.fault;
		out->message = facts.message;
	}
	out->usage = facts.usage;
	out->finish_reason = facts.finish_reason;
	if (out->fault == FAULT_NONE)
		out->retry_after_ms = -1;
}

const struct dialect dialect_bedrock = {
	.name = S_INIT("bedrock"),
	.codecs = codecs,
	.upstream_path = upstream_path,
	.judge_answer = judge_answer,
};
