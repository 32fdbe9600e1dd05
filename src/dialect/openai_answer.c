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

enum { CHOICE_FINISH, CHOICE_MESSAGE, CHOICE_TEXT, CHOICE_ERROR, CHOICE_WANTS };

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
static bool choice_is_whole(const struct endpoint *endpoint, const struct json_want *wants)
{
	const struct json_want *finish = &wants[CHOICE_FINISH];
	bool finished = finish->found && finish->type == JSON_STRING && finish->value.len > 2;

	if (endpoint->kind == ENDPOINT_COMPLETIONS)
		return wants[CHOICE_TEXT].found && wants[CHOICE_TEXT].type == JSON_STRING;
	if (!wants[CHOICE_MESSAGE].found || wants[CHOICE_MESSAGE].type != JSON_OBJECT)
		return false;
	return finished || message_has_content(wants[CHOICE_MESSAGE].value);
}

static void judge_choice(struct arena *arena, const struct endpoint *endpoint, struct slice choice,
			 bool first, struct answer_facts *out)
{
	struct json_want wants[CHOICE_WANTS] = {
		[CHOICE_FINISH] = { .name = S("finish_reason") },
		[CHOICE_MESSAGE] = { .name = S("message") },
		[CHOICE_TEXT] = { .name = S("text") },
		[CHOICE_ERROR] = { .name = S("error") },
	};
	struct error_body error;
	struct slice reason;

	out->fault = FAULT_BAD_ANSWER;
	if (json_scan_object(choice, wants, COUNT_OF(wants), NULL) != JSON_OK)
		return;
	if (error_body_is_error(wants[CHOICE_ERROR].value)) {    /* OpenRouter */
		error_body_read_value(arena, wants[CHOICE_ERROR].value, &error);
		take_error(endpoint, 0, &error, out);
		return;
	}
	reason = json_string(arena, wants[CHOICE_FINISH].value);
	if (first)
		out->finish_reason = reason;
	out->fault = openai_fault_of_finish(reason);
	if (out->fault == FAULT_NONE && !choice_is_whole(endpoint, wants))
		out->fault = FAULT_BAD_ANSWER;
}

static void judge_choices(struct arena *arena, const struct endpoint *endpoint,
			  const struct json_want *choices, struct answer_facts *out)
{
	struct slice rest = choices->value, choice;
	bool first = true;

	out->fault = FAULT_BAD_ANSWER;
	if (!choices->found || choices->type != JSON_ARRAY)
		return;
	while (json_next(&rest, NULL, &choice)) {
		judge_choice(arena, endpoint, choice, first, out);
		if (out->fault != FAULT_NONE)
			return;
		first = false;
	}
}

/* ---- the other kinds --------------------------------------------------------------- */

enum {
	TOP_ERROR, TOP_OBJECT, TOP_USAGE, TOP_CHOICES, TOP_DATA, TOP_OUTPUT, TOP_STATUS,
	TOP_INCOMPLETE, TOP_WANTS
};

/* Responses: a failed one carries "error", which was looked at before. Those
 * made in the background come back queued, with nothing in them. */
static void judge_response(struct arena *arena, const struct json_want *wants,
			   struct answer_facts *out)
{
	struct slice status = json_string(arena, wants[TOP_STATUS].value);
	struct slice items = wants[TOP_OUTPUT].value, first;

	if (slice_eq(status, S("failed"))) {
		out->fault = FAULT_SERVER_ERROR;
		return;
	}
	if (!wants[TOP_OUTPUT].found || wants[TOP_OUTPUT].type != JSON_ARRAY)
		out->fault = slice_eq(status, S("queued")) || slice_eq(status, S("in_progress"))
			? FAULT_NONE : FAULT_BAD_ANSWER;
	else if (slice_eq(status, S("completed")) && !json_next(&items, NULL, &first))
		out->fault = FAULT_BAD_ANSWER;
	out->finish_reason = status;
	if (slice_eq(status, S("incomplete")))
		out->finish_reason = json_string(arena,
			json_member(wants[TOP_INCOMPLETE].value, S("reason")));
}

/* Each element's vector is an array of numbers, or base64 text; looking at the
 * first tells whether the shape is right. */
static void judge_embeddings(const struct json_want *data, struct answer_facts *out)
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
			      const struct json_want *wants, struct answer_facts *out)
{
	struct error_body error;

	if (scanned == JSON_OK && error_body_is_error(wants[TOP_ERROR].value))
		error_body_read_value(arena, wants[TOP_ERROR].value, &error);
	else if ((scanned == JSON_OK && json_string_eq(wants[TOP_OBJECT].value, S("error"))) ||
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
	struct json_want wants[TOP_WANTS] = {
		[TOP_ERROR] = { .name = S("error") },
		[TOP_OBJECT] = { .name = S("object") },
		[TOP_USAGE] = { .name = S("usage") },
		[TOP_CHOICES] = { .name = S("choices") },
		[TOP_DATA] = { .name = S("data") },
		[TOP_OUTPUT] = { .name = S("output") },
		[TOP_STATUS] = { .name = S("status") },
		[TOP_INCOMPLETE] = { .name = S("incomplete_details") },
	};
	enum json_result scanned = json_scan_object(body, wants, COUNT_OF(wants), NULL);

	if (judge_inner_error(arena, endpoint, body, scanned, wants, out))
		return;
	if (scanned != JSON_OK) {
		out->fault = FAULT_BAD_ANSWER;
		return;
	}
	usage_read(wants[TOP_USAGE].value, &out->usage);
	switch (endpoint->kind) {
	case ENDPOINT_CHAT:
	case ENDPOINT_COMPLETIONS:
		judge_choices(arena, endpoint, &wants[TOP_CHOICES], out);
		break;
	case ENDPOINT_RESPONSES:
		judge_response(arena, wants, out);
		break;
	case ENDPOINT_EMBEDDINGS:
		judge_embeddings(&wants[TOP_DATA], out);
		break;
	case ENDPOINT_COUNT_TOKENS: case ENDPOINT_PASS:
	case ENDPOINT_MODELS:
		break;
	}
}

/* Of the endpoints that are passed on, only this is known of an answer that is
 * judged at all: it is JSON, and no error in disguise (S19). What has an
 * "object" is a thing of the API, whose own "error" tells of its past. */
static void judge_passed_on(struct arena *arena, const struct endpoint *endpoint,
			    struct slice body, struct answer_facts *out)
{
	struct json_want wants[TOP_WANTS] = {
		[TOP_ERROR] = { .name = S("error") },
		[TOP_OBJECT] = { .name = S("object") },
	};
	enum json_result scanned = json_scan_object(body, wants, TOP_USAGE, NULL);

	if (json_validate(body, NULL) != JSON_OK)
		out->fault = FAULT_BAD_ANSWER;
	else if (scanned == JSON_OK && (!wants[TOP_OBJECT].found ||
					json_string_eq(wants[TOP_OBJECT].value, S("error"))))
		judge_inner_error(arena, endpoint, body, scanned, wants, out);
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
