/* mock_bedrock.c: AWS Bedrock: Converse, ConverseStream (with its binary events)
 * and CountTokens, at /model/MODEL/... */
#include "mock/mock_bedrock.h"

#include <inttypes.h>
#include <stdio.h>

#define EMBED_DIMENSIONS 64           /* small on purpose; a request may ask for more */
#define EMBED_DIMENSIONS_MAX 4096
#define EMBED_TEXTS_MAX 2048

#define PARTS_MAX 64

struct converse {
	struct mock *mock;
	const struct mock_request *r;
	const struct mock_behaviour *b;
	struct mock_saying says;
	struct mock_sse sse;
	uint32_t thoughts;
	unsigned block;
};

/* ---- the request, in OpenAI's words ---------------------------------------------- */

static void retell_result(struct mock *mock, struct mock_retelling *t, struct slice result)
{
	struct slice content = json_member(result, S("content")), block, text = S("\"\"");

	while (json_next(&content, NULL, &block))
		if (json_type_of(block) == JSON_OBJECT && json_member(block, S("text")).len)
			text = json_member(block, S("text"));
	mock_retell_raw(t, arena_printf(mock_arena(mock), "{\"role\":\"tool\",\"tool_call_id\":%.*s,\"content\":%.*s}",
					SLICE_ARG(json_member(result, S("toolUseId"))), SLICE_ARG(text)));
}

static void retell_call(struct mock *mock, struct mock_retelling *t, struct slice use)
{
	mock_retell_raw(t, arena_printf(mock_arena(mock), "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":%.*s,"
					"\"type\":\"function\",\"function\":{\"name\":%.*s,\"arguments\":\"\"}}]}",
					SLICE_ARG(json_member(use, S("toolUseId"))),
					SLICE_ARG(json_member(use, S("name")))));
}

static void retell_message(struct mock *mock, struct mock_retelling *t, struct slice message)
{
	bool assistant = json_string_eq(json_member(message, S("role")), S("assistant"));
	struct slice content = json_member(message, S("content")), block, key, value, parts[PARTS_MAX];
	size_t count = 0;

	while (json_next(&content, NULL, &block)) {
		struct slice rest = block;

		if (json_type_of(block) != JSON_OBJECT || !json_next(&rest, &key, &value))
			continue;
		if (json_string_eq(key, S("text")) && count < PARTS_MAX)
			parts[count++] = value;
		else if (json_string_eq(key, S("toolUse")))
			retell_call(mock, t, value);
		else if (json_string_eq(key, S("toolResult")))
			retell_result(mock, t, value);
	}
	if (count)
		mock_retell_texts(t, assistant ? "assistant" : "user", parts, count);
}

static struct slice conversation_of(struct mock *mock, struct slice body)
{
	struct slice system = json_member(body, S("system")), messages = json_member(body, S("messages")), one;
	struct mock_retelling t = mock_retell_start(mock, &mock->styled);

	if (json_type_of(system) == JSON_ARRAY)
		while (json_next(&system, NULL, &one)) {
			one = json_type_of(one) == JSON_OBJECT ? json_member(one, S("text")) : SLICE_NONE;
			if (one.len)
				mock_retell_texts(&t, "system", &one, 1);
		}
	if (json_type_of(messages) == JSON_ARRAY)
		while (json_next(&messages, NULL, &one))
			if (json_type_of(one) == JSON_OBJECT)
				retell_message(mock, &t, one);
	return mock_retell_end(mock, &t);
}

static struct slice tools_of(struct mock *mock, struct slice body)
{
	struct slice tools = json_path(body, S("toolConfig.tools")), one;
	struct mock_retelling t;

	if (json_type_of(tools) != JSON_ARRAY)
		return SLICE_NONE;
	t = mock_retell_start(mock, &mock->styled);
	while (json_next(&tools, NULL, &one)) {
		struct slice parameters = json_path(one, S("toolSpec.inputSchema.json"));

		if (json_path(one, S("toolSpec.name")).len)
			mock_retell_raw(&t, arena_printf(mock_arena(mock),
				"{\"type\":\"function\",\"function\":{\"name\":%.*s,\"parameters\":%.*s}}",
				SLICE_ARG(json_path(one, S("toolSpec.name"))),
				SLICE_ARG(parameters.len ? parameters : S("{}"))));
	}
	return mock_retell_end(mock, &t);
}

static struct slice choice_of(struct mock *mock, struct slice body)
{
	struct slice choice = json_path(body, S("toolConfig.toolChoice"));
	struct slice name = json_path(choice, S("tool.name"));

