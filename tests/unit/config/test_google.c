/* Backends at Google: where they are, whose, and what they are shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/check.h"
#include "dialect/dialect.h"
#include "exchange/policy.h"
#include "fake_world.h"

#define M "\nmodels: {m: [o/x]}\n"
#define ENV_MAX 4
#define USER_FILE "{\"type\":\"authorized_user\",\"client_id\":\"i\",\"client_secret\":\"s\"," \
	"\"refresh_token\":\"r\",\"quota_project_id\":\"q\"}"

static const struct {
	const char *backend;
	struct fake_pair env[ENV_MAX], files[2];
	const char *origin, *project, *location;      /* NULL: it has no place */
	enum credential_kind kind;                    /* CREDENTIAL_KIND_COUNT: none */
	int auth;
} rows[] = {
	{ "dialect: gemini, key: k", { { NULL, NULL } }, { { NULL, NULL } },
	  "https://generativelanguage.googleapis.com", NULL, NULL, CREDENTIAL_KIND_COUNT, AUTH_X_GOOG_API_KEY },
	{ "dialect: gemini, key: k, url: 'http://h/v1beta'", { { NULL, NULL } }, { { NULL, NULL } },
	  "http://h", NULL, NULL, CREDENTIAL_KIND_COUNT, AUTH_X_GOOG_API_KEY },
	{ "dialect: vertex, key: k", { { NULL, NULL } }, { { NULL, NULL } },
	  "https://aiplatform.googleapis.com", "", "global", CREDENTIAL_KIND_COUNT, AUTH_X_GOOG_API_KEY },
	{ "dialect: vertex, project: p, location: europe-west4", { { NULL, NULL } }, { { NULL, NULL } },
	  "https://europe-west4-aiplatform.googleapis.com", "p", "europe-west4", CREDENTIAL_GOOGLE_METADATA, AUTH_NONE },
	{ "dialect: vertex, location: eu", { { "GOOGLE_CLOUD_PROJECT", "e" } }, { { NULL, NULL } },
	  "https://aiplatform.eu.rep.googleapis.com", "e", "eu", CREDENTIAL_GOOGLE_METADATA, AUTH_NONE },
	{ "dialect: vertex", { { "GOOGLE_APPLICATION_CREDENTIALS", "/k" }, { "GOOGLE_CLOUD_LOCATION", "us-east1" } },
	  { { "/k", USER_FILE } },
	  "https://us-east1-aiplatform.googleapis.com", "q", "us-east1", CREDENTIAL_GOOGLE_USER, AUTH_NONE },
	{ "dialect: vertex, project: p, url: 'http://h/v1'", { { "HOME", "/h" } },
	  { { "/h/.config/gcloud/application_default_credentials.json", USER_FILE } },
	  "http://h", "p", "global", CREDENTIAL_GOOGLE_USER, AUTH_NONE },
};

static struct config *parse(const char *backend, const struct fake_world *world, struct buf *errors)
{
	struct config_source source = fake_source(world);
	struct buf text = BUF_INIT(8192);
	struct config *c;

	buf_putf(&text, "backends: {o: {%s}}" M, backend);
	c = config_parse(S("b.yaml"), buf_slice(&text), &source, errors);
	buf_free(&text);
	return c;
}

static bool is_text(struct slice got, const char *expected)
{
	return slice_eq(got, slice_of(expected));
}

static void finds_place_and_credential(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct fake_world world = { rows[i].env, rows[i].files };
		struct buf errors = BUF_INIT(65536), url = BUF_INIT(4096);
		struct config *c = parse(rows[i].backend, &world, &errors);
		const struct backend_policy *b;

		if (!c)
			fail_msg("%s: %.*s", rows[i].backend, SLICE_ARG(buf_slice(&errors)));
		b = &c->backends[0];
		buf_putf(&url, "%s://%.*s%.*s", b->origins[0].tls ? "https" : "http", SLICE_ARG(b->origins[0].authority),
			 SLICE_ARG(b->origins[0].base_path));
		if (!is_text(buf_slice(&url), rows[i].origin))
			fail_msg("%s: %.*s", rows[i].backend, SLICE_ARG(buf_slice(&url)));
		if (!b->place != !rows[i].location || (b->place && (!is_text(b->place->project, rows[i].project) ||
								    !is_text(b->place->location, rows[i].location))))
			fail_msg("%s: another place", rows[i].backend);
		if ((b->credential ? b->credential->kind : CREDENTIAL_KIND_COUNT) != rows[i].kind)
			fail_msg("%s: another credential", rows[i].backend);
		if (b->auth != rows[i].auth)
			fail_msg("%s: shown as %d", rows[i].backend, b->auth);
		config_give(c);
		assert_int_equal(fake_tls_alive(), 0);
		buf_free(&errors);
		buf_free(&url);
	}
}

static const struct { const char *backend, *says; } mistakes[] = {
	{ "dialect: vertex", "needs its \"project\", or a \"key\" of the express mode" },
	{ "dialect: vertex, project: 'a/b'", "are names such as my-project" },
	{ "dialect: vertex, project: p, location: 'x.test/'", "are names such as my-project" },
	{ "url: 'http://h', project: p", "are for the dialect vertex" },
	{ "dialect: gemini, key: k, location: l", "are for the dialect vertex" },
};

static void says_what_is_wrong(void **state)
{
	static const struct fake_pair none[] = { { NULL, NULL } };
	static const struct fake_world world = { none, none };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(mistakes); i++) {
		struct buf errors = BUF_INIT(65536);

		assert_null(parse(mistakes[i].backend, &world, &errors));
		if (slice_find_slice(buf_slice(&errors), slice_of(mistakes[i].says)) == SLICE_NOT_FOUND)
			fail_msg("%s: %.*s", mistakes[i].backend, SLICE_ARG(buf_slice(&errors)));
		assert_int_equal(fake_tls_alive(), 0);
		buf_free(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_place_and_credential),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
