/* What the config says of streams: who is known for what, who overrides whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dialect/dialect.h"
#include "fake_world.h"

static const struct fake_pair nothing[] = { { NULL, NULL } };
static const struct fake_world world = { nothing, nothing };

/* NULL with the complaint in `errors`. */
static struct config *parse(const char *text, struct buf *errors)
{
	struct config_source source = fake_source(&world);

	return config_parse(S("f"), slice_of(text), &source, errors);
}

static const struct {
	const char *backend, *target;
	enum resume_way way;
	bool streams;
	const char *says;
} rows[] = {
	{ "url: http://gpu/v1", "b", RESUME_AUTO, false, "an unknown server" },
	{ "url: https://api.openai.com/v1", "b", RESUME_AUTO, true, "answers anew: it can only replay" },
	{ "url: https://x.openai.azure.com/openai/v1", "b", RESUME_AUTO, true, "the same as a service" },
	{ "url: https://api.mistral.ai/v1", "b", RESUME_PREFIX, true, "Mistral's prefix" },
	{ "url: https://api.deepseek.com/beta", "b", RESUME_PREFIX, true, "DeepSeek's beta has it too" },
	{ "url: https://api.deepseek.com/v1", "b", RESUME_AUTO, true, "and only the beta" },
	{ "url: https://openrouter.ai/api/v1", "b", RESUME_AUTO, true, "who knows which model that is" },
	{ "url: https://openrouter.ai/api/v1", "b/anthropic/claude-sonnet-4-5", RESUME_PREFILL, true,
	  "one that goes on with an assistant's message" },
	{ "url: https://openrouter.ai/api/v1", "b/openai/gpt-5", RESUME_AUTO, true,
	  "one that would begin a new answer" },
	{ "url: https://api.anthropic.com/v1", "b/claude-opus-4-5-20251101", RESUME_PREFILL, true,
	  "Claude before 4.6" },
	{ "url: https://api.anthropic.com/v1", "b/claude-sonnet-4-6", RESUME_AUTO, true,
	  "from 4.6 on it refuses a prefill" },
	{ "url: https://api.anthropic.com/v1", "b/claude-opus-5-5", RESUME_AUTO, true, "and later ones too" },
	{ "url: https://api.groq.com/openai/v1", "b/llama-3.3-70b-versatile", RESUME_PREFILL, true, "Groq" },
	{ "url: https://api.groq.com/openai/v1", "b/openai/gpt-oss-20b", RESUME_AUTO, true,
	  "who thinks first would think again" },
	{ "url: http://gpu/v1, resume: continue_final_message", "b", RESUME_CONTINUE_FINAL, false, "said so" },
	{ "url: https://api.mistral.ai/v1, resume: none", "b", RESUME_NONE, true, "said otherwise" },
	{ "url: http://gpu/v1, resume: prefill", "{backend: b, model: m, resume: instruct}", RESUME_INSTRUCT,
	  false, "the target's own word wins" },
	{ "url: http://gpu/v1, resume: prefill", "{backend: b, model: m, resume: auto}", RESUME_PREFILL, false,
	  "unless it has none" },
};

static void targets_know_how_they_resume(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf errors = BUF_INIT(64 * 1024), text = BUF_INIT(64 * 1024);
		struct config *c;

		buf_putf(&text, "backends: {b: {%s}}\nmodels: {m: {targets: [%s]}}\n%c", rows[i].backend,
			 rows[i].target, '\0');
		c = parse(buf_slice(&text).at, &errors);
		if (!c)
			fail_msg("%s: %.*s", rows[i].says, SLICE_ARG(buf_slice(&errors)));
		if (c->models[0].targets[0].resume != (int)rows[i].way)
			fail_msg("%s: way %d", rows[i].says, c->models[0].targets[0].resume);
		if (c->backends[0].known_to_stream != rows[i].streams)
			fail_msg("%s: known to stream", rows[i].says);
		config_give(c);
		buf_free(&errors);
		buf_free(&text);
	}
}

#define B "backends: {b: {url: http://h/v1}}\n"

