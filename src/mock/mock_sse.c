/* mock_sse.c: streams of server-sent events, and what can befall them. */
#include "mock/mock_bedrock.h"
#include "wire/eventstream.h"

#include <stdio.h>
#include <string.h>

#define EXCEPTION ":exception"
#define STREAM_BYTES_MAX (64u << 20)      /* more than that is cut */

void mock_sse_start(struct mock_sse *s, struct mock *mock, const struct mock_behaviour *b,
		    enum mock_protocol protocol)
{
	*s = (struct mock_sse){
		.mock = mock, .b = b, .out = &mock->body, .protocol = protocol,
		.ttft_ms = b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms,
		.gap_ms = b->gap_ms >= 0 ? b->gap_ms : mock->options.gap_ms,
	};
	s->plain = !b->crlf && !b->cr && !b->multi_data && !b->no_space && !b->blank_lines;
	if (b->bom && protocol != PROTOCOL_BEDROCK)
		mock_script_send(s->out, S("\xef\xbb\xbf"));
}

static void end_event(struct mock_sse *s);

/* A binary stream has no comments: an event that means nothing stands for them. */
static void send_comment(struct mock_sse *s)
{
	if (s->protocol == PROTOCOL_BEDROCK) {
		buf_puts(mock_sse_begin(s, "ping"), "{}");
		end_event(s);
		return;
	}
	mock_script_send(s->out, s->b->crlf ? S(": keep-alive\r\n\r\n") : S(": keep-alive\n\n"));
}

/* The silence before the first token, with comments where they are wanted. */
static void wait_first(struct mock_sse *s)
{
	int64_t left = s->ttft_ms, comments;

	s->waited = true;
	if (s->b->comments_only) {
		send_comment(s);
		mock_script_wait(s->out, s->b->comments_ms);
		mock_script_repeat(s->out, 2, UINT32_MAX);
		s->over = true;
		return;
	}
	if (s->b->comments_ms > 0) {
		comments = left / s->b->comments_ms;
		send_comment(s);
		mock_script_wait(s->out, s->b->comments_ms < left ? s->b->comments_ms : left);
		if (comments > 1)
			mock_script_repeat(s->out, 2, (uint32_t)comments);
		left -= comments ? comments * s->b->comments_ms : left;
	}
	mock_script_wait(s->out, left);
}

