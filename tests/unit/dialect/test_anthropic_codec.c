/* Requests of the Messages API: read into the canonical form, and written from it. */
#include "help.h"

#include "base/check.h"
#include "dialect/codec.h"
#include "dialect/vendor.h"
#include "wire/json.h"

#define U "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define OLD "claude-haiku-4-5"
#define NEW "claude-opus-5"

static bool read(struct arena *arena, const struct codec *codec, const char *path, struct slice body,
		 struct canon_request **out, struct slice *why)
{
	const struct endpoint *e = endpoint_at("POST", path);
	struct request_facts facts = { .endpoint = e, .model = S("m"), .choices = 1, .max_tokens = -1 };

	return codec->read_request(arena, body, &facts, out, why) == FAULT_NONE;
}

static struct slice write(struct arena *arena, const struct codec *codec, const struct canon_request *r,
			  const char *model)
{
	bool anthropic = codec == &codec_anthropic_messages || codec == &codec_anthropic_count;
	struct codec_target target = {
		.model = slice_of(model),
		.vendor = vendor_find(anthropic ? S("anthropic") : S("openai"), S("api.openai.com"), S("/v1")),
	};
	struct buf out = BUF_INIT(1 << 20);
	struct slice copy = SLICE_NONE;

	if (codec->write_request(arena, r, &target, &out)) {
		assert_int_equal(json_validate(buf_slice(&out), NULL), JSON_OK);
		copy = arena_copy(arena, buf_slice(&out));
	}
	buf_free(&out);
	return copy;
}

/* ---- Anthropic's to Anthropic's: nothing is lost -------------------------------------- */

#define HEAD(model) "{\"model\":\"" model "\",\"max_tokens\":9,"
#define ASKED(content) "\"messages\":[{\"role\":\"user\",\"content\":" content "}]"
#define TEXT(text) "{\"type\":\"text\",\"text\":\"" text "\"}"

