/* Who waits, in which order they go, and who is sent away. */
#include "cm.h"

#include "admit/waiting_room.h"
#include "base/check.h"

#define GUESTS 8
#define ALL UINT64_MAX

enum step {
	ENTER,                        /* guest, class, key, deadline, places -> want: verdict */
	CALL,                         /* places -> want: guest or NOBODY */
	SERVE, LEAVE,                 /* guest */
	WAIT_ON,                      /* guest, places */
};

#define NOBODY (-1)

struct row {
	enum step step;
	int guest;
	enum priority priority;
	uint64_t key;
	mono_ms deadline;
	uint64_t places;
	int want, shed;
	const char *sentence;
};

#define IN(g, p, k, d, why)       { ENTER, g, PRIORITY_##p, k, d, ALL, ROOM_WAIT, NOBODY, why }
#define FOR(g, places, why)       { ENTER, g, PRIORITY_NORMAL, 1, 9000, places, ROOM_WAIT, NOBODY, why }
#define SHEDS(g, p, k, d, s, why) { ENTER, g, PRIORITY_##p, k, d, ALL, ROOM_WAIT, s, why }
#define FULL(g, p, k, d, why)     { ENTER, g, PRIORITY_##p, k, d, ALL, ROOM_FULL, NOBODY, why }
#define NEXT(g, why)              { CALL, 0, PRIORITY_HIGH, 0, 0, ALL, g, NOBODY, why }
#define NEXT_FOR(places, g, why)  { CALL, 0, PRIORITY_HIGH, 0, 0, places, g, NOBODY, why }
#define GOES(g, why)              { SERVE, g, PRIORITY_HIGH, 0, 0, 0, 0, NOBODY, why }
#define GONE(g, why)              { LEAVE, g, PRIORITY_HIGH, 0, 0, 0, 0, NOBODY, why }
#define STAYS(g, places, why)     { WAIT_ON, g, PRIORITY_HIGH, 0, 0, places, 0, NOBODY, why }

static void play(const struct row *rows, size_t count, unsigned length)
{
	struct waiting_room room;
	struct waiter guests[GUESTS] = { 0 }, *shed, *called;

	waiting_room_init(&room);
	for (size_t i = 0; i < count; i++) {
		const struct row *r = &rows[i];
		struct waiter *w = &guests[r->guest];

		switch (r->step) {
		case ENTER:
			*w = (struct waiter){ .priority = r->priority, .key = r->key,
					      .deadline = r->deadline, .wait_max_ms = 5000,
					      .places = r->places };
			row_holds((int)waiting_room_enter(&room, w, length, 0, &shed) == r->want,
				  r->sentence);
			row_holds((shed ? (int)(shed - guests) : NOBODY) == r->shed, r->sentence);
			break;
		case CALL:
			called = waiting_room_call(&room, r->places);
			row_holds((called ? (int)(called - guests) : NOBODY) == r->want, r->sentence);
			break;
		case SERVE:
		case LEAVE:
			waiting_room_leave(&room, w, r->step == SERVE);
			break;
		case WAIT_ON:
			waiting_room_wait_on(&room, w, r->places);
			break;
		}
	}
}

#define PLAY(rows, length) play(rows, COUNT_OF(rows), length)

static void the_higher_class_goes_first_then_the_earlier_deadline(void **state)
{
	static const struct row rows[] = {
		IN(0, NORMAL, 1, 5000, "a normal one"),
		IN(1, LOW, 1, 1000, "a low one in a hurry"),
		IN(2, NORMAL, 1, 3000, "a normal one in more of a hurry"),
		IN(3, HIGH, 1, 9000, "a high one with time"),
		IN(4, NORMAL, 1, 3000, "as much in a hurry, but later"),
		NEXT(3, "the class decides first"),
		GOES(3, ""),
		NEXT(2, "then the deadline"),
		GOES(2, ""),
		NEXT(4, "then the arrival"),
		GOES(4, ""),
		NEXT(0, "the last of its class"),
		GOES(0, ""),
		NEXT(1, "low at last"),
		GOES(1, ""),
		NEXT(NOBODY, "nobody waits"),
	};

	(void)state;
	PLAY(rows, 100);
}

