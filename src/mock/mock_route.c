/* mock_route.c: from a whole request to a whole answer. */
#include "mock/mock_bedrock.h"

#include <string.h>

#define MODEL_NAME_MAX 256

static const struct { enum mock_endpoint endpoint; const char *name; struct slice path; } endpoints[] = {
	{ MOCK_CHAT, "chat", S_INIT("/v1/chat/completions") },
	{ MOCK_COMPLETIONS, "completions", S_INIT("/v1/completions") },
	{ MOCK_RESPONSES, "responses", S_INIT("/v1/responses") },
	{ MOCK_COUNT_TOKENS, "count_tokens", S_INIT("/v1/messages/count_tokens") },
	{ MOCK_MESSAGES, "messages", S_INIT("/v1/messages") },
	{ MOCK_EMBEDDINGS, "embeddings", S_INIT("/v1/embeddings") },
	{ MOCK_CONVERSE, "converse", S_INIT("/model") },
	{ MOCK_COHERE_CHAT, "cohere_chat", S_INIT("/v2/chat") },
	{ MOCK_COHERE_EMBED, "cohere_embed", S_INIT("/v2/embed") },
	{ MOCK_GEMINI, "gemini", { NULL, 0 } },
	{ MOCK_GEMINI_COUNT, "gemini_count", { NULL, 0 } },
	{ MOCK_GEMINI_EMBED, "gemini_embed", { NULL, 0 } },
	{ MOCK_AWS, "aws", S_INIT("/latest") },
	{ MOCK_AWS, "aws", S_INIT("/aws-container") },
	{ MOCK_MODELS, "models", S_INIT("/v1/models") },
	{ MOCK_MODERATIONS, "moderations", S_INIT("/v1/moderations") },
	{ MOCK_RERANK, "rerank", S_INIT("/v1/rerank") },
	{ MOCK_IMAGES, "images", S_INIT("/v1/images") },
	{ MOCK_TRANSCRIPTIONS, "transcriptions", S_INIT("/v1/audio/transcriptions") },
	{ MOCK_SPEECH, "speech", S_INIT("/v1/audio/speech") },
	{ MOCK_FILES, "files", S_INIT("/v1/files") },
	{ MOCK_BATCHES, "batches", S_INIT("/v1/batches") },
	{ MOCK_TOKEN, "token", { NULL, 0 } },
	{ MOCK_HEALTH, "health", S_INIT("/health") },
	{ MOCK_CONTROL, "control", S_INIT("/mock") },
	{ MOCK_UNKNOWN, "unknown", { NULL, 0 } },
};

const char *mock_endpoint_name(enum mock_endpoint e)
{
	for (size_t i = 0; i < COUNT_OF(endpoints); i++)
		if (endpoints[i].endpoint == e)
			return endpoints[i].name;
	never("an endpoint without a name");
}

enum mock_endpoint mock_find_endpoint(struct slice path)
{
	enum mock_endpoint gemini;

	if (mock_is_gemini_path(path, &gemini))
		return gemini;
	for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
		struct slice p = endpoints[i].path;

		if (p.len && slice_starts(path, p) && (path.len == p.len || path.at[p.len] == '/' ||
						       path.at[p.len] == '?'))
			return endpoints[i].endpoint;
	}
	return mock_is_token_path(path) ? MOCK_TOKEN : MOCK_UNKNOWN;
}

struct arena *mock_arena(struct mock *mock)
{
	if (!mock->arena)
		mock->arena = arena_create(0);
	return mock->arena;
}

/* ---- reading ---------------------------------------------------------------------- */

enum {
	WANT_MODEL, WANT_MESSAGES, WANT_INPUT, WANT_PROMPT, WANT_STREAM, WANT_STREAM_OPTIONS, WANT_TOOLS,
	WANT_TOOL_CHOICE, WANT_RESPONSE_FORMAT, WANT_STOP, WANT_MAX_TOKENS, WANT_MAX_COMPLETION_TOKENS,
	WANT_MAX_OUTPUT_TOKENS, WANT_N, WANT_LOGPROBS, WANT_DIMENSIONS, WANT_ENCODING_FORMAT, WANT_TEXT,
	WANT_DOCUMENTS, WANT_METADATA, WANT_STOP_SEQUENCES, WANT_OUTPUT_CONFIG, WANT_THINKING,
	WANT_REASONING, WANT_INCLUDE, WANT_COUNT
};