static const struct { const char *says, *in, *out, *model; } same[] = {
	{ "a string is a block", "{\"max_tokens\":9," U "}", HEAD(OLD) ASKED("[" TEXT("hi") "]") "}", OLD },
	{ "system, as a string and as blocks with a hint",
	  "{\"max_tokens\":9,\"system\":[{\"type\":\"text\",\"text\":\"be\",\"cache_control\":"
	  "{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}]," U "}",
	  HEAD(OLD) "\"system\":[{\"type\":\"text\",\"text\":\"be\",\"cache_control\":{\"type\":\"ephemeral\","
	  "\"ttl\":\"1h\"}}]," ASKED("[" TEXT("hi") "]") "}", OLD },
	{ "pictures by data, by URL, by id",
	  "{\"max_tokens\":9," ASKED("[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":"
	  "\"image/gif\",\"data\":\"R0lG\"}},{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x/y\"}},"
	  "{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"f1\"}}]") "}",
	  HEAD(OLD) ASKED("[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":"
	  "\"image/gif\",\"data\":\"R0lG\"}},{\"type\":\"image\",\"source\":{\"type\":\"url\",\"url\":\"https://x/y\"}},"
	  "{\"type\":\"image\",\"source\":{\"type\":\"file\",\"file_id\":\"f1\"}}]") "}", OLD },
	{ "documents",
	  "{\"max_tokens\":9," ASKED("[{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":"
	  "\"text/plain\",\"data\":\"abc\"},\"title\":\"T\",\"citations\":{\"enabled\":true}},"
	  "{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":\"JVBE\"}}]") "}",
	  HEAD(OLD) ASKED("[{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":"
	  "\"text/plain\",\"data\":\"abc\"},\"title\":\"T\",\"citations\":{\"enabled\":true}},"
	  "{\"type\":\"document\",\"source\":{\"type\":\"base64\",\"media_type\":\"application/pdf\",\"data\":\"JVBE\"}}]") "}", OLD },
	{ "a call, its result with a picture, and words beside it",
	  "{\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":["
	  "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}]},{\"role\":\"user\",\"content\":["
	  "{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":[" TEXT("ok") ",{\"type\":\"image\",\"source\":"
	  "{\"type\":\"url\",\"url\":\"https://x\"}}],\"is_error\":true}," TEXT("so") "]}]}",
	  HEAD(OLD) "\"messages\":[{\"role\":\"user\",\"content\":[" TEXT("hi") "]},{\"role\":\"assistant\",\"content\":["
	  "{\"type\":\"tool_use\",\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":1}}]},{\"role\":\"user\",\"content\":["
	  "{\"type\":\"tool_result\",\"tool_use_id\":\"t1\",\"content\":[" TEXT("ok") ",{\"type\":\"image\",\"source\":"
	  "{\"type\":\"url\",\"url\":\"https://x\"}}],\"is_error\":true}," TEXT("so") "]}]}", OLD },
	{ "thinking with its signature, and what is hidden; an answer's sources",
	  "{\"max_tokens\":9,\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
	  "\"signature\":\"sig\"},{\"type\":\"redacted_thinking\",\"data\":\"xyz\"},{\"type\":\"text\",\"text\":\"a\","
	  "\"citations\":[{\"type\":\"char_location\",\"cited_text\":\"c\"}]}]},{\"role\":\"user\",\"content\":\"go\"}]}",
	  HEAD(OLD) "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
	  "\"signature\":\"sig\"},{\"type\":\"redacted_thinking\",\"data\":\"xyz\"},{\"type\":\"text\",\"text\":\"a\","
	  "\"citations\":[{\"type\":\"char_location\",\"cited_text\":\"c\"}]}]},{\"role\":\"user\",\"content\":["
	  TEXT("go") "]}]}", OLD },
	{ "tools, choice and how many at once",
	  "{\"max_tokens\":9," U ",\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":{\"type\":\"object\"},"
	  "\"strict\":true,\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}],"
	  "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\",\"disable_parallel_tool_use\":true}}",
	  HEAD(OLD) ASKED("[" TEXT("hi") "]") ",\"tools\":[{\"name\":\"f\",\"description\":\"d\",\"input_schema\":"
	  "{\"type\":\"object\"},\"strict\":true,\"cache_control\":{\"type\":\"ephemeral\",\"ttl\":\"1h\"}}],"
	  "\"tool_choice\":{\"type\":\"tool\",\"name\":\"f\","
	  "\"disable_parallel_tool_use\":true}}", OLD },
	{ "schema and effort, where each model takes them",
	  "{\"max_tokens\":9," U ",\"output_config\":{\"effort\":\"xhigh\",\"format\":{\"type\":\"json_schema\","
	  "\"schema\":{\"type\":\"object\"}}}}",
	  HEAD(NEW) ASKED("[" TEXT("hi") "]") ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":{\"effort\":"
	  "\"xhigh\",\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}", NEW },
	{ "the beta's place for a schema",
	  "{\"max_tokens\":9," U ",\"output_format\":{\"type\":\"json_schema\",\"schema\":{}}}",
	  HEAD(OLD) ASKED("[" TEXT("hi") "]") ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{}}}}", OLD },
	{ "sampling, stop, user, tier",
	  "{\"max_tokens\":9," U ",\"temperature\":0.25,\"top_p\":1e-1,\"top_k\":5,\"stop_sequences\":[\"a\",\"\\u0062\"],"
	  "\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"standard_only\"}",
	  HEAD(OLD) ASKED("[" TEXT("hi") "]") ",\"temperature\":0.25,\"top_p\":1e-1,\"top_k\":5,\"stop_sequences\":"
	  "[\"a\",\"\\u0062\"],\"metadata\":{\"user_id\":\"u\"},\"service_tier\":\"standard_only\"}", OLD },
	{ "newer models refuse sampling", "{\"max_tokens\":9," U ",\"temperature\":0.25,\"top_k\":5}",
	  HEAD("claude-opus-4-8") ASKED("[" TEXT("hi") "]") "}", "claude-opus-4-8" },
	{ "instructions in the middle are gathered",
	  "{\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"system\",\"content\":\"s\"},"
	  "{\"role\":\"user\",\"content\":[{\"type\":\"mid_conv_system\",\"content\":[" TEXT("t") "]}," TEXT("b") "]}]}",
	  HEAD(OLD) "\"system\":[" TEXT("s") "," TEXT("t") "],\"messages\":[{\"role\":\"user\",\"content\":["
	  TEXT("a") "," TEXT("b") "]}]}", OLD },
	{ "a hint at the top is one on the last block",
	  "{\"max_tokens\":9," U ",\"cache_control\":{\"type\":\"ephemeral\"}}",
	  HEAD(OLD) ASKED("[{\"type\":\"text\",\"text\":\"hi\",\"cache_control\":{\"type\":\"ephemeral\"}}]") "}", OLD },
};

