/* mock_cohere.c: Cohere's v2 API: /v2/chat, whole and as streams, and /v2/embed. */
#include "mock/mock_bedrock.h"

#include <inttypes.h>

#define PARTS_MAX 64
#define TEXTS_MAX 96                  /* as the API has it */
#define DIMENSIONS_DEFAULT 64
#define DIMENSIONS_MAX 4096

struct cohere {
	struct mock *mock;
	const struct mock_request *r;
	const struct mock_behaviour *b;
	struct mock_saying says;
	struct mock_sse sse;
	uint32_t thoughts;
	unsigned index;
	char id[64];
};

/* ---- the request, in OpenAI's words ---------------------------------------------- */

/* The text blocks of a content, or the string that it is. */
static size_t texts_of(struct slice content, struct slice parts[static PARTS_MAX])
{
	struct slice block;
	size_t count = 0;

	if (json_type_of(content) == JSON_STRING)
		parts[count++] = content;
	if (json_type_of(content) == JSON_ARRAY)
		while (count < PARTS_MAX && json_next(&content, NULL, &block))
			if (json_type_of(block) == JSON_OBJECT && json_member(block, S("text")).len)
				parts[count++] = json_member(block, S("text"));
	return count;
}

static void retell_message(struct mock *mock, struct mock_retelling *t, struct slice message)
{
	struct slice role = json_string(mock_arena(mock), json_member(message, S("role")));
	struct slice calls = json_member(message, S("tool_calls")), parts[PARTS_MAX];
	size_t count = texts_of(json_member(message, S("content")), parts);

	if (calls.len)
		mock_retell_raw(t, arena_printf(mock_arena(mock), "{\"role\":\"assistant\",\"tool_calls\":%.*s}",
						SLICE_ARG(calls)));
	if (slice_eq(role, S("tool")))
		mock_retell_raw(t, arena_printf(mock_arena(mock), "{\"role\":\"tool\",\"tool_call_id\":%.*s,\"content\":%.*s}",
						SLICE_ARG(json_member(message, S("tool_call_id"))),
						SLICE_ARG(count ? parts[0] : S("\"\""))));
	else if (count)
		mock_retell_texts(t, slice_eq(role, S("system")) ? "system" : slice_eq(role, S("assistant"))
				  ? "assistant" : "user", parts, count);
}

static struct slice format_of(struct mock *mock, struct slice body)
{
	struct slice format = json_member(body, S("response_format")), schema = json_member(format, S("json_schema"));

	return schema.len ? arena_printf(mock_arena(mock), "{\"type\":\"json_schema\",\"json_schema\":{\"schema\":%.*s}}",
					 SLICE_ARG(schema)) : format;
}

static void read_chat(struct mock *mock, struct mock_request *r, struct slice body)
{
	struct slice messages = json_member(body, S("messages")), message;
	struct slice choice = json_member(body, S("tool_choice"));
	struct mock_retelling t = mock_retell_start(mock, &mock->styled);
	int64_t n;

	if (json_type_of(messages) == JSON_ARRAY)
		while (json_next(&messages, NULL, &message))
			if (json_type_of(message) == JSON_OBJECT)
				retell_message(mock, &t, message);
	r->conversation = mock_retell_end(mock, &t);
	r->tools = json_member(body, S("tools"));
	r->tool_choice = json_string_eq(choice, S("REQUIRED")) ? S("\"required\"")
		       : json_string_eq(choice, S("NONE")) ? S("\"none\"") : SLICE_NONE;
	r->response_format = format_of(mock, body);
	r->stop = json_member(body, S("stop_sequences"));
	r->stream = json_is_true(json_member(body, S("stream")));
	r->logprobs = json_is_true(json_member(body, S("logprobs")));
	if (json_i64(json_member(body, S("max_tokens")), &n) && n > 0)
		r->max_tokens = n;
}

/* ---- parts that both forms have ----------------------------------------------------- */

static const char *finish_reason(const struct cohere *c)
{
	if (c->sse.filter || c->b->refusal)
		return "ERROR_TOXIC";
	if (c->says.is_tool_call)
		return c->b->finish_stop_with_tools ? "COMPLETE" : "TOOL_CALL";
	return c->says.finish[0] == 'l' ? "MAX_TOKENS" : "COMPLETE";
}

