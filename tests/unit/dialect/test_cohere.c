/* Cohere's v2 chat and embed: requests as they are written, answers and streams as
 * they are read, errors as what they mean. */
#include "backend.h"

#define HEAD "\"model\":\"command-a\",\"stream\":false,"
#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define HI_OUT "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]}]"
#define F(more) "{\"type\":\"function\",\"function\":{\"name\":\"f\"" more "}}"
#define F_OUT "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"," \
	"\"properties\":{}}}}"

static const struct { const char *in, *out, *says; } requests[] = {
	{ "{" HI "}", "{" HEAD HI_OUT "}", "the least" },
	{ "{\"messages\":[{\"role\":\"developer\",\"content\":\"Be\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
	  "\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x\",\"detail\":\"low\"}},"
	  "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,QUJD\"}}]},"
	  "{\"role\":\"assistant\",\"content\":\"b\"}]}",
	  "{" HEAD "\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"Be\"}]},"
	  "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image_url\",\"image_url\":"
	  "{\"url\":\"https://x\",\"detail\":\"low\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	  "\"data:image/png;base64,QUJD\"}}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"b\"}]}]}",
	  "roles and pictures" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"reasoning_content\":\"hm\","
	  "\"content\":null,\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
	  "\"arguments\":\"\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"}]}",
	  "{" HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]},"
	  "{\"role\":\"assistant\",\"tool_plan\":\"hm\",\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
	  "\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"c1\","
	  "\"content\":[{\"type\":\"text\",\"text\":\"one\"}]}]}", "a round of calls, with its plan" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"reasoning_content\":\"hm\","
	  "\"content\":\"b\"},{\"role\":\"user\",\"content\":\"c\"}]}",
	  "{" HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]},"
	  "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":\"text\","
	  "\"text\":\"b\"}]},{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"c\"}]}]}", "thinking" },
	{ "{" HI ",\"tools\":[" F("") "]}", "{" HEAD HI_OUT ",\"tools\":[" F_OUT "]}", "a tool" },
	{ "{" HI ",\"tools\":[" F(",\"strict\":true") "],\"tool_choice\":\"required\"}",
	  "{" HEAD HI_OUT ",\"tools\":[" F_OUT "],\"strict_tools\":true,\"tool_choice\":\"REQUIRED\"}", "strict, wanted" },
	{ "{" HI ",\"tools\":[" F("") "],\"tool_choice\":\"none\"}",
	  "{" HEAD HI_OUT ",\"tools\":[" F_OUT "],\"tool_choice\":\"NONE\"}", "not wanted" },
	{ "{" HI ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"g\"}}," F("") "],"
	  "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}",
	  "{" HEAD HI_OUT ",\"tools\":[" F_OUT "],\"tool_choice\":\"REQUIRED\"}", "this one: no other is offered" },
	{ "{" HI ",\"response_format\":{\"type\":\"json_object\"}}",
	  "{" HEAD HI_OUT ",\"response_format\":{\"type\":\"json_object\"}}", "JSON" },
	{ "{" HI ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":"
	  "\"object\"}}}}",
	  "{" HEAD HI_OUT ",\"response_format\":{\"type\":\"json_object\",\"json_schema\":{\"type\":\"object\"}}}",
	  "by a schema" },
	{ "{" HI ",\"max_tokens\":5,\"temperature\":0.5,\"top_p\":0.25,\"top_k\":3,\"presence_penalty\":0.1,"
	  "\"frequency_penalty\":0.2,\"seed\":7,\"stop\":\"x\",\"logprobs\":true}",
	  "{" HEAD HI_OUT ",\"max_tokens\":5,\"temperature\":0.5,\"p\":0.25,\"k\":3,\"presence_penalty\":0.1,"
	  "\"frequency_penalty\":0.2,\"seed\":7,\"logprobs\":true,\"stop_sequences\":[\"x\"]}", "sampling" },
	{ "{" HI ",\"reasoning_effort\":\"low\"}",
	  "{" HEAD HI_OUT ",\"thinking\":{\"type\":\"enabled\",\"token_budget\":2048}}", "thinking a little" },
	{ "{" HI ",\"reasoning_effort\":\"high\"}", "{" HEAD HI_OUT ",\"thinking\":{\"type\":\"enabled\"}}", "much" },
	{ "{" HI ",\"reasoning_effort\":\"none\"}", "{" HEAD HI_OUT ",\"thinking\":{\"type\":\"disabled\"}}", "not" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"filename\":\"a.pdf\","
	  "\"file_data\":\"data:application/pdf;base64,QUJD\"}},{\"type\":\"text\",\"text\":\"?\"}]}]}", "(cannot)",
	  "documents are text" },
};

