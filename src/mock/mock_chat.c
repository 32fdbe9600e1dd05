/* mock_chat.c: /v1/chat/completions and /v1/completions, whole and as streams. */
#include "mock/mock_internal.h"

#include <inttypes.h>
#include <string.h>

struct chat {
	struct mock *mock;
	const struct mock_request *r;
	const struct mock_behaviour *b;
	bool legacy;                          /* /v1/completions */
	unsigned n;
	char id[64];
	struct mock_saying says[MOCK_CHOICES_MAX];
	struct mock_sse sse;
	bool usage_every, usage_last;
};

/* ---- parts that both forms have ------------------------------------------------ */

static void write_usage(struct buf *out, const struct chat *c)
{
	uint64_t prompt = c->says[0].prompt_tokens, completion = c->b->reasoning;

	for (unsigned i = 0; i < c->n; i++)
		completion += c->says[i].completion_tokens;
	buf_putf(out, "{\"prompt_tokens\":%" PRIu64 ",\"completion_tokens\":%" PRIu64
		 ",\"total_tokens\":%" PRIu64, prompt, completion, prompt + completion);
	if (!c->legacy)
		buf_putf(out, ",\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
			 "\"completion_tokens_details\":{\"reasoning_tokens\":%" PRIu32 ",\"audio_tokens\":0,"
			 "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}", c->b->reasoning);
	buf_puts(out, "}");
}

static const char *finish_reason(const struct chat *c, unsigned choice)
{
	if (c->sse.filter)
		return "content_filter";
	if (c->says[choice].is_tool_call && c->b->finish_stop_with_tools)
		return "stop";
	return c->says[choice].finish;
}

/* The start of every object of this answer, up to its choices. */
static void write_object_head(struct buf *out, const struct chat *c, bool chunk)
{
	const char *object = c->legacy ? "text_completion" : chunk ? "chat.completion.chunk" : "chat.completion";

	buf_putf(out, "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%" PRId64 ",\"model\":", c->id, object,
		 mock_wall_s(c->mock));
	json_write_string(out, c->r->model);
	if (!c->legacy)
		buf_puts(out, ",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_6d0c4b1a9e\"");
	if (c->b->unknown_events)
		buf_puts(out, ",\"x_future\":{\"rigging\":[1,2,{\"deep\":null}]}");
	buf_puts(out, ",");
}

static void write_logprobs(struct buf *out, const struct chat *c, struct slice token)
{
	if (!c->r->logprobs) {
		buf_puts(out, "null");
		return;
	}
	buf_puts(out, "{\"content\":[{\"token\":");
	json_write_string(out, token);
	buf_puts(out, ",\"logprob\":-0.125,\"bytes\":null,\"top_logprobs\":[]}],\"refusal\":null}");
}

static void write_tool_call(struct buf *out, const struct chat *c, unsigned choice, const char *id)
{
	buf_putf(out, "{\"id\":\"%s\",\"type\":\"function\",\"function\":{\"name\":", id);
	json_write_string(out, c->says[choice].tool_name);
	buf_puts(out, ",\"arguments\":");
	json_write_string(out, buf_slice(&c->mock->texts[choice].text));
	buf_puts(out, "}}");
}

/* ---- whole answers --------------------------------------------------------------- */

static void write_message(struct buf *out, struct chat *c, unsigned choice)
{
	struct slice text = buf_slice(&c->mock->texts[choice].text);
	char id[64];

	if (c->b->body == BODY_NULL_MESSAGE) {
		buf_puts(out, "null");
		return;
	}
	buf_puts(out, "{\"role\":\"assistant\",\"content\":");
	if (c->says[choice].is_tool_call || c->b->refusal || c->b->body == BODY_NULL_CONTENT)
		buf_puts(out, "null");
	else
		json_write_string(out, text);
	if (c->b->reasoning)
		buf_puts(out, ",\"reasoning_content\":\"thinking about it\"");
	if (c->says[choice].is_tool_call) {
		buf_puts(out, ",\"tool_calls\":[");
		write_tool_call(out, c, choice, mock_id(c->mock, "call_", id));
		if (c->b->tool == TOOL_SAME_INDEX)
			buf_putf(out, ",{\"id\":\"%s\",\"type\":\"function\",\"function\":"
				 "{\"name\":\"get_time\",\"arguments\":\"{}\"}}", mock_id(c->mock, "call_", id));
		buf_puts(out, "]");
	}
	buf_put(out, c->b->refusal ? S(",\"refusal\":\"I'm sorry, I can't help with that.\",\"annotations\":[]}")
				   : S(",\"refusal\":null,\"annotations\":[]}"));
}

