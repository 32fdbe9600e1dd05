#include "help.h"

#include "base/check.h"

#include <stdlib.h>

enum { STREAM = 1, USAGE = 2, REASONS = 4, TOOLS = 8, IMAGES = 16, AUDIO = 32, SCHEMA = 64 };

static unsigned facts_of(const struct request_facts *f)
{
	return (f->stream ? STREAM : 0u) | (f->asks_usage ? USAGE : 0u) | (f->reasons ? REASONS : 0u) |
	       (f->has_tools ? TOOLS : 0u) | (f->has_images ? IMAGES : 0u) |
	       (f->has_audio ? AUDIO : 0u) | (f->has_schema ? SCHEMA : 0u);
}

static const struct {
	const char *path, *body;
	const char *model, *user;
	unsigned facts;
	const char *says;
} good[] = {
	{ CHAT, "{\"model\":\"m\",\"messages\":[]}", "m", NULL, 0, "the smallest chat" },
	{ CHAT, " {\"model\" : \"m\"} ", "m", NULL, 0, "space anywhere" },
	{ CHAT, "{\"mod\\u0065l\":\"\\u006d\\/1\"}", "m/1", NULL, 0, "escapes in the key and the name" },
	{ CHAT, "{\"model\":\"m\",\"stream\":true}", "m", NULL, STREAM, "a stream" },
	{ CHAT, "{\"model\":\"m\",\"stream\":false}", "m", NULL, 0, "no stream" },
	{ CHAT, "{\"model\":\"m\",\"stream\":null}", "m", NULL, 0, "null is no stream" },
	{ EMBEDDINGS, "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}", "m", NULL, 0,
	  "embeddings never stream" },
	{ CHAT, "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}", "m", NULL,
	  STREAM | USAGE, "usage asked for" },
	{ CHAT, "{\"model\":\"m\",\"stream_options\":null}", "m", NULL, 0, "null options" },
	{ CHAT, "{\"model\":\"m\",\"tools\":[{\"type\":\"function\"}]}", "m", NULL, TOOLS, "tools" },
	{ CHAT, "{\"model\":\"m\",\"tools\":[]}", "m", NULL, 0, "an empty list of tools" },
	{ CHAT, "{\"model\":\"m\",\"functions\":[{}]}", "m", NULL, TOOLS, "functions, the old form" },
	{ CHAT, "{\"model\":\"m\",\"response_format\":{\"type\":\"json_schema\"}}", "m", NULL, SCHEMA,
	  "a schema" },
	{ CHAT, "{\"model\":\"m\",\"response_format\":{\"type\":\"json_object\"}}", "m", NULL, 0,
	  "any JSON is no schema" },
	{ RESPONSES, "{\"model\":\"m\",\"text\":{\"format\":{\"type\":\"json_schema\"}}}", "m", NULL,
	  SCHEMA, "a schema in Responses" },
	{ CHAT, "{\"model\":\"m\",\"reasoning_effort\":\"high\"}", "m", NULL, REASONS, "effort" },
	{ CHAT, "{\"model\":\"m\",\"reasoning_effort\":\"none\"}", "m", NULL, 0, "effort none" },
	{ CHAT, "{\"model\":\"m\",\"reasoning_effort\":null}", "m", NULL, 0, "effort null" },
	{ RESPONSES, "{\"model\":\"m\",\"reasoning\":{\"effort\":\"low\"}}", "m", NULL, REASONS,
	  "effort in Responses" },
	{ RESPONSES, "{\"model\":\"m\",\"reasoning\":{\"summary\":\"auto\"}}", "m", NULL, 0,
	  "a summary alone asks for nothing" },
	{ CHAT, "{\"model\":\"m\",\"reasoning\":{\"enabled\":true}}", "m", NULL, REASONS, "OpenRouter" },
	{ CHAT, "{\"model\":\"m\",\"reasoning\":{\"max_tokens\":2000}}", "m", NULL, REASONS,
	  "OpenRouter's budget" },
	{ CHAT, "{\"model\":\"m\",\"thinking\":{\"type\":\"enabled\"}}", "m", NULL, REASONS,
	  "DeepSeek, Moonshot" },
	{ CHAT, "{\"model\":\"m\",\"thinking\":{\"type\":\"disabled\"}}", "m", NULL, 0, "thinking off" },
	{ CHAT, "{\"model\":\"m\",\"enable_thinking\":true}", "m", NULL, REASONS, "Alibaba" },
	{ CHAT, "{\"model\":\"m\",\"chat_template_kwargs\":{\"enable_thinking\":true}}", "m", NULL,
	  REASONS, "vLLM" },
	{ CHAT, "{\"model\":\"m\",\"messages\":[{\"content\":[{\"type\":\"image_url\"}]}]}", "m", NULL,
	  IMAGES, "an image" },
	{ CHAT, "{\"model\":\"m\",\"messages\":[{\"content\":\"is \\\"image_url\\\" a key?\"}]}", "m",
	  NULL, 0, "text that talks of images" },
	{ RESPONSES, "{\"model\":\"m\",\"input\":[{\"type\":\"input_image\"}]}", "m", NULL, IMAGES,
	  "an image in Responses" },
	{ CHAT, "{\"model\":\"m\",\"messages\":[{\"content\":[{\"type\":\"input_audio\"}]}]}", "m", NULL,
	  AUDIO, "audio" },
	{ CHAT, "{\"model\":\"m\",\"user\":\"u\",\"prompt_cache_key\":\"k\"}", "m", "u", 0, "the user" },
	{ RESPONSES, "{\"model\":\"m\",\"prompt_cache_key\":\"k\"}", "m", "k", 0, "the cache key" },
	{ CHAT, "{\"model\":\"m\",\"user\":7,\"tools\":3,\"reasoning\":1,\"text\":[],\"thinking\":\"x\"}",
	  "m", NULL, 0, "odd types of what is not ours are the backend's affair" },
	{ CHAT, "{\"model\":\"m\",\"seed\":18446744073709551616,\"x\":1e999}", "m", NULL, 0,
	  "S24: numbers of any size" },
	{ "/v1/moderations", "{\"input\":\"x\"}", NULL, NULL, 0, "a moderation need not name a model" },
	{ "/v1/rerank", "{\"model\":\"r\",\"query\":\"q\"}", "r", NULL, 0, "rerank" },
	{ "/v1/images/generations", "{\"model\":\"i\",\"stream\":true}", "i", NULL, STREAM,
	  "images may stream" },
	{ "/v1/files", "whatever", NULL, NULL, 0, "a file is not looked into" },
};

