#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "observe/alert_book.h"

#include <stdio.h>
#include <string.h>

#define SECOND ((int64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define WALL ((int64_t)1795442400000)

static const struct alert_sink_policy sinks[] = {
	{ .name = S_INIT("hook"), .kind = ALERT_WEBHOOK, .least = ALERT_INFO },
	{ .name = S_INIT("pager"), .kind = ALERT_PAGERDUTY, .least = ALERT_CRITICAL },
	{ .name = S_INIT("manager"), .kind = ALERT_ALERTMANAGER, .least = ALERT_INFO },
};

static struct alert_policy policy_of(size_t first, size_t count)
{
	return (struct alert_policy){ .wait_ms = 5 * SECOND, .calm_ms = 30 * SECOND, .repeat_ms = 4 * HOUR,
				      .sinks = &sinks[first], .sink_count = count };
}

enum act {
	ON, OFF,              /* an event about `what` */
	SENDS,                /* what the first sink is sent now: `what`, "" for nothing; taken */
	FAILS, REFUSES,       /* the same, but it is not taken; the sink may hint at `hint_ms` */
};

struct step {
	mono_ms at;
	enum act act;
	const char *what;     /* events: "kind subject"; messages: "+kind subject, -kind subject" */
	const char *says;
	int64_t hint_ms;
};

static void give(struct alert_book *b, const struct step *s)
{
	struct alert_event e = { .on = s->act == ON, .text = S("why") };
	struct slice kind, subject;

	assert_true(slice_cut(slice_of(s->what), ' ', &kind, &subject));
	assert_true(alert_kind_find(kind, &e.kind));
	e.subject = subject;
	alert_book_event(b, &e, s->at, WALL + s->at);
}

static void take(struct alert_book *b, const struct step *s)
{
	static const enum alert_result results[] = {
		[SENDS] = ALERT_TAKEN, [FAILS] = ALERT_AGAIN, [REFUSES] = ALERT_REFUSED,
	};
	const struct alert_note *notes = NULL;
	struct buf text = BUF_INIT(65536);
	size_t count;

	alert_book_tick(b, s->at, WALL + s->at);
	count = alert_book_take(b, 0, s->at, WALL + s->at, &notes);
	for (size_t i = 0; i < count; i++)
		buf_putf(&text, "%s%s%s %s%s%s", i ? ", " : "", notes[i].firing ? "+" : "-",
			 alert_kind_row(notes[i].kind)->name, notes[i].subject,
			 notes[i].flapping ? " flaps" : "", notes[i].repeated ? " again" : "");
	if (!slice_eq(buf_slice(&text), slice_of(s->what)))
		fail_msg("%s: at %lld ms \"%.*s\", not \"%s\"", s->says, (long long)s->at,
			 SLICE_ARG(buf_slice(&text)), s->what);
	if (count)
		alert_book_sent(b, 0, results[s->act], s->hint_ms ? s->hint_ms : -1, s->at, 0);
	buf_free(&text);
}

static void play(const struct step *steps, size_t count, size_t sink)
{
	struct alert_policy policy = policy_of(sink, 1);
	struct alert_book *b = alert_book_create();

	alert_book_use(b, &policy, 0);
	for (size_t i = 0; i < count; i++) {
		if (steps[i].act == ON || steps[i].act == OFF)
			give(b, &steps[i]);
		else
			take(b, &steps[i]);
	}
	alert_book_free(b);
}

static void trouble_is_told_once_and_so_is_its_end(void **state)
{
	static const struct step steps[] = {
		{ 1000, ON, "target_open a", "a begins", 0 },
		{ 3000, ON, "target_open a", "the same again", 0 },
		{ 5999, SENDS, "", "it has not lasted", 0 },
		{ 6000, SENDS, "+target_open a", "it has lasted 5 s", 0 },
		{ 6001, ON, "target_open a", "the same again", 0 },
		{ 20000, SENDS, "", "told already", 0 },
		{ 21000, OFF, "target_open a", "it is over", 0 },
		{ 50999, SENDS, "", "not for long enough", 0 },
		{ 51000, SENDS, "-target_open a", "over for 30 s", 0 },
		{ 90000, SENDS, "", "that was all", 0 },
	};

	(void)state;
	play(steps, COUNT_OF(steps), 0);
}

static void what_is_nothing_wakes_nobody(void **state)
{
	static const struct step steps[] = {
		{ 0, ON, "target_open a", "a moment's trouble", 0 },
		{ 4000, OFF, "target_open a", "which is over", 0 },
		{ 9000, SENDS, "", "nobody is told", 0 },
		{ 60000, SENDS, "", "never", 0 },
		{ 61000, ON, "target_open a", "real trouble", 0 },
		{ 66000, SENDS, "+target_open a", "is told", 0 },
		{ 70000, OFF, "target_open a", "it goes", 0 },
		{ 80000, ON, "target_open a", "and is back before anybody was told so", 0 },
		{ 200000, SENDS, "", "it was never away", 0 },
		{ 200000, OFF, "target_open a", "over", 0 },
		{ 230000, SENDS, "-target_open a", "and told once", 0 },
	};

	(void)state;
	play(steps, COUNT_OF(steps), 0);
}

