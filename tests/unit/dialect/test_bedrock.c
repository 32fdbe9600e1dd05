/* Bedrock's Converse: requests as they are written, answers and streams as they
 * are read, errors as what they mean. */
#include "backend.h"

#define CLAUDE "us.anthropic.claude-sonnet-4-6-v1:0"
#define CLAUDE_45 "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
#define NOVA "amazon.nova-pro-v1:0"
#define LLAMA "meta.llama3-3-70b-instruct-v1:0"
#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]"
#define HI_OUT "\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}]"
#define TOOL "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"does\"," \
	"\"parameters\":{\"type\":\"object\"}}}"
#define TOOL_OUT "{\"toolSpec\":{\"name\":\"f\",\"description\":\"does\"," \
	"\"inputSchema\":{\"json\":{\"type\":\"object\"}}}}"
#define CALLED "{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":null," \
	"\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\"," \
	"\"arguments\":\"{\\\"a\\\": 1}\"}},{\"id\":\"c 2\",\"type\":\"function\"," \
	"\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]}," \
	"{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"one\"}," \
	"{\"role\":\"tool\",\"tool_call_id\":\"c 2\",\"content\":\"\"}"
#define CALLED_OUT "{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]}," \
	"{\"role\":\"assistant\",\"content\":[{\"toolUse\":{\"toolUseId\":\"c1\",\"name\":\"f\"," \
	"\"input\":{\"a\": 1}}},{\"toolUse\":{\"toolUseId\":\"call_3170944bfbce5d66\",\"name\":\"g\",\"input\":{}}}]}," \
	"{\"role\":\"user\",\"content\":[{\"toolResult\":{\"toolUseId\":\"c1\"," \
	"\"content\":[{\"text\":\"one\"}]}},{\"toolResult\":{\"toolUseId\":\"call_3170944bfbce5d66\",\"content\":[]}}"

