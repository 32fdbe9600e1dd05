/* openai_event.c: judging streams, event by event. Runs once a token, so the
 * common chunk is scanned three times at most (itself, its choice, its delta)
 * and nothing is built. */
#include "dialect/openai.h"

#include "base/check.h"
#include "dialect/usage.h"
#include "wire/json.h"

#define CHOICE_BIT_MAX 63

static void set_error(const struct endpoint *endpoint, const struct error_body *error,
		      struct event_facts *out)
{
	/* Inside a stream the hint can only stand in the error itself; the clock
	 * is of no use, since no date stands there. */
	out->retry_after_ms = dialect_retry_hint_ms(NULL, error->raw, 0);
	out->is |= EVENT_ERROR;
	out->fault = openai_fault_of_error(endpoint, 0, error, out->retry_after_ms >= 0);
	out->message = error->message;
	out->type = error->type;
	out->code = error->code;
	out->param = error->param;
}

/* The value of an "error" member. True if it tells of an error. */
static bool judge_error_value(struct arena *arena, const struct endpoint *endpoint,
			      struct slice raw, struct event_facts *out)
{
	struct error_body error;

	if (!error_body_is_error(raw))
		return false;
	error_body_read_value(arena, raw, &error);
	set_error(endpoint, &error, out);
	return true;
}

/* A whole event that is an error, in whatever shape. */
static bool judge_error_document(struct arena *arena, const struct endpoint *endpoint,
				 struct slice data, struct event_facts *out)
{
	struct error_body error;

	error_body_read(arena, data, &error);
	if (!error.found)
		return false;
	set_error(endpoint, &error, out);
	return true;
}

static void set_broken(struct slice message, struct event_facts *out)
{
	out->is |= EVENT_BROKEN;
	out->fault = FAULT_BAD_ANSWER;
	out->message = message;
}

/* A raw value with something in it: not null, "", [], {} or false. */
static inline bool has_something(const struct json_want *want)
{
	return want->found && want->type != JSON_NULL && want->type != JSON_FALSE &&
	       (want->value.len > 2 || want->type == JSON_NUMBER);
}

/* ---- chat and completions --------------------------------------------------------- */

/* What carries content in a delta: OpenAI's own; reasoning_content (DeepSeek,
 * xAI, Moonshot, Alibaba), reasoning (Groq, OpenRouter, vLLM) and its details;
 * images (OpenRouter). Tool calls stand first. */
enum { DELTA_TOOL_CALLS, DELTA_FUNCTION_CALL, DELTA_CONTENT, DELTA_REASONING_CONTENT,
       DELTA_REASONING, DELTA_REASONING_DETAILS, DELTA_REFUSAL, DELTA_AUDIO, DELTA_IMAGES,
       DELTA_WANTS };

static void add_piece(struct event_facts *out, unsigned choice, int call, struct slice name,
		      struct slice raw)
{
	if (out->piece_count == EVENT_PIECES_MAX) {
		out->pieces_lost = true;
		return;
	}
	out->pieces[out->piece_count++] = (struct event_piece){ choice, call, name, raw };
}

static void add_string(struct event_facts *out, unsigned choice, int call, struct slice name,
		       struct slice raw)
{
	if (json_is_nothing(raw))
		return;
	if (json_type_of(raw) == JSON_STRING && raw.len > 2)
		add_piece(out, choice, call, name, raw);
	else if (json_type_of(raw) != JSON_STRING)
		out->pieces_lost = true;
}

static void add_calls(struct slice calls, unsigned choice, struct event_facts *out)
{
	struct slice call;
	int64_t position = 0;

	while (json_next(&calls, NULL, &call)) {
		struct slice function = json_member(call, S("function"));
		int64_t index = position++;

		if (!json_i64(json_member(call, S("index")), &index))
			index = position - 1;
		if (index < 0 || index > INT16_MAX || json_is_nothing(function)) {
			out->pieces_lost = true;
			return;
		}
		add_string(out, choice, (int)index, S("id"), json_member(call, S("id")));
		add_string(out, choice, (int)index, S("name"), json_member(function, S("name")));
		add_string(out, choice, (int)index, S("arguments"),
			   json_member(function, S("arguments")));
	}
}