static void what_comes_together_is_told_together(void **state)
{
	static const struct step steps[] = {
		{ 0, ON, "target_open a", "", 0 },
		{ 2000, ON, "target_open b", "", 0 },
		{ 4900, ON, "model_down chat", "", 0 },
		{ 5000, SENDS, "+target_open a, +target_open b, +model_down chat", "one message", 0 },
		{ 5100, ON, "target_open c", "too late for it", 0 },
		{ 10099, SENDS, "", "", 0 },
		{ 10100, SENDS, "+target_open c", "a message of its own", 0 },
	};
	static const struct step opener_leaves[] = {
		{ 0, ON, "target_open a", "", 0 },
		{ 4000, OFF, "target_open a", "who opened the group was nothing", 0 },
		{ 4500, ON, "target_open b", "", 0 },
		{ 5000, SENDS, "", "b has not lasted", 0 },
		{ 9500, SENDS, "+target_open b", "now it has", 0 },
	};

	(void)state;
	play(steps, COUNT_OF(steps), 0);
	play(opener_leaves, COUNT_OF(opener_leaves), 0);
}

static void flapping_is_told_once(void **state)
{
	static const struct step blips[] = {
		{ 1000, ON, "target_open a", "", 0 }, { 2000, OFF, "target_open a", "", 0 },
		{ 60000, ON, "target_open a", "", 0 }, { 61000, OFF, "target_open a", "", 0 },
		{ 120000, ON, "target_open a", "", 0 }, { 121000, OFF, "target_open a", "", 0 },
		{ 130000, SENDS, "", "three are chance", 0 },
		{ 180000, ON, "target_open a", "the fourth in ten minutes", 0 },
		{ 180000, SENDS, "+target_open a flaps", "each too short, but together they are trouble", 0 },
		{ 181000, OFF, "target_open a", "", 0 },
		{ 240000, ON, "target_open a", "", 0 }, { 241000, OFF, "target_open a", "", 0 },
		{ 300000, SENDS, "", "more of it is no news", 0 },
		{ 540999, SENDS, "", "not calm for long enough", 0 },
		{ 541000, SENDS, "-target_open a flaps", "calm for ten times 30 s", 0 },
	};

	(void)state;
	play(blips, COUNT_OF(blips), 0);
}

static void it_is_repeated_while_it_lasts(void **state)
{
	static const struct step steps[] = {
		{ 0, ON, "credential_off a", "", 0 },
		{ 5000, SENDS, "+credential_off a", "", 0 },
		{ 4 * HOUR, SENDS, "", "not yet", 0 },
		{ 4 * HOUR + 5000, SENDS, "+credential_off a again", "after four hours", 0 },
		{ 8 * HOUR + 5000, SENDS, "+credential_off a again", "and again", 0 },
	};
	static const struct step manager[] = {
		{ 0, ON, "credential_off a", "", 0 },
		{ 5000, SENDS, "+credential_off a", "", 0 },
		{ 60000, SENDS, "+credential_off a again", "Alertmanager forgets: each minute", 0 },
		{ 65000, OFF, "credential_off a", "", 0 },
		{ 95000, SENDS, "-credential_off a", "", 0 },
		{ 600000, SENDS, "", "and no more", 0 },
	};

	(void)state;
	play(steps, COUNT_OF(steps), 0);
	play(manager, COUNT_OF(manager), 2);
}

static void some_end_by_themselves(void **state)
{
	static const struct step steps[] = {
		{ 0, ON, "process_restarted serving", "", 0 },
		{ 5000, SENDS, "+process_restarted serving", "", 0 },
		{ 300000, SENDS, "", "over after five minutes", 0 },
		{ 330000, SENDS, "-process_restarted serving", "and told", 0 },
	};

	(void)state;
	play(steps, COUNT_OF(steps), 0);
}

static void a_sink_that_fails_is_tried_later_and_later(void **state)
{
	static const struct step steps[] = {
		{ 0, ON, "target_open a", "", 0 },
		{ 5000, FAILS, "+target_open a", "first try", 0 },
		{ 5499, SENDS, "", "a pause", 0 },
		{ 5500, FAILS, "+target_open a", "second", 0 },
		{ 6499, SENDS, "", "a longer pause", 0 },
		{ 6500, FAILS, "+target_open a", "third; it asks for a minute", MINUTE },
		{ 66499, SENDS, "", "", 0 },
		{ 66500, SENDS, "+target_open a", "taken at last", 0 },
		{ 67000, ON, "target_open b", "", 0 },
		{ 72000, REFUSES, "+target_open b", "the message is refused", 0 },
		{ 80000, SENDS, "", "it would be refused again", 0 },
	};

	(void)state;
	play(steps, COUNT_OF(steps), 0);
}