static void write_choice(struct buf *out, struct chat *c, unsigned choice)
{
	const struct mock_text *text = &c->mock->texts[choice];

	buf_putf(out, "{\"index\":%u,", choice);
	if (c->legacy) {
		buf_puts(out, "\"text\":");
		json_write_string(out, buf_slice(&text->text));
		buf_puts(out, ",\"logprobs\":null");
	} else {
		buf_puts(out, "\"message\":");
		write_message(out, c, choice);
		buf_puts(out, ",\"logprobs\":");
		write_logprobs(out, c, text->count ? mock_text_piece(text, 0) : SLICE_NONE);
	}
	buf_puts(out, ",\"finish_reason\":");
	if (c->b->ending == ENDING_FINISH_NULL || c->b->ending == ENDING_NO_FINISH)
		buf_puts(out, "null}");
	else
		buf_putf(out, "\"%s\"}", finish_reason(c, choice));
}

static void write_whole(struct chat *c)
{
	struct buf *out = &c->mock->body.bytes;

	for (uint32_t i = 0; i < c->b->point_count; i++)
		c->sse.filter |= c->b->points[i].kind == POINT_FILTER;
	mock_script_begin(&c->mock->body);
	write_object_head(out, c, false);
	if (c->b->body == BODY_NO_CHOICES || c->b->body == BODY_NULL_CHOICES) {
		buf_put(out, c->b->body == BODY_NO_CHOICES ? S("\"choices\":[],") : S("\"choices\":null,"));
	} else if (c->b->body != BODY_MISSING_CHOICES) {
		buf_puts(out, "\"choices\":[");
		for (unsigned i = 0; i < c->n; i++) {
			if (i)
				buf_puts(out, ",");
			write_choice(out, c, i);
		}
		buf_puts(out, "],");
	}
	if (c->b->usage == USAGE_NEVER) {
		buf_puts(out, "\"usage\":null}");
	} else {
		buf_puts(out, "\"usage\":");
		write_usage(out, c);
		buf_puts(out, "}");
	}
	mock_script_end(&c->mock->body);
}

/* ---- streams ------------------------------------------------------------------------- */

/* A chunk: begins it up to "choices":[{"index":N, . */
static struct buf *begin_chunk(struct chat *c, unsigned choice)
{
	struct buf *out = mock_sse_begin(&c->sse, NULL);

	buf_put(out, c->sse.chunk_head);
	if (choice)
		buf_putf(out, "\"choices\":[{\"index\":%u,", choice);
	else
		buf_puts(out, "\"choices\":[{\"index\":0,");
	return out;
}

/* Ends it behind the delta, `finish` without quotes or NULL. */
static void end_chunk(struct chat *c, struct slice token, const char *finish)
{
	struct buf *out = &c->mock->body.bytes;

	buf_puts(out, ",\"logprobs\":");
	write_logprobs(out, c, token);
	buf_puts(out, ",\"finish_reason\":");
	if (finish)
		buf_putf(out, "\"%s\"}]", finish);
	else
		buf_puts(out, "null}]");
	if (c->usage_every || (finish && c->b->usage == USAGE_IN_FINISH)) {
		buf_puts(out, ",\"usage\":");
		write_usage(out, c);
	} else if (c->usage_last) {
		buf_puts(out, ",\"usage\":null");
	}
	if (c->r->obfuscate)
		buf_putf(out, ",\"obfuscation\":\"%.*s\"", (int)(1 + token.len % 12), "aB3xK9pQz0LmN");
	buf_puts(out, "}");
	mock_sse_end(&c->sse);
}

static void send_role(struct chat *c)
{
	for (unsigned i = 0; i < c->n && !c->legacy && !c->sse.over; i++) {
		buf_puts(begin_chunk(c, i), "\"delta\":{\"role\":\"assistant\",\"content\":\"\",\"refusal\":null}");
		end_chunk(c, SLICE_NONE, NULL);
	}
}

/* What comes before the first token, at once or with it. */
static void send_preamble(struct chat *c)
{
	struct buf *out;

	if (c->b->empty_choices_first) {
		out = mock_sse_begin(&c->sse, NULL);
		buf_puts(out, "{\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\","
			 "\"prompt_filter_results\":[{\"prompt_index\":0,\"content_filter_results\":"
			 "{\"hate\":{\"filtered\":false,\"severity\":\"safe\"}}}]}");
		mock_sse_end(&c->sse);
	}
	if (c->b->unknown_events) {
		out = mock_sse_begin(&c->sse, "x.hello");
		buf_puts(out, "{\"object\":\"x.hello\",\"sails\":3}");
		mock_sse_end(&c->sse);
	}
	if (c->b->role_early)
		send_role(c);
}