static void writes_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		struct buf got = written_with(&codec_cohere_chat, requests[i].in, "command-a", false, RESUME_NONE, "");

		words_are(&got, requests[i].out, requests[i].says);
	}
}

/* A document as text stands beside the conversation. */
static void writes_documents(void **state)
{
	struct arena *arena = arena_create(0);
	struct canon_request *r = canon_request_new(arena);
	struct canon_message *m = canon_add_message(arena, r, NULL, CANON_USER);
	struct canon_part *p = canon_add_part(arena, &m->parts, NULL, CANON_PART_DOCUMENT);
	struct codec_target target = { .model = S("m"), .stream = true, .vendor = vendor_find(S("cohere"), S(""), S("")) };
	struct buf out = BUF_INIT(4096);

	(void)state;
	p->text = S("\"the text\"");
	p->media.name = S("\"a title\"");
	canon_add_part(arena, &m->parts, p, CANON_PART_TEXT)->text = S("\"?\"");
	assert_true(codec_cohere_chat.write_request(arena, r, &target, &out));
	words_are(&out, "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\","
		  "\"text\":\"?\"}]}],\"documents\":[{\"data\":{\"title\":\"a title\",\"text\":\"the text\"}}]}", "documents");
	arena_free(arena);
}

static void goes_on_with_what_broke_off(void **state)
{
	static const struct { enum resume_way way; const char *out; } rows[] = {
		{ RESUME_REPLAY, "{" HEAD HI_OUT "}" },
		{ RESUME_INSTRUCT, "{" HEAD "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]},"
		  "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"Hel\"}]},"
		  "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":" CANON_GO_ON "}]}]}" },
		{ RESUME_PREFILL, "(cannot)" }, { RESUME_PREFIX, "(cannot)" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf got = written_with(&codec_cohere_chat, "{" HI "}", "command-a", false, rows[i].way, "Hel");

		words_are(&got, rows[i].out, "the rest");
	}
}

/* ---- answers ------------------------------------------------------------------------- */

#define USAGE "\"usage\":{\"billed_units\":{\"input_tokens\":1,\"output_tokens\":2},\"tokens\":" \
	"{\"input_tokens\":3,\"output_tokens\":4.0},\"cached_tokens\":2}"
#define USED "usage(3+4 cached 2 written 0) done"
#define ANSWER(message, finish) "{\"id\":\"i\",\"message\":{\"role\":\"assistant\"," message "}," \
	"\"finish_reason\":\"" finish "\"," USAGE "}"

