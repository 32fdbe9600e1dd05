/* judge.c: is this answer whole, or honestly an error? */
#include "sim/judge.h"

#include "wire/json.h"

#include <stdarg.h>
#include <stdio.h>

void judge_violation(struct sim_answer *a, const char *format, ...)
{
	va_list args;

	if (a->violation[0])
		return;
	va_start(args, format);
	vsnprintf(a->violation, sizeof a->violation, format, args);
	va_end(args);
}

static void copy_word(char *out, size_t out_size, struct slice raw)
{
	struct arena *arena = arena_create(0);
	struct slice s = json_string(arena, raw);

	snprintf(out, out_size, "%.*s", SLICE_ARG(s));
	arena_free(arena);
}

static void add_text(struct sim_answer *a, struct slice raw, mono_ms now)
{
	struct arena *arena;
	struct slice s;

	if (json_is_nothing(raw))
		return;
	arena = arena_create(0);
	s = json_string(arena, raw);
	if (s.len && a->text_at == MONO_NEVER)
		a->text_at = now;
	buf_put(&a->text, s);
	arena_free(arena);
}

/* Numbers and the like are words too where an answer consists of them. */
static void add_raw(struct sim_answer *a, struct slice raw, mono_ms now)
{
	if (json_is_nothing(raw))
		return;
	a->text_at = now;
	buf_put(&a->text, raw);
}

static void see_error(struct sim_answer *a, struct slice error)
{
	a->error_events++;
	if (a->error_events > 1)
		judge_violation(a, "a second error event");
	copy_word(a->error_code, sizeof a->error_code, json_member(error, S("code")));
	copy_word(a->error_type, sizeof a->error_type, json_member(error, S("type")));
	if (!a->error_code[0] && a->message_begun)        /* Anthropic's have a type only */
		copy_word(a->error_code, sizeof a->error_code, json_member(error, S("type")));
}

static void see_id(struct sim_answer *a, struct slice id);

/* The index of a block's event must be that of the last one begun. */
static void see_block(struct sim_answer *a, struct slice data, bool begins)
{
	int64_t index = -1;

	if (!json_i64(json_member(data, S("index")), &index))
		judge_violation(a, "event %u of a block has no index", a->events);
	if (begins ? index != a->blocks || a->block_open : !a->block_open || index != a->blocks - 1)
		judge_violation(a, "event %u is of block %d, with %u begun and %s open", a->events, (int)index,
				a->blocks, a->block_open ? "one" : "none");
}

static void see_message_end(struct sim_answer *a, struct slice data)
{
	struct slice reason = json_path(data, S("delta.stop_reason"));

	if (a->block_open)
		judge_violation(a, "the message ends in the middle of a block");
	if (!json_is_nothing(reason))
		copy_word(a->finish_reason, sizeof a->finish_reason, reason);
	json_i64(json_path(data, S("usage.input_tokens")), &a->input_tokens);
	json_i64(json_path(data, S("usage.output_tokens")), &a->output_tokens);
}

/* Anthropic's: one message, its blocks one after another, each begun and ended. */
static void judge_message_event(struct sim_answer *a, struct slice data, struct slice type, mono_ms now)
{
	bool begins = json_string_eq(type, S("content_block_start"));
	bool ends = json_string_eq(type, S("content_block_stop"));
	bool grows = json_string_eq(type, S("content_block_delta"));

	if (json_string_eq(type, S("message_start"))) {
		if (a->message_begun)
			judge_violation(a, "event %u begins a second message", a->events);
		a->message_begun = true;
		see_id(a, json_path(data, S("message.id")));
		json_i64(json_path(data, S("message.usage.input_tokens")), &a->input_tokens);
	} else if (!a->message_begun && !json_string_eq(type, S("ping"))) {
		judge_violation(a, "event %u comes before the message begins", a->events);
	}
	if (begins || ends || grows)
		see_block(a, data, begins);
	a->blocks += begins;
	a->block_open = begins || (a->block_open && !ends);
	if (grows)
		add_text(a, json_path(data, S("delta.text")), now);
	if (grows)
		add_text(a, json_path(data, S("delta.partial_json")), now);
	if (json_string_eq(type, S("message_delta")))
		see_message_end(a, data);
	a->done |= json_string_eq(type, S("message_stop"));
}

/* The events of /v1/responses name themselves. */
static void judge_response_event(struct sim_answer *a, struct slice data, struct slice type,
				 mono_ms now)
{
	if (json_string_eq(type, S("response.output_text.delta")))
		add_text(a, json_member(data, S("delta")), now);
	else if (json_string_eq(type, S("response.failed")))
		see_error(a, json_path(data, S("response.error")));
	else if (json_string_eq(type, S("error")))
		see_error(a, data);
	if (json_string_eq(type, S("response.completed")) ||
	    json_string_eq(type, S("response.incomplete"))) {
		a->done = true;
		snprintf(a->finish_reason, sizeof a->finish_reason, "%s", "completed");
	}
}

static void see_usage(struct sim_answer *a, struct slice usage)
{
	if (json_is_nothing(usage))
		return;
	json_i64(json_member(usage, S("prompt_tokens")), &a->input_tokens);
	json_i64(json_member(usage, S("completion_tokens")), &a->output_tokens);
}

