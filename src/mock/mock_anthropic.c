/* mock_anthropic.c: /v1/messages and /v1/messages/count_tokens, as Anthropic
 * answers them: streams of blocks, errors, headers, and the 400s that a request
 * gets there which others would take (platform.claude.com/docs/en/api). */
#include "mock/mock_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define THINKING_PIECES 3
#define SIGNATURE "bW9jayBzaWduYXR1cmU="

struct message {
	struct mock *mock;
	const struct mock_request *r;
	const struct mock_behaviour *b;
	struct mock_saying say;
	struct mock_sse sse;
	char id[64], call_id[64];
	uint32_t thinks;                      /* pieces of thinking */
	unsigned index;                       /* of the next block */
};

/* ---- what the API refuses ----------------------------------------------------------- */

static bool refuse(struct mock *mock, struct mock_answer *a, const char *message)
{
	mock_refuse(mock, a, 400, NULL, NULL, message);
	return false;
}

static bool is_blank(struct mock *mock, struct slice raw)
{
	return slice_trim(json_string(mock_arena(mock), raw)).len == 0;
}

static bool is_call_id(struct mock *mock, struct slice raw)
{
	struct slice id = json_string(mock_arena(mock), raw);

	for (size_t i = 0; i < id.len; i++) {
		char c = id.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		      c == '-'))
			return false;
	}
	return id.len > 0;
}

static bool is_known_block(struct slice type)
{
	static const struct slice known[] = {
		S_INIT("text"), S_INIT("image"), S_INIT("document"), S_INIT("search_result"),
		S_INIT("thinking"), S_INIT("redacted_thinking"), S_INIT("tool_use"), S_INIT("tool_result"),
		S_INIT("server_tool_use"), S_INIT("web_search_tool_result"), S_INIT("mid_conv_system"),
	};

	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (json_string_eq(type, known[i]))
			return true;
	return false;
}

static bool check_block(struct mock *mock, struct slice block, struct mock_answer *a)
{
	struct slice type = json_member(block, S("type")), source = json_member(block, S("source"));

	if (!is_known_block(type))
		return refuse(mock, a, "messages: Input tag found using 'type' does not match any of the expected tags");
	if (json_string_eq(type, S("text")) && is_blank(mock, json_member(block, S("text"))))
		return refuse(mock, a, "messages: text content blocks must contain non-whitespace text");
	if (json_string_eq(type, S("tool_use")) && !is_call_id(mock, json_member(block, S("id"))))
		return refuse(mock, a, "messages: tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'");
	if (json_string_eq(type, S("tool_use")) && json_type_of(json_member(block, S("input"))) != JSON_OBJECT)
		return refuse(mock, a, "messages: tool_use.input: Input should be a valid dictionary");
	if (json_string_eq(type, S("tool_result")) && !is_call_id(mock, json_member(block, S("tool_use_id"))))
		return refuse(mock, a, "messages: tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'");
	if (json_string_eq(type, S("thinking")) &&
	    !json_string_eq(json_member(block, S("signature")), S(SIGNATURE)))
		return refuse(mock, a, "messages: Invalid `signature` in `thinking` block");
	if (json_string_eq(type, S("redacted_thinking")) &&
	    !json_string_eq(json_member(block, S("data")), S(SIGNATURE)))
		return refuse(mock, a, "messages: Invalid `data` in `redacted_thinking` block");
	if ((json_string_eq(type, S("image")) || json_string_eq(type, S("document"))) &&
	    json_type_of(source) != JSON_OBJECT)
		return refuse(mock, a, "messages: source: Field required");
	return true;
}

/* Does a message hold a block of that type with that id in that member? */
static bool holds(struct slice message, struct slice type, struct slice member, struct slice id)
{
	struct slice content = json_member(message, S("content")), block;

	if (json_type_of(content) != JSON_ARRAY)
		return false;
	while (json_next(&content, NULL, &block))
		if (json_type_of(block) == JSON_OBJECT && json_string_eq(json_member(block, S("type")), type) &&
		    (!id.len || slice_eq(json_member(block, member), id)))
			return true;
	return false;
}

