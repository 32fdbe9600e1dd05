/* anthropic_request.c: what routing needs of a request, and what is changed in
 * one that is passed on. */
#include "dialect/anthropic.h"

#include "base/check.h"
#include "dialect/request_scan.h"
#include "wire/url.h"

#include <string.h>

enum { WANT_MODEL, WANT_STREAM, WANT_MESSAGES, WANT_SYSTEM, WANT_TOOLS, WANT_THINKING,
       WANT_OUTPUT_CONFIG, WANT_OUTPUT_FORMAT, WANT_METADATA, WANT_MAX_TOKENS, WANT_COUNT };

static const struct slice want_names[WANT_COUNT] = {
	[WANT_MODEL] = S_INIT("model"),
	[WANT_STREAM] = S_INIT("stream"),
	[WANT_MESSAGES] = S_INIT("messages"),
	[WANT_SYSTEM] = S_INIT("system"),
	[WANT_TOOLS] = S_INIT("tools"),
	[WANT_THINKING] = S_INIT("thinking"),
	[WANT_OUTPUT_CONFIG] = S_INIT("output_config"),
	[WANT_OUTPUT_FORMAT] = S_INIT("output_format"),
	[WANT_METADATA] = S_INIT("metadata"),
	[WANT_MAX_TOKENS] = S_INIT("max_tokens"),
};

static void read_facts(struct arena *arena, const struct json_want *wants,
		       const struct json_word *image, struct request_facts *out)
{
	struct slice thinking = json_member(wants[WANT_THINKING].value, S("type"));
	struct slice effort = json_member(wants[WANT_OUTPUT_CONFIG].value, S("effort"));

	out->foreign = slice_find_slice(wants[WANT_MESSAGES].value, S("\"" ANTHROPIC_FOREIGN)) !=
		       SLICE_NOT_FOUND;
	out->conversation = wants[WANT_MESSAGES].value;
	out->has_tools = scan_has_elements(&wants[WANT_TOOLS]);
	out->has_images = image->seen;
	out->has_schema = out->constrained =
		!json_is_nothing(json_member(wants[WANT_OUTPUT_CONFIG].value, S("format"))) ||
		!json_is_nothing(wants[WANT_OUTPUT_FORMAT].value);
	out->reasons = json_string_eq(thinking, S("enabled")) || json_string_eq(thinking, S("adaptive")) ||
		       !json_is_nothing(effort);
	out->user = json_string(arena, json_member(wants[WANT_METADATA].value, S("user_id")));
	if (!json_i64(wants[WANT_MAX_TOKENS].value, &out->max_tokens))
		out->max_tokens = -1;
}

static enum fault read_path(struct arena *arena, const struct endpoint *endpoint, struct slice path,
			    struct request_facts *out, struct scan_refusal to)
{
	must(path.len >= endpoint->path.len);
	out->model_raw = slice_from(path, endpoint->path.len - 1);
	out->model = url_decode(arena, out->model_raw);
	if (out->model.len == 0 || out->model.len > SCAN_MODEL_BYTES_MAX)
		return scan_refuse(to, S("the path does not end in the name of a model"), S("model"));
	return FAULT_NONE;
}

enum fault anthropic_read_request(struct arena *arena, const struct endpoint *endpoint,
				  struct slice content_type, struct slice path, struct slice body,
				  struct request_facts *out, struct slice *why, struct slice *param)
{
	struct scan_refusal to = { why, param };
	struct json_want wants[WANT_COUNT];
	struct json_word image = { .text = S("image") };
	enum fault fault;

