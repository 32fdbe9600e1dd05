#include "help.h"

#include "base/check.h"
#include "dialect/error_body.h"

/* S20: the shapes of errors. */
static const struct {
	const char *body, *message, *type, *code, *param;
	int status;
	const char *says;
} rows[] = {
	{ "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":\"p\",\"code\":\"c\"}}",
	  "m", "t", "c", "p", 0, "OpenAI" },
	{ "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,\"code\":null}}",
	  "m", "t", "", "", 0, "OpenAI with nulls" },
	{ "{\"error\":\"m\"}", "m", "", "", "", 0, "a bare string (Ollama)" },
	{ "{\"error\":\"long sentence\",\"code\":\"c\"}", "long sentence", "", "c", "", 0,
	  "a bare string with a code beside it" },
	{ "{\"error\":\"Not Found\",\"message\":\"the sentence\",\"status\":404}", "the sentence", "", "",
	  "", 404, "a frame's page of errors: the sentence is in message (Spring)" },
	{ "{\"message\":\"m\"}", "m", "", "", "", 0, "a lone message (Mistral, AWS)" },
	{ "{\"detail\":\"m\"}", "m", "", "", "", 0, "FastAPI" },
	{ "{\"detail\":[{\"loc\":[\"body\",\"model\"],\"msg\":\"Field required\"}]}", "Field required",
	  "", "", "", 0, "FastAPI's list of what is wrong" },
	{ "{\"object\":\"error\",\"message\":\"m\",\"type\":\"NotFoundError\",\"param\":null,\"code\":404}",
	  "m", "NotFoundError", "404", "", 404, "vLLM" },
	{ "{\"object\":\"error\",\"message\":{\"detail\":[{\"msg\":\"Extra inputs\"}]},"
	  "\"type\":\"invalid_request_error\"}", "Extra inputs", "invalid_request_error", "", "", 0,
	  "Mistral's message that is an object" },
	{ "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
	  "Overloaded", "overloaded_error", "", "", 0, "Anthropic" },
	{ "[{\"error\":{\"code\":400,\"message\":\"API key not valid.\",\"status\":\"INVALID_ARGUMENT\"}}]",
	  "API key not valid.", "INVALID_ARGUMENT", "400", "", 400, "Gemini, wrapped in an array" },
	{ "{\"error\":{\"message\":\"litellm.RateLimitError: x\",\"type\":\"None\",\"code\":\"429\"}}",
	  "litellm.RateLimitError: x", "None", "429", "", 429, "LiteLLM's code is a number in quotes" },
	{ "{\"error\":{\"error\":{\"message\":\"m\",\"code\":\"c\"}}}", "m", "", "c", "", 0, "wrapped twice" },
	{ "{\"errors\":[{\"message\":\"m\"}]}", "m", "", "", "", 0, "a list (Cloudflare)" },
	{ "{\"error\":{\"message\":\"a \\\"b\\\" \\u00e9\"}}", "a \"b\" \xc3\xa9", "", "", "", 0,
	  "escapes are decoded" },
	{ "\"m\"", "m", "", "", "", 0, "a string" },
	{ "  {\"error\":{\"message\":\"m\"}}\n", "m", "", "", "", 0, "S23: space around it" },
};

static void sentences_are_found_in_every_shape(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena *arena = arena_create(0);
		struct error_body e;

		error_body_read(arena, slice_of(rows[i].body), &e);
		row_holds(e.found, rows[i].says);
		row_holds(is_text(e.message, rows[i].message), rows[i].says);
		row_holds(is_text(e.type, rows[i].type), rows[i].says);
		row_holds(is_text(e.code, rows[i].code), rows[i].says);
		row_holds(is_text(e.param, rows[i].param), rows[i].says);
		row_holds(e.status == rows[i].status, rows[i].says);
		row_holds(slice_eq(dialect_error_message(arena, slice_of(rows[i].body)), e.message),
			  rows[i].says);
		arena_free(arena);
	}
}

static const char *const no_errors[] = {
	"", "  ", "<html><body>502</body></html>", "{", "{}", "[]", "[[]]", "null", "7", "{\"id\":1}",
	"{\"error\":null}", "{\"error\":{}}", "{\"error\":\"\"}", "{\"error\":false}",
	"{\"error\":{\"message\":\"\xff\"}}",
};

static void what_is_no_error_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(no_errors); i++) {
		struct arena *arena = arena_create(0);
		struct error_body e;

		error_body_read(arena, slice_of(no_errors[i]), &e);
		row_holds(!e.found, no_errors[i]);
		row_holds(dialect_error_message(arena, slice_of(no_errors[i])).len == 0, no_errors[i]);
		arena_free(arena);
	}
}

/* S24: nesting does not recurse without bound. */
static void deep_nesting_is_survived(void **state)
{
	static char body[2400];
	struct arena *arena = arena_create(0);
	size_t at = 0;

	(void)state;
	for (int i = 0; i < 200; i++)
		at += (size_t)snprintf(body + at, sizeof body - at, "{\"error\":");
	at += (size_t)snprintf(body + at, sizeof body - at, "\"m\"");
	memset(body + at, '}', 200);
	assert_int_equal(dialect_error_message(arena, (struct slice){ body, at + 200 }).len, 0);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sentences_are_found_in_every_shape),
		cmocka_unit_test(what_is_no_error_is_none),
		cmocka_unit_test(deep_nesting_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
