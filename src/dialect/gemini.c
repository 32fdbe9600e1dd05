/* gemini.c: the rows of the Gemini API and of Vertex AI, which speaks the same at
 * other places: endpoints, codecs, paths, and how Backstay says errors and
 * models in it. Sources: ai.google.dev/api, cloud.google.com/vertex-ai/
 * generative-ai/docs/model-reference/inference. */
#include "dialect/gemini.h"

#include "base/check.h"

/* ---- codecs ---------------------------------------------------------------------------- */

const struct codec codec_gemini_generate = {
	.name = S_INIT("gemini generateContent"),
	.task = CANON_CHAT,
	.endpoint = ENDPOINT_CHAT,
	.framing = FRAMING_SSE,
	.carries = GEMINI_CARRIES,
	.lacks = gemini_lacks,
	.read_request = gemini_codec_read_request,
	.write_request = gemini_codec_write_request,
	.read_event = gemini_read_event,
	.read_end = gemini_read_end,
	.read_answer = gemini_read_answer,
	.write_event = gemini_write_event,
	.resume_writer = gemini_resume_writer,
	.write_answer = gemini_write_answer,
};

static const struct codec *const codecs[] = {
	&codec_gemini_generate, &codec_gemini_count, &codec_gemini_embed, NULL,
};
static const struct codec *const vertex_codecs[] = {
	&codec_gemini_generate, &codec_gemini_count, &codec_vertex_predict, NULL,
};

/* ---- endpoints -------------------------------------------------------------------------- */

#define METHOD(before_, name_, kind_, stream_, codec_)                                          \
	{ .method = "POST", .path = S_INIT(before_ "*:" name_), .upstream_path = S_INIT("*:" name_), \
	  .kind = ENDPOINT_##kind_, .model_place = MODEL_IN_PATH, .may_retry = true,               \
	  .may_stream = stream_, .codec = codec_ }
#define METHODS(before_)                                                                  \
	METHOD(before_, "streamGenerateContent", CHAT, true, &codec_gemini_generate),      \
	METHOD(before_, "generateContent", CHAT, false, &codec_gemini_generate),           \
	METHOD(before_, "countTokens", COUNT_TOKENS, false, &codec_gemini_count),          \
	METHOD(before_, "batchEmbedContents", EMBEDDINGS, false, &codec_gemini_embed),     \
	METHOD(before_, "embedContent", EMBEDDINGS, false, &codec_gemini_embed_one)