	if (json_member(choice, S("any")).len)
		return S("\"required\"");
	return name.len ? arena_printf(mock_arena(mock), "{\"type\":\"function\",\"function\":{\"name\":%.*s}}",
				       SLICE_ARG(name)) : SLICE_NONE;
}

static struct slice format_of(struct mock *mock, struct slice body)
{
	struct slice schema = json_string(mock_arena(mock),
		json_path(body, S("outputConfig.textFormat.structure.jsonSchema.schema")));

	return schema.len ? arena_printf(mock_arena(mock), "{\"type\":\"json_schema\",\"json_schema\":{\"schema\":%.*s}}",
					 SLICE_ARG(schema)) : SLICE_NONE;
}

/* Every block is an object with one member that says what it is. */
static const char *wrong_with(struct slice body)
{
	struct slice messages = json_member(body, S("messages")), message, content, block, last = SLICE_NONE;

	if (json_type_of(messages) != JSON_ARRAY)
		return "messages must be a list";
	while (json_next(&messages, NULL, &message)) {
		content = json_member(message, S("content"));
		if (json_type_of(message) != JSON_OBJECT || json_type_of(content) != JSON_ARRAY)
			return "Malformed input request: a message needs a list of content blocks";
		if (last.len && slice_eq(last, json_member(message, S("role"))))
			return "A conversation must alternate between user and assistant roles. Make sure the "
			       "conversation alternates between user and assistant roles and try again.";
		last = json_member(message, S("role"));
		while (json_next(&content, NULL, &block)) {
			if (json_type_of(block) != JSON_OBJECT)
				return "Malformed input request: a content block is an object";
			if (slice_eq(json_member(block, S("text")), S("\"\"")))
				return "The text field in the ContentBlock object is blank. Add text to the text "
				       "field, and try again.";
			if ((json_member(block, S("toolUse")).len || json_member(block, S("toolResult")).len) &&
			    !json_member(body, S("toolConfig")).len)
				return "The toolConfig field must be defined when using toolUse and toolResult "
				       "content blocks.";
		}
	}
	return NULL;
}

static struct slice decoded(struct mock *mock, struct slice text)
{
	char *out = arena_alloc(mock_arena(mock), text.len + 1);
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		unsigned byte;

		if (text.at[i] == '%' && i + 2 < text.len && sscanf(text.at + i + 1, "%2x", &byte) == 1) {
			out[len++] = (char)byte;
			i += 2;
		} else {
			out[len++] = text.at[i];
		}
	}
	return (struct slice){ out, len };
}

/* "/model/MODEL/converse". False: no such path. */
static bool read_path(struct mock *mock, struct mock_request *r, bool *counts)
{
	struct slice rest = slice_from(r->path, sizeof "/model" - 1), model, what;

	if (rest.len < 2 || !slice_cut(slice_from(rest, 1), '/', &model, &what))
		return false;
	r->model = decoded(mock, model);
	r->stream = slice_eq(what, S("converse-stream"));
	*counts = slice_eq(what, S("count-tokens"));
	return r->stream || *counts || slice_eq(what, S("converse"));
}

/* False: refused. */
static bool read_request(struct mock *mock, struct mock_request *r, struct mock_answer *a, bool *counts)
{
	struct slice body = slice_trim(r->body);
	const char *wrong;
	int64_t n;

	if (!read_path(mock, r, counts)) {
		mock_refuse(mock, a, 404, NULL, NULL, "Unknown operation.");
		return false;
	}
	if (json_validate(body, NULL) != JSON_OK || json_type_of(body) != JSON_OBJECT) {
		mock_refuse(mock, a, 400, NULL, NULL, "The request body is not valid JSON.");
		return false;
	}
	if (*counts)
		body = json_path(body, S("input.converse"));
	wrong = wrong_with(body);
	if (wrong) {
		mock_refuse(mock, a, 400, NULL, NULL, wrong);
		return false;
	}
	r->conversation = conversation_of(mock, body);
	r->tools = tools_of(mock, body);
	r->tool_choice = choice_of(mock, body);
	r->response_format = format_of(mock, body);
	r->stop = json_path(body, S("inferenceConfig.stopSequences"));
	if (json_i64(json_path(body, S("inferenceConfig.maxTokens")), &n) && n > 0)
		r->max_tokens = n;
	return true;
}

/* ---- parts that both forms have ----------------------------------------------------- */

static const char *stop_reason(const struct converse *c)
{
	if (c->sse.filter)
		return "guardrail_intervened";
	if (c->b->refusal)
		return "content_filtered";
	if (c->says.is_tool_call)
		return c->b->finish_stop_with_tools ? "end_turn" : "tool_use";
	return c->says.finish[0] == 'l' ? "max_tokens" : "end_turn";
}

