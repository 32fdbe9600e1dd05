#include "tests/unit/base/cm.h"

#include "observe/metrics.h"

#include <stdio.h>
#include <string.h>

static const struct attempt_record failed_then_good[] = {
	{ .target = S_INIT("a/m"), .fault = FAULT_OVERLOADED, .status = 503, .took_ms = 10,
	  .first_token_ms = -1 },
	{ .target = S_INIT("b/m"), .fault = FAULT_NONE, .status = 200, .start_ms = 10, .took_ms = 700,
	  .first_token_ms = 90, .kind = "",
	  .spent = { .told = true, .input_tokens = 9, .output_tokens = 24, .reasoning_tokens = 4,
		     .priced = true, .cost_nano_usd = 1500000001 } },
};

static const struct attempt_record cut_then_resumed[] = {
	{ .target = S_INIT("c/m"), .fault = FAULT_CUT, .status = 200, .took_ms = 10, .first_token_ms = -1,
	  .kind = "", .spent = { .output_tokens = 5 } },
	{ .target = S_INIT("c/m"), .fault = FAULT_CONNECT, .first_token_ms = -1, .kind = "prefill",
	  .resumes = true },
	{ .target = S_INIT("c/m"), .fault = FAULT_NONE, .status = 200, .first_token_ms = -1,
	  .kind = "replay", .resumes = true, .went_on = true },
};

static struct exchange_record good(void)
{
	return (struct exchange_record){
		.status = 200, .stream = true, .committed = true, .client_group = S_INIT("team"), .attempts = failed_then_good, .attempt_count = 2,
		.usage_known = true, .input_tokens = 9, .output_tokens = 24, .reasoning_tokens = 4,
		.wall_ms = 1000000, .first_token_ms = 100, .duration_ms = 710, .overhead_us = 70,
	};
}

static struct metrics *with_labels(void)
{
	struct metrics *m = metrics_create();

	metrics_know_model(m, S("chat"));
	metrics_know_target(m, S("a/m"));
	metrics_know_target(m, S("b/m"));
	metrics_know_target(m, S("c/m"));
	return m;
}

static void assert_large_line(struct metrics *m, const char *line)
{
	struct buf out = BUF_INIT(64 * 1024 * 1024), want = BUF_INIT(4096);

	assert_true(metrics_write(m, METRICS_PROMETHEUS, NULL, &out));
	buf_putf(&want, "\n%s\n", line);
	if (slice_find_slice(buf_slice(&out), buf_slice(&want)) == SLICE_NOT_FOUND)
		fail_msg("no line %s in\n%.*s", line, SLICE_ARG(slice_sub(buf_slice(&out), 0,
			 buf_len(&out) < 1 << 20 ? buf_len(&out) : 1 << 20)));
	buf_free(&out);
	buf_free(&want);
}

static void assert_line(struct metrics *m, const char *line)
{
	assert_large_line(m, line);
}

static void assert_no(struct metrics *m, const char *text)
{
	struct buf out = BUF_INIT(1024 * 1024);

	assert_true(metrics_write(m, METRICS_PROMETHEUS, NULL, &out));
	assert_int_equal(slice_find_slice(buf_slice(&out), slice_of(text)), SLICE_NOT_FOUND);
	buf_free(&out);
}

static void known_labels_begin_at_zero(void **state)
{
	struct metrics *m = with_labels();

	(void)state;
	assert_line(m, "backstay_requests_total{model=\"chat\",status=\"2xx\",fault=\"none\"} 0");
	assert_line(m, "backstay_attempts_total{target=\"a/m\",fault=\"none\"} 0");
	assert_line(m, "backstay_fallbacks_total{model=\"chat\"} 0");
	assert_no(m, "\"other\"");
	metrics_free(m);
}

