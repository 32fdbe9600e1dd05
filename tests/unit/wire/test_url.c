/* Which URLs are understood, and what is said about the others. */
#include "wire/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define assert_slice(got, expected)                                                       \
	do {                                                                              \
		struct slice g_ = (got), e_ = (expected);                                 \
		if (!slice_eq(g_, e_))                                                    \
			fail_msg("\"%.*s\" instead of \"%.*s\"", SLICE_ARG(g_),           \
				 SLICE_ARG(e_));                                          \
	} while (0)

static const struct good {
	struct slice text;
	bool tls;
	struct slice host;
	uint16_t port;
	struct slice path, query, authority;
} good[] = {
#define GOOD(text, tls, host, port, path, query, authority) \
	{ S_INIT(text), tls, S_INIT(host), port, S_INIT(path), S_INIT(query), S_INIT(authority) }
	GOOD("https://api.openai.com/v1", true, "api.openai.com", 443, "/v1", "", "api.openai.com"),
	GOOD("https://api.openai.com/v1/", true, "api.openai.com", 443, "/v1", "",
	     "api.openai.com"),
	GOOD("https://api.openai.com/v1///", true, "api.openai.com", 443, "/v1", "",
	     "api.openai.com"),
	GOOD("https://api.anthropic.com", true, "api.anthropic.com", 443, "", "",
	     "api.anthropic.com"),
	GOOD("https://api.anthropic.com/", true, "api.anthropic.com", 443, "", "",
	     "api.anthropic.com"),
	GOOD("HTTPS://Example.COM/V1", true, "Example.COM", 443, "/V1", "", "Example.COM"),
	GOOD("http://gpu1:8000/v1", false, "gpu1", 8000, "/v1", "", "gpu1:8000"),
	GOOD("http://gpu_1.my-net:1", false, "gpu_1.my-net", 1, "", "", "gpu_1.my-net:1"),
	GOOD("http://localhost:65535", false, "localhost", 65535, "", "", "localhost:65535"),
	GOOD("http://host:80", false, "host", 80, "", "", "host"),
	GOOD("https://host:443", true, "host", 443, "", "", "host"),
	GOOD("http://host:443", false, "host", 443, "", "", "host:443"),
	GOOD("https://host:80", true, "host", 80, "", "", "host:80"),
	GOOD("http://127.0.0.1:11434", false, "127.0.0.1", 11434, "", "", "127.0.0.1:11434"),
	GOOD("http://example.org./x", false, "example.org.", 80, "/x", "", "example.org."),
	GOOD("http://1password.com", false, "1password.com", 80, "", "", "1password.com"),
	GOOD("http://[::1]:8080/v1", false, "::1", 8080, "/v1", "", "[::1]:8080"),
	GOOD("https://[2001:db8::7]", true, "2001:db8::7", 443, "", "", "[2001:db8::7]"),
	GOOD("http://[::]", false, "::", 80, "", "", "[::]"),
	GOOD("http://[1:2:3:4:5:6:7:8]/", false, "1:2:3:4:5:6:7:8", 80, "", "",
	     "[1:2:3:4:5:6:7:8]"),
	GOOD("http://[1:2:3:4:5:6:7::]", false, "1:2:3:4:5:6:7::", 80, "", "", "[1:2:3:4:5:6:7::]"),
	GOOD("http://[::2:3:4:5:6:7:8]", false, "::2:3:4:5:6:7:8", 80, "", "", "[::2:3:4:5:6:7:8]"),
	GOOD("http://[::ffff:10.0.0.7]", false, "::ffff:10.0.0.7", 80, "", "", "[::ffff:10.0.0.7]"),
	GOOD("http://[1:2:3:4:5:6:10.0.0.7]", false, "1:2:3:4:5:6:10.0.0.7", 80, "", "",
	     "[1:2:3:4:5:6:10.0.0.7]"),
	GOOD("https://r.openai.azure.com/openai?api-version=2024-10-21", true, "r.openai.azure.com",
	     443, "/openai", "api-version=2024-10-21", "r.openai.azure.com"),
	GOOD("http://host?a=1?b", false, "host", 80, "", "a=1?b", "host"),
	GOOD("http://host/?", false, "host", 80, "", "", "host"),
	GOOD("http://host/x/?q=/", false, "host", 80, "/x", "q=/", "host"),
	GOOD("https://host/v1/projects/p/models/claude@20240620:rawPredict", true, "host", 443,
	     "/v1/projects/p/models/claude@20240620:rawPredict", "", "host"),
	GOOD("https://host/a%20b", true, "host", 443, "/a%20b", "", "host"),
	GOOD("https://xn--mnchen-3ya.de", true, "xn--mnchen-3ya.de", 443, "", "",
	     "xn--mnchen-3ya.de"),
};

