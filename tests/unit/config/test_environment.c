/* A config without a file: what is found in the environment, and what it gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "config/inside.h"
#include "dialect/dialect.h"
#include "fake_world.h"

struct row {
	const char *title;
	struct fake_pair env[6];      /* ends with a NULL name */
	const char *servers;          /* local servers that answer, by name */
	const char *found;
	const char *models;           /* "model -> target" lines */
};

static void put_models(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < c->model_count; i++)
		for (size_t t = 0; t < c->models[i].target_count; t++)
			buf_putf(out, "%.*s -> %.*s\n", SLICE_ARG(c->models[i].name),
				 SLICE_ARG(c->models[i].targets[t].name));
}

static struct config *from(const struct row *row, struct buf *found, struct buf *errors)
{
	const struct fake_world world = { row->env, NULL };
	struct config_source source = fake_source(&world);
	const struct config_local_server *answering[8];
	size_t count = 0;

	for (size_t i = 0; i < config_local_server_count; i++)
		if (row->servers && strstr(row->servers, config_local_servers[i].name))
			answering[count++] = &config_local_servers[i];
	return config_from_environment(&source, answering, count, found, errors);
}

static const struct row rows[] = {
	{ "one key is enough",
	  { { "OPENAI_API_KEY", "k" }, { NULL, NULL } }, NULL,
	  "openai (OPENAI_API_KEY): models openai/*, gpt-*, chatgpt-*, text-embedding-3-*\n",
	  "chat -> openai/gpt-6-luna\nopenai/* -> openai/*\ngpt-* -> openai/gpt-*\n"
	  "chatgpt-* -> openai/chatgpt-*\ntext-embedding-3-* -> openai/text-embedding-3-*\n" },
	{ "two vendors: the second one answers when the first cannot",
	  { { "GOOGLE_API_KEY", "g" }, { "MISTRAL_API_KEY", "m" }, { NULL, NULL } }, NULL,
	  "gemini (GOOGLE_API_KEY): models gemini/*, gemini-*\n"
	  "mistral (MISTRAL_API_KEY): models mistral/*, mistral-*, codestral-*, ministral-*\n",
	  "chat -> gemini/gemini-3.8-flash\nchat -> mistral/mistral-small-latest\n"
	  "gemini/* -> gemini/*\ngemini-* -> gemini/gemini-*\n"
	  "mistral/* -> mistral/*\nmistral-* -> mistral/mistral-*\n"
	  "codestral-* -> mistral/codestral-*\nministral-* -> mistral/ministral-*\n" },
	{ "the model behind `chat` can be chosen",
	  { { "GROQ_API_KEY", "k" }, { "BACKSTAY_CHAT_MODEL_GROQ", "x/y" }, { NULL, NULL } }, NULL,
	  "groq (GROQ_API_KEY): models groq/*\n", "chat -> groq/x/y\ngroq/* -> groq/*\n" },
	{ "an empty variable is as good as none",
	  { { "OPENAI_API_KEY", "" }, { "GROQ_API_KEY", "k" }, { NULL, NULL } }, NULL,
	  "groq (GROQ_API_KEY): models groq/*\n",
	  "chat -> groq/openai/gpt-oss-120b\ngroq/* -> groq/*\n" },
	{ "Azure by its v1 API, without a deployment no `chat`",
	  { { "AZURE_OPENAI_ENDPOINT", "https://me.openai.azure.com/" }, { "AZURE_OPENAI_API_KEY", "k" },
	    { NULL, NULL } }, NULL,
	  "azure (AZURE_OPENAI_API_KEY): models azure/*\n", "azure/* -> azure/*\n" },
	{ "Azure with a deployment",
	  { { "AZURE_OPENAI_ENDPOINT", "https://me.openai.azure.com" }, { "AZURE_OPENAI_API_KEY", "k" },
	    { "AZURE_OPENAI_DEPLOYMENT", "dep" }, { NULL, NULL } }, NULL,
	  "azure (AZURE_OPENAI_API_KEY): models azure/*\n",
	  "chat -> azure/dep\nazure/* -> azure/*\n" },
	{ "local servers by their name; one on our own port is no backend",
	  { { NULL, NULL } }, "ollama llamacpp",
	  "ollama (127.0.0.1:11434): models ollama/*\n", "ollama/* -> ollama/*\n" },
	{ "a local model can stand behind `chat`",
	  { { "BACKSTAY_LOCAL_MODEL", "qwen3" }, { NULL, NULL } }, "ollama",
	  "ollama (127.0.0.1:11434): models ollama/*\n",
	  "chat -> ollama/qwen3\nollama/* -> ollama/*\n" },
	{ "when we listen elsewhere, port 8080 is a backend",
	  { { "BACKSTAY_LISTEN", "127.0.0.1:4000" }, { NULL, NULL } }, "llamacpp",
	  "llamacpp (127.0.0.1:8080): models llamacpp/*\n", "llamacpp/* -> llamacpp/*\n" },
};