static void an_exchange_counts_everywhere(void **state)
{
	static const char *const lines[] = {
		"backstay_requests_total{model=\"chat\",status=\"2xx\",fault=\"none\"} 2",
		"backstay_requests_total{model=\"chat\",status=\"5xx\",fault=\"silence\"} 1",
		"backstay_retried_requests_total{model=\"chat\"} 2",
		"backstay_fallbacks_total{model=\"chat\"} 1",
		"backstay_retries_total{model=\"chat\"} 1",
		"backstay_degraded_total{model=\"chat\",kind=\"fallback\"} 1",
		"backstay_degraded_total{model=\"chat\",kind=\"resumed\"} 1",
		"backstay_broken_answers_total{model=\"chat\"} 1",
		"backstay_resumes_total{model=\"chat\",way=\"replay\",result=\"went_on\"} 1",
		"backstay_resumes_total{model=\"chat\",way=\"prefill\",result=\"failed\"} 1",
		"backstay_resumed_whole_total{model=\"chat\"} 1",
		"backstay_hedges_total{model=\"chat\",result=\"won\"} 0",
		"backstay_hedges_total{model=\"chat\",result=\"lost\"} 1",
		"backstay_tokens_total{model=\"chat\",target=\"b/m\",key=\"team\",kind=\"input\"} 18",
		"backstay_tokens_total{model=\"chat\",target=\"b/m\",key=\"team\",kind=\"output\"} 48",
		"backstay_tokens_total{model=\"chat\",target=\"b/m\",key=\"team\",kind=\"reasoning\"} 8",
		"backstay_tokens_total{model=\"chat\",target=\"c/m\",key=\"team\",kind=\"output\"} 5",
		"backstay_cost_usd_total{model=\"chat\",target=\"b/m\",key=\"team\"} 3.000000002",
		"backstay_usage_untold_total{target=\"c/m\"} 1",
		"backstay_unpriced_tokens_total{target=\"c/m\"} 5",
		"backstay_unpriced_tokens_total{target=\"b/m\"} 0",
		"backstay_attempts_total{target=\"a/m\",fault=\"overloaded\"} 2",
		"backstay_attempts_total{target=\"b/m\",fault=\"none\"} 2",
		"backstay_request_duration_seconds_bucket{model=\"chat\",le=\"0.5\"} 0",
		"backstay_request_duration_seconds_bucket{model=\"chat\",le=\"1.0\"} 3",
		"backstay_request_duration_seconds_bucket{model=\"chat\",le=\"+Inf\"} 3",
		"backstay_request_duration_seconds_sum{model=\"chat\"} 2.130000",
		"backstay_request_duration_seconds_count{model=\"chat\"} 3",
		"backstay_time_to_first_token_seconds_bucket{model=\"chat\",le=\"0.1\"} 3",
		"backstay_time_to_first_token_seconds_bucket{model=\"chat\",le=\"0.05\"} 0",
		"backstay_attempt_first_token_seconds_count{target=\"b/m\"} 2",
		/* 610 ms for the 23 tokens behind the first, of the two that were not resumed */
		"backstay_time_per_output_token_seconds_sum{model=\"chat\"} 0.026521",
		"backstay_time_between_tokens_seconds_count{model=\"chat\"} 0",
		"backstay_overhead_seconds_bucket{model=\"chat\",le=\"5e-05\"} 0",
		"backstay_overhead_seconds_bucket{model=\"chat\",le=\"0.0001\"} 3",
	};
	struct metrics *m = with_labels();
	struct metrics_sheet *one = metrics_sheet_create(m), *two = metrics_sheet_create(m);
	struct exchange_record r = good();

	(void)state;
	r.resumes = 1;
	r.degraded = DEGRADED_RESUMED;
	r.attempts = cut_then_resumed;
	r.attempt_count = COUNT_OF(cut_then_resumed);
	metrics_count(one, S("chat"), &r);
	r = good();
	r.degraded = DEGRADED_FALLBACK;
	metrics_count(two, S("chat"), &r);
	r.degraded = DEGRADED_NO;
	r.status = 504;
	r.fault = FAULT_SILENCE;
	r.hedged = true;
	metrics_count(two, S("chat"), &r);
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		assert_line(m, lines[i]);
	assert_no(m, "kind=\"cached\"");
	metrics_free(m);
}

