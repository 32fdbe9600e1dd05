#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "observe/alert_text.h"
#include "wire/json.h"

#define WALL ((int64_t)1795442701250)     /* 2026-11-23T14:05:01.250Z */

static const struct alert_note firing = {
	.kind = ALERT_MODEL_DOWN, .subject = "chat <1> & \"2\"", .text = "no target answers", .firing = true,
	.since_wall_ms = WALL - 5000, .noted_wall_ms = WALL,
};
static const struct alert_note resolved = {
	.kind = ALERT_TARGET_OPEN, .subject = "a/x", .text = "silence", .flapping = true,
	.since_wall_ms = WALL - 305000, .until_wall_ms = WALL - 1000, .noted_wall_ms = WALL,
};

struct row {
	const char *path, *value;
};

static void check(enum alert_sink_kind kind, const struct alert_note *notes, size_t count,
		  const struct row *rows, size_t row_count)
{
	const struct alert_letter letter = { .source = S("node-1"), .link = S("http://h:9090/"),
					     .routing_key = S("R0UT1NG"), .wall_ms = WALL };
	struct buf out = BUF_INIT(ALERT_MESSAGE_MAX);

	alert_text_write(kind, &letter, notes, count, &out);
	assert_int_equal(json_validate(buf_slice(&out), NULL), JSON_OK);
	for (size_t i = 0; i < row_count; i++) {
		struct slice value = json_path(buf_slice(&out), slice_of(rows[i].path));

		if (!slice_eq(value, slice_of(rows[i].value)))
			fail_msg("%s is %.*s, not %s", rows[i].path, SLICE_ARG(value), rows[i].value);
	}
	buf_free(&out);
}

static void our_own_json(void **state)
{
	static const struct row rows[] = {
		{ "version", "\"1\"" }, { "status", "\"firing\"" }, { "source", "\"node-1\"" },
		{ "sent_at", "\"2026-11-23T14:05:01.250Z\"" }, { "link", "\"http://h:9090/\"" },
		{ "alerts.0.status", "\"firing\"" }, { "alerts.0.kind", "\"model_down\"" },
		{ "alerts.0.severity", "\"critical\"" }, { "alerts.0.subject", "\"chat <1> & \\\"2\\\"\"" },
		{ "alerts.0.text", "\"no target answers\"" }, { "alerts.0.ended_at", "null" },
		{ "alerts.0.started_at", "\"2026-11-23T14:04:56.250Z\"" },
		{ "alerts.1.status", "\"resolved\"" }, { "alerts.1.flapping", "true" },
		{ "alerts.1.ended_at", "\"2026-11-23T14:05:00.250Z\"" },
	};
	const struct alert_note notes[] = { firing, resolved };

	(void)state;
	check(ALERT_WEBHOOK, notes, 2, rows, COUNT_OF(rows));
}

static void slack_gets_a_text_with_its_escapes(void **state)
{
	static const struct row rows[] = {
		{ "text", "\":red_circle: *Trouble* a model cannot be served: chat &lt;1&gt; &amp; \\\"2\\\"\\n"
			  ">no target answers\\n:white_check_mark: *Over* a target is out: a/x (it comes and "
			  "goes), after 5 min\\n_Backstay on node-1_ <http://h:9090/|status>\"" },
	};
	const struct alert_note notes[] = { firing, resolved };

	(void)state;
	check(ALERT_SLACK, notes, 2, rows, COUNT_OF(rows));
}

static void pagerduty_gets_triggers_and_resolves_of_one_key(void **state)
{
	static const struct row trigger[] = {
		{ "routing_key", "\"R0UT1NG\"" }, { "event_action", "\"trigger\"" },
		{ "dedup_key", "\"backstay-482752a975d71560bce08bc074d2a3ad\"" },
		{ "payload.summary", "\"a model cannot be served: chat <1> & \\\"2\\\"\"" },
		{ "payload.source", "\"node-1\"" }, { "payload.severity", "\"critical\"" },
		{ "payload.timestamp", "\"2026-11-23T14:04:56.250Z\"" },
		{ "payload.class", "\"model_down\"" }, { "payload.custom_details.text", "\"no target answers\"" },
		{ "client_url", "\"http://h:9090/\"" },
	};
	static const struct row resolve[] = {
		{ "event_action", "\"resolve\"" }, { "dedup_key", "\"backstay-482752a975d71560bce08bc074d2a3ad\"" },
		{ "payload", "" },
	};
	struct alert_note over = firing;

	(void)state;
	over.firing = false;
	check(ALERT_PAGERDUTY, &firing, 1, trigger, COUNT_OF(trigger));
	check(ALERT_PAGERDUTY, &over, 1, resolve, COUNT_OF(resolve));
}

static void alertmanager_gets_labels_and_times(void **state)
{
	static const struct row rows[] = {
		{ "0.labels.alertname", "\"backstay_model_down\"" }, { "0.labels.severity", "\"critical\"" },
		{ "0.labels.instance", "\"node-1\"" }, { "0.annotations.description", "\"no target answers\"" },
		{ "0.startsAt", "\"2026-11-23T14:04:56.250Z\"" },
		{ "0.endsAt", "\"2026-11-23T14:09:01.250Z\"" },
		{ "0.generatorURL", "\"http://h:9090/\"" },
		{ "1.labels.subject", "\"a/x\"" }, { "1.endsAt", "\"2026-11-23T14:05:00.250Z\"" },
	};
	const struct alert_note notes[] = { firing, resolved };

	(void)state;
	check(ALERT_ALERTMANAGER, notes, 2, rows, COUNT_OF(rows));
}

/* printf '1795442701.{"a":1}' | openssl dgst -sha256 -hmac secret */
static void the_signature_covers_time_and_body(void **state)
{
	struct buf out = BUF_INIT(256);

	(void)state;
	alert_text_signature(S("secret"), WALL, S("{\"a\":1}"), &out);
	assert_true(slice_eq(buf_slice(&out), S("t=1795442701,v1="
						"82c0b630517a2f2917c5cd8014cecab55196ac0b1417874433b5b8b72783244e")));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_own_json),
		cmocka_unit_test(slack_gets_a_text_with_its_escapes),
		cmocka_unit_test(pagerduty_gets_triggers_and_resolves_of_one_key),
		cmocka_unit_test(alertmanager_gets_labels_and_times),
		cmocka_unit_test(the_signature_covers_time_and_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
