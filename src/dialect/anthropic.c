/* anthropic.c: the Anthropic dialect's rows: endpoints, codecs, and how Backstay
 * says errors and models in it. Sources: platform.claude.com/docs/en/api
 * (errors, messages, count tokens, models, versions). */
#include "dialect/anthropic.h"

#include "base/check.h"

/* ---- codecs ------------------------------------------------------------------------ */

#define CARRIES                                                                               \
	(CANON_HAS(SYSTEM) | CANON_HAS(TOOLS) | CANON_HAS(TOOL_CHOICE) | CANON_HAS(PARALLEL) |  \
	 CANON_HAS(STRICT_TOOLS) | CANON_HAS(IMAGE_URL) | CANON_HAS(IMAGE_DATA) |               \
	 CANON_HAS(DOCUMENT_URL) | CANON_HAS(DOCUMENT_DATA) | CANON_HAS(FILE_ID) |              \
	 CANON_HAS(RESULT_MEDIA) | CANON_HAS(TOOL_ERRORS) | CANON_HAS(CITATIONS) |               \
	 CANON_HAS(JSON_MODE) |                                                                \
	 CANON_HAS(JSON_SCHEMA) |                                                              \
	 CANON_HAS(TEMPERATURE) | CANON_HAS(TOP_P) | CANON_HAS(TOP_K) | CANON_HAS(STOP) |       \
	 CANON_HAS(EFFORT) | CANON_HAS(THINK_BUDGET) | CANON_HAS(THINK_PARTS) |                 \
	 CANON_HAS(PREFILL) | CANON_HAS(SUMMARY) | CANON_HAS(CACHE_HINT) | CANON_HAS(USER) |    \
	 CANON_HAS(SERVICE_TIER))

const struct codec codec_anthropic_messages = {
	.name = S_INIT("anthropic messages"),
	.task = CANON_CHAT,
	.endpoint = ENDPOINT_CHAT,
	.framing = FRAMING_SSE,
	.repeats = true,
	.carries = CARRIES,
	.lacks = anthropic_lacks,
	.read_request = anthropic_codec_read_request,
	.write_request = anthropic_codec_write_request,
	.read_event = anthropic_read_event,
	.read_end = anthropic_read_end,
	.read_answer = anthropic_read_answer,
	.write_event = anthropic_write_event,
	.resume_writer = anthropic_resume_writer,
	.write_answer = anthropic_write_answer,
};

/* The tokens of a conversation; what only concerns its answer does not count. */
const struct codec codec_anthropic_count = {
	.name = S_INIT("anthropic count tokens"),
	.task = CANON_COUNT,
	.endpoint = ENDPOINT_COUNT_TOKENS,
	.framing = FRAMING_SSE,
	.carries = CARRIES,
	.lacks = anthropic_lacks,
	.read_request = anthropic_count_read_request,
	.write_request = anthropic_codec_write_request,
	.read_answer = anthropic_count_read_answer,
	.write_answer = anthropic_count_write_answer,
};

static const struct codec *const codecs[] = { &codec_anthropic_messages, &codec_anthropic_count, NULL };

/* ---- endpoints ---------------------------------------------------------------------- */

#define AGAIN true
#define ONCE false

#define ROW(method_, path_, kind_, place_, again_, stream_, codec_)                     \
	{ .method = method_, .path = S_INIT("/v1" path_), .upstream_path = S_INIT("/v1" path_), \
	  .kind = ENDPOINT_##kind_, .model_place = MODEL_##place_, .may_retry = again_,     \
	  .may_stream = stream_, .codec = codec_ }

/* The list of models is answered by Backstay; /v1/files is OpenAI's path too
 * and goes where the client's headers tell. */
static const struct endpoint endpoints[] = {
	ROW("POST", "/messages", CHAT, IN_JSON, AGAIN, true, &codec_anthropic_messages),
	ROW("POST", "/messages/count_tokens", COUNT_TOKENS, IN_JSON, AGAIN, false, &codec_anthropic_count),
	ROW("GET", "/models", MODELS, NOWHERE, AGAIN, false, NULL),
	ROW("GET", "/models/*", MODELS, IN_PATH, AGAIN, false, NULL),
	ROW("POST", "/messages/batches", PASS, NOWHERE, ONCE, false, NULL),
	ROW("GET", "/messages/batches", PASS, NOWHERE, AGAIN, false, NULL),
	ROW("GET", "/messages/batches/*", PASS, NOWHERE, AGAIN, false, NULL),
	ROW("POST", "/messages/batches/*", PASS, NOWHERE, AGAIN, false, NULL),      /* cancel */
	ROW("DELETE", "/messages/batches/*", PASS, NOWHERE, AGAIN, false, NULL),
	ROW("POST", "/files", PASS, NOWHERE, ONCE, false, NULL),
	ROW("GET", "/files", PASS, NOWHERE, AGAIN, false, NULL),
	ROW("GET", "/files/*", PASS, NOWHERE, AGAIN, false, NULL),
	ROW("DELETE", "/files/*", PASS, NOWHERE, AGAIN, false, NULL),
};

/* ---- errors of our own --------------------------------------------------------------- */

/* Anthropic's own word for "no capacity"; its clients know it. */
#define STATUS_OVERLOADED 529

static int error_status(const struct error_answer *e)
{
	switch (e->fault) {
	case FAULT_OVERLOADED: case FAULT_SHED: case FAULT_NO_TARGET:
		return STATUS_OVERLOADED;
	default:
		return fault_row(e->fault)->status;
	}
}