static void write_usage(struct buf *out, const struct converse *c)
{
	uint64_t in = c->says.prompt_tokens, written = c->says.completion_tokens + c->thoughts;

	buf_putf(out, "{\"inputTokens\":%" PRIu64 ",\"outputTokens\":%" PRIu64 ",\"totalTokens\":%" PRIu64
		 ",\"cacheReadInputTokens\":0,\"cacheWriteInputTokens\":0}", in, written, in + written);
}

static const char refusal_text[] = "I'm sorry, I can't help with that.";

static void write_tool_use(struct buf *out, const struct converse *c, const char *id)
{
	buf_putf(out, "\"toolUse\":{\"toolUseId\":\"%s\",\"name\":", id);
	json_write_string(out, c->says.tool_name);
}

/* ---- whole answers -------------------------------------------------------------------- */

static void write_content(struct buf *out, struct converse *c)
{
	struct slice text = buf_slice(&c->mock->texts[0].text);
	char id[64];

	buf_puts(out, "[");
	if (c->thoughts)
		buf_puts(out, "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"thinking about it\","
			 "\"signature\":\"bW9jaw==\"}}},");
	if (c->says.is_tool_call) {
		buf_puts(out, "{");
		write_tool_use(out, c, mock_id(c->mock, "tooluse_", id));
		buf_puts(out, ",\"input\":");
		buf_put(out, text);
		buf_puts(out, "}}");
		if (c->b->tool == TOOL_SAME_INDEX)
			buf_putf(out, ",{\"toolUse\":{\"toolUseId\":\"%s\",\"name\":\"get_time\",\"input\":{}}}",
				 mock_id(c->mock, "tooluse_", id));
	} else {
		buf_puts(out, "{\"text\":");
		json_write_string(out, c->b->refusal ? S(refusal_text) : text);
		buf_puts(out, "}");
	}
	buf_puts(out, "]");
}

static void write_whole(struct converse *c)
{
	struct buf *out = &c->mock->body.bytes;

	for (uint32_t i = 0; i < c->b->point_count; i++)
		c->sse.filter |= c->b->points[i].kind == POINT_FILTER;
	mock_script_begin(&c->mock->body);
	buf_puts(out, "{\"metrics\":{\"latencyMs\":12},\"output\":");
	if (c->b->body == BODY_NO_CHOICES || c->b->body == BODY_MISSING_CHOICES) {
		buf_puts(out, "{}");
	} else if (c->b->body == BODY_NULL_CHOICES || c->b->body == BODY_NULL_MESSAGE) {
		buf_puts(out, "null");
	} else {
		buf_puts(out, "{\"message\":{\"role\":\"assistant\",\"content\":");
		if (c->b->body == BODY_NULL_CONTENT)
			buf_puts(out, "[]");
		else
			write_content(out, c);
		buf_puts(out, "}}");
	}
	if (c->b->ending == ENDING_FINISH_NULL || c->b->ending == ENDING_NO_FINISH)
		buf_puts(out, ",\"stopReason\":null");
	else
		buf_putf(out, ",\"stopReason\":\"%s\"", stop_reason(c));
	if (c->b->usage != USAGE_NEVER) {
		buf_puts(out, ",\"usage\":");
		write_usage(out, c);
	}
	if (c->b->unknown_events)
		buf_puts(out, ",\"x_future\":{\"rigging\":[1,2,{\"deep\":null}]}");
	buf_puts(out, "}");
	mock_script_end(&c->mock->body);
}

/* ---- streams ------------------------------------------------------------------------------ */

static void send_event(struct converse *c, const char *type, struct slice json)
{
	if (c->sse.over)
		return;
	buf_put(mock_sse_begin(&c->sse, type), json);
	mock_sse_end(&c->sse);
}

/* Before each content event. False: no more of them. */
static bool next_content(struct converse *c)
{
	if (!mock_sse_content(&c->sse))
		return false;
	if (c->sse.content_events == 1 && !c->b->role_early)
		send_event(c, "messageStart", S("{\"role\":\"assistant\",\"p\":\"abcdefgh\"}"));
	return !c->sse.over;
}

/* "{"contentBlockIndex":N,"delta":{" or what the caller writes behind it. */
static struct buf *begin_delta(struct converse *c)
{
	struct buf *out = mock_sse_begin(&c->sse, "contentBlockDelta");

	buf_putf(out, "{\"contentBlockIndex\":%u,\"delta\":{", c->block);
	return out;
}

static void end_delta(struct converse *c)
{
	buf_puts(&c->mock->body.bytes, "},\"p\":\"abcdefghijk\"}");
	mock_sse_end(&c->sse);
}