static void rate_limits_have_a_scope(void **state)
{
	static const struct { const char *backend; enum rate_scope scope; const char *says; } scopes[] = {
		{ "url: https://api.openai.com/v1, key: k", RATE_SCOPE_MODEL, "counts each model" },
		{ "url: https://api.mistral.ai/v1, key: k", RATE_SCOPE_KEY, "counts the account" },
		{ "url: http://gpu/v1, key: k", RATE_SCOPE_KEY, "nobody knows: who has the key" },
		{ "url: http://gpu/v1", RATE_SCOPE_MODEL, "no key, so nobody is counted" },
		{ "url: https://api.openai.com/v1, key: k, rate_scope: key", RATE_SCOPE_KEY, "said so" },
		{ "url: http://gpu/v1, key: k, rate_scope: model", RATE_SCOPE_MODEL, "said otherwise" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof scopes / sizeof *scopes; i++) {
		struct buf errors = BUF_INIT(64 * 1024), text = BUF_INIT(64 * 1024);
		struct config *c;

		buf_putf(&text, "backends: {b: {%s}}\nmodels: {m: [b]}\n%c", scopes[i].backend, '\0');
		c = parse(buf_slice(&text).at, &errors);
		if (!c)
			fail_msg("%s: %.*s", scopes[i].says, SLICE_ARG(buf_slice(&errors)));
		if (c->backends[0].rate_scope != (int)scopes[i].scope)
			fail_msg("%s: scope %d", scopes[i].says, c->backends[0].rate_scope);
		config_give(c);
		buf_free(&errors);
		buf_free(&text);
	}
}

static void models_say_what_befalls_streams(void **state)
{
	struct buf errors = BUF_INIT(64 * 1024);
	struct config *c = parse(B "defaults: {resume: off, keep_alive_comments: 10s, hedge: {after: 300ms}}\n"
				   "models:\n  a: [b]\n"
				   "  m: {targets: [b], resume: on, stream_upstream: on, keep_alive_comments: 0ms,\n"
				   "      hedge: {after: p95, budget: 2.5%}}\n"
				   "  o: {targets: [b], hedge: {after: off}}\n", &errors);
	const struct model_policy *m;

	(void)state;
	if (!c)
		fail_msg("%.*s", SLICE_ARG(buf_slice(&errors)));
	m = &c->models[0];
	assert_false(m->resume);
	assert_int_equal(m->stream_upstream, STREAM_UPSTREAM_AUTO);
	assert_int_equal(m->comments_ms, 10000);
	assert_true(m->hedge.on);
	assert_false(m->hedge.after_p95);
	assert_int_equal(m->hedge.after_ms, 300);
	assert_int_equal(m->hedge.budget_milli, 5000);
	m = &c->models[1];
	assert_true(m->resume);
	assert_int_equal(m->stream_upstream, STREAM_UPSTREAM_ON);
	assert_int_equal(m->comments_ms, 0);
	assert_true(m->hedge.after_p95);
	assert_int_equal(m->hedge.after_ms, 2000);
	assert_int_equal(m->hedge.budget_milli, 2500);
	assert_false(c->models[2].hedge.on);
	config_give(c);
	buf_free(&errors);
}

static void defaults_protect_and_cost_nothing(void **state)
{
	struct buf errors = BUF_INIT(64 * 1024);
	struct config *c = parse(B "models: {m: [b]}\n", &errors);

	(void)state;
	assert_non_null(c);
	assert_true(c->models[0].resume);
	assert_false(c->models[0].hedge.on);
	assert_int_equal(c->models[0].comments_ms, 0);
	config_give(c);
	buf_free(&errors);
}

static const char *const wrong[] = {
	B "models: {m: {targets: [b], hedge: {after: soon}}}\n",
	B "models: {m: {targets: [b], hedge: {after: 1s, budget: 5}}}\n",
	B "models: {m: {targets: [b], resume: replay}}\n",
	"backends: {b: {url: http://h/v1, resume: on}}\nmodels: {m: [b]}\n",
	B "models: {m: {targets: [b], stream_upstream: always}}\n",
};

static void wrong_words_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct buf errors = BUF_INIT(64 * 1024);
		struct config *c = parse(wrong[i], &errors);

		if (c || !buf_len(&errors))
			fail_msg("accepted: %s", wrong[i]);
		buf_free(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_know_how_they_resume),
		cmocka_unit_test(rate_limits_have_a_scope),
		cmocka_unit_test(models_say_what_befalls_streams),
		cmocka_unit_test(defaults_protect_and_cost_nothing),
		cmocka_unit_test(wrong_words_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