/* Each call is answered in the very next message, each result answers one. */
static bool check_pairs(struct mock *mock, struct slice before, struct slice message, struct mock_answer *a)
{
	struct slice content = json_member(message, S("content")), block;
	struct slice calls = before.len ? json_member(before, S("content")) : SLICE_NONE;

	content = json_type_of(content) == JSON_ARRAY ? content : SLICE_NONE;
	calls = json_type_of(calls) == JSON_ARRAY ? calls : SLICE_NONE;
	while (json_next(&content, NULL, &block))
		if (json_type_of(block) == JSON_OBJECT &&
		    json_string_eq(json_member(block, S("type")), S("tool_result")) &&
		    !(before.len && holds(before, S("tool_use"), S("id"), json_member(block, S("tool_use_id")))))
			return refuse(mock, a, "messages: unexpected `tool_use_id` found in `tool_result` blocks");
	while (json_next(&calls, NULL, &block))
		if (json_type_of(block) == JSON_OBJECT &&
		    json_string_eq(json_member(block, S("type")), S("tool_use")) &&
		    !holds(message, S("tool_result"), S("tool_use_id"), json_member(block, S("id"))))
			return refuse(mock, a, "messages: `tool_use` ids were found without `tool_result` blocks "
					       "immediately after");
	return true;
}

static bool check_message(struct mock *mock, struct slice message, struct mock_answer *a)
{
	struct slice role = json_member(message, S("role")), content = json_member(message, S("content"));
	struct slice block;

	if (!json_string_eq(role, S("user")) && !json_string_eq(role, S("assistant")))
		return refuse(mock, a, "messages: Unexpected role. The Messages API accepts a top-level `system` "
				       "parameter, not \"system\" as an input message role.");
	if (json_type_of(content) == JSON_STRING)
		return !is_blank(mock, content) || refuse(mock, a, "messages: all messages must have non-empty content");
	if (json_type_of(content) != JSON_ARRAY)
		return refuse(mock, a, "messages: content: Field required");
	while (json_next(&content, NULL, &block))
		if (json_type_of(block) != JSON_OBJECT || !check_block(mock, block, a))
			return a->status != 200 ? false : refuse(mock, a, "messages: a block is no object");
	return true;
}

/* An answer begun must not end in space. */
static bool check_end(struct mock *mock, struct slice last, struct mock_answer *a)
{
	struct slice content = json_member(last, S("content")), block, text = SLICE_NONE;

	if (!json_string_eq(json_member(last, S("role")), S("assistant")))
		return true;
	if (json_type_of(content) == JSON_STRING)
		text = json_string(mock_arena(mock), content);
	else
		while (json_next(&content, NULL, &block))
			text = json_string(mock_arena(mock), json_member(block, S("text")));
	if (text.len && slice_find(S(" \n\t"), text.at[text.len - 1]) != SLICE_NOT_FOUND)
		return refuse(mock, a, "messages: final assistant content cannot end with trailing whitespace");
	return true;
}

static bool check_thinking(struct mock *mock, const struct mock_request *r, struct mock_answer *a)
{
	struct slice type = r->thinking.len && json_type_of(r->thinking) == JSON_OBJECT
		? json_member(r->thinking, S("type")) : SLICE_NONE;
	struct slice choice = r->tool_choice.len && json_type_of(r->tool_choice) == JSON_OBJECT
		? json_member(r->tool_choice, S("type")) : SLICE_NONE;
	int64_t budget;

	if (!json_string_eq(type, S("enabled")))
		return true;
	if (!json_i64(json_member(r->thinking, S("budget_tokens")), &budget) || budget < 1024)
		return refuse(mock, a, "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024");
	if (r->max_tokens >= 0 && budget >= r->max_tokens)
		return refuse(mock, a, "`max_tokens` must be greater than `thinking.budget_tokens`");
	if (json_string_eq(choice, S("any")) || json_string_eq(choice, S("tool")))
		return refuse(mock, a, "Thinking may not be enabled when tool_choice forces tool use.");
	return true;
}