static void gaps_are_counted_one_by_one(void **state)
{
	static const int64_t gaps_ms[] = { 0, 1, 20, 20, 3000, INT64_MAX };
	static const char *const lines[] = {
		"backstay_time_between_tokens_seconds_bucket{model=\"chat\",le=\"0.001\"} 2",
		"backstay_time_between_tokens_seconds_bucket{model=\"chat\",le=\"0.015\"} 2",
		"backstay_time_between_tokens_seconds_bucket{model=\"chat\",le=\"0.025\"} 4",
		"backstay_time_between_tokens_seconds_bucket{model=\"chat\",le=\"10.0\"} 5",
		"backstay_time_between_tokens_seconds_bucket{model=\"chat\",le=\"+Inf\"} 6",
		"backstay_time_between_tokens_seconds_count{model=\"chat\"} 6",
		"backstay_requests_total{model=\"chat\",status=\"2xx\",fault=\"none\"} 0",
	};
	struct metrics *m = with_labels();
	struct metrics_sheet *one = metrics_sheet_create(m), *two = metrics_sheet_create(m);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(gaps_ms); i++)
		metrics_note_gap(metrics_gaps_of(i % 2 ? one : two, S("chat")), gaps_ms[i]);
	for (size_t i = 0; i < COUNT_OF(lines); i++)
		assert_line(m, lines[i]);
	metrics_note_gap(metrics_gaps_of(one, S("unheard of")), 5);
	assert_line(m, "backstay_time_between_tokens_seconds_count{model=\"other\"} 1");
	metrics_free(m);
}

static void requests_cannot_invent_labels(void **state)
{
	struct metrics *m = with_labels();
	struct metrics_sheet *s = metrics_sheet_create(m);
	struct exchange_record r = good();
	char name[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		int len = snprintf(name, sizeof name, "invented-%d", i);

		metrics_count(s, (struct slice){ name, (size_t)len }, &r);
	}
	assert_no(m, "invented");
	assert_line(m, "backstay_requests_total{model=\"other\",status=\"2xx\",fault=\"none\"} 100");
	metrics_free(m);
}

static void labels_are_bounded(void **state)
{
	struct metrics *m = metrics_create();
	struct metrics_sheet *s = metrics_sheet_create(m);
	struct exchange_record r = good();
	char name[32];

	(void)state;
	for (int i = 0; i < METRICS_MODELS_MAX + 10; i++) {
		int len = snprintf(name, sizeof name, "m%d", i);

		metrics_know_model(m, (struct slice){ name, (size_t)len });
	}
	metrics_count(s, slice_of(name), &r);
	assert_line(m, "backstay_requests_total{model=\"other\",status=\"2xx\",fault=\"none\"} 1");
	metrics_free(m);
}

static void a_reload_keeps_counts_and_adds_labels(void **state)
{
	struct metrics *m = with_labels();
	struct metrics_sheet *s = metrics_sheet_create(m);
	struct exchange_record r = good();

	(void)state;
	metrics_count(s, S("new"), &r);
	metrics_count(s, S("chat"), &r);
	metrics_know_model(m, S("chat"));     /* the new config has both */
	metrics_know_model(m, S("new"));
	metrics_count(s, S("new"), &r);
	metrics_count(s, S("chat"), &r);
	assert_line(m, "backstay_requests_total{model=\"other\",status=\"2xx\",fault=\"none\"} 1");
	assert_line(m, "backstay_requests_total{model=\"new\",status=\"2xx\",fault=\"none\"} 1");
	assert_line(m, "backstay_requests_total{model=\"chat\",status=\"2xx\",fault=\"none\"} 2");
	metrics_free(m);
}

static void awkward_names_are_escaped(void **state)
{
	struct metrics *m = metrics_create();

	(void)state;
	metrics_know_model(m, S("a\"b\\c\nd"));
	assert_line(m, "backstay_fallbacks_total{model=\"a\\\"b\\\\c\\nd\"} 0");
	metrics_free(m);
}