static void requests_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		struct arena *arena = arena_create(0);
		const struct endpoint *e = endpoint_at("POST", good[i].path);
		struct slice body = slice_of(good[i].body), why, param;
		struct request_facts f;
		enum fault fault = dialect_openai.read_request(arena, e, S("application/json"),
			slice_of(good[i].path), body, &f, &why, &param);

		row_holds(fault == FAULT_NONE, good[i].says);
		row_holds(f.endpoint == e, good[i].says);
		row_holds(is_text(f.model, good[i].model), good[i].says);
		row_holds(is_text(f.user, good[i].user), good[i].says);
		row_holds(facts_of(&f) == good[i].facts, good[i].says);
		arena_free(arena);
	}
}

static const struct { const char *path, *body, *why, *param, *says; } bad[] = {
	{ CHAT, "", "the request body is empty; a JSON object is expected", NULL, "an empty body" },
	{ CHAT, "[1]", "the request body must be a JSON object", NULL, "an array" },
	{ CHAT, "{\"model\":\"m\",}", "the request body could not be read as JSON: not valid JSON (at byte 13)",
	  NULL, "a comma too many, with its place" },
	{ CHAT, "{\"model\":\"m\"", "the request body could not be read as JSON: the document ends in the "
	  "middle (at byte 12)", NULL, "a cut body" },
	{ CHAT, "{\"model\":\"m\"} x", "the request body could not be read as JSON: something follows the "
	  "document (at byte 14)", NULL, "something behind" },
	{ CHAT, "{\"model\":\"m\",\"a\":\"\xff\"}", "the request body could not be read as JSON: not valid "
	  "UTF-8 (at byte 18)", NULL, "S24: broken UTF-8" },
	{ CHAT, "{\"model\":\"m\",\"a\":NaN}", "the request body could not be read as JSON: not valid JSON "
	  "(at byte 17)", NULL, "S24: NaN" },
	{ CHAT, "{}", "you must provide a model", "model", "no model" },
	{ CHAT, "{\"model\":null}", "you must provide a model", "model", "a null model" },
	{ CHAT, "{\"model\":\"\"}", "you must provide a model", "model", "an empty model" },
	{ EMBEDDINGS, "{\"input\":\"x\"}", "you must provide a model", "model", "embeddings need one" },
	{ CHAT, "{\"model\":7}", "\"model\" must be a string", "model", "a number" },
	{ CHAT, "{\"model\":\"m\",\"stream\":\"true\"}", "\"stream\" must be true or false", "stream",
	  "a quoted true" },
	{ CHAT, "{\"model\":\"m\",\"stream\":1}", "\"stream\" must be true or false", "stream", "one" },
	{ CHAT, "{\"model\":\"a\",\"model\":\"b\"}", "the request body has \"model\" twice (at byte 13)",
	  "model", "two models: who would know which the backend takes?" },
	{ CHAT, "{\"model\":\"a\",\"mode\\u006c\":\"b\"}", "the request body has \"model\" twice (at byte 13)",
	  "model", "the second one in disguise" },
	{ CHAT, "{\"model\":\"a\",\"stream\":true,\"stream\":false}",
	  "the request body has \"stream\" twice (at byte 27)", "stream", "two streams" },
};

