/* The Gemini API: what its requests become, what becomes requests of it, where
 * they go, what its errors and odd answers are. */
#include "help.h"

#include "base/check.h"
#include "dialect/codec.h"
#include "dialect/gemini.h"
#include "dialect/vendor.h"

#define GENERATE "/v1beta/models/g:generateContent"
#define STREAM "/v1beta/models/g:streamGenerateContent"

static bool read_with(const struct codec *codec, struct arena *arena, struct slice body,
		      struct canon_request **out, struct slice *why)
{
	struct request_facts facts = { .endpoint = endpoint_at("POST", GENERATE), .model = S("g"),
				       .choices = 1, .max_tokens = -1 };

	return codec->read_request(arena, body, &facts, out, why) == FAULT_NONE;
}

static struct slice written(struct arena *arena, const struct codec *codec, const char *vendor,
			    const char *model, const struct canon_request *r)
{
	struct codec_target target = { .model = slice_of(model),
				       .vendor = vendor_find(slice_of(vendor), S("api.openai.com"), S("")) };
	struct buf out = BUF_INIT(1 << 20);
	struct slice copy = SLICE_NONE;

	if (codec->write_request(arena, r, &target, &out))
		copy = arena_copy(arena, buf_slice(&out));
	buf_free(&out);
	return copy;
}

/* ---- from OpenAI ---------------------------------------------------------------------- */

#define HI "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]}]"
#define NO_CONFIG ",\"generationConfig\":{}}"

static const struct { const char *model, *from, *to; } from_chat[] = {
	{ "gemini-2.5-flash", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}", "{" HI NO_CONFIG },
	{ "gemini-2.5-flash",
	  "{\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},{\"role\":\"user\",\"content\":\"hi\"},"
	  "{\"role\":\"developer\",\"content\":\"always\"}]}",
	  "{\"systemInstruction\":{\"parts\":[{\"text\":\"be brief\"},{\"text\":\"always\"}]}," HI NO_CONFIG },
	{ "gemini-2.5-flash",
	  "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"temperature\":0.10,\"top_p\":1,\"seed\":7,"
	  "\"max_tokens\":20,\"stop\":[\"a\",\"b\"],\"n\":2,\"presence_penalty\":0.5,\"frequency_penalty\":1,"
	  "\"logprobs\":true,\"top_logprobs\":3}",
	  "{" HI ",\"generationConfig\":{\"temperature\":0.10,\"topP\":1,\"seed\":7,\"presencePenalty\":0.5,"
	  "\"frequencyPenalty\":1,\"maxOutputTokens\":20,\"candidateCount\":2,\"stopSequences\":[\"a\",\"b\"],"
	  "\"responseLogprobs\":true,\"logprobs\":3}}" },
	/* A round with two calls: results are together, and named; the model's ids stay. */
	{ "gemini-2.5-flash",
	  "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"content\":null,"
	  "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
	  "\"{\\\"a\\\":1}\"}},{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},"
	  "{\"role\":\"tool\",\"tool_call_id\":\"c2\",\"content\":\"{\\\"x\\\":2}\"},"
	  "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":\"sunny\"}]}",
	  "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\",\"parts\":["
	  "{\"functionCall\":{\"id\":\"c1\",\"name\":\"f\",\"args\":{\"a\":1}}},"
	  "{\"functionCall\":{\"id\":\"c2\",\"name\":\"g\",\"args\":{}}}]},{\"role\":\"user\",\"parts\":["
	  "{\"functionResponse\":{\"id\":\"c2\",\"name\":\"g\",\"response\":{\"x\":2}}},"
	  "{\"functionResponse\":{\"id\":\"c1\",\"name\":\"f\",\"response\":{\"output\":\"sunny\"}}}]}]" NO_CONFIG },
	/* A call without a signature is marked for models that would refuse it. */
	{ "gemini-3-pro-preview",
	  "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\",\"tool_calls\":["
	  "{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}]}",
	  "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\",\"parts\":["
	  "{\"functionCall\":{\"id\":\"c\",\"name\":\"f\",\"args\":{}},\"thoughtSignature\":"
	  "\"skip_thought_signature_validator\"}]}]" NO_CONFIG },
	{ "gemini-2.5-flash",
	  "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"see\"},{\"type\":"
	  "\"image_url\",\"image_url\":{\"url\":\"data:image/png;base64,AAAA\"}},{\"type\":\"image_url\","
	  "\"image_url\":{\"url\":\"https://h/a.webp?x=1\"}}]}]}",
	  "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"see\"},{\"inlineData\":{\"mimeType\":"
	  "\"image/png\",\"data\":\"AAAA\"}},{\"fileData\":{\"mimeType\":\"image/webp\",\"fileUri\":"
	  "\"https://h/a.webp?x=1\"}}]}]" NO_CONFIG },
	{ "gemini-2.5-flash",
	  "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"type\":\"function\",\"function\":"
	  "{\"name\":\"f\",\"description\":\"d\",\"parameters\":{\"type\":\"object\"}}}],\"tool_choice\":"
	  "{\"type\":\"function\",\"function\":{\"name\":\"f\"}}}",
	  "{" HI ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"description\":\"d\","
	  "\"parametersJsonSchema\":{\"type\":\"object\"}}]}],\"toolConfig\":{\"functionCallingConfig\":"
	  "{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"f\"]}}" NO_CONFIG },
	{ "gemini-2.5-flash",
	  "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tools\":[{\"type\":\"function\",\"function\":"
	  "{\"name\":\"f\",\"strict\":true}}]}",
	  "{" HI ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\"}]}],\"toolConfig\":"
	  "{\"functionCallingConfig\":{\"mode\":\"VALIDATED\"}}" NO_CONFIG },
	{ "gemini-2.5-flash",
	  "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"response_format\":{\"type\":\"json_schema\","
	  "\"json_schema\":{\"name\":\"n\",\"schema\":{\"type\":\"object\"}}}}",
	  "{" HI ",\"generationConfig\":{\"responseMimeType\":\"application/json\",\"responseJsonSchema\":"
	  "{\"type\":\"object\"}}}" },
	{ "gemini-2.5-flash", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"reasoning_effort\":\"none\"}",
	  "{" HI ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":0}}}" },
	{ "gemini-2.5-pro", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"reasoning_effort\":\"none\"}",
	  "{" HI ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":128}}}" },
	{ "gemini-2.5-pro", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"reasoning_effort\":\"medium\"}",
	  "{" HI ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":8192}}}" },
	{ "gemini-3.5-flash", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"reasoning_effort\":\"minimal\"}",
	  "{" HI ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingLevel\":\"MINIMAL\"}}}" },
	{ "gemini-flash-latest", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"reasoning_effort\":\"high\"}",
	  "{" HI ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingLevel\":\"HIGH\"}}}" },
	{ "gemini-2.0-flash", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"reasoning_effort\":\"high\"}",
	  "{" HI NO_CONFIG },
};

static void chat_requests_become_theirs(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(from_chat); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why = SLICE_NONE, got;

		if (!read_with(&codec_openai_chat, arena, slice_of(from_chat[i].from), &r, &why))
			fail_msg("%s: %.*s", from_chat[i].from, SLICE_ARG(why));
		got = written(arena, &codec_gemini_generate, "gemini", from_chat[i].model, r);
		if (!slice_eq(got, slice_of(from_chat[i].to)))
			fail_msg("%s\nshould be %s\nis        %.*s", from_chat[i].from, from_chat[i].to,
				 SLICE_ARG(got));
		assert_int_equal(json_validate(got, NULL), JSON_OK);
		arena_free(arena);
	}
}

