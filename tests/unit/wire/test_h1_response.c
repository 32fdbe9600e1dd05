/* What a backend may send as a response head, and what is refused. */
#include "tests/unit/wire/h1_cuts.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define END "\r\n"

static const struct good_row good[] = {
	{ RESPONSE, S_INIT(OK "Content-Length: 2\r\n" END "{}"),
	  "200 'OK' 1.1 [Content-Length=2] body: length 2, keep, 38 bytes", "a length" },
	{ RESPONSE, S_INIT(OK "Content-Length: 0\r\n" END),
	  "200 'OK' 1.1 [Content-Length=0] body: length 0, keep, 38 bytes", "an empty body" },
	{ RESPONSE, S_INIT(OK "Transfer-Encoding: chunked\r\n" END),
	  "200 'OK' 1.1 [Transfer-Encoding=chunked] body: chunked, keep, 47 bytes", "chunks" },
	{ RESPONSE, S_INIT(OK END), "200 'OK' 1.1 body: until close, close, 19 bytes",
	  "no framing: the body ends with the connection" },
	{ RESPONSE, S_INIT(OK "Connection: keep-alive\r\n" END),
	  "200 'OK' 1.1 [Connection=keep-alive] body: until close, close, 43 bytes",
	  "no framing cannot be kept alive, whatever it says" },
	{ RESPONSE, S_INIT(OK "Connection: close\r\nContent-Length: 1\r\n" END),
	  "200 'OK' 1.1 [Connection=close] [Content-Length=1] body: length 1, close, 57 bytes",
	  "the server is about to close" },
	{ RESPONSE, S_INIT("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n" END),
	  "200 'OK' 1.0 [Content-Length=1] body: length 1, close, 38 bytes", "HTTP/1.0 closes" },
	{ RESPONSE, S_INIT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n" END),
	  "200 'OK' 1.0 [Connection=keep-alive] [Content-Length=1] body: length 1, keep, 62 bytes",
	  "HTTP/1.0 that keeps the connection" },
	{ RESPONSE, S_INIT("HTTP/1.1 200\r\nContent-Length: 1\r\n" END),
	  "200 '' 1.1 [Content-Length=1] body: length 1, keep, 35 bytes", "no reason, no space" },
	{ RESPONSE, S_INIT("HTTP/1.1 529 \r\nContent-Length: 1\r\n" END),
	  "529 '' 1.1 [Content-Length=1] body: length 1, keep, 36 bytes", "an empty reason" },
	{ RESPONSE, S_INIT("HTTP/1.1 404  N\xc3\xb6t \tFound\r\nContent-Length: 1\r\n" END),
	  "404 ' N\xc3\xb6t \tFound' 1.1 [Content-Length=1] body: length 1, keep, 48 bytes",
	  "a reason is any text" },
	{ RESPONSE, S_INIT("HTTP/1.1 100 Continue\r\n" END OK END),
	  "100 'Continue' 1.1 body: none, keep, 25 bytes", "an interim response has no body" },
	{ RESPONSE, S_INIT("HTTP/1.1 103 Early Hints\r\nLink: x\r\n" END),
	  "103 'Early Hints' 1.1 [Link=x] body: none, keep, 37 bytes", "nor have early hints" },
	{ RESPONSE, S_INIT("HTTP/1.1 204 No Content\r\n" END),
	  "204 'No Content' 1.1 body: none, keep, 27 bytes", "204 has no body" },
	{ RESPONSE, S_INIT("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n" END),
	  "204 'No Content' 1.1 [Content-Length=0] body: none, keep, 46 bytes",
	  "204 may say that it has none" },
	{ RESPONSE, S_INIT("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n" END),
	  "204 'No Content' 1.1 [Content-Length=5] body: none, close, 46 bytes",
	  "204 that announces a body may send it: not to be reused" },
	{ RESPONSE, S_INIT("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n" END),
	  "204 'No Content' 1.1 [Transfer-Encoding=chunked] body: none, close, 55 bytes",
	  "the same with chunks" },
	{ RESPONSE, S_INIT("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n" END),
	  "304 'Not Modified' 1.1 [Content-Length=5] body: none, keep, 48 bytes",
	  "304 tells the length of what it does not send" },
	{ RESPONSE_TO_HEAD, S_INIT(OK "Content-Length: 5\r\n" END),
	  "200 'OK' 1.1 [Content-Length=5] body: none, keep, 38 bytes",
	  "so does the answer to HEAD" },
	{ RESPONSE_TO_HEAD, S_INIT(OK "Transfer-Encoding: chunked\r\n" END),
	  "200 'OK' 1.1 [Transfer-Encoding=chunked] body: none, keep, 47 bytes",
	  "in chunks, too" },
	{ RESPONSE_TO_HEAD, S_INIT(OK END), "200 'OK' 1.1 body: none, keep, 19 bytes",
	  "an answer to HEAD needs no framing" },
	{ RESPONSE, S_INIT(OK "Host: , \r\nExpect: x\r\nContent-Length: 1\r\n" END),
	  "200 'OK' 1.1 [Host=,] [Expect=x] [Content-Length=1] body: length 1, keep, 59 bytes",
	  "request headers mean nothing here" },
};