static const struct { const char *body, *words, *says; } answers[] = {
	{ ANSWER("\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]", "COMPLETE"), "start(\"i\") text(Hi) stop() " USED, "text" },
	{ ANSWER("\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},{\"type\":\"text\",\"text\":\"Hi\"}]", "MAX_TOKENS"),
	  "start(\"i\") thinks(hm) text(Hi) length() " USED, "thinking, and cut short" },
	{ ANSWER("\"tool_plan\":\"I will\",\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
		 "\"arguments\":\"{\\\"a\\\":1}\"}},{\"id\":\"d\",\"type\":\"function\",\"function\":{\"name\":\"g\","
		 "\"arguments\":\"null\"}}]", "TOOL_CALL"),
	  "start(\"i\") thinks(I will) call0(c f) args0({\\\"a\\\":1}) call1(d g) args1({}) tool_calls() " USED,
	  "calls; one without arguments" },
	{ ANSWER("\"content\":[{\"type\":\"text\",\"text\":\"x\"}],\"citations\":[{\"start\":0,\"end\":1,\"text\":\"x\","
		 "\"sources\":[{\"type\":\"document\",\"document\":{\"title\":\"t\",\"url\":\"https://u\"}}]}]", "STOP_SEQUENCE"),
	  "start(\"i\") text(x) cites(x|t|https://u) stop() " USED, "citations, a stop word" },
	{ ANSWER("\"content\":[]", "ERROR_TOXIC"), "start(\"i\") content_filter() " USED, "a filter" },
	{ ANSWER("\"content\":[]", "ERROR"), "start(\"i\") error(server_error|ERROR|the backend gave up in the middle of its "
	  "answer) server_error", "an error in a 200 (S19)" },
	{ "{\"id\":\"i\",\"message\":{\"content\":\"Hi\"},\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":"
	  "{\"input_tokens\":1,\"output_tokens\":2}},\"logprobs\":[{\"text\":\"Hi\",\"token_ids\":[1,2],\"logprobs\":"
	  "[-0.5,-0.25]}]}",
	  "start(\"i\") text(Hi) 0:[{\"token\":\"Hi\",\"logprob\":-0.75,\"bytes\":null,\"top_logprobs\":[]}] stop() "
	  "usage(1+2 cached 0 written 0) done", "what is paid for, where there is no other count; probabilities" },
	{ "{\"id\":\"i\",\"message\":{\"content\":[]}}", "bad_answer", "without a reason for its end" },
	{ "{\"finish_reason\":\"COMPLETE\"}", "bad_answer", "without a message" },
	{ "{\"id\"", "bad_answer", "half of one" },
};

static void reads_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct buf got = answer_words(&codec_cohere_chat, answers[i].body);

		words_are(&got, answers[i].words, answers[i].says);
	}
}

/* ---- streams --------------------------------------------------------------------------- */

#define BEGIN "message-start {\"id\":\"i\",\"type\":\"message-start\",\"delta\":{\"message\":{\"role\":\"assistant\"}}}\n"
#define OPEN(kind) "content-start {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"" \
	kind "\",\"" kind "\":\"\"}}}}\n"
#define TEXT(t) "content-delta {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"" t \
	"\"}}}}\n"
#define SHUT "content-end {\"type\":\"content-end\",\"index\":0}\n"
#define CALL(i, id, name, args) "tool-call-start {\"type\":\"tool-call-start\",\"index\":" i ",\"delta\":{\"message\":" \
	"{\"tool_calls\":{\"id\":\"" id "\",\"type\":\"function\",\"function\":{\"name\":\"" name "\",\"arguments\":\"" args \
	"\"}}}}}\n"
#define ARGS(i, t) "tool-call-delta {\"type\":\"tool-call-delta\",\"index\":" i ",\"delta\":{\"message\":{\"tool_calls\":" \
	"{\"function\":{\"arguments\":\"" t "\"}}}}}\n"
#define CALLED(i) "tool-call-end {\"type\":\"tool-call-end\",\"index\":" i "}\n"
#define END(f) "message-end {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"" f "\"," USAGE "}}\n"
#define ENDED "usage(3+4 cached 2 written 0) "