/* ---- from its own clients ---------------------------------------------------------------- */

#define CHAT_HI "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static const struct { const char *from, *to; } to_chat[] = {
	{ "{" HI "}", CHAT_HI "}" },
	{ "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"system_instruction\":{\"parts\":{\"text\":\"s\"}}}",
	  "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
	  "{\"role\":\"user\",\"content\":\"hi\"}]}" },
	/* Snake and camel, as protocol buffers allow; capitals and counts in strings. */
	{ "{" HI ",\"generation_config\":{\"max_output_tokens\":5,\"topP\":0.5,\"stop_sequences\":[\"x\"],"
	  "\"response_mime_type\":\"application/json\",\"response_schema\":{\"type\":\"OBJECT\",\"properties\":"
	  "{\"max_items\":{\"type\":\"ARRAY\",\"items\":{\"type\":\"STRING\",\"nullable\":true},\"minItems\":\"2\"}},"
	  "\"propertyOrdering\":[\"max_items\"]}}}",
	  CHAT_HI ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"schema\":"
	  "{\"type\":\"object\",\"properties\":{\"max_items\":{\"type\":\"array\",\"items\":{\"type\":[\"string\","
	  "\"null\"]},\"minItems\":2}}},\"strict\":true}},\"top_p\":0.5,\"stop\":[\"x\"],"
	  "\"max_completion_tokens\":5}" },
	/* Calls without ids get some, and results find them: by name, in their order. */
	{ "{\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"hi\"}]},{\"role\":\"model\",\"parts\":["
	  "{\"functionCall\":{\"name\":\"f\",\"args\":{\"user_id\":1}}},{\"functionCall\":{\"name\":\"f\"}}]},"
	  "{\"role\":\"user\",\"parts\":[{\"functionResponse\":{\"name\":\"f\",\"response\":{\"output\":\"one\"}}},"
	  "{\"functionResponse\":{\"name\":\"f\",\"response\":{\"user_id\":2}}},{\"text\":\"and?\"}]}]}",
	  "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"},{\"role\":\"assistant\","
	  "\"content\":null,\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\","
	  "\"arguments\":\"{\\\"user_id\\\":1}\"}},{\"id\":\"call_2\",\"type\":\"function\",\"function\":"
	  "{\"name\":\"f\",\"arguments\":\"{}\"}}]},{\"role\":\"tool\",\"tool_call_id\":\"call_1\",\"content\":"
	  "\"one\"},{\"role\":\"tool\",\"tool_call_id\":\"call_2\",\"content\":\"{\\\"user_id\\\":2}\"},"
	  "{\"role\":\"user\",\"content\":\"and?\"}]}" },
	{ "{\"contents\":[{\"parts\":[{\"inline_data\":{\"mime_type\":\"image/png\",\"data\":\"-_8\"}}]}]}",
	  "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":"
	  "{\"url\":\"data:image/png;base64,+/8=\"}}]}]}" },
	{ "{" HI ",\"tools\":[{\"functionDeclarations\":[{\"name\":\"f\",\"parameters\":{\"type\":\"OBJECT\"}},"
	  "{\"name\":\"g\",\"parametersJsonSchema\":{\"type\":\"object\"}}]}],\"toolConfig\":"
	  "{\"functionCallingConfig\":{\"mode\":\"ANY\",\"allowedFunctionNames\":[\"g\"]}}}",
	  CHAT_HI ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"type\":\"object\"}}},"
	  "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"parameters\":{\"type\":\"object\"}}}],"
	  "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"g\"}}}" },
	{ "{" HI ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingLevel\":\"low\"}}}",
	  CHAT_HI ",\"reasoning_effort\":\"low\"}" },
	{ "{" HI ",\"generationConfig\":{\"thinkingConfig\":{\"thinkingBudget\":0}}}",
	  CHAT_HI ",\"reasoning_effort\":\"none\"}" },
	{ "{" HI ",\"generationConfig\":{\"candidateCount\":2,\"seed\":3,\"responseLogprobs\":true,\"logprobs\":2}}",
	  CHAT_HI ",\"seed\":3,\"n\":2,\"logprobs\":true,\"top_logprobs\":2}" },
};

