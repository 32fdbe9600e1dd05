/* openai_answer.c: judging whole answers (catalogue rows S01-S26). */
#include "dialect/openai.h"

#include "base/check.h"
#include "dialect/usage.h"
#include "wire/json.h"

static void take_error(const struct endpoint *endpoint, int status, const struct error_body *error,
		       struct answer_facts *out)
{
	out->fault = openai_fault_of_error(endpoint, status, error, out->retry_after_ms >= 0);
	out->message = error->message;
	out->type = error->type;
	out->code = error->code;
	out->param = error->param;
}

/* ---- choices ------------------------------------------------------------------- */

/* What is looked for in an answer, and in its only choice. */
#define TOP_MEMBERS(X)                             \
	X(TOP_ERROR, "error", NULL)                 \
	X(TOP_OBJECT, "object", NULL)               \
	X(TOP_USAGE, "usage", NULL)                 \
	X(TOP_CHOICES, "choices", &choice_shape)    \
	X(TOP_DATA, "data", NULL)                   \
	X(TOP_OUTPUT, "output", NULL)               \
	X(TOP_STATUS, "status", NULL)               \
	X(TOP_INCOMPLETE, "incomplete_details", NULL)
#define CHOICE_MEMBERS(X)                          \
	X(CHOICE_FINISH, "finish_reason", NULL)     \
	X(CHOICE_MESSAGE, "message", NULL)          \
	X(CHOICE_TEXT, "text", NULL)                \
	X(CHOICE_ERROR, "error", NULL)

#define AS_ENUM(id, text, inside) id,
enum { TOP_MEMBERS(AS_ENUM) CHOICE_MEMBERS(AS_ENUM) FINDINGS };
#undef AS_ENUM

#define AS_NAME(id, text, inside) { S_INIT(text), inside },
#define AS_LENGTH(id, text, inside) | JSON_LENGTH(text)
static const struct json_name choice_names[] = { CHOICE_MEMBERS(AS_NAME) };
static const struct json_shape choice_shape = { choice_names, COUNT_OF(choice_names), TOP_INCOMPLETE + 1,
						0 CHOICE_MEMBERS(AS_LENGTH) };
static const struct json_name top_names[] = { TOP_MEMBERS(AS_NAME) };
static const struct json_shape top_shape = { top_names, COUNT_OF(top_names), 0, 0 TOP_MEMBERS(AS_LENGTH) };
#undef AS_NAME
#undef AS_LENGTH

/* A message with something in it: text, calls, a refusal, reasoning, audio. */
static bool message_has_content(struct slice message)
{
	struct slice key, value;

	while (json_next(&message, &key, &value)) {
		if (slice_eq(key, S("\"role\"")) || slice_eq(key, S("\"name\"")))
			continue;
		if (error_body_is_error(value))      /* not null, false, "", {} or [] */
			return true;
	}
	return false;
}

/* A chat's choice needs a message that has content or, without, a reason for
 * its end (S25); a completion's needs its text. */
static bool choice_is_whole(const struct endpoint *endpoint, const struct json_finding *f)
{
	const struct json_finding *finish = &f[CHOICE_FINISH];
	bool finished = finish->found && finish->type == JSON_STRING && finish->value.len > 2;

	if (endpoint->kind == ENDPOINT_COMPLETIONS)
		return f[CHOICE_TEXT].found && f[CHOICE_TEXT].type == JSON_STRING;
	if (!f[CHOICE_MESSAGE].found || f[CHOICE_MESSAGE].type != JSON_OBJECT)
		return false;
	return finished || message_has_content(f[CHOICE_MESSAGE].value);
}

static void judge_choice(struct arena *arena, const struct endpoint *endpoint,
			 const struct json_finding *f, bool first, struct answer_facts *out)
{
	struct error_body error;
	struct slice reason;

	if (error_body_is_error(f[CHOICE_ERROR].value)) {    /* OpenRouter */
		error_body_read_value(arena, f[CHOICE_ERROR].value, &error);
		take_error(endpoint, 0, &error, out);
		return;
	}
	reason = json_string(arena, f[CHOICE_FINISH].value);
	if (first)
		out->finish_reason = reason;
	out->fault = openai_fault_of_finish(reason);
	if (out->fault == FAULT_NONE && !choice_is_whole(endpoint, f))
		out->fault = FAULT_BAD_ANSWER;
}

/* Several choices, or odd ones: each is read by itself. */
static void judge_each_choice(struct arena *arena, const struct endpoint *endpoint,
			      struct slice choices, struct answer_facts *out)
{
	struct slice choice;
	bool first = true, odd;

	while (json_next(&choices, NULL, &choice)) {
		struct json_finding f[FINDINGS] = { { .found = false } };

		out->fault = FAULT_BAD_ANSWER;
		if (json_scan_shape(choice, &choice_shape, f, &odd, NULL) == JSON_OK)
			judge_choice(arena, endpoint, f, first, out);
		if (out->fault != FAULT_NONE)
			return;
		first = false;
	}
}

static void judge_choices(struct arena *arena, const struct endpoint *endpoint,
			  const struct json_finding *f, bool odd, struct answer_facts *out)
{
	out->fault = FAULT_BAD_ANSWER;
	if (!f[TOP_CHOICES].found || f[TOP_CHOICES].type != JSON_ARRAY)
		return;
	if (odd)
		judge_each_choice(arena, endpoint, f[TOP_CHOICES].value, out);
	else
		judge_choice(arena, endpoint, f, true, out);
}

/* ---- the other kinds --------------------------------------------------------------- */