static void understands(void **state)
{
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		const struct good *row = &good[i];
		const char *why = NULL;
		struct url url;

		if (!url_parse(row->text, &url, &why))
			fail_msg("%.*s: %s", SLICE_ARG(row->text), why);
		assert_int_equal(url.tls, row->tls);
		assert_slice(url.host, row->host);
		assert_int_equal(url.host_is_ipv6, slice_find(row->host, ':') != SLICE_NOT_FOUND);
		assert_int_equal(url.port, row->port);
		assert_slice(url.path, row->path);
		assert_slice(url.query, row->query);
		assert_slice(url_authority(arena, &url), row->authority);
	}
	arena_free(arena);
}

static void tells_a_given_port_from_a_default_one(void **state)
{
	struct url url;

	(void)state;
	assert_true(url_parse(S("http://host:80"), &url, NULL));
	assert_true(url.port_given);
	assert_true(url_parse(S("http://host"), &url, NULL));
	assert_false(url.port_given);
}

/* The sentence holds this part. */
static const struct { struct slice text; const char *part; } bad[] = {
	{ S_INIT(""), "empty" },
	{ S_INIT("api.openai.com/v1"), "start it with https:// or http://" },
	{ S_INIT("localhost:8080"), "start it with https:// or http://" },
	{ S_INIT("//host/v1"), "start it with https:// or http://" },
	{ S_INIT("/v1"), "start it with https:// or http://" },
	{ S_INIT("http:/host"), "start it with https:// or http://" },
	{ S_INIT("http:host"), "start it with https:// or http://" },
	{ S_INIT(" https://host"), "start it with https:// or http://" },
	{ S_INIT("ftp://host"), "only http and https" },
	{ S_INIT("ws://host"), "only http and https" },
	{ S_INIT("unix:///run/x"), "only http and https" },
	{ S_INIT("https://"), "host is missing" },
	{ S_INIT("https:///v1"), "host is missing" },
	{ S_INIT("https://:8080"), "host is missing" },
	{ S_INIT("https://?q"), "host is missing" },
	{ S_INIT("https://sk-secret@host/v1"), "put the key into `key:`, not into the URL" },
	{ S_INIT("https://user:password@host/v1"), "put the key into `key:`, not into the URL" },
	{ S_INIT("https://@host"), "put the key into `key:`, not into the URL" },
	{ S_INIT("https://host/v1#top"), "remove the '#'" },
	{ S_INIT("https://host#"), "remove the '#'" },
	{ S_INIT("https://ho st/"), "letters, digits" },
	{ S_INIT("https://host\\x"), "letters, digits" },
	{ S_INIT("https://ho%73t/"), "letters, digits" },
	{ S_INIT("https://host\r\nX: y"), "letters, digits" },
	{ S_INIT("https://ho\0st"), "letters, digits" },
	{ S_INIT("https://${HOST}/v1"), "letters, digits" },
	{ S_INIT("https://m\xc3\xbcnchen.de"), "xn--" },
	{ S_INIT("https://a..b"), "empty part" },
	{ S_INIT("https://.a"), "empty part" },
	{ S_INIT("https://a.."), "empty part" },
	{ S_INIT("https://."), "empty part" },
	{ S_INIT("https://aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg.x"),
	  "longer than 63" },
	{ S_INIT("http://256.1.1.1"), "not an IPv4 address" },
	{ S_INIT("http://10.0.0.7."), "not an IPv4 address" },
	{ S_INIT("http://10.0.0"), "not an IPv4 address" },
	{ S_INIT("http://10.0.0.1.2"), "not an IPv4 address" },
	{ S_INIT("http://010.0.0.1"), "not an IPv4 address" },
	{ S_INIT("http://2130706433"), "not an IPv4 address" },
	{ S_INIT("http://::1"), "brackets" },
	{ S_INIT("http://2001:db8::7:8080"), "brackets" },
	{ S_INIT("http://host:80:80"), "brackets" },
	{ S_INIT("http://[::1"), "']'" },
	{ S_INIT("http://[::1]x"), "follow the ']'" },
	{ S_INIT("http://[::1]8080"), "follow the ']'" },
	{ S_INIT("http://[]"), "not an IPv6 address" },
	{ S_INIT("http://[:]"), "not an IPv6 address" },
	{ S_INIT("http://[:::]"), "not an IPv6 address" },
	{ S_INIT("http://[1::2::3]"), "not an IPv6 address" },
	{ S_INIT("http://[::1:]"), "not an IPv6 address" },
	{ S_INIT("http://[:1::]"), "not an IPv6 address" },
	{ S_INIT("http://[1:2:3:4:5:6:7]"), "not an IPv6 address" },
	{ S_INIT("http://[1:2:3:4:5:6:7:8:9]"), "not an IPv6 address" },
	{ S_INIT("http://[1:2:3:4:5:6:7:8::]"), "not an IPv6 address" },
	{ S_INIT("http://[::12345]"), "not an IPv6 address" },
	{ S_INIT("http://[::g]"), "not an IPv6 address" },
	{ S_INIT("http://[::10.0.0]"), "not an IPv6 address" },
	{ S_INIT("http://[1:2:3:4:5:6:7:10.0.0.1]"), "not an IPv6 address" },
	{ S_INIT("http://[::10.0.0.1:1]"), "not an IPv6 address" },
	{ S_INIT("http://[10.0.0.1]"), "not an IPv6 address" },
	{ S_INIT("http://[host]"), "not an IPv6 address" },
	{ S_INIT("http://[fe80::1%25eth0]"), "zone" },
	{ S_INIT("http://host:"), "port is missing" },
	{ S_INIT("http://host:/v1"), "port is missing" },
	{ S_INIT("http://[::1]:"), "port is missing" },
	{ S_INIT("http://host:0"), "1 to 65535" },
	{ S_INIT("http://host:65536"), "1 to 65535" },
	{ S_INIT("http://host:080"), "1 to 65535" },
	{ S_INIT("http://host:-1"), "1 to 65535" },
	{ S_INIT("http://host:+80"), "1 to 65535" },
	{ S_INIT("http://host:http"), "1 to 65535" },
	{ S_INIT("http://host:99999999999999999999"), "1 to 65535" },
	{ S_INIT("http://host/a b"), "percent-encoded" },
	{ S_INIT("http://host/a\nb"), "percent-encoded" },
	{ S_INIT("http://host/\xc3\xa9"), "percent-encoded" },
	{ S_INIT("http://host/{model}"), "percent-encoded" },
	{ S_INIT("http://host/a\\b"), "percent-encoded" },
	{ S_INIT("http://host/?q=\"x\""), "percent-encoded" },
	{ S_INIT("http://host/100%"), "hex digits" },
	{ S_INIT("http://host/%zz"), "hex digits" },
	{ S_INIT("http://host/%4"), "hex digits" },
};

