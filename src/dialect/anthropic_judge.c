/* anthropic_judge.c: judging answers and streams that are passed on. */
#include "dialect/anthropic.h"

#include "base/check.h"
#include "dialect/openai.h"

/* ---- whole answers ------------------------------------------------------------------- */

static void take_error(const struct endpoint *endpoint, int status, const struct error_body *error,
		       struct answer_facts *out)
{
	out->fault = openai_fault_of_error(endpoint, status, error, out->retry_after_ms >= 0);
	out->message = error->message;
	out->type = error->type;
	out->code = error->code;
	out->param = error->param;
}

/* A message has content, which may be empty where there is a reason for its end. */
static void judge_message(struct arena *arena, const struct json_want *content, struct slice reason,
			  struct answer_facts *out)
{
	struct slice rest = content->value, first;

	out->finish_reason = canon_finish_word(anthropic_finish_of(reason));
	if (json_string(arena, reason).len == 0)
		out->finish_reason = SLICE_NONE;
	if (!content->found || content->type != JSON_ARRAY ||
	    (!json_next(&rest, NULL, &first) && json_is_nothing(reason)))
		out->fault = FAULT_BAD_ANSWER;
}

enum { TOP_TYPE, TOP_ERROR, TOP_CONTENT, TOP_STOP_REASON, TOP_USAGE, TOP_INPUT_TOKENS, TOP_WANTS };

static void judge_good_status(struct arena *arena, const struct endpoint *endpoint,
			      struct slice body, struct answer_facts *out)
{
	struct json_want wants[TOP_WANTS] = {
		[TOP_TYPE] = { .name = S("type") },
		[TOP_ERROR] = { .name = S("error") },
		[TOP_CONTENT] = { .name = S("content") },
		[TOP_STOP_REASON] = { .name = S("stop_reason") },
		[TOP_USAGE] = { .name = S("usage") },
		[TOP_INPUT_TOKENS] = { .name = S("input_tokens") },
	};
	enum json_result scanned = json_scan_object(body, wants, COUNT_OF(wants), NULL);
	struct error_body error;

	/* A 200 with an error in it (S19, S20). */
	if (scanned == JSON_NOT_OBJECT ||
	    (scanned == JSON_OK && (json_string_eq(wants[TOP_TYPE].value, S("error")) ||
				    error_body_is_error(wants[TOP_ERROR].value)))) {
		error_body_read(arena, body, &error);
		if (error.found) {
			take_error(endpoint, 0, &error, out);
			return;
		}
	}
	if (scanned != JSON_OK) {
		out->fault = FAULT_BAD_ANSWER;
		return;
	}
	anthropic_read_usage(wants[TOP_USAGE].value, &out->usage);
	if (endpoint->kind == ENDPOINT_CHAT)
		judge_message(arena, &wants[TOP_CONTENT], wants[TOP_STOP_REASON].value, out);
	else if (!wants[TOP_INPUT_TOKENS].found || wants[TOP_INPUT_TOKENS].type != JSON_NUMBER)
		out->fault = FAULT_BAD_ANSWER;
}

void anthropic_judge_answer(struct arena *arena, const struct endpoint *endpoint, int status,
			    const struct h1_head *head, struct slice body, int64_t wall_ms,
			    struct answer_facts *out)
{
	bool understood = endpoint->kind == ENDPOINT_CHAT || endpoint->kind == ENDPOINT_COUNT_TOKENS;
	struct error_body error;

	*out = (struct answer_facts){ .fault = FAULT_NONE, .retry_after_ms = -1 };
	if (status >= 200 && status <= 299) {
		if (understood)
			judge_good_status(arena, endpoint, body, out);
		else if (dialect_json_is_due(head) && json_validate(body, NULL) != JSON_OK)
			out->fault = FAULT_BAD_ANSWER;
		if (out->fault != FAULT_NONE)
			out->retry_after_ms = dialect_retry_hint_ms(head, body, wall_ms);
		return;
	}
	/* Redirects are never followed (S18). */
	if (status < 400) {
		out->fault = FAULT_BAD_ANSWER;
		return;
	}
	out->retry_after_ms = dialect_retry_hint_ms(head, body, wall_ms);
	if (head)
		out->no_retry = slice_eq_nocase(h1_get(head, S("x-should-retry")), S("false"));
	error_body_read(arena, body, &error);
	take_error(endpoint, status, &error, out);
}

/* ---- streams --------------------------------------------------------------------------- */