static void client_keys_take_turns(void **state)
{
	static const struct row rows[] = {
		IN(0, NORMAL, 7, 9000, "one key asks"),
		IN(1, NORMAL, 7, 9000, "and asks"),
		IN(2, NORMAL, 7, 9000, "and asks"),
		IN(3, NORMAL, 7, 9000, "and asks"),
		IN(4, NORMAL, 8, 9000, "another asks once"),
		NEXT(0, "the first key was first"),
		GOES(0, ""),
		NEXT(4, "but the second does not wait for all of them"),
		GOES(4, ""),
		NEXT(1, "then the first key again"),
		GOES(1, ""),
		IN(5, NORMAL, 8, 9000, "the second key asks again"),
		NEXT(5, "and has its turn at once: it had less"),
		GOES(5, ""),
		NEXT(2, "and so on"),
	};

	(void)state;
	PLAY(rows, 100);
}

static void inside_a_key_the_deadline_decides_whose_turn_it_is(void **state)
{
	static const struct row rows[] = {
		IN(0, NORMAL, 7, 9000, "time enough"),
		IN(1, NORMAL, 7, 2000, "less of it"),
		IN(2, NORMAL, 8, 9000, "another key"),
		NEXT(1, "the key's first turn is used by its most urgent one"),
		GOES(1, ""),
		NEXT(2, "then the other key"),
		GOES(2, ""),
		NEXT(0, "then the rest"),
	};

	(void)state;
	PLAY(rows, 100);
}

static void a_full_room_sheds_what_matters_least(void **state)
{
	static const struct row rows[] = {
		IN(0, LOW, 1, 9000, "an old low one"),
		IN(1, LOW, 1, 9000, "a new low one"),
		IN(2, NORMAL, 1, 9000, "a normal one"),
		FULL(3, LOW, 1, 9000, "three are enough: one more low one is refused"),
		SHEDS(4, NORMAL, 1, 9000, 1, "a normal one takes the place of the newest low one"),
		SHEDS(5, HIGH, 1, 9000, 0, "a high one that of the other"),
		SHEDS(6, HIGH, 1, 9000, 4, "and then that of the newest normal one"),
		SHEDS(7, HIGH, 1, 9000, 2, "until only high ones are there"),
		FULL(0, HIGH, 1, 9000, "who are not driven out by their like"),
	};

	(void)state;
	PLAY(rows, 3);
}

static void a_key_makes_room_for_one_that_has_less(void **state)
{
	static const struct row rows[] = {
		IN(0, NORMAL, 7, 9000, "one key"),
		IN(1, NORMAL, 7, 9000, "fills"),
		IN(2, NORMAL, 7, 9000, "the room"),
		SHEDS(3, NORMAL, 8, 9000, 2, "another key has a right to a share"),
		FULL(4, NORMAL, 8, 9000, "but not to more than the first then has"),
		FULL(5, NORMAL, 7, 9000, "nor does the first get more"),
	};

	(void)state;
	PLAY(rows, 3);
}

