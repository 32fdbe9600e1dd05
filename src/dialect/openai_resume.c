/* openai_resume.c: asking for the rest of an answer that broke off.
 *
 * Who takes what: Mistral and DeepSeek's beta want "prefix": true on the last,
 * assistant's message (docs.mistral.ai "prefix"; api-docs.deepseek.com "Chat
 * Prefix Completion"); vLLM and SGLang want continue_final_message beside
 * add_generation_prompt (vLLM's chat completion parameters); others go on with
 * an assistant's message at the end by themselves. A completion goes on with
 * its prompt. */
#include "dialect/openai.h"

#include "base/check.h"
#include "wire/json.h"

#include <string.h>

enum resume_way openai_may_resume(const struct endpoint *endpoint,
				  const struct request_facts *facts, enum resume_way way)
{
	/* The Responses API numbers its events and names its items: its codec goes on
	 * with them (openai_responses_resume_writer()). */
	bool chat = endpoint->kind == ENDPOINT_CHAT || endpoint->kind == ENDPOINT_RESPONSES;

	if (way == RESUME_NONE || (!chat && endpoint->kind != ENDPOINT_COMPLETIONS))
		return RESUME_NONE;
	/* Which answer of several, with which probabilities, and where in its grammar
	 * the text stands, no continuation can be told: a replay knows by itself. */
	if (facts->choices > 1 || facts->logprobs || facts->constrained)
		return RESUME_REPLAY;
	if (chat)
		return way == RESUME_AUTO ? RESUME_REPLAY : way;
	/* A completion is by nature the continuation of its prompt. */
	return way == RESUME_REPLAY || way == RESUME_INSTRUCT ? RESUME_REPLAY : RESUME_PREFILL;
}

/* ---- edits ------------------------------------------------------------------------- */

/* `removed` bytes at `at` give way to room[from .. to]. */
struct edit {
	size_t at, removed, from, to;
};

#define EDITS_MAX ((DIALECT_CHANGED_PARTS - 1) / 2)

struct edits {
	struct slice body;
	struct buf *room;
	struct edit list[EDITS_MAX];
	size_t count;
	bool failed;
};

static void put(struct edits *e, struct slice text)
{
	if (!e->failed && !buf_append(e->room, text))
		e->failed = true;
}

static void put_string(struct edits *e, struct slice text)
{
	if (!e->failed && !json_try_write_string(e->room, text))
		e->failed = true;
}

/* The text as it stands between the quotes of a string. */
static void put_inside(struct edits *e, struct slice text)
{
	size_t before = buf_len(e->room);

	put_string(e, text);
	if (e->failed)
		return;
	memmove(e->room->bytes + e->room->start + before,
		e->room->bytes + e->room->start + before + 1, buf_len(e->room) - before - 1);
	e->room->end -= 2;
}

/* Begins an edit; what is put next takes the place of raw[0 .. removed]. */
static void begin(struct edits *e, const char *where, size_t removed)
{
	struct edit edit = { .at = (size_t)(where - e->body.at), .removed = removed,
			     .from = buf_len(e->room) };
	size_t i = e->count;

	must(where >= e->body.at);
	must(edit.at + removed <= e->body.len);
	must(e->count < EDITS_MAX);
	for (; i > 0 && e->list[i - 1].at > edit.at; i--)
		e->list[i] = e->list[i - 1];
	e->list[i] = edit;
	e->count++;
}

/* Ends the edit begun last (which holds what was put since). */
static void end(struct edits *e, const char *where)
{
	size_t at = (size_t)(where - e->body.at);

	for (size_t i = 0; i < e->count; i++)
		if (e->list[i].at == at)
			e->list[i].to = buf_len(e->room);
}

static void replace(struct edits *e, struct slice raw, struct slice with)
{
	begin(e, raw.at, raw.len);
	put(e, with);
	end(e, raw.at);
}

