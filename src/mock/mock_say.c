/* mock_say.c: what the invented model says to a request. */
#include "mock/mock_internal.h"

#include <stdio.h>
#include <string.h>

#define ECHO_BYTES_MAX (1u << 20)

/* What a conversation tells. */
struct talk {
	uint64_t hash;                /* of all but an assistant's message at the end */
	struct slice last_user;       /* decoded text */
	struct slice prefill;         /* decoded text of an assistant's message at the end */
	bool ends_with_user;
};

/* Appends the texts of a message's content: a string, or its parts, of which a
 * tool's result has parts of its own. */
static void put_texts(struct mock *mock, struct slice content, unsigned depth, struct buf *out)
{
	struct slice part, text;

	if (!content.len || json_type_of(content) == JSON_STRING) {
		text = json_string(mock_arena(mock), content);
		if (text.len && buf_len(out) + text.len < ECHO_BYTES_MAX)
			buf_put(out, text);
		return;
	}
	if (json_type_of(content) != JSON_ARRAY || depth == 0)
		return;
	while (json_next(&content, NULL, &part)) {
		if (json_type_of(part) == JSON_OBJECT && json_member(part, S("text")).len)
			part = json_member(part, S("text"));
		else if (json_type_of(part) == JSON_OBJECT)
			part = json_member(part, S("content"));
		if (part.len)
			put_texts(mock, part, depth - 1, out);
	}
}

static struct slice content_text(struct mock *mock, struct slice content)
{
	struct buf *out = &mock->scratch;
	struct slice text;

	if (!content.len || json_type_of(content) == JSON_STRING)
		return json_string(mock_arena(mock), content);
	buf_clear(out);
	put_texts(mock, content, 3, out);
	text = arena_copy(mock_arena(mock), buf_slice(out));
	buf_clear(out);
	return text;
}

/* The words with which a proxy asks for the rest of an answer. */
static bool asks_for_the_rest(struct mock *mock, struct slice message)
{
	return slice_starts(content_text(mock, json_member(message, S("content"))),
			    S("Your last message was interrupted."));
}

/* What a message adds to the conversation's hash: its words, whoever says them in
 * whatever API; instructions stand in other places there, and do not count. */
static uint64_t hash_message(struct mock *mock, struct slice message, uint64_t hash)
{
	struct slice role, text;

	if (json_type_of(message) != JSON_OBJECT)
		return slice_hash(message, hash);
	role = json_member(message, S("role"));
	if (json_string_eq(role, S("system")) || json_string_eq(role, S("developer")))
		return hash;
	text = content_text(mock, json_member(message, S("content")));
	return text.len ? slice_hash(text, hash) : hash;
}

static void read_messages(struct mock *mock, struct slice messages, bool texts, struct talk *t)
{
	struct slice message, last = SLICE_NONE, user = SLICE_NONE;
	uint64_t before_last = t->hash;

	while (json_next(&messages, NULL, &message)) {
		if (last.len && json_type_of(message) == JSON_OBJECT && asks_for_the_rest(mock, message))
			break;
		before_last = t->hash;
		t->hash = hash_message(mock, message, t->hash);
		last = message;
		if (json_type_of(message) == JSON_OBJECT &&
		    json_string_eq(json_member(message, S("role")), S("user")))
			user = message;
	}
	if (!last.len || json_type_of(last) != JSON_OBJECT)
		return;
	t->ends_with_user = user.at == last.at;
	if (json_string_eq(json_member(last, S("role")), S("assistant"))) {
		t->hash = before_last;
		t->prefill = content_text(mock, json_member(last, S("content")));
	}
	if (texts && user.len)
		t->last_user = content_text(mock, json_member(user, S("content")));
}

/* A prompt: its first line is what was asked, what follows is an answer begun. */
static void read_prompt(struct mock *mock, struct slice raw, struct talk *t)
{
	size_t at = slice_find_slice(raw, S("\\n"));
	struct buf *out = &mock->scratch;
	struct slice begun;

	t->hash = slice_hash(raw, t->hash);
	if (at == SLICE_NOT_FOUND || at + 3 >= raw.len)
		return;
	buf_clear(out);
	buf_put(out, slice_sub(raw, 0, at + 2));
	buf_puts(out, "\"");
	t->hash = slice_hash(buf_slice(out), mock->options.seed);
	buf_clear(out);
	buf_puts(out, "\"");
	buf_put(out, slice_from(raw, at + 2));
	begun = arena_copy(mock_arena(mock), buf_slice(out));
	buf_clear(out);
	t->prefill = json_string(mock_arena(mock), begun);
}

