/* gemini_request.c: what routing needs of a request, and how one is changed
 * that is passed on. */
#include "dialect/gemini.h"

#include "base/check.h"
#include "dialect/request_scan.h"
#include "wire/url.h"

#include <string.h>

/* ---- the model's name, in the path ------------------------------------------------------ */

/* What stands for the star, without the method behind the colon; of Vertex's
 * paths the last segment. */
static struct slice model_in(const struct endpoint *endpoint, struct slice path)
{
	size_t star = slice_find(endpoint->path, '*'), models;
	struct slice name;

	must(star != SLICE_NOT_FOUND);
	must(path.len + 1 >= endpoint->path.len);
	name = slice_sub(path, star, path.len - (endpoint->path.len - star - 1));
	models = slice_find_slice(name, S("/models/"));
	return models == SLICE_NOT_FOUND ? name : slice_from(name, models + 8);
}

static enum fault read_model(struct arena *arena, const struct endpoint *endpoint, struct slice path,
			     struct request_facts *out, struct scan_refusal to)
{
	out->model_raw = model_in(endpoint, path);
	out->model = url_decode(arena, out->model_raw);
	if (out->model.len == 0 || out->model.len > SCAN_MODEL_BYTES_MAX)
		return scan_refuse(to, S("the path does not have the name of a model"), S("model"));
	return FAULT_NONE;
}

/* ---- the body ------------------------------------------------------------------------------ */

enum { WANT_CONTENTS, WANT_CONFIG, WANT_CONFIG_SNAKE, WANT_TOOLS, WANT_CONTENT, WANT_REQUESTS, WANT_COUNT };

static const struct slice want_names[WANT_COUNT] = {
	[WANT_CONTENTS] = S_INIT("contents"),
	[WANT_CONFIG] = S_INIT("generationConfig"),
	[WANT_CONFIG_SNAKE] = S_INIT("generation_config"),
	[WANT_TOOLS] = S_INIT("tools"),
	[WANT_CONTENT] = S_INIT("content"),
	[WANT_REQUESTS] = S_INIT("requests"),
};

/* Of two spellings the one that is there. */
static struct slice either(struct slice object, const char *camel, const char *snake)
{
	struct slice value = json_member(object, slice_of(camel));

	return json_is_nothing(value) ? json_member(object, slice_of(snake)) : value;
}

static bool asks_thinking(struct slice config)
{
	struct slice thinking = either(config, "thinkingConfig", "thinking_config");
	struct slice budget = either(thinking, "thinkingBudget", "thinking_budget");
	struct slice level = either(thinking, "thinkingLevel", "thinking_level");
	int64_t n;

	if (json_i64(budget, &n))
		return n != 0;
	return !json_is_nothing(level) && !json_string_eq(level, S("MINIMAL")) &&
	       !json_string_eq(level, S("minimal"));
}

static void read_facts(const struct json_want *wants, struct request_facts *out)
{
	const struct json_want *contents = &wants[WANT_CONTENTS];
	struct slice config = wants[WANT_CONFIG].found ? wants[WANT_CONFIG].value
						       : wants[WANT_CONFIG_SNAKE].value;
	struct slice mime = either(config, "responseMimeType", "response_mime_type"), schema;
	int64_t n;

	out->conversation = contents->value;
	if (wants[WANT_CONTENT].found)
		out->conversation = wants[WANT_CONTENT].value;
	if (wants[WANT_REQUESTS].found)
		out->conversation = wants[WANT_REQUESTS].value;
	out->has_tools = scan_has_elements(&wants[WANT_TOOLS]);
	out->has_images = contents->found &&
			  slice_find_slice(contents->value, S("\"image/")) != SLICE_NOT_FOUND;
	out->has_audio = contents->found &&
			 slice_find_slice(contents->value, S("\"audio/")) != SLICE_NOT_FOUND;
	/* Proofs of other vendors: "backstay." in base64. */
	out->foreign = contents->found &&
		       slice_find_slice(contents->value, S("\"YmFja3N0YXku")) != SLICE_NOT_FOUND;
	schema = either(config, "responseSchema", "response_schema");
	if (json_is_nothing(schema))
		schema = either(config, "responseJsonSchema", "response_json_schema");
	out->has_schema = !json_is_nothing(schema);
	out->constrained = out->has_schema ||
			   (!json_is_nothing(mime) && !json_string_eq(mime, S("text/plain")));
	out->reasons = asks_thinking(config);
	if (json_i64(either(config, "candidateCount", "candidate_count"), &n) && n > 1)
		out->choices = n > 1000 ? 1000 : (unsigned)n;
	out->logprobs = json_is_true(either(config, "responseLogprobs", "response_logprobs"));
	if (!json_i64(either(config, "maxOutputTokens", "max_output_tokens"), &out->max_tokens))
		out->max_tokens = -1;
}

enum fault gemini_read_request(struct arena *arena, const struct endpoint *endpoint,
			       struct slice content_type, struct slice path, struct slice body,
			       struct request_facts *out, struct slice *why, struct slice *param)
{
	struct scan_refusal to = { why, param };
	struct json_want wants[WANT_COUNT];
	enum fault fault;