/* The pieces of a delta's content. */
static void add_delta(const struct json_want *wants, unsigned choice, struct event_facts *out)
{
	static const unsigned texts[] = {
		DELTA_CONTENT, DELTA_REASONING_CONTENT, DELTA_REASONING, DELTA_REFUSAL,
	};

	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (has_something(&wants[texts[i]]))
			add_string(out, choice, EVENT_NO_CALL, wants[texts[i]].name,
				   wants[texts[i]].value);
	if (has_something(&wants[DELTA_TOOL_CALLS]))
		add_calls(wants[DELTA_TOOL_CALLS].value, choice, out);
	if (has_something(&wants[DELTA_FUNCTION_CALL]) || has_something(&wants[DELTA_AUDIO]) ||
	    has_something(&wants[DELTA_IMAGES]) || has_something(&wants[DELTA_REASONING_DETAILS]))
		out->pieces_lost = true;
}

static bool judge_delta(struct slice delta, unsigned choice, struct stream_facts *so_far,
			struct event_facts *out)
{
	struct json_want wants[DELTA_WANTS] = {
		[DELTA_TOOL_CALLS] = { .name = S("tool_calls") },
		[DELTA_FUNCTION_CALL] = { .name = S("function_call") },
		[DELTA_CONTENT] = { .name = S("content") },
		[DELTA_REASONING_CONTENT] = { .name = S("reasoning_content") },
		[DELTA_REASONING] = { .name = S("reasoning") },
		[DELTA_REASONING_DETAILS] = { .name = S("reasoning_details") },
		[DELTA_REFUSAL] = { .name = S("refusal") },
		[DELTA_AUDIO] = { .name = S("audio") },
		[DELTA_IMAGES] = { .name = S("images") },
	};
	bool content = false;

	if (json_scan_object(delta, wants, COUNT_OF(wants), NULL) != JSON_OK)
		return false;
	for (size_t i = 0; i < COUNT_OF(wants); i++)
		content |= has_something(&wants[i]);
	if (has_something(&wants[DELTA_TOOL_CALLS]) || has_something(&wants[DELTA_FUNCTION_CALL]))
		so_far->tool_call_open = true;
	if (content)
		add_delta(wants, choice, out);
	return content;
}

enum { CHOICE_INDEX, CHOICE_DELTA, CHOICE_FINISH, CHOICE_TEXT, CHOICE_MESSAGE, CHOICE_ERROR,
       CHOICE_USAGE, CHOICE_WANTS };

static void judge_finish(struct arena *arena, struct slice raw, uint64_t bit,
			 struct stream_facts *so_far, struct event_facts *out)
{
	struct slice reason = json_string(arena, raw);
	enum fault fault = openai_fault_of_finish(reason);

	if (reason.len == 0)
		return;
	if (fault != FAULT_NONE) {
		out->is |= EVENT_ERROR;
		out->fault = fault;
		out->code = reason;
		return;
	}
	so_far->private[OPENAI_CHOICES_FINISHED] |= bit;
	out->finished |= bit;
	so_far->tool_call_open = false;
	if (out->finish_reason.len == 0)
		out->finish_reason = reason;
}

static const struct slice choice_members[CHOICE_WANTS] = {
	[CHOICE_INDEX] = S_INIT("index"),
	[CHOICE_DELTA] = S_INIT("delta"),
	[CHOICE_FINISH] = S_INIT("finish_reason"),
	[CHOICE_TEXT] = S_INIT("text"),
	[CHOICE_MESSAGE] = S_INIT("message"),
	[CHOICE_ERROR] = S_INIT("error"),
	[CHOICE_USAGE] = S_INIT("usage"),
};

