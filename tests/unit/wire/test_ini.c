/* Files of sections with keys. */
#include "wire/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define FILE_TEXT                                                                              \
	"# a comment\n[default]\naws_access_key_id = AKID\naws_secret_access_key=a=b/c+d==\r\n" \
	"; region = x\nAWS_Region =  us-east-1  # here\n\n[ work ] ; mine\naws_access_key_id=W#1\n" \
	"s3 =\n  aws_access_key_id = nested\n[default]\naws_session_token=t\n[empty]\nnothing\n=x\n[last]\na=1"

static const struct { const char *section, *key, *value; } rows[] = {
	{ "default", "aws_access_key_id", "AKID" },
	{ "default", "aws_secret_access_key", "a=b/c+d==" },
	{ "default", "aws_region", "us-east-1" },
	{ "default", "region", NULL },
	{ "default", "aws_session_token", "t" },
	{ "work", "aws_access_key_id", "W#1" },
	{ "work", "s3", "" },
	{ "work", "aws_secret_access_key", NULL },
	{ "empty", "nothing", NULL },
	{ "empty", "", "x" },
	{ "last", "a", "1" },
	{ "none", "a", NULL },
};

static void finds_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct slice got = ini_value(S(FILE_TEXT), slice_of(rows[i].section), slice_of(rows[i].key));

		if (!slice_eq(got, slice_of(rows[i].value)) || !got.at != !rows[i].value)
			fail_msg("[%s] %s: %.*s", rows[i].section, rows[i].key, SLICE_ARG(got));
	}
}

static void knows_sections(void **state)
{
	(void)state;
	assert_true(ini_has_section(S(FILE_TEXT), S("work")));
	assert_true(ini_has_section(S(FILE_TEXT), S("last")));
	assert_false(ini_has_section(S(FILE_TEXT), S("wor")));
	assert_false(ini_has_section(S("[x"), S("x")));
	assert_false(ini_has_section(S(""), S("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_values),
		cmocka_unit_test(knows_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
