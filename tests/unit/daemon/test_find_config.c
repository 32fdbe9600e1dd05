#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "daemon/find_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- options ---------------------------------------------------------------------- */

struct row {
	const char *sentence;
	char *argv[4];
	bool ok, live;
	const char *path, *why;
};

static void options_are_read_or_refused(void **state)
{
	struct row rows[] = {
		{ "nothing", { NULL }, true, false, NULL, NULL },
		{ "-c FILE", { (char[]){ "-c" }, (char[]){ "a.yaml" } }, true, false, "a.yaml", NULL },
		{ "--config FILE", { (char[]){ "--config" }, (char[]){ "a" } }, true, false, "a", NULL },
		{ "--config=FILE", { (char[]){ "--config=a=b" } }, true, false, "a=b", NULL },
		{ "--live", { (char[]){ "--live" } }, true, true, NULL, NULL },
		{ "the last one counts", { (char[]){ "--config=a" }, (char[]){ "-c" }, (char[]){ "b" } },
		  true, false, "b", NULL },
		{ "-c without a file", { (char[]){ "-c" } }, false, false, NULL, "-c needs a file" },
		{ "a misspelt option", { (char[]){ "--lively" } }, false, false, NULL,
		  "there is no option '--lively'" },
		{ "a bare word", { (char[]){ "a.yaml" } }, false, false, NULL,
		  "there is no option 'a.yaml'; a config is named with -c" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct row *r = &rows[i];
		const char *path;
		bool live = false;
		char why[256] = "";
		int argc = 0;

		while (argc < 4 && r->argv[argc])
			argc++;
		row_holds(find_config_options(argc, r->argv, &path, &live, why, sizeof why) == r->ok,
			  r->sentence);
		if (!r->ok) {
			row_holds(strcmp(why, r->why) == 0, r->sentence);
			continue;
		}
		row_holds(live == r->live, r->sentence);
		row_holds(!path == !r->path && (!path || strcmp(path, r->path) == 0), r->sentence);
	}
}

static void live_is_no_option_of_run(void **state)
{
	char live[] = "--live", *argv[] = { live };
	const char *path;
	char why[256];

	(void)state;
	assert_false(find_config_options(1, argv, &path, NULL, why, sizeof why));
}

/* ---- files ------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_file_comes_with_its_digest(void **state)
{
	char path[] = "/tmp/backstay-test-XXXXXX";
	int fd = mkstemp(path);
	uint8_t one[DIGEST_SHA256_BYTES], two[DIGEST_SHA256_BYTES];
	struct buf errors = BUF_INIT(65536);
	struct config *c;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "backends: {a: {url: 'http://a/v1'}}\nmodels: {m: [a/x]}\n");
	c = find_config_load(path, one, &errors);
	assert_non_null(c);
	assert_int_equal(c->model_count, 1);
	config_give(c);
	assert_true(find_config_digest(path, two));
	assert_memory_equal(one, two, sizeof one);
	write_file(path, "models: 1\n");
	assert_null(find_config_load(path, one, &errors));
	assert_true(slice_starts(buf_slice(&errors), slice_of(path)));
	assert_true(memcmp(one, two, sizeof one) != 0);
	unlink(path);
	buf_clear(&errors);
	assert_null(find_config_load(path, one, &errors));
	assert_true(slice_find_slice(buf_slice(&errors), S("cannot be read")) != SLICE_NOT_FOUND);
	assert_false(find_config_digest(path, one));
	buf_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_read_or_refused),
		cmocka_unit_test(live_is_no_option_of_run),
		cmocka_unit_test(a_file_comes_with_its_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