static const struct bad_row incomplete[] = {
	{ S_INIT(""), H1_MORE, "nothing came yet" },
	{ S_INIT("HTT"), H1_MORE, "half a version" },
	{ S_INIT("HTTP/1.1 2"), H1_MORE, "half a status" },
	{ S_INIT(OK "A: b\r\n"), H1_MORE, "no empty line yet" },
};

static const struct bad_row bad_lines[] = {
	{ S_INIT("\r\n" OK END), H1_BAD_STATUS, "an empty line first" },
	{ S_INIT("SSH-2.0-x\r\n"), H1_BAD_STATUS, "the banner of another service, told at once" },
	{ S_INIT("\x15\x03\x01\x00\x02\x02"), H1_BAD_STATUS, "a TLS alert" },
	{ S_INIT("<html>"), H1_BAD_STATUS, "HTTP/0.9" },
	{ S_INIT("HTTP/2 200\r\n" END), H1_BAD_STATUS, "HTTP/2" },
	{ S_INIT("HTTP/2.0 200 OK\r\n" END), H1_BAD_STATUS, "HTTP/2.0" },
	{ S_INIT("HTTP/1.2 200 OK\r\n" END), H1_BAD_STATUS, "HTTP/1.2" },
	{ S_INIT("http/1.1 200 OK\r\n" END), H1_BAD_STATUS, "lower case" },
	{ S_INIT("ICY 200 OK\r\n" END), H1_BAD_STATUS, "something like HTTP" },
	{ S_INIT("HTTP/1.1\r\n" END), H1_BAD_STATUS, "no status" },
	{ S_INIT("HTTP/1.1 \r\n" END), H1_BAD_STATUS, "an empty status" },
	{ S_INIT("HTTP/1.1 20\r\n" END), H1_BAD_STATUS, "two digits" },
	{ S_INIT("HTTP/1.1 20\r\nA: b\r\n" END), H1_BAD_STATUS, "two digits, and headers" },
	{ S_INIT("HTTP/1.1 2000 OK\r\n" END), H1_BAD_STATUS, "four digits" },
	{ S_INIT("HTTP/1.1 2x0 OK\r\n" END), H1_BAD_STATUS, "no digit" },
	{ S_INIT("HTTP/1.1 -20 OK\r\n" END), H1_BAD_STATUS, "a sign" },
	{ S_INIT("HTTP/1.1 099 OK\r\n" END), H1_BAD_STATUS, "below 100" },
	{ S_INIT("HTTP/1.1 600 OK\r\n" END), H1_BAD_STATUS, "above 599" },
	{ S_INIT("HTTP/1.1  200 OK\r\n" END), H1_BAD_STATUS, "two spaces" },
	{ S_INIT("HTTP/1.1\t200 OK\r\n" END), H1_BAD_STATUS, "a tab" },
	{ S_INIT("HTTP/1.1 200\tOK\r\n" END), H1_BAD_STATUS, "a tab behind the status" },
	{ S_INIT("HTTP/1.1 200OK\r\n" END), H1_BAD_STATUS, "no space" },
	{ S_INIT("HTTP/1.1 200 O\0K\r\n" END), H1_BAD_STATUS, "NUL in the reason" },
	{ S_INIT("HTTP/1.1 200 O\x1bK\r\n" END), H1_BAD_STATUS, "a control character in the reason" },
	{ S_INIT("HTTP/1.1 200 O\rK\r\n" END), H1_BAD_NEWLINE, "CR in the reason" },
	{ S_INIT("HTTP/1.1 200\rK\r\n" END), H1_BAD_NEWLINE, "CR behind the status" },
	{ S_INIT("HTTP/1.1 200 OK\n\n"), H1_BAD_NEWLINE, "LF throughout" },
	{ S_INIT("HTTP/1.1 200 OK\r\n\n"), H1_BAD_NEWLINE, "LF as the empty line" },
};