static void write_call_delta(struct chat *c, struct buf *out, unsigned choice, size_t i, const char *id)
{
	const struct mock_text *text = &c->mock->texts[choice];

	buf_puts(out, "\"delta\":{\"tool_calls\":[{");
	if (c->b->tool != TOOL_NO_INDEX)
		buf_puts(out, "\"index\":0,");
	if (i == 0) {
		buf_putf(out, "\"id\":\"%s\",\"type\":\"function\",\"function\":{\"name\":", id);
		json_write_string(out, c->says[choice].tool_name);
		buf_puts(out, ",\"arguments\":");
		if (c->b->tool == TOOL_ONE_CHUNK)
			json_write_string(out, buf_slice(&text->text));
		else
			buf_puts(out, "\"\"");
	} else {
		buf_puts(out, "\"function\":{\"arguments\":");
		mock_sse_token(&c->sse, out, mock_text_piece(text, i - 1));
	}
	buf_puts(out, "}}]}");
}

static void change_id(struct chat *c)
{
	mock_id(c->mock, c->legacy ? "cmpl-" : "chatcmpl-", c->id);
	buf_clear(&c->mock->prefix);
	write_object_head(&c->mock->prefix, c, true);
	c->sse.chunk_head = buf_slice(&c->mock->prefix);
	c->sse.new_id = false;
}

/* Before each content event. False: no more of them. */
static bool next_content(struct chat *c)
{
	if (!mock_sse_content(&c->sse))
		return false;
	if (c->sse.new_id)
		change_id(c);
	if (c->sse.content_events == 1 && !c->b->role_early) {
		send_role(c);
		if (c->b->dup_role)
			send_role(c);
	}
	return !c->sse.over;
}

static void send_reasoning(struct chat *c)
{
	for (uint32_t i = 0; i < c->b->reasoning && i < MOCK_TOKENS_MAX && next_content(c); i++) {
		buf_putf(begin_chunk(c, 0), "\"delta\":{\"reasoning_content\":\"thought %" PRIu32 " \"}", i);
		end_chunk(c, SLICE_NONE, NULL);
	}
}

/* A call: one chunk with its name, then its arguments; in one chunk where asked. */
static void send_call(struct chat *c, unsigned choice)
{
	size_t count = c->b->tool == TOOL_ONE_CHUNK ? 1 : c->mock->texts[choice].count + 1;
	char id[64];

	mock_id(c->mock, "call_", id);
	for (size_t i = 0; i < count && next_content(c); i++) {
		write_call_delta(c, begin_chunk(c, choice), choice, i, id);
		end_chunk(c, SLICE_NONE, c->b->tool == TOOL_ONE_CHUNK ? finish_reason(c, choice) : NULL);
	}
	if (c->b->tool == TOOL_SAME_INDEX && next_content(c)) {
		mock_id(c->mock, "call_", id);
		buf_putf(begin_chunk(c, choice),
			 "\"delta\":{\"tool_calls\":[{\"index\":%d,\"id\":\"%s\",\"type\":\"function\","
			 "\"function\":{\"name\":\"get_time\",\"arguments\":\"{}\"}}]}",
			 c->b->own_index ? 1 : 0, id);
		end_chunk(c, SLICE_NONE, NULL);
	}
}

/* Token number i of every choice, until all have said all. */
static void send_texts(struct chat *c)
{
	size_t longest = 0;
	struct buf *out;

	for (unsigned k = 0; k < c->n; k++)
		if (!c->says[k].is_tool_call && c->mock->texts[k].count > longest)
			longest = c->mock->texts[k].count;
	if (c->b->body == BODY_TRUNCATED)
		longest /= 2;
	for (size_t i = 0; i < longest; i++) {
		for (unsigned k = 0; k < c->n; k++) {
			struct slice token;

			if (c->says[k].is_tool_call || i >= c->mock->texts[k].count)
				continue;
			if (!next_content(c))
				return;
			token = mock_text_piece(&c->mock->texts[k], i);
			out = begin_chunk(c, k);
			buf_put(out, c->legacy ? S("\"text\":") : c->b->refusal ? S("\"delta\":{\"refusal\":")
									       : S("\"delta\":{\"content\":"));
			mock_sse_token(&c->sse, out, token);
			if (!c->legacy)
				buf_puts(out, "}");
			end_chunk(c, token, NULL);
		}
	}
}

static void send_finish(struct chat *c)
{
	uint32_t ending = c->b->ending;
	unsigned repeat = ending == ENDING_DUP_FINISH ? 2 : 1;

	if (c->b->tool == TOOL_ONE_CHUNK || ending == ENDING_NO_FINISH || ending == ENDING_NOTHING)
		return;
	for (unsigned k = 0; k < c->n * repeat && !c->sse.over; k++) {
		buf_put(begin_chunk(c, k % c->n), c->legacy ? S("\"text\":\"\"") : S("\"delta\":{}"));
		end_chunk(c, SLICE_NONE, ending == ENDING_FINISH_NULL ? NULL : finish_reason(c, k % c->n));
	}
}

