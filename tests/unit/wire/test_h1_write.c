/* Looking into heads, and writing them. */
#include "tests/unit/wire/h1_cuts.h"

static void parse(struct slice in, struct h1_head *h)
{
	size_t scanned = 0;

	assert_int_equal(h1_parse_request(in, H1_HEAD_BYTES_MAX, &scanned, h), H1_OK);
}

static void gets_values_by_name(void **state)
{
	static struct h1_head h;

	(void)state;
	parse(S("GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nx-one: 2\r\nEmpty:\r\n\r\n"), &h);
	assert_true(slice_eq(h1_get(&h, S("x-ONE")), S("1")));
	assert_non_null(h1_get(&h, S("empty")).at);
	assert_int_equal(h1_get(&h, S("empty")).len, 0);
	assert_null(h1_get(&h, S("absent")).at);
}

static void knows_hop_by_hop(void **state)
{
	static const struct {
		struct slice name;
		bool is;
		const char *says;
	} rows[] = {
		{ S_INIT("connection"), true, "always" },
		{ S_INIT("KEEP-ALIVE"), true, "always, in any case" },
		{ S_INIT("Proxy-Connection"), true, "always" },
		{ S_INIT("TE"), true, "always" },
		{ S_INIT("Trailer"), true, "always" },
		{ S_INIT("Transfer-Encoding"), true, "always" },
		{ S_INIT("Upgrade"), true, "always" },
		{ S_INIT("Proxy-Authorization"), true, "meant for this proxy" },
		{ S_INIT("X-A"), true, "named by Connection" },
		{ S_INIT("x-b"), true, "named by the second Connection" },
		{ S_INIT("X-C"), false, "not named" },
		{ S_INIT("Content-Length"), false, "end to end" },
		{ S_INIT("Authorization"), false, "end to end" },
	};
	static struct h1_head h;

	(void)state;
	parse(S("GET / HTTP/1.1\r\nHost: a\r\nConnection: close, x-a\r\nX-C: 1\r\n"
		"connection: X-B\r\n\r\n"), &h);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		if (h1_is_hop_by_hop(&h, rows[i].name) != rows[i].is)
			fail_msg("%.*s: %s", SLICE_ARG(rows[i].name), rows[i].says);
	}
}

static void writes_heads(void **state)
{
	struct buf b = BUF_INIT(4096);

	(void)state;
	h1_write_request_line(&b, S("POST"), S("/v1/x?y"));
	h1_write_header(&b, S("Host"), S("a"));
	h1_write_header(&b, S("Empty"), S(""));
	h1_write_header_u64(&b, S("Content-Length"), UINT64_MAX);
	h1_write_header_u64(&b, S("Zero"), 0);
	h1_write_head_end(&b);
	assert_true(slice_eq(buf_slice(&b), S("POST /v1/x?y HTTP/1.1\r\nHost: a\r\nEmpty: \r\n"
					      "Content-Length: 18446744073709551615\r\n"
					      "Zero: 0\r\n\r\n")));
	buf_clear(&b);
	h1_write_status_line(&b, 200);
	h1_write_status_line(&b, 529);
	assert_true(slice_eq(buf_slice(&b), S("HTTP/1.1 200 OK\r\nHTTP/1.1 529 \r\n")));
	buf_free(&b);
}

/* What is written is read back as what it was. */
static void reads_what_it_wrote(void **state)
{
	struct buf b = BUF_INIT(4096);
	static struct h1_head h;

	(void)state;
	h1_write_request_line(&b, S("POST"), S("/v1/x"));
	h1_write_header(&b, S("Host"), S("a:80"));
	h1_write_header_u64(&b, S("Content-Length"), 12345);
	h1_write_head_end(&b);
	parse(buf_slice(&b), &h);
	assert_int_equal(h.bytes, buf_len(&b));
	assert_int_equal(h.content_length, 12345);
	assert_true(slice_eq(h1_get(&h, S("Host")), S("a:80")));
	buf_free(&b);
}

static void knows_reasons(void **state)
{
	(void)state;
	assert_string_equal(h1_reason(200), "OK");
	assert_string_equal(h1_reason(431), "Request Header Fields Too Large");
	assert_string_equal(h1_reason(299), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gets_values_by_name),
		cmocka_unit_test(knows_hop_by_hop),
		cmocka_unit_test(writes_heads),
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(knows_reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