static void take_members(struct mock *mock, struct mock_request *r, const struct json_want *w)
{
	static const int limits[] = { WANT_MAX_TOKENS, WANT_MAX_COMPLETION_TOKENS, WANT_MAX_OUTPUT_TOKENS };
	int64_t n;

	r->model = json_string(mock_arena(mock), w[WANT_MODEL].value);
	if (r->model.len > MODEL_NAME_MAX)
		r->model = slice_sub(r->model, 0, MODEL_NAME_MAX);
	r->conversation = w[WANT_MESSAGES].found ? w[WANT_MESSAGES].value :
		w[WANT_INPUT].found ? w[WANT_INPUT].value : w[WANT_PROMPT].value;
	r->stream = json_is_true(w[WANT_STREAM].value);
	if (w[WANT_STREAM_OPTIONS].found && w[WANT_STREAM_OPTIONS].type == JSON_OBJECT) {
		r->include_usage = json_is_true(json_member(w[WANT_STREAM_OPTIONS].value, S("include_usage")));
		r->obfuscate = json_is_true(json_member(w[WANT_STREAM_OPTIONS].value, S("include_obfuscation")));
	}
	r->tools = w[WANT_TOOLS].value;
	r->tool_choice = w[WANT_TOOL_CHOICE].value;
	r->response_format = w[WANT_RESPONSE_FORMAT].value;
	r->stop = w[WANT_STOP].found ? w[WANT_STOP].value : w[WANT_STOP_SEQUENCES].value;
	r->thinking = w[WANT_THINKING].value;
	r->reasoning = w[WANT_REASONING].value;
	r->include = w[WANT_INCLUDE].value;
	if (w[WANT_OUTPUT_CONFIG].found && w[WANT_OUTPUT_CONFIG].type == JSON_OBJECT)
		r->response_format = json_member(w[WANT_OUTPUT_CONFIG].value, S("format"));
	r->dimensions = w[WANT_DIMENSIONS].value;
	r->encoding_format = w[WANT_ENCODING_FORMAT].value;
	r->text = w[WANT_TEXT].value;
	r->documents = w[WANT_DOCUMENTS].value;
	r->metadata = w[WANT_METADATA].value;
	r->logprobs = json_is_true(w[WANT_LOGPROBS].value);
	for (size_t i = 0; i < COUNT_OF(limits); i++)
		if (json_i64(w[limits[i]].value, &n) && n >= 0)
			r->max_tokens = n;
	if (json_i64(w[WANT_N].value, &n) && n >= 1)
		r->n = n > MOCK_CHOICES_MAX ? MOCK_CHOICES_MAX : (unsigned)n;
}

