/* openai.c: the OpenAI dialect's row: its endpoints, and how Backstay says
 * errors in it. Sources: platform.openai.com/docs/api-reference; for rerank the
 * shape that vLLM, llama.cpp and Jina share. */
#include "dialect/openai.h"

#include "base/check.h"
#include "dialect/openai_responses.h"
#include "wire/json.h"
#include "wire/sse.h"

/* Sending twice is right for whatever computes an answer (it costs money, it
 * changes nothing) and wrong for whatever creates an object that stays: files,
 * batches. */
#define AGAIN true
#define ONCE false

#define SPOKEN(method_, path_, kind_, place_, again_, stream_, codec_)                  \
	{ .method = method_, .path = S_INIT("/v1" path_), .upstream_path = S_INIT(path_), \
	  .kind = ENDPOINT_##kind_, .model_place = MODEL_##place_, .may_retry = again_,     \
	  .may_stream = stream_, .codec = &codec_ }
#define ROW(method_, path_, kind_, place_, again_, stream_)                             \
	{ .method = method_, .path = S_INIT("/v1" path_), .upstream_path = S_INIT(path_), \
	  .kind = ENDPOINT_##kind_, .model_place = MODEL_##place_, .may_retry = again_,     \
	  .may_stream = stream_ }

/* In the order of use; exact paths stand before the "*" that would take them. */
static const struct endpoint endpoints[] = {
	SPOKEN("POST", "/chat/completions", CHAT, IN_JSON, AGAIN, true, codec_openai_chat),
	SPOKEN("POST", "/responses", RESPONSES, IN_JSON, AGAIN, true, codec_openai_responses),
	SPOKEN("POST", "/embeddings", EMBEDDINGS, IN_JSON, AGAIN, false, codec_openai_embeddings),
	SPOKEN("POST", "/completions", COMPLETIONS, IN_JSON, AGAIN, true, codec_openai_completions),
	ROW("GET", "/models", MODELS, NOWHERE, AGAIN, false),
	ROW("GET", "/models/*", MODELS, IN_PATH, AGAIN, false),
	ROW("POST", "/responses/compact", PASS, IN_JSON, AGAIN, false),
	ROW("POST", "/responses/input_tokens", PASS, IN_JSON, AGAIN, false),
	ROW("GET", "/responses/*", PASS, NOWHERE, AGAIN, true),
	ROW("POST", "/responses/*", PASS, NOWHERE, AGAIN, false),      /* cancel */
	ROW("DELETE", "/responses/*", PASS, NOWHERE, AGAIN, false),
	ROW("POST", "/moderations", PASS, IN_JSON, AGAIN, false),
	ROW("POST", "/rerank", PASS, IN_JSON, AGAIN, false),
	ROW("POST", "/reranking", PASS, IN_JSON, AGAIN, false),        /* llama.cpp's name for it */
	ROW("POST", "/images/generations", PASS, IN_JSON, AGAIN, true),
	ROW("POST", "/images/edits", PASS, IN_MULTIPART, AGAIN, true),
	ROW("POST", "/images/variations", PASS, IN_MULTIPART, AGAIN, false),
	ROW("POST", "/audio/speech", PASS, IN_JSON, AGAIN, true),
	ROW("POST", "/audio/transcriptions", PASS, IN_MULTIPART, AGAIN, true),
	ROW("POST", "/audio/translations", PASS, IN_MULTIPART, AGAIN, false),
	ROW("POST", "/files", PASS, NOWHERE, ONCE, false),
	ROW("GET", "/files", PASS, NOWHERE, AGAIN, false),
	ROW("GET", "/files/*", PASS, NOWHERE, AGAIN, false),
	ROW("DELETE", "/files/*", PASS, NOWHERE, AGAIN, false),
	ROW("POST", "/batches", PASS, NOWHERE, ONCE, false),
	ROW("GET", "/batches", PASS, NOWHERE, AGAIN, false),
	ROW("GET", "/batches/*", PASS, NOWHERE, AGAIN, false),
	ROW("POST", "/batches/*", PASS, NOWHERE, AGAIN, false),        /* cancel */
};

/* ---- codecs ------------------------------------------------------------------ */

