#include "dialect/error_body.h"

#include "base/check.h"
#include "dialect/dialect.h"
#include "wire/json.h"

#define SENTENCE_DEPTH_MAX 6

/* Members that hold the sentence, or something that holds it, best first:
 * OpenAI and most (message), a bare string (error), FastAPI and vLLM (detail),
 * its elements (msg), and others seen. */
static const struct slice sentence_members[] = {
	S_INIT("message"), S_INIT("error"), S_INIT("detail"), S_INIT("msg"),
	S_INIT("error_message"), S_INIT("errors"), S_INIT("error_msg"), S_INIT("description"),
	S_INIT("title"),
};

/* The first sentence in a valid raw value: a string, or what an object or an
 * array has of them. */
static struct slice find_sentence(struct arena *arena, struct slice raw, unsigned depth)
{
	struct slice found = SLICE_NONE, value;

	switch (json_type_of(raw)) {
	case JSON_STRING:
		return json_string(arena, raw);
	case JSON_OBJECT:
		for (size_t i = 0; i < COUNT_OF(sentence_members) && depth && !found.len; i++) {
			value = json_member(raw, sentence_members[i]);
			if (!json_is_nothing(value))
				found = find_sentence(arena, value, depth - 1);
		}
		return found;
	case JSON_ARRAY:
		while (depth && !found.len && json_next(&raw, NULL, &value))
			found = find_sentence(arena, value, depth - 1);
		return found;
	case JSON_NULL: case JSON_FALSE: case JSON_TRUE: case JSON_NUMBER:
		break;
	}
	return SLICE_NONE;
}

bool error_body_is_error(struct slice raw)
{
	struct slice rest = raw, value;

	if (json_is_nothing(raw))
		return false;
	switch (json_type_of(raw)) {
	case JSON_STRING: return raw.len > 2;
	case JSON_OBJECT:
	case JSON_ARRAY:  return json_next(&rest, NULL, &value);
	case JSON_TRUE:
	case JSON_NUMBER: return true;
	case JSON_NULL:
	case JSON_FALSE:  break;
	}
	return false;
}

/* A string's text, a number's spelling, else empty (never at == NULL). */
static struct slice word_of(struct arena *arena, struct slice raw)
{
	struct slice word = S("");

	if (json_is_nothing(raw))
		return word;
	if (json_type_of(raw) == JSON_STRING)
		word = json_string(arena, raw);
	else if (json_type_of(raw) == JSON_NUMBER)
		word = raw;
	return word.at ? word : S("");
}

/* 429 and "429" (LiteLLM) alike. */
static int status_of(struct slice word)
{
	uint64_t n;

	return slice_to_u64(word, &n) && n >= 400 && n <= 599 ? (int)n : 0;
}

/* An object that is the error itself. */
static void read_error_object(struct arena *arena, struct slice raw, struct error_body *out)
{
	static const struct slice status_members[] = {
		S_INIT("status"), S_INIT("status_code"), S_INIT("http_code"),
	};
	struct slice inner = json_member(raw, S("error")), status;

	/* Anthropic's and doubly wrapped: the inner object is the error. */
	if (json_is_nothing(json_member(raw, S("message"))) && !json_is_nothing(inner) &&
	    json_type_of(inner) == JSON_OBJECT)
		raw = inner;
	out->raw = raw;
	out->message = find_sentence(arena, raw, SENTENCE_DEPTH_MAX);
	out->type = word_of(arena, json_member(raw, S("type")));
	out->code = word_of(arena, json_member(raw, S("code")));
	out->param = word_of(arena, json_member(raw, S("param")));
	out->status = status_of(out->code);
	for (size_t i = 0; i < COUNT_OF(status_members); i++) {
		status = word_of(arena, json_member(raw, status_members[i]));
		if (!out->status)
			out->status = status_of(status);
		/* Google's canonical name, such as RESOURCE_EXHAUSTED. */
		if (i == 0 && out->type.len == 0 && status.len && !status_of(status))
			out->type = status;
	}
	/* OpenRouter keeps the words of the provider behind it here. */
	out->details = json_string(arena, json_path(raw, S("metadata.raw")));
}

void error_body_read_value(struct arena *arena, struct slice raw, struct error_body *out)
{
	*out = (struct error_body){ .found = true, .type = S(""), .code = S(""), .param = S("") };
	if (json_type_of(raw) == JSON_OBJECT)
		read_error_object(arena, raw, out);
	else
		out->message = find_sentence(arena, raw, SENTENCE_DEPTH_MAX);
}

void error_body_read(struct arena *arena, struct slice body, struct error_body *out)
{
	struct slice first, error;

	*out = (struct error_body){ .found = false };
	if (json_validate(body, NULL) != JSON_OK)
		return;
	body = slice_trim(body);
	/* Gemini's compatible endpoint wraps its error in an array. */
	if (json_type_of(body) == JSON_ARRAY) {
		struct slice rest = body;

		if (!json_next(&rest, NULL, &first))
			return;
		body = first;
	}
	if (json_type_of(body) == JSON_STRING) {
		error_body_read_value(arena, body, out);
		return;
	}
	if (json_type_of(body) != JSON_OBJECT)
		return;
	error = json_member(body, S("error"));
	if (error_body_is_error(error) && json_type_of(error) == JSON_STRING) {
		/* {"error": "…"} may have code and type beside it; and the longer
		 * sentence in "message". */
		read_error_object(arena, body, out);
		out->found = true;
	} else if (error_body_is_error(error)) {
		error_body_read_value(arena, error, out);
		if (!out->message.len)
			out->message = find_sentence(arena, body, SENTENCE_DEPTH_MAX);
	} else {
		read_error_object(arena, body, out);
		out->found = out->message.len > 0;
	}
}

struct slice dialect_error_message(struct arena *arena, struct slice body)
{
	struct error_body error;

	error_body_read(arena, body, &error);
	return error.message;
}