/* Responses: a failed one carries "error", which was looked at before. Those
 * made in the background come back queued, with nothing in them. */
static void judge_response(struct arena *arena, const struct json_finding *f,
			   struct answer_facts *out)
{
	struct slice status = json_string(arena, f[TOP_STATUS].value);
	struct slice items = f[TOP_OUTPUT].value, first;

	if (slice_eq(status, S("failed"))) {
		out->fault = FAULT_SERVER_ERROR;
		return;
	}
	if (!f[TOP_OUTPUT].found || f[TOP_OUTPUT].type != JSON_ARRAY)
		out->fault = slice_eq(status, S("queued")) || slice_eq(status, S("in_progress"))
			? FAULT_NONE : FAULT_BAD_ANSWER;
	else if (slice_eq(status, S("completed")) && !json_next(&items, NULL, &first))
		out->fault = FAULT_BAD_ANSWER;
	out->finish_reason = status;
	if (slice_eq(status, S("incomplete")))
		out->finish_reason = json_string(arena,
			json_member(f[TOP_INCOMPLETE].value, S("reason")));
}

/* Each element's vector is an array of numbers, or base64 text; looking at the
 * first tells whether the shape is right. */
static void judge_embeddings(const struct json_finding *data, struct answer_facts *out)
{
	struct slice rest = data->value, first;

	out->fault = FAULT_BAD_ANSWER;
	if (!data->found || data->type != JSON_ARRAY || !json_next(&rest, NULL, &first) ||
	    json_type_of(first) != JSON_OBJECT)
		return;
	if (error_body_is_error(json_member(first, S("embedding"))))  /* not empty */
		out->fault = FAULT_NONE;
}

/* ---- the whole ------------------------------------------------------------------------ */

/* A 200 that has an error in it (S19, S20), or is none of what was promised. */
static bool judge_inner_error(struct arena *arena, const struct endpoint *endpoint,
			      struct slice body, enum json_result scanned,
			      const struct json_finding *f, struct answer_facts *out)
{
	struct error_body error;

	if (scanned == JSON_OK && error_body_is_error(f[TOP_ERROR].value))
		error_body_read_value(arena, f[TOP_ERROR].value, &error);
	else if ((scanned == JSON_OK && json_string_eq(f[TOP_OBJECT].value, S("error"))) ||
		 scanned == JSON_NOT_OBJECT)
		error_body_read(arena, body, &error);
	else
		return false;
	if (!error.found)
		return false;
	take_error(endpoint, 0, &error, out);
	return true;
}

static void judge_good_status(struct arena *arena, const struct endpoint *endpoint,
			      struct slice body, struct answer_facts *out)
{
	struct json_finding f[FINDINGS] = { { .found = false } };
	bool odd;
	enum json_result scanned = json_scan_shape(body, &top_shape, f, &odd, NULL);

	if (judge_inner_error(arena, endpoint, body, scanned, f, out))
		return;
	if (scanned != JSON_OK) {
		out->fault = FAULT_BAD_ANSWER;
		return;
	}
	usage_read(f[TOP_USAGE].value, &out->usage);
	switch (endpoint->kind) {
	case ENDPOINT_CHAT:
	case ENDPOINT_COMPLETIONS:
		judge_choices(arena, endpoint, f, odd, out);
		break;
	case ENDPOINT_RESPONSES:
		judge_response(arena, f, out);
		break;
	case ENDPOINT_EMBEDDINGS:
		judge_embeddings(&f[TOP_DATA], out);
		break;
	case ENDPOINT_COUNT_TOKENS: case ENDPOINT_PASS:
	case ENDPOINT_MODELS:
		break;
	}
}

static const struct json_name passed_names[] = {
	{ S_INIT("error"), NULL }, { S_INIT("object"), NULL },   /* TOP_ERROR, TOP_OBJECT */
};
static const struct json_shape passed_shape = { passed_names, COUNT_OF(passed_names), 0,
						JSON_LENGTH("error") | JSON_LENGTH("object") };

/* Of the endpoints that are passed on, only this is known of an answer that is
 * judged at all: it is JSON, and no error in disguise (S19). What has an
 * "object" is a thing of the API, whose own "error" tells of its past. */
static void judge_passed_on(struct arena *arena, const struct endpoint *endpoint,
			    struct slice body, struct answer_facts *out)
{
	struct json_finding f[FINDINGS] = { { .found = false } };
	bool odd;
	enum json_result scanned = json_scan_shape(body, &passed_shape, f, &odd, NULL);

	if (json_validate(body, NULL) != JSON_OK)
		out->fault = FAULT_BAD_ANSWER;
	else if (scanned == JSON_OK && (!f[TOP_OBJECT].found ||
					json_string_eq(f[TOP_OBJECT].value, S("error"))))
		judge_inner_error(arena, endpoint, body, scanned, f, out);
}

void openai_judge_answer(struct arena *arena, const struct endpoint *endpoint, int status,
			 const struct h1_head *head, struct slice body, int64_t wall_ms,
			 struct answer_facts *out)
{
	struct error_body error;

	*out = (struct answer_facts){ .fault = FAULT_NONE, .retry_after_ms = -1 };
	if (status >= 200 && status <= 299) {
		if (openai_is_llm(endpoint))
			judge_good_status(arena, endpoint, body, out);
		else if (dialect_json_is_due(head))
			judge_passed_on(arena, endpoint, body, out);
		if (out->fault != FAULT_NONE)
			out->retry_after_ms = dialect_retry_hint_ms(head, body, wall_ms);
		return;
	}
	/* Redirects are never followed: a key must not go where a backend points
	 * to (S18). What else is below 400 was not asked for. */
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