static const struct {
	const char *in, *model, *out, *says;
} requests[] = {
	{ "{" HI "}", LLAMA, "{" HI_OUT "}", "the least" },
	{ "{\"messages\":[{\"role\":\"system\",\"content\":\"Be\"},{\"role\":\"user\",\"content\":\"a\"},"
	  "{\"role\":\"developer\",\"content\":\"brief\"},{\"role\":\"user\",\"content\":[{\"type\":\"text\","
	  "\"text\":\"b\"}]},{\"role\":\"assistant\",\"content\":\"c\"},{\"role\":\"user\",\"content\":\"d\"}]}",
	  LLAMA,
	  "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"},{\"text\":\"b\"}]},"
	  "{\"role\":\"assistant\",\"content\":[{\"text\":\"c\"}]},{\"role\":\"user\",\"content\":[{\"text\":\"d\"}]}],"
	  "\"system\":[{\"text\":\"Be\"},{\"text\":\"brief\"}]}",
	  "instructions are gathered, and roles take turns" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":\" \\n\"},{\"role\":\"assistant\",\"content\":\"\"},"
	  "{\"role\":\"user\",\"content\":\"a\\tb\"}]}", LLAMA,
	  "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\\tb\"}]}]}",
	  "blank texts are left out, which the API refuses" },
	{ "{" HI ",\"max_tokens\":5,\"temperature\":0.5,\"top_p\":0.25,\"stop\":[\"x\",\"y\"]}", LLAMA,
	  "{" HI_OUT ",\"inferenceConfig\":{\"maxTokens\":5,\"temperature\":0.5,\"topP\":0.25,"
	  "\"stopSequences\":[\"x\",\"y\"]}}", "inference" },
	{ "{" HI ",\"stop\":\"x\"}", CLAUDE,
	  "{" HI_OUT ",\"inferenceConfig\":{\"stopSequences\":[\"x\"]},"
	  "\"additionalModelResponseFieldPaths\":[\"/stop_sequence\"]}", "Claude tells which word it was" },
	{ "{" HI ",\"tools\":[" TOOL "]}", LLAMA, "{" HI_OUT ",\"toolConfig\":{\"tools\":[" TOOL_OUT "]}}", "a tool" },
	{ "{" HI ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"strict\":true}}],"
	  "\"tool_choice\":\"required\"}", LLAMA,
	  "{" HI_OUT ",\"toolConfig\":{\"tools\":[{\"toolSpec\":{\"name\":\"f\",\"inputSchema\":{\"json\":"
	  "{\"type\":\"object\",\"properties\":{}}},\"strict\":true}}],\"toolChoice\":{\"any\":{}}}}",
	  "strict, without parameters, one is wanted" },
	{ "{" HI ",\"tools\":[" TOOL "],\"tool_choice\":\"auto\"}", LLAMA,
	  "{" HI_OUT ",\"toolConfig\":{\"tools\":[" TOOL_OUT "],\"toolChoice\":{\"auto\":{}}}}", "as it likes" },
	{ "{" HI ",\"tools\":[" TOOL "],\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}", LLAMA,
	  "{" HI_OUT ",\"toolConfig\":{\"tools\":[" TOOL_OUT "],\"toolChoice\":{\"tool\":{\"name\":\"f\"}}}}", "this one" },
	{ "{" HI ",\"tools\":[" TOOL "],\"tool_choice\":\"none\"}", LLAMA, "{" HI_OUT "}",
	  "no tool may be called: none is offered" },
	{ "{\"messages\":[" CALLED "],\"tools\":[" TOOL "],\"tool_choice\":\"none\"}", LLAMA, "(cannot)",
	  "which cannot be said where the conversation has calls" },
	{ "{\"messages\":[" CALLED "],\"tools\":[" TOOL "]}", LLAMA,
	  "{\"messages\":[" CALLED_OUT "]}],\"toolConfig\":{\"tools\":[" TOOL_OUT "]}}",
	  "a round of calls; odd ids are replaced, results stand together" },
	{ "{\"messages\":[" CALLED ",{\"role\":\"user\",\"content\":\"so\"}]}", LLAMA,
	  "{\"messages\":[" CALLED_OUT ",{\"text\":\"so\"}]}],\"toolConfig\":{\"tools\":["
	  "{\"toolSpec\":{\"name\":\"f\",\"inputSchema\":{\"json\":{\"type\":\"object\",\"properties\":{}}}}},"
	  "{\"toolSpec\":{\"name\":\"g\",\"inputSchema\":{\"json\":{\"type\":\"object\",\"properties\":{}}}}}]}}",
	  "tools that are called in the conversation must be defined" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
	  "\"data:image/jpg;base64,QUJD\"}},{\"type\":\"image_url\",\"image_url\":{\"url\":\"https://x/y\"}},"
	  "{\"type\":\"text\",\"text\":\"What?\"}]}]}", LLAMA,
	  "{\"messages\":[{\"role\":\"user\",\"content\":[{\"image\":{\"format\":\"jpeg\",\"source\":{\"bytes\":"
	  "\"QUJD\"}}},{\"text\":\"What?\"}]}]}", "a picture; one by URL is not in `carries`, and left out" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"filename\":\"a_b..c.pdf\","
	  "\"file_data\":\"data:application/pdf;base64,QUJD\"}},{\"type\":\"file\",\"file\":{\"filename\":"
	  "\"a b c pdf\",\"file_data\":\"data:application/pdf;base64,QUJE\"}},{\"type\":\"text\",\"text\":\"?\"}]}]}",
	  LLAMA,
	  "{\"messages\":[{\"role\":\"user\",\"content\":[{\"document\":{\"format\":\"pdf\",\"name\":\"a b c pdf\","
	  "\"source\":{\"bytes\":\"QUJD\"}}},{\"document\":{\"format\":\"pdf\",\"name\":\"a b c pdf (2)\","
	  "\"source\":{\"bytes\":\"QUJE\"}}},{\"text\":\"?\"}]}]}", "documents with names that are allowed and differ" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"QUJD\","
	  "\"format\":\"mp3\"}}]}]}", LLAMA,
	  "{\"messages\":[{\"role\":\"user\",\"content\":[{\"audio\":{\"format\":\"mp3\",\"source\":{\"bytes\":"
	  "\"QUJD\"}}}]}]}", "sound" },
	{ "{" HI ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"n\",\"description\":\"d\","
	  "\"schema\":{\"type\":\"object\"},\"strict\":true}}}", CLAUDE,
	  "{" HI_OUT ",\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":"
	  "{\"schema\":\"{\\\"type\\\":\\\"object\\\"}\",\"name\":\"n\",\"description\":\"d\"}}}}}",
	  "a schema, as text" },
	{ "{" HI ",\"reasoning_effort\":\"high\"}", CLAUDE,
	  "{" HI_OUT ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"adaptive\"}},"
	  "\"outputConfig\":{\"effort\":\"high\"}}", "Claude thinks as much as asked" },
	{ "{" HI ",\"reasoning_effort\":\"low\"}", CLAUDE_45,
	  "{" HI_OUT ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}}}",
	  "an older one within a budget" },
	{ "{" HI ",\"reasoning_effort\":\"high\",\"max_completion_tokens\":4000}", CLAUDE_45,
	  "{" HI_OUT ",\"inferenceConfig\":{\"maxTokens\":4000},\"additionalModelRequestFields\":"
	  "{\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}}}", "which leaves room for an answer" },
	{ "{" HI ",\"reasoning_effort\":\"none\"}", CLAUDE,
	  "{" HI_OUT ",\"additionalModelRequestFields\":{\"thinking\":{\"type\":\"disabled\"}}}", "or does not think" },
	{ "{\"messages\":[" CALLED "],\"tools\":[" TOOL "],\"reasoning_effort\":\"low\"}", CLAUDE_45,
	  "{\"messages\":[" CALLED_OUT "]}],\"toolConfig\":{\"tools\":[" TOOL_OUT "]}}",
	  "it cannot think on where another vendor's model made the call" },
	{ "{" HI ",\"reasoning_effort\":\"minimal\"}", NOVA,
	  "{" HI_OUT ",\"additionalModelRequestFields\":{\"reasoningConfig\":{\"type\":\"enabled\","
	  "\"maxReasoningEffort\":\"low\"}}}", "Nova" },
	{ "{" HI ",\"reasoning_effort\":\"medium\"}", "openai.gpt-oss-120b-1:0",
	  "{" HI_OUT ",\"additionalModelRequestFields\":{\"reasoning_effort\":\"medium\"}}", "OpenAI's open models" },
	{ "{" HI ",\"reasoning_effort\":\"high\"}", "deepseek.v3-v1:0", "{" HI_OUT ",\"outputConfig\":{\"effort\":\"high\"}}",
	  "others in the API's own words" },
	{ "{" HI ",\"top_k\":3}", CLAUDE, "{" HI_OUT ",\"additionalModelRequestFields\":{\"top_k\":3}}", "top_k of Claude" },
	{ "{" HI ",\"top_k\":3}", NOVA,
	  "{" HI_OUT ",\"additionalModelRequestFields\":{\"inferenceConfig\":{\"topK\":3}}}", "of Nova" },
	{ "{" HI ",\"metadata\":{\"a\":\"b\",\"c\":\"d\\\"\",\"e\":\"f@g\"},\"service_tier\":\"flex\"}", LLAMA,
	  "{" HI_OUT ",\"requestMetadata\":{\"a\":\"b\",\"e\":\"f@g\"},\"serviceTier\":{\"type\":\"flex\"}}",
	  "notes that fit, and the tier" },
	{ "{" HI ",\"metadata\":{\"c\":\"\\u00e4\"},\"service_tier\":\"auto\"}", LLAMA, "{" HI_OUT "}",
	  "what does not fit is left out" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":"
	  "{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]}]}", CLAUDE,
	  "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"},{\"cachePoint\":{\"type\":\"default\","
	  "\"ttl\":\"1h\"}}]}]}", "cache points where they are known" },
	{ "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\",\"cache_control\":"
	  "{\"type\":\"ephemeral\"}}]}]}", LLAMA,
	  "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"}]}]}", "and nowhere else" },
};

