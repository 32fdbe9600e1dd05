/* What a continuation asks for, and how its events are shown. */
#include "help.h"

#include "base/check.h"
#include "wire/json.h"

/* ---- which way ------------------------------------------------------------------- */

static const struct {
	const char *path, *body;
	enum resume_way wanted, had;
	const char *says;
} ways[] = {
	{ CHAT, "{\"model\":\"m\"}", RESUME_PREFILL, RESUME_PREFILL, "text can go on natively" },
	{ CHAT, "{\"model\":\"m\"}", RESUME_AUTO, RESUME_REPLAY, "a family that is not known replays" },
	{ CHAT, "{\"model\":\"m\"}", RESUME_NONE, RESUME_NONE, "none is none" },
	{ CHAT, "{\"model\":\"m\",\"n\":2}", RESUME_PREFILL, RESUME_REPLAY, "several answers" },
	{ CHAT, "{\"model\":\"m\",\"n\":1}", RESUME_PREFIX, RESUME_PREFIX, "one answer, said so" },
	{ CHAT, "{\"model\":\"m\",\"logprobs\":true}", RESUME_PREFILL, RESUME_REPLAY, "probabilities" },
	{ CHAT, "{\"model\":\"m\",\"logprobs\":false}", RESUME_PREFILL, RESUME_PREFILL, "no probabilities" },
	{ CHAT, "{\"model\":\"m\",\"response_format\":{\"type\":\"json_object\"}}", RESUME_PREFILL,
	  RESUME_REPLAY, "JSON mode" },
	{ CHAT, "{\"model\":\"m\",\"response_format\":{\"type\":\"json_schema\"}}", RESUME_INSTRUCT,
	  RESUME_REPLAY, "a schema" },
	{ CHAT, "{\"model\":\"m\",\"response_format\":{\"type\":\"text\"}}", RESUME_PREFILL,
	  RESUME_PREFILL, "plain text, said so" },
	{ CHAT, "{\"model\":\"m\",\"guided_regex\":\"a*\"}", RESUME_CONTINUE_FINAL, RESUME_REPLAY,
	  "guided decoding" },
	{ COMPLETIONS, "{\"model\":\"m\"}", RESUME_AUTO, RESUME_PREFILL, "a completion goes on by nature" },
	{ COMPLETIONS, "{\"model\":\"m\"}", RESUME_CONTINUE_FINAL, RESUME_PREFILL, "in one way only" },
	{ COMPLETIONS, "{\"model\":\"m\"}", RESUME_REPLAY, RESUME_REPLAY, "unless it must not" },
	{ COMPLETIONS, "{\"model\":\"m\",\"logprobs\":1}", RESUME_AUTO, RESUME_REPLAY, "probabilities there" },
	{ RESPONSES, "{\"model\":\"m\"}", RESUME_AUTO, RESUME_REPLAY, "a response is told again" },
	{ EMBEDDINGS, "{\"model\":\"m\"}", RESUME_REPLAY, RESUME_NONE, "no stream" },
};

static struct request_facts facts_of(struct arena *arena, const struct endpoint *e, struct slice body)
{
	struct slice why, param;
	struct request_facts f;

	assert_int_equal(dialect_openai.read_request(arena, e, S("application/json"), e->path, body, &f,
						     &why, &param), FAULT_NONE);
	return f;
}

static void the_way_fits_the_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(ways); i++) {
		struct arena *arena = arena_create(0);
		const struct endpoint *e = endpoint_at("POST", ways[i].path);
		struct request_facts f = facts_of(arena, e, slice_of(ways[i].body));

		row_holds(dialect_openai.may_resume(e, &f, ways[i].wanted) == ways[i].had, ways[i].says);
		arena_free(arena);
	}
}

/* ---- the request ------------------------------------------------------------------- */

#define USER "{\"role\":\"user\",\"content\":\"q\"}"
#define ASKED "\"messages\":[" USER "]"