static size_t write_parts(const struct edits *e, struct slice parts[static DIALECT_CHANGED_PARTS])
{
	size_t count = 0, done = 0;

	for (size_t i = 0; i < e->count; i++) {
		const struct edit *edit = &e->list[i];

		if (edit->at > done)
			parts[count++] = slice_sub(e->body, done, edit->at);
		if (edit->to > edit->from)
			parts[count++] = slice_sub(buf_slice(e->room), edit->from, edit->to);
		done = edit->at + edit->removed;
	}
	if (done < e->body.len)
		parts[count++] = slice_from(e->body, done);
	return count;
}

/* ---- what is changed ----------------------------------------------------------------- */

enum { AT_STREAM, AT_STREAM_OPTIONS, AT_MESSAGES, AT_PROMPT, AT_MAX_TOKENS,
       AT_MAX_COMPLETION_TOKENS, AT_CONTINUE_FINAL, AT_GENERATION_PROMPT, AT_ECHO, AT_SUFFIX,
       AT_COUNT };

static const struct slice at_names[AT_COUNT] = {
	[AT_STREAM] = S_INIT("stream"),
	[AT_STREAM_OPTIONS] = S_INIT("stream_options"),
	[AT_MESSAGES] = S_INIT("messages"),
	[AT_PROMPT] = S_INIT("prompt"),
	[AT_MAX_TOKENS] = S_INIT("max_tokens"),
	[AT_MAX_COMPLETION_TOKENS] = S_INIT("max_completion_tokens"),
	[AT_CONTINUE_FINAL] = S_INIT("continue_final_message"),
	[AT_GENERATION_PROMPT] = S_INIT("add_generation_prompt"),
	[AT_ECHO] = S_INIT("echo"),
	[AT_SUFFIX] = S_INIT("suffix"),
};

/* Members the request has are given their value where they stand; the others
 * come first in the object. */
struct members { struct slice found, name, value; };

static void set_members(struct edits *e, const struct members *m, size_t count)
{
	const char *first = memchr(e->body.at, '{', e->body.len);
	bool any = false;

	must(first != NULL);
	for (size_t i = 0; i < count; i++) {
		if (!m[i].found.len) {
			if (!any)
				begin(e, first + 1, 0);
			any = true;
			put(e, m[i].name);
			put(e, m[i].value);
			put(e, S(","));
		}
	}
	if (any)
		end(e, first + 1);
	for (size_t i = 0; i < count; i++)
		if (m[i].found.len)
			replace(e, m[i].found, m[i].value);
}

static void set_all_members(struct edits *e, const struct json_want *wants,
			    const struct request_changes *c)
{
	struct members m[4];
	size_t n = 0;

	if (c->as_stream) {
		m[n++] = (struct members){ wants[AT_STREAM].value, S("\"stream\":"), S("true") };
		m[n++] = (struct members){ wants[AT_STREAM_OPTIONS].value, S("\"stream_options\":"),
					   S("{\"include_usage\":true}") };
	}
	if (c->way == RESUME_CONTINUE_FINAL && wants[AT_MESSAGES].found) {
		m[n++] = (struct members){ wants[AT_CONTINUE_FINAL].value,
					   S("\"continue_final_message\":"), S("true") };
		m[n++] = (struct members){ wants[AT_GENERATION_PROMPT].value,
					   S("\"add_generation_prompt\":"), S("false") };
	}
	if (n)
		set_members(e, m, n);
}

/* What was said already counts. */
static void lower_limit(struct edits *e, struct slice raw, unsigned tokens_sent)
{
	int64_t limit;

	if (tokens_sent == 0 || !json_i64(raw, &limit))
		return;
	limit = limit > (int64_t)tokens_sent ? limit - (int64_t)tokens_sent : 1;
	begin(e, raw.at, raw.len);
	if (!buf_printf(e->room, "%lld", (long long)limit))
		e->failed = true;
	end(e, raw.at);
}

/* The model is asked in words; whoever repeats the end all the same is cut. */
#define INSTRUCTION "{\"role\":\"user\",\"content\":\"Your last message was interrupted. Go on from " \
	"its exact last character, in the middle of the word where it stopped there. Write only what is " \
	"missing: repeat nothing, add no introduction.\"}"