static void write_end(struct buf *out, const struct cohere *c)
{
	if (c->b->ending == ENDING_FINISH_NULL)
		buf_puts(out, "\"finish_reason\":null");
	else
		buf_putf(out, "\"finish_reason\":\"%s\"", finish_reason(c));
	if (c->b->usage == USAGE_NEVER)
		return;
	buf_putf(out, ",\"usage\":{\"billed_units\":{\"input_tokens\":%" PRIu64 ",\"output_tokens\":%" PRIu64
		 "},\"tokens\":{\"input_tokens\":%" PRIu64 ",\"output_tokens\":%" PRIu64 "},\"cached_tokens\":0}",
		 c->says.prompt_tokens, c->says.completion_tokens, c->says.prompt_tokens,
		 c->says.completion_tokens + c->thoughts);
}

static void write_call(struct buf *out, struct cohere *c, bool named, struct slice arguments)
{
	char id[64];

	buf_putf(out, "{\"id\":\"%s\",\"type\":\"function\",\"function\":{\"name\":", mock_id(c->mock, "call_", id));
	json_write_string(out, named ? c->says.tool_name : S("get_time"));
	buf_puts(out, ",\"arguments\":");
	json_write_string(out, arguments);
	buf_puts(out, "}}");
}

static const char refusal_text[] = "I'm sorry, I can't help with that.";

/* ---- whole answers -------------------------------------------------------------------- */

static void write_message(struct buf *out, struct cohere *c)
{
	struct slice text = buf_slice(&c->mock->texts[0].text);

	buf_puts(out, "{\"role\":\"assistant\"");
	if (c->says.is_tool_call) {
		buf_puts(out, ",\"tool_plan\":\"I will use the tool.\",\"tool_calls\":[");
		write_call(out, c, true, text);
		if (c->b->tool == TOOL_SAME_INDEX) {
			buf_puts(out, ",");
			write_call(out, c, false, S("{}"));
		}
		buf_puts(out, "]}");
		return;
	}
	buf_puts(out, ",\"content\":[");
	if (c->thoughts)
		buf_puts(out, "{\"type\":\"thinking\",\"thinking\":\"thinking about it\"},");
	if (c->b->body != BODY_NULL_CONTENT) {
		buf_puts(out, "{\"type\":\"text\",\"text\":");
		json_write_string(out, c->b->refusal ? S(refusal_text) : text);
		buf_puts(out, "}");
	}
	buf_puts(out, "]}");
}

static void write_whole(struct cohere *c)
{
	struct buf *out = &c->mock->body.bytes;

	for (uint32_t i = 0; i < c->b->point_count; i++)
		c->sse.filter |= c->b->points[i].kind == POINT_FILTER;
	mock_script_begin(&c->mock->body);
	buf_putf(out, "{\"id\":\"%s\",", c->id);
	if (c->b->body != BODY_MISSING_CHOICES) {
		buf_puts(out, "\"message\":");
		if (c->b->body == BODY_NO_CHOICES || c->b->body == BODY_NULL_CHOICES || c->b->body == BODY_NULL_MESSAGE)
			buf_puts(out, "null");
		else
			write_message(out, c);
		buf_puts(out, ",");
	}
	write_end(out, c);
	buf_puts(out, "}");
	mock_script_end(&c->mock->body);
}

/* ---- streams ------------------------------------------------------------------------------ */

/* An event that says no more than its type and index. */
static void send_bare(struct cohere *c, const char *type)
{
	if (c->sse.over)
		return;
	buf_putf(mock_sse_begin(&c->sse, type), "{\"type\":\"%s\",\"index\":%u}", type, c->index);
	mock_sse_end(&c->sse);
}

static struct buf *begin_event(struct cohere *c, const char *type)
{
	struct buf *out = mock_sse_begin(&c->sse, type);

	buf_putf(out, "{\"type\":\"%s\",\"index\":%u,\"delta\":{\"message\":", type, c->index);
	return out;
}

static void end_event(struct cohere *c)
{
	buf_puts(&c->mock->body.bytes, "}}");
	mock_sse_end(&c->sse);
}