static void add_piece(struct event_facts *out, int call, struct slice name, struct slice raw)
{
	if (json_type_of(raw) != JSON_STRING || raw.len <= 2)
		return;
	if (out->piece_count == EVENT_PIECES_MAX) {
		out->pieces_lost = true;
		return;
	}
	out->pieces[out->piece_count++] = (struct event_piece){ 0, call, name, raw, false };
}

static void add_text(struct event_facts *out, int call, struct slice name, struct slice raw)
{
	if (json_type_of(raw) != JSON_STRING || raw.len <= 2)
		return;
	out->is |= EVENT_CONTENT;
	out->tokens++;
	add_piece(out, call, name, raw);
}

/* Content that cannot be remembered as a text. */
static void add_other(struct event_facts *out)
{
	out->is |= EVENT_CONTENT;
	out->tokens++;
	out->pieces_lost = true;
}

static int open_call(const struct stream_facts *so_far)
{
	return (int)so_far->private[ANTHROPIC_CALLS] - 1;
}

static enum anthropic_block open_kind(const struct stream_facts *so_far)
{
	return (enum anthropic_block)(so_far->private[ANTHROPIC_OPEN_BLOCK] & 0xff);
}

static void on_block_start(struct slice data, struct stream_facts *so_far, struct event_facts *out)
{
	struct slice block = json_member(data, S("content_block")), input = json_member(block, S("input"));
	enum anthropic_block kind = anthropic_block_of(json_member(block, S("type")));
	uint64_t *private = so_far->private;
	int64_t index;

	if (!json_i64(json_member(data, S("index")), &index) || index < 0 || index > INT32_MAX)
		index = (int64_t)private[ANTHROPIC_NEXT_BLOCK];
	if ((uint64_t)index >= private[ANTHROPIC_NEXT_BLOCK])
		private[ANTHROPIC_NEXT_BLOCK] = (uint64_t)index + 1;
	private[ANTHROPIC_OPEN_BLOCK] = (uint64_t)index << 8 | (uint64_t)kind;
	private[ANTHROPIC_SIGNED] = 0;
	switch (kind) {
	case ANTHROPIC_TEXT:
		add_text(out, EVENT_NO_CALL, S("content"), json_member(block, S("text")));
		break;
	case ANTHROPIC_THINKING:
		add_text(out, EVENT_NO_CALL, S("reasoning_content"), json_member(block, S("thinking")));
		break;
	case ANTHROPIC_TOOL_USE:
		private[ANTHROPIC_CALLS]++;
		so_far->tool_call_open = true;
		out->is |= EVENT_CONTENT;
		out->tokens++;
		add_piece(out, open_call(so_far), S("id"), json_member(block, S("id")));
		add_piece(out, open_call(so_far), S("name"), json_member(block, S("name")));
		if (json_type_of(input) == JSON_OBJECT && input.len > 2)
			out->pieces_lost = true;     /* arguments that are no text */
		break;
	case ANTHROPIC_OTHER:
		add_other(out);
		break;
	case ANTHROPIC_REDACTED: case ANTHROPIC_NO_BLOCK:
		break;
	}
}

static void on_block_delta(struct slice data, struct stream_facts *so_far, struct event_facts *out)
{
	struct slice delta = json_member(data, S("delta")), type = json_member(delta, S("type"));

	if (json_string_eq(type, S("text_delta"))) {
		add_text(out, EVENT_NO_CALL, S("content"), json_member(delta, S("text")));
	} else if (json_string_eq(type, S("thinking_delta"))) {
		add_text(out, EVENT_NO_CALL, S("reasoning_content"), json_member(delta, S("thinking")));
	} else if (json_string_eq(type, S("input_json_delta"))) {
		if (open_kind(so_far) == ANTHROPIC_TOOL_USE)
			add_text(out, open_call(so_far), S("arguments"), json_member(delta, S("partial_json")));
		else if (json_member(delta, S("partial_json")).len > 2)
			add_other(out);
	} else if (json_string_eq(type, S("signature_delta"))) {
		so_far->private[ANTHROPIC_SIGNED] = 1;
	} else if (!json_string_eq(type, S("citations_delta"))) {
		add_other(out);
	}
}

static void on_message_delta(struct arena *arena, struct slice data, struct stream_facts *so_far,
			     struct event_facts *out)
{
	struct slice reason = json_path(data, S("delta.stop_reason"));

	out->usage = so_far->usage;
	anthropic_read_usage(json_member(data, S("usage")), &out->usage);
	if (json_string(arena, reason).len == 0)
		return;
	out->is |= EVENT_FINISH;
	out->finished = 1;
	out->finish_reason = canon_finish_word(anthropic_finish_of(reason));
	so_far->tool_call_open = false;
}

