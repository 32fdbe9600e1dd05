/* What the config says of traces and of the access log's ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_world.h"

static const struct fake_pair nothing[] = { { NULL, NULL } };
static const struct fake_world world = { nothing, nothing };

static struct config *parse(const char *more, struct buf *errors)
{
	struct config_source source = fake_source(&world);
	struct buf text = BUF_INIT(65536);
	struct config *c;

	buf_putf(&text, "backends: {a: {url: 'http://a/v1'}}\nmodels: {chat: [a]}\n%s", more);
	c = config_parse(S("f"), buf_slice(&text), &source, errors);
	buf_free(&text);
	return c;
}

static void an_address_is_enough(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct config *c = parse("", &errors);
	const struct trace_policy *p;

	(void)state;
	assert_non_null(c);
	assert_null(c->tracing.origin);
	assert_int_equal(c->access_sample_milli, 100000);
	assert_string_equal(c->syslog.path, "/dev/log");
	config_give(c);
	c = parse("tracing: {endpoint: 'http://Collector:4318'}\n", &errors);
	assert_non_null(c);
	p = &c->tracing;
	assert_true(slice_eq(p->target, S("/v1/traces")));
	assert_true(slice_eq(p->origin->authority, S("collector:4318")));
	assert_true(slice_eq(p->service, S("backstay")));
	assert_int_equal(p->sample_milli, 10000);
	assert_int_equal(p->every_ms, 5000);
	assert_true(p->propagate);
	config_give(c);
	c = parse("tracing: {endpoint: 'https://c/otlp/v1/traces?a=b', headers: {x-key: k, b: c d}, sample: 1%, "
		  "propagate: off}\n", &errors);
	assert_non_null(c);
	p = &c->tracing;
	assert_true(slice_eq(p->target, S("/otlp/v1/traces?a=b")));
	assert_true(slice_eq(p->headers, S("x-key: k\r\nb: c d\r\n")));
	assert_non_null(p->origin->tls_setup);
	assert_false(p->propagate);
	config_give(c);
	assert_int_equal(fake_tls_alive(), 0);
	buf_free(&errors);
}

static void mistakes_are_named(void **state)
{
	static const struct { const char *more, *complaint; } rows[] = {
		{ "tracing: {sample: 5%}\n", "lacks" },
		{ "tracing: {endpoint: collector}\n", "is not the URL of a collector" },
		{ "tracing: {endpoint: 'http://c', headers: [a]}\n", "\"headers\" needs a mapping" },
		{ "tracing: {endpoint: 'http://c', headers: {'a b': c}}\n", "is no name for a header" },
		{ "tracing: {endpoint: 'http://c', headers: {a: \"b\\nc\"}}\n", "holds a line break or another control character" },
		{ "tracing: {endpoint: 'http://c', sample: 5}\n", "needs a percent sign" },
		{ "log: {syslog: localhost}\n", "is no address" },
		{ "log: {syslog: '10.0.0.1:0'}\n", "is no address" },
		{ "log: {access_sample: 200%}\n", "above 100%" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct buf errors = BUF_INIT(65536);

		assert_null(parse(rows[i].more, &errors));
		if (slice_find_slice(buf_slice(&errors), slice_of(rows[i].complaint)) == SLICE_NOT_FOUND)
			fail_msg("%s: %.*s", rows[i].more, SLICE_ARG(buf_slice(&errors)));
		buf_free(&errors);
	}
	assert_int_equal(fake_tls_alive(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_enough),
		cmocka_unit_test(mistakes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