static void writes_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(requests); i++) {
		struct buf got = written_with(&codec_bedrock_converse, requests[i].in, requests[i].model, false,
					      RESUME_NONE, "");

		words_are(&got, requests[i].out, requests[i].says);
	}
}

static void goes_on_with_what_broke_off(void **state)
{
	static const struct { enum resume_way way; const char *out; } rows[] = {
		{ RESUME_REPLAY, "{" HI_OUT "}" },
		{ RESUME_PREFILL, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]},"
		  "{\"role\":\"assistant\",\"content\":[{\"text\":\"Hel\\\"\"}]}]}" },
		{ RESUME_INSTRUCT, "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"Hi\"}]},"
		  "{\"role\":\"assistant\",\"content\":[{\"text\":\"Hel\\\"\"}]},"
		  "{\"role\":\"user\",\"content\":[{\"text\":" CANON_GO_ON "}]}]}" },
		{ RESUME_PREFIX, "(cannot)" }, { RESUME_CONTINUE_FINAL, "(cannot)" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf got = written_with(&codec_bedrock_converse, "{" HI "}", CLAUDE, true, rows[i].way, "Hel\"");

		words_are(&got, rows[i].out, "the rest");
	}
}

/* Thinking that Claude signed comes back to it, whoever served it. */
static void sends_proven_thinking_back(void **state)
{
	static const struct { const char *vendor, *model; bool sealed; const char *out; } rows[] = {
		{ "anthropic", CLAUDE, false, "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"sig\"}}}" },
		{ "bedrock", CLAUDE, false, "{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"sig\"}}}" },
		{ "bedrock", CLAUDE, true, "{\"reasoningContent\":{\"redactedContent\":\"sig\"}}" },
		{ "anthropic", CLAUDE, true, "" }, { "gemini", CLAUDE, false, "" }, { "anthropic", NOVA, false, "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r = canon_request_new(arena);
		struct canon_message *m = canon_add_message(arena, r, NULL, CANON_ASSISTANT);
		struct canon_part *p = canon_add_part(arena, &m->parts, NULL, CANON_PART_REASONING);
		struct codec_target target = { .model = slice_of(rows[i].model),
					       .vendor = vendor_find(S("bedrock"), S(""), S("")) };
		struct buf out = BUF_INIT(4096);
		struct slice expected = arena_printf(arena, "{\"messages\":[%s%s%s]}",
			rows[i].out[0] ? "{\"role\":\"assistant\",\"content\":[" : "", rows[i].out,
			rows[i].out[0] ? "]}" : "");

		p->vendor = slice_of(rows[i].vendor);
		if (rows[i].sealed) {
			p->encrypted = S("\"sig\"");
		} else {
			p->text = S("\"hm\"");
			p->signature = S("\"sig\"");
		}
		assert_true(codec_bedrock_converse.write_request(arena, r, &target, &out));
		words_are(&out, expected.at, rows[i].vendor);
		arena_free(arena);
	}
}

/* Guardrails and the like stand in the config. */
static void says_what_the_config_wants(void **state)
{
	struct arena *arena = arena_create(0);
	struct codec_target target = { .model = S(LLAMA), .vendor = vendor_find(S("bedrock"), S(""), S("")),
				       .more_members = S("\"performanceConfig\":{\"latency\":\"optimized\"}") };
	struct buf out = BUF_INIT(4096);

	(void)state;
	assert_true(codec_bedrock_converse.write_request(arena, canon_request_new(arena), &target, &out));
	words_are(&out, "{\"messages\":[],\"performanceConfig\":{\"latency\":\"optimized\"}}", "members");
	arena_free(arena);
}

static void counts_a_conversation(void **state)
{
	struct buf got = written_with(&codec_bedrock_count, "{" HI ",\"max_tokens\":5}", CLAUDE, false, RESUME_NONE, "");

	(void)state;
	words_are(&got, "{\"input\":{\"converse\":{" HI_OUT "}}}", "count");
	got = answer_words(&codec_bedrock_count, "{\"inputTokens\":12}");
	words_are(&got, "start() usage(12+0 cached 0 written 0) done", "counted");
	got = answer_words(&codec_bedrock_count, "{}");
	words_are(&got, "bad_answer", "no count");
}

/* ---- answers ------------------------------------------------------------------------- */

#define ANSWER(content, stop) "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[" content "]}}," \
	"\"stopReason\":\"" stop "\",\"usage\":{\"inputTokens\":3,\"outputTokens\":4,\"totalTokens\":7}}"
#define USED "usage(3+4 cached 0 written 0) done"

static const struct { const char *body, *words, *says; } answers[] = {
	{ ANSWER("{\"text\":\"Hi\"}", "end_turn"), "start() text(Hi) stop() " USED, "text" },
	{ ANSWER("{\"text\":\"\"}", "max_tokens"), "start() length() " USED, "an empty one that is legal (S25)" },
	{ ANSWER("{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}}},"
		 "{\"toolUse\":{\"toolUseId\":\"u\",\"name\":\"g\"}}", "tool_use"),
	  "start() call0(t f) args0({\\\"a\\\":1}) call1(u g) args1({}) tool_calls() " USED, "calls" },
	{ ANSWER("{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"f\",\"input\":{}}}", "end_turn"),
	  "start() call0(t f) args0({}) tool_calls() " USED, "a reason that contradicts the calls (E26)" },
	{ ANSWER("{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"web\",\"type\":\"server_tool_use\",\"input\":{}}},"
		 "{\"text\":\"x\"}", "end_turn"), "start() text(x) stop() " USED, "a tool the vendor runs is not the client's" },
	{ ANSWER("{\"reasoningContent\":{\"reasoningText\":{\"text\":\"hm\",\"signature\":\"s\"}}},"
		 "{\"reasoningContent\":{\"redactedContent\":\"cg==\"}},{\"text\":\"x\"}", "end_turn"),
	  "start() thinks(hm) anthropic-signed(s) bedrock-sealed(cg==) text(x) stop() " USED, "thinking" },
	{ ANSWER("{\"citationsContent\":{\"content\":[{\"text\":\"x\"}],\"citations\":[{\"title\":\"t\","
		 "\"sourceContent\":[{\"text\":\"y\"}],\"location\":{\"web\":{\"url\":\"https://z\"}}}]}}", "end_turn"),
	  "start() text(x) cites(y|t|https://z) stop() " USED, "citations" },
	{ ANSWER("{\"image\":{\"format\":\"jpeg\",\"source\":{\"bytes\":\"QUJD\"}}}", "end_turn"),
	  "start() image(image/jpeg QUJD) stop() " USED, "a picture" },
	{ ANSWER("", "guardrail_intervened"), "start() content_filter() " USED, "a guardrail" },
	{ ANSWER("", "model_context_window_exceeded"), "start() length() " USED, "the window is full" },
	{ ANSWER("", "malformed_tool_use"), "start() error(server_error||the model's output was malformed) server_error",
	  "no answer at all" },
	{ "{\"output\":{\"message\":{\"content\":[{\"text\":\"x\"}]}},\"stopReason\":\"stop_sequence\","
	  "\"additionalModelResponseFields\":{\"stop_sequence\":\"END\"}}", "start() text(x) stop(END) done", "a stop word" },
	{ "{\"output\":{\"message\":{\"content\":[]}},\"stopReason\":\"end_turn\",\"usage\":{\"inputTokens\":3,"
	  "\"outputTokens\":4,\"cacheReadInputTokens\":10,\"cacheWriteInputTokens\":100}}",
	  "start() stop() usage(113+4 cached 10 written 100) done", "a cache" },
	{ "{\"output\":{\"message\":{\"content\":[]}}}", "bad_answer", "without a reason for its end" },
	{ "{\"output\":null,\"stopReason\":\"end_turn\"}", "bad_answer", "without a message" },
	{ "[]", "bad_answer", "not an object" },
	{ "{\"output\":", "bad_answer", "half of one (S22)" },
	{ "", "bad_answer", "nothing (S21)" },
};

static void reads_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(answers); i++) {
		struct buf got = answer_words(&codec_bedrock_converse, answers[i].body);

		words_are(&got, answers[i].words, answers[i].says);
	}
}