static void end_block(struct converse *c)
{
	if (c->sse.over)
		return;
	buf_putf(mock_sse_begin(&c->sse, "contentBlockStop"), "{\"contentBlockIndex\":%u,\"p\":\"ab\"}", c->block++);
	mock_sse_end(&c->sse);
}

static void send_reasoning(struct converse *c)
{
	for (uint32_t i = 0; i < c->thoughts && i < MOCK_TOKENS_MAX && next_content(c); i++) {
		buf_putf(begin_delta(c), "\"reasoningContent\":{\"text\":\"thought %" PRIu32 " \"}", i);
		end_delta(c);
	}
	if (!c->thoughts || c->sse.over)
		return;
	buf_puts(begin_delta(c), "\"reasoningContent\":{\"signature\":\"bW9jaw==\"}");
	end_delta(c);
	end_block(c);
}

static void begin_call(struct converse *c, bool named)
{
	struct buf *out = mock_sse_begin(&c->sse, "contentBlockStart");
	char id[64];

	mock_id(c->mock, "tooluse_", id);
	buf_putf(out, "{\"contentBlockIndex\":%u,\"start\":{", c->block);
	if (named)
		write_tool_use(out, c, id);
	else
		buf_putf(out, "\"toolUse\":{\"toolUseId\":\"%s\",\"name\":\"get_time\"", id);
	buf_puts(out, "}},\"p\":\"abcd\"}");
	mock_sse_end(&c->sse);
}

static void send_call(struct converse *c)
{
	const struct mock_text *text = &c->mock->texts[0];

	if (!next_content(c))
		return;
	begin_call(c, true);
	for (size_t i = 0; i < text->count && next_content(c); i++) {
		buf_puts(begin_delta(c), "\"toolUse\":{\"input\":");
		mock_sse_token(&c->sse, &c->mock->body.bytes, mock_text_piece(text, i));
		buf_puts(&c->mock->body.bytes, "}");
		end_delta(c);
	}
	end_block(c);
	if (c->b->tool != TOOL_SAME_INDEX || !next_content(c))
		return;
	begin_call(c, false);
	end_block(c);
}

static void send_text(struct converse *c)
{
	const struct mock_text *text = &c->mock->texts[0];
	size_t count = c->b->body == BODY_TRUNCATED ? text->count / 2 : text->count;

	for (size_t i = 0; i < count && next_content(c); i++) {
		buf_puts(begin_delta(c), "\"text\":");
		mock_sse_token(&c->sse, &c->mock->body.bytes, c->b->refusal ? S(refusal_text) : mock_text_piece(text, i));
		end_delta(c);
		if (c->b->refusal)
			break;
	}
	if (!c->sse.filter)
		end_block(c);
}

static void send_end(struct converse *c)
{
	uint32_t ending = c->b->ending;
	unsigned repeat = ending == ENDING_DUP_FINISH ? 2 : 1;
	struct buf *out;

	for (unsigned i = 0; i < repeat && ending != ENDING_NO_FINISH && ending != ENDING_NOTHING && !c->sse.over; i++) {
		out = mock_sse_begin(&c->sse, "messageStop");
		if (ending == ENDING_FINISH_NULL)
			buf_puts(out, "{\"stopReason\":null}");
		else
			buf_putf(out, "{\"stopReason\":\"%s\",\"p\":\"abc\"}", stop_reason(c));
		mock_sse_end(&c->sse);
	}
	if (ending == ENDING_NO_DONE || ending == ENDING_NOTHING || c->sse.over)
		return;
	out = mock_sse_begin(&c->sse, "metadata");
	buf_puts(out, "{\"metrics\":{\"latencyMs\":12}");
	if (c->b->usage != USAGE_NEVER) {
		buf_puts(out, ",\"usage\":");
		write_usage(out, c);
	}
	buf_puts(out, ",\"p\":\"abcdef\"}");
	mock_sse_end(&c->sse);
	if (ending == ENDING_AFTER_DONE)
		send_event(c, "contentBlockDelta", S("{\"contentBlockIndex\":0,\"delta\":{\"text\":\"late\"}}"));
}

static void write_stream(struct converse *c)
{
	mock_sse_start(&c->sse, c->mock, c->b, PROTOCOL_BEDROCK);
	if (c->b->body == BODY_EMPTY)
		return;
	if (c->b->ending == ENDING_DONE_ONLY) {
		send_event(c, "metadata", S("{\"metrics\":{\"latencyMs\":12}}"));
		return;
	}
	if (c->b->unknown_events)
		send_event(c, "fromTheFuture", S("{\"sails\":3}"));
	if (c->b->role_early)
		send_event(c, "messageStart", S("{\"role\":\"assistant\"}"));
	send_reasoning(c);
	if (c->says.is_tool_call)
		send_call(c);
	else
		send_text(c);
	if (c->b->body == BODY_TRUNCATED || !mock_sse_finish(&c->sse))
		return;
	send_end(c);
}