/* One answer has one id, whoever had a part in it. Azure's first chunk has none. */
static void see_id(struct sim_answer *a, struct slice id)
{
	char text[sizeof a->id];

	if (id.len <= 2)
		return;
	snprintf(text, sizeof text, "%.*s", SLICE_ARG(id));
	if (!a->id[0])
		snprintf(a->id, sizeof a->id, "%s", text);
	else if (!slice_eq(slice_of(a->id), slice_of(text)))
		judge_violation(a, "event %u has another id: %s after %s", a->events, text, a->id);
}

static void judge_chunk(struct sim_answer *a, struct slice data, mono_ms now)
{
	struct slice reason = json_path(data, S("choices.0.finish_reason"));
	int64_t index;

	see_usage(a, json_member(data, S("usage")));
	see_id(a, json_member(data, S("id")));
	/* Of several answers the first one is read. */
	if (json_i64(json_path(data, S("choices.0.index")), &index) && index != 0)
		return;
	if (a->text_at != MONO_NEVER && json_path(data, S("choices.0.delta.role")).len)
		judge_violation(a, "event %u tells the role behind the first words", a->events);
	add_text(a, json_path(data, S("choices.0.delta.content")), now);
	add_text(a, json_path(data, S("choices.0.delta.tool_calls.0.function.arguments")), now);
	add_text(a, json_path(data, S("choices.0.text")), now);
	if (!json_is_nothing(reason))
		copy_word(a->finish_reason, sizeof a->finish_reason, reason);
}

void judge_event(struct sim_answer *a, const struct sse_event *ev, mono_ms now)
{
	struct slice error, type;
	bool messages;

	if (ev->has_comment)
		buf_put(&a->comments, ev->raw);
	if (!ev->has_data)
		return;
	a->events++;
	if (a->done)
		judge_violation(a, "an event follows the end of the stream");
	if (a->error_events)
		judge_violation(a, "an event follows the error event");
	if (slice_eq(ev->data, S("[DONE]"))) {
		a->done = true;
		return;
	}
	if (json_validate(ev->data, NULL) != JSON_OK) {
		judge_violation(a, "event %u is not JSON", a->events);
		return;
	}
	error = json_member(ev->data, S("error"));
	type = json_member(ev->data, S("type"));
	messages = slice_starts(type, S("\"message_")) || slice_starts(type, S("\"content_block_")) ||
		   json_string_eq(type, S("ping"));
	/* Of the typed errors those of /v1/responses are flat, and numbered. */
	if (!json_is_nothing(error) &&
	    (json_is_nothing(type) || json_is_nothing(json_member(ev->data, S("sequence_number")))))
		see_error(a, error);
	else if (messages)
		judge_message_event(a, ev->data, type, now);
	else if (!json_is_nothing(type))
		judge_response_event(a, ev->data, type, now);
	else
		judge_chunk(a, ev->data, now);
}

static void judge_stream_end(struct sim_answer *a)
{
	if (a->error_events) {
		a->end = ANSWER_ERROR;
		return;
	}
	a->end = ANSWER_COMPLETE;
	if (!a->done)
		judge_violation(a, "the stream ended cleanly without saying that it is done");
}

static void judge_error_body(struct sim_answer *a)
{
	struct slice body = buf_slice(&a->body);
	struct slice error = SLICE_NONE;

	a->end = ANSWER_ERROR;
	if (a->to_head)
		return;
	if (json_validate(body, NULL) == JSON_OK)
		error = json_member(body, S("error"));
	if (json_is_nothing(error) || json_type_of(json_member(error, S("message"))) != JSON_STRING) {
		judge_violation(a, "status %d without an error in OpenAI's shape", a->status);
		return;
	}
	copy_word(a->error_code, sizeof a->error_code, json_member(error, S("code")));
	copy_word(a->error_type, sizeof a->error_type, json_member(error, S("type")));
}

static void judge_whole(struct sim_answer *a, struct slice content_type, mono_ms now)
{
	struct slice body = buf_slice(&a->body), reason;

	a->end = ANSWER_COMPLETE;
	a->done = true;
	if (a->to_head || !slice_starts_nocase(content_type, S("application/json")))
		return;
	if (json_validate(body, NULL) != JSON_OK) {
		judge_violation(a, "a 200 with a body that is not JSON");
		return;
	}
	if (!json_is_nothing(json_member(body, S("error"))))
		judge_violation(a, "a 200 with an error inside");
	reason = json_path(body, S("choices.0.finish_reason"));
	add_text(a, json_path(body, S("choices.0.message.content")), now);
	add_text(a, json_path(body, S("choices.0.message.tool_calls.0.function.arguments")), now);
	add_text(a, json_path(body, S("choices.0.text")), now);
	add_text(a, json_path(body, S("output.0.content.0.text")), now);
	add_text(a, json_path(body, S("content.0.text")), now);
	if (json_is_nothing(reason))
		reason = json_member(body, S("stop_reason"));
	add_raw(a, json_path(body, S("data.0.embedding")), now);
	add_raw(a, json_member(body, S("results")), now);
	if (!json_is_nothing(reason))
		copy_word(a->finish_reason, sizeof a->finish_reason, reason);
}

void judge_clean_end(struct sim_answer *a, struct slice content_type, mono_ms now)
{
	if (a->status >= 400)
		judge_error_body(a);
	else if (a->is_stream)
		judge_stream_end(a);
	else
		judge_whole(a, content_type, now);
	a->ended_at = now;
}
