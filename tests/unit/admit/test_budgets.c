/* What may be spent: periods of the calendar, accounts that many count on, and what
 * survives a restart. */
#include "admit/budgets.h"
#include "base/check.h"

#include "cm.h"

#include <pthread.h>

#define HOUR ((int64_t)3600 * 1000)
#define DAY  (24 * HOUR)
/* 2026-11-28T01:30:00Z, a Saturday; and the firsts of some months. */
#define NOW     INT64_C(1795829400000)
#define DEC_1   INT64_C(1796083200000)
#define MAR_1   INT64_C(1709251200000)        /* 2024: behind a leap day */
#define FEB_29  (MAR_1 - DAY)

static void periods_end_as_the_calendar_has_it(void **state)
{
	static const struct {
		enum budget_period per;
		int64_t at, end;
	} rows[] = {
		{ BUDGET_HOUR, NOW, NOW + HOUR / 2 },
		{ BUDGET_HOUR, NOW + HOUR / 2 - 1, NOW + HOUR / 2 },
		{ BUDGET_HOUR, NOW + HOUR / 2, NOW + HOUR / 2 + HOUR },
		{ BUDGET_DAY, NOW, NOW - HOUR - HOUR / 2 + DAY },
		{ BUDGET_MONTH, NOW, DEC_1 },
		{ BUDGET_MONTH, DEC_1 - 1, DEC_1 },
		{ BUDGET_MONTH, DEC_1, DEC_1 + 31 * DAY },
		{ BUDGET_MONTH, FEB_29, MAR_1 },
		{ BUDGET_MONTH, MAR_1 - 1, MAR_1 },
		{ BUDGET_MONTH, 0, 31 * DAY },
		{ BUDGET_MONTH, 31 * DAY, 59 * DAY },
		{ BUDGET_DAY, 0, DAY },
		{ BUDGET_DAY, -5, DAY },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (budget_period_end(rows[i].per, rows[i].at) != rows[i].end)
			fail_msg("row %zu: %lld", i, (long long)budget_period_end(rows[i].per, rows[i].at));
}

static void each_month_ends_where_the_next_begins(void **state)
{
	int64_t at = 0;

	(void)state;
	for (unsigned i = 0; i < 12 * 200; i++) {
		int64_t end = budget_period_end(BUDGET_MONTH, at), days = (end - at) / DAY;

		assert_true(days >= 28 && days <= 31 && (end - at) % DAY == 0);
		assert_int_equal(budget_period_end(BUDGET_MONTH, end - 1), end);
		at = end;
	}
	assert_int_equal(at, INT64_C(6311433600000));        /* 2170-01-01 */
}

static struct budget_policy day_of(const char *name, int64_t cost_nano, int64_t tokens)
{
	return (struct budget_policy){ .name = slice_of(name), .per = BUDGET_DAY, .cost_nano_usd = cost_nano,
				       .tokens = tokens, .then = BUDGET_REFUSE };
}

static int64_t used(const struct budget_policy *p, int64_t wall_ms)
{
	struct budget_view v;

	budget_look(p, wall_ms, &v);
	return v.used_milli;
}

static void what_is_spent_is_gone_until_the_period_ends(void **state)
{
	struct budgets *b = budgets_create();
	struct budget_policy p = day_of("p", 1000, 0);
	struct budget_view v;

	(void)state;
	assert_int_equal(used(&p, NOW), 0);           /* not bound: nothing is counted */
	budget_add(&p, NOW, 500, 10);
	assert_int_equal(used(&p, NOW), 0);
	budgets_bind(b, &p, 1);
	budget_add(&p, NOW, 800, 10);
	assert_int_equal(used(&p, NOW), 80000);
	budget_add(&p, NOW, 250, 10);
	budget_look(&p, NOW + 1, &v);
	assert_int_equal(v.used_milli, 105000);
	assert_int_equal(v.tokens, 20);
	assert_int_equal(v.ends_wall_ms, budget_period_end(BUDGET_DAY, NOW));
	assert_int_equal(used(&p, v.ends_wall_ms - 1), 105000);
	assert_int_equal(used(&p, v.ends_wall_ms), 0);
	/* A clock that is set back does not bring it again, nor does it make a new one. */
	budget_add(&p, v.ends_wall_ms + 5, 100, 0);
	assert_int_equal(used(&p, NOW), 10000);
	budgets_free(b);
}

static void the_larger_share_counts(void **state)
{
	struct budgets *b = budgets_create();
	struct budget_policy p = day_of("p", 1000, 100);

	(void)state;
	budgets_bind(b, &p, 1);
	budget_add(&p, NOW, 100, 90);
	assert_int_equal(used(&p, NOW), 90000);
	budget_add(&p, NOW, 900, 0);
	assert_int_equal(used(&p, NOW), 100000);
	budget_add(&p, NOW, INT64_MAX, INT64_MAX);    /* and stays sane */
	budget_add(&p, NOW, INT64_MAX, INT64_MAX);
	budget_add(&p, NOW, -5, -5);
	assert_true(used(&p, NOW) > 100000);
	budgets_free(b);
}

static void it_concerns_keys_groups_and_models(void **state)
{
	static const struct slice keys[] = { S_INIT("web"), S_INIT("team") }, models[] = { S_INIT("chat") };
	struct budget_policy all = { 0 }, some = { .keys = keys, .key_count = 2, .models = models,
						   .model_count = 1 };

	(void)state;
	assert_true(budget_concerns(&all, SLICE_NONE, SLICE_NONE, S("x")));
	assert_true(budget_concerns(&some, S("web"), SLICE_NONE, S("chat")));
	assert_true(budget_concerns(&some, S("job"), S("team"), S("chat")));
	assert_false(budget_concerns(&some, S("job"), S("others"), S("chat")));
	assert_false(budget_concerns(&some, SLICE_NONE, SLICE_NONE, S("chat")));
	assert_false(budget_concerns(&some, S("web"), SLICE_NONE, S("chat-2")));
}

static void a_reload_keeps_what_is_spent_unless_the_period_changes(void **state)
{
	struct budgets *b = budgets_create();
	struct budget_policy p = day_of("p", 1000, 0), more = day_of("p", 4000, 0), month = day_of("p", 4000, 0);

	(void)state;
	budgets_bind(b, &p, 1);
	budget_add(&p, NOW, 1000, 0);
	budgets_bind(b, &more, 1);
	assert_int_equal(used(&more, NOW), 25000);
	budget_add(&p, NOW, 1000, 0);                 /* by an exchange of the old config */
	assert_int_equal(used(&more, NOW), 50000);
	month.per = BUDGET_MONTH;
	budgets_bind(b, &month, 1);
	assert_int_equal(used(&month, NOW), 0);
	budgets_free(b);
}

static void what_is_spent_survives_as_text(void **state)
{
	struct budgets *b = budgets_create(), *again = budgets_create();
	struct budget_policy two[] = { day_of("a", 1000, 0), day_of("b.c-d", 0, 50) };
	struct buf text = BUF_INIT(64 * 1024);
	uint64_t version;

	(void)state;
	two[1].per = BUDGET_MONTH;
	budgets_bind(b, two, 2);
	version = budgets_version(b);
	budget_add(&two[0], NOW, 700, 1);
	budget_add(&two[1], NOW, 0, 25);
	assert_true(budgets_version(b) != version);
	assert_true(budgets_write(b, &text));
	assert_true(budgets_read(again, buf_slice(&text)));
	budgets_bind(again, two, 2);
	assert_int_equal(used(&two[0], NOW + 1), 70000);
	assert_int_equal(used(&two[1], NOW + 1), 50000);
	assert_int_equal(used(&two[0], NOW + DAY), 0);
	budgets_free(b);
	budgets_free(again);
	buf_free(&text);
}

static void what_is_no_such_text_is_refused_whole(void **state)
{
	static const char *const texts[] = {
		"", "backstay budgets 2\n", "{}", "backstay budgets 1\na\n", "backstay budgets 1\na day 1 2\n",
		"backstay budgets 1\na year 1 2 3\n", "backstay budgets 1\na day -1 2 3\n",
		"backstay budgets 1\na day 1 2 99999999999999999999\n", "backstay budgets 1\n day 1 2 3\n",
		"backstay budgets 1\na day 1795910400000 500 3\nb day x 1 1\n",
	};
	struct budgets *b = budgets_create();
	struct budget_policy p = day_of("a", 1000, 0);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(texts); i++)
		if (budgets_read(b, slice_of(texts[i])))
			fail_msg("row %zu was taken", i);
	budgets_bind(b, &p, 1);
	assert_int_equal(used(&p, NOW), 0);
	budgets_free(b);
}