static void bad_requests_are_refused_with_a_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct arena *arena = arena_create(0);
		struct slice why, param;
		struct request_facts f;
		enum fault fault = dialect_openai.read_request(arena, endpoint_at("POST", bad[i].path),
			S("application/json"), slice_of(bad[i].path), slice_of(bad[i].body), &f, &why,
			&param);

		row_holds(fault == FAULT_CALLER, bad[i].says);
		if (!is_text(why, bad[i].why))
			fail_msg("%s: \"%.*s\"", bad[i].says, SLICE_ARG(why));
		row_holds(is_text(param, bad[i].param), bad[i].says);
		arena_free(arena);
	}
}

/* ---- forms ---------------------------------------------------------------------- */

#define FORM "multipart/form-data; boundary=XX"
#define PART(name, value) \
	"--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_PART(name, value) \
	"--XX\r\nContent-Disposition: form-data; name=\"" name "\"; filename=\"a.wav\"\r\n" \
	"Content-Type: audio/wav\r\n\r\n" value "\r\n"
#define TRANSCRIBE "/v1/audio/transcriptions"

static const struct {
	const char *type, *body;
	const char *model;
	bool stream;
	const char *why;             /* NULL: fine */
	const char *says;
} forms[] = {
	{ FORM, PART("model", "whisper") FILE_PART("file", "RIFF") "--XX--\r\n", "whisper", false, NULL,
	  "model first" },
	{ FORM, FILE_PART("file", "RI\r\n--X\r\nFF") PART("model", "whisper") "--XX--", "whisper", false,
	  NULL, "model behind a file that nearly has the boundary in it" },
	{ FORM, PART("stream", "true") PART("model", "w") "--XX--", "w", true, NULL, "a stream" },
	{ "Multipart/Form-Data; charset=utf-8; Boundary=\"XX\"", PART("model", "w") "--XX--", "w", false,
	  NULL, "a quoted boundary, other parameters, any case" },
	{ FORM, FILE_PART("model", "w") "--XX--", NULL, false, NULL, "a file called model is no model" },
	{ FORM, FILE_PART("file", "x") "--XX--", NULL, false, NULL, "no model" },
	{ FORM, "--XX\r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: form-data; name=model\r\n\r\n"
	  "w\r\n--XX--", "w", false, NULL, "other headers, an unquoted name" },
	{ "application/json", "{\"model\":\"w\"}", "w", false, NULL, "JSON instead of a form" },
	{ FORM, PART("model", "a") PART("model", "b") "--XX--", NULL, false,
	  "a field that decides the routing appears twice in the form", "two models" },
	{ FORM, PART("model", "a"), NULL, false, "the form ends in the middle of a part", "no end" },
	{ FORM, "x" PART("model", "a") "--XX--", NULL, false, "the form does not start with its boundary",
	  "a preamble" },
	{ FORM, "--XX\nContent-Disposition: form-data; name=\"model\"\n\na\n--XX--", NULL, false,
	  "the form has a malformed boundary line", "lone LFs" },
	{ FORM, "--XX\r\nContent-Disposition: form-data\r\n\r\na\r\n--XX--", NULL, false,
	  "a part of the form has no name", "a part without a name" },
	{ FORM, "--XX\r\nContent-Disposition: form-data; name=\"a\"; name=\"model\"\r\n\r\na\r\n--XX--",
	  NULL, false, "a part of the form has two names", "a part with two" },
	{ FORM, "--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\na\r\n--XX--", NULL, false,
	  "a part of the form has a malformed Content-Disposition", "a name that does not end" },
	{ FORM, "--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\na\r\n--XX--", NULL, false,
	  "a part of the form has a Content-Disposition other than form-data", "an attachment" },
	{ FORM, PART("model", "a\nb") "--XX--", NULL, false, "\"model\" must be the name of a model",
	  "a name with a line break" },
	{ FORM, "", NULL, false, "the form does not start with its boundary", "an empty body" },
	{ "multipart/form-data", "", NULL, false, "the Content-Type has no usable multipart boundary",
	  "no boundary" },
	{ "multipart/form-data; boundary=", "", NULL, false,
	  "the Content-Type has no usable multipart boundary", "an empty one" },
	{ "multipart/form-data; boundary=a; boundary=b", "", NULL, false,
	  "the Content-Type has no usable multipart boundary", "two" },
	{ "multipart/form-data; boundary=a{b", "", NULL, false,
	  "the Content-Type has no usable multipart boundary", "a forbidden byte" },
	{ "text/plain", "model=w", NULL, false,
	  "the request must be multipart/form-data or application/json", "another type" },
};