static const struct {
	const char *path, *body;
	struct request_changes c;
	const char *changed;          /* NULL: cannot be done */
	const char *says;
} changes[] = {
	{ CHAT, "{\"model\":\"m\"," ASKED "}",
	  { .model = S_INIT("x"), .way = RESUME_PREFILL, .sent = S_INIT("so \"far\"\n") },
	  "{\"model\":\"x\",\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"so \\\"far\\\"\\n\"}]}",
	  "the text stands at the end" },
	{ CHAT, "{\"model\":\"m\"," ASKED "}", { .model = S_INIT("m"), .way = RESUME_PREFIX, .sent = S_INIT("a") },
	  "{\"model\":\"m\",\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"a\",\"prefix\":true}]}",
	  "Mistral's and DeepSeek's way" },
	{ CHAT, " {\"model\":\"m\"," ASKED "}",
	  { .model = S_INIT("m"), .way = RESUME_CONTINUE_FINAL, .sent = S_INIT("a") },
	  " {\"continue_final_message\":true,\"add_generation_prompt\":false,\"model\":\"m\",\"messages\":["
	  USER ",{\"role\":\"assistant\",\"content\":\"a\"}]}", "vLLM's way" },
	{ CHAT, "{\"add_generation_prompt\":true,\"model\":\"m\"," ASKED "}",
	  { .model = S_INIT("m"), .way = RESUME_CONTINUE_FINAL, .sent = S_INIT("a") },
	  "{\"continue_final_message\":true,\"add_generation_prompt\":false,\"model\":\"m\",\"messages\":["
	  USER ",{\"role\":\"assistant\",\"content\":\"a\"}]}", "members that are there are set, not doubled" },
	{ CHAT, "{\"model\":\"m\",\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"Once\"}]}",
	  { .model = S_INIT("m"), .way = RESUME_PREFIX, .sent = S_INIT(" upon") },
	  "{\"model\":\"m\",\"messages\":[" USER
	  ",{\"role\":\"assistant\",\"content\":\"Once upon\",\"prefix\":true}]}",
	  "the client's own beginning is made longer" },
	{ CHAT, "{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"content\":[]}]}",
	  { .model = S_INIT("m"), .way = RESUME_PREFILL, .sent = S_INIT("a") }, NULL,
	  "where its beginning is no text, it cannot be" },
	{ CHAT, "{\"model\":\"m\",\"messages\":[]}",
	  { .model = S_INIT("m"), .way = RESUME_PREFILL, .sent = S_INIT("a") }, NULL, "no conversation" },
	{ CHAT, "{\"max_tokens\":100,\"model\":\"m\"," ASKED "}",
	  { .model = S_INIT("m"), .way = RESUME_PREFILL, .sent = S_INIT("a"), .tokens_sent = 30 },
	  "{\"max_tokens\":70,\"model\":\"m\",\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"a\"}]}",
	  "what was said counts against the limit" },
	{ CHAT, "{\"max_completion_tokens\":5,\"model\":\"m\"," ASKED "}",
	  { .model = S_INIT("m"), .way = RESUME_PREFILL, .sent = S_INIT("a"), .tokens_sent = 30 },
	  "{\"max_completion_tokens\":1,\"model\":\"m\",\"messages\":[" USER
	  ",{\"role\":\"assistant\",\"content\":\"a\"}]}", "at least one is asked for" },
	{ CHAT, "{\"max_tokens\":100,\"model\":\"m\"," ASKED "}",
	  { .model = S_INIT("m"), .way = RESUME_REPLAY, .sent = S_INIT("a"), .tokens_sent = 30 },
	  "{\"max_tokens\":100,\"model\":\"m\"," ASKED "}", "a replay changes nothing" },
	{ CHAT, "{\"model\":\"m\"," ASKED "}", { .model = S_INIT("m"), .as_stream = true, .way = RESUME_NONE },
	  "{\"stream\":true,\"stream_options\":{\"include_usage\":true},\"model\":\"m\"," ASKED "}",
	  "a stream on the client's behalf" },
	{ CHAT, "{\"stream\":false,\"stream_options\":null,\"model\":\"m\"," ASKED "}",
	  { .model = S_INIT("n"), .as_stream = true, .way = RESUME_NONE },
	  "{\"stream\":true,\"stream_options\":{\"include_usage\":true},\"model\":\"n\"," ASKED "}",
	  "what says no is replaced" },
	{ COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"Once\"}",
	  { .model = S_INIT("m"), .way = RESUME_PREFILL, .sent = S_INIT(" \"upon\"") },
	  "{\"model\":\"m\",\"prompt\":\"Once \\\"upon\\\"\"}", "a prompt is made longer" },
	{ COMPLETIONS, "{\"model\":\"m\",\"prompt\":[1,2]}",
	  { .model = S_INIT("m"), .way = RESUME_PREFILL, .sent = S_INIT("a") }, NULL, "tokens are no text" },
	{ COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"a\",\"echo\":true}",
	  { .model = S_INIT("m"), .way = RESUME_PREFILL, .sent = S_INIT("a") }, NULL, "the prompt comes back" },
	{ COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"a\",\"suffix\":\"z\"}",
	  { .model = S_INIT("m"), .way = RESUME_PREFILL, .sent = S_INIT("a") }, NULL, "something follows it" },
};

