/* Which backends are reached through a forward proxy of the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "config/inside.h"
#include "fake_world.h"

struct no_proxy_row {
	const char *list, *host;
	uint16_t port;
	bool exempt;
};

static void no_proxy_names_hosts_domains_and_networks(void **state)
{
	static const struct no_proxy_row rows[] = {
		{ "", "a.com", 443, false },
		{ "*", "a.com", 443, true },
		{ "a.com", "a.com", 443, true },
		{ "A.com", "a.com", 443, true },
		{ "a.com", "api.a.com", 443, true },
		{ "a.com", "ba.com", 443, false },
		{ ".a.com", "api.a.com", 443, true },
		{ ".a.com", "a.com", 443, true },
		{ "*.a.com", "api.a.com", 443, true },
		{ "x, a.com ,y", "a.com", 443, true },
		{ "a.com:8443", "a.com", 443, false },
		{ "a.com:443", "a.com", 443, true },
		{ "api.a.com", "a.com", 443, false },
		{ "10.1.2.3", "10.1.2.3", 80, true },
		{ "10.0.0.0/8", "10.1.2.3", 80, true },
		{ "10.0.0.0/8", "11.1.2.3", 80, false },
		{ "10.1.2.0/23", "10.1.3.9", 80, true },
		{ "10.1.2.0/23", "10.1.4.9", 80, false },
		{ "10.0.0.0/99", "10.0.0.1", 80, false },
		{ "10.0.0.0/8", "ten.example", 80, false },
		{ "fd00::/8", "fd12::1", 80, true },
		{ "fd00::/8", "10.0.0.1", 80, false },
		{ "[fd12::1]", "fd12::1", 80, true },
		{ "[fd12::1]:81", "fd12::1", 80, false },
		{ ".", "a.com", 80, false },
		{ "[", "a.com", 80, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		bool got = proxy_is_exempt(slice_of(rows[i].list), slice_of(rows[i].host), rows[i].port);

		if (got != rows[i].exempt)
			print_error("row %zu: %s for %s\n", i, rows[i].list, rows[i].host);
		assert_int_equal(got, rows[i].exempt);
	}
}

static void loopback_hosts_are_known_by_name_and_number(void **state)
{
	(void)state;
	assert_true(host_is_loopback(S("localhost")));
	assert_true(host_is_loopback(S("LOCALHOST.")));
	assert_true(host_is_loopback(S("127.8.9.10")));
	assert_true(host_is_loopback(S("::1")));
	assert_false(host_is_loopback(S("localhost.example")));
	assert_false(host_is_loopback(S("10.0.0.1")));
	assert_false(host_is_loopback(S("unix:/x")));
}

struct env_row {
	struct fake_pair env[4];      /* ends with a NULL name */
	const char *url;
	const char *via;              /* "host:port", or NULL: straight */
	const char *note;             /* or NULL */
};

static void check_env(const struct env_row *row)
{
	const struct fake_world world = { row->env, NULL };
	struct config_source source = fake_source(&world);
	struct buf errors = BUF_INIT(4096), text = BUF_INIT(4096);
	const struct proxy_policy *p;
	char via[128] = "";
	struct config *c;

	buf_putf(&text, "backends: {o: {url: \"%s\"}}\nmodels: {m: [o]}\n", row->url);
	c = config_parse(S("f"), buf_slice(&text), &source, &errors);
	assert_non_null(c);
	p = c->backends[0].origins[0].proxy;
	if (p)
		snprintf(via, sizeof via, "%.*s:%u", SLICE_ARG(p->host), (unsigned)p->port);
	assert_string_equal(via, row->via ? row->via : "");
	assert_int_equal(c->note_count, row->note ? 1 : 0);
	if (row->note)
		assert_true(slice_eq(c->notes[0], slice_of(row->note)));
	config_give(c);
	buf_free(&errors);
	buf_free(&text);
}

static void the_environment_s_proxy_is_used_but_never_for_loopback(void **state)
{
	static const struct env_row rows[] = {
		{ { { NULL, NULL } }, "https://a.com", NULL, NULL },
		{ { { "HTTPS_PROXY", "http://p:1" }, { NULL, NULL } }, "https://a.com", "p:1", NULL },
		{ { { "HTTPS_PROXY", "http://p:1" }, { "https_proxy", "q:2" }, { NULL, NULL } },
		  "https://a.com", "q:2", NULL },
		{ { { "HTTPS_PROXY", "http://p:1" }, { NULL, NULL } }, "http://a.com", NULL, NULL },
		{ { { "HTTP_PROXY", "http://p" }, { NULL, NULL } }, "http://a.com", "p:80", NULL },
		{ { { "all_proxy", "http://p:1/" }, { NULL, NULL } }, "http://a.com", "p:1", NULL },
		{ { { "ALL_PROXY", "http://p:1" }, { "no_proxy", "a.com" }, { NULL, NULL } },
		  "http://a.com", NULL, NULL },
		{ { { "ALL_PROXY", "http://p:1" }, { NULL, NULL } }, "http://127.0.0.1:8000", NULL, NULL },
		{ { { "ALL_PROXY", "http://p:1" }, { NULL, NULL } }, "https://localhost", NULL, NULL },
		{ { { "ALL_PROXY", "socks5://p:1" }, { NULL, NULL } }, "https://a.com", NULL,
		  "the proxy in ALL_PROXY is not used for a.com: only proxies spoken to in plain HTTP are "
		  "supported; write http://host:port" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		check_env(&rows[i]);
	assert_int_equal(fake_tls_alive(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_proxy_names_hosts_domains_and_networks),
		cmocka_unit_test(loopback_hosts_are_known_by_name_and_number),
		cmocka_unit_test(the_environment_s_proxy_is_used_but_never_for_loopback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
