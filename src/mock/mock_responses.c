/* mock_responses.c: /v1/responses, whole and as a stream of typed events. */
#include "mock/mock_internal.h"

#include <inttypes.h>
#include <string.h>

#define ITEMS_MAX 3

enum item_kind { ITEM_REASONING, ITEM_MESSAGE, ITEM_CALL };

struct item {
	enum item_kind kind;
	char id[64], call_id[64];
	struct slice name, text;      /* a call's name; what is said, summed up or passed, once it is known */
};

struct response {
	struct mock *mock;
	const struct mock_request *r;
	const struct mock_behaviour *b;
	struct mock_saying say;
	struct mock_sse sse;
	char id[64];
	struct item items[ITEMS_MAX];
	unsigned count;
	unsigned sequence;
};

/* ---- objects --------------------------------------------------------------------- */

static void add_item(struct response *c, enum item_kind kind, struct slice name, struct slice text)
{
	static const char *const prefixes[] = { "rs_", "msg_", "fc_" };
	struct item *item = &c->items[c->count++];

	must(c->count <= ITEMS_MAX);
	*item = (struct item){ .kind = kind, .name = name, .text = text };
	mock_id(c->mock, prefixes[kind], item->id);
	mock_id(c->mock, "call_", item->call_id);
}

/* Thinking is told summed up, to those who ask for that. */
static bool asks_summary(const struct mock_request *r)
{
	return r->reasoning.len && json_type_of(r->reasoning) == JSON_OBJECT &&
		json_type_of(json_member(r->reasoning, S("summary"))) == JSON_STRING;
}

/* Thinking, then words or a call; a second call where one is asked for. */
static void add_items(struct response *c)
{
	struct slice text = buf_slice(&c->mock->texts[0].text);

	if (c->b->reasoning)
		add_item(c, ITEM_REASONING, SLICE_NONE,
			 asks_summary(c->r) ? S("thinking about it") : SLICE_NONE);
	if (!c->say.is_tool_call) {
		add_item(c, ITEM_MESSAGE, SLICE_NONE, text);
		return;
	}
	add_item(c, ITEM_CALL, c->say.tool_name, text);
	if (c->b->tool == TOOL_SAME_INDEX)
		add_item(c, ITEM_CALL, S("get_time"), S("{}"));
}

static void write_summary(struct buf *out, const struct item *item, bool done)
{
	buf_puts(out, "\"summary\":[");
	if (done && item->text.len) {
		buf_puts(out, "{\"type\":\"summary_text\",\"text\":");
		json_write_string(out, item->text);
		buf_puts(out, "}");
	}
	buf_puts(out, "]}");
}