static struct slice join(struct arena *arena, const struct slice *parts, size_t count)
{
	struct buf all = BUF_INIT(1 << 20);
	struct slice copy;

	for (size_t i = 0; i < count; i++)
		buf_put(&all, parts[i]);
	copy = arena_copy(arena, buf_slice(&all));
	buf_free(&all);
	return copy;
}

static void requests_say_what_is_changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(changes); i++) {
		struct arena *arena = arena_create(0);
		struct buf room = BUF_INIT(1 << 20);
		const struct endpoint *e = endpoint_at("POST", changes[i].path);
		struct slice body = slice_of(changes[i].body), parts[DIALECT_CHANGED_PARTS], whole;
		struct request_facts f = facts_of(arena, e, body);
		size_t count = dialect_openai.change_request(&f, body, &changes[i].c, &room, parts);

		row_holds((count > 0) == (changes[i].changed != NULL), changes[i].says);
		whole = join(arena, parts, count);
		if (count && !is_text(whole, changes[i].changed))
			fail_msg("%s: %.*s", changes[i].says, SLICE_ARG(whole));
		buf_free(&room);
		arena_free(arena);
	}
}

static void the_instruction_stands_behind_the_text(void **state)
{
	struct arena *arena = arena_create(0);
	struct buf room = BUF_INIT(1 << 20), tight = BUF_INIT(20);
	struct slice body = S("{\"model\":\"m\"," ASKED "}"), parts[DIALECT_CHANGED_PARTS], whole, last;
	struct request_changes c = { .model = S("m"), .way = RESUME_INSTRUCT, .sent = S("so far") };
	struct request_facts f = facts_of(arena, endpoint_at("POST", CHAT), body);

	(void)state;
	whole = join(arena, parts, dialect_openai.change_request(&f, body, &c, &room, parts));
	last = json_path(whole, S("messages.1"));
	assert_true(json_string_eq(json_member(last, S("content")), S("so far")));
	last = json_path(whole, S("messages.2"));
	assert_true(json_string_eq(json_member(last, S("role")), S("user")));
	assert_int_equal(dialect_openai.change_request(&f, body, &c, &tight, parts), 0);
	buf_free(&room);
	buf_free(&tight);
	arena_free(arena);
}

/* ---- the events ---------------------------------------------------------------------- */

#define HEAD "\"id\":\"new\",\"object\":\"chat.completion.chunk\",\"created\":2,\"model\":\"n\""
#define OURS "\"id\":\"old\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"o\""
#define GIVES(delta) "\"choices\":[{\"index\":0,\"delta\":{" delta "},\"finish_reason\":null}]"
#define TELLS(delta, finish) \
	"\"choices\":[{\"index\":0,\"delta\":{" delta "},\"logprobs\":null,\"finish_reason\":" finish "}]"

