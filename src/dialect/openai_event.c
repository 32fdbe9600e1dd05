/* openai_event.c: judging streams, event by event. Runs once a token, so the
 * common chunk is read once (itself, its choice and its delta in one pass) and
 * nothing is built. */
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
static inline bool is_something(bool found, enum json_type type, struct slice value)
{
	return found && type != JSON_NULL && type != JSON_FALSE &&
	       (value.len > 2 || type == JSON_NUMBER);
}

static inline bool has_something(const struct json_want *want)
{
	return is_something(want->found, want->type, want->value);
}

/* ---- chat and completions --------------------------------------------------------- */

/* What is looked for in a chunk, in its choices and in their deltas. What carries
 * content in a delta: OpenAI's own; reasoning_content (DeepSeek, xAI, Moonshot,
 * Alibaba), reasoning (Groq, OpenRouter, vLLM) and its details; images
 * (OpenRouter). */
#define CHUNK_MEMBERS(X)                          \
	X(CHUNK_CHOICES, "choices", &choice_shape) \
	X(CHUNK_OBJECT, "object", NULL)            \
	X(CHUNK_USAGE, "usage", NULL)              \
	X(CHUNK_ERROR, "error", NULL)              \
	X(CHUNK_X_GROQ, "x_groq", NULL)            \
	X(CHUNK_MESSAGE, "message", NULL)          \
	X(CHUNK_DETAIL, "detail", NULL)
#define CHOICE_MEMBERS(X)                         \
	X(CHOICE_DELTA, "delta", &delta_shape)     \
	X(CHOICE_INDEX, "index", NULL)             \
	X(CHOICE_FINISH, "finish_reason", NULL)    \
	X(CHOICE_TEXT, "text", NULL)               \
	X(CHOICE_MESSAGE, "message", NULL)         \
	X(CHOICE_ERROR, "error", NULL)             \
	X(CHOICE_USAGE, "usage", NULL)             /* Moonshot */
#define DELTA_MEMBERS(X)                          \
	X(DELTA_CONTENT, "content", NULL)          \
	X(DELTA_REASONING_CONTENT, "reasoning_content", NULL) \
	X(DELTA_REASONING, "reasoning", NULL)      \
	X(DELTA_REFUSAL, "refusal", NULL)          \
	X(DELTA_TOOL_CALLS, "tool_calls", NULL)    \
	X(DELTA_FUNCTION_CALL, "function_call", NULL) \
	X(DELTA_REASONING_DETAILS, "reasoning_details", NULL) \
	X(DELTA_AUDIO, "audio", NULL)              \
	X(DELTA_IMAGES, "images", NULL)
#define DELTA_TEXTS 4                 /* so many of them are texts, and stand first */

#define AS_ENUM(id, text, inside) id,
enum { CHUNK_MEMBERS(AS_ENUM) CHOICE_MEMBERS(AS_ENUM) DELTA_MEMBERS(AS_ENUM) FINDINGS };
#undef AS_ENUM

#define AS_NAME(id, text, inside) { S_INIT(text), inside },
#define AS_LENGTH(id, text, inside) | JSON_LENGTH(text)
#define SHAPE(table, names_, first_) { names_, sizeof(names_) / sizeof *(names_), first_, 0 table(AS_LENGTH) }
static const struct json_name delta_names[] = { DELTA_MEMBERS(AS_NAME) };
static const struct json_shape delta_shape = SHAPE(DELTA_MEMBERS, delta_names, CHOICE_USAGE + 1);
static const struct json_name choice_names[] = { CHOICE_MEMBERS(AS_NAME) };
static const struct json_shape choice_shape = SHAPE(CHOICE_MEMBERS, choice_names, CHUNK_DETAIL + 1);
static const struct json_name chunk_names[] = { CHUNK_MEMBERS(AS_NAME) };
static const struct json_shape chunk_shape = SHAPE(CHUNK_MEMBERS, chunk_names, 0);
#undef AS_NAME
#undef AS_LENGTH
#undef SHAPE

static inline bool finds_something(const struct json_finding *f)
{
	return is_something(f->found, f->type, f->value);
}