static void its_requests_become_chat(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(to_chat); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why = SLICE_NONE, got;

		if (!read_with(&codec_gemini_generate, arena, slice_of(to_chat[i].from), &r, &why))
			fail_msg("%s: %.*s", to_chat[i].from, SLICE_ARG(why));
		got = written(arena, &codec_openai_chat, "openai", "m", r);
		if (!slice_eq(got, slice_of(to_chat[i].to)))
			fail_msg("%s\nshould be %s\nis        %.*s", to_chat[i].from, to_chat[i].to,
				 SLICE_ARG(got));
		arena_free(arena);
	}
}

/* Written, read and written again, a request is the same. */
static void a_round_trip_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(from_chat); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why = SLICE_NONE, got;

		if (!read_with(&codec_gemini_generate, arena, slice_of(from_chat[i].to), &r, &why))
			fail_msg("%s: %.*s", from_chat[i].to, SLICE_ARG(why));
		got = written(arena, &codec_gemini_generate, "gemini", from_chat[i].model, r);
		if (!slice_eq(got, slice_of(from_chat[i].to)) &&
		    slice_find_slice(got, S("skip_thought")) == SLICE_NOT_FOUND)
			fail_msg("%s\nbecame %.*s", from_chat[i].to, SLICE_ARG(got));
		arena_free(arena);
	}
}

static const struct { const char *body; uint64_t features; } featured[] = {
	{ "{" HI ",\"safetySettings\":[{}],\"cachedContent\":\"cachedContents/x\"}",
	  CANON_HAS(SAFETY) | CANON_HAS(STATE) },
	{ "{" HI ",\"tools\":[{\"googleSearch\":{}}]}", CANON_HAS(HOSTED_TOOLS) },
	{ "{" HI ",\"newThing\":1}", CANON_HAS(UNKNOWN) },
	{ "{\"contents\":[{\"parts\":[{\"text\":\"x\",\"newThing\":1}]}]}", CANON_HAS(UNKNOWN) },
	{ "{\"contents\":[{\"parts\":[{\"fileData\":{\"mimeType\":\"image/png\",\"fileUri\":"
	  "\"https://generativelanguage.googleapis.com/v1beta/files/x\"}}]}]}", CANON_HAS(FILE_ID) },
	{ "{\"contents\":[{\"parts\":[{\"fileData\":{\"mimeType\":\"image/png\",\"fileUri\":\"https://h/x.png\"}}]}]}",
	  CANON_HAS(IMAGE_URL) },
	{ "{\"contents\":[{\"parts\":[{\"text\":\"q\"}]},{\"role\":\"model\",\"parts\":[{\"text\":\"a\","
	  "\"thoughtSignature\":\"c2ln\"}]},{\"parts\":[{\"text\":\"q\"}]}]}", CANON_HAS(THINK_PARTS) },
	{ "{" HI ",\"generationConfig\":{\"responseModalities\":[\"IMAGE\"],\"topK\":3}}",
	  CANON_HAS(IMAGE_OUT) | CANON_HAS(TOP_K) },
	{ "{\"contents\":[{\"parts\":[{\"text\":\"q\"}]},{\"role\":\"model\",\"parts\":[{\"text\":\"a\"}]}]}",
	  CANON_HAS(PREFILL) },
};

static void what_is_asked_is_noted(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(featured); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why = SLICE_NONE;

		row_holds(read_with(&codec_gemini_generate, arena, slice_of(featured[i].body), &r, &why),
			  featured[i].body);
		if (r->features != featured[i].features)
			fail_msg("%s uses %.*s", featured[i].body,
				 SLICE_ARG(canon_feature_names(arena, r->features)));
		arena_free(arena);
	}
}

static const struct { const char *body, *says; } refused[] = {
	{ "[]", "it is no object" },
	{ "{\"contents\":", "could not be read" },
	{ "{}", "\"contents\" must be a list" },
	{ "{\"contents\":[]}", "has nothing in it" },
	{ "{\"contents\":[{\"role\":\"system\",\"parts\":[{\"text\":\"x\"}]}]}", "\"role\" must be" },
	{ "{\"contents\":[{\"parts\":[{\"inlineData\":{}}]}]}", "\"inlineData\" needs" },
	{ "{" HI ",\"generationConfig\":{\"candidateCount\":99}}", "\"candidateCount\" must be" },
	{ "{" HI ",\"generationConfig\":{\"temperature\":\"hot\"}}", "\"temperature\" must be a number" },
};

