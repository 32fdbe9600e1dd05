/* What a config says of alerts and of the admin port's key. */
#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "fake_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define B "backends: {o: {url: http://h/v1}}\nmodels: {m: [o]}\n"

static const struct fake_pair env[] = { { "PD", "R0UT1NG" }, { NULL, NULL } };
static const struct fake_pair files[] = { { NULL, NULL } };
static const struct fake_world world = { env, files };

static struct config *parse(const char *text, struct buf *errors)
{
	struct config_source source = fake_source(&world);

	return config_parse(S("/etc/b/f"), slice_of(text), &source, errors);
}

static void assert_text(struct slice got, const char *expected)
{
	if (!slice_eq(got, slice_of(expected)))
		fail_msg("\"%.*s\" is not \"%s\"", SLICE_ARG(got), expected);
}

static void sinks_arrive(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct config *c = parse(B
		"alerts:\n"
		"  wait: 1s\n"
		"  repeat: 0s\n"
		"  state: run/alerts.json\n"
		"  source: node-1\n"
		"  link: https://ops.example/backstay\n"
		"  sinks:\n"
		"    hook: {url: \"https://h.example/in/?a=b\", secret: 0123456789abcdef, bearer: t0ken}\n"
		"    chat: {kind: slack, url: https://hooks.example/services/T/B/X, severity: warning}\n"
		"    pager: {kind: pagerduty, secret: \"${PD}\", severity: critical}\n"
		"    am: {kind: alertmanager, url: http://127.0.0.1:9093/prefix/}\n", &errors);
	const struct alert_sink_policy *s;

	(void)state;
	if (!c)
		fail_msg("%.*s", SLICE_ARG(buf_slice(&errors)));
	assert_int_equal(c->alerts.wait_ms, 1000);
	assert_int_equal(c->alerts.calm_ms, 30000);
	assert_int_equal(c->alerts.repeat_ms, 0);
	assert_text(c->alerts.state_path, "/etc/b/run/alerts.json");
	assert_text(c->alerts.source, "node-1");
	assert_text(c->alerts.link, "https://ops.example/backstay");
	assert_int_equal(c->alerts.sink_count, 4);
	s = c->alerts.sinks;
	assert_int_equal(s[0].kind, ALERT_WEBHOOK);
	assert_text(s[0].target, "/in/?a=b");
	assert_text(s[0].secret, "0123456789abcdef");
	assert_text(s[0].bearer, "t0ken");
	assert_int_equal(s[0].least, ALERT_INFO);
	assert_int_equal(s[1].kind, ALERT_SLACK);
	assert_text(s[1].target, "/services/T/B/X");
	assert_int_equal(s[1].least, ALERT_WARNING);
	assert_text(s[2].origin->host, "events.pagerduty.com");
	assert_text(s[2].target, "/v2/enqueue");
	assert_text(s[2].secret, "R0UT1NG");
	assert_text(s[3].target, "/prefix/api/v2/alerts");
	assert_int_equal(s[3].origin->port, 9093);
	assert_int_equal(c->note_count, 0);
	config_give(c);
	assert_int_equal(fake_tls_alive(), 0);
	buf_free(&errors);
}

static void without_it_nobody_is_told(void **state)
{
	struct buf errors = BUF_INIT(65536);
	struct config *c = parse(B, &errors);

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->alerts.sink_count, 0);
	assert_int_equal(c->alerts.wait_ms, 5000);
	assert_false(c->admin.has_key);
	config_give(c);
	buf_free(&errors);
}

static void the_admin_s_key_arrives(void **state)
{
	static const uint8_t digest[] = { 0xba, 0x78, 0x16, 0xbf };       /* of "abc" */
	struct buf errors = BUF_INIT(65536);
	struct config *c = parse(B "admin: {key: abc, read: key, hosts: [Ops.Internal]}\n", &errors);

	(void)state;
	assert_non_null(c);
	assert_true(c->admin.has_key);
	assert_memory_equal(c->admin.key_sha256, digest, sizeof digest);
	assert_int_equal(c->admin.read, ADMIN_READ_KEY);
	assert_int_equal(c->admin.host_count, 1);
	assert_text(c->admin.hosts[0], "ops.internal");
	assert_int_equal(c->note_count, 1);
	assert_text(c->notes[0], "the admin key is shorter than 16 characters and may be guessed");
	config_give(c);
	buf_free(&errors);
}

