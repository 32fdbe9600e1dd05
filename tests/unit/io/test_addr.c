#include "io/io.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *text;
	const char *canonical;           /* NULL: not an address */
	bool loopback;
} rows[] = {
	{ "127.0.0.1:8080",      "127.0.0.1:8080",   true },
	{ "127.8.9.10:1",        "127.8.9.10:1",     true },
	{ "0.0.0.0:0",           "0.0.0.0:0",        false },
	{ "10.1.2.3:65535",      "10.1.2.3:65535",   false },
	{ "[::1]:80",            "[::1]:80",         true },
	{ "[0:0:0:0:0:0:0:1]:9", "[::1]:9",          true },
	{ "[::ffff:127.0.0.1]:9", "[::ffff:127.0.0.1]:9", true },
	{ "[2001:db8::2]:443",   "[2001:db8::2]:443", false },
	{ "unix:/run/b.sock",    "unix:/run/b.sock", true },
	{ "",                    NULL, false },
	{ ":80",                 NULL, false },
	{ "127.0.0.1",           NULL, false },
	{ "127.0.0.1:",          NULL, false },
	{ "127.0.0.1:65536",     NULL, false },
	{ "127.0.0.1:+80",       NULL, false },
	{ "127.0.0.1: 80",       NULL, false },
	{ "127.0.0.1:000080",    NULL, false },
	{ "127.1:80",            NULL, false },
	{ "256.0.0.1:80",        NULL, false },
	{ "localhost:80",        NULL, false },
	{ "::1:80",              NULL, false },
	{ "[::1]",               NULL, false },
	{ "[::1]80",             NULL, false },
	{ "[::1",                NULL, false },
	{ "[127.0.0.1]:80",      NULL, false },
	{ "[fe80::1%eth0]:80",   NULL, false },
	{ "unix:",               NULL, false },
};

static void addresses_are_read_strictly_and_written_shortest(void **state)
{
	char out[IO_ADDR_TEXT_MAX];
	struct io_addr a, again;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool ok = io_addr_parse(slice_of(rows[i].text), &a);

		if (ok != (rows[i].canonical != NULL))
			fail_msg("'%s' was %s", rows[i].text, ok ? "accepted" : "refused");
		if (!ok)
			continue;
		assert_string_equal(io_addr_text(&a, out), rows[i].canonical);
		assert_int_equal(io_addr_is_loopback(&a), rows[i].loopback);
		assert_true(io_addr_parse(slice_of(out), &again));
		assert_true(io_addr_eq(&a, &again));
	}
}

static void addresses_that_differ_in_one_part_are_not_equal(void **state)
{
	static const char *const all[] = { "1.2.3.4:5", "1.2.3.4:6", "1.2.3.5:5", "[102:304::]:5",
					   "[102:304::1]:5", "unix:/a", "unix:/b" };
	struct io_addr a, b;

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
			assert_true(io_addr_parse(slice_of(all[i]), &a));
			assert_true(io_addr_parse(slice_of(all[k]), &b));
			assert_int_equal(io_addr_eq(&a, &b), i == k);
		}
	}
}

static void a_unix_path_that_does_not_fit_is_refused(void **state)
{
	char text[5 + 108];
	struct io_addr a;

	(void)state;
	memset(text, 'x', sizeof text);
	memcpy(text, "unix:", 5);
	assert_false(io_addr_parse((struct slice){ text, 5 + 108 }, &a));
	assert_true(io_addr_parse((struct slice){ text, 5 + 107 }, &a));
	text[20] = 0;
	assert_false(io_addr_parse((struct slice){ text, 5 + 107 }, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_strictly_and_written_shortest),
		cmocka_unit_test(addresses_that_differ_in_one_part_are_not_equal),
		cmocka_unit_test(a_unix_path_that_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