static void refuses_with_a_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const char *why = NULL;
		struct url url;

		if (url_parse(bad[i].text, &url, &why))
			fail_msg("%.*s was taken", SLICE_ARG(bad[i].text));
		assert_non_null(why);
		if (!strstr(why, bad[i].part))
			fail_msg("%.*s: %s", SLICE_ARG(bad[i].text), why);
		assert_false(url_parse(bad[i].text, &url, NULL));
	}
}

static void the_longest_host(void **state)
{
	char text[300] = "http://";
	struct url url;
	const char *why;

	(void)state;
	for (size_t i = 0; i < 254; i++)
		text[7 + i] = i % 50 == 49 ? '.' : 'a';
	assert_true(url_parse((struct slice){ text, 7 + 253 }, &url, &why));
	assert_false(url_parse((struct slice){ text, 7 + 254 }, &url, &why));
	assert_non_null(strstr(why, "longer than 253"));
}

static void targets_are_split(void **state)
{
	static const struct { struct slice target; bool good; struct slice path, query; } rows[] = {
		{ S_INIT("/"), true, S_INIT("/"), S_INIT("") },
		{ S_INIT("/v1/models"), true, S_INIT("/v1/models"), S_INIT("") },
		{ S_INIT("/v1/models/"), true, S_INIT("/v1/models/"), S_INIT("") },
		{ S_INIT("/v1/files?limit=2&after=x"), true, S_INIT("/v1/files"),
		  S_INIT("limit=2&after=x") },
		{ S_INIT("/a?b?c"), true, S_INIT("/a"), S_INIT("b?c") },
		{ S_INIT("/a?"), true, S_INIT("/a"), S_INIT("") },
		{ S_INIT("/r?include[]=x"), true, S_INIT("/r"), S_INIT("include[]=x") },
		{ S_INIT("/v1beta/models/m:streamGenerateContent?alt=sse"), true,
		  S_INIT("/v1beta/models/m:streamGenerateContent"), S_INIT("alt=sse") },
		{ S_INIT("//x"), true, S_INIT("//x"), S_INIT("") },
		{ S_INIT("/%2e%zz"), true, S_INIT("/%2e%zz"), S_INIT("") },
		{ S_INIT(""), false, S_INIT(""), S_INIT("") },
		{ S_INIT("*"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("http://host/"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("v1"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("?a"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("/a b"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("/a\tb"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("/a\rb"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("/a\0b"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("/a\x7f"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("/a#b"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("/a\\b"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("/\xc3\xa9"), false, S_INIT(""), S_INIT("") },
		{ S_INIT("/?a=<b>"), false, S_INIT(""), S_INIT("") },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice path = SLICE_NONE, query = SLICE_NONE;

		if (url_split_target(rows[i].target, &path, &query) != rows[i].good)
			fail_msg("%.*s", SLICE_ARG(rows[i].target));
		assert_slice(path, rows[i].path);
		assert_slice(query, rows[i].query);
	}
	assert_false(url_split_target(SLICE_NONE, &(struct slice){ 0 }, &(struct slice){ 0 }));
}

static void queries_are_searched(void **state)
{
	static const struct { struct slice query, name; bool found; struct slice value; } rows[] = {
		{ S_INIT("alt=sse"), S_INIT("alt"), true, S_INIT("sse") },
		{ S_INIT("a=1&key=abc&b=2"), S_INIT("key"), true, S_INIT("abc") },
		{ S_INIT("key=a%2Fb%20c"), S_INIT("key"), true, S_INIT("a/b c") },
		{ S_INIT("k%65y=x"), S_INIT("key"), true, S_INIT("x") },
		{ S_INIT("include%5B%5D=x"), S_INIT("include[]"), true, S_INIT("x") },
		{ S_INIT("q=a+b"), S_INIT("q"), true, S_INIT("a+b") },
		{ S_INIT("a=1=2"), S_INIT("a"), true, S_INIT("1=2") },
		{ S_INIT("a="), S_INIT("a"), true, S_INIT("") },
		{ S_INIT("a"), S_INIT("a"), true, S_INIT("") },
		{ S_INIT("a&b"), S_INIT("b"), true, S_INIT("") },
		{ S_INIT("a=1&a=2"), S_INIT("a"), true, S_INIT("1") },
		{ S_INIT("&&a=1&"), S_INIT("a"), true, S_INIT("1") },
		{ S_INIT("a=%00"), S_INIT("a"), true, S_INIT("\0") },
		{ S_INIT("ab=1"), S_INIT("a"), false, S_INIT("") },
		{ S_INIT("a=1"), S_INIT("ab"), false, S_INIT("") },
		{ S_INIT("A=1"), S_INIT("a"), false, S_INIT("") },
		{ S_INIT("a=%"), S_INIT("a"), false, S_INIT("") },
		{ S_INIT("a=%4"), S_INIT("a"), false, S_INIT("") },
		{ S_INIT("a=%xy"), S_INIT("a"), false, S_INIT("") },
		{ S_INIT("a%=1"), S_INIT("a%"), false, S_INIT("") },
		{ S_INIT(""), S_INIT("a"), false, S_INIT("") },
		{ { NULL, 0 }, S_INIT("a"), false, S_INIT("") },
	};
	struct arena *arena = arena_create(0);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct slice got = url_query_get(arena, rows[i].query, rows[i].name);

		if ((got.at != NULL) != rows[i].found)
			fail_msg("%.*s in %.*s", SLICE_ARG(rows[i].name), SLICE_ARG(rows[i].query));
		assert_slice(got, rows[i].value);
	}
	arena_free(arena);
}

static void decoding(void **state)
{
	struct arena *arena = arena_create(0);
	struct slice plain = S("plain+text");

	(void)state;
	assert_slice(url_decode(arena, S("%41%c3%A9%00x")), S("A\xc3\xa9\0x"));
	assert_slice(url_decode(arena, S("%2541")), S("%41"));
	assert_ptr_equal(url_decode(arena, plain).at, plain.at);
	assert_non_null(url_decode(arena, SLICE_NONE).at);
	assert_null(url_decode(arena, S("%")).at);
	assert_null(url_decode(arena, S("a%1")).at);
	assert_null(url_decode(arena, S("%g0")).at);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(understands),
		cmocka_unit_test(tells_a_given_port_from_a_default_one),
		cmocka_unit_test(refuses_with_a_remedy),
		cmocka_unit_test(the_longest_host),
		cmocka_unit_test(targets_are_split),
		cmocka_unit_test(queries_are_searched),
		cmocka_unit_test(decoding),
	};

	return cmocka_run_group_tests_name("url", tests, NULL, NULL);
}