static void what_anthropic_says_is_said_to_anthropic(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(same); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r, *again;
		struct slice why = SLICE_NONE, out;

		if (!read(arena, &codec_anthropic_messages, MESSAGES, slice_of(same[i].in), &r, &why))
			fail_msg("%s: %.*s", same[i].says, SLICE_ARG(why));
		row_holds((r->features & CANON_HAS(UNKNOWN)) == 0, same[i].says);
		out = write(arena, &codec_anthropic_messages, r, same[i].model);
		if (!is_text(out, same[i].out))
			print_error("%s\n--- wanted\n%s\n--- got\n%.*s\n", same[i].says, same[i].out, SLICE_ARG(out));
		row_holds(is_text(out, same[i].out), same[i].says);
		/* What was written is read as the same, and written the same. */
		row_holds(read(arena, &codec_anthropic_messages, MESSAGES, out, &again, &why), same[i].says);
		row_holds(slice_eq(write(arena, &codec_anthropic_messages, again, same[i].model), out), same[i].says);
		arena_free(arena);
	}
}

/* ---- to OpenAI's and from it ------------------------------------------------------------ */

static const struct { const char *says, *in, *out; } across[] = {
	{ "system, texts, limits",
	  "{\"max_tokens\":9,\"system\":\"be\"," U ",\"stop_sequences\":[\"x\"],\"temperature\":0.5,\"metadata\":"
	  "{\"user_id\":\"u\"}}",
	  "{\"model\":\"gpt\",\"messages\":[{\"role\":\"system\",\"content\":\"be\"},{\"role\":\"user\",\"content\":\"hi\"}],"
	  "\"temperature\":0.5,\"stop\":[\"x\"],\"max_completion_tokens\":9,\"user\":\"u\"}" },
	{ "calls and results become messages",
	  "{\"max_tokens\":9,\"messages\":[{\"role\":\"assistant\",\"content\":[" TEXT("let me") ",{\"type\":\"tool_use\","
	  "\"id\":\"t1\",\"name\":\"f\",\"input\":{\"a\":\"b\"}}]},{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\","
	  "\"tool_use_id\":\"t1\",\"content\":\"ok\"}," TEXT("so") "]}]}",
	  "{\"model\":\"gpt\",\"messages\":[{\"role\":\"assistant\",\"content\":\"let me\",\"tool_calls\":[{\"id\":\"t1\","
	  "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":\\\"b\\\"}\"}}]},{\"role\":\"tool\","
	  "\"tool_call_id\":\"t1\",\"content\":\"ok\"},{\"role\":\"user\",\"content\":\"so\"}],\"max_completion_tokens\":9}" },
	{ "pictures become URLs; a plain document becomes text",
	  "{\"max_tokens\":9," ASKED("[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\","
	  "\"data\":\"iVBO\"}},{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\","
	  "\"data\":\"abc\"}}]") "}",
	  "{\"model\":\"gpt\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{\"url\":"
	  "\"data:image/png;base64,iVBO\"}},{\"type\":\"text\",\"text\":\"abc\"}]}],\"max_completion_tokens\":9}" },
	{ "thinking of earlier turns is left out; a schema is one",
	  "{\"max_tokens\":9,\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\","
	  "\"signature\":\"s\"}," TEXT("a") "]},{\"role\":\"user\",\"content\":\"b\"}],\"output_config\":{\"format\":"
	  "{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}",
	  "{\"model\":\"gpt\",\"messages\":[{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\",\"content\":\"b\"}],"
	  "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"schema\":{\"type\":"
	  "\"object\"}}},\"max_completion_tokens\":9}" },
};