static void put_assistant(struct edits *e, const struct request_changes *c)
{
	put(e, S(",{\"role\":\"assistant\",\"content\":"));
	put_string(e, c->sent);
	put(e, c->way == RESUME_PREFIX ? S(",\"prefix\":true}") : S("}"));
	if (c->way == RESUME_INSTRUCT)
		put(e, S("," INSTRUCTION));
}

static struct slice last_element(struct slice array)
{
	struct slice last = SLICE_NONE, element;

	while (json_next(&array, NULL, &element))
		last = element;
	return last;
}

/* The client had begun the assistant's message itself: the text goes on there. */
static bool lengthen_message(struct edits *e, struct slice messages, struct slice last,
			     const struct request_changes *c)
{
	struct slice content = json_member(last, S("content"));
	bool prefix = json_member(last, S("prefix")).len > 0;
	const char *quote, *brace = last.at + last.len - 1, *bracket = messages.at + messages.len - 1;

	if (json_type_of(content) != JSON_STRING)
		return false;
	quote = content.at + content.len - 1;
	begin(e, quote, 0);
	put_inside(e, c->sent);
	end(e, quote);
	if (c->way == RESUME_PREFIX && !prefix) {
		begin(e, brace, 0);
		put(e, S(",\"prefix\":true"));
		end(e, brace);
	}
	if (c->way == RESUME_INSTRUCT) {
		begin(e, bracket, 0);
		put(e, S("," INSTRUCTION));
		end(e, bracket);
	}
	return true;
}

static bool add_sent(struct edits *e, const struct json_want *wants, const struct request_changes *c)
{
	struct slice messages = wants[AT_MESSAGES].value, prompt = wants[AT_PROMPT].value, last;
	const char *bracket;

	if (prompt.len && !messages.len) {
		if (json_type_of(prompt) != JSON_STRING || json_is_true(wants[AT_ECHO].value) ||
		    !json_is_nothing(wants[AT_SUFFIX].value))
			return false;
		begin(e, prompt.at + prompt.len - 1, 0);
		put_inside(e, c->sent);
		end(e, prompt.at + prompt.len - 1);
		return true;
	}
	if (!messages.len || json_type_of(messages) != JSON_ARRAY)
		return false;
	last = last_element(messages);
	if (json_type_of(last) != JSON_OBJECT)
		return false;
	if (json_string_eq(json_member(last, S("role")), S("assistant")))
		return lengthen_message(e, messages, last, c);
	bracket = messages.at + messages.len - 1;
	begin(e, bracket, 0);
	put_assistant(e, c);
	end(e, bracket);
	return true;
}

size_t openai_change_request(const struct request_facts *facts, struct slice body,
			     const struct request_changes *c, struct buf *room,
			     struct slice parts[static DIALECT_CHANGED_PARTS])
{
	struct edits e = { .body = body, .room = room };
	struct json_want wants[AT_COUNT];
	bool goes_on = c->way != RESUME_NONE && c->way != RESUME_REPLAY;

	must(facts->model_place == MODEL_IN_JSON);
	buf_clear(room);
	for (size_t i = 0; i < AT_COUNT; i++)
		wants[i] = (struct json_want){ .name = at_names[i] };
	if (json_scan_object(body, wants, AT_COUNT, NULL) != JSON_OK)
		return 0;
	if (facts->model_raw.len && !slice_eq(facts->model, c->model)) {
		begin(&e, facts->model_raw.at, facts->model_raw.len);
		put_string(&e, c->model);
		end(&e, facts->model_raw.at);
	}
	set_all_members(&e, wants, c);
	if (goes_on) {
		lower_limit(&e, wants[AT_MAX_TOKENS].value, c->tokens_sent);
		lower_limit(&e, wants[AT_MAX_COMPLETION_TOKENS].value, c->tokens_sent);
		if (!add_sent(&e, wants, c))
			return 0;
	}
	return e.failed ? 0 : write_parts(&e, parts);
}