static const struct { const char *lines, *words, *says; } streams[] = {
	{ BEGIN OPEN("text") TEXT("He") TEXT("llo") SHUT END("COMPLETE") "- [DONE]\n",
	  "start(\"i\") text(He) text(llo) " ENDED "stop() done", "text" },
	{ BEGIN TEXT("x"), "start(\"i\") text(x) cut", "no end (E11)" },
	{ BEGIN, "start(\"i\") bad_answer", "nothing said" },
	{ BEGIN OPEN("thinking") "content-delta {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":"
	  "{\"thinking\":\"hm\"}}}}\n" SHUT TEXT("x") END("MAX_TOKENS"),
	  "start(\"i\") thinks(hm) text(x) " ENDED "length() done", "thinking" },
	{ BEGIN "tool-plan-delta {\"type\":\"tool-plan-delta\",\"delta\":{\"message\":{\"tool_plan\":\"I will\"}}}\n"
	  CALL("0", "c", "f", "") ARGS("0", "{\\\"a\\\"") ARGS("0", ":1}") CALLED("0") CALL("1", "d", "g", "") CALLED("1")
	  CALL("2", "e", "h", "") ARGS("2", "null") CALLED("2") END("TOOL_CALL"),
	  "start(\"i\") thinks(I will) call0(c f) args0({\\\"a\\\") args0(:1}) call1(d g) args1({}) call2(e h) args2({}) "
	  ENDED "tool_calls() done", "calls" },
	{ BEGIN CALL("0", "c", "f", "{}") END("COMPLETE"), "start(\"i\") call0(c f) args0({}) " ENDED "tool_calls() done",
	  "all at once, and a reason that contradicts it (E26, E27)" },
	{ BEGIN TEXT("x") "citation-start {\"type\":\"citation-start\",\"index\":0,\"delta\":{\"message\":{\"citations\":"
	  "{\"text\":\"x\",\"sources\":[{\"type\":\"document\",\"document\":{\"title\":\"t\"}}]}}}}\n"
	  "citation-end {\"type\":\"citation-end\",\"index\":0}\n" END("COMPLETE"),
	  "start(\"i\") text(x) cites(x|t|) " ENDED "stop() done", "citations" },
	{ BEGIN "debug {\"type\":\"debug\",\"prompt\":\"x\"}\n" TEXT("x") END("COMPLETE"),
	  "start(\"i\") text(x) " ENDED "stop() done", "unknown events are ignored (E29)" },
	{ BEGIN TEXT("x") "content-delta {\"type\":\n",
	  "start(\"i\") text(x) error(bad_answer||an event of the stream is no JSON object)", "broken JSON (E33)" },
	{ BEGIN TEXT("x") "message-end {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"ERROR\",\"error\":\"it broke\"}}\n",
	  "start(\"i\") text(x) error(server_error|ERROR|it broke)", "an error at the end" },
	{ BEGIN TEXT("x") END("TIMEOUT"), "start(\"i\") text(x) " ENDED
	  "error(server_error|TIMEOUT|the backend gave up in the middle of its answer)", "out of time" },
	{ "- {\"message\":\"it broke\"}\n", "error(server_error||it broke)", "an error without a type, first (E01)" },
	{ BEGIN "- {\"x\":1}\n", "start(\"i\") error(bad_answer||an event of the stream says not what it is)", "nonsense" },
};

static void reads_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		struct buf got = stream_words(&codec_cohere_chat, slice_of(streams[i].lines));

		words_are(&got, streams[i].words, streams[i].says);
	}
}

/* ---- embeddings ---------------------------------------------------------------------------- */

static struct buf written_embed(const char *const *inputs, bool base64, int64_t dimensions, const char *purpose)
{
	struct codec_target target = { .model = S("embed-v4.0"), .vendor = vendor_find(S("cohere"), S(""), S("")) };
	struct arena *arena = arena_create(0);
	struct canon_request *r = canon_request_new(arena);
	struct canon_text *last = NULL;
	struct buf out = BUF_INIT(4096);

	for (; *inputs; inputs++)
		last = canon_add_text(arena, &r->inputs, last, slice_of(*inputs));
	r->base64 = base64;
	r->dimensions = dimensions;
	r->purpose = slice_of(purpose);
	if (!codec_cohere_embed.write_request(arena, r, &target, &out))
		buf_puts(&out, "(cannot)");
	arena_free(arena);
	return out;
}