/* ---- streams --------------------------------------------------------------------------- */

#define BEGIN "messageStart {\"role\":\"assistant\",\"p\":\"abc\"}\n"
#define TEXT(i, t) "contentBlockDelta {\"contentBlockIndex\":" i ",\"delta\":{\"text\":\"" t "\"},\"p\":\"ab\"}\n"
#define STOP(r) "messageStop {\"stopReason\":\"" r "\"}\n"
#define META "metadata {\"usage\":{\"inputTokens\":3,\"outputTokens\":4},\"metrics\":{\"latencyMs\":1}}\n"
#define CALL(i, id, name) "contentBlockStart {\"contentBlockIndex\":" i ",\"start\":{\"toolUse\":{\"toolUseId\":\"" id \
	"\",\"name\":\"" name "\"}}}\n"
#define ARGS(i, t) "contentBlockDelta {\"contentBlockIndex\":" i ",\"delta\":{\"toolUse\":{\"input\":\"" t "\"}}}\n"
#define SHUT(i) "contentBlockStop {\"contentBlockIndex\":" i "}\n"

static const struct { const char *lines, *words, *says; } streams[] = {
	{ BEGIN TEXT("0", "He") TEXT("0", "llo") SHUT("0") STOP("end_turn") META,
	  "start() text(He) text(llo) stop() " USED, "text" },
	{ TEXT("0", "x") META STOP("end_turn"), "start() text(x) usage(3+4 cached 0 written 0) stop() done",
	  "the counts before the end, and no beginning" },
	{ BEGIN TEXT("0", "x") STOP("end_turn"), "start() text(x) stop() done", "no counts at all (E22)" },
	{ BEGIN TEXT("0", "x"), "start() text(x) cut", "no end (E11)" },
	{ BEGIN, "start() bad_answer", "nothing said" },
	{ BEGIN TEXT("0", "x") STOP("end_turn") STOP("max_tokens") META,
	  "start() text(x) stop() " USED, "two ends: the first counts (E24)" },
	{ BEGIN CALL("0", "t", "f") ARGS("0", "") ARGS("0", "{\\\"a\\\"") ARGS("0", ":1}") SHUT("0")
	  CALL("1", "u", "g") ARGS("1", "") SHUT("1") STOP("tool_use") META,
	  "start() call0(t f) args0({\\\"a\\\") args0(:1}) call1(u g) args1({}) tool_calls() " USED,
	  "calls; one without arguments" },
	{ BEGIN CALL("0", "t", "f") CALL("1", "u", "g") ARGS("1", "{}") ARGS("0", "{}") STOP("end_turn") META,
	  "start() call0(t f) call1(u g) args1({}) args0({}) tool_calls() " USED, "woven, and a wrong reason (E26)" },
	{ BEGIN CALL("0", "t", "f") SHUT("0") CALL("0", "u", "g") ARGS("0", "{}") SHUT("0") STOP("tool_use") META,
	  "start() call0(t f) args0({}) call1(u g) args1({}) tool_calls() " USED, "a number used twice (E25)" },
	{ BEGIN "contentBlockStart {\"contentBlockIndex\":0,\"start\":{\"toolUse\":{\"toolUseId\":\"t\",\"name\":\"w\","
	  "\"type\":\"server_tool_use\"}}}\n" ARGS("0", "{}") SHUT("0")
	  "contentBlockStart {\"contentBlockIndex\":1,\"start\":{\"toolResult\":{\"toolUseId\":\"t\"}}}\n"
	  TEXT("1", "found") SHUT("1") TEXT("2", "x") STOP("end_turn") META,
	  "start() text(x) stop() " USED, "tools that the vendor runs" },
	{ BEGIN "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"hm\"}}}\n"
	  "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"\"}}}\n"
	  "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"signature\":\"s\"}}}\n"
	  "contentBlockDelta {\"contentBlockIndex\":1,\"delta\":{\"reasoningContent\":{\"redactedContent\":\"cg==\"}}}\n"
	  TEXT("2", "x") STOP("end_turn"),
	  "start() thinks(hm) anthropic-signed(s) bedrock-sealed(cg==) text(x) stop() done", "thinking" },
	{ BEGIN TEXT("0", "x") "contentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"citation\":{\"title\":\"t\","
	  "\"sourceContent\":[{\"text\":\"y\"}]}}}\n" STOP("end_turn"),
	  "start() text(x) cites(y|t|) stop() done", "citations" },
	{ BEGIN TEXT("0", "x") "messageStop {\"stopReason\":\"stop_sequence\",\"additionalModelResponseFields\":"
	  "{\"delta\":{\"stop_sequence\":\"END\"}}}\n", "start() text(x) stop(END) done", "a stop word" },
	{ BEGIN "fromTheFuture {\"x\":[1]}\n" TEXT("0", "x") STOP("end_turn"), "start() text(x) stop() done",
	  "unknown events are ignored (E29)" },
	{ BEGIN TEXT("0", "x") "contentBlockDelta {\"delta\n", "start() text(x) error(bad_answer||an event of the stream is "
	  "no JSON object)", "broken JSON (E33)" },
	{ BEGIN TEXT("0", "x") STOP("malformed_model_output"),
	  "start() text(x) error(server_error||the model's output was malformed)", "the model failed" },
	{ ":exception/throttlingException {\"message\":\"Too many requests\"}\n",
	  "error(rate_limited|throttlingException|Too many requests)", "an exception first (E08)" },
	{ BEGIN TEXT("0", "x") ":exception/modelStreamErrorException {\"message\":\"m\",\"originalStatusCode\":500,"
	  "\"originalMessage\":\"o\"}\n", "start() text(x) error(server_error|modelStreamErrorException|o)", "and later (E07)" },
	{ ":exception/validationException {\"message\":\"Input is too long for requested model.\"}\n",
	  "error(context|validationException|Input is too long for requested model.)", "too long" },
	{ ":exception/serviceUnavailableException {\"Message\":\"busy\"}\n",
	  "error(overloaded|serviceUnavailableException|busy)", "no capacity" },
	{ ":exception/internalServerException no json\n", "error(server_error|internalServerException|)", "without words" },
	{ ":error/InternalFailure It broke.\n", "error(server_error|InternalFailure|It broke.)", "an error that is no exception" },
};