static void add_piece(struct event_facts *out, unsigned choice, int call, struct slice name,
		      struct slice raw)
{
	if (out->piece_count == EVENT_PIECES_MAX) {
		out->pieces_lost = true;
		return;
	}
	out->pieces[out->piece_count++] = (struct event_piece){ choice, call, name, raw, false };
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
static void add_delta(const struct json_finding *f, unsigned choice, struct event_facts *out)
{
	for (size_t i = 0; i < DELTA_TEXTS; i++)
		if (finds_something(&f[DELTA_CONTENT + i]))
			add_string(out, choice, EVENT_NO_CALL, delta_names[i].name,
				   f[DELTA_CONTENT + i].value);
	if (finds_something(&f[DELTA_TOOL_CALLS]))
		add_calls(f[DELTA_TOOL_CALLS].value, choice, out);
	if (finds_something(&f[DELTA_FUNCTION_CALL]) || finds_something(&f[DELTA_AUDIO]) ||
	    finds_something(&f[DELTA_IMAGES]) || finds_something(&f[DELTA_REASONING_DETAILS]))
		out->pieces_lost = true;
}

static bool judge_delta(const struct json_finding *f, unsigned choice, struct stream_facts *so_far,
			struct event_facts *out)
{
	bool content = false;

	for (size_t i = DELTA_CONTENT; i < FINDINGS; i++)
		content |= finds_something(&f[i]);
	if (finds_something(&f[DELTA_TOOL_CALLS]) || finds_something(&f[DELTA_FUNCTION_CALL]))
		so_far->tool_call_open = true;
	if (content)
		add_delta(f, choice, out);
	return content;
}

/* The delta's own findings are there, unless a whole message stands in its place. */
static bool find_delta(struct json_finding *f)
{
	bool odd;

	if (f[CHOICE_DELTA].found && f[CHOICE_DELTA].type == JSON_OBJECT)
		return true;
	for (size_t i = DELTA_CONTENT; i < FINDINGS; i++)
		f[i] = (struct json_finding){ .found = false };
	return f[CHOICE_MESSAGE].found && f[CHOICE_MESSAGE].type == JSON_OBJECT &&
	       json_scan_shape(f[CHOICE_MESSAGE].value, &delta_shape, f, &odd, NULL) == JSON_OK;
}

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

static void judge_choice(struct arena *arena, const struct endpoint *endpoint,
			 struct json_finding *f, int64_t position, struct stream_facts *so_far,
			 struct event_facts *out)
{
	int64_t index = position;
	uint64_t bit;
	bool content;

	if (f[CHOICE_INDEX].found && !json_i64(f[CHOICE_INDEX].value, &index))
		index = position;
	if (index < 0 || index > CHOICE_BIT_MAX)
		index = CHOICE_BIT_MAX;
	bit = UINT64_C(1) << index;
	so_far->private[OPENAI_CHOICES_SEEN] |= bit;

	content = finds_something(&f[CHOICE_TEXT]);
	if (content)
		add_string(out, (unsigned)index, EVENT_NO_CALL, S("text"), f[CHOICE_TEXT].value);
	if (find_delta(f) && judge_delta(f, (unsigned)index, so_far, out))
		content = true;
	if (content) {
		out->is |= EVENT_CONTENT;
		out->tokens++;
	}
	if (f[CHOICE_USAGE].found)
		usage_read(f[CHOICE_USAGE].value, &out->usage);
	if (f[CHOICE_FINISH].found && f[CHOICE_FINISH].type == JSON_STRING)
		judge_finish(arena, f[CHOICE_FINISH].value, bit, so_far, out);
	judge_error_value(arena, endpoint, f[CHOICE_ERROR].value, out);
}

/* Is there anything in the array? */
static bool finds_element(struct slice array)
{
	return slice_trim(slice_sub(array, 1, array.len - 1)).len > 0;
}

/* Several choices, or odd ones: each is read by itself. */
static void judge_choices(struct arena *arena, const struct endpoint *endpoint, struct slice choices,
			  struct stream_facts *so_far, struct event_facts *out)
{
	struct slice choice;
	int64_t position = 0;