/* AWS's exception; Cohere's end of a message. */
static void send_foreign_error(struct mock_sse *s)
{
	bool cohere = s->protocol == PROTOCOL_COHERE;
	struct buf *out = mock_sse_begin(s, cohere ? "message-end" : EXCEPTION);

	if (cohere)
		buf_puts(out, "{\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":");
	else
		buf_puts(out, "{\"message\":");
	json_write_string(out, mock_error_text(s->b));
	buf_put(out, cohere ? S("}}") : S("}"));
	end_event(s);
}

/* An in-band error in the shape asked for, and the ending that goes with it. */
static void send_error(struct mock_sse *s)
{
	enum mock_shape shape = (enum mock_shape)s->b->shape;
	struct buf *out;

	s->cut_this = s->bad_this = s->bad_sum = false;
	if (s->protocol == PROTOCOL_GEMINI) {
		mock_gemini_error(mock_sse_begin(s, NULL), s->b);
		end_event(s);
		mock_script_step(s->out, STEP_END);
		s->over = true;
		return;
	}
	if (s->protocol == PROTOCOL_BEDROCK || s->protocol == PROTOCOL_COHERE) {
		send_foreign_error(s);
		mock_script_step(s->out, STEP_END);
		s->over = true;
		return;
	}
	if (shape == SHAPE_RAW) {
		mock_script_begin(s->out);
		mock_write_error(&s->out->bytes, s->b, SHAPE_OPENAI);
		mock_script_end(s->out);
	} else {
		bool messages = s->protocol == PROTOCOL_MESSAGES;
		bool named = shape == SHAPE_EVENT || s->protocol == PROTOCOL_RESPONSES || messages;
		struct mock_behaviour told = *s->b;

		if (messages)
			mock_anthropic_error(&told);

		out = mock_sse_begin(s, named ? "error" : NULL);
		if (shape == SHAPE_OPENROUTER && s->chunk_head.len) {
			buf_put(out, s->chunk_head);
			buf_puts(out, "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},"
				 "\"finish_reason\":\"error\"}],\"error\":{\"code\":502,\"message\":");
			json_write_string(out, s->b->message[0] ? slice_of(s->b->message)
								: S("Provider disconnected unexpectedly"));
			buf_puts(out, "}}");
		} else if (s->protocol == PROTOCOL_RESPONSES) {
			buf_puts(out, "{\"type\":\"error\",\"sequence_number\":");
			buf_putf(out, "%u,", s->content_events + 2);
			mock_write_error(&s->mock->scratch, s->b, SHAPE_OPENAI);
			buf_put(out, slice_from(buf_slice(&s->mock->scratch), 1));
			buf_clear(&s->mock->scratch);
		} else {
			mock_write_error(out, &told, messages ? SHAPE_ANTHROPIC
					 : shape == SHAPE_EVENT ? SHAPE_OPENAI : shape);
		}
		end_event(s);
	}
	if (shape == SHAPE_VLLM || shape == SHAPE_OPENROUTER)
		mock_sse_done(s);
	mock_script_step(s->out, STEP_END);
	s->over = true;
}

static void send_unknown(struct mock_sse *s)
{
	struct buf *out = mock_sse_begin(s, "x.from.the.future");

	buf_puts(out, "{\"type\":\"x.from.the.future\",\"object\":\"x.unknown\",\"sails\":[1,2,{\"set\":true}]}");
	end_event(s);
}

static void strike(struct mock_sse *s, const struct mock_point *p)
{
	switch (p->kind) {
	case POINT_STALL:
		mock_script_wait(s->out, p->for_ms);
		s->over = s->over || p->for_ms == MOCK_FOR_EVER;
		return;
	case POINT_MID_EVENT:
		s->cut_this = true;
		return;
	case POINT_BAD_JSON:
		s->bad_this = true;
		return;
	case POINT_BAD_SUM:
		s->bad_sum = s->protocol == PROTOCOL_BEDROCK;
		s->bad_this = !s->bad_sum;
		return;
	case POINT_BIG_EVENT:
		s->big_bytes = p->size;
		return;
	case POINT_NEW_ID:
		s->new_id = true;
		return;
	case POINT_UNKNOWN:
		send_unknown(s);
		return;
	case POINT_FILTER:
		s->filter = true;
		return;
	case POINT_ERROR:
		send_error(s);
		return;
	case POINT_CUT:
		mock_script_step(s->out, STEP_CUT);
		break;
	case POINT_END:
		mock_script_step(s->out, STEP_END);
		break;
	case POINT_RESET:
		mock_script_step(s->out, STEP_RESET);
		break;
	case POINT_BAD_CHUNK:
		mock_script_step(s->out, STEP_BAD_CHUNK);
		break;
	}
	s->over = true;
}

/* The points that come before content event number `at`. */
static void strike_at(struct mock_sse *s, uint32_t at)
{
	for (uint32_t i = 0; i < s->b->point_count && !s->over; i++)
		if (s->b->points[i].after == at)
			strike(s, &s->b->points[i]);
}

bool mock_sse_content(struct mock_sse *s)
{
	if (s->over)
		return false;
	if (buf_len(&s->out->bytes) > STREAM_BYTES_MAX) {
		mock_script_step(s->out, STEP_CUT);
		s->over = true;
		return false;
	}
	if (!s->waited)
		wait_first(s);
	else if (s->content_events)
		mock_script_wait(s->out, s->gap_ms);
	if (!s->over)
		strike_at(s, s->content_events);
	s->content_events++;
	return !s->over && !s->filter;
}

bool mock_sse_finish(struct mock_sse *s)
{
	if (s->over)
		return false;
	if (!s->waited)
		wait_first(s);
	for (uint32_t i = 0; i < s->b->point_count && !s->over && !s->filter; i++)
		if (s->b->points[i].after >= s->content_events)
			strike(s, &s->b->points[i]);
	return !s->over;
}

struct buf *mock_sse_begin(struct mock_sse *s, const char *type)
{
	struct buf *out = &s->out->bytes;

	mock_script_begin(s->out);
	s->type = type;
	if (s->protocol == PROTOCOL_BEDROCK)
		return out;
	if (type) {
		buf_puts(out, "event: ");
		buf_put(out, slice_of(type));
		buf_puts(out, "\n");
	}
	buf_puts(out, "data: ");
	return out;
}

/* Rewrites the event just written (with LF) in the odd style that is asked. */
static void restyle(struct mock_sse *s)
{
	struct buf *bytes = &s->out->bytes, *copy = &s->mock->styled;
	struct slice newline = s->b->crlf ? S("\r\n") : s->b->cr ? S("\r") : S("\n");
	struct slice data_word = s->b->no_space ? S("data:") : S("data: ");
	struct slice rest, line;

	buf_clear(copy);
	buf_put(copy, slice_from(buf_slice(bytes), s->out->open));
	buf_cut(bytes, s->out->open);
	rest = buf_slice(copy);
	if (s->b->blank_lines)
		buf_put(bytes, newline);
	while (slice_cut(rest, '\n', &line, &rest)) {
		if (!slice_starts(line, S("data: "))) {
			buf_put(bytes, line);
			buf_put(bytes, newline);
			continue;
		}
		line = slice_from(line, sizeof "data: " - 1);
		if (s->b->multi_data && line.len > 2 && line.at[0] == '{') {
			buf_put(bytes, data_word);
			buf_puts(bytes, "{");
			buf_put(bytes, newline);
			buf_put(bytes, data_word);
			buf_put(bytes, slice_sub(line, 1, line.len - 1));
			buf_put(bytes, newline);
			line = S("}");
		}
		buf_put(bytes, data_word);
		buf_put(bytes, line);
		buf_put(bytes, newline);
	}
	if (buf_len(copy) > 64 * 1024)
		buf_free(copy);
}

/* Puts what was written into a frame of AWS's binary stream. */
static void frame(struct mock_sse *s)
{
	struct buf *bytes = &s->out->bytes, *copy = &s->mock->styled;
	struct slice type = slice_of(s->type ? s->type : "unknown");
	bool exception = s->type && strcmp(s->type, EXCEPTION) == 0;
	struct eventstream_header headers[] = {
		{ S(":event-type"), type }, { S(":content-type"), S("application/json") },
		{ S(":message-type"), S("event") },
	};
	char name[64];

	if (exception) {
		snprintf(name, sizeof name, "%s", mock_bedrock_error_name((int)s->b->status));
		name[0] = (char)(name[0] | 0x20);
		headers[0] = (struct eventstream_header){ S(":exception-type"), slice_of(name) };
		headers[2].value = S("exception");
	}
	buf_clear(copy);
	buf_put(copy, slice_from(buf_slice(bytes), s->out->open));
	buf_cut(bytes, s->out->open);
	must(eventstream_write(bytes, headers, COUNT_OF(headers), buf_slice(copy)));
	if (s->bad_sum)
		bytes->bytes[bytes->end - 1] = (char)(bytes->bytes[bytes->end - 1] ^ 1);
	s->bad_sum = false;
	if (buf_len(copy) > 64 * 1024)
		buf_free(copy);
}

static void end_event(struct mock_sse *s)
{
	struct buf *bytes = &s->out->bytes;

	if (s->bad_this) {
		/* Without its last third the JSON is broken, but the event is whole. */
		buf_cut(bytes, buf_len(bytes) - (buf_len(bytes) - s->out->open) / 3);
		s->bad_this = false;
	}
	if (s->protocol == PROTOCOL_BEDROCK) {
		frame(s);
	} else {
		buf_puts(bytes, "\n\n");
		if (!s->plain)
			restyle(s);
	}
	if (s->cut_this)
		buf_cut(bytes, buf_len(bytes) - (buf_len(bytes) - s->out->open) / 2);
	mock_script_end(s->out);
}

void mock_sse_end(struct mock_sse *s)
{
	end_event(s);
	if (s->cut_this) {
		mock_script_step(s->out, STEP_CUT);
		s->over = true;
	}
}

void mock_sse_token(struct mock_sse *s, struct buf *out, struct slice token)
{
	if (!s->big_bytes) {
		json_write_string(out, token);
		return;
	}
	buf_puts(out, "\"");
	for (uint64_t i = 0; i < s->big_bytes; i += 16)
		buf_puts(out, "big event words ");
	buf_puts(out, "\"");
	s->big_bytes = 0;
}

void mock_sse_done(struct mock_sse *s)
{
	if (s->over)
		return;
	mock_sse_begin(s, NULL);
	buf_puts(&s->out->bytes, "[DONE]");
	end_event(s);
}