#define LIST(path_, kind_, place_)                                                     \
	{ .method = "GET", .path = S_INIT(path_), .upstream_path = S_INIT("/models"), .kind = ENDPOINT_##kind_, \
	  .model_place = MODEL_##place_, .may_retry = true }

static const struct endpoint endpoints[] = {
	METHODS("/v1beta/models/"),
	METHODS("/v1/models/"),
	METHODS("/v1alpha/models/"),
	LIST("/v1beta/models", MODELS, NOWHERE),
	LIST("/v1beta/models/*", MODELS, IN_PATH),
	LIST("/v1/models", MODELS, NOWHERE),
	LIST("/v1/models/*", MODELS, IN_PATH),
};

/* Its clients name project and place, which are the backend's affair here. */
static const struct endpoint vertex_endpoints[] = {
	METHODS("/v1beta1/projects/"),
	METHODS("/v1/projects/"),
	METHODS("/v1beta1/publishers/google/models/"),
	METHODS("/v1/publishers/google/models/"),
};

/* ---- where it is asked --------------------------------------------------------------------- */

/* A name is one segment, or several where it says its publisher itself. */
static struct slice encode(struct arena *arena, struct slice name)
{
	struct slice text = SLICE_NONE;

	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.at[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			     c == '-' || c == '.' || c == '_' || c == '~' || c == '/' || c == '@';

		text = plain ? arena_printf(arena, "%.*s%c", SLICE_ARG(text), c)
			     : arena_printf(arena, "%.*s%%%02X", SLICE_ARG(text), c);
	}
	return text;
}

/* What is asked of a model, behind its name. Streams come as events always: how
 * the client gets them is for us to see to. */
static const char *method_of(const struct dialect_ask *ask)
{
	enum endpoint_kind kind = ask->codec ? ask->codec->endpoint : ask->endpoint->kind;

	switch (kind) {
	case ENDPOINT_COUNT_TOKENS:
		return "countTokens";
	case ENDPOINT_EMBEDDINGS:
		if (ask->codec)
			return ask->codec == &codec_vertex_predict ? "predict" : "batchEmbedContents";
		return ask->endpoint->codec == &codec_gemini_embed ? "batchEmbedContents" : "embedContent";
	default:
		return ask->stream ? "streamGenerateContent?alt=sse" : "generateContent";
	}
}

static struct slice upstream_path(struct arena *arena, const struct dialect_ask *ask)
{
	struct slice model = encode(arena, ask->model);
	const char *before = slice_starts(model, S("models/")) || slice_starts(model, S("tunedModels/"))
		? "" : "models/";

	return arena_printf(arena, "/v1beta/%s%.*s:%s", before, SLICE_ARG(model), method_of(ask));
}

/* Without a project it is the express mode, in which a key says whose it is. */
static struct slice vertex_path(struct arena *arena, const struct dialect_ask *ask)
{
	struct slice model = encode(arena, ask->model), where = SLICE_NONE;
	const struct dialect_place *place = ask->place;
	const char *publisher = slice_starts(model, S("publishers/")) || slice_starts(model, S("endpoints/"))
		? "" : "publishers/google/models/";

	if (slice_starts(model, S("projects/")))
		return arena_printf(arena, "/v1/%.*s:%s", SLICE_ARG(model), method_of(ask));
	if (place && place->project.len)
		where = arena_printf(arena, "projects/%.*s/locations/%.*s/", SLICE_ARG(place->project),
				     SLICE_ARG(place->location.len ? place->location : S("global")));
	return arena_printf(arena, "/v1/%.*s%s%.*s:%s", SLICE_ARG(where), publisher, SLICE_ARG(model),
			    method_of(ask));
}

/* ---- errors of our own ------------------------------------------------------------------------ */

/* {"code", "message", "status", "details"}: a hint when to come back is a detail. */
void gemini_write_error(const struct error_answer *e, struct buf *out)
{
	const struct fault_row *row = fault_row(e->fault);
	int status = e->status ? e->status : row->status;

	buf_putf(out, "{\"error\":{\"code\":%d,\"message\":", status);
	json_write_string(out, e->message.len ? e->message : slice_of(row->text));
	buf_puts(out, ",\"status\":");
	json_write_string(out, gemini_status_word(status));
	if (e->retry_after_ms >= 0)
		buf_putf(out, ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\","
			 "\"retryDelay\":\"%lld.%03llds\"}]", (long long)(e->retry_after_ms / 1000),
			 (long long)(e->retry_after_ms % 1000));
	buf_puts(out, "}}");
}

void gemini_write_error_event(const struct endpoint *endpoint, const struct error_answer *e,
			      struct buf *out)
{
	(void)endpoint;
	buf_puts(out, "data: ");
	gemini_write_error(e, out);
	buf_puts(out, "\r\n\r\n");
}

/* ---- models, messages ---------------------------------------------------------------------------- */

static void write_model(struct buf *out, struct slice name)
{
	struct buf full = BUF_INIT(name.len + 8);

	buf_puts(&full, "models/");
	buf_put(&full, name);
	buf_puts(out, "{\"name\":");
	json_write_string(out, buf_slice(&full));
	buf_free(&full);
	buf_puts(out, ",\"displayName\":");
	json_write_string(out, name);
	buf_puts(out, ",\"supportedGenerationMethods\":[\"generateContent\",\"countTokens\","
		 "\"embedContent\"]}");
}

static void write_models(const struct slice *names, size_t count, bool one, int64_t created_s,
			 struct buf *out)
{
	(void)created_s;
	if (one) {
		write_model(out, names[0]);
		return;
	}
	buf_puts(out, "{\"models\":[");
	for (size_t i = 0; i < count; i++) {
		if (i)
			buf_puts(out, ",");
		write_model(out, names[i]);
	}
	buf_puts(out, "]}");
}

/* No token was computed for it. */
static bool write_message(const struct endpoint *endpoint, struct slice text, struct slice model,
			  struct slice id, int64_t now_s, struct buf *out)
{
	struct arena *arena = arena_create(0);
	struct codec_writer w = { .codec = &codec_gemini_generate, .arena = arena, .request_id = id,
				  .model = canon_quote(arena, model) };
	struct canon_events events = canon_events_in(arena);
	bool room;

	canon_add(&events, CANON_EVENT_START)->created = now_s;
	canon_add(&events, CANON_EVENT_TEXT)->text = canon_quote(arena, text);
	canon_add(&events, CANON_EVENT_FINISH)->finish = CANON_FINISH_STOP;
	canon_add(&events, CANON_EVENT_DONE);
	room = endpoint->kind == ENDPOINT_CHAT && gemini_write_answer(&w, &events, out);
	arena_free(arena);
	return room;
}

/* ---- the rows ----------------------------------------------------------------------------------------- */

#define SHARED                                          \
	.client_header = S_INIT("x-goog-api-client"),    \
	.no_comments = true,                             \
	.read_query = gemini_read_query,                 \
	.read_request = gemini_read_request,             \
	.judge_answer = gemini_judge_answer,             \
	.judge_event = gemini_judge_event,               \
	.judge_end = gemini_judge_end,                   \
	.write_end = gemini_write_end,                   \
	.answer_to_stream = gemini_answer_to_stream,     \
	.stream_to_answer = gemini_stream_to_answer,     \
	.may_resume = gemini_may_resume,                 \
	.change_request = gemini_change_request,         \
	.read_identity = gemini_read_identity,           \
	.write_models = write_models,                    \
	.write_message = write_message,                  \
	.write_error = gemini_write_error,               \
	.write_error_event = gemini_write_error_event

const struct dialect dialect_gemini = {
	.name = S_INIT("gemini"),
	.endpoints = endpoints,
	.endpoint_count = COUNT_OF(endpoints),
	.codecs = codecs,
	.base_tail = S_INIT("/v1beta"),
	.auth = AUTH_X_GOOG_API_KEY,
	.kin = &dialect_vertex,
	.upstream_path = upstream_path,
	SHARED,
};

const struct dialect dialect_vertex = {
	.name = S_INIT("vertex"),
	.endpoints = vertex_endpoints,
	.endpoint_count = COUNT_OF(vertex_endpoints),
	.codecs = vertex_codecs,
	.base_tail = S_INIT("/v1"),
	.auth = AUTH_X_GOOG_API_KEY,
	.kin = &dialect_gemini,
	.upstream_path = vertex_path,
	SHARED,
};