static const struct {
	const char *text, *says;
} wrong[] = {
	{ "alerts: {sinks: {}}\n", "3:17: \"sinks\" needs a mapping of 1 to 16 sinks; write sinks: {ops: {kind: "
				   "slack, url: \"${SLACK_URL}\"}}, say" },
	{ "alerts: {sinks: {a: {}}}\n", "3:21: a sink of alerts lacks its \"url\"; add it" },
	{ "alerts: {sinks: {a: {url: x}}}\n",
	  "3:27: this is not the URL of a sink: start it with https:// or http://" },
	{ "alerts: {sinks: {a: {kind: pagerduty}}}\n",
	  "3:21: PagerDuty needs the integration's routing key; add secret: ${NAME}" },
	{ "alerts: {sinks: {a: {kind: slack, url: http://127.0.0.1/x, secret: 0123456789abcdef}}}\n",
	  "3:68: this kind of sink has no \"secret\"; remove it" },
	{ "alerts: {sinks: {a: {kind: slak, url: http://127.0.0.1/x}}}\n",
	  "3:28: unknown kind \"slak\"; did you mean \"slack\"?" },
	{ "alerts: {sinks: {\"a b\": {url: http://127.0.0.1/x}}}\n",
	  "3:18: \"a b\" is no name for a sink; use letters, digits and . _ -, at most 64" },
	{ "alerts: {slack: x}\n", "3:10: \"slack\" is no key of alerts; write sinks: {NAME: {kind: slack, url: …}}" },
	{ "alerts: {link: x}\n", "3:16: \"x\" is not a URL: start it with https:// or http://" },
	{ "admin: {read: key}\n", "1:1: \"admin\" is to be read with the key only, but has no \"key\"; add one" },
	{ "admin: {key: \"a b\"}\n", "3:14: the admin key is empty, or holds a space or a byte that is not ASCII; "
				      "choose another" },
	{ "admin: {hosts: x}\n", "3:16: \"hosts\" needs a list of at most 16 names, as in hosts: "
				  "[backstay.internal]" },
	{ "admin: {hosts: [\"http://x\"]}\n", "3:17: \"http://x\" is no host name; write it without scheme and "
					       "port" },
};

static void what_is_wrong_is_named_at_its_place(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++) {
		struct buf errors = BUF_INIT(65536), expected = BUF_INIT(65536);
		char text[1024];
		struct config *c;

		snprintf(text, sizeof text, B "%s", wrong[i].text);
		c = parse(text, &errors);
		buf_putf(&expected, "/etc/b/f:%s\n", wrong[i].says);
		if (c || !slice_eq(buf_slice(&errors), buf_slice(&expected))) {
			print_error("--- expected:\n%.*s--- got:\n%.*s\n", SLICE_ARG(buf_slice(&expected)),
				    SLICE_ARG(buf_slice(&errors)));
			bad++;
		}
		config_give(c);
		buf_free(&errors);
		buf_free(&expected);
	}
	assert_int_equal(bad, 0);
	assert_int_equal(fake_tls_alive(), 0);
}

/* The machine's name is put in by whoever knows it. */
static void without_a_word_nobody_is_the_source(void **state)
{
	static const char *const texts[] = { B, B "alerts: {wait: 1s}\n" };

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct buf errors = BUF_INIT(65536);
		struct config *c = parse(texts[i], &errors);

		if (!c)
			fail_msg("%.*s", SLICE_ARG(buf_slice(&errors)));
		assert_int_equal(c->alerts.source.len, 0);
		config_give(c);
		buf_free(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sinks_arrive),
		cmocka_unit_test(without_a_word_nobody_is_the_source),
		cmocka_unit_test(without_it_nobody_is_told),
		cmocka_unit_test(the_admin_s_key_arrives),
		cmocka_unit_test(what_is_wrong_is_named_at_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