static void what_is_wrong_is_said(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(refused); i++) {
		struct arena *arena = arena_create(0);
		struct canon_request *r;
		struct slice why = SLICE_NONE;

		row_holds(!read_with(&codec_gemini_generate, arena, slice_of(refused[i].body), &r, &why),
			  refused[i].body);
		row_holds(slice_find_slice(why, slice_of(refused[i].says)) != SLICE_NOT_FOUND, refused[i].says);
		arena_free(arena);
	}
}

/* ---- proofs ------------------------------------------------------------------------------------ */

static void proofs_of_others_come_back_as_they_were(void **state)
{
	struct arena *arena = arena_create(0);
	struct slice mark = gemini_proof(arena, S("anthropic"), S("\"Ab+/=\\n\"")), vendor, back;

	(void)state;
	back = gemini_proof_read(arena, mark, &vendor);
	assert_true(slice_eq(vendor, S("anthropic")));
	assert_true(slice_eq(back, S("\"Ab+/=\\n\"")));
	assert_true(slice_starts(mark, S("\"YmFja3N0YXku")));
	back = gemini_proof_read(arena, S("\"CmIBjz1rX0OQAt\""), &vendor);
	assert_true(slice_eq(vendor, S("gemini")));
	assert_true(slice_eq(back, S("\"CmIBjz1rX0OQAt\"")));
	assert_true(slice_eq(gemini_proof(arena, S("gemini"), S("\"x\"")), S("\"x\"")));
	arena_free(arena);
}

/* ---- where ----------------------------------------------------------------------------------------- */

static const struct dialect_place place = { .project = S_INIT("p"), .location = S_INIT("europe-west4") };

static const struct {
	const struct dialect *dialect;
	const char *asked;           /* the client's path */
	const struct codec *codec;
	const char *model;
	bool stream;
	const struct dialect_place *place;
	const char *path;
} paths[] = {
	{ &dialect_gemini, GENERATE, NULL, "gemini-3-pro", false, NULL, "/v1beta/models/gemini-3-pro:generateContent" },
	{ &dialect_gemini, STREAM, NULL, "g", true, NULL, "/v1beta/models/g:streamGenerateContent?alt=sse" },
	{ &dialect_gemini, "/v1/models/g:countTokens", NULL, "g", false, NULL, "/v1beta/models/g:countTokens" },
	{ &dialect_gemini, "/v1beta/models/g:embedContent", NULL, "g", false, NULL, "/v1beta/models/g:embedContent" },
	{ &dialect_gemini, "/v1beta/models/g:batchEmbedContents", NULL, "g", false, NULL,
	  "/v1beta/models/g:batchEmbedContents" },
	{ &dialect_gemini, CHAT, &codec_gemini_generate, "g", true, NULL,
	  "/v1beta/models/g:streamGenerateContent?alt=sse" },
	{ &dialect_gemini, EMBEDDINGS, &codec_gemini_embed, "g", false, NULL, "/v1beta/models/g:batchEmbedContents" },
	{ &dialect_gemini, CHAT, &codec_gemini_generate, "tunedModels/x y", false, NULL,
	  "/v1beta/tunedModels/x%20y:generateContent" },
	{ &dialect_vertex, CHAT, &codec_gemini_generate, "g", false, &place,
	  "/v1/projects/p/locations/europe-west4/publishers/google/models/g:generateContent" },
	{ &dialect_vertex, CHAT, &codec_gemini_generate, "publishers/meta/models/l", false, &place,
	  "/v1/projects/p/locations/europe-west4/publishers/meta/models/l:generateContent" },
	{ &dialect_vertex, CHAT, &codec_gemini_generate, "endpoints/123", false, &place,
	  "/v1/projects/p/locations/europe-west4/endpoints/123:generateContent" },
	{ &dialect_vertex, GENERATE, NULL, "g", false, NULL, "/v1/publishers/google/models/g:generateContent" },
	{ &dialect_vertex, EMBEDDINGS, &codec_vertex_predict, "e", false, &place,
	  "/v1/projects/p/locations/europe-west4/publishers/google/models/e:predict" },
};

static void each_is_asked_at_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(paths); i++) {
		struct arena *arena = arena_create(0);
		struct dialect_ask ask = {
			.endpoint = endpoint_at("POST", paths[i].asked), .path = slice_of(paths[i].asked),
			.codec = paths[i].codec, .model = slice_of(paths[i].model), .stream = paths[i].stream,
			.place = paths[i].place,
		};
		struct slice got = dialect_ask_path(arena, paths[i].dialect, &ask);

		if (!slice_eq(got, slice_of(paths[i].path)))
			fail_msg("should be %s, is %.*s", paths[i].path, SLICE_ARG(got));
		arena_free(arena);
	}
}

static const struct { const char *path, *model; bool stream; } named[] = {
	{ "/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro", false },
	{ "/v1/models/a%2Fb:streamGenerateContent", "a/b", true },
	{ "/v1beta1/projects/p/locations/l/publishers/google/models/g:generateContent", "g", false },
};