static void what_anthropic_s_clients_say_is_said_to_openai(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(across); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why = SLICE_NONE, out;

		row_holds(read(arena, &codec_anthropic_messages, MESSAGES, slice_of(across[i].in), &r, &why), across[i].says);
		out = write(arena, &codec_openai_chat, r, "gpt");
		if (!is_text(out, across[i].out))
			print_error("%s\n--- wanted\n%s\n--- got\n%.*s\n", across[i].says, across[i].out, SLICE_ARG(out));
		row_holds(is_text(out, across[i].out), across[i].says);
		arena_free(arena);
	}
}

#define OPENAI(rest) "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]" rest "}"
#define ANSWERED(max) "\"max_tokens\":" max "," ASKED("[" TEXT("hi") "]")

static const struct { const char *says, *in, *out, *model; } back[] = {
	{ "a limit there must be", OPENAI(""), "{\"model\":\"" OLD "\"," ANSWERED("32000") "}", OLD },
	{ "an old model says less", OPENAI(""), "{\"model\":\"claude-3-haiku-20240307\"," ANSWERED("4096") "}",
	  "claude-3-haiku-20240307" },
	{ "others who speak the API", OPENAI(""), "{\"model\":\"kimi-k3\"," ANSWERED("8192") "}", "kimi-k3" },
	{ "only instructions: the user says them",
	  "{\"messages\":[{\"role\":\"system\",\"content\":\"hi\"}]}", "{\"model\":\"" OLD "\"," ANSWERED("32000") "}", OLD },
	{ "results of one turn stand in one message; ids are made to fit",
	  "{\"max_tokens\":9,\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"f.g:0\",\"type\":"
	  "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},{\"id\":\"b\",\"type\":\"function\",\"function\":"
	  "{\"name\":\"g\",\"arguments\":\"\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"f.g:0\",\"content\":\"1\"},{\"role\":"
	  "\"tool\",\"tool_call_id\":\"b\",\"content\":\"\"},{\"role\":\"user\",\"content\":\"go\"}]}",
	  HEAD(OLD) "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\",\"id\":\"f_g_0\",\"name\":\"f\","
	  "\"input\":{}},{\"type\":\"tool_use\",\"id\":\"b\",\"name\":\"g\",\"input\":{}}]},{\"role\":\"user\",\"content\":["
	  "{\"type\":\"tool_result\",\"tool_use_id\":\"f_g_0\",\"content\":[" TEXT("1") "]},{\"type\":\"tool_result\","
	  "\"tool_use_id\":\"b\"}," TEXT("go") "]}]}", OLD },
	{ "the scale of temperature ends at 1", OPENAI(",\"max_tokens\":9,\"temperature\":1.7"),
	  HEAD(OLD) ASKED("[" TEXT("hi") "]") ",\"temperature\":1}", OLD },
	{ "effort as a budget, without what it is refused with", OPENAI(",\"max_tokens\":9000,\"temperature\":0.2,"
	  "\"reasoning_effort\":\"low\""),
	  "{\"model\":\"" OLD "\"," ANSWERED("9000") ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048}}", OLD },
	{ "no room for a budget: no thinking", OPENAI(",\"max_tokens\":900,\"reasoning_effort\":\"high\""),
	  "{\"model\":\"" OLD "\"," ANSWERED("900") "}", OLD },
	{ "effort in words", OPENAI(",\"max_tokens\":9,\"reasoning_effort\":\"minimal\""),
	  HEAD("claude-opus-4-6") ASKED("[" TEXT("hi") "]") ",\"thinking\":{\"type\":\"adaptive\"},\"output_config\":"
	  "{\"effort\":\"low\"}}", "claude-opus-4-6" },
	{ "none of it", OPENAI(",\"max_tokens\":9,\"reasoning_effort\":\"none\""),
	  HEAD(NEW) ASKED("[" TEXT("hi") "]") ",\"thinking\":{\"type\":\"disabled\"}}", NEW },
	{ "a forced tool does not go with thinking",
	  OPENAI(",\"max_tokens\":9000,\"reasoning_effort\":\"high\",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
	  "\"f\"}}],\"tool_choice\":\"required\",\"parallel_tool_calls\":false"),
	  "{\"model\":\"" OLD "\"," ANSWERED("9000") ",\"tools\":[{\"name\":\"f\",\"input_schema\":{\"type\":\"object\","
	  "\"properties\":{}}}],\"tool_choice\":{\"type\":\"any\",\"disable_parallel_tool_use\":true}}", OLD },
	{ "blank texts are no blocks",
	  "{\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\" \\n\"},"
	  "{\"role\":\"user\",\"content\":\"b\"}]}",
	  HEAD(OLD) "\"messages\":[{\"role\":\"user\",\"content\":[" TEXT("a") "," TEXT("b") "]}]}", OLD },
	{ "a text file in base64 is a text",
	  "{\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"filename\":\"a.txt\","
	  "\"file_data\":\"data:text/plain;base64,aGVsbG8=\"}}]}]}",
	  HEAD(OLD) ASKED("[{\"type\":\"document\",\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":"
	  "\"hello\"},\"title\":\"a.txt\"}]") "}", OLD },
};