/* False: answered with a 400. */
static bool read_json(struct mock *mock, struct mock_request *r, struct mock_answer *a)
{
	struct json_want wants[WANT_COUNT] = {
		[WANT_MODEL] = { .name = S("model") }, [WANT_MESSAGES] = { .name = S("messages") },
		[WANT_INPUT] = { .name = S("input") }, [WANT_PROMPT] = { .name = S("prompt") },
		[WANT_STREAM] = { .name = S("stream") }, [WANT_STREAM_OPTIONS] = { .name = S("stream_options") },
		[WANT_TOOLS] = { .name = S("tools") }, [WANT_TOOL_CHOICE] = { .name = S("tool_choice") },
		[WANT_RESPONSE_FORMAT] = { .name = S("response_format") }, [WANT_STOP] = { .name = S("stop") },
		[WANT_MAX_TOKENS] = { .name = S("max_tokens") },
		[WANT_MAX_COMPLETION_TOKENS] = { .name = S("max_completion_tokens") },
		[WANT_MAX_OUTPUT_TOKENS] = { .name = S("max_output_tokens") }, [WANT_N] = { .name = S("n") },
		[WANT_LOGPROBS] = { .name = S("logprobs") }, [WANT_DIMENSIONS] = { .name = S("dimensions") },
		[WANT_ENCODING_FORMAT] = { .name = S("encoding_format") }, [WANT_TEXT] = { .name = S("text") },
		[WANT_DOCUMENTS] = { .name = S("documents") }, [WANT_METADATA] = { .name = S("metadata") },
		[WANT_STOP_SEQUENCES] = { .name = S("stop_sequences") },
		[WANT_OUTPUT_CONFIG] = { .name = S("output_config") },
		[WANT_THINKING] = { .name = S("thinking") }, [WANT_REASONING] = { .name = S("reasoning") },
		[WANT_INCLUDE] = { .name = S("include") },
	};
	enum json_result why = json_scan_object(r->body, wants, WANT_COUNT, NULL);

	if (why != JSON_OK) {
		mock_refuse(mock, a, 400, NULL, NULL, json_result_text(why));
		return false;
	}
	take_members(mock, r, wants);
	if (r->model.len)
		return true;
	if (r->endpoint == MOCK_MODERATIONS || r->endpoint == MOCK_IMAGES || r->endpoint == MOCK_BATCHES)
		return true;
	mock_refuse(mock, a, 400, NULL, NULL, "you must provide a model parameter");
	return false;
}

bool mock_has_key(const struct mock *mock, const struct h1_head *head)
{
	struct slice given = h1_get(head, S("authorization"));

	if (slice_starts_nocase(given, S("bearer ")))
		given = slice_trim(slice_from(given, sizeof "bearer " - 1));
	else if (h1_get(head, S("x-api-key")).at)
		given = h1_get(head, S("x-api-key"));
	else if (h1_get(head, S("x-goog-api-key")).at)
		given = h1_get(head, S("x-goog-api-key"));
	else
		given = h1_get(head, S("api-key"));
	return slice_eq_constant_time(given, slice_of(mock->key));
}

bool mock_serves(struct mock *mock, const struct mock_request *r, struct mock_answer *a)
{
	bool listed = !mock->options.model_count || !r->model.len;

	for (unsigned i = 0; i < mock->options.model_count; i++)
		listed |= slice_eq(mock->options.models[i], r->model);
	if (!listed)
		mock_refuse(mock, a, 404, NULL, "model_not_found",
			    "The model does not exist or you do not have access to it.");
	return listed;
}

bool mock_takes_prefill(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
			struct mock_answer *a)
{
	if (!b->no_prefill || slice_find_slice(r->conversation, S("\"assistant\"")) == SLICE_NOT_FOUND)
		return true;
	mock_refuse(mock, a, 400, NULL, NULL,
		    "This model does not support assistant message prefill. The conversation must end "
		    "with a user message.");
	return false;
}

/* May this request be served at all? False: refused. */
static bool check_request(struct mock *mock, struct mock_request *r, const struct mock_behaviour *b,
			  struct mock_answer *a)
{
	bool json = slice_eq(r->method, S("POST")) && r->endpoint != MOCK_TRANSCRIPTIONS &&
		r->endpoint != MOCK_FILES;

	if (mock->key && r->endpoint != MOCK_HEALTH && !mock_has_key(mock, r->head)) {
		mock_refuse(mock, a, 401, NULL, "invalid_api_key", "Incorrect API key provided.");
		return false;
	}
	if (mock->speaks == SPEAKS_ANTHROPIC && !h1_get(r->head, S("anthropic-version")).at) {
		mock_refuse(mock, a, 400, NULL, NULL, "anthropic-version: header is required");
		return false;
	}
	if (r->endpoint == MOCK_IMAGES && r->body.len && r->body.at[0] != '{')
		json = false;                   /* edits are multipart */
	if (json && !read_json(mock, r, a))
		return false;
	if (mock->speaks == SPEAKS_ANTHROPIC && json && !mock_check_messages(mock, r, a))
		return false;
	return mock_serves(mock, r, a) && mock_takes_prefill(mock, r, b, a);
}

/* ---- answering -------------------------------------------------------------------- */