	while (json_next(&choices, NULL, &choice)) {
		struct json_finding f[FINDINGS] = { { .found = false } };
		bool odd;

		if (json_scan_shape(choice, &choice_shape, f, &odd, NULL) == JSON_OK) {
			/* A text that is there twice: nobody knows which one a client takes. */
			out->pieces_lost |= odd;
			judge_choice(arena, endpoint, f, position++, so_far, out);
		} else {
			set_broken(S("a choice of the stream is no object, or has a member twice"), out);
		}
	}
}

static void judge_chunk_members(struct arena *arena, const struct endpoint *endpoint,
				struct slice data, struct json_finding *f, bool odd,
				struct stream_facts *so_far, struct event_facts *out)
{
	if (finds_something(&f[CHUNK_USAGE]))
		usage_read(f[CHUNK_USAGE].value, &out->usage);
	if (f[CHUNK_X_GROQ].found) {
		usage_read(json_member(f[CHUNK_X_GROQ].value, S("usage")), &out->usage);
		judge_error_value(arena, endpoint, json_member(f[CHUNK_X_GROQ].value, S("error")), out);
	}
	if (f[CHUNK_CHOICES].type == JSON_ARRAY && odd)
		judge_choices(arena, endpoint, f[CHUNK_CHOICES].value, so_far, out);
	else if (f[CHUNK_CHOICES].type == JSON_ARRAY && finds_element(f[CHUNK_CHOICES].value))
		judge_choice(arena, endpoint, f, 0, so_far, out);
	/* An error beside choices is an error (E05). */
	if (judge_error_value(arena, endpoint, f[CHUNK_ERROR].value, out))
		return;
	if (f[CHUNK_OBJECT].found ? json_string_eq(f[CHUNK_OBJECT].value, S("error"))
				  : !f[CHUNK_CHOICES].found && (finds_something(&f[CHUNK_MESSAGE]) ||
								finds_something(&f[CHUNK_DETAIL])))
		judge_error_document(arena, endpoint, data, out);
}

static void judge_chunk(struct arena *arena, const struct endpoint *endpoint, struct slice type,
			struct slice data, struct stream_facts *so_far, struct event_facts *out)
{
	struct json_finding f[FINDINGS] = { { .found = false } };
	bool odd;
	enum json_result r = json_scan_shape(data, &chunk_shape, f, &odd, NULL);

	if (r == JSON_OK) {
		judge_chunk_members(arena, endpoint, data, f, odd, so_far, out);
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
       RESPONSE_SEQUENCE, RESPONSE_TEXT, RESPONSE_ARGUMENTS, RESPONSE_REFUSAL, RESPONSE_INDEX,
       RESPONSE_ITEM_ID, RESPONSE_PART, RESPONSE_SUMMARY, RESPONSE_LOGPROBS, RESPONSE_WANTS };

/* What stream_facts.private[OPENAI_ITEMS] knows: bit n, n < ITEM_CALLS: output item n
 * is a function call; and these. */
#define ITEM_CALLS 56
#define ITEM_THOUGHT (UINT64_C(1) << 56)      /* there is a reasoning item */
#define ITEM_MESSAGE (UINT64_C(1) << 57)      /* there is a message */
#define ITEM_TEXT (UINT64_C(1) << 58)         /* it has text */
#define ITEM_REFUSAL (UINT64_C(1) << 59)      /* it has a refusal */
#define ITEM_SUMMARY (UINT64_C(1) << 60)      /* the reasoning has a summary */
#define ITEM_ARGUMENTS (UINT64_C(1) << 61)    /* the last call has arguments */

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

/* ---- responses in pieces ---------------------------------------------------------------- */

/* Another backend's events can go on where an answer is as simple as most are: at
 * most one reasoning with one summary, one message with one part, function calls.
 * All else loses the pieces: nothing could be told that fits behind it. */

static unsigned count_bits(uint64_t bits)
{
	unsigned n = 0;

	for (; bits; bits &= bits - 1)
		n++;
	return n;
}

static bool is_type(struct slice item, const char *type)
{
	return json_string_eq(json_member(item, S("type")), slice_of(type));
}

static void add_call_item(struct slice item, int64_t index, uint64_t *items, struct event_facts *out)
{
	int call = (int)count_bits(*items & ((UINT64_C(1) << ITEM_CALLS) - 1));

	if (index >= ITEM_CALLS) {
		out->pieces_lost = true;
		return;
	}
	*items = (*items | UINT64_C(1) << index) & ~ITEM_ARGUMENTS;
	add_string(out, 0, call, S("id"), json_member(item, S("call_id")));
	add_string(out, 0, call, S("name"), json_member(item, S("name")));
	add_string(out, 0, call, S("item"), json_member(item, S("id")));
	add_string(out, 0, call, S("arguments"), json_member(item, S("arguments")));
}

static void add_item_piece(struct slice item, int64_t index, uint64_t *items, struct event_facts *out)
{
	bool thought = is_type(item, "reasoning"), message = is_type(item, "message");
	uint64_t bit = thought ? ITEM_THOUGHT : ITEM_MESSAGE;
	uint64_t known = *items & (((UINT64_C(1) << ITEM_CALLS) - 1) | ITEM_THOUGHT | ITEM_MESSAGE);

	if (index != (int64_t)count_bits(known)) {
		out->pieces_lost = true;
	} else if (is_type(item, "function_call")) {
		add_call_item(item, index, items, out);
	} else if ((thought || message) && !(*items & bit)) {
		*items |= bit;
		add_string(out, 0, EVENT_NO_CALL, thought ? S("reasoning_item") : S("message_item"),
			   json_member(item, S("id")));
	} else {
		out->pieces_lost = true;
	}
}

/* Grows a text that `needs` its item and must not stand beside `other`. */
static void add_item_text(struct slice name, const struct json_want *wants, uint64_t needs,
			  uint64_t bit, uint64_t other, uint64_t *items, struct event_facts *out)
{
	if (!(*items & needs) || (*items & other) || has_something(&wants[RESPONSE_LOGPROBS])) {
		out->pieces_lost = true;
		return;
	}
	*items |= bit;
	add_string(out, 0, EVENT_NO_CALL, name, wants[RESPONSE_DELTA].value);
}

static void add_response_delta(struct slice kind, const struct json_want *wants, int64_t index,
			       uint64_t *items, struct event_facts *out)
{
	if (slice_eq(kind, S("output_text.delta"))) {
		add_item_text(S("content"), wants, ITEM_MESSAGE, ITEM_TEXT, ITEM_REFUSAL, items, out);
	} else if (slice_eq(kind, S("refusal.delta"))) {
		add_item_text(S("refusal"), wants, ITEM_MESSAGE, ITEM_REFUSAL, ITEM_TEXT, items, out);
	} else if (slice_eq(kind, S("reasoning_summary_text.delta"))) {
		add_item_text(S("reasoning_content"), wants, ITEM_THOUGHT, ITEM_SUMMARY, 0, items, out);
	} else if (slice_eq(kind, S("function_call_arguments.delta")) && index >= 0 &&
		   index < ITEM_CALLS && *items >> index & 1) {
		*items |= ITEM_ARGUMENTS;
		add_string(out, 0, (int)count_bits(*items & ((UINT64_C(1) << index) - 1)),
			   S("arguments"), wants[RESPONSE_DELTA].value);
	} else {
		out->pieces_lost = true;
	}
}

/* A whole text, or an item: was it told in pieces? */
static bool was_told(struct slice kind, const struct json_want *wants, uint64_t items)
{
	if (slice_eq(kind, S("output_item.done")))
		return json_is_nothing(json_member(wants[RESPONSE_ITEM].value, S("encrypted_content")));
	if (has_something(&wants[RESPONSE_ARGUMENTS]))
		return (items & ITEM_ARGUMENTS) != 0;
	if (has_something(&wants[RESPONSE_REFUSAL]))
		return (items & ITEM_REFUSAL) != 0;
	if (has_something(&wants[RESPONSE_TEXT]))
		return (items & (slice_starts(kind, S("reasoning")) ? ITEM_SUMMARY : ITEM_TEXT)) != 0;
	return true;
}

static void add_response_pieces(struct slice kind, const struct json_want *wants,
				struct stream_facts *so_far, struct event_facts *out)
{
	uint64_t *items = &so_far->private[OPENAI_ITEMS];
	int64_t index = -1, part;