static const struct {
	const char *path, *data;
	struct event_text texts[4];
	unsigned text_count;
	bool retold;
	uint64_t mute;
	int64_t input, output;
	const char *told, *says;
} events[] = {
	{ CHAT, "{" HEAD "," GIVES("\"content\":\"a\"") "}", { { 0 } }, 0, false, 0, 0, 0,
	  "{" OURS "," GIVES("\"content\":\"a\"") "}", "one name for all" },
	{ CHAT, "{" HEAD ",\"system_fingerprint\":\"f2\",\"x\":[1, 2]}", { { 0 } }, 0, false, 0, 0, 0,
	  "{" OURS ",\"system_fingerprint\":null,\"x\":[1, 2]}",
	  "a fingerprint the answer did not have; what is unknown stays" },
	{ CHAT, "{" HEAD ",\n \"choices\":[]}", { { 0 } }, 0, false, 0, 0, 0, "{" OURS ",\"choices\":[]}",
	  "one line" },
	{ CHAT, "{" HEAD ",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,"
	  "\"total_tokens\":15,\"d\":{\"cached_tokens\":3}}}", { { 0 } }, 0, false, 0, 7, 2,
	  "{" OURS ",\"choices\":[],\"usage\":{\"prompt_tokens\":17,\"completion_tokens\":7,"
	  "\"total_tokens\":24,\"d\":{\"cached_tokens\":3}}}", "usage is summed" },
	{ CHAT, "{" HEAD "," GIVES("\"content\":\"far away\"") "}",
	  { { 0, EVENT_NO_CALL, S_INIT("content"), S_INIT(" away") } }, 1, true, 0, 0, 0,
	  "{" OURS "," TELLS("\"content\":\" away\"", "null") "}", "only what is new" },
	{ CHAT, "{" HEAD ",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}",
	  { { 0 } }, 0, true, 0, 0, 0, "{" OURS "," TELLS("", "\"stop\"") "}", "a finish without text" },
	{ CHAT, "{" HEAD ",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}",
	  { { 0 } }, 0, true, 1, 0, 0, "{" OURS ",\"choices\":[]}", "a finish that the client has" },
	{ CHAT, "{" HEAD ",\"choices\":[]}",
	  { { 0, 1, S_INIT("id"), S_INIT("c1") }, { 0, 1, S_INIT("name"), S_INIT("f") },
	    { 0, 1, S_INIT("arguments"), S_INIT("{") }, { 0, 2, S_INIT("arguments"), S_INIT("\"") } },
	  4, true, 0, 0, 0,
	  "{" OURS "," TELLS("\"tool_calls\":[{\"index\":1,\"id\":\"c1\",\"type\":\"function\",\"function\":"
			     "{\"name\":\"f\",\"arguments\":\"{\"}},{\"index\":2,\"function\":"
			     "{\"arguments\":\"\\\"\"}}]", "null") "}", "calls" },
	{ COMPLETIONS, "{\"choices\":[{\"index\":0,\"text\":\"ab\",\"finish_reason\":null}]}",
	  { { 0, EVENT_NO_CALL, S_INIT("text"), S_INIT("b") } }, 1, true, 0, 0, 0,
	  "{\"choices\":[{\"index\":0,\"text\":\"b\",\"logprobs\":null,\"finish_reason\":null}]}",
	  "a completion" },
};

static void events_are_told_under_the_first_name(void **state)
{
	const struct event_identity ours = { S("\"old\""), S("1"), S("\"o\""), SLICE_NONE };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(events); i++) {
		struct buf out = BUF_INIT(1 << 20), tight = BUF_INIT(8);
		struct event_rewrite how = {
			.identity = &ours, .add_input = events[i].input, .add_output = events[i].output,
			.retold = events[i].retold, .texts = events[i].texts,
			.text_count = events[i].text_count, .mute_finished = events[i].mute,
		};
		const struct endpoint *e = endpoint_at("POST", events[i].path);

		assert_true(dialect_openai.rewrite_event(e, slice_of(events[i].data), &how, &out));
		if (!is_text(buf_slice(&out), events[i].told))
			fail_msg("%s: %.*s", events[i].says, SLICE_ARG(buf_slice(&out)));
		assert_false(dialect_openai.rewrite_event(e, slice_of(events[i].data), &how, &tight));
		assert_int_equal(buf_len(&tight), 0);
		buf_free(&out);
		buf_free(&tight);
	}
}

static void identity_is_read_as_it_stands(void **state)
{
	struct event_identity i;

	(void)state;
	dialect_openai.read_identity(S("{\"model\":\"m\",\"id\":\"x\\u0031\",\"created\":12}"), &i);
	assert_true(is_text(i.id, "\"x\\u0031\""));
	assert_true(is_text(i.created, "12"));
	assert_true(is_text(i.model, "\"m\""));
	assert_int_equal(i.fingerprint.len, 0);
	dialect_openai.read_identity(S("nonsense"), &i);
	assert_int_equal(i.id.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_way_fits_the_request),
		cmocka_unit_test(requests_say_what_is_changed),
		cmocka_unit_test(the_instruction_stands_behind_the_text),
		cmocka_unit_test(events_are_told_under_the_first_name),
		cmocka_unit_test(identity_is_read_as_it_stands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