static void send_start(struct cohere *c)
{
	buf_putf(mock_sse_begin(&c->sse, "message-start"), "{\"id\":\"%s\",\"type\":\"message-start\",\"delta\":{\"message\":"
		 "{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[],\"citations\":[]}}}", c->id);
	mock_sse_end(&c->sse);
}

/* Before each content event. False: no more of them. */
static bool next_content(struct cohere *c)
{
	if (!mock_sse_content(&c->sse))
		return false;
	if (c->sse.content_events == 1 && !c->b->role_early)
		send_start(c);
	return !c->sse.over;
}

static void send_open(struct cohere *c, const char *kind)
{
	if (c->sse.over)
		return;
	buf_putf(begin_event(c, "content-start"), "{\"content\":{\"type\":\"%s\",\"%s\":\"\"}}", kind, kind);
	end_event(c);
}

static void send_piece(struct cohere *c, const char *kind, struct slice token)
{
	buf_putf(begin_event(c, "content-delta"), "{\"content\":{\"%s\":", kind);
	mock_sse_token(&c->sse, &c->mock->body.bytes, token);
	buf_puts(&c->mock->body.bytes, "}}");
	end_event(c);
}

static void send_reasoning(struct cohere *c)
{
	for (uint32_t i = 0; i < c->thoughts && i < MOCK_TOKENS_MAX && next_content(c); i++) {
		if (i == 0)
			send_open(c, "thinking");
		send_piece(c, "thinking", arena_printf(mock_arena(c->mock), "thought %" PRIu32 " ", i));
	}
	if (c->thoughts)
		send_bare(c, "content-end");
	c->index += c->thoughts > 0;
}

static void send_call(struct cohere *c)
{
	const struct mock_text *text = &c->mock->texts[0];

	if (!next_content(c))
		return;
	buf_puts(begin_event(c, "tool-plan-delta"), "{\"tool_plan\":\"I will use the tool.\"}");
	end_event(c);
	buf_puts(begin_event(c, "tool-call-start"), "{\"tool_calls\":");
	write_call(&c->mock->body.bytes, c, true, SLICE_NONE);
	buf_puts(&c->mock->body.bytes, "}");
	end_event(c);
	for (size_t i = 0; i < text->count && next_content(c); i++) {
		buf_puts(begin_event(c, "tool-call-delta"), "{\"tool_calls\":{\"function\":{\"arguments\":");
		mock_sse_token(&c->sse, &c->mock->body.bytes, mock_text_piece(text, i));
		buf_puts(&c->mock->body.bytes, "}}}");
		end_event(c);
	}
	send_bare(c, "tool-call-end");
	if (c->b->tool != TOOL_SAME_INDEX || !next_content(c))
		return;
	c->index++;
	buf_puts(begin_event(c, "tool-call-start"), "{\"tool_calls\":");
	write_call(&c->mock->body.bytes, c, false, S("{}"));
	buf_puts(&c->mock->body.bytes, "}");
	end_event(c);
	send_bare(c, "tool-call-end");
}

static void send_text(struct cohere *c)
{
	const struct mock_text *text = &c->mock->texts[0];
	size_t count = c->b->body == BODY_TRUNCATED ? text->count / 2 : text->count;

	for (size_t i = 0; i < count && next_content(c); i++) {
		if (i == 0)
			send_open(c, "text");
		send_piece(c, "text", c->b->refusal ? S(refusal_text) : mock_text_piece(text, i));
		if (c->b->refusal)
			break;
	}
	if (count && !c->sse.filter)
		send_bare(c, "content-end");
}

static void send_end(struct cohere *c)
{
	struct buf *out;

	if (c->b->ending == ENDING_NO_FINISH || c->b->ending == ENDING_NOTHING || c->sse.over)
		return;
	for (unsigned i = 0; i < (c->b->ending == ENDING_DUP_FINISH ? 2u : 1u) && !c->sse.over; i++) {
		out = mock_sse_begin(&c->sse, "message-end");
		buf_puts(out, "{\"type\":\"message-end\",\"delta\":{");
		write_end(out, c);
		buf_puts(out, "}}");
		mock_sse_end(&c->sse);
	}
	if (c->b->ending == ENDING_AFTER_DONE)
		send_piece(c, "text", S("late"));
}