static enum json_result scan_choice(struct slice choice, struct json_want *wants)
{
	for (size_t i = 0; i < CHOICE_WANTS; i++)
		wants[i].name = choice_members[i];
	return json_scan_object(choice, wants, CHOICE_WANTS, NULL);
}

static void judge_choice(struct arena *arena, const struct endpoint *endpoint,
			 const struct json_want *wants, int64_t position,
			 struct stream_facts *so_far, struct event_facts *out)
{
	const struct json_want *delta = &wants[CHOICE_DELTA];
	int64_t index = position;
	uint64_t bit;
	bool content;

	if (wants[CHOICE_INDEX].found && !json_i64(wants[CHOICE_INDEX].value, &index))
		index = position;
	if (index < 0 || index > CHOICE_BIT_MAX)
		index = CHOICE_BIT_MAX;
	bit = UINT64_C(1) << index;
	so_far->private[OPENAI_CHOICES_SEEN] |= bit;

	if (!delta->found || delta->type != JSON_OBJECT)
		delta = &wants[CHOICE_MESSAGE];          /* a whole message as the only chunk */
	content = has_something(&wants[CHOICE_TEXT]);
	if (content)
		add_string(out, (unsigned)index, EVENT_NO_CALL, S("text"), wants[CHOICE_TEXT].value);
	if (delta->found && delta->type == JSON_OBJECT &&
	    judge_delta(delta->value, (unsigned)index, so_far, out))
		content = true;
	if (content) {
		out->is |= EVENT_CONTENT;
		out->tokens++;
	}
	if (wants[CHOICE_USAGE].found)                   /* Moonshot */
		usage_read(wants[CHOICE_USAGE].value, &out->usage);
	if (wants[CHOICE_FINISH].found && wants[CHOICE_FINISH].type == JSON_STRING)
		judge_finish(arena, wants[CHOICE_FINISH].value, bit, so_far, out);
	judge_error_value(arena, endpoint, wants[CHOICE_ERROR].value, out);
}

static void judge_choices(struct arena *arena, const struct endpoint *endpoint, struct slice choices,
			  struct stream_facts *so_far, struct event_facts *out)
{
	struct json_want wants[CHOICE_WANTS];
	struct slice only = slice_trim(slice_sub(choices, 1, choices.len - 1)), choice;
	int64_t position = 0;

	if (only.len == 0)
		return;
	/* Nearly always there is one, and no need to look for where it ends. */
	if (scan_choice(only, wants) == JSON_OK) {
		judge_choice(arena, endpoint, wants, 0, so_far, out);
		return;
	}
	while (json_next(&choices, NULL, &choice)) {
		if (scan_choice(choice, wants) == JSON_OK)
			judge_choice(arena, endpoint, wants, position++, so_far, out);
		else
			set_broken(S("a choice of the stream is no object, or has a member twice"), out);
	}
}

enum { CHUNK_CHOICES, CHUNK_OBJECT, CHUNK_USAGE, CHUNK_ERROR, CHUNK_X_GROQ, CHUNK_MESSAGE,
       CHUNK_DETAIL, CHUNK_WANTS };

static void judge_chunk_members(struct arena *arena, const struct endpoint *endpoint,
				struct slice data, const struct json_want *wants,
				struct stream_facts *so_far, struct event_facts *out)
{
	if (has_something(&wants[CHUNK_USAGE]))
		usage_read(wants[CHUNK_USAGE].value, &out->usage);
	if (wants[CHUNK_X_GROQ].found) {
		usage_read(json_member(wants[CHUNK_X_GROQ].value, S("usage")), &out->usage);
		judge_error_value(arena, endpoint,
				  json_member(wants[CHUNK_X_GROQ].value, S("error")), out);
	}
	if (wants[CHUNK_CHOICES].type == JSON_ARRAY)
		judge_choices(arena, endpoint, wants[CHUNK_CHOICES].value, so_far, out);
	/* An error beside choices is an error (E05). */
	if (judge_error_value(arena, endpoint, wants[CHUNK_ERROR].value, out))
		return;
	if (wants[CHUNK_OBJECT].found ? json_string_eq(wants[CHUNK_OBJECT].value, S("error"))
				      : !wants[CHUNK_CHOICES].found &&
					(has_something(&wants[CHUNK_MESSAGE]) ||
					 has_something(&wants[CHUNK_DETAIL])))
		judge_error_document(arena, endpoint, data, out);
}