const struct codec codec_openai_chat = {
	.name = S_INIT("openai chat"),
	.task = CANON_CHAT,
	.endpoint = ENDPOINT_CHAT,
	.framing = FRAMING_SSE,
	.repeats = true,
	.carries = CANON_HAS(SYSTEM) | CANON_HAS(TOOLS) | CANON_HAS(TOOL_CHOICE) | CANON_HAS(PARALLEL) |
		CANON_HAS(STRICT_TOOLS) | CANON_HAS(CUSTOM_TOOLS) | CANON_HAS(IMAGE_URL) |
		CANON_HAS(IMAGE_DATA) | CANON_HAS(AUDIO_IN) | CANON_HAS(VIDEO) | CANON_HAS(DOCUMENT_DATA) |
		CANON_HAS(RESULT_MEDIA) | CANON_HAS(JSON_MODE) | CANON_HAS(JSON_SCHEMA) |
		CANON_HAS(TEMPERATURE) | CANON_HAS(TOP_P) | CANON_HAS(TOP_K) | CANON_HAS(MIN_P) |
		CANON_HAS(PENALTIES) | CANON_HAS(REPETITION) | CANON_HAS(LOGIT_BIAS) | CANON_HAS(SEED) |
		CANON_HAS(STOP) | CANON_HAS(CHOICES) | CANON_HAS(LOGPROBS) | CANON_HAS(EFFORT) |
		CANON_HAS(THINK_BUDGET) | CANON_HAS(PREFILL) | CANON_HAS(VERBOSITY) |
		CANON_HAS(CACHE_HINT) | CANON_HAS(METADATA) | CANON_HAS(USER) | CANON_HAS(SERVICE_TIER) |
		CANON_HAS(STORE) | CANON_HAS(NAMES) | CANON_HAS(IMAGE_DETAIL),
	.lacks = openai_chat_lacks,
	.read_request = openai_chat_read_request,
	.write_request = openai_chat_write_request,
	.read_event = openai_chat_read_event,
	.read_end = openai_chat_read_end,
	.read_answer = openai_chat_read_answer,
	.write_event = openai_chat_write_event,
	.write_answer = openai_chat_write_answer,
};

const struct codec codec_openai_responses = {
	.name = S_INIT("openai responses"),
	.task = CANON_CHAT,
	.endpoint = ENDPOINT_RESPONSES,
	.framing = FRAMING_SSE,
	.carries = CANON_HAS(SYSTEM) | CANON_HAS(TOOLS) | CANON_HAS(TOOL_CHOICE) | CANON_HAS(PARALLEL) |
		CANON_HAS(STRICT_TOOLS) | CANON_HAS(CUSTOM_TOOLS) | CANON_HAS(IMAGE_URL) |
		CANON_HAS(IMAGE_DATA) | CANON_HAS(AUDIO_IN) | CANON_HAS(DOCUMENT_URL) |
		CANON_HAS(DOCUMENT_DATA) | CANON_HAS(FILE_ID) | CANON_HAS(RESULT_MEDIA) |
		CANON_HAS(JSON_MODE) | CANON_HAS(JSON_SCHEMA) | CANON_HAS(TEMPERATURE) |
		CANON_HAS(TOP_P) | CANON_HAS(LOGPROBS) | CANON_HAS(EFFORT) | CANON_HAS(THINK_BUDGET) |
		CANON_HAS(THINK_PARTS) | CANON_HAS(VERBOSITY) | CANON_HAS(SUMMARY) |
		CANON_HAS(CACHE_HINT) | CANON_HAS(METADATA) | CANON_HAS(USER) | CANON_HAS(SERVICE_TIER) |
		CANON_HAS(STORE) | CANON_HAS(IMAGE_DETAIL),
	.lacks = openai_responses_lacks,
	.read_request = openai_responses_read_request,
	.write_request = openai_responses_write_request,
	.read_event = openai_responses_read_event,
	.read_end = openai_responses_read_end,
	.read_answer = openai_responses_read_answer,
	.write_event = openai_responses_write_event,
	.resume_writer = openai_responses_resume_writer,
	.write_answer = openai_responses_write_answer,
};

static const struct codec *const codecs[] = {
	&codec_openai_chat, &codec_openai_responses, &codec_openai_embeddings, NULL,
};

