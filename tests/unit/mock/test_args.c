/* The command line of the mock: what is accepted, and what a refusal says. */
#include "cm.h"

#include "mock/mock_args.h"

#include <string.h>

#define WORDS_MAX 8

struct row {
	const char *words[WORDS_MAX];
	const char *says;             /* part of the refusal; NULL: accepted */
};

static const struct row rows[] = {
	{ { NULL }, NULL },
	{ { "--listen", "9001", "--listen", "[::1]:9002" }, NULL },
	{ { "--listen=unix:/tmp/x.sock" }, NULL },
	{ { "--name", "a", "--seed", "7", "--model", "m1", "--model=m2" }, NULL },
	{ { "--ttft", "300ms", "--gap", "20", "--tokens", "50", "--echo" }, NULL },
	{ { "--fault", "status 500 times 3 then ok" }, NULL },
	{ { "--tls-cert", "c.pem", "--tls-key", "k.pem" }, NULL },
	{ { "--help" }, NULL },
	{ { "--lsiten", "9001" }, "did you mean --listen?" },
	{ { "--frobnicate" }, "`backstay mock --help` lists them" },
	{ { "--listen" }, "--listen wants ADDR after it" },
	{ { "--listen", "localhost:80" }, "write a port" },
	{ { "--listen", "70000" }, "write a port" },
	{ { "--seed", "-1" }, "write a whole number" },
	{ { "--ttft", "soon" }, "write a duration" },
	{ { "--tokens", "0" }, "write a number from 1" },
	{ { "--name", "a b" }, "cannot be in a name" },
	{ { "--fault", "sttaus 500" }, "did you mean 'status'?" },
	{ { "--key", "" }, "--key wants the key" },
	{ { "--echo=yes" }, "--echo takes no value" },
	{ { "--tls-cert", "c.pem" }, "belong together" },
};

static void lines_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct mock_args args;
		char why[256] = "";
		char *argv[WORDS_MAX];
		int argc = 0;
		bool ok;

		while (argc < WORDS_MAX && rows[i].words[argc]) {
			argv[argc] = (char *)(uintptr_t)rows[i].words[argc];
			argc++;
		}
		ok = mock_args_parse(&args, argc, argv, why, sizeof why);
		row_holds(ok == !rows[i].says, argc ? rows[i].words[0] : "nothing");
		if (!ok)
			row_holds(strstr(why, rows[i].says) != NULL, why);
	}
}

static void values_arrive(void **state)
{
	char words[][24] = { "--listen", "9001", "--ttft", "1.5s", "--model", "m", "--fault=stall first" };
	char *argv[COUNT_OF(words)];
	struct mock_args args;
	char why[256];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(words); i++)
		argv[i] = words[i];
	assert_true(mock_args_parse(&args, (int)COUNT_OF(words), argv, why, sizeof why));
	assert_int_equal(args.listen_count, 1);
	assert_int_equal(args.listen[0].port, 9001);
	assert_true(io_addr_is_loopback(&args.listen[0]));
	assert_int_equal(args.options.ttft_ms, 1500);
	assert_int_equal(args.options.model_count, 1);
	assert_true(slice_eq(args.fault, S("stall first")));
}

static void help_names_every_option_and_behaviour(void **state)
{
	struct buf out = BUF_INIT(1 << 20);

	(void)state;
	mock_args_write_help(&out);
	assert_int_not_equal(slice_find_slice(buf_slice(&out), S("--tls-key")), SLICE_NOT_FOUND);
	assert_int_not_equal(slice_find_slice(buf_slice(&out), S("insufficient-quota")), SLICE_NOT_FOUND);
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_are_read),
		cmocka_unit_test(values_arrive),
		cmocka_unit_test(help_names_every_option_and_behaviour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