static void only_the_latest_waits(void **state)
{
	static const struct step steps[] = {
		{ 0, ON, "target_open a", "", 0 },
		{ 5000, FAILS, "+target_open a", "", HOUR },
		{ 6000, OFF, "target_open a", "it ends before anybody took it", 0 },
		{ 40000, SENDS, "", "", 0 },
		{ 5000 + HOUR, SENDS, "-target_open a", "one note: that it was, and is over", 0 },
	};
	static const struct step old[] = {
		{ 0, ON, "target_open a", "", 0 },
		{ 5000, FAILS, "+target_open a", "", HOUR },
		{ 5000 + 25 * HOUR, SENDS, "+target_open a again", "the old one is dropped, the repetition is new", 0 },
	};

	(void)state;
	play(steps, COUNT_OF(steps), 0);
	play(old, COUNT_OF(old), 0);
}

static void a_pager_gets_what_is_critical_one_by_one(void **state)
{
	static const struct step steps[] = {
		{ 0, ON, "target_open a", "", 0 },
		{ 0, ON, "model_down chat", "", 0 },
		{ 0, ON, "credential_off b", "", 0 },
		{ 5000, SENDS, "+model_down chat", "", 0 },
		{ 5000, SENDS, "+credential_off b", "", 0 },
		{ 5000, SENDS, "", "a target is no reason to wake anybody", 0 },
	};

	(void)state;
	play(steps, COUNT_OF(steps), 1);
}

/* A look at everything: what is not on is over. */
static void rounds_end_what_is_not_seen(void **state)
{
	struct alert_policy policy = policy_of(0, 1);
	struct alert_book *b = alert_book_create();
	const struct step on = { 0, ON, "target_open a", "", 0 }, other = { 0, ON, "store_down x", "", 0 };
	const struct step told = { 5000, SENDS, "+target_open a, +store_down x", "both", 0 };
	const struct step over = { 36000, SENDS, "-target_open a", "only kinds of the round end", 0 };

	(void)state;
	alert_book_use(b, &policy, 0);
	give(b, &on);
	give(b, &other);
	alert_book_round(b, 1u << ALERT_TARGET_OPEN, 0);
	take(b, &told);
	assert_int_equal(alert_book_firing(b, ALERT_TARGET_OPEN), 1);
	alert_book_round(b, 1u << ALERT_TARGET_OPEN, 6000);
	take(b, &over);
	assert_int_equal(alert_book_firing(b, ALERT_TARGET_OPEN), 0);
	assert_int_equal(alert_book_firing(b, ALERT_STORE_DOWN), 1);
	alert_book_free(b);
}

static void nothing_grows_without_bound(void **state)
{
	struct alert_policy policy = policy_of(0, 1);
	struct alert_book *b = alert_book_create();
	struct alert_sink_view view;
	char what[64];

	(void)state;
	alert_book_use(b, &policy, 0);
	for (int i = 0; i < ALERT_BOOK_MAX + 10; i++) {
		struct step on = { 0, ON, what, "", 0 };

		snprintf(what, sizeof what, "target_open t%d", i);
		give(b, &on);
	}
	assert_int_equal(alert_book_lost(b), 10);
	alert_book_tick(b, 5000, WALL);
	alert_book_sink(b, 0, &view);
	assert_int_equal(view.queued, ALERT_QUEUE_MAX);
	assert_int_equal(view.dropped, ALERT_BOOK_MAX - ALERT_QUEUE_MAX);
	alert_book_free(b);
}

static void wakes_when_there_is_something_to_do(void **state)
{
	struct alert_policy policy = policy_of(0, 1);
	struct alert_book *b = alert_book_create();
	const struct step on = { 1000, ON, "target_open a", "", 0 }, off = { 9000, OFF, "target_open a", "", 0 };
	const struct step fails = { 6000, FAILS, "+target_open a", "", MINUTE };
	const struct step sends = { 66000, SENDS, "-target_open a", "", 0 };

	(void)state;
	alert_book_use(b, &policy, 0);
	assert_true(alert_book_wake_at(b) == MONO_NEVER);
	give(b, &on);
	assert_int_equal(alert_book_wake_at(b), 6000);
	take(b, &fails);
	assert_int_equal(alert_book_wake_at(b), 66000);
	give(b, &off);
	assert_int_equal(alert_book_wake_at(b), 39000);
	take(b, &sends);
	assert_int_equal(alert_book_wake_at(b), 1000 + ALERT_FLAP_WINDOW_MS + 1);
	alert_book_tick(b, 1000 + ALERT_FLAP_WINDOW_MS + 1, WALL);
	assert_true(alert_book_wake_at(b) == MONO_NEVER);
	alert_book_free(b);
}