static void a_target_is_summed_with_its_last_fault(void **state)
{
	struct metrics *m = with_labels();
	struct metrics_sheet *one = metrics_sheet_create(m), *two = metrics_sheet_create(m);
	struct exchange_record r = good();
	struct metrics_target t;

	(void)state;
	metrics_count(one, S("chat"), &r);
	r.wall_ms += 5000;
	metrics_count(two, S("chat"), &r);
	t = metrics_target_sum(m, S("a/m"));
	assert_int_equal(t.attempts, 2);
	assert_int_equal(t.good, 0);
	assert_int_equal(t.blamed, 2);
	assert_int_equal(t.last_fault, FAULT_OVERLOADED);
	assert_int_equal(t.last_fault_wall_ms, 1005010);
	t = metrics_target_sum(m, S("b/m"));
	assert_int_equal(t.good, 2);
	assert_int_equal(t.last_fault_wall_ms, 0);
	t = metrics_target_sum(m, S("nobody"));
	assert_int_equal(t.attempts, 0);
	metrics_free(m);
}

static void a_client_that_leaves_is_no_fault_of_the_target(void **state)
{
	struct metrics *m = with_labels();
	struct metrics_sheet *s = metrics_sheet_create(m);
	struct exchange_record r = good();
	const struct attempt_record left = { .target = S("a/m"), .fault = FAULT_CLIENT_GONE };
	struct metrics_target t;
	struct metrics_total total;

	(void)state;
	r.attempts = &left;
	r.attempt_count = 1;
	r.status = 499;
	r.fault = FAULT_CLIENT_GONE;
	metrics_count(s, S("chat"), &r);
	t = metrics_target_sum(m, S("a/m"));
	assert_int_equal(t.attempts, 1);
	assert_int_equal(t.blamed, 0);
	assert_int_equal(t.last_fault_wall_ms, 0);
	total = metrics_total(m);
	assert_int_equal(total.exchanges, 1);
	assert_int_equal(total.caller, 1);
	assert_int_equal(total.failed, 0);
	metrics_free(m);
}

static void combinations_are_bounded(void **state)
{
	struct metrics *m = with_labels();
	struct metrics_sheet *s = metrics_sheet_create(m);
	struct exchange_record r = good();
	char name[32];

	(void)state;
	for (int i = 0; i < METRICS_SPENDS_MAX + 10; i++) {
		int len = snprintf(name, sizeof name, "g%d", i);

		r.client_group = (struct slice){ name, (size_t)len };
		metrics_count(s, S("chat"), &r);
	}
	assert_int_equal(metrics_total(m).input_tokens, 9 * (METRICS_SPENDS_MAX + 10));
	assert_large_line(m, "backstay_tokens_total{model=\"other\",target=\"other\",key=\"other\",kind=\"input\"} 99");
	metrics_free(m);
}

static void looks_and_turns_are_counted(void **state)
{
	struct metrics *m = with_labels();
	struct metrics_sheet *s = metrics_sheet_create(m);

	(void)state;
	metrics_count_look(s, S("a/m"), LOOKED_BAD);
	metrics_count_look(s, S("a/m"), LOOKED_BAD);
	metrics_observe(s, AT_WORKER_TURN, SCALE_SHORT, 26);
	assert_line(m, "backstay_probes_total{target=\"a/m\",result=\"bad\"} 2");
	assert_line(m, "backstay_loop_turn_seconds_bucket{le=\"2.5e-05\"} 0");
	assert_line(m, "backstay_loop_turn_seconds_bucket{le=\"5e-05\"} 1");
	assert_line(m, "backstay_loop_turn_seconds_sum 0.000026");
	metrics_free(m);
}