/* Members that the API has; any other is refused. */
static bool check_members(struct mock *mock, const struct mock_request *r, struct mock_answer *a)
{
	static const struct slice known[] = {
		S_INIT("model"), S_INIT("messages"), S_INIT("max_tokens"), S_INIT("system"), S_INIT("stream"),
		S_INIT("tools"), S_INIT("tool_choice"), S_INIT("temperature"), S_INIT("top_p"), S_INIT("top_k"),
		S_INIT("stop_sequences"), S_INIT("thinking"), S_INIT("output_config"), S_INIT("output_format"),
		S_INIT("metadata"), S_INIT("service_tier"), S_INIT("cache_control"), S_INIT("mcp_servers"),
		S_INIT("container"), S_INIT("context_management"), S_INIT("inference_geo"),
	};
	struct slice rest = r->body, key, value;
	char message[300];

	while (json_next(&rest, &key, &value)) {
		size_t i = 0;

		while (i < COUNT_OF(known) && !json_string_eq(key, known[i]))
			i++;
		if (i < COUNT_OF(known))
			continue;
		snprintf(message, sizeof message, "%.*s: Extra inputs are not permitted",
			 SLICE_ARG(json_string(mock_arena(mock), key)));
		return refuse(mock, a, message);
	}
	return true;
}

bool mock_check_messages(struct mock *mock, const struct mock_request *r, struct mock_answer *a)
{
	struct slice messages = r->conversation, message, last = SLICE_NONE;
	int64_t milli;

	if (!check_members(mock, r, a))
		return false;
	if (r->endpoint == MOCK_MESSAGES && r->max_tokens < 0)
		return refuse(mock, a, "max_tokens: Field required");
	if (!messages.len || json_type_of(messages) != JSON_ARRAY)
		return refuse(mock, a, "messages: Field required");
	while (json_next(&messages, NULL, &message)) {
		if (json_type_of(message) != JSON_OBJECT)
			return refuse(mock, a, "messages: Input should be an object");
		if (!check_message(mock, message, a) || !check_pairs(mock, last, message, a))
			return false;
		last = message;
	}
	if (!last.len)
		return refuse(mock, a, "messages: at least one message is required");
	if (slice_to_milli(json_member(r->body, S("temperature")), &milli) && milli > 1000)
		return refuse(mock, a, "temperature: Input should be less than or equal to 1");
	return check_end(mock, last, a) && check_thinking(mock, r, a);
}

/* ---- errors and headers ------------------------------------------------------------------ */

void mock_anthropic_error(struct mock_behaviour *b)
{
	/* By code what the common words mean, then by status. */
	static const struct { const char *code; uint32_t status; const char *type, *message; } known[] = {
		{ "invalid_api_key", 401, "authentication_error", "invalid x-api-key" },
		{ "insufficient_quota", 400, "invalid_request_error",
		  "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to "
		  "upgrade or purchase credits." },
		{ "model_not_found", 404, "not_found_error", "model: no-such-model" },
		{ "context_length_exceeded", 400, "invalid_request_error",
		  "prompt is too long: 212288 tokens > 200000 maximum" },
		{ "content_filter", 400, "invalid_request_error", "Output blocked by content filtering policy" },
		{ "overloaded", 529, "overloaded_error", "Overloaded" },
	};
	static const struct { uint32_t status; const char *type; } types[] = {
		{ 400, "invalid_request_error" }, { 401, "authentication_error" }, { 402, "billing_error" },
		{ 403, "permission_error" }, { 404, "not_found_error" }, { 413, "request_too_large" },
		{ 429, "rate_limit_error" }, { 504, "timeout_error" }, { 529, "overloaded_error" },
	};

	for (size_t i = 0; i < COUNT_OF(known); i++) {
		if (strcmp(b->code, known[i].code) != 0)
			continue;
		b->status = b->status ? known[i].status : 0;
		snprintf(b->type, sizeof b->type, "%s", known[i].type);
		snprintf(b->message, sizeof b->message, "%s", known[i].message);
		return;
	}
	if (b->type[0])
		return;
	snprintf(b->type, sizeof b->type, "%s", b->status < 400 || b->status >= 500 ? "api_error"
						 : "invalid_request_error");
	for (size_t i = 0; i < COUNT_OF(types); i++)
		if (types[i].status == b->status)
			snprintf(b->type, sizeof b->type, "%s", types[i].type);
}