static void set_error(struct arena *arena, const struct endpoint *endpoint, struct slice data,
		      struct event_facts *out)
{
	struct error_body error;

	out->is |= EVENT_ERROR;
	out->fault = anthropic_read_error(arena, endpoint, data, &error);
	out->message = error.message;
	out->type = error.type;
	out->code = error.code;
	out->param = error.param;
	out->retry_after_ms = dialect_retry_hint_ms(NULL, error.raw, 0);
}

static void set_broken(struct slice message, struct event_facts *out)
{
	out->is |= EVENT_BROKEN;
	out->fault = FAULT_BAD_ANSWER;
	out->message = message;
}

static void judge_kind(struct arena *arena, struct slice kind, struct slice data,
		       struct stream_facts *so_far, struct event_facts *out)
{
	if (slice_eq(kind, S("content_block_delta"))) {
		on_block_delta(data, so_far, out);
	} else if (slice_eq(kind, S("content_block_start"))) {
		on_block_start(data, so_far, out);
	} else if (slice_eq(kind, S("content_block_stop"))) {
		so_far->private[ANTHROPIC_OPEN_BLOCK] = 0;
		so_far->tool_call_open = false;
	} else if (slice_eq(kind, S("message_start"))) {
		if (so_far->content_seen)
			set_broken(S("the stream began a second message in the middle of the first"), out);
		anthropic_read_usage(json_path(data, S("message.usage")), &out->usage);
	} else if (slice_eq(kind, S("message_delta"))) {
		on_message_delta(arena, data, so_far, out);
	} else if (slice_eq(kind, S("message_stop"))) {
		out->is |= EVENT_DONE;
	}
	/* ping, and what the future brings: to be ignored (E29). */
}

static void bring_up_to_date(struct stream_facts *so_far, const struct event_facts *out)
{
	so_far->content_seen |= (out->is & EVENT_CONTENT) != 0;
	so_far->finish_seen |= (out->is & EVENT_FINISH) != 0;
	so_far->done_seen |= (out->is & EVENT_DONE) != 0;
	so_far->error_seen |= (out->is & (EVENT_ERROR | EVENT_BROKEN)) != 0;
	if (out->usage.known)
		so_far->usage = out->usage;
	so_far->events++;
}

void anthropic_judge_event(struct arena *arena, const struct endpoint *endpoint, struct slice type,
			   struct slice data, struct stream_facts *so_far, struct event_facts *out)
{
	struct slice kind;

	*out = (struct event_facts){ .retry_after_ms = -1 };
	data = slice_trim(data);
	/* What follows the end is nobody's (E15); comments have no data. */
	if (so_far->done_seen || data.len == 0 || endpoint->kind != ENDPOINT_CHAT) {
		so_far->events++;
		return;
	}
	if (json_validate(data, NULL) != JSON_OK) {
		if (slice_eq(type, S("error")))
			set_error(arena, endpoint, data, out);
		else
			set_broken(S("an event of the stream is not valid JSON"), out);
	} else {
		kind = json_string(arena, json_member(data, S("type")));
		if (slice_eq(kind, S("error")) || slice_eq(type, S("error")) ||
		    (kind.len == 0 && error_body_is_error(json_member(data, S("error")))))
			set_error(arena, endpoint, data, out);
		else
			judge_kind(arena, kind, data, so_far, out);
	}
	bring_up_to_date(so_far, out);
}

enum fault anthropic_judge_end(const struct endpoint *endpoint, const struct stream_facts *so_far)
{
	if (endpoint->kind != ENDPOINT_CHAT || (so_far->finish_seen && !so_far->error_seen))
		return FAULT_NONE;
	/* E13: the end is told, only why is not. */
	if (so_far->done_seen && so_far->content_seen && !so_far->error_seen)
		return FAULT_NONE;
	return so_far->content_seen ? FAULT_CUT : FAULT_BAD_ANSWER;
}

void anthropic_write_end(const struct endpoint *endpoint, const struct stream_facts *so_far,
			 struct buf *out)
{
	uint64_t open = so_far->private[ANTHROPIC_OPEN_BLOCK];

	if (endpoint->kind != ENDPOINT_CHAT || so_far->done_seen)
		return;
	if (open)
		buf_putf(out, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\","
			 "\"index\":%llu}\n\n", (unsigned long long)(open >> 8));
	buf_puts(out, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}