/* Other vendors' endpoints. False: it is none. */
static bool answer_foreign(struct mock *mock, struct mock_request *r, const struct mock_behaviour *b,
			   struct mock_answer *a)
{
	switch (r->endpoint) {
	case MOCK_CONVERSE:
		mock_answer_converse(mock, r, b, a);
		break;
	case MOCK_COHERE_CHAT:
	case MOCK_COHERE_EMBED:
		mock_answer_cohere(mock, r, b, a);
		break;
	case MOCK_GEMINI:
	case MOCK_GEMINI_COUNT:
	case MOCK_GEMINI_EMBED:
		mock_answer_gemini(mock, r, b, a);
		break;
	case MOCK_AWS:
		mock_answer_aws(mock, r, b, a);
		return true;
	default:
		return false;
	}
	if (b->status && b->status < 300 && a->status == 200)
		a->status = (int)b->status;
	return true;
}

static void answer_endpoint(struct mock *mock, struct mock_request *r, const struct mock_behaviour *b,
			    struct mock_answer *a)
{
	bool only_post = r->endpoint <= MOCK_COHERE_EMBED;

	if (r->endpoint == MOCK_UNKNOWN) {
		mock_refuse(mock, a, 404, NULL, "unknown_url", "Unknown request URL.");
		return;
	}
	if (only_post && !slice_eq(r->method, S("POST"))) {
		mock_refuse(mock, a, 405, NULL, "method_not_supported", "Not allowed to use this method here.");
		return;
	}
	if (answer_foreign(mock, r, b, a))
		return;
	if (r->endpoint == MOCK_TOKEN) {
		mock_answer_token(mock, r, b, a);
		return;
	}
	if (!check_request(mock, r, b, a))
		return;
	switch (r->endpoint) {
	case MOCK_CHAT:
		mock_answer_chat(mock, r, b, a);
		break;
	case MOCK_COMPLETIONS:
		mock_answer_completions(mock, r, b, a);
		break;
	case MOCK_RESPONSES:
		mock_answer_responses(mock, r, b, a);
		break;
	case MOCK_MESSAGES:
		mock_answer_messages(mock, r, b, a);
		break;
	case MOCK_COUNT_TOKENS:
		mock_answer_count_tokens(mock, r, a);
		break;
	case MOCK_EMBEDDINGS:
		mock_answer_embeddings(mock, r, b, a);
		break;
	case MOCK_MODELS:
		mock_answer_models(mock, r, a);
		break;
	default:
		mock_answer_misc(mock, r, b, a);
		break;
	}
	if (b->status && b->status < 300 && a->status == 200)
		a->status = (int)b->status;
}

/* What is sent instead of an answer. False: nothing, answer. */
static bool compose_instead(const struct mock_behaviour *b, uint64_t nth, struct mock_script *wire)
{
	enum mock_instead instead = (enum mock_instead)b->instead;

	if (instead == INSTEAD_NO || (instead == INSTEAD_STALE && nth == 0))
		return false;
	mock_script_wait(wire, b->delay_ms);
	switch (instead) {
	case INSTEAD_CONTINUE_EOF:
		mock_script_send(wire, S("HTTP/1.1 100 Continue\r\n\r\n"));
		break;
	case INSTEAD_JUNK_TLS:
		mock_script_send(wire, S("\x15\x03\x03\x00\x02\x02\x28"));
		break;
	case INSTEAD_JUNK_SSH:
		mock_script_send(wire, S("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"));
		break;
	case INSTEAD_JUNK_HTTP09:
		mock_script_send(wire, S("<html>no status line here</html>\n"));
		break;
	case INSTEAD_JUNK_BINARY:
		mock_script_send(wire, S("\x00\x01\x02\xff\xfe\xfdHTTP\x00\r\n\r\n\x7f"));
		break;
	case INSTEAD_TRUNCATED_HEAD:
		mock_script_send(wire, S("HTTP/1.1 200 OK\r\ncontent-type: applica"));
		break;
	case INSTEAD_HEAD_ONLY:
		mock_script_send(wire, S("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
					 "transfer-encoding: chunked\r\n\r\n"));
		mock_script_step(wire, STEP_HANG);
		break;
	case INSTEAD_SILENCE:
		mock_script_step(wire, STEP_HANG);
		break;
	case INSTEAD_HANG_UP:
	case INSTEAD_STALE:
	case INSTEAD_NO:
		break;
	}
	mock_script_step(wire, STEP_CUT);
	return true;
}