	json_i64(wants[RESPONSE_INDEX].value, &index);
	if ((json_i64(wants[RESPONSE_PART].value, &part) && part > 0) ||
	    (json_i64(wants[RESPONSE_SUMMARY].value, &part) && part > 0))
		out->pieces_lost = true;
	else if (slice_eq(kind, S("output_item.added")))
		add_item_piece(wants[RESPONSE_ITEM].value, index, items, out);
	else if (slice_ends(kind, S(".delta")))
		add_response_delta(kind, wants, index, items, out);
	else if (slice_ends(kind, S(".done")))
		out->pieces_lost = !was_told(kind, wants, *items);
	else if (slice_eq(kind, S("content_part.added")) && (*items & ITEM_MESSAGE))
		add_string(out, 0, EVENT_NO_CALL, S("part_item"), wants[RESPONSE_ITEM_ID].value);
	else if (slice_ends(kind, S(".added")) && !slice_starts(kind, S("reasoning_summary_part")))
		out->pieces_lost = true;
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
		[RESPONSE_INDEX] = { .name = S("output_index") },
		[RESPONSE_ITEM_ID] = { .name = S("item_id") },
		[RESPONSE_PART] = { .name = S("content_index") },
		[RESPONSE_SUMMARY] = { .name = S("summary_index") },
		[RESPONSE_LOGPROBS] = { .name = S("logprobs") },
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
	add_response_pieces(slice_from(type, prefix.len), wants, so_far, out);
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
	/* Only what chunks and responses say is taken apart into pieces. */
	if (endpoint->kind != ENDPOINT_CHAT && endpoint->kind != ENDPOINT_COMPLETIONS &&
	    endpoint->kind != ENDPOINT_RESPONSES)
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