static void judge_chunk(struct arena *arena, const struct endpoint *endpoint, struct slice type,
			struct slice data, struct stream_facts *so_far, struct event_facts *out)
{
	struct json_want wants[CHUNK_WANTS] = {
		[CHUNK_CHOICES] = { .name = S("choices") },
		[CHUNK_OBJECT] = { .name = S("object") },
		[CHUNK_USAGE] = { .name = S("usage") },
		[CHUNK_ERROR] = { .name = S("error") },
		[CHUNK_X_GROQ] = { .name = S("x_groq") },
		[CHUNK_MESSAGE] = { .name = S("message") },
		[CHUNK_DETAIL] = { .name = S("detail") },
	};
	enum json_result r = json_scan_object(data, wants, COUNT_OF(wants), NULL);

	if (r == JSON_OK) {
		judge_chunk_members(arena, endpoint, data, wants, so_far, out);
		return;
	}
	if (r == JSON_NOT_OBJECT && json_type_of(data) == JSON_ARRAY &&
	    judge_error_document(arena, endpoint, data, out))
		return;
	/* Only an event that should be a chunk can be a broken one (E29, E33). */
	if (type.len == 0 || slice_eq(type, S("message")))
		set_broken(S("an event of the stream is not valid JSON"), out);
}

/* ---- responses ------------------------------------------------------------------------ */

enum { RESPONSE_TYPE, RESPONSE_DELTA, RESPONSE_ITEM, RESPONSE_RESPONSE, RESPONSE_ERROR,
       RESPONSE_SEQUENCE, RESPONSE_TEXT, RESPONSE_ARGUMENTS, RESPONSE_REFUSAL, RESPONSE_WANTS };

/* An item that begins: a message or a reasoning begins empty; a call says
 * already what the model wants. */
static bool item_has_content(struct slice item, bool done)
{
	struct slice type = json_member(item, S("type"));

	if (json_string_eq(type, S("mcp_list_tools")))
		return false;
	return done || !(json_string_eq(type, S("message")) || json_string_eq(type, S("reasoning")));
}

static bool is_call(struct slice item)
{
	struct slice type = json_member(item, S("type"));

	return json_string_eq(type, S("function_call")) ||
	       json_string_eq(type, S("custom_tool_call"));
}

static void judge_item(struct slice item, bool done, struct stream_facts *so_far,
		       struct event_facts *out)
{
	if (item_has_content(item, done)) {
		out->is |= EVENT_CONTENT;
		out->tokens++;
	}
	if (is_call(item))
		so_far->tool_call_open = !done;
}

/* response.completed, .incomplete, .failed: the whole response comes with it. */
static void judge_response_end(struct arena *arena, const struct endpoint *endpoint,
			       struct slice kind, struct slice response,
			       struct stream_facts *so_far, struct event_facts *out)
{
	struct slice output = json_member(response, S("output")), item;

	usage_read(json_member(response, S("usage")), &out->usage);
	if (slice_eq(kind, S("failed")) || slice_eq(kind, S("cancelled"))) {
		struct error_body error = { .type = S(""), .code = S(""), .param = S("") };
		struct slice raw = json_member(response, S("error"));

		out->is |= EVENT_DONE;
		if (error_body_is_error(raw))
			error_body_read_value(arena, raw, &error);
		set_error(endpoint, &error, out);
		return;
	}
	out->is |= EVENT_FINISH | EVENT_DONE;
	out->finish_reason = kind;
	if (slice_eq(kind, S("incomplete")))
		out->finish_reason = json_string(arena,
			json_path(response, S("incomplete_details.reason")));
	so_far->tool_call_open = false;
	/* Some servers send nothing before it. */
	if (!so_far->content_seen && json_type_of(output) == JSON_ARRAY &&
	    json_next(&output, NULL, &item)) {
		out->is |= EVENT_CONTENT;
		out->tokens++;
	}
}