static const struct { int status; struct slice type; } types[] = {
	{ 401, S_INIT("authentication_error") },
	{ 402, S_INIT("billing_error") },
	{ 403, S_INIT("permission_error") },
	{ 404, S_INIT("not_found_error") },
	{ 413, S_INIT("request_too_large") },
	{ 429, S_INIT("rate_limit_error") },
	{ 504, S_INIT("timeout_error") },
	{ 503, S_INIT("overloaded_error") },
	{ 529, S_INIT("overloaded_error") },
};

static bool is_own_type(struct slice type)
{
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (slice_eq(type, types[i].type))
			return true;
	return slice_eq(type, S("invalid_request_error")) || slice_eq(type, S("api_error"));
}

/* The upstream's type where it is one of this API's, else the status tells. */
static struct slice type_of(const struct error_answer *e)
{
	int status = dialect_error_status(&dialect_anthropic, e);

	if (e->fault == FAULT_NO_MONEY)
		return S("billing_error");
	if (is_own_type(e->type) && !(slice_eq(e->type, S("invalid_request_error")) && status >= 401))
		return e->type;
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (types[i].status == status)
			return types[i].type;
	return status >= 500 ? S("api_error") : S("invalid_request_error");
}

static void write_error(const struct error_answer *e, struct buf *out)
{
	buf_puts(out, "{\"type\":\"error\",\"error\":{\"type\":");
	json_write_string(out, type_of(e));
	buf_puts(out, ",\"message\":");
	json_write_string(out, e->message.len ? e->message : slice_of(fault_row(e->fault)->text));
	buf_puts(out, "}");
	if (e->request_id.len) {
		buf_puts(out, ",\"request_id\":");
		json_write_string(out, e->request_id);
	}
	buf_puts(out, "}");
}

static void write_error_event(const struct endpoint *endpoint, const struct error_answer *e,
			      struct buf *out)
{
	(void)endpoint;
	buf_puts(out, "event: error\ndata: ");
	write_error(e, out);
	buf_puts(out, "\n\n");
}

/* ---- models ----------------------------------------------------------------------------- */

/* When a name came into the config nobody knows: the API's own way to say so is
 * the epoch. */
static void write_model(struct buf *out, struct slice name)
{
	buf_puts(out, "{\"type\":\"model\",\"id\":");
	json_write_string(out, name);
	buf_puts(out, ",\"display_name\":");
	json_write_string(out, name);
	buf_puts(out, ",\"created_at\":\"1970-01-01T00:00:00Z\"}");
}

static void write_id(struct buf *out, const struct slice *name)
{
	if (name)
		json_write_string(out, *name);
	else
		buf_puts(out, "null");
}

static void write_models(const struct slice *names, size_t count, bool one, int64_t created_s,
			 struct buf *out)
{
	(void)created_s;
	if (one) {
		write_model(out, names[0]);
		return;
	}
	buf_puts(out, "{\"data\":[");
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_puts(out, ",");
		write_model(out, names[i]);
	}
	buf_puts(out, "],\"has_more\":false,\"first_id\":");
	write_id(out, count ? &names[0] : NULL);
	buf_puts(out, ",\"last_id\":");
	write_id(out, count ? &names[count - 1] : NULL);
	buf_puts(out, "}");
}

/* ---- the row ------------------------------------------------------------------------------- */

static bool answer_to_stream(struct arena *arena, const struct endpoint *endpoint,
			     const struct request_facts *facts, struct slice body, struct buf *out)
{
	return endpoint->kind == ENDPOINT_CHAT &&
	       codec_answer_to_stream(&codec_anthropic_messages, arena, facts, body, out);
}

/* No token was computed for it. */
static bool write_message(const struct endpoint *endpoint, struct slice text, struct slice model,
			  struct slice id, int64_t now_s, struct buf *out)
{
	struct arena *arena = arena_create(0);
	struct codec_writer w = { .codec = &codec_anthropic_messages, .arena = arena, .request_id = id,
				  .model = canon_quote(arena, model) };
	struct canon_events events = canon_events_in(arena);
	bool room;

	canon_add(&events, CANON_EVENT_START)->created = now_s;
	canon_add(&events, CANON_EVENT_TEXT)->text = canon_quote(arena, text);
	canon_add(&events, CANON_EVENT_FINISH)->finish = CANON_FINISH_STOP;
	canon_add(&events, CANON_EVENT_DONE);
	room = endpoint->kind == ENDPOINT_CHAT && anthropic_write_answer(&w, &events, out);
	arena_free(arena);
	return room;
}

static bool stream_to_answer(struct arena *arena, const struct endpoint *endpoint,
			     struct slice stream, struct buf *out)
{
	return endpoint->kind == ENDPOINT_CHAT &&
	       codec_stream_to_answer(&codec_anthropic_messages, arena, stream, out);
}

const struct dialect dialect_anthropic = {
	.name = S_INIT("anthropic"),
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.client_header = S_INIT("anthropic-version"),
	.id_header = S_INIT("request-id"),
	.codecs = codecs,
	.base_tail = S_INIT("/v1"),
	.auth = AUTH_X_API_KEY,
	.fixed_headers = S_INIT("anthropic-version: 2023-06-01\r\n"),
	.read_request = anthropic_read_request,
	.judge_answer = anthropic_judge_answer,
	.judge_event = anthropic_judge_event,
	.repeats = true,
	.judge_end = anthropic_judge_end,
	.write_end = anthropic_write_end,
	.answer_to_stream = answer_to_stream,
	.stream_to_answer = stream_to_answer,
	.may_resume = anthropic_may_resume,
	.change_request = anthropic_change_request,
	.read_identity = anthropic_read_identity,
	.error_status = error_status,
	.write_models = write_models,
	.write_message = write_message,
	.write_error = write_error,
	.write_error_event = write_error_event,
};