static void record(struct mock *mock, const struct h1_head *head, struct slice body)
{
	struct buf *out = &mock->last;

	buf_clear(out);
	buf_putf(out, "%.*s %.*s HTTP/1.%u\n", SLICE_ARG(head->method), SLICE_ARG(head->target), head->minor);
	for (unsigned i = 0; i < head->header_count; i++)
		buf_putf(out, "%.*s: %.*s\n", SLICE_ARG(head->headers[i].name), SLICE_ARG(head->headers[i].value));
	buf_puts(out, "\n");
	buf_put(out, slice_sub(body, 0, body.len < (1u << 20) ? body.len : 1u << 20));
}

/* An error in the middle is told in the body, whatever status its words have. */
static bool errs_inside(const struct mock_behaviour *b)
{
	for (uint32_t i = 0; i < b->point_count; i++)
		if (b->points[i].kind == POINT_ERROR)
			return true;
	return false;
}

/* The path tells; the list of models is at one place for two vendors. */
static enum mock_dialect speaks_of(const struct mock_request *r)
{
	if (r->endpoint == MOCK_MESSAGES || r->endpoint == MOCK_COUNT_TOKENS)
		return SPEAKS_ANTHROPIC;
	if (r->endpoint == MOCK_CONVERSE)
		return SPEAKS_BEDROCK;
	if (r->endpoint == MOCK_COHERE_CHAT || r->endpoint == MOCK_COHERE_EMBED)
		return SPEAKS_COHERE;
	if (r->endpoint == MOCK_GEMINI || r->endpoint == MOCK_GEMINI_COUNT || r->endpoint == MOCK_GEMINI_EMBED)
		return SPEAKS_GEMINI;
	return r->endpoint == MOCK_MODELS && h1_get(r->head, S("anthropic-version")).at
		? SPEAKS_ANTHROPIC : SPEAKS_OPENAI;
}

void mock_compose(struct mock *mock, const struct h1_head *head, struct slice body, uint64_t nth,
		  const struct mock_behaviour *b, struct mock_script *wire)
{
	struct mock_answer a = { .status = 200, .content_type = "application/json" };
	struct mock_request r = { .head = head, .method = head->method, .path = head->target, .body = body,
				  .n = 1, .max_tokens = -1 };

	slice_cut(head->target, '?', &r.path, &r.query);
	r.endpoint = mock_find_endpoint(r.path);
	mock->speaks = speaks_of(&r);
	mock->requests++;
	mock_script_clear(&mock->body);
	if (r.endpoint == MOCK_CONTROL) {
		mock_answer_control(mock, &r, &a);
		mock_frame(mock, &a, b, head, wire);
		return;
	}
	if (mock->options.record)
		record(mock, head, body);
	if (compose_instead(b, nth, wire))
		return;
	if (b->body == BODY_HTML)
		mock_answer_html(mock, b, &a);
	else if ((b->status >= 300 && !errs_inside(b)) || b->body == BODY_ERROR_200)
		mock_answer_error(mock, b, &a);
	else
		answer_endpoint(mock, &r, b, &a);
	mock_frame(mock, &a, b, head, wire);
	arena_free(mock->arena);
	mock->arena = NULL;
}

void mock_compose_bad_head(struct mock *mock, enum h1_result why, struct mock_script *wire)
{
	struct mock_answer a = { .status = 400, .content_type = "application/json" };
	struct mock_behaviour b = mock_behaviour_healthy();
	struct h1_head head = { .method = S("GET"), .minor = 1 };

	mock_refuse(mock, &a, h1_result_status(why), NULL, "bad_http", h1_result_text(why));
	mock_frame(mock, &a, &b, &head, wire);
}