static void send_usage(struct chat *c)
{
	struct buf *out;

	if (!c->usage_last || c->b->usage == USAGE_IN_FINISH || c->sse.over)
		return;
	out = mock_sse_begin(&c->sse, NULL);
	buf_put(out, c->sse.chunk_head);
	buf_puts(out, "\"choices\":[],\"usage\":");
	write_usage(out, c);
	buf_puts(out, "}");
	mock_sse_end(&c->sse);
}

static void send_after_done(struct chat *c)
{
	mock_sse_done(&c->sse);
	if (c->b->ending != ENDING_AFTER_DONE || c->sse.over)
		return;
	buf_put(begin_chunk(c, 0), c->legacy ? S("\"text\":\"late\"") : S("\"delta\":{\"content\":\"late\"}"));
	end_chunk(c, SLICE_NONE, NULL);
}

/* A stream whose chunks lack what they are for. */
static bool send_choiceless(struct chat *c)
{
	struct buf *out;

	if (c->b->body < BODY_NO_CHOICES || c->b->body > BODY_NULL_CONTENT)
		return false;
	out = mock_sse_begin(&c->sse, NULL);
	buf_put(out, c->sse.chunk_head);
	buf_put(out, c->b->body == BODY_NULL_CHOICES ? S("\"choices\":null}") :
		c->b->body == BODY_MISSING_CHOICES ? S("\"usage\":null}") :
		c->b->body == BODY_NULL_MESSAGE ?
			S("\"choices\":[{\"index\":0,\"delta\":null,\"finish_reason\":null}]}") :
		c->b->body == BODY_NULL_CONTENT ?
			S("\"choices\":[{\"index\":0,\"delta\":{\"content\":null},\"finish_reason\":\"stop\"}]}") :
			S("\"choices\":[]}"));
	mock_sse_end(&c->sse);
	mock_sse_done(&c->sse);
	return true;
}

static void write_stream(struct chat *c)
{
	change_id(c);
	mock_sse_start(&c->sse, c->mock, c->b, c->legacy ? PROTOCOL_COMPLETIONS : PROTOCOL_CHAT);
	c->sse.chunk_head = buf_slice(&c->mock->prefix);
	if (c->b->body == BODY_EMPTY || send_choiceless(c))
		return;
	if (c->b->ending == ENDING_DONE_ONLY) {
		mock_sse_done(&c->sse);
		return;
	}
	send_preamble(c);
	send_reasoning(c);
	for (unsigned k = 0; k < c->n; k++)
		if (c->says[k].is_tool_call)
			send_call(c, k);
	send_texts(c);
	if (c->b->body == BODY_TRUNCATED || !mock_sse_finish(&c->sse))
		return;
	if (!c->sse.content_events)
		send_role(c);
	send_finish(c);
	send_usage(c);
	if (c->b->ending != ENDING_NO_DONE && c->b->ending != ENDING_NOTHING)
		send_after_done(c);
}

static void answer(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
		   bool legacy, struct mock_answer *a)
{
	struct chat c = { .mock = mock, .r = r, .b = b, .legacy = legacy };
	bool stream = (r->stream || b->body == BODY_SSE_FOR_JSON) && b->body != BODY_JSON_FOR_STREAM &&
		b->body != BODY_BIG;
	int64_t gap_ms = b->gap_ms >= 0 ? b->gap_ms : mock->options.gap_ms;

	c.n = r->n;
	for (unsigned k = 0; k < c.n; k++)
		mock_say(mock, r, b, k, &c.says[k]);
	c.usage_every = b->usage == USAGE_EVERY;
	c.usage_last = (r->include_usage && b->usage != USAGE_NEVER) || b->usage == USAGE_ALWAYS;
	a->stream = stream;
	if (stream) {
		a->content_type = "text/event-stream; charset=utf-8";
		write_stream(&c);
		return;
	}
	a->wait_ms = (b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms) +
		gap_ms * (int64_t)c.says[0].completion_tokens;
	mock_id(mock, legacy ? "cmpl-" : "chatcmpl-", c.id);
	write_whole(&c);
	mock_spoil_whole(mock, b, a);
}

void mock_answer_chat(struct mock *mock, const struct mock_request *r, const struct mock_behaviour *b,
		      struct mock_answer *a)
{
	answer(mock, r, b, false, a);
}

void mock_answer_completions(struct mock *mock, const struct mock_request *r,
			     const struct mock_behaviour *b, struct mock_answer *a)
{
	answer(mock, r, b, true, a);
}