static void forms_are_read_strictly(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(forms); i++) {
		struct arena *arena = arena_create(0);
		struct slice body = slice_of(forms[i].body), why, param;
		struct request_facts f;
		enum fault fault = dialect_openai.read_request(arena, endpoint_at("POST", TRANSCRIBE),
			slice_of(forms[i].type), S(TRANSCRIBE), body, &f, &why, &param);

		row_holds((fault == FAULT_NONE) == !forms[i].why, forms[i].says);
		if (fault != FAULT_NONE) {
			if (!is_text(why, forms[i].why))
				fail_msg("%s: \"%.*s\"", forms[i].says, SLICE_ARG(why));
		} else {
			row_holds(is_text(f.model, forms[i].model), forms[i].says);
			row_holds(f.stream == forms[i].stream, forms[i].says);
		}
		arena_free(arena);
	}
}

/* No byte behind the end is read, wherever the body is cut. */
static void cut_forms_are_refused(void **state)
{
	static const char whole[] = PART("model", "w") FILE_PART("file", "RIFF") "--XX--";

	(void)state;
	for (size_t len = 0; len < sizeof whole - 1; len++) {
		struct arena *arena = arena_create(0);
		char *copy = malloc(len ? len : 1);
		struct slice why, param;
		struct request_facts f;

		memcpy(copy, whole, len);
		assert_int_equal(dialect_openai.read_request(arena, endpoint_at("POST", TRANSCRIBE),
			S(FORM), S(TRANSCRIBE), (struct slice){ copy, len }, &f, &why, &param),
			FAULT_CALLER);
		free(copy);
		arena_free(arena);
	}
}