static void the_environment_makes_a_config(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf found = BUF_INIT(65536), errors = BUF_INIT(65536), models = BUF_INIT(65536);
		struct config *c = from(&rows[i], &found, &errors);

		if (!c)
			print_error("%s: %.*s", rows[i].title, SLICE_ARG(buf_slice(&errors)));
		assert_non_null(c);
		put_models(c, &models);
		if (!slice_eq(buf_slice(&found), slice_of(rows[i].found)) ||
		    !slice_eq(buf_slice(&models), slice_of(rows[i].models)))
			fail_msg("%s: found\n%.*smodels\n%.*s", rows[i].title,
				 SLICE_ARG(buf_slice(&found)), SLICE_ARG(buf_slice(&models)));
		config_give(c);
		buf_free(&found);
		buf_free(&errors);
		buf_free(&models);
	}
	assert_int_equal(fake_tls_alive(), 0);
}

static void azure_s_dated_api_is_used_when_a_version_is_given(void **state)
{
	static const struct row row = {
		"dated", { { "AZURE_OPENAI_ENDPOINT", "https://me.openai.azure.com" },
			   { "AZURE_OPENAI_API_KEY", "k" }, { "AZURE_OPENAI_DEPLOYMENT", "dep" },
			   { "OPENAI_API_VERSION", "2024-10-21" }, { NULL, NULL } }, NULL, NULL, NULL };
	struct buf found = BUF_INIT(65536), errors = BUF_INIT(65536);
	struct config *c = from(&row, &found, &errors);

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->backends[0].auth, AUTH_API_KEY);
	assert_true(slice_eq(c->backends[0].origins[0].base_path, S("/openai/deployments/dep")));
	assert_true(slice_eq(c->backends[0].query, S("api-version=2024-10-21")));
	assert_true(slice_eq(c->path, S("environment")));
	config_give(c);
	buf_free(&found);
	buf_free(&errors);
}

static void listeners_and_a_client_key_come_from_variables_too(void **state)
{
	static const struct row row = {
		"own", { { "OPENAI_API_KEY", "k" }, { "BACKSTAY_LISTEN", "127.0.0.1:4000" },
			 { "BACKSTAY_ADMIN", "127.0.0.1:4001" }, { "BACKSTAY_KEY", "a-key: {of} mine" },
			 { NULL, NULL } }, NULL, NULL, NULL };
	struct buf found = BUF_INIT(65536), errors = BUF_INIT(65536);
	struct config *c = from(&row, &found, &errors);

	(void)state;
	assert_null(c);
	assert_true(slice_starts(buf_slice(&errors), S("environment:4:30: a client key holds a space")));
	buf_free(&found);
	buf_free(&errors);
}

static void nothing_found_says_what_would_help(void **state)
{
	static const struct row row = { "none", { { NULL, NULL } }, NULL, NULL, NULL };
	struct buf found = BUF_INIT(65536), errors = BUF_INIT(65536);

	(void)state;
	assert_null(from(&row, &found, &errors));
	assert_int_equal(buf_len(&found), 0);
	assert_true(slice_find_slice(buf_slice(&errors), S("OPENAI_API_KEY")) != SLICE_NOT_FOUND);
	buf_free(&found);
	buf_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_environment_makes_a_config),
		cmocka_unit_test(azure_s_dated_api_is_used_when_a_version_is_given),
		cmocka_unit_test(listeners_and_a_client_key_come_from_variables_too),
		cmocka_unit_test(nothing_found_says_what_would_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