static void what_openai_s_clients_say_is_said_to_anthropic(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(back); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why = SLICE_NONE, out;

		if (!read(arena, &codec_openai_chat, CHAT, slice_of(back[i].in), &r, &why))
			fail_msg("%s: %.*s", back[i].says, SLICE_ARG(why));
		out = write(arena, &codec_anthropic_messages, r, back[i].model);
		if (!is_text(out, back[i].out))
			print_error("%s\n--- wanted\n%s\n--- got\n%.*s\n", back[i].says, back[i].out, SLICE_ARG(out));
		row_holds(is_text(out, back[i].out), back[i].says);
		arena_free(arena);
	}
}

/* ---- what is used -------------------------------------------------------------------------- */

#define FEATURE(name) CANON_HAS(name)

static const struct { const char *says, *in; uint64_t features; } used[] = {
	{ "nothing", "{\"max_tokens\":9," U "}", 0 },
	{ "hosted tools", "{\"max_tokens\":9," U ",\"tools\":[{\"type\":\"web_search_20260209\",\"name\":\"web_search\"}]}",
	  FEATURE(HOSTED_TOOLS) },
	{ "their results in the talk", "{\"max_tokens\":9,\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":"
	  "\"server_tool_use\",\"id\":\"a\"},{\"type\":\"web_search_tool_result\"}]},{\"role\":\"user\",\"content\":\"b\"}]}",
	  FEATURE(HOSTED_TOOLS) },
	{ "servers and containers", "{\"max_tokens\":9," U ",\"mcp_servers\":[{}],\"container\":\"c\"}", FEATURE(HOSTED_TOOLS) },
	{ "members of the future", "{\"max_tokens\":9," U ",\"sails\":3}", FEATURE(UNKNOWN) },
	{ "null is nothing", "{\"max_tokens\":9," U ",\"sails\":null,\"output_config\":{\"effort\":null}}", 0 },
	{ "adaptive thinking asks nothing of a target", "{\"max_tokens\":9," U ",\"thinking\":{\"type\":\"adaptive\"}}", 0 },
	{ "nor does none", "{\"max_tokens\":9," U ",\"thinking\":{\"type\":\"disabled\"}}", 0 },
	{ "a budget does", "{\"max_tokens\":9," U ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2000}}",
	  FEATURE(THINK_BUDGET) },
	{ "an answer begun", "{\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\","
	  "\"content\":\"b\"}]}", FEATURE(PREFILL) },
	{ "auto is as without", "{\"max_tokens\":9," U ",\"tool_choice\":{\"type\":\"auto\"}}", 0 },
};