/* ---- another model's name -------------------------------------------------------- */

static const struct { const char *path, *type, *body, *name, *becomes, *says; } splices[] = {
	{ CHAT, "", "{\"model\":\"m\",\"messages\":[]}", "gpt-5", "{\"model\":\"gpt-5\",\"messages\":[]}",
	  "only the name changes" },
	{ CHAT, "", "{\"a\":1.10, \"model\" : \"m\\u0061\" }", "x/y:1", "{\"a\":1.10, \"model\" : \"x/y:1\" }",
	  "spelling and space around it stay" },
	{ CHAT, "", "{\"model\":\"m\"}", "a\"b\\", "{\"model\":\"a\\\"b\\\\\"}", "the new name is escaped" },
	{ CHAT, "", "{\"model\":\"m\",\"model_kwargs\":{\"model\":\"m\"}}", "n",
	  "{\"model\":\"n\",\"model_kwargs\":{\"model\":\"m\"}}", "only the top-level one" },
	{ CHAT, "", "{\"model\":\"m\"}", "m", "{\"model\":\"m\"}", "the same name" },
	{ "/v1/moderations", "", "{\"input\":\"m\"}", "n", "{\"input\":\"m\"}", "no name to replace" },
	{ TRANSCRIBE, FORM, PART("model", "w") FILE_PART("file", "w") "--XX--", "large",
	  PART("model", "large") FILE_PART("file", "w") "--XX--", "in a form" },
	{ TRANSCRIBE, FORM, PART("model", "w") "--XX--", "a\r\nb", PART("model", "ab") "--XX--",
	  "a name cannot end its field" },
	{ TRANSCRIBE, FORM, PART("model", "") "--XX--", "n", PART("model", "") "--XX--", "an empty field" },
};

static void the_name_is_spliced(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(splices); i++) {
		struct arena *arena = arena_create(0);
		struct slice parts[DIALECT_BODY_PARTS], why, param;
		struct slice body = slice_of(splices[i].body);
		struct buf joined = BUF_INIT(4096);
		struct request_facts f;
		size_t count;

		assert_int_equal(dialect_openai.read_request(arena, endpoint_at("POST", splices[i].path),
			slice_of(splices[i].type), slice_of(splices[i].path), body, &f, &why, &param),
			FAULT_NONE);
		count = dialect_splice_model(arena, &f, body, slice_of(splices[i].name), parts);
		for (size_t j = 0; j < count; j++)
			buf_put(&joined, parts[j]);
		row_holds(is_text(buf_slice(&joined), splices[i].becomes), splices[i].says);
		buf_free(&joined);
		arena_free(arena);
	}
}

static void the_name_in_a_path_is_decoded(void **state)
{
	struct arena *arena = arena_create(0);
	const struct endpoint *e = endpoint_at("GET", "/v1/models/a%2Fb");
	struct slice why, param;
	struct request_facts f;

	(void)state;
	assert_int_equal(dialect_openai.read_request(arena, e, SLICE_NONE, S("/v1/models/a%2Fb"),
		SLICE_NONE, &f, &why, &param), FAULT_NONE);
	assert_true(slice_eq(f.model, S("a/b")));
	assert_int_equal(dialect_openai.read_request(arena, e, SLICE_NONE, S("/v1/models/a%2"),
		SLICE_NONE, &f, &why, &param), FAULT_CALLER);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_read),
		cmocka_unit_test(bad_requests_are_refused_with_a_sentence),
		cmocka_unit_test(forms_are_read_strictly),
		cmocka_unit_test(cut_forms_are_refused),
		cmocka_unit_test(the_name_is_spliced),
		cmocka_unit_test(the_name_in_a_path_is_decoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