static void whose_doing_it_is_that_the_room_is_full(void **state)
{
	struct waiting_room room = { 0 };
	struct waiter w[8] = { 0 }, *shed;

	(void)state;
	waiting_room_init(&room);
	for (size_t i = 0; i < COUNT_OF(w); i++)
		w[i] = (struct waiter){ .priority = PRIORITY_NORMAL, .key = 7, .deadline = 9000,
					.wait_max_ms = 9000, .places = UINT64_MAX };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(waiting_room_enter(&room, &w[i], 3, 0, &shed), ROOM_WAIT);
	assert_int_equal(waiting_room_enter(&room, &w[3], 3, 0, &shed), ROOM_FULL);
	assert_false(w[3].greedy);            /* nobody else is there to be held up */
	w[4].key = 8;
	assert_int_equal(waiting_room_enter(&room, &w[4], 3, 0, &shed), ROOM_WAIT);
	assert_ptr_equal(shed, &w[2]);
	assert_true(w[2].greedy);             /* it made way for a key that had less */
	assert_int_equal(waiting_room_enter(&room, &w[5], 3, 0, &shed), ROOM_FULL);
	assert_true(w[5].greedy);             /* two of three are its own */
	w[6].key = 8;
	assert_int_equal(waiting_room_enter(&room, &w[6], 3, 0, &shed), ROOM_FULL);
	assert_false(w[6].greedy);
	w[7].priority = PRIORITY_HIGH;
	assert_int_equal(waiting_room_enter(&room, &w[7], 3, 0, &shed), ROOM_WAIT);
	assert_false(shed->greedy);           /* it made way for what matters more */
	waiting_room_leave(&room, &w[7], false);
}

static void one_is_called_for_places_it_can_use(void **state)
{
	static const struct row rows[] = {
		FOR(0, 1, "waits for place 1"),
		FOR(1, 2, "waits for place 2"),
		FOR(2, 3, "waits for either"),
		NEXT_FOR(2, 1, "a place 2 is free: the first that can use it"),
		NEXT_FOR(2, 2, "another one: who is called already is not called again"),
		NEXT_FOR(2, NOBODY, "a third one: nobody is left for it"),
		STAYS(1, 2, "somebody else was faster"),
		NEXT_FOR(2, 1, "it kept its place in the order"),
		STAYS(2, 4, "by now another place would do for it"),
		NEXT_FOR(3, 0, "place 1 or 2"),
		NEXT_FOR(4, 2, "place 3"),
		GONE(2, "called, and gone"),
		NEXT_FOR(4, NOBODY, "nobody is left for it"),
	};

	(void)state;
	PLAY(rows, 100);
}

static void who_waits_elsewhere_is_not_in_the_way(void **state)
{
	struct waiter in = { .priority = PRIORITY_NORMAL, .deadline = 9000, .wait_max_ms = 5000, .places = 1 };
	struct waiter high = { .priority = PRIORITY_HIGH }, normal = { .priority = PRIORITY_NORMAL }, *shed;
	struct waiting_room r;

	(void)state;
	waiting_room_init(&r);
	assert_false(waiting_room_is_behind(&r, &normal, 1));   /* nobody is there */
	assert_int_equal(waiting_room_enter(&r, &in, 10, 0, &shed), ROOM_WAIT);
	assert_true(waiting_room_is_behind(&r, &normal, 1));
	assert_false(waiting_room_is_behind(&r, &high, 1));     /* matters more */
	assert_false(waiting_room_is_behind(&r, &normal, 3));   /* place 2 would do as well */
	assert_false(waiting_room_is_behind(&r, &normal, 2));
}

static void a_called_one_is_not_shed(void **state)
{
	static const struct row rows[] = {
		IN(0, LOW, 1, 9000, "the only one"),
		NEXT(0, "is called"),
		FULL(1, HIGH, 1, 9000, "and so cannot be sent away"),
	};

	(void)state;
	PLAY(rows, 1);
}

static void without_a_length_nobody_waits(void **state)
{
	static const struct row rows[] = { FULL(0, HIGH, 1, 9000, "no queue was wanted") };

	(void)state;
	PLAY(rows, 0);
}

/* ---- time --------------------------------------------------------------------- */

struct time_row {
	unsigned running;
	int64_t age_ms, hold_ms;      /* of each that runs; of one that ended, 0: none */
	size_t waiting;
	int64_t deadline_ms, wait_max_ms;     /* of one that comes now */
	int64_t wait_ms;              /* expected with `waiting` ahead */
	enum room_verdict want;
	const char *sentence;
};