/* Resets are told as dates here. */
void mock_anthropic_headers(const struct mock *mock, const struct mock_behaviour *b, struct buf *out)
{
	int64_t wait_ms = 60000;
	char id[64], reset[32];
	struct tm tm;
	time_t at;

	if (b->rate_reset[0])
		mock_parse_ms(slice_of(b->rate_reset), &wait_ms);
	at = (time_t)(mock_wall_s(mock) + (wait_ms + 999) / 1000);
	gmtime_r(&at, &tm);
	strftime(reset, sizeof reset, "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(id, sizeof id, "req_mock%016" PRIx64, mock->requests);
	buf_putf(out, "request-id: %s\r\nanthropic-organization-id: 00000000-0000-4000-8000-000000000000\r\n"
		 "anthropic-ratelimit-requests-limit: %s\r\nanthropic-ratelimit-requests-remaining: ", id,
		 b->rate_limit[0] ? b->rate_limit : "4000");
	if (b->rate_left[0])
		buf_put(out, slice_of(b->rate_left));
	else
		buf_putf(out, "%" PRIu64, 3999 - mock->requests % 1000);
	buf_putf(out, "\r\nanthropic-ratelimit-requests-reset: %s\r\n"
		 "anthropic-ratelimit-input-tokens-limit: 2000000\r\n"
		 "anthropic-ratelimit-input-tokens-remaining: 1999000\r\n"
		 "anthropic-ratelimit-input-tokens-reset: %s\r\n", reset, reset);
}

/* ---- parts that both forms have ------------------------------------------------------------- */

static const char *stop_reason(const struct message *c)
{
	if (c->sse.filter || c->b->refusal)
		return "refusal";
	if (c->say.is_tool_call && c->b->finish_stop_with_tools)
		return "end_turn";
	if (c->say.stopped_by.len)
		return "stop_sequence";
	return strcmp(c->say.finish, "length") == 0 ? "max_tokens" : c->say.is_tool_call ? "tool_use" : "end_turn";
}

static void write_stop(struct buf *out, const struct message *c)
{
	const char *reason = stop_reason(c);

	if (c->b->ending == ENDING_FINISH_NULL)
		buf_puts(out, "\"stop_reason\":null,\"stop_sequence\":");
	else
		buf_putf(out, "\"stop_reason\":\"%s\",\"stop_sequence\":", reason);
	if (strcmp(reason, "stop_sequence") == 0)
		json_write_string(out, c->say.stopped_by);
	else
		buf_puts(out, "null");
	if (strcmp(reason, "refusal") == 0)
		buf_puts(out, ",\"stop_details\":{\"type\":\"refusal\",\"category\":null,"
			      "\"explanation\":\"I'm sorry, I can't help with that.\"}");
}

static void write_usage(struct buf *out, const struct message *c, uint64_t output)
{
	buf_putf(out, "\"usage\":{\"input_tokens\":%" PRIu64 ",\"cache_creation_input_tokens\":0,"
		 "\"cache_read_input_tokens\":0,\"output_tokens\":%" PRIu64 "}", c->say.prompt_tokens, output);
}

static uint64_t output_tokens(const struct message *c)
{
	return c->say.completion_tokens + c->thinks;
}

static void write_message_head(struct buf *out, const struct message *c)
{
	buf_putf(out, "{\"id\":\"%s\",\"type\":\"message\",\"role\":\"assistant\",\"model\":", c->id);
	json_write_string(out, c->r->model);
	buf_puts(out, ",\"content\":[");
}

/* ---- the stream ------------------------------------------------------------------------------- */

/* Begins an event: {"type":T */
static struct buf *begin(struct message *c, const char *type)
{
	struct buf *out = mock_sse_begin(&c->sse, type);

	buf_putf(out, "{\"type\":\"%s\"", type);
	return out;
}

static void end(struct message *c)
{
	buf_puts(&c->mock->body.bytes, "}");
	mock_sse_end(&c->sse);
}

static struct buf *begin_indexed(struct message *c, const char *type)
{
	struct buf *out = begin(c, type);

	if (c->b->tool != TOOL_NO_INDEX)
		buf_putf(out, ",\"index\":%u", c->index);
	return out;
}

static void send_start(struct message *c)
{
	struct buf *out = begin(c, "message_start");

	buf_puts(out, ",\"message\":");
	write_message_head(out, c);
	buf_puts(out, "],\"stop_reason\":null,\"stop_sequence\":null,");
	write_usage(out, c, 1);
	buf_puts(out, "}");
	end(c);
	if (c->sse.over)
		return;
	buf_puts(begin(c, "ping"), "");
	end(c);
	if (!c->b->unknown_events || c->sse.over)
		return;
	buf_puts(begin(c, "x_future"), ",\"sails\":3");
	end(c);
}

static void open_block(struct message *c, const char *block)
{
	if (c->sse.over)
		return;
	buf_putf(begin_indexed(c, "content_block_start"), ",\"content_block\":%s", block);
	end(c);
}

static void close_block(struct message *c)
{
	if (c->sse.over)
		return;
	begin_indexed(c, "content_block_stop");
	end(c);
	c->index++;
}

static void send_delta(struct message *c, const char *type, const char *member, struct slice piece)
{
	struct buf *out = begin_indexed(c, "content_block_delta");

	buf_putf(out, ",\"delta\":{\"type\":\"%s\",\"%s\":", type, member);
	mock_sse_token(&c->sse, out, piece);
	buf_puts(out, "}");
	end(c);
}

static void send_thinking(struct message *c)
{
	char piece[32];

	if (!c->thinks)
		return;
	open_block(c, "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}");
	for (uint32_t i = 0; i < c->thinks && mock_sse_content(&c->sse); i++) {
		snprintf(piece, sizeof piece, "thought %" PRIu32 " ", i);
		send_delta(c, "thinking_delta", "thinking", slice_of(piece));
	}
	if (c->sse.over)
		return;
	send_delta(c, "signature_delta", "signature", S(SIGNATURE));
	close_block(c);
}

static void open_call(struct message *c, const char *id, struct slice name)
{
	struct buf *out;

	if (c->sse.over)
		return;
	out = begin_indexed(c, "content_block_start");
	buf_putf(out, ",\"content_block\":{\"type\":\"tool_use\",\"id\":\"%s\",\"name\":", id);
	json_write_string(out, name);
	buf_puts(out, ",\"input\":{}}");
	end(c);
}

static void send_call(struct message *c)
{
	const struct mock_text *text = &c->mock->texts[0];
	bool whole = c->b->tool == TOOL_ONE_CHUNK;
	char id[64];

	if (!mock_sse_content(&c->sse))
		return;
	open_call(c, c->call_id, c->say.tool_name);
	if (whole)
		send_delta(c, "input_json_delta", "partial_json", buf_slice(&text->text));
	for (size_t i = 0; i < text->count && !whole && mock_sse_content(&c->sse); i++)
		send_delta(c, "input_json_delta", "partial_json", mock_text_piece(text, i));
	if (c->sse.filter)
		return;
	close_block(c);
	if (c->b->tool != TOOL_SAME_INDEX || !mock_sse_content(&c->sse))
		return;
	open_call(c, mock_id(c->mock, "toolu_", id), S("get_time"));
	close_block(c);
}

static void send_text(struct message *c)
{
	const struct mock_text *text = &c->mock->texts[0];
	size_t count = c->b->body == BODY_TRUNCATED ? text->count / 2 : text->count;

	if (c->b->refusal)
		return;
	open_block(c, "{\"type\":\"text\",\"text\":\"\"}");
	for (size_t i = 0; i < count && mock_sse_content(&c->sse); i++)
		send_delta(c, "text_delta", "text", mock_text_piece(text, i));
	if (c->b->body != BODY_TRUNCATED)
		close_block(c);
}

static void send_finish(struct message *c)
{
	unsigned repeat = c->b->ending == ENDING_DUP_FINISH ? 2 : 1;
	struct buf *out;

	for (unsigned i = 0; i < repeat && !c->sse.over; i++) {
		out = begin(c, "message_delta");
		buf_puts(out, ",\"delta\":{");
		write_stop(out, c);
		buf_puts(out, "}");
		if (c->b->usage != USAGE_NEVER)
			buf_putf(out, ",\"usage\":{\"output_tokens\":%" PRIu64 "}", output_tokens(c));
		end(c);
	}
}

static void send_stop(struct message *c)
{
	if (c->sse.over)
		return;
	begin(c, "message_stop");
	end(c);
	if (c->b->ending == ENDING_AFTER_DONE && !c->sse.over)
		send_delta(c, "text_delta", "text", S("late"));
}

static void write_stream(struct message *c)
{
	uint32_t ending = c->b->ending;

	mock_sse_start(&c->sse, c->mock, c->b, PROTOCOL_MESSAGES);
	if (c->b->body == BODY_EMPTY)
		return;
	if (ending != ENDING_DONE_ONLY) {
		send_start(c);
		send_thinking(c);
		if (c->say.is_tool_call)
			send_call(c);
		else
			send_text(c);
	}
	if (c->b->body == BODY_TRUNCATED || !mock_sse_finish(&c->sse))
		return;
	if (ending != ENDING_NO_FINISH && ending != ENDING_NOTHING && ending != ENDING_DONE_ONLY)
		send_finish(c);
	if (ending != ENDING_NO_DONE && ending != ENDING_NOTHING)
		send_stop(c);
}

/* ---- whole --------------------------------------------------------------------------------------- */

static void write_blocks(struct buf *out, const struct message *c)
{
	struct slice text = buf_slice(&c->mock->texts[0].text);
	char id[64];

	if (c->thinks)
		buf_puts(out, "{\"type\":\"thinking\",\"thinking\":\"thinking about it\",\"signature\":\"" SIGNATURE
			      "\"},");
	if (c->say.is_tool_call) {
		buf_putf(out, "{\"type\":\"tool_use\",\"id\":\"%s\",\"name\":", c->call_id);
		json_write_string(out, c->say.tool_name);
		buf_puts(out, ",\"input\":");
		/* Arguments that were cut are no JSON; whole answers have none such. */
		buf_put(out, json_validate(text, NULL) == JSON_OK ? text : S("{}"));
		buf_puts(out, "}");
		if (c->b->tool == TOOL_SAME_INDEX)
			buf_putf(out, ",{\"type\":\"tool_use\",\"id\":\"%s\",\"name\":\"get_time\",\"input\":{}}",
				 mock_id(c->mock, "toolu_", id));
		return;
	}
	buf_puts(out, "{\"type\":\"text\",\"text\":");
	json_write_string(out, c->b->refusal ? S("I'm sorry, I can't help with that.") : text);
	buf_puts(out, "}");
}

static void write_whole(struct message *c)
{
	struct buf *out = &c->mock->body.bytes;

	mock_script_begin(&c->mock->body);
	write_message_head(out, c);
	if (c->b->body < BODY_NO_CHOICES || c->b->body > BODY_NULL_CONTENT)
		write_blocks(out, c);
	buf_puts(out, "],");
	write_stop(out, c);
	buf_puts(out, ",");
	write_usage(out, c, output_tokens(c));
	buf_puts(out, "}");
	mock_script_end(&c->mock->body);
}

void mock_answer_messages(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
			  struct mock_answer *a)
{
	struct message c = { .mock = mock, .r = r, .b = b };
	bool stream = (r->stream || b->body == BODY_SSE_FOR_JSON) && b->body != BODY_JSON_FOR_STREAM &&
		b->body != BODY_BIG;
	int64_t gap_ms = b->gap_ms >= 0 ? b->gap_ms : mock->options.gap_ms;
	struct slice thinking = r->thinking.len && json_type_of(r->thinking) == JSON_OBJECT
		? json_member(r->thinking, S("type")) : SLICE_NONE;

	mock_say(mock, r, b, 0, &c.say);
	mock_id(mock, "msg_", c.id);
	mock_id(mock, "toolu_", c.call_id);
	c.thinks = b->reasoning ? b->reasoning
		: json_string_eq(thinking, S("enabled")) || json_string_eq(thinking, S("adaptive"))
		? THINKING_PIECES : 0;
	if (c.thinks > MOCK_TOKENS_MAX)
		c.thinks = MOCK_TOKENS_MAX;
	a->stream = stream;
	if (stream) {
		a->content_type = "text/event-stream; charset=utf-8";
		write_stream(&c);
		return;
	}
	a->wait_ms = (b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms) +
		gap_ms * (int64_t)c.say.completion_tokens;
	for (uint32_t i = 0; i < b->point_count; i++)
		c.sse.filter |= b->points[i].kind == POINT_FILTER;
	write_whole(&c);
	mock_spoil_whole(mock, b, a);
}

void mock_answer_count_tokens(struct mock *mock, const struct mock_request *r, struct mock_answer *a)
{
	(void)a;
	mock_script_begin(&mock->body);
	buf_putf(&mock->body.bytes, "{\"input_tokens\":%zu}", r->conversation.len / 4 + 1);
	mock_script_end(&mock->body);
}