static void features_are_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(used); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why = SLICE_NONE;

		row_holds(read(arena, &codec_anthropic_messages, MESSAGES, slice_of(used[i].in), &r, &why), used[i].says);
		row_holds(r->features == used[i].features, used[i].says);
		arena_free(arena);
	}
}

static const struct { const char *in, *why; } refused[] = {
	{ "{" U "}", "you must provide \"max_tokens\"" },
	{ "{\"max_tokens\":\"9\"," U "}", "\"max_tokens\" must be a whole number" },
	{ "{\"max_tokens\":9}", "\"messages\" must be a list of at least one message" },
	{ "{\"max_tokens\":9,\"messages\":[{\"role\":\"tool\",\"content\":\"a\"}]}",
	  "a message's \"role\" must be \"user\", \"assistant\" or \"system\"" },
	{ "{\"max_tokens\":9,\"messages\":[{\"role\":\"user\",\"content\":3}]}",
	  "a message's \"content\" must be a string or a list of blocks" },
	{ "{\"max_tokens\":9," ASKED("[{\"type\":\"image\"}]") "}",
	  "the \"source\" of an image is not one of base64, url and file" },
	{ "{\"max_tokens\":9," U ",\"thinking\":{\"type\":\"enabled\"}}",
	  "\"thinking\" must be of type disabled, adaptive, or enabled with \"budget_tokens\"" },
	{ "[1]", "the request body must be a JSON object" },
};

static void nonsense_is_refused_with_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why = SLICE_NONE;

		row_holds(!read(arena, &codec_anthropic_messages, MESSAGES, slice_of(refused[i].in), &r, &why), refused[i].in);
		if (!is_text(why, refused[i].why))
			fail_msg("%s: %.*s", refused[i].in, SLICE_ARG(why));
		arena_free(arena);
	}
}

/* ---- thinking of others, answers begun, counting ------------------------------------------------ */

static void thinking_of_others_finds_back_to_them(void **state)
{
	struct arena *arena = arena_create(0);
	struct canon_request *r;
	struct slice why = SLICE_NONE, out;
	const struct canon_part *p;

	(void)state;
	assert_true(read(arena, &codec_anthropic_messages, MESSAGES, S("{\"max_tokens\":9,\"messages\":[{\"role\":"
		"\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\",\"signature\":\"backstay.gemini.AbC=\"},"
		"{\"type\":\"thinking\",\"thinking\":\"ha\",\"signature\":\"backstay.none.\"},{\"type\":\"redacted_thinking\","
		"\"data\":\"backstay.call-gemini.XyZ\"},{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}]},"
		"{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"t\"}]}]}"), &r, &why));
	p = r->messages->parts;
	assert_true(is_text(p->vendor, "gemini") && is_text(p->signature, "\"AbC=\""));
	p = p->next;
	assert_true(p->vendor.len == 0 && p->signature.len == 0);
	p = p->next;
	assert_int_equal(p->kind, CANON_PART_CALL);
	assert_true(is_text(p->vendor, "gemini") && is_text(p->signature, "\"XyZ\""));
	/* To Anthropic none of it is said. */
	out = write(arena, &codec_anthropic_messages, r, OLD);
	assert_true(slice_find_slice(out, S("hm")) == SLICE_NOT_FOUND);
	assert_true(slice_find_slice(out, S("backstay")) == SLICE_NOT_FOUND);
	assert_true(slice_find_slice(out, S("tool_use")) != SLICE_NOT_FOUND);
	arena_free(arena);
}