/* ---- a restart -------------------------------------------------------------------- */

static void a_restart_forgets_nothing(void **state)
{
	struct alert_policy policy = policy_of(0, 1);
	struct alert_book *b = alert_book_create(), *c = alert_book_create();
	const struct step on = { 0, ON, "target_open \"a\"/ü", "", 0 };
	const struct step down = { 0, ON, "model_down chat", "", 0 };
	const struct step fails = { 5000, FAILS, "+target_open \"a\"/ü, +model_down chat", "", 0 };
	const struct step sends = { 100, SENDS, "+target_open \"a\"/ü, +model_down chat", "", 0 };
	const struct step still = { 1000, ON, "target_open \"a\"/ü", "", 0 };
	const struct step over = { 30100, SENDS, "-model_down chat", "nobody said that it is still so", 0 };
	const struct step quiet = { 90000, SENDS, "", "the other is no news", 0 };
	struct buf file = BUF_INIT(ALERT_STATE_MAX), again = BUF_INIT(ALERT_STATE_MAX);

	(void)state;
	alert_book_use(b, &policy, 0);
	give(b, &on);
	give(b, &down);
	take(b, &fails);
	assert_true(alert_book_write(b, &file));
	alert_book_use(c, &policy, 100);
	assert_true(alert_book_read(c, buf_slice(&file), 100));
	assert_true(alert_book_write(c, &again));
	assert_true(slice_eq(buf_slice(&file), buf_slice(&again)));
	take(c, &sends);
	give(c, &still);
	take(c, &over);
	take(c, &quiet);
	alert_book_free(b);
	alert_book_free(c);
	buf_free(&file);
	buf_free(&again);
}

static void a_broken_file_is_refused(void **state)
{
	static const char *const files[] = {
		"", "{", "[]", "null", "{\"version\":2,\"alerts\":[],\"queues\":[]}",
		"{\"version\":1,\"alerts\":{},\"queues\":[]}", "{\"version\":1}",
	};
	static const char odd[] = "{\"version\":1,\"alerts\":[{\"kind\":\"no such\"},{},7,{\"kind\":\"test\"}],"
		"\"queues\":[{\"sink\":\"gone\",\"notes\":[{\"kind\":\"test\"}]},{\"sink\":\"hook\",\"notes\":"
		"[{\"kind\":9},[]]},null]}";
	struct alert_policy policy = policy_of(0, 1);
	struct alert_book *b = alert_book_create();
	struct alert_sink_view view;

	(void)state;
	alert_book_use(b, &policy, 0);
	for (size_t i = 0; i < COUNT_OF(files); i++)
		assert_false(alert_book_read(b, slice_of(files[i]), 0));
	assert_true(alert_book_read(b, slice_of(odd), 0));
	alert_book_sink(b, 0, &view);
	assert_int_equal(view.queued, 0);
	alert_book_free(b);
}

static void a_reload_keeps_the_queues_of_known_sinks(void **state)
{
	struct alert_policy both = policy_of(0, 2), second = policy_of(1, 1);
	struct alert_book *b = alert_book_create();
	const struct alert_note *notes;
	const struct step down = { 0, ON, "model_down chat", "", 0 };
	const struct step sends = { 5000, SENDS, "+model_down chat", "the pager's", 0 };

	(void)state;
	alert_book_use(b, &both, 0);
	give(b, &down);
	alert_book_tick(b, 5000, WALL);
	assert_int_equal(alert_book_take(b, 1, 5000, WALL, &notes), 1);
	alert_book_use(b, &second, 5000);     /* the message under way was given up */
	take(b, &sends);
	alert_book_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trouble_is_told_once_and_so_is_its_end),
		cmocka_unit_test(what_is_nothing_wakes_nobody),
		cmocka_unit_test(what_comes_together_is_told_together),
		cmocka_unit_test(flapping_is_told_once),
		cmocka_unit_test(it_is_repeated_while_it_lasts),
		cmocka_unit_test(some_end_by_themselves),
		cmocka_unit_test(a_sink_that_fails_is_tried_later_and_later),
		cmocka_unit_test(only_the_latest_waits),
		cmocka_unit_test(a_pager_gets_what_is_critical_one_by_one),
		cmocka_unit_test(rounds_end_what_is_not_seen),
		cmocka_unit_test(nothing_grows_without_bound),
		cmocka_unit_test(wakes_when_there_is_something_to_do),
		cmocka_unit_test(a_restart_forgets_nothing),
		cmocka_unit_test(a_broken_file_is_refused),
		cmocka_unit_test(a_reload_keeps_the_queues_of_known_sinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