static struct talk read_talk(struct mock *mock, const struct mock_request *r)
{
	struct talk t = { .hash = mock->options.seed };
	bool texts = mock->options.echo || r->tools.len ||
		slice_find_slice(r->conversation, S("echo: ")) != SLICE_NOT_FOUND;

	if (!r->conversation.len)
		return t;
	if (json_type_of(r->conversation) == JSON_ARRAY) {
		read_messages(mock, r->conversation, texts, &t);
		return t;
	}
	if (r->endpoint == MOCK_COMPLETIONS && json_type_of(r->conversation) == JSON_STRING)
		read_prompt(mock, r->conversation, &t);
	else
		t.hash = slice_hash(r->conversation, t.hash);
	t.ends_with_user = true;
	if (texts)
		t.last_user = json_string(mock_arena(mock), r->conversation);
	return t;
}

/* ---- tools ------------------------------------------------------------------ */

/* Chat wraps a function ({"type":"function","function":{...}}), responses does
 * not; Anthropic's have a schema for their input. */
static struct slice function_of(struct slice tool)
{
	struct slice inner;

	if (json_type_of(tool) != JSON_OBJECT)
		return SLICE_NONE;
	inner = json_member(tool, S("function"));
	if (inner.len && json_type_of(inner) == JSON_OBJECT)
		return inner;
	if (json_member(tool, S("input_schema")).len || json_string_eq(json_member(tool, S("type")), S("tool")))
		return tool;
	return json_string_eq(json_member(tool, S("type")), S("function")) ? tool : SLICE_NONE;
}

/* The function to call, raw; SLICE_NONE: none. */
static struct slice pick_function(struct mock *mock, const struct mock_request *r, const struct talk *t)
{
	bool choice_is_object = r->tool_choice.len && json_type_of(r->tool_choice) == JSON_OBJECT;
	struct slice wanted = choice_is_object ? function_of(r->tool_choice) : SLICE_NONE;
	struct slice kind = choice_is_object ? json_member(r->tool_choice, S("type")) : r->tool_choice;
	struct slice tools = r->tools, tool, first = SLICE_NONE, name;
	bool asked = wanted.len || json_string_eq(kind, S("required")) || json_string_eq(kind, S("any"));

	if (!tools.len || json_type_of(tools) != JSON_ARRAY || json_string_eq(kind, S("none")))
		return SLICE_NONE;
	if (!asked && !t->ends_with_user)
		return SLICE_NONE;
	while (json_next(&tools, NULL, &tool)) {
		tool = function_of(tool);
		name = tool.len ? json_string(mock_arena(mock), json_member(tool, S("name"))) : SLICE_NONE;
		if (!name.len)
			continue;
		if (!first.len)
			first = tool;
		if (wanted.len && json_string_eq(json_member(wanted, S("name")), name))
			return tool;
		if (!asked && slice_find_slice(t->last_user, name) != SLICE_NOT_FOUND)
			return tool;
	}
	if (asked || slice_find_nocase(t->last_user, S("tool")) != SLICE_NOT_FOUND ||
	    slice_find_nocase(t->last_user, S("weather")) != SLICE_NOT_FOUND)
		return first;
	return SLICE_NONE;
}

/* Fills the text with a tool call's arguments; false: no tool is called. */
static bool say_call(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
		     const struct talk *t, struct mock_text *text, struct mock_saying *out)
{
	struct slice function = pick_function(mock, r, t), parameters;
	struct buf *json = &mock->scratch;

	if (!function.len && b->tool == TOOL_ASKED)
		return false;
	out->is_tool_call = true;
	out->finish = "tool_calls";
	out->tool_name = S("get_weather");
	buf_clear(json);
	if (function.len) {
		out->tool_name = json_string(mock_arena(mock), json_member(function, S("name")));
		parameters = json_member(function, S("parameters"));
		if (!parameters.len)
			parameters = json_member(function, S("input_schema"));
		if (parameters.len && json_type_of(parameters) == JSON_OBJECT)
			mock_json_by_schema(json, parameters, t->hash);
		else
			buf_puts(json, "{}");
	} else {
		buf_puts(json, "{\"location\":\"Z\xc3\xbcrich\",\"unit\":\"celsius\"}");
	}
	if (json->bytes[json->start] != '{') {
		buf_clear(json);
		buf_puts(json, "{}");
	}
	mock_text_cut(text, buf_slice(json), 6);
	if (b->tool == TOOL_CUT) {
		mock_text_keep_bytes(text, buf_len(&text->text) - 1);
		out->finish = "length";
	}
	buf_clear(json);
	return true;
}