static void reads_streams(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(streams); i++) {
		struct buf got = stream_words(&codec_bedrock_converse, slice_of(streams[i].lines));

		words_are(&got, streams[i].words, streams[i].says);
	}
}

/* ---- errors ------------------------------------------------------------------------------ */

static const struct { int status; const char *head, *body; enum fault fault; const char *code, *message; } errors[] = {
	{ 429, "x-amzn-errortype: ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
	  "{\"message\":\"Too many requests, please wait before trying again.\"}", FAULT_RATE_LIMITED,
	  "ThrottlingException", "Too many requests, please wait before trying again." },
	{ 429, "x-amzn-errortype: ModelNotReadyException", "{\"message\":\"not ready\"}", FAULT_OVERLOADED,
	  "ModelNotReadyException", "not ready" },
	{ 400, "x-amzn-errortype: ServiceQuotaExceededException", "{\"message\":\"quota\"}", FAULT_RATE_LIMITED,
	  "ServiceQuotaExceededException", "quota" },
	{ 400, "x-amzn-errortype: ValidationException", "{\"message\":\"Malformed input request\"}", FAULT_CALLER,
	  "ValidationException", "Malformed input request" },
	{ 400, "x-amzn-errortype: ValidationException", "{\"message\":\"The provided model identifier is invalid.\"}",
	  FAULT_MODEL_GONE, "ValidationException", "The provided model identifier is invalid." },
	{ 400, "x-amzn-errortype: ValidationException",
	  "{\"message\":\"bad text: The provided model identifier is invalid\"}", FAULT_CALLER,
	  "ValidationException", "bad text: The provided model identifier is invalid" },
	{ 400, "x-amzn-errortype: ValidationException", "{\"message\":\"The model returned the following errors: prompt is "
	  "too long: 200001 tokens > 200000 maximum\"}", FAULT_CONTEXT, "ValidationException",
	  "The model returned the following errors: prompt is too long: 200001 tokens > 200000 maximum" },
	{ 403, "x-amzn-errortype: AccessDeniedException",
	  "{\"Message\":\"You don't have access to the model with the specified model ID.\"}", FAULT_MODEL_GONE,
	  "AccessDeniedException", "You don't have access to the model with the specified model ID." },
	{ 403, "x-amzn-errortype: AccessDeniedException", "{\"Message\":\"Authentication failed: the API key is not valid\"}",
	  FAULT_CREDENTIAL, "AccessDeniedException", "Authentication failed: the API key is not valid" },
	{ 403, "x-amzn-errortype: UnrecognizedClientException",
	  "{\"message\":\"The security token included in the request is invalid.\"}", FAULT_CREDENTIAL,
	  "UnrecognizedClientException", "The security token included in the request is invalid." },
	{ 403, "", "{\"__type\":\"com.amazon.coral.service#ExpiredTokenException\",\"message\":\"expired\"}", FAULT_CREDENTIAL,
	  "ExpiredTokenException", "expired" },
	{ 403, "", "<html>Forbidden</html>", FAULT_SERVER_ERROR, NULL, NULL },
	{ 404, "x-amzn-errortype: ResourceNotFoundException", "{\"message\":\"no such model\"}", FAULT_MODEL_GONE,
	  "ResourceNotFoundException", "no such model" },
	{ 408, "x-amzn-errortype: ModelTimeoutException", "{\"message\":\"m\"}", FAULT_SERVER_ERROR, "ModelTimeoutException", "m" },
	{ 424, "x-amzn-errortype: ModelErrorException", "{\"message\":\"m\",\"originalStatusCode\":500}", FAULT_SERVER_ERROR,
	  "ModelErrorException", "m" },
	{ 500, "x-amzn-errortype: InternalServerException", "{\"message\":\"m\"}", FAULT_SERVER_ERROR,
	  "InternalServerException", "m" },
	{ 503, "x-amzn-errortype: ServiceUnavailableException", "{\"message\":\"m\"}", FAULT_OVERLOADED,
	  "ServiceUnavailableException", "m" },
	{ 503, "", "<html>busy</html>", FAULT_OVERLOADED, NULL, NULL },
	{ 301, "", "", FAULT_BAD_ANSWER, NULL, NULL },
	{ 200, "", "{}", FAULT_BAD_ANSWER, NULL, NULL },
	{ 200, "", ANSWER("{\"text\":\"x\"}", "end_turn"), FAULT_NONE, NULL, NULL },
	{ 200, "", ANSWER("", "malformed_model_output"), FAULT_SERVER_ERROR, NULL, "the model's output was malformed" },
};