static const struct bad_row bad_headers[] = {
	{ S_INIT(OK "A: b\n" END), H1_BAD_NEWLINE, "LF behind a header" },
	{ S_INIT(OK "A: b\rc\r\n" END), H1_BAD_NEWLINE, "CR in a value" },
	{ S_INIT(OK "A : b\r\n" END), H1_BAD_HEADER, "a space before the colon" },
	{ S_INIT(OK ": b\r\n" END), H1_BAD_HEADER, "an empty name" },
	{ S_INIT(OK "A: b\0\r\n" END), H1_BAD_HEADER, "NUL in a value" },
	{ S_INIT(OK "<html>\r\n" END), H1_BAD_HEADER, "no header at all" },
	{ S_INIT(OK "A: b\r\n c\r\n" END), H1_FOLDED, "folded" },
	{ S_INIT(OK "Content-Length: 5\r\nContent-Length: 5\r\n" END), H1_BAD_LENGTH,
	  "two lengths that agree" },
	{ S_INIT(OK "Content-Length: 5\r\nContent-Length: 6\r\n" END), H1_BAD_LENGTH,
	  "two lengths that differ" },
	{ S_INIT(OK "Content-Length: 5, 5\r\n" END), H1_BAD_LENGTH, "a list of lengths" },
	{ S_INIT(OK "Content-Length: -5\r\n" END), H1_BAD_LENGTH, "a negative length" },
	{ S_INIT(OK "Content-Length: five\r\n" END), H1_BAD_LENGTH, "a word for a length" },
	{ S_INIT(OK "Content-Length: 99999999999999999999\r\n" END), H1_BAD_LENGTH,
	  "a length that fits nowhere" },
	{ S_INIT(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" END),
	  H1_LENGTH_AND_ENCODING, "both framings" },
	{ S_INIT(OK "Transfer-Encoding: gzip, chunked\r\n" END), H1_BAD_ENCODING,
	  "a coding that is not understood here" },
	{ S_INIT(OK "Transfer-Encoding: chunked, chunked\r\n" END), H1_BAD_ENCODING, "chunked twice" },
	{ S_INIT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" END), H1_BAD_ENCODING,
	  "chunked on HTTP/1.0" },
	{ S_INIT("HTTP/1.1 304 x\r\nContent-Length: 1\r\nContent-Length: 2\r\n" END), H1_BAD_LENGTH,
	  "also where there is no body to frame" },
};

static void good_responses(void **state)
{
	(void)state;
	check_good(good, COUNT_OF(good));
}

#define BAD_TEST(table)                                                  \
	static void refuses_##table(void **state)                        \
	{                                                                \
		(void)state;                                             \
		check_bad(RESPONSE, table, COUNT_OF(table));             \
		check_bad(RESPONSE_TO_HEAD, table, COUNT_OF(table));     \
	}
BAD_TEST(incomplete)
BAD_TEST(bad_lines)
BAD_TEST(bad_headers)

static void every_result_has_a_sentence(void **state)
{
	(void)state;
	for (int r = 0; r < H1_RESULT_COUNT; r++) {
		assert_true(strlen(h1_result_text((enum h1_result)r)) > 0);
		assert_in_range(h1_result_status((enum h1_result)r), 200, 599);
	}
	assert_int_equal(h1_result_status(H1_TOO_LARGE), 431);
	assert_int_equal(h1_result_status(H1_BAD_VERSION), 505);
	assert_int_equal(h1_result_status(H1_BAD_EXPECT), 417);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_responses),
		cmocka_unit_test(refuses_incomplete),
		cmocka_unit_test(refuses_bad_lines),
		cmocka_unit_test(refuses_bad_headers),
		cmocka_unit_test(every_result_has_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