/* ---- text --------------------------------------------------------------------- */

/* Chat: response_format; responses: text.format. Fills the text with JSON;
 * false: plain text is wanted. */
static bool say_json(struct mock *mock, const struct mock_request *r, uint64_t seed,
		     struct mock_text *text)
{
	struct slice format = r->response_format, schema;
	struct buf *json = &mock->scratch;

	if (!format.len && r->text.len && json_type_of(r->text) == JSON_OBJECT)
		format = json_member(r->text, S("format"));
	if (!format.len || json_type_of(format) != JSON_OBJECT)
		return false;
	buf_clear(json);
	if (json_string_eq(json_member(format, S("type")), S("json_schema"))) {
		schema = json_path(format, S("json_schema.schema"));
		if (!schema.len)
			schema = json_member(format, S("schema"));
		mock_json_by_schema(json, schema, seed);
	} else if (json_string_eq(json_member(format, S("type")), S("json_object"))) {
		buf_puts(json, "{\"answer\":\"a harbour in Z\xc3\xbcrich\",\"confidence\":0.5}");
	} else {
		return false;
	}
	mock_text_cut(text, buf_slice(json), 6);
	buf_clear(json);
	return true;
}

/* Ends the text before the first stop sequence, and tells which. */
static void apply_stop(struct mock *mock, struct slice stop, struct mock_text *text,
		       struct mock_saying *out)
{
	bool list = stop.len && json_type_of(stop) == JSON_ARRAY;
	struct slice rest = stop, one = stop;
	size_t at = buf_len(&text->text), found;

	if (!list && (!stop.len || json_type_of(stop) != JSON_STRING))
		return;
	for (unsigned i = 0; i < 16 && (list ? json_next(&rest, NULL, &one) : i == 0); i++) {
		one = json_string(mock_arena(mock), one);
		found = one.len ? slice_find_slice(buf_slice(&text->text), one) : SLICE_NOT_FOUND;
		if (found >= at)
			continue;
		at = found;
		out->stopped_by = one;
	}
	mock_text_keep_bytes(text, at);
}

void mock_say(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
	      unsigned index, struct mock_saying *out)
{
	struct mock_text *text = &mock->texts[index];
	struct talk t = read_talk(mock, r);
	uint64_t seed = t.hash + index;
	size_t tokens = b->tokens ? b->tokens : mock->options.tokens;
	struct slice user = t.last_user;

	if (tokens > MOCK_TOKENS_MAX)
		tokens = MOCK_TOKENS_MAX;
	*out = (struct mock_saying){ .finish = "stop", .conversation = t.hash };
	out->prompt_tokens = r->conversation.len / 4 + 1;
	if (user.len > ECHO_BYTES_MAX)
		user = slice_sub(user, 0, ECHO_BYTES_MAX);
	if (say_call(mock, r, b, &t, text, out))
		goto counted;
	if (slice_starts(user, S("echo: ")))
		mock_text_split(text, slice_from(user, sizeof "echo: " - 1));
	else if (mock->options.echo && user.len)
		mock_text_split(text, user);
	else if (!say_json(mock, r, seed, text))
		mock_text_words(text, seed, tokens);
	apply_stop(mock, r->stop, text, out);
	if (t.prefill.len && slice_starts(buf_slice(&text->text), t.prefill))
		mock_text_drop_bytes(text, t.prefill.len);
counted:
	if (r->max_tokens >= 0 && (uint64_t)r->max_tokens < text->count) {
		mock_text_keep(text, (size_t)r->max_tokens);
		out->finish = "length";
	}
	out->completion_tokens = text->count;
}

const char *mock_id(struct mock *mock, const char *prefix, char *out)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t n = strlen(prefix);

	memcpy(out, prefix, n);
	for (int word = 0; word < 3; word++) {
		uint64_t bits = rng_next(&mock->rng);

		for (int i = 0; i < 8; i++, bits >>= 8)
			out[n++] = letters[(bits & 0xff) * 62 >> 8];
	}
	out[n] = '\0';
	return out;
}

int64_t mock_wall_s(const struct mock *mock)
{
	return io_wall_ms(mock->io) / 1000;
}