static void judges_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct arena *arena = arena_create(0);
		struct h1_head head = head_of(errors[i].head);
		struct answer_facts out;

		dialect_bedrock.judge_answer(arena, endpoint_at("POST", CHAT), errors[i].status, &head,
					     slice_of(errors[i].body), 0, &out);
		if (out.fault != errors[i].fault || !is_text(out.code, errors[i].code) ||
		    !is_text(out.message, errors[i].message))
			fail_msg("%d %s %s: %s %.*s", errors[i].status, errors[i].head, errors[i].body,
				 fault_row(out.fault)->name, SLICE_ARG(out.message));
		arena_free(arena);
	}
}

static void asks_at_the_models_path(void **state)
{
	static const struct { const char *model; bool stream; const struct codec *codec; const char *path; } rows[] = {
		{ CLAUDE, false, &codec_bedrock_converse, "/model/us.anthropic.claude-sonnet-4-6-v1%3A0/converse" },
		{ NOVA, true, &codec_bedrock_converse, "/model/amazon.nova-pro-v1%3A0/converse-stream" },
		{ "arn:aws:bedrock:us-east-1:1:inference-profile/a b", true, &codec_bedrock_converse,
		  "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fa%20b/converse-stream" },
		{ "../x", false, &codec_bedrock_converse, "/model/..%2Fx/converse" },
		{ LLAMA, false, &codec_bedrock_count, "/model/meta.llama3-3-70b-instruct-v1%3A0/count-tokens" },
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct dialect_ask ask = { .codec = rows[i].codec, .model = slice_of(rows[i].model), .stream = rows[i].stream };

		row_holds(is_text(dialect_bedrock.upstream_path(arena, &ask), rows[i].path), rows[i].path);
	}
	arena_free(arena);
}