static void write_item(struct buf *out, const struct response *c, const struct item *item, bool done)
{
	const char *status = !done ? "in_progress" : strcmp(c->say.finish, "length") == 0 ? "incomplete"
											   : "completed";

	if (item->kind == ITEM_REASONING) {
		buf_putf(out, "{\"id\":\"%s\",\"type\":\"reasoning\",", item->id);
		if (slice_find_slice(c->r->include, S("\"reasoning.encrypted_content\"")) != SLICE_NOT_FOUND)
			buf_putf(out, "\"encrypted_content\":\"gAAAAA%s\",", item->call_id);
		write_summary(out, item, done);
		return;
	}
	if (item->kind == ITEM_CALL) {
		buf_putf(out, "{\"id\":\"%s\",\"type\":\"function_call\",\"status\":\"%s\",\"arguments\":",
			 item->id, status);
		json_write_string(out, done ? item->text : SLICE_NONE);
		buf_putf(out, ",\"call_id\":\"%s\",\"name\":", item->call_id);
		json_write_string(out, item->name);
		buf_puts(out, "}");
		return;
	}
	buf_putf(out, "{\"id\":\"%s\",\"type\":\"message\",\"status\":\"%s\",\"content\":[", item->id, status);
	if (done && c->b->refusal) {
		buf_puts(out, "{\"type\":\"refusal\",\"refusal\":\"I'm sorry, I can't help with that.\"}");
	} else if (done) {
		buf_puts(out, "{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":");
		json_write_string(out, item->text);
		buf_puts(out, "}");
	}
	buf_puts(out, "],\"role\":\"assistant\"}");
}

static void write_usage(struct buf *out, const struct response *c)
{
	uint64_t said = c->say.completion_tokens + c->b->reasoning;

	buf_putf(out, "{\"input_tokens\":%" PRIu64 ",\"input_tokens_details\":{\"cached_tokens\":0},"
		 "\"output_tokens\":%" PRIu64 ",\"output_tokens_details\":{\"reasoning_tokens\":%" PRIu32 "},"
		 "\"total_tokens\":%" PRIu64 "}", c->say.prompt_tokens, said, c->b->reasoning,
		 c->say.prompt_tokens + said);
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
	for (unsigned i = 0; i < c->count && done && !failed && c->b->body != BODY_NO_CHOICES; i++) {
		if (i)
			buf_puts(out, ",");
		write_item(out, c, &c->items[i], true);
	}
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

static unsigned index_of(const struct response *c, const struct item *item)
{
	return (unsigned)(item - c->items);
}

static void send_item(struct response *c, const char *type, const struct item *item, bool done)
{
	struct buf *out;

	if (c->sse.over)
		return;
	out = begin(c, type);
	buf_putf(out, "\"output_index\":%u,\"item\":", index_of(c, item));
	write_item(out, c, item, done);
	end(c);
}

/* Begins an event about an item's one part. */
static struct buf *begin_part(struct response *c, const char *type, const struct item *item)
{
	static const char *const places[] = { "\"summary_index\":0,", "\"content_index\":0,", "" };
	struct buf *out = begin(c, type);

	buf_putf(out, "\"item_id\":\"%s\",\"output_index\":%u,%s", item->id, index_of(c, item),
		 places[item->kind]);
	return out;
}

static void send_part(struct response *c, const char *type, const struct item *item, struct slice text)
{
	struct buf *out;

	if (c->sse.over)
		return;
	out = begin_part(c, type, item);
	buf_put(out, item->kind == ITEM_REASONING ? S("\"part\":{\"type\":\"summary_text\",\"text\":") :
		S("\"part\":{\"type\":\"output_text\",\"annotations\":[],\"logprobs\":[],\"text\":"));
	json_write_string(out, text);
	buf_puts(out, "}");
	end(c);
}

static void send_delta(struct response *c, const char *type, const struct item *item, struct slice token)
{
	struct buf *out = begin_part(c, type, item);

	buf_puts(out, "\"delta\":");
	mock_sse_token(&c->sse, out, token);
	if (item->kind == ITEM_MESSAGE)
		buf_puts(out, ",\"logprobs\":[]");
	if (c->r->obfuscate)
		buf_putf(out, ",\"obfuscation\":\"%.*s\"", (int)(1 + token.len % 12), "aB3xK9pQz0LmN");
	end(c);
}

/* Thinking comes summed up, in as many pieces as were thought. */
static void send_thoughts(struct response *c, struct item *item)
{
	struct buf text = BUF_INIT(64u << 10);

	for (uint32_t i = 0; i < c->b->reasoning && buf_len(&text) < 60000 && mock_sse_content(&c->sse); i++) {
		struct slice piece = arena_printf(mock_arena(c->mock), "thought %" PRIu32 " ", i);

		buf_put(&text, piece);
		send_delta(c, "response.reasoning_summary_text.delta", item, piece);
	}
	item->text = arena_copy(mock_arena(c->mock), buf_slice(&text));
	buf_free(&text);
}

static void send_words(struct response *c, struct item *item)
{
	const struct mock_text *text = &c->mock->texts[0];
	size_t count = c->b->body == BODY_TRUNCATED ? text->count / 2 : text->count;
	const char *type = item->kind == ITEM_CALL ? "response.function_call_arguments.delta" :
		c->b->refusal ? "response.refusal.delta" : "response.output_text.delta";

	if (item->kind == ITEM_CALL && index_of(c, item) > 0 && item[-1].kind == ITEM_CALL) {
		if (mock_sse_content(&c->sse))
			send_delta(c, type, item, item->text);
		return;
	}
	for (size_t i = 0; i < count && mock_sse_content(&c->sse); i++) {
		if (c->sse.new_id) {
			mock_id(c->mock, "msg_", item->id);
			c->sse.new_id = false;
		}
		send_delta(c, type, item, mock_text_piece(text, i));
	}
}

/* The events that repeat the whole of an item once it is all said. */
static void send_item_done(struct response *c, const struct item *item)
{
	static const char *const types[] = {
		"response.reasoning_summary_text.done", "response.output_text.done",
		"response.function_call_arguments.done",
	};
	struct buf *out;

	if (c->sse.over)
		return;
	out = begin_part(c, types[item->kind], item);
	if (item->kind == ITEM_CALL) {
		buf_puts(out, "\"name\":");
		json_write_string(out, item->name);
		buf_puts(out, ",\"arguments\":");
	} else {
		buf_put(out, item->kind == ITEM_MESSAGE ? S("\"logprobs\":[],\"text\":") : S("\"text\":"));
	}
	json_write_string(out, item->text);
	end(c);
	if (item->kind != ITEM_CALL)
		send_part(c, item->kind == ITEM_MESSAGE ? "response.content_part.done"
			  : "response.reasoning_summary_part.done", item, item->text);
	send_item(c, "response.output_item.done", item, true);
}

/* False: the stream is over. */
static bool send_whole_item(struct response *c, struct item *item, bool last)
{
	send_item(c, "response.output_item.added", item, false);
	if (item->kind == ITEM_REASONING && !item->text.len) {
		send_item(c, "response.output_item.done", item, true);
		return !c->sse.over;
	}
	if (item->kind != ITEM_CALL)
		send_part(c, item->kind == ITEM_MESSAGE ? "response.content_part.added"
			  : "response.reasoning_summary_part.added", item, SLICE_NONE);
	if (item->kind == ITEM_REASONING)
		send_thoughts(c, item);
	else
		send_words(c, item);
	if (c->sse.over || (last && (c->b->body == BODY_TRUNCATED || !mock_sse_finish(&c->sse))))
		return false;
	send_item_done(c, item);
	return true;
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
	for (unsigned i = 0; i < c->count; i++)
		if (!send_whole_item(c, &c->items[i], i + 1 == c->count))
			return;
	if (ending == ENDING_NO_FINISH || ending == ENDING_NOTHING || ending == ENDING_NO_DONE)
		return;
	status = last_status(c);
	send_response(c, strcmp(status, "incomplete") == 0 ? "response.incomplete" : "response.completed",
		      status);
	if (ending == ENDING_DUP_FINISH)
		send_response(c, "response.completed", status);
	if (ending == ENDING_AFTER_DONE && !c->sse.over)
		send_delta(c, "response.output_text.delta", &c->items[c->count - 1], S("late"));
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
	add_items(&c);
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