static void judge_response_kind(struct arena *arena, const struct endpoint *endpoint,
				struct slice kind, const struct json_want *wants,
				struct stream_facts *so_far, struct event_facts *out)
{
	if (slice_ends(kind, S(".delta"))) {
		if (has_something(&wants[RESPONSE_DELTA])) {
			out->is |= EVENT_CONTENT;
			out->tokens++;
		}
	} else if (slice_eq(kind, S("output_item.added")) || slice_eq(kind, S("output_item.done"))) {
		judge_item(wants[RESPONSE_ITEM].value, slice_ends(kind, S("done")), so_far, out);
	} else if (slice_eq(kind, S("completed")) || slice_eq(kind, S("incomplete")) ||
		   slice_eq(kind, S("failed")) || slice_eq(kind, S("cancelled"))) {
		judge_response_end(arena, endpoint, kind, wants[RESPONSE_RESPONSE].value, so_far, out);
	} else if (slice_ends(kind, S(".done")) &&
		   (has_something(&wants[RESPONSE_TEXT]) || has_something(&wants[RESPONSE_ARGUMENTS]) ||
		    has_something(&wants[RESPONSE_REFUSAL]))) {
		out->is |= EVENT_CONTENT;                /* the whole; counts no token twice */
	}
}

static void judge_response_event(struct arena *arena, const struct endpoint *endpoint,
				 struct slice type, struct slice data, struct stream_facts *so_far,
				 struct event_facts *out)
{
	struct json_want wants[RESPONSE_WANTS] = {
		[RESPONSE_TYPE] = { .name = S("type") },
		[RESPONSE_DELTA] = { .name = S("delta") },
		[RESPONSE_ITEM] = { .name = S("item") },
		[RESPONSE_RESPONSE] = { .name = S("response") },
		[RESPONSE_ERROR] = { .name = S("error") },
		[RESPONSE_SEQUENCE] = { .name = S("sequence_number") },
		[RESPONSE_TEXT] = { .name = S("text") },
		[RESPONSE_ARGUMENTS] = { .name = S("arguments") },
		[RESPONSE_REFUSAL] = { .name = S("refusal") },
	};
	const struct slice prefix = S("response.");
	enum json_result r = json_scan_object(data, wants, COUNT_OF(wants), NULL);
	int64_t sequence;

	if (r != JSON_OK) {
		if (r == JSON_NOT_OBJECT && judge_error_document(arena, endpoint, data, out))
			return;
		if (type.len == 0 || slice_eq(type, S("message")) || slice_starts(type, prefix))
			set_broken(S("an event of the stream is not valid JSON"), out);
		return;
	}
	if (json_i64(wants[RESPONSE_SEQUENCE].value, &sequence) && sequence >= 0)
		so_far->private[OPENAI_NEXT_SEQUENCE] = (uint64_t)sequence + 1;
	if (wants[RESPONSE_TYPE].found)
		type = json_string(arena, wants[RESPONSE_TYPE].value);
	if (judge_error_value(arena, endpoint, wants[RESPONSE_ERROR].value, out))
		return;
	if (slice_eq(type, S("error")) || !slice_starts(type, prefix)) {
		/* No type at all: an error in one of its other shapes. */
		if (type.len == 0 || slice_eq(type, S("error")))
			judge_error_document(arena, endpoint, data, out);
		return;
	}
	judge_response_kind(arena, endpoint, slice_from(type, prefix.len), wants, so_far, out);
}

/* ---- streams that are passed ------------------------------------------------------------ */

/* Transcripts, partial images, stored responses: all that is known is what an
 * error looks like. */
static void judge_passed(struct arena *arena, const struct endpoint *endpoint, struct slice data,
			 struct event_facts *out)
{
	struct json_want error = { .name = S("error") };