static void write_stream(struct cohere *c)
{
	mock_sse_start(&c->sse, c->mock, c->b, PROTOCOL_COHERE);
	if (c->b->body == BODY_EMPTY)
		return;
	if (c->b->unknown_events)
		send_bare(c, "debug");
	if (c->b->role_early)
		send_start(c);
	if (c->b->ending == ENDING_DONE_ONLY)
		return;
	send_reasoning(c);
	if (c->says.is_tool_call)
		send_call(c);
	else
		send_text(c);
	if (c->b->body == BODY_TRUNCATED || !mock_sse_finish(&c->sse))
		return;
	send_end(c);
}

static void answer_chat(struct cohere *c, struct mock_answer *a)
{
	struct mock *mock = c->mock;
	const struct mock_behaviour *b = c->b;
	int64_t gap_ms = b->gap_ms >= 0 ? b->gap_ms : mock->options.gap_ms;
	struct slice thinking = json_path(c->r->body, S("thinking.type"));

	mock_say(mock, c->r, b, 0, &c->says);
	mock_id(mock, "", c->id);
	c->thoughts = b->reasoning ? b->reasoning : json_string_eq(thinking, S("enabled")) ? 3 : 0;
	a->stream = (c->r->stream || b->body == BODY_SSE_FOR_JSON) && b->body != BODY_JSON_FOR_STREAM &&
		b->body != BODY_BIG;
	if (a->stream) {
		a->content_type = "text/event-stream; charset=utf-8";
		write_stream(c);
		return;
	}
	a->wait_ms = (b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms) +
		gap_ms * (int64_t)c->says.completion_tokens;
	write_whole(c);
	mock_spoil_whole(mock, b, a);
}

/* ---- embeddings ------------------------------------------------------------------------------ */

static void answer_embed(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
			 struct mock_answer *a)
{
	struct slice texts = json_member(r->body, S("texts")), text;
	bool packed = json_string_eq(json_path(r->body, S("embedding_types.0")), S("base64"));
	int64_t dimensions = DIMENSIONS_DEFAULT;
	struct buf *out = &mock->body.bytes;
	unsigned count = 0;
	char id[64];

	json_i64(json_member(r->body, S("output_dimension")), &dimensions);
	if (json_type_of(texts) != JSON_ARRAY || !json_member(r->body, S("input_type")).len || dimensions < 1 ||
	    dimensions > DIMENSIONS_MAX) {
		mock_refuse(mock, a, 400, NULL, NULL, "invalid request: valid input_type and texts must be provided");
		return;
	}
	a->wait_ms = b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms;
	mock_script_begin(&mock->body);
	buf_putf(out, "{\"id\":\"%s\",\"embeddings\":{\"%s\":[", mock_id(mock, "", id), packed ? "base64" : "float");
	while (count < TEXTS_MAX && json_next(&texts, NULL, &text)) {
		buf_put(out, count++ ? S(",") : S(""));
		mock_write_vector(mock, out, text, (size_t)dimensions, packed);
	}
	buf_putf(out, "]},\"meta\":{\"api_version\":{\"version\":\"2\"},\"billed_units\":{\"input_tokens\":%zu}},"
		 "\"response_type\":\"embeddings_by_type\"}", r->body.len / 4 + 1);
	mock_script_end(&mock->body);
	mock_spoil_whole(mock, b, a);
}

void mock_answer_cohere(struct mock *mock, struct mock_request *r, const struct mock_behaviour *b,
			struct mock_answer *a)
{
	struct cohere c = { .mock = mock, .r = r, .b = b };
	struct slice body = slice_trim(r->body);

	if (mock->key && !mock_has_key(mock, r->head)) {
		mock_refuse(mock, a, 401, NULL, NULL, "invalid api token");
		return;
	}
	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT) {
		mock_refuse(mock, a, 400, NULL, NULL, "invalid request: the body is no JSON object");
		return;
	}
	r->model = json_string(mock_arena(mock), json_member(body, S("model")));
	read_chat(mock, r, body);
	if (!mock_serves(mock, r, a) || !mock_takes_prefill(mock, r, b, a))
		return;
	if (r->endpoint == MOCK_COHERE_EMBED)
		answer_embed(mock, r, b, a);
	else
		answer_chat(&c, a);
}