static const struct time_row time_rows[] = {
	{ 0, 0, 0, 0, 100, 100, 0, ROOM_WAIT, "nothing is known: it may try" },
	{ 0, 0, 1000, 5, 100, 100, 0, ROOM_TOO_LATE, "nobody runs here, but one takes longer than there is" },
	{ 10, 0, 1000, 0, 5000, 5000, 100, ROOM_WAIT, "ten that take a second free a place every 100 ms" },
	{ 10, 0, 1000, 9, 5000, 5000, 1000, ROOM_WAIT, "the tenth waits a second" },
	{ 10, 0, 1000, 9, 5000, 900, 1000, ROOM_TOO_LATE, "which is more than it may" },
	{ 10, 0, 1000, 9, 2250, 5000, 1000, ROOM_WAIT, "a second to wait, a quarter to be sure, one to run: just in time" },
	{ 10, 0, 1000, 9, 2249, 5000, 1000, ROOM_TOO_LATE, "one millisecond short of it" },
	{ 10, 0, 1000, 9, MONO_NEVER, 5000, 1000, ROOM_WAIT, "no deadline at all" },
	{ 10, 8000, 1000, 0, 60000, 5000, 800, ROOM_WAIT, "those that run take longer than ever before" },
	{ 10, 8000, 1000, 9, 60000, 5000, 8000, ROOM_TOO_LATE, "which shows before the first has ended" },
	{ 1, 0, 30000, 0, 90000, 30000, 30000, ROOM_WAIT, "one place, half a minute each" },
	{ 1, 0, 30000, 1, 90000, 30000, 60000, ROOM_TOO_LATE, "the second in line would wait a whole one" },
};

static void nobody_waits_in_vain(void **state)
{
	const mono_ms now = 1000000;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(time_rows); i++) {
		const struct time_row *t = &time_rows[i];
		struct waiter others[16] = { 0 }, w, *shed;
		struct waiting_room r;

		waiting_room_init(&r);
		for (size_t n = 0; n < t->waiting; n++) {
			others[n] = (struct waiter){ .deadline = 1, .wait_max_ms = 1, .places = ALL };
			row_holds(waiting_room_enter(&r, &others[n], 100, 0, &shed) == ROOM_WAIT,
				  t->sentence);
		}
		if (t->hold_ms) {
			waiting_room_began(&r, now - t->hold_ms);
			waiting_room_ended(&r, now - t->hold_ms, now);
		}
		for (unsigned n = 0; n < t->running; n++)
			waiting_room_began(&r, now - t->age_ms);
		w = (struct waiter){ .wait_max_ms = t->wait_max_ms, .places = ALL,
				     .deadline = mono_after(now, t->deadline_ms) };
		row_holds(waiting_room_wait_ms(&r, t->waiting, now) == t->wait_ms, t->sentence);
		row_holds(waiting_room_enter(&r, &w, 100, now, &shed) == t->want, t->sentence);
	}
}

static void who_is_refused_comes_back_when_the_room_is_empty_or_later(void **state)
{
	struct waiter others[9] = { 0 }, *shed;
	struct waiting_room r;

	(void)state;
	waiting_room_init(&r);
	assert_int_equal(waiting_room_retry_ms(&r, 0, 0), 1000);
	for (unsigned i = 0; i < 10; i++)
		waiting_room_began(&r, 0);
	for (size_t i = 0; i < COUNT_OF(others); i++) {
		others[i] = (struct waiter){ .deadline = MONO_NEVER, .wait_max_ms = 1, .places = ALL };
		assert_int_equal(waiting_room_enter(&r, &others[i], 100, 0, &shed), ROOM_WAIT);
	}
	assert_int_equal(waiting_room_retry_ms(&r, 4000, 0), 4000);
	assert_int_equal(waiting_room_retry_ms(&r, 4000, 2000), 6000);
	assert_int_equal(waiting_room_retry_ms(&r, 4000, 2001), 4000);
	assert_int_equal(waiting_room_retry_ms(&r, 100000000, 0), 60000);
}