/* ---- the endpoint ---------------------------------------------------------------------------- */

/* Was thinking asked for, in whatever words the model's family has for it? */
static bool asks_thinking(const struct mock_request *r)
{
	struct slice more = json_member(r->body, S("additionalModelRequestFields"));
	struct slice type = json_path(more, S("thinking.type"));

	if (!type.len)
		type = json_path(more, S("reasoningConfig.type"));
	if (type.len)
		return !json_string_eq(type, S("disabled"));
	return json_member(more, S("reasoning_effort")).len || json_path(r->body, S("outputConfig.effort")).len;
}

/* InvokeModel of Titan (one text) or Cohere (several). */
static void answer_invoke(struct mock *mock, struct mock_request *r, const struct mock_behaviour *b,
			  struct mock_answer *a)
{
	struct slice body = slice_trim(r->body), texts = json_member(body, S("texts")), one = json_member(body, S("inputText"));
	int64_t dimensions = EMBED_DIMENSIONS;
	struct buf *out = &mock->body.bytes;
	unsigned count = 0;

	json_i64(json_member(body, S("dimensions")), &dimensions);
	json_i64(json_member(body, S("output_dimension")), &dimensions);
	if (dimensions < 1 || dimensions > EMBED_DIMENSIONS_MAX ||
	    (json_type_of(one) != JSON_STRING && json_type_of(texts) != JSON_ARRAY)) {
		mock_refuse(mock, a, 400, NULL, NULL, "Malformed input request: #: required key [inputText] not found, "
			    "please reformat your input and try again.");
		return;
	}
	a->wait_ms = b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms;
	mock_script_begin(&mock->body);
	if (json_type_of(one) == JSON_STRING) {
		buf_puts(out, "{\"embedding\":");
		mock_write_vector(mock, out, one, (size_t)dimensions, false);
		buf_putf(out, ",\"inputTextTokenCount\":%zu}", one.len / 4 + 1);
	} else {
		buf_puts(out, "{\"embeddings\":{\"float\":[");
		while (count < EMBED_TEXTS_MAX && json_next(&texts, NULL, &one)) {
			buf_put(out, count++ ? S(",") : S(""));
			mock_write_vector(mock, out, one, (size_t)dimensions, false);
		}
		buf_puts(out, "]},\"response_type\":\"embeddings_by_type\"}");
	}
	mock_script_end(&mock->body);
	mock_spoil_whole(mock, b, a);
}

void mock_answer_converse(struct mock *mock, struct mock_request *r, const struct mock_behaviour *b,
			  struct mock_answer *a)
{
	struct converse c = { .mock = mock, .r = r, .b = b };
	int64_t gap_ms = b->gap_ms >= 0 ? b->gap_ms : mock->options.gap_ms;
	bool counts;

	if (!mock_bedrock_may(mock, r, b, a))
		return;
	if (slice_ends(r->path, S("/invoke"))) {
		if (json_validate(slice_trim(r->body), NULL) != JSON_OK || json_type_of(r->body) != JSON_OBJECT)
			mock_refuse(mock, a, 400, NULL, NULL, "The request body is not valid JSON.");
		else
			answer_invoke(mock, r, b, a);
		return;
	}
	if (!read_request(mock, r, a, &counts) || !mock_serves(mock, r, a) ||
	    !mock_takes_prefill(mock, r, b, a))
		return;
	mock_say(mock, r, b, 0, &c.says);
	if (counts) {
		mock_script_begin(&mock->body);
		buf_putf(&mock->body.bytes, "{\"inputTokens\":%" PRIu64 "}", c.says.prompt_tokens);
		mock_script_end(&mock->body);
		return;
	}
	c.thoughts = b->reasoning ? b->reasoning : asks_thinking(r) ? 3 : 0;
	a->stream = (r->stream || b->body == BODY_SSE_FOR_JSON) && b->body != BODY_JSON_FOR_STREAM &&
		b->body != BODY_BIG;
	if (a->stream) {
		a->content_type = "application/vnd.amazon.eventstream";
		write_stream(&c);
		return;
	}
	a->wait_ms = (b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms) +
		gap_ms * (int64_t)c.says.completion_tokens;
	write_whole(&c);
	mock_spoil_whole(mock, b, a);
}