/* ---- embeddings ------------------------------------------------------------------------ */

static struct buf embed_words(const char *model, const char *first, const char *second, int64_t dimensions)
{
	struct codec_target target = { .model = slice_of(model), .vendor = vendor_find(S("bedrock"), S(""), S("")) };
	struct arena *arena = arena_create(0);
	struct canon_request *r = canon_request_new(arena);
	struct canon_text *last = canon_add_text(arena, &r->inputs, NULL, slice_of(first));
	struct buf out = BUF_INIT(WORDS_MAX);

	if (second)
		canon_add_text(arena, &r->inputs, last, slice_of(second));
	r->base64 = true;            /* no model at AWS gives it: the client is told so from the numbers */
	r->dimensions = dimensions;
	if (!codec_bedrock_embed.write_request(arena, r, &target, &out))
		buf_puts(&out, "(cannot)");
	arena_free(arena);
	return out;
}

static void embeds(void **state)
{
	struct buf got = embed_words("amazon.titan-embed-text-v2:0", "\"a\"", NULL, 256);

	(void)state;
	words_are(&got, "{\"inputText\":\"a\",\"dimensions\":256}", "Titan");
	got = embed_words("amazon.titan-embed-text-v2:0", "\"a\"", "\"b\"", -1);
	words_are(&got, "(cannot)", "several texts to Titan");
	got = embed_words("amazon.titan-embed-text-v1", "\"a\"", NULL, 256);
	words_are(&got, "(cannot)", "a length to the first Titan");
	got = embed_words("cohere.embed-v4:0", "\"a\"", "\"b\"", 256);
	words_are(&got, "{\"input_type\":\"search_document\",\"texts\":[\"a\",\"b\"],\"embedding_types\":[\"float\"],"
		  "\"output_dimension\":256}", "Cohere");
	got = answer_words(&codec_bedrock_embed, "{\"embedding\":[0.5,1],\"inputTextTokenCount\":3}");
	words_are(&got, "start() 0:[0.5,1] usage(3+0 cached 0 written 0) done", "Titan's answer");
	got = answer_words(&codec_bedrock_embed, "{\"embeddings\":[[0.5],[1]],\"response_type\":\"embeddings_floats\"}");
	words_are(&got, "start() 0:[0.5] 1:[1] done", "Cohere's old answer");
	got = answer_words(&codec_bedrock_embed, "{\"embeddings\":{\"float\":[[0.5]]}}");
	words_are(&got, "start() 0:[0.5] done", "Cohere's answer");
	got = answer_words(&codec_bedrock_embed, "{\"embedding\":\"x\"}");
	words_are(&got, "bad_answer", "no vector");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_requests),
		cmocka_unit_test(goes_on_with_what_broke_off),
		cmocka_unit_test(sends_proven_thinking_back),
		cmocka_unit_test(says_what_the_config_wants),
		cmocka_unit_test(counts_a_conversation),
		cmocka_unit_test(reads_answers),
		cmocka_unit_test(reads_streams),
		cmocka_unit_test(judges_answers),
		cmocka_unit_test(asks_at_the_models_path),
		cmocka_unit_test(embeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