static enum room_verdict enter_with(struct waiting_room *r, struct waiter *w)
{
	struct waiter *shed;

	*w = (struct waiter){ .deadline = MONO_NEVER, .wait_max_ms = 60000, .places = ALL };
	return waiting_room_enter(r, w, 100, 10000, &shed);
}

static void clients_show_how_long_they_wait(void **state)
{
	struct waiter w[3] = { 0 };
	struct waiting_room r;

	(void)state;
	waiting_room_init(&r);
	waiting_room_began(&r, 6000);          /* one place, four seconds so far */
	for (unsigned i = 0; i < 100; i++)
		waiting_room_kept(&r);
	waiting_room_lost(&r, 5000);
	assert_int_equal(enter_with(&r, &w[0]), ROOM_WAIT);     /* one in a hundred means nothing */
	for (unsigned i = 0; i < 10; i++)
		waiting_room_lost(&r, 5000);
	assert_int_equal(enter_with(&r, &w[1]), ROOM_TOO_LATE); /* but ten more do */
	for (unsigned i = 0; i < 300; i++)
		waiting_room_kept(&r);
	assert_int_equal(enter_with(&r, &w[1]), ROOM_WAIT);     /* and are forgotten again */
}

static void the_average_follows_what_ends(void **state)
{
	struct waiting_room r;

	(void)state;
	waiting_room_init(&r);
	assert_int_equal(waiting_room_hold_ms(&r, 5), 0);
	for (unsigned i = 0; i < 200; i++) {
		waiting_room_began(&r, 0);
		waiting_room_ended(&r, 0, i < 100 ? 1600 : 160);
	}
	assert_in_range(waiting_room_hold_ms(&r, 5), 160, 180);
}

static void what_was_before_a_target_came_back_is_forgotten(void **state)
{
	struct waiting_room r;

	(void)state;
	waiting_room_init(&r);
	for (mono_ms start = 0; start < 8; start++)
		waiting_room_began(&r, start);
	waiting_room_ended(&r, 0, 20000);
	assert_true(waiting_room_wait_ms(&r, 9, 20000) > 20000);
	waiting_room_forget(&r, 20000);
	assert_int_equal(waiting_room_wait_ms(&r, 9, 20000), 0);
	assert_int_equal(waiting_room_hold_ms(&r, 20500), 500); /* those that run on show what is slow now */
	waiting_room_began(&r, 20500);
	waiting_room_ended(&r, 20500, 20600);
	assert_true(waiting_room_wait_ms(&r, 9, 20600) < 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_higher_class_goes_first_then_the_earlier_deadline),
		cmocka_unit_test(client_keys_take_turns),
		cmocka_unit_test(inside_a_key_the_deadline_decides_whose_turn_it_is),
		cmocka_unit_test(a_full_room_sheds_what_matters_least),
		cmocka_unit_test(a_key_makes_room_for_one_that_has_less),
		cmocka_unit_test(one_is_called_for_places_it_can_use),
		cmocka_unit_test(whose_doing_it_is_that_the_room_is_full),
		cmocka_unit_test(who_waits_elsewhere_is_not_in_the_way),
		cmocka_unit_test(a_called_one_is_not_shed),
		cmocka_unit_test(without_a_length_nobody_waits),
		cmocka_unit_test(nobody_waits_in_vain),
		cmocka_unit_test(who_is_refused_comes_back_when_the_room_is_empty_or_later),
		cmocka_unit_test(clients_show_how_long_they_wait),
		cmocka_unit_test(the_average_follows_what_ends),
		cmocka_unit_test(what_was_before_a_target_came_back_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