static void a_broken_answer_is_begun_again(void **state)
{
	struct arena *arena = arena_create(0);
	struct canon_request *r;
	struct slice why = SLICE_NONE, out;

	(void)state;
	assert_true(read(arena, &codec_anthropic_messages, MESSAGES, S("{\"max_tokens\":9," U ",\"thinking\":{\"type\":"
		"\"enabled\",\"budget_tokens\":2000}}"), &r, &why));
	r->resume = RESUME_PREFILL;
	r->sent = S("so \"far\" \n");
	out = write(arena, &codec_anthropic_messages, r, OLD);
	assert_true(is_text(out, HEAD(OLD) "\"messages\":[{\"role\":\"user\",\"content\":[" TEXT("hi") "]},{\"role\":"
			    "\"assistant\",\"content\":[" TEXT("so \\\"far\\\"") "]}]}"));
	/* A model that is known to refuse it is not asked. */
	assert_int_equal(write(arena, &codec_anthropic_messages, r, NEW).len, 0);
	r->resume = RESUME_INSTRUCT;
	out = write(arena, &codec_anthropic_messages, r, NEW);
	assert_true(slice_find_slice(out, S("Your last message was interrupted.")) != SLICE_NOT_FOUND);
	r->resume = RESUME_PREFIX;
	assert_int_equal(write(arena, &codec_anthropic_messages, r, OLD).len, 0);
	arena_free(arena);
}

static void tokens_are_counted_without_what_only_concerns_the_answer(void **state)
{
	struct arena *arena = arena_create(0);
	struct codec_reader reader = { .codec = &codec_anthropic_count, .arena = arena };
	struct codec_writer writer = { .codec = &codec_anthropic_count, .arena = arena };
	struct canon_events events = canon_events_in(arena);
	struct buf out = BUF_INIT(1000);
	struct canon_request *r;
	struct slice why = SLICE_NONE;

	(void)state;
	assert_true(read(arena, &codec_anthropic_count, MESSAGES, S("{" U ",\"system\":\"s\"}"), &r, &why));
	assert_int_equal(r->task, CANON_COUNT);
	assert_true(is_text(write(arena, &codec_anthropic_count, r, OLD), "{\"model\":\"" OLD "\",\"system\":[" TEXT("s")
			    "]," ASKED("[" TEXT("hi") "]") "}"));
	assert_int_equal(codec_anthropic_count.read_answer(&reader, S("{\"input_tokens\":17}"), &events), FAULT_NONE);
	assert_true(codec_anthropic_count.write_answer(&writer, &events, &out));
	assert_true(is_text(buf_slice(&out), "{\"input_tokens\":17}"));
	assert_int_equal(codec_anthropic_count.read_answer(&reader, S("{\"input_tokens\":-1}"), &events), FAULT_BAD_ANSWER);
	buf_free(&out);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_anthropic_says_is_said_to_anthropic),
		cmocka_unit_test(what_anthropic_s_clients_say_is_said_to_openai),
		cmocka_unit_test(what_openai_s_clients_say_is_said_to_anthropic),
		cmocka_unit_test(features_are_seen),
		cmocka_unit_test(nonsense_is_refused_with_a_sentence),
		cmocka_unit_test(thinking_of_others_finds_back_to_them),
		cmocka_unit_test(a_broken_answer_is_begun_again),
		cmocka_unit_test(tokens_are_counted_without_what_only_concerns_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