#define THREADS 4
#define ROUNDS 20000

static void *spend(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		budget_add(arg, NOW, 3, 1);
		budget_count(arg);
	}
	return NULL;
}

static void many_workers_count_in_one_place(void **state)
{
	struct budgets *b = budgets_create();
	struct budget_policy p = day_of("p", 1, 0);
	pthread_t threads[THREADS];
	struct budget_view v;

	(void)state;
	budgets_bind(b, &p, 1);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, spend, &p), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	budget_look(&p, NOW, &v);
	assert_int_equal(v.cost_nano_usd, 3 * THREADS * ROUNDS);
	assert_int_equal(v.tokens, THREADS * ROUNDS);
	assert_int_equal(v.refused, THREADS * ROUNDS);
	assert_int_equal(v.moved, 0);
	budgets_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(periods_end_as_the_calendar_has_it),
		cmocka_unit_test(each_month_ends_where_the_next_begins),
		cmocka_unit_test(what_is_spent_is_gone_until_the_period_ends),
		cmocka_unit_test(the_larger_share_counts),
		cmocka_unit_test(it_concerns_keys_groups_and_models),
		cmocka_unit_test(a_reload_keeps_what_is_spent_unless_the_period_changes),
		cmocka_unit_test(what_is_spent_survives_as_text),
		cmocka_unit_test(what_is_no_such_text_is_refused_whole),
		cmocka_unit_test(many_workers_count_in_one_place),
	};

	return cmocka_run_group_tests_name("budgets", tests, NULL, NULL);
}