static void embeds(void **state)
{
	static const char *const texts[] = { "\"a\"", "\"b\\n\"", NULL }, *const tokens[] = { "[1,2]", NULL };
	struct buf got = written_embed(texts, false, -1, NULL);

	(void)state;
	words_are(&got, "{\"model\":\"embed-v4.0\",\"input_type\":\"search_document\",\"texts\":[\"a\",\"b\\n\"],"
		  "\"embedding_types\":[\"float\"]}", "texts");
	got = written_embed(texts, true, 256, "query");
	words_are(&got, "{\"model\":\"embed-v4.0\",\"input_type\":\"search_query\",\"texts\":[\"a\",\"b\\n\"],"
		  "\"embedding_types\":[\"base64\"],\"output_dimension\":256}", "as base64, short, for a query");
	got = written_embed(tokens, false, -1, NULL);
	words_are(&got, "(cannot)", "another model's tokens");
	got = answer_words(&codec_cohere_embed, "{\"id\":\"i\",\"embeddings\":{\"float\":[[0.5,1],[2]]},\"texts\":[\"a\",\"b\"],"
			   "\"meta\":{\"billed_units\":{\"input_tokens\":3}}}");
	words_are(&got, "start(\"i\") 0:[0.5,1] 1:[2] usage(3+0 cached 0 written 0) done", "vectors");
	got = answer_words(&codec_cohere_embed, "{\"id\":\"i\",\"embeddings\":{\"base64\":[\"AAAA\"]}}");
	words_are(&got, "start(\"i\") 0:\"AAAA\" done", "base64");
	got = answer_words(&codec_cohere_embed, "{\"id\":\"i\",\"embeddings\":{}}");
	words_are(&got, "bad_answer", "none");
}

/* ---- errors ------------------------------------------------------------------------------ */

static const struct { int status; const char *body; enum fault fault; const char *message; } errors[] = {
	{ 400, "{\"message\":\"invalid request: all elements in history must have a message.\"}", FAULT_CALLER,
	  "invalid request: all elements in history must have a message." },
	{ 400, "{\"message\":\"too many tokens: size limit exceeded by 9 tokens\"}", FAULT_CONTEXT,
	  "too many tokens: size limit exceeded by 9 tokens" },
	{ 401, "{\"message\":\"invalid api token\"}", FAULT_CREDENTIAL, "invalid api token" },
	{ 402, "{\"message\":\"Please add or update your payment method to continue\"}", FAULT_NO_MONEY,
	  "Please add or update your payment method to continue" },
	{ 404, "{\"id\":\"x\",\"message\":\"model 'y' not found, make sure the correct model ID was used\"}", FAULT_MODEL_GONE,
	  "model 'y' not found, make sure the correct model ID was used" },
	{ 422, "{\"message\":\"m\"}", FAULT_CALLER, "m" },
	{ 429, "{\"message\":\"You are using a Trial key, which is limited to 20 API calls / minute.\"}", FAULT_RATE_LIMITED,
	  "You are using a Trial key, which is limited to 20 API calls / minute." },
	{ 429, "{\"message\":\"You are using a Trial key, which is limited to 1000 API calls / month.\"}", FAULT_NO_MONEY,
	  "You are using a Trial key, which is limited to 1000 API calls / month." },
	{ 498, "{\"message\":\"blocked\"}", FAULT_POLICY, "blocked" },
	{ 499, "{\"message\":\"cancelled\"}", FAULT_SERVER_ERROR, "cancelled" },
	{ 500, "{\"message\":\"m\"}", FAULT_SERVER_ERROR, "m" },
	{ 503, "{\"message\":\"m\"}", FAULT_OVERLOADED, "m" },
	{ 502, "<html>", FAULT_SERVER_ERROR, NULL },
	{ 200, "{}", FAULT_BAD_ANSWER, NULL },
	{ 200, ANSWER("\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}]", "COMPLETE"), FAULT_NONE, NULL },
};

static void judges_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct arena *arena = arena_create(0);
		struct h1_head head = head_of("");
		struct answer_facts out;

		dialect_cohere.judge_answer(arena, endpoint_at("POST", CHAT), errors[i].status, &head,
					    slice_of(errors[i].body), 0, &out);
		if (out.fault != errors[i].fault || !is_text(out.message, errors[i].message))
			fail_msg("%d %s: %s %.*s", errors[i].status, errors[i].body, fault_row(out.fault)->name,
				 SLICE_ARG(out.message));
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_requests),
		cmocka_unit_test(writes_documents),
		cmocka_unit_test(goes_on_with_what_broke_off),
		cmocka_unit_test(reads_answers),
		cmocka_unit_test(reads_streams),
		cmocka_unit_test(embeds),
		cmocka_unit_test(judges_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
