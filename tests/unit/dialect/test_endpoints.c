#include "help.h"

#include "base/check.h"

/* ---- which request goes where ---------------------------------------------------- */

static const struct {
	const char *method, *path;
	const char *upstream;        /* NULL: no endpoint */
	const char *allow;           /* then: the methods that fit */
	const char *says;
} rows[] = {
	{ "POST", "/v1/chat/completions", "/chat/completions", NULL, "chat" },
	{ "POST", "/v1/completions", "/completions", NULL, "legacy completions" },
	{ "POST", "/v1/responses", "/responses", NULL, "responses" },
	{ "POST", "/v1/embeddings", "/embeddings", NULL, "embeddings" },
	{ "GET", "/v1/models", "/models", NULL, "the list of models" },
	{ "GET", "/v1/models/qwen/qwen3-32b", "/models/qwen/qwen3-32b", NULL,
	  "one model, whose name may have a slash" },
	{ "GET", "/v1/responses/resp_1", "/responses/resp_1", NULL, "a stored response" },
	{ "DELETE", "/v1/responses/resp_1", "/responses/resp_1", NULL, "deleting one" },
	{ "POST", "/v1/responses/resp_1/cancel", "/responses/resp_1/cancel", NULL, "cancelling one" },
	{ "GET", "/v1/responses/resp_1/input_items", "/responses/resp_1/input_items", NULL,
	  "what one was asked" },
	{ "POST", "/v1/moderations", "/moderations", NULL, "moderations" },
	{ "POST", "/v1/rerank", "/rerank", NULL, "rerank" },
	{ "POST", "/v1/images/generations", "/images/generations", NULL, "images" },
	{ "POST", "/v1/audio/speech", "/audio/speech", NULL, "speech" },
	{ "POST", "/v1/audio/transcriptions", "/audio/transcriptions", NULL, "transcriptions" },
	{ "POST", "/v1/files", "/files", NULL, "uploading a file" },
	{ "GET", "/v1/files/file-1/content", "/files/file-1/content", NULL, "a file's bytes" },
	{ "POST", "/v1/batches/b1/cancel", "/batches/b1/cancel", NULL, "cancelling a batch" },
	{ "GET", "/v1/chat/completions", NULL, "POST", "a known path with a wrong method" },
	{ "PUT", "/v1/files", NULL, "GET, POST", "all methods that would fit are named" },
	{ "PATCH", "/v1/responses/r", NULL, "GET, POST, DELETE", "also for a path with a star" },
	{ "POST", "/chat/completions", NULL, NULL, "without /v1 there is nothing" },
	{ "POST", "/v1/chat/completions/", NULL, NULL, "a trailing slash is another path" },
	{ "POST", "/v1/nothing", NULL, NULL, "an unknown path" },
	{ "GET", "/v1/files/", NULL, NULL, "a star stands for something" },
	{ "GET", "/v1/files/../admin", NULL, NULL, "no way out of the backend's base path" },
	{ "GET", "/v1/files/a/..", NULL, NULL, "not at the end" },
	{ "GET", "/v1/files/%2e%2E/admin", NULL, NULL, "not percent-encoded" },
	{ "GET", "/v1/files/.%2e/admin", NULL, NULL, "not half encoded" },
	{ "GET", "/v1/files/./x", NULL, NULL, "no single dot" },
	{ "GET", "/v1/files//x", NULL, NULL, "no empty first segment" },
	{ "GET", "/v1/files/..x", "/files/..x", NULL, "dots in a name are fine" },
};

static void requests_find_their_endpoint(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct arena *arena = arena_create(0);
		const struct dialect *dialect = NULL;
		const char *allow = "untouched";
		const struct endpoint *e = dialect_endpoint(slice_of(rows[i].method),
			slice_of(rows[i].path), &dialect, &allow);

		row_holds(!!e == !!rows[i].upstream, rows[i].says);
		if (e) {
			struct slice to = dialect_upstream_path(arena, e, slice_of(rows[i].path));

			row_holds(dialect == &dialect_openai, rows[i].says);
			row_holds(is_text(to, rows[i].upstream), rows[i].says);
		} else {
			row_holds(is_text(slice_of(allow), rows[i].allow), rows[i].says);
		}
		arena_free(arena);
	}
}

/* N09: an answer may be computed twice, an object must not be created twice. */
static const struct { const char *method, *path; bool may_retry, may_stream; } promises[] = {
	{ "POST", CHAT, true, true },
	{ "POST", COMPLETIONS, true, true },
	{ "POST", RESPONSES, true, true },
	{ "POST", EMBEDDINGS, true, false },
	{ "POST", "/v1/images/generations", true, true },
	{ "POST", "/v1/audio/transcriptions", true, true },
	{ "POST", "/v1/files", false, false },
	{ "POST", "/v1/batches", false, false },
	{ "GET", "/v1/batches/b1", true, false },
};

static void only_what_creates_nothing_is_sent_twice(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(promises); i++) {
		const struct endpoint *e = endpoint_at(promises[i].method, promises[i].path);

		row_holds(e->may_retry == promises[i].may_retry, promises[i].path);
		row_holds(e->may_stream == promises[i].may_stream, promises[i].path);
	}
}

static void each_row_can_be_reached(void **state)
{
	(void)state;
	for (size_t i = 0; i < dialect_openai.endpoint_count; i++) {
		const struct endpoint *e = &dialect_openai.endpoints[i];
		char path[128];

		snprintf(path, sizeof path, "%.*s", SLICE_ARG(e->path));
		if (path[strlen(path) - 1] == '*')
			path[strlen(path) - 1] = 'x';
		assert_ptr_equal(endpoint_at(e->method, path), e);
	}
}

static void dialects_are_found_by_name(void **state)
{
	(void)state;
	assert_ptr_equal(dialect_find(S("openai")), &dialect_openai);
	assert_null(dialect_find(S("OpenAI")));
	assert_null(dialect_find(S("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_find_their_endpoint),
		cmocka_unit_test(only_what_creates_nothing_is_sent_twice),
		cmocka_unit_test(each_row_can_be_reached),
		cmocka_unit_test(dialects_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