bool openai_is_llm(const struct endpoint *endpoint)
{
	switch (endpoint->kind) {
	case ENDPOINT_CHAT: case ENDPOINT_COMPLETIONS: case ENDPOINT_RESPONSES:
	case ENDPOINT_EMBEDDINGS:
		return true;
	case ENDPOINT_COUNT_TOKENS: case ENDPOINT_PASS: case ENDPOINT_MODELS:
		break;
	}
	return false;
}

/* ---- errors of our own ------------------------------------------------------- */

static void put_word(struct buf *out, struct slice word)
{
	if (word.len == 0)
		buf_puts(out, "null");
	else
		json_write_string(out, word);
}

/* The upstream's null stands only beside a type of the upstream's. */
static struct slice code_of(const struct error_answer *e)
{
	bool null = e->type.len && e->code.at;

	return e->code.len || null ? e->code : slice_of(fault_row(e->fault)->code);
}

/* {"message":…,"type":…,"param":…,"code":…} */
static void put_error(const struct error_answer *e, struct buf *out)
{
	const struct fault_row *row = fault_row(e->fault);

	buf_puts(out, "{\"message\":");
	json_write_string(out, e->message.len ? e->message : slice_of(row->text));
	buf_puts(out, ",\"type\":");
	put_word(out, e->type.len ? e->type : slice_of(row->type));
	buf_puts(out, ",\"param\":");
	put_word(out, e->param);
	buf_puts(out, ",\"code\":");
	put_word(out, code_of(e));
	buf_puts(out, "}");
}

static void write_error(const struct error_answer *e, struct buf *out)
{
	buf_puts(out, "{\"error\":");
	put_error(e, out);
	buf_puts(out, "}");
}

/* The Responses API documents its error event flat; its servers send it with
 * an "error" object, and only that makes the official clients raise. So both. */
static void write_responses_error(const struct error_answer *e, struct buf *out)
{
	const struct fault_row *row = fault_row(e->fault);
	uint64_t sequence = e->so_far ? e->so_far->private[OPENAI_NEXT_SEQUENCE] : 0;

	buf_puts(out, "event: error\ndata: {\"type\":\"error\",\"code\":");
	put_word(out, code_of(e));
	buf_puts(out, ",\"message\":");
	json_write_string(out, e->message.len ? e->message : slice_of(row->text));
	buf_puts(out, ",\"param\":");
	put_word(out, e->param);
	buf_putf(out, ",\"sequence_number\":%llu,\"error\":", (unsigned long long)sequence);
	put_error(e, out);
	buf_puts(out, "}\n\n");
}

static void write_error_event(const struct endpoint *endpoint, const struct error_answer *e,
			      struct buf *out)
{
	if (endpoint->kind == ENDPOINT_RESPONSES) {
		write_responses_error(e, out);
		return;
	}
	/* The official clients raise on a chunk with an "error" member. */
	buf_puts(out, "data: ");
	write_error(e, out);
	buf_puts(out, "\n\n");
}

/* ---- models --------------------------------------------------------------------- */

static void write_model(struct buf *out, struct slice name, int64_t created_s)
{
	buf_puts(out, "{\"id\":");
	json_write_string(out, name);
	buf_putf(out, ",\"object\":\"model\",\"created\":%lld,\"owned_by\":\"backstay\"}",
		 (long long)created_s);
}

static void write_models(const struct slice *names, size_t count, bool one, int64_t created_s,
			 struct buf *out)
{
	if (one) {
		write_model(out, names[0], created_s);
		return;
	}
	buf_puts(out, "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_puts(out, ",");
		write_model(out, names[i], created_s);
	}
	buf_puts(out, "]}");
}

const struct dialect dialect_openai = {
	.name = S_INIT("openai"),
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.codecs = codecs,
	.read_request = openai_read_request,
	.judge_answer = openai_judge_answer,
	.judge_event = openai_judge_event,
	.repeats = true,
	.judge_end = openai_judge_end,
	.write_end = openai_write_end,
	.answer_to_stream = openai_answer_to_stream,
	.stream_to_answer = openai_stream_to_answer,
	.may_resume = openai_may_resume,
	.change_request = openai_change_request,
	.read_identity = openai_read_identity,
	.rewrite_event = openai_rewrite_event,
	.write_models = write_models,
	.write_message = openai_write_message,
	.write_error = write_error,
	.write_error_event = write_error_event,
};