	(void)content_type;
	*why = *param = SLICE_NONE;
	*out = (struct request_facts){ .endpoint = endpoint, .model_place = endpoint->model_place,
				       .choices = 1, .max_tokens = -1 };
	if (endpoint->model_place == MODEL_NOWHERE)
		return FAULT_NONE;
	if (endpoint->model_place == MODEL_IN_PATH)
		return read_path(arena, endpoint, path, out, to);
	for (size_t i = 0; i < WANT_COUNT; i++)
		wants[i] = (struct json_want){ .name = want_names[i] };
	wants[WANT_MESSAGES].words = &image;
	wants[WANT_MESSAGES].word_count = 1;
	fault = scan_request(arena, body, wants, WANT_COUNT, to);
	if (fault == FAULT_NONE)
		fault = scan_model(arena, &wants[WANT_MODEL], true, out, to);
	if (fault == FAULT_NONE)
		fault = scan_stream(&wants[WANT_STREAM], out, to);
	if (fault == FAULT_NONE)
		read_facts(arena, wants, &image, out);
	return fault;
}

/* ---- continuing ---------------------------------------------------------------------- */

enum resume_way anthropic_may_resume(const struct endpoint *endpoint,
				     const struct request_facts *facts, enum resume_way way)
{
	if (way == RESUME_NONE || endpoint->kind != ENDPOINT_CHAT)
		return RESUME_NONE;
	/* Where in its schema the text stands no continuation can be told. */
	if (facts->constrained)
		return RESUME_REPLAY;
	switch (way) {
	/* An answer begun is gone on with by the API itself; models that do not take
	 * it say so with a 400. */
	case RESUME_AUTO: case RESUME_PREFIX: case RESUME_CONTINUE_FINAL: case RESUME_PREFILL:
		return RESUME_PREFILL;
	case RESUME_NONE: case RESUME_REPLAY: case RESUME_INSTRUCT:
		break;
	}
	return way;
}

/* ---- changes of a body that is passed on ------------------------------------------------ */

/* `removed` bytes at `at` give way to a text. */
struct change { size_t at, removed; struct slice text; };

static size_t offset_in(struct slice body, const char *at)
{
	must(at >= body.at && at <= body.at + body.len);
	return (size_t)(at - body.at);
}

size_t anthropic_change_request(const struct request_facts *facts, struct slice body,
				const struct request_changes *c, struct buf *room,
				struct slice parts[static DIALECT_CHANGED_PARTS])
{
	struct json_want stream = { .name = S("stream") };
	struct change changes[2];
	size_t count = 0, n = 0, done = 0;
	const char *brace = memchr(body.at, '{', body.len);

	buf_clear(room);
	/* An answer begun is written by the codec. */
	if ((c->way != RESUME_NONE && c->way != RESUME_REPLAY) || !brace ||
	    json_scan_object(body, &stream, 1, NULL) != JSON_OK)
		return 0;
	if (facts->model_raw.len && !slice_eq(facts->model, c->model)) {
		if (!json_try_write_string(room, c->model))
			return 0;
		changes[count++] = (struct change){ offset_in(body, facts->model_raw.at),
						    facts->model_raw.len, buf_slice(room) };
	}
	if (c->as_stream)
		changes[count++] = stream.found
			? (struct change){ offset_in(body, stream.value.at), stream.value.len, S("true") }
			: (struct change){ offset_in(body, brace) + 1, 0, S("\"stream\":true,") };
	if (count == 2 && changes[1].at < changes[0].at) {
		struct change first = changes[1];

		changes[1] = changes[0];
		changes[0] = first;
	}
	for (size_t i = 0; i < count; i++) {
		if (changes[i].at > done)
			parts[n++] = slice_sub(body, done, changes[i].at);
		parts[n++] = changes[i].text;
		done = changes[i].at + changes[i].removed;
	}
	if (done < body.len)
		parts[n++] = slice_from(body, done);
	return n;
}

void anthropic_read_identity(struct slice data, struct event_identity *out)
{
	struct slice message = json_member(data, S("message"));

	*out = (struct event_identity){ .id = SLICE_NONE };
	if (json_validate(data, NULL) != JSON_OK || json_type_of(data) != JSON_OBJECT ||
	    !json_string_eq(json_member(data, S("type")), S("message_start")))
		return;
	out->id = json_member(message, S("id"));
	out->model = json_member(message, S("model"));
}