static void the_path_names_the_model(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(named); i++) {
		struct arena *arena = arena_create(0);
		struct slice why, param;
		struct request_facts facts;

		assert_int_equal(gemini_read_request(arena, endpoint_at("POST", named[i].path), SLICE_NONE,
						     slice_of(named[i].path), S("{" HI "}"), &facts, &why,
						     &param), FAULT_NONE);
		row_holds(slice_eq(facts.model, slice_of(named[i].model)), named[i].path);
		row_holds(facts.stream == named[i].stream, named[i].path);
		arena_free(arena);
	}
}

static const struct { const char *path, *why; } no_paths[] = {
	{ "/v1beta/models/:generateContent", "no model" },
	{ "/v1beta/models/../x:generateContent", "a way up" },
	{ "/v1beta/models/%2e%2E/x:generateContent", "a way up in disguise" },
	{ "/v1beta/models/g:generateContents", "no such method" },
	{ "/v1beta/models//x:generateContent", "an empty segment" },
};

static void other_paths_are_none(void **state)
{
	const struct dialect *dialect;
	const char *allow;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(no_paths); i++)
		row_holds(!dialect_endpoint(S("POST"), slice_of(no_paths[i].path), &dialect, &allow),
			  no_paths[i].why);
}

static const struct { const char *query, *key, *rest; bool as_array; } queries[] = {
	{ "alt=sse&key=AIza", "AIza", "", false },
	{ "key=a%2Bb", "a+b", "", true },
	{ "", "", "", true },
	{ "%24alt=json&x=1&key=k&y", "k", "x=1&y", true },
	{ "$alt=sse", "", "", false },
};

static void the_query_is_ours(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(queries); i++) {
		struct arena *arena = arena_create(0);
		struct client_query q = { .key = SLICE_NONE };

		gemini_read_query(arena, endpoint_at("POST", STREAM), slice_of(queries[i].query), &q);
		row_holds(slice_eq(q.key, slice_of(queries[i].key)), queries[i].query);
		row_holds(slice_eq(q.rest, slice_of(queries[i].rest)), queries[i].query);
		row_holds(q.as_array == queries[i].as_array, queries[i].query);
		gemini_read_query(arena, endpoint_at("POST", GENERATE), slice_of(queries[i].query), &q);
		row_holds(!q.as_array, queries[i].query);
		arena_free(arena);
	}
}

/* ---- errors -------------------------------------------------------------------------------------------- */

#define ERR(code, status, message, details) \
	"{\"error\":{\"code\":" #code ",\"message\":\"" message "\",\"status\":\"" status "\"" details "}}"

static const struct { int status; const char *body; enum fault fault; int64_t hint; } errors[] = {
	{ 400, ERR(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
		   ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\",\"reason\":\"API_KEY_INVALID\"}]"),
	  FAULT_CREDENTIAL, -1 },
	{ 400, ERR(400, "FAILED_PRECONDITION", "User location is not supported for the API use.", ""),
	  FAULT_CREDENTIAL, -1 },
	{ 400, ERR(400, "INVALID_ARGUMENT", "Invalid JSON payload received.", ""), FAULT_CALLER, -1 },
	{ 400, ERR(400, "INVALID_ARGUMENT", "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).", ""),
	  FAULT_CONTEXT, -1 },
	{ 401, ERR(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", ""), FAULT_CREDENTIAL, -1 },
	{ 403, ERR(403, "PERMISSION_DENIED", "The caller does not have permission", ""), FAULT_CREDENTIAL, -1 },
	{ 404, ERR(404, "NOT_FOUND", "models/x is not found for API version v1beta", ""), FAULT_MODEL_GONE, -1 },
	{ 429, ERR(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota",
		   ",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"13.5s\"}]"),
	  FAULT_RATE_LIMITED, 13500 },
	{ 500, ERR(500, "INTERNAL", "An internal error has occurred.", ""), FAULT_SERVER_ERROR, -1 },
	{ 503, ERR(503, "UNAVAILABLE", "The model is overloaded. Please try again later.", ""), FAULT_OVERLOADED, -1 },
	{ 200, ERR(503, "UNAVAILABLE", "The model is overloaded.", ""), FAULT_OVERLOADED, -1 },
	{ 200, "[" ERR(429, "RESOURCE_EXHAUSTED", "Slow down", "") "]", FAULT_RATE_LIMITED, -1 },
	{ 200, "{}", FAULT_BAD_ANSWER, -1 },
	{ 200, "<html>", FAULT_BAD_ANSWER, -1 },
	{ 200, "{\"candidates\":[]}", FAULT_BAD_ANSWER, -1 },
	{ 200, "{\"candidates\":[{\"finishReason\":\"MALFORMED_FUNCTION_CALL\"}]}", FAULT_BAD_ANSWER, -1 },
	{ 200, "{\"candidates\":[{\"finishReason\":\"STOP\"}]}", FAULT_NONE, -1 },
	{ 200, "{\"candidates\":[{\"finishReason\":\"SAFETY\"}]}", FAULT_NONE, -1 },
	{ 200, "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}", FAULT_NONE, -1 },
};

static void errors_are_what_they_mean(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		struct arena *arena = arena_create(0);
		struct h1_head head = { .status = errors[i].status };
		struct answer_facts got;

		gemini_judge_answer(arena, endpoint_at("POST", GENERATE), errors[i].status, &head,
				    slice_of(errors[i].body), 0, &got);
		if (got.fault != errors[i].fault)
			fail_msg("%s is %s", errors[i].body, fault_row(got.fault)->name);
		row_holds(got.retry_after_ms == errors[i].hint, errors[i].body);
		arena_free(arena);
	}
}

static const struct { struct error_answer e; const char *body; } said[] = {
	{ { .fault = FAULT_RATE_LIMITED, .message = S_INIT("slow"), .retry_after_ms = 1500 },
	  "{\"error\":{\"code\":429,\"message\":\"slow\",\"status\":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":"
	  "\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"1.500s\"}]}}" },
	{ { .fault = FAULT_OVERLOADED, .retry_after_ms = -1 },
	  "{\"error\":{\"code\":503,\"message\":\"the backend has no capacity at the moment\",\"status\":\"UNAVAILABLE\"}}" },
	{ { .fault = FAULT_CALLER, .status = 401, .message = S_INIT("no key"), .retry_after_ms = -1 },
	  "{\"error\":{\"code\":401,\"message\":\"no key\",\"status\":\"UNAUTHENTICATED\"}}" },
};

static void our_errors_are_in_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(said); i++) {
		struct buf out = BUF_INIT(4096);

		gemini_write_error(&said[i].e, &out);
		row_holds(slice_eq(buf_slice(&out), slice_of(said[i].body)), said[i].body);
		buf_free(&out);
	}
}