/* What Prometheus 2.42 and 3 say, and what a person's browser does. */
static void the_format_is_negotiated(void **state)
{
	static const struct { const char *accept; enum metrics_format format; } rows[] = {
		{ "", METRICS_PROMETHEUS },
		{ "*/*", METRICS_PROMETHEUS },
		{ "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", METRICS_PROMETHEUS },
		{ "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
		  "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", METRICS_OPENMETRICS },
		{ "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
		  "text/plain;version=0.0.4;q=0.4,*/*;q=0.1", METRICS_OPENMETRICS },
		{ "text/plain;version=0.0.4, application/openmetrics-text;q=0.2", METRICS_PROMETHEUS },
		{ "application/openmetrics-text;q=0", METRICS_PROMETHEUS },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (metrics_format_for(slice_of(rows[i].accept)) != rows[i].format)
			fail_msg("%s", rows[i].accept);
}

static void openmetrics_names_families_without_suffix(void **state)
{
	struct metrics *m = with_labels();
	struct buf out = BUF_INIT(1024 * 1024);

	(void)state;
	assert_true(metrics_write(m, METRICS_OPENMETRICS, NULL, &out));
	assert_true(slice_ends(buf_slice(&out), S("\n# EOF\n")));
	assert_true(slice_find_slice(buf_slice(&out), S("\n# TYPE backstay_requests counter\n"
		"backstay_requests_total{")) != SLICE_NOT_FOUND);
	buf_free(&out);
	metrics_free(m);
}

static struct slice family(const struct metric_row *r)
{
	return r->kind == METRIC_COUNTER ? slice_sub(r->name, 0, r->name.len - sizeof "_total" + 1)
					 : r->name;
}

/* The table's own rules: names as Prometheus wants them, no two the same. */
static void the_table_is_sound(void **state)
{
	(void)state;
	for (size_t i = 0; i < metric_row_count; i++) {
		const struct metric_row *r = &metric_rows[i];
		struct slice help = slice_of(r->help);

		assert_int_equal(slice_ends(r->name, S("_total")), r->kind == METRIC_COUNTER);
		assert_true(slice_starts(r->name, S("backstay_")) || slice_starts(r->name, S("process_")));
		assert_true(slice_ends(help, S(".")));
		assert_int_equal(slice_find(help, '\\'), SLICE_NOT_FOUND);
		assert_int_equal(r->kind == METRIC_HISTOGRAM, r->scale >= SCALE_LONG);
		/* OpenMetrics calls a counter by its name without the suffix. */
		for (size_t j = 0; j < metric_row_count; j++)
			if (i != j && slice_eq(family(r), family(&metric_rows[j])))
				fail_msg("%.*s stands there twice", SLICE_ARG(r->name));
	}
}

static void pools_are_summed(void **state)
{
	struct metrics *m = metrics_create();
	struct metrics_sheet *one = metrics_sheet_create(m), *two = metrics_sheet_create(m);
	const struct metrics_pool p = { .connects = 5, .reuses = 7, .open = 2, .idle = 1, .exchanges = 3 };

	(void)state;
	metrics_set_pool(one, &p);
	metrics_set_pool(two, &p);
	metrics_set_pool(two, &p);            /* replaces, does not add */
	assert_line(m, "backstay_upstream_connects_total 10");
	assert_line(m, "backstay_upstream_reuses_total 14");
	assert_line(m, "backstay_upstream_connections 4");
	assert_line(m, "backstay_requests_in_progress 6");
	metrics_free(m);
}

static void a_document_that_is_too_large_is_not_half_told(void **state)
{
	struct metrics *m = with_labels();
	struct buf whole = BUF_INIT(1024 * 1024);
	size_t len;

	(void)state;
	assert_true(metrics_write(m, METRICS_PROMETHEUS, NULL, &whole));
	len = buf_len(&whole);
	buf_free(&whole);
	for (size_t max = 1; max < len; max += 97) {
		struct buf out = BUF_INIT(max);

		assert_false(metrics_write(m, METRICS_PROMETHEUS, NULL, &out));
		buf_free(&out);
	}
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_labels_begin_at_zero),
		cmocka_unit_test(an_exchange_counts_everywhere),
		cmocka_unit_test(gaps_are_counted_one_by_one),
		cmocka_unit_test(requests_cannot_invent_labels),
		cmocka_unit_test(labels_are_bounded),
		cmocka_unit_test(a_reload_keeps_counts_and_adds_labels),
		cmocka_unit_test(awkward_names_are_escaped),
		cmocka_unit_test(a_target_is_summed_with_its_last_fault),
		cmocka_unit_test(a_client_that_leaves_is_no_fault_of_the_target),
		cmocka_unit_test(combinations_are_bounded),
		cmocka_unit_test(looks_and_turns_are_counted),
		cmocka_unit_test(the_format_is_negotiated),
		cmocka_unit_test(openmetrics_names_families_without_suffix),
		cmocka_unit_test(the_table_is_sound),
		cmocka_unit_test(pools_are_summed),
		cmocka_unit_test(a_document_that_is_too_large_is_not_half_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