	(void)content_type;
	*why = *param = SLICE_NONE;
	*out = (struct request_facts){ .endpoint = endpoint, .model_place = MODEL_IN_PATH,
				       .choices = 1, .max_tokens = -1 };
	fault = read_model(arena, endpoint, path, out, to);
	if (fault != FAULT_NONE || endpoint->kind == ENDPOINT_MODELS)
		return fault;
	for (size_t i = 0; i < WANT_COUNT; i++)
		wants[i] = (struct json_want){ .name = want_names[i] };
	fault = scan_request(arena, body, wants, WANT_COUNT, to);
	if (fault != FAULT_NONE)
		return fault;
	out->stream = endpoint->may_stream;
	/* Counts come without being asked for. */
	out->asks_usage = true;
	read_facts(wants, out);
	return FAULT_NONE;
}

/* ---- the query ---------------------------------------------------------------------------------- */

static bool is_named(struct slice pair, const char *name)
{
	size_t equals = slice_find(pair, '=');
	struct slice key = equals == SLICE_NOT_FOUND ? pair : slice_sub(pair, 0, equals);

	return slice_eq(key, slice_of(name)) ||
	       (slice_starts(key, S("%24")) && slice_eq(slice_from(key, 3), slice_from(slice_of(name), 1)) &&
		name[0] == '$');
}

/* The key is a secret that no backend is to see, and how a stream is framed is
 * between us and the client. */
void gemini_read_query(struct arena *arena, const struct endpoint *endpoint, struct slice query,
		       struct client_query *out)
{
	struct slice rest = query, pair, alt = url_query_get(arena, query, S("alt")), text = SLICE_NONE;

	if (!alt.len)
		alt = url_query_get(arena, query, S("$alt"));
	out->key = url_query_get(arena, query, S("key"));
	while (rest.len) {
		if (!slice_cut(rest, '&', &pair, &rest)) {
			pair = rest;
			rest = SLICE_NONE;
		}
		if (!pair.len || is_named(pair, "key") || is_named(pair, "alt") || is_named(pair, "$alt"))
			continue;
		text = arena_printf(arena, "%.*s%s%.*s", SLICE_ARG(text), text.len ? "&" : "",
				    SLICE_ARG(pair));
	}
	out->rest = text;
	out->as_array = endpoint->may_stream && !slice_eq_nocase(alt, S("sse"));
}

/* ---- continuing, changing -------------------------------------------------------------------------- */

enum resume_way gemini_may_resume(const struct endpoint *endpoint,
				  const struct request_facts *facts, enum resume_way way)
{
	if (way == RESUME_NONE || endpoint->kind != ENDPOINT_CHAT)
		return RESUME_NONE;
	if (facts->choices > 1 || facts->logprobs || facts->constrained)
		return RESUME_REPLAY;
	switch (way) {
	case RESUME_PREFIX: case RESUME_CONTINUE_FINAL: case RESUME_PREFILL:
		return RESUME_PREFILL;
	case RESUME_INSTRUCT:
		return RESUME_INSTRUCT;
	case RESUME_AUTO: case RESUME_NONE: case RESUME_REPLAY:
		break;
	}
	return RESUME_REPLAY;
}

/* Copies `body` up to `raw`, and the new name in its place. */
static bool put_renamed(struct buf *room, struct slice body, size_t *done, struct slice raw,
			struct slice name)
{
	size_t at = (size_t)(raw.at - body.at);

	must(raw.at >= body.at && at + raw.len <= body.len);
	if (!buf_append(room, slice_sub(body, *done, at)) || !buf_append(room, S("\"models/")) ||
	    !buf_append(room, name) || !buf_append(room, S("\"")))
		return false;
	*done = at + raw.len;
	return true;
}

/* Requests for embeddings name the model inside too, each of several by itself,
 * and must name the same as the path. False: it does not fit. */
static bool rename_inside(struct slice body, struct slice model, struct buf *room)
{
	struct slice requests = json_member(body, S("requests")), one;
	struct slice raw = json_member(body, S("model"));
	size_t done = 0;

	if (slice_find(model, '"') != SLICE_NOT_FOUND || slice_find(model, '\\') != SLICE_NOT_FOUND)
		return false;
	if (raw.len && json_type_of(raw) == JSON_STRING && !requests.len &&
	    !put_renamed(room, body, &done, raw, model))
		return false;
	requests = gemini_list(requests);
	while (json_next(&requests, NULL, &one)) {
		raw = json_type_of(one) == JSON_OBJECT ? json_member(one, S("model")) : SLICE_NONE;
		if (raw.len && json_type_of(raw) == JSON_STRING &&
		    !put_renamed(room, body, &done, raw, model))
			return false;
	}
	return buf_append(room, slice_from(body, done));
}

/* The path says the model, and whether it is to be a stream. */
size_t gemini_change_request(const struct request_facts *facts, struct slice body,
			     const struct request_changes *c, struct buf *room,
			     struct slice parts[static DIALECT_CHANGED_PARTS])
{
	buf_clear(room);
	if (c->way != RESUME_NONE && c->way != RESUME_REPLAY)
		return 0;
	parts[0] = body;
	if (facts->endpoint->kind == ENDPOINT_EMBEDDINGS && !slice_eq(facts->model, c->model) &&
	    rename_inside(body, c->model, room))
		parts[0] = buf_slice(room);
	return 1;
}

void gemini_read_identity(struct slice data, struct event_identity *out)
{
	*out = (struct event_identity){ .id = SLICE_NONE };
	if (json_validate(data, NULL) != JSON_OK || json_type_of(data) != JSON_OBJECT)
		return;
	out->id = json_member(data, S("responseId"));
	out->model = json_member(data, S("modelVersion"));
}