	out->is |= EVENT_CONTENT;
	if (json_scan_object(data, &error, 1, NULL) == JSON_OK)
		judge_error_value(arena, endpoint, error.value, out);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void bring_up_to_date(struct stream_facts *so_far, struct event_facts *out)
{
	uint64_t seen = so_far->private[OPENAI_CHOICES_SEEN];
	uint64_t finished = so_far->private[OPENAI_CHOICES_FINISHED];

	/* With several choices the answer is complete when each is. */
	if (seen) {
		so_far->finish_seen = (seen & ~finished) == 0;
		if (so_far->finish_seen && out->finish_reason.len)
			out->is |= EVENT_FINISH;
	} else if (out->is & EVENT_FINISH) {
		so_far->finish_seen = true;
	}
	if (out->is & (EVENT_ERROR | EVENT_BROKEN)) {
		so_far->error_seen = true;
		out->is &= ~(unsigned)EVENT_FINISH;
	}
	if (out->is & EVENT_CONTENT)
		so_far->content_seen = true;
	if (out->is & EVENT_DONE)
		so_far->done_seen = true;
	if (out->usage.known)
		so_far->usage = out->usage;
	so_far->events++;
}

void openai_judge_event(struct arena *arena, const struct endpoint *endpoint, struct slice type,
			struct slice data, struct stream_facts *so_far, struct event_facts *out)
{
	*out = (struct event_facts){ .retry_after_ms = -1 };
	data = slice_trim(data);
	/* What follows the end is nobody's (E15); comments have no data. */
	if (so_far->done_seen || data.len == 0) {
		so_far->events++;
		return;
	}
	if (slice_starts(data, S("[DONE]"))) {
		out->is = EVENT_DONE;
	} else if (slice_eq(type, S("error"))) {
		if (!judge_error_document(arena, endpoint, data, out)) {
			struct error_body error = { .message = data, .type = S(""), .code = S(""),
						    .param = S("") };

			set_error(endpoint, &error, out);
		}
	} else if (endpoint->kind == ENDPOINT_RESPONSES) {
		judge_response_event(arena, endpoint, type, data, so_far, out);
	} else if (openai_is_llm(endpoint)) {
		judge_chunk(arena, endpoint, type, data, so_far, out);
	} else {
		judge_passed(arena, endpoint, data, out);
	}
	/* Only what chunks say is taken apart into pieces. */
	if (endpoint->kind != ENDPOINT_CHAT && endpoint->kind != ENDPOINT_COMPLETIONS)
		out->pieces_lost = (out->is & EVENT_CONTENT) != 0;
	bring_up_to_date(so_far, out);
}

enum fault openai_judge_end(const struct endpoint *endpoint, const struct stream_facts *so_far)
{
	enum fault lost = so_far->content_seen ? FAULT_CUT : FAULT_BAD_ANSWER;

	if (so_far->error_seen)
		return lost;
	switch (endpoint->kind) {
	case ENDPOINT_CHAT:
	case ENDPOINT_COMPLETIONS:
	case ENDPOINT_EMBEDDINGS:
		if (so_far->finish_seen)
			return FAULT_NONE;           /* E12 */
		/* E13: real providers leave the reason out, not the content. */
		return so_far->done_seen && so_far->content_seen ? FAULT_NONE : lost;
	case ENDPOINT_RESPONSES:
		/* [DONE] is no end here: the client wants the response itself. */
		return so_far->finish_seen ? FAULT_NONE : lost;
	case ENDPOINT_COUNT_TOKENS: case ENDPOINT_PASS:
	case ENDPOINT_MODELS:
		break;
	}
	return FAULT_NONE;
}

void openai_write_end(const struct endpoint *endpoint, const struct stream_facts *so_far,
		      struct buf *out)
{
	if (so_far->done_seen)
		return;
	if (endpoint->kind == ENDPOINT_CHAT || endpoint->kind == ENDPOINT_COMPLETIONS)
		buf_puts(out, "data: [DONE]\n\n");
}
