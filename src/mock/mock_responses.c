/* mock_responses.c: /v1/responses, whole and as a stream of typed events. */
#include "mock/mock_internal.h"

#include <inttypes.h>
#include <string.h>

struct response {
	struct mock *mock;
	const struct mock_request *r;
	const struct mock_behaviour *b;
	struct mock_saying say;
	struct mock_sse sse;
	char id[64], item_id[64], call_id[64];
	unsigned sequence;
};

/* ---- objects --------------------------------------------------------------------- */

static void write_item(struct buf *out, const struct response *c, bool done)
{
	const char *status = !done ? "in_progress" : strcmp(c->say.finish, "length") == 0 ? "incomplete"
											   : "completed";
	struct slice text = buf_slice(&c->mock->texts[0].text);

	if (c->say.is_tool_call) {
		buf_putf(out, "{\"id\":\"%s\",\"type\":\"function_call\",\"status\":\"%s\",\"arguments\":",
			 c->item_id, status);
		json_write_string(out, done ? text : SLICE_NONE);
		buf_putf(out, ",\"call_id\":\"%s\",\"name\":", c->call_id);
		json_write_string(out, c->say.tool_name);
		buf_puts(out, "}");
		return;
	}
	buf_putf(out, "{\"id\":\"%s\",\"type\":\"message\",\"status\":\"%s\",\"content\":[", c->item_id, status);
	if (done && c->b->refusal) {
		buf_puts(out, "{\"type\":\"refusal\",\"refusal\":\"I'm sorry, I can't help with that.\"}");
	} else if (done) {
		buf_puts(out, "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":");
		json_write_string(out, text);
		buf_puts(out, "}");
	}
	buf_puts(out, "],\"role\":\"assistant\"}");
}

static void write_usage(struct buf *out, const struct response *c)
{
	buf_putf(out, "{\"input_tokens\":%" PRIu64 ",\"input_tokens_details\":{\"cached_tokens\":0},"
		 "\"output_tokens\":%" PRIu64 ",\"output_tokens_details\":{\"reasoning_tokens\":%" PRIu32 "},"
		 "\"total_tokens\":%" PRIu64 "}", c->say.prompt_tokens, c->say.completion_tokens,
		 c->b->reasoning, c->say.prompt_tokens + c->say.completion_tokens);
}

/* A member as the request had it (on one line), or a default. */
static void write_echoed(struct buf *out, const char *name, struct slice value, const char *otherwise)
{
	buf_putf(out, ",\"%s\":", name);
	if (!value.len || value.len >= 65536) {
		buf_put(out, slice_of(otherwise));
		return;
	}
	for (size_t i = 0, n; i < value.len; i += n + 1) {
		for (n = 0; i + n < value.len && value.at[i + n] != '\n' && value.at[i + n] != '\r'; n++)
			;
		buf_put(out, slice_sub(value, i, i + n));
	}
}

static void write_response(struct buf *out, const struct response *c, const char *status)
{
	bool done = strcmp(status, "in_progress") != 0, failed = strcmp(status, "failed") == 0;

	buf_putf(out, "{\"id\":\"%s\",\"object\":\"response\",\"created_at\":%" PRId64
		 ",\"status\":\"%s\",\"background\":false,\"error\":", c->id, mock_wall_s(c->mock), status);
	buf_put(out, failed ? S("{\"code\":\"server_error\",\"message\":\"The model failed.\"}") : S("null"));
	buf_puts(out, ",\"incomplete_details\":");
	if (strcmp(status, "incomplete") == 0)
		buf_putf(out, "{\"reason\":\"%s\"}", c->sse.filter ? "content_filter" : "max_output_tokens");
	else
		buf_puts(out, "null");
	if (c->r->max_tokens >= 0)
		buf_putf(out, ",\"instructions\":null,\"max_output_tokens\":%" PRId64, c->r->max_tokens);
	else
		buf_puts(out, ",\"instructions\":null,\"max_output_tokens\":null");
	buf_puts(out, ",\"model\":");
	json_write_string(out, c->r->model);
	buf_puts(out, ",\"output\":[");
	if (done && !failed && c->b->body != BODY_NO_CHOICES)
		write_item(out, c, true);
	buf_puts(out, "],\"parallel_tool_calls\":true,\"previous_response_id\":null,"
		 "\"reasoning\":{\"effort\":null,\"summary\":null},\"service_tier\":\"default\","
		 "\"store\":false,\"temperature\":1");
	write_echoed(out, "text", c->r->text, "{\"format\":{\"type\":\"text\"},\"verbosity\":\"medium\"}");
	write_echoed(out, "tool_choice", c->r->tool_choice, "\"auto\"");
	write_echoed(out, "tools", c->r->tools, "[]");
	write_echoed(out, "metadata", c->r->metadata, "{}");
	buf_puts(out, ",\"top_logprobs\":0,\"top_p\":1,\"truncation\":\"disabled\",\"usage\":");
	if (done && !failed && c->b->usage != USAGE_NEVER)
		write_usage(out, c);
	else
		buf_puts(out, "null");
	buf_puts(out, ",\"user\":null}");
}

static const char *last_status(const struct response *c)
{
	return c->sse.filter || strcmp(c->say.finish, "length") == 0 ? "incomplete" : "completed";
}

/* ---- the stream -------------------------------------------------------------------- */

/* Begins an event: {"type":T,"sequence_number":N, */
static struct buf *begin(struct response *c, const char *type)
{
	struct buf *out = mock_sse_begin(&c->sse, type);

	buf_putf(out, "{\"type\":\"%s\",\"sequence_number\":%u,", type, c->sequence++);
	return out;
}

static void end(struct response *c)
{
	buf_puts(&c->mock->body.bytes, "}");
	mock_sse_end(&c->sse);
}

/* An event that carries the whole response. */
static void send_response(struct response *c, const char *type, const char *status)
{
	struct buf *out;

	if (c->sse.over)
		return;
	out = begin(c, type);
	buf_puts(out, "\"response\":");
	write_response(out, c, status);
	end(c);
}

static void send_item(struct response *c, const char *type, bool done)
{
	struct buf *out;

	if (c->sse.over)
		return;
	out = begin(c, type);
	buf_puts(out, "\"output_index\":0,\"item\":");
	write_item(out, c, done);
	end(c);
}

/* Begins an event about the message's one part. */
static struct buf *begin_part(struct response *c, const char *type)
{
	struct buf *out = begin(c, type);

	buf_putf(out, "\"item_id\":\"%s\",\"output_index\":0,", c->item_id);
	if (!c->say.is_tool_call)
		buf_puts(out, "\"content_index\":0,");
	return out;
}

static void send_part(struct response *c, const char *type, struct slice text)
{
	struct buf *out;

	if (c->sse.over)
		return;
	out = begin_part(c, type);
	buf_puts(out, "\"part\":{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":");
	json_write_string(out, text);
	buf_puts(out, "}");
	end(c);
}

static void write_delta(struct response *c, struct buf *out, struct slice token)
{
	buf_puts(out, "\"delta\":");
	if (!c->sse.big_bytes) {
		json_write_string(out, token);
	} else {
		buf_puts(out, "\"");
		for (uint64_t i = 0; i < c->sse.big_bytes; i += 16)
			buf_puts(out, "big event words ");
		buf_puts(out, "\"");
		c->sse.big_bytes = 0;
	}
	if (!c->say.is_tool_call)
		buf_puts(out, ",\"logprobs\":[]");
	if (c->r->obfuscate)
		buf_putf(out, ",\"obfuscation\":\"%.*s\"", (int)(1 + token.len % 12), "aB3xK9pQz0LmN");
}

static void send_deltas(struct response *c)
{
	const struct mock_text *text = &c->mock->texts[0];
	size_t count = c->b->body == BODY_TRUNCATED ? text->count / 2 : text->count;
	const char *type = c->say.is_tool_call ? "response.function_call_arguments.delta" :
		c->b->refusal ? "response.refusal.delta" : "response.output_text.delta";

	for (size_t i = 0; i < count && mock_sse_content(&c->sse); i++) {
		if (c->sse.new_id) {
			mock_id(c->mock, "msg_", c->item_id);
			c->sse.new_id = false;
		}
		write_delta(c, begin_part(c, type), mock_text_piece(text, i));
		end(c);
	}
}

/* The events that repeat the whole text once it is all said. */
static void send_text_done(struct response *c)
{
	struct slice text = buf_slice(&c->mock->texts[0].text);
	struct buf *out;

	if (c->sse.over)
		return;
	if (c->say.is_tool_call) {
		out = begin_part(c, "response.function_call_arguments.done");
		buf_puts(out, "\"name\":");
		json_write_string(out, c->say.tool_name);
		buf_puts(out, ",\"arguments\":");
	} else {
		out = begin_part(c, "response.output_text.done");
		buf_puts(out, "\"logprobs\":[],\"text\":");
	}
	json_write_string(out, text);
	end(c);
	if (!c->say.is_tool_call)
		send_part(c, "response.content_part.done", text);
	send_item(c, "response.output_item.done", true);
}

static void write_stream(struct response *c)
{
	uint32_t ending = c->b->ending;
	const char *status;

	mock_sse_start(&c->sse, c->mock, c->b, PROTOCOL_RESPONSES);
	if (c->b->body == BODY_EMPTY)
		return;
	send_response(c, "response.created", "in_progress");
	send_response(c, "response.in_progress", "in_progress");
	if (c->b->unknown_events) {
		buf_puts(begin(c, "response.x_future.hello"), "\"sails\":3");
		end(c);
	}
	send_item(c, "response.output_item.added", false);
	if (!c->say.is_tool_call)
		send_part(c, "response.content_part.added", SLICE_NONE);
	send_deltas(c);
	if (c->b->body == BODY_TRUNCATED || !mock_sse_finish(&c->sse))
		return;
	send_text_done(c);
	if (ending == ENDING_NO_FINISH || ending == ENDING_NOTHING || ending == ENDING_NO_DONE)
		return;
	status = last_status(c);
	send_response(c, strcmp(status, "incomplete") == 0 ? "response.incomplete" : "response.completed",
		      status);
	if (ending == ENDING_DUP_FINISH)
		send_response(c, "response.completed", status);
	if (ending == ENDING_AFTER_DONE && !c->sse.over) {
		write_delta(c, begin_part(c, "response.output_text.delta"), S("late"));
		end(c);
	}
}

void mock_answer_responses(struct mock *mock, const struct mock_request *r,
			   const struct mock_behaviour *b, struct mock_answer *a)
{
	struct response c = { .mock = mock, .r = r, .b = b };
	bool stream = (r->stream || b->body == BODY_SSE_FOR_JSON) && b->body != BODY_JSON_FOR_STREAM &&
		b->body != BODY_BIG;
	int64_t gap_ms = b->gap_ms >= 0 ? b->gap_ms : mock->options.gap_ms;

	mock_say(mock, r, b, 0, &c.say);
	mock_id(mock, "resp_", c.id);
	mock_id(mock, c.say.is_tool_call ? "fc_" : "msg_", c.item_id);
	mock_id(mock, "call_", c.call_id);
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
	mock_script_begin(&mock->body);
	write_response(&mock->body.bytes, &c, last_status(&c));
	mock_script_end(&mock->body);
	mock_spoil_whole(mock, b, a);
}