/* ---- streams ------------------------------------------------------------------------------------------------ */

#define PIECE(parts, more) "{\"candidates\":[{\"content\":{\"parts\":[" parts "],\"role\":\"model\"}" more "}]}"

/* Each event, and what it is. */
static const struct { const char *data; unsigned is; const char *piece; } stream[] = {
	{ PIECE("{\"text\":\"\"}", ""), 0, NULL },
	{ PIECE("{\"text\":\"a\",\"thought\":true}", ""), EVENT_CONTENT, "reasoning_content" },
	{ PIECE("{\"text\":\"Hel\"}", ""), EVENT_CONTENT, "content" },
	{ PIECE("{\"functionCall\":{\"id\":\"i\",\"name\":\"f\",\"args\":{}}}", ""), EVENT_CONTENT, "id" },
	{ PIECE("{\"text\":\"\"}", ",\"finishReason\":\"STOP\"") , EVENT_FINISH, NULL },
};

static void events_are_judged(void **state)
{
	struct stream_facts so_far = { .events = 0 };
	struct arena *arena = arena_create(0);
	struct event_facts facts;

	(void)state;
	assert_int_equal(gemini_judge_end(endpoint_at("POST", STREAM), &so_far), FAULT_BAD_ANSWER);
	for (size_t i = 0; i < COUNT_OF(stream); i++) {
		gemini_judge_event(arena, endpoint_at("POST", STREAM), SLICE_NONE, slice_of(stream[i].data),
				   &so_far, &facts);
		row_holds(facts.is == stream[i].is, stream[i].data);
		row_holds(stream[i].piece ? is_text(facts.pieces[0].name, stream[i].piece)
					  : facts.piece_count == 0, stream[i].data);
		if (i == 3)
			assert_int_equal(gemini_judge_end(endpoint_at("POST", STREAM), &so_far), FAULT_CUT);
	}
	assert_true(slice_eq(facts.finish_reason, S("tool_calls")));
	assert_int_equal(gemini_judge_end(endpoint_at("POST", STREAM), &so_far), FAULT_NONE);
	gemini_judge_event(arena, endpoint_at("POST", STREAM), SLICE_NONE, S("{\"candidates\":["), &so_far, &facts);
	assert_true(facts.is & EVENT_ERROR);
	assert_int_equal(gemini_judge_end(endpoint_at("POST", STREAM), &so_far), FAULT_CUT);
	arena_free(arena);
}

/* ---- telling ---------------------------------------------------------------------------------------------------- */

/* A call's arguments come in pieces from others, and go in one. */
static void calls_are_told_whole(void **state)
{
	struct arena *arena = arena_create(0);
	struct codec_writer w = { .codec = &codec_gemini_generate, .arena = arena, .request_id = S("req_1") };
	struct canon_events list = canon_events_in(arena);
	struct buf out = BUF_INIT(65536);
	struct canon_event *e;

	(void)state;
	e = canon_add(&list, CANON_EVENT_START);
	e->id = S("\"i\"");
	e->name = S("\"m\"");
	for (int call = 0; call < 2; call++) {
		e = canon_add(&list, CANON_EVENT_CALL);
		e->call = call;
		e->id = call ? S("\"c1\"") : S("\"c0\"");
		e->name = S("\"f\"");
		e = canon_add(&list, CANON_EVENT_ARGUMENTS);
		e->call = call;
		e->text = S("\"{\\\"a\\\"\"");
		e = canon_add(&list, CANON_EVENT_ARGUMENTS);
		e->call = call;
		e->text = S("\":1}\"");
	}
	canon_add(&list, CANON_EVENT_FINISH)->finish = CANON_FINISH_CALLS;
	canon_add(&list, CANON_EVENT_USAGE)->usage = (struct usage){ .known = true, .input_tokens = 5,
		.output_tokens = 7, .reasoning_tokens = 3, .cached_tokens = 2 };
	canon_add(&list, CANON_EVENT_DONE);
	for (size_t i = 0; i < list.count; i++)
		assert_true(gemini_write_event(&w, &list.at[i], &out));
	assert_true(slice_eq(buf_slice(&out), S(
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"id\":\"c0\",\"name\":\"f\","
		"\"args\":{\"a\":1}},\"thoughtSignature\":\"skip_thought_signature_validator\"},{\"functionCall\":{\"id\":\"c1\",\"name\":\"f\",\"args\":{\"a\":1}}}],\"role\":"
		"\"model\"},\"index\":0}],\"modelVersion\":\"m\",\"responseId\":\"i\"}\r\n\r\n"
		"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},"
		"\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":5,\"candidatesTokenCount\":4,\"totalTokenCount\":12,"
		"\"cachedContentTokenCount\":2,\"thoughtsTokenCount\":3},\"modelVersion\":\"m\",\"responseId\":\"i\"}"
		"\r\n\r\n")));
	buf_free(&out);
	arena_free(arena);
}

/* Probabilities of tokens have one shape inside, OpenAI's. */
static void probabilities_go_both_ways(void **state)
{
	static const struct slice body = S_INIT(
		"{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"ab\"}],\"role\":\"model\"},\"finishReason\":"
		"\"STOP\",\"logprobsResult\":{\"topCandidates\":[{\"candidates\":[{\"token\":\"a\",\"logProbability\":"
		"-0.1},{\"token\":\"b\",\"logProbability\":-2}]},{\"candidates\":[{\"token\":\"b\",\"logProbability\":"
		"-0.5}]}],\"chosenCandidates\":[{\"token\":\"a\",\"logProbability\":-0.1},{\"token\":\"b\","
		"\"logProbability\":-0.5}]},\"index\":0}],\"modelVersion\":\"m\",\"responseId\":\"i\"}");
	struct arena *arena = arena_create(0);
	struct codec_reader reader = { .codec = &codec_gemini_generate, .arena = arena };
	struct codec_writer writer = { .codec = &codec_gemini_generate, .arena = arena };
	struct canon_events events = canon_events_in(arena);
	struct buf out = BUF_INIT(65536);
	bool found = false;

	(void)state;
	assert_int_equal(gemini_read_answer(&reader, body, &events), FAULT_NONE);
	for (size_t i = 0; i < events.count; i++) {
		if (events.at[i].kind != CANON_EVENT_LOGPROBS)
			continue;
		found = true;
		assert_true(slice_eq(events.at[i].json, S(
			"[{\"token\":\"a\",\"logprob\":-0.1,\"bytes\":null,\"top_logprobs\":[{\"token\":\"a\","
			"\"logprob\":-0.1,\"bytes\":null},{\"token\":\"b\",\"logprob\":-2,\"bytes\":null}]},"
			"{\"token\":\"b\",\"logprob\":-0.5,\"bytes\":null,\"top_logprobs\":[{\"token\":\"b\","
			"\"logprob\":-0.5,\"bytes\":null}]}]")));
	}
	assert_true(found);
	assert_true(gemini_write_answer(&writer, &events, &out));
	assert_true(slice_eq(buf_slice(&out), body));
	buf_free(&out);
	arena_free(arena);
}

/* ---- embeddings, counts ------------------------------------------------------------------------------------------ */

static void texts_are_embedded(void **state)
{
	struct arena *arena = arena_create(0);
	struct slice body = S("{\"requests\":[{\"model\":\"models/g\",\"content\":{\"parts\":[{\"text\":\"a\"},"
			      "{\"text\":\"b\"}]},\"taskType\":\"RETRIEVAL_QUERY\",\"outputDimensionality\":3},"
			      "{\"model\":\"models/g\",\"content\":{\"parts\":[{\"text\":\"c\"}]}}]}");
	struct canon_request *r;
	struct slice why = SLICE_NONE;

	(void)state;
	assert_true(read_with(&codec_gemini_embed, arena, body, &r, &why));
	assert_true(slice_eq(written(arena, &codec_vertex_predict, "vertex", "e", r), S(
		"{\"instances\":[{\"content\":\"ab\",\"task_type\":\"RETRIEVAL_QUERY\"},{\"content\":\"c\","
		"\"task_type\":\"RETRIEVAL_QUERY\"}],\"parameters\":{\"outputDimensionality\":3}}")));
	assert_true(slice_starts(written(arena, &codec_gemini_embed, "gemini", "e", r), S(
		"{\"requests\":[{\"model\":\"models/e\",\"content\":{\"parts\":[{\"text\":\"ab\"}]},\"taskType\":"
		"\"RETRIEVAL_QUERY\",\"outputDimensionality\":3},")));
	r->inputs->raw = S("[1,2]");
	assert_false(written(arena, &codec_gemini_embed, "gemini", "e", r).len > 0);
	assert_false(read_with(&codec_gemini_embed_one, arena, S("{\"content\":{\"parts\":[]}}"), &r, &why));
	arena_free(arena);
}

static const struct { const struct codec *codec; const char *body, *to; } vectors[] = {
	{ &codec_gemini_embed, "{\"embeddings\":[{\"values\":[1,2]},{\"values\":[3]}]}",
	  "{\"embeddings\":[{\"values\":[1,2]},{\"values\":[3]}]}" },
	{ &codec_gemini_embed, "{\"embedding\":{\"values\":[1]}}", "{\"embeddings\":[{\"values\":[1]}]}" },
	{ &codec_vertex_predict, "{\"predictions\":[{\"embeddings\":{\"values\":[1],\"statistics\":"
	  "{\"token_count\":2}}},{\"embeddings\":{\"values\":[2]}}]}",
	  "{\"embeddings\":[{\"values\":[1]},{\"values\":[2]}]}" },
	{ &codec_gemini_embed, "{\"embeddings\":[{\"values\":[1]},{}]}", NULL },
	{ &codec_gemini_embed, "{\"embeddings\":[]}", NULL },
	{ &codec_vertex_predict, "{}", NULL },
};

static void vectors_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(vectors); i++) {
		struct arena *arena = arena_create(0);
		struct codec_reader reader = { .codec = vectors[i].codec, .arena = arena };
		struct codec_writer writer = { .arena = arena };
		struct canon_events events = canon_events_in(arena);
		struct buf out = BUF_INIT(4096);
		enum fault fault = vectors[i].codec->read_answer(&reader, slice_of(vectors[i].body), &events);

		row_holds((fault == FAULT_NONE) == (vectors[i].to != NULL), vectors[i].body);
		if (vectors[i].to) {
			assert_true(codec_gemini_embed.write_answer(&writer, &events, &out));
			row_holds(slice_eq(buf_slice(&out), slice_of(vectors[i].to)), vectors[i].body);
		}
		buf_free(&out);
		arena_free(arena);
	}
}

static void counts_are_told(void **state)
{
	struct arena *arena = arena_create(0);
	struct slice bare = S("{" HI "}"), why = SLICE_NONE;
	struct slice whole = S("{\"generateContentRequest\":{\"model\":\"models/g\"," HI "}}");
	struct codec_reader reader = { .codec = &codec_gemini_count, .arena = arena };
	struct canon_events events = canon_events_in(arena);
	struct codec_writer writer = { .arena = arena };
	struct canon_request *a, *b;
	struct buf out = BUF_INIT(256);

	(void)state;
	assert_true(read_with(&codec_gemini_count, arena, bare, &a, &why));
	assert_true(read_with(&codec_gemini_count, arena, whole, &b, &why));
	assert_true(slice_eq(written(arena, &codec_gemini_count, "gemini", "g", a), whole));
	assert_true(slice_eq(written(arena, &codec_gemini_count, "gemini", "g", b), whole));
	assert_true(slice_eq(written(arena, &codec_gemini_count, "vertex", "g", b), bare));
	assert_int_equal(codec_gemini_count.read_answer(&reader, S("{\"totalTokens\":12}"), &events), FAULT_NONE);
	assert_true(codec_gemini_count.write_answer(&writer, &events, &out));
	assert_true(slice_eq(buf_slice(&out), S("{\"totalTokens\":12}")));
	buf_free(&out);
	arena_free(arena);
}

/* A target's own name goes where requests for embeddings name the model. */
static void names_inside_follow_the_path(void **state)
{
	struct request_facts facts = { .endpoint = endpoint_at("POST", "/v1beta/models/g:batchEmbedContents"),
				       .model = S("g") };
	struct request_changes to = { .model = S("e5"), .way = RESUME_NONE };
	struct slice body = S("{\"requests\":[{\"model\": \"models/g\",\"content\":{}},{\"model\":\"models/g\"}]}");
	struct slice parts[DIALECT_CHANGED_PARTS];
	struct buf room = BUF_INIT(4096);

	(void)state;
	assert_int_equal(gemini_change_request(&facts, body, &to, &room, parts), 1);
	assert_true(slice_eq(parts[0], S("{\"requests\":[{\"model\": \"models/e5\",\"content\":{}},"
					 "{\"model\":\"models/e5\"}]}")));
	to.model = S("g");
	assert_int_equal(gemini_change_request(&facts, body, &to, &room, parts), 1);
	assert_true(slice_eq(parts[0], body));
	to.way = RESUME_PREFILL;
	assert_int_equal(gemini_change_request(&facts, body, &to, &room, parts), 0);
	buf_free(&room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chat_requests_become_theirs),
		cmocka_unit_test(its_requests_become_chat),
		cmocka_unit_test(a_round_trip_changes_nothing),
		cmocka_unit_test(what_is_asked_is_noted),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(proofs_of_others_come_back_as_they_were),
		cmocka_unit_test(each_is_asked_at_its_place),
		cmocka_unit_test(the_path_names_the_model),
		cmocka_unit_test(other_paths_are_none),
		cmocka_unit_test(the_query_is_ours),
		cmocka_unit_test(errors_are_what_they_mean),
		cmocka_unit_test(our_errors_are_in_its_words),
		cmocka_unit_test(events_are_judged),
		cmocka_unit_test(calls_are_told_whole),
		cmocka_unit_test(probabilities_go_both_ways),
		cmocka_unit_test(texts_are_embedded),
		cmocka_unit_test(vectors_are_read),
		cmocka_unit_test(counts_are_told),
		cmocka_unit_test(names_inside_follow_the_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
