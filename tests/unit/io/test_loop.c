#include "stage.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What happened, as a string of letters. */
struct diary {
	struct stage g;
	char text[64];
	size_t len, wanted;
};

static bool diary_full(struct stage *g)
{
	struct diary *d = CONTAINER_OF(g, struct diary, g);

	return d->len >= d->wanted;
}

static void note(struct diary *d, char letter)
{
	must(d->len < sizeof d->text - 1);
	d->text[d->len++] = letter;
	stage_look(&d->g);
}

static void run_until_noted(struct diary *d, size_t wanted)
{
	d->wanted = wanted;
	stage_run(&d->g, diary_full);
}

static struct diary *diary_open(void)
{
	struct diary *d = calloc(1, sizeof *d);

	assert_non_null(d);
	stage_open(&d->g, NULL);
	return d;
}

static void diary_close(struct diary *d)
{
	stage_close(&d->g);
	free(d);
}

/* ---- timers ------------------------------------------------------------- */

struct bell {
	struct io_timer timer;
	struct diary *diary;
	char letter;
	mono_ms wanted_at, again_at;
	struct bell *silences;
};

static void ring(struct io_timer *t, mono_ms now)
{
	struct bell *b = CONTAINER_OF(t, struct bell, timer);

	assert_true(now >= b->wanted_at);
	assert_true(now == io_now(b->diary->g.io));
	if (b->silences)
		io_timer_clear(b->diary->g.io, &b->silences->timer);
	if (b->again_at) {
		io_timer_set(b->diary->g.io, t, b->again_at);
		b->again_at = 0;
	}
	note(b->diary, b->letter);
}

static void bell_set(struct bell *b, struct diary *d, char letter, int64_t after_ms)
{
	b->timer.fire = ring;
	b->diary = d;
	b->letter = letter;
	b->wanted_at = io_now(d->g.io) + after_ms;
	io_timer_set(d->g.io, &b->timer, b->wanted_at);
}

static void timers_fire_in_order_of_their_times_not_before_them(void **state)
{
	struct bell bells[5] = { 0 };
	struct diary *d = diary_open();

	(void)state;
	bell_set(&bells[0], d, 'd', 20);
	bell_set(&bells[1], d, 'b', 5);
	bell_set(&bells[2], d, 'c', 5);        /* same time: first come first */
	bell_set(&bells[3], d, 'a', 1);
	bell_set(&bells[4], d, 'e', 30);
	run_until_noted(d, 5);
	assert_string_equal(d->text, "abcde");
	diary_close(d);
}

static void a_moved_timer_fires_once_and_a_cleared_one_never(void **state)
{
	struct bell bells[4] = { 0 };
	struct diary *d = diary_open();

	(void)state;
	bell_set(&bells[0], d, 'm', 1);
	bell_set(&bells[0], d, 'm', 12);
	bell_set(&bells[1], d, 'x', 1);
	bell_set(&bells[2], d, 'x', 1);
	io_timer_clear(d->g.io, &bells[1].timer);
	io_timer_clear(d->g.io, &bells[1].timer);
	io_timer_set(d->g.io, &bells[2].timer, MONO_NEVER);
	bell_set(&bells[3], d, 'z', 15);
	run_until_noted(d, 2);
	assert_string_equal(d->text, "mz");
	diary_close(d);
}

static void a_timer_may_clear_another_that_is_due_in_the_same_turn(void **state)
{
	struct bell bells[3] = { 0 };
	struct diary *d = diary_open();

	(void)state;
	bell_set(&bells[0], d, 'a', 0);
	bell_set(&bells[1], d, 'x', 0);
	bell_set(&bells[2], d, 'b', 0);
	bells[0].silences = &bells[1];
	run_until_noted(d, 2);
	assert_string_equal(d->text, "ab");
	diary_close(d);
}

static void a_timer_that_sets_itself_to_the_past_lets_others_run(void **state)
{
	struct bell bells[2] = { 0 };
	struct diary *d = diary_open();

	(void)state;
	bell_set(&bells[0], d, 'a', 0);
	bell_set(&bells[1], d, 'b', 0);
	bells[0].again_at = 1;                 /* long ago */
	run_until_noted(d, 3);
	assert_string_equal(d->text, "aba");
	diary_close(d);
}

/* ---- the end of a turn ----------------------------------------------------- */

struct chore {
	struct io_deferred deferred;
	struct io_grave grave;
	struct io_timer timer;
	struct diary *diary;
	struct chore *defers, *buries;
	char letter;
	bool writes;
};

static void chore_bury(struct io_grave *g)
{
	struct chore *c = CONTAINER_OF(g, struct chore, grave);

	note(c->diary, 'g');
}

static void chore_run(struct io_deferred *d, mono_ms now)
{
	struct chore *c = CONTAINER_OF(d, struct chore, deferred);

	(void)now;
	note(c->diary, c->letter);
	if (c->defers) {
		io_defer(c->diary->g.io, &c->defers->deferred);
		io_defer(c->diary->g.io, &c->defers->deferred);
	}
	if (c->buries)
		io_bury(c->diary->g.io, &c->buries->grave);
	if (c->writes)
		end_write(&c->diary->g.client, S("123456789"));
}

static struct chore chore_of(struct diary *d, char letter)
{
	return (struct chore){ .deferred.run = chore_run, .grave.bury = chore_bury, .diary = d,
			       .letter = letter };
}

static void deferred_work_runs_once_and_before_the_dead_are_buried(void **state)
{
	struct diary *d = diary_open();
	struct chore a = chore_of(d, 'a'), b = chore_of(d, 'b'), c = chore_of(d, 'c');

	(void)state;
	a.defers = &c;
	a.buries = &a;
	io_defer(d->g.io, &a.deferred);
	io_defer(d->g.io, &b.deferred);
	io_defer(d->g.io, &a.deferred);
	assert_int_equal(d->len, 0);
	run_until_noted(d, 4);
	assert_string_equal(d->text, "abcg");
	diary_close(d);
}

static bool server_got_9(struct stage *g)
{
	return buf_len(&g->server.got) >= 9;
}

static void what_deferred_work_writes_is_flushed_in_the_same_turn(void **state)
{
	struct diary *d = diary_open();
	struct chore a = chore_of(d, 'a');

	(void)state;
	stage_pair(&d->g);
	a.writes = true;
	io_defer(d->g.io, &a.deferred);
	stage_run(&d->g, server_got_9);
	assert_int_equal(d->g.server.data_events, 1);
	diary_close(d);
}

/* ---- other threads -------------------------------------------------------------- */

#define LETTERS 500

struct letter {
	struct io_message message;
	struct diary *diary;
	unsigned *count;
	pthread_t reader;
};

static void deliver(struct io_message *m)
{
	struct letter *l = CONTAINER_OF(m, struct letter, message);

	assert_true(pthread_equal(pthread_self(), l->reader));
	if (++*l->count == LETTERS * 2)
		note(l->diary, 'p');
}

static void *post_letters(void *arg)
{
	struct letter *letters = arg;

	for (size_t i = 0; i < LETTERS; i++)
		io_post(letters[i].diary->g.io, &letters[i].message);
	return NULL;
}

static void messages_of_other_threads_all_arrive_on_the_loop(void **state)
{
	struct diary *d = diary_open();
	struct letter *letters = calloc(LETTERS * 2, sizeof *letters);
	pthread_t threads[2];
	unsigned count = 0;

	(void)state;
	assert_non_null(letters);
	for (size_t i = 0; i < LETTERS * 2; i++)
		letters[i] = (struct letter){ { .deliver = deliver }, d, &count, pthread_self() };
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_letters,
						letters + i * LETTERS), 0);
	run_until_noted(d, 1);
	for (size_t i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	free(letters);
	diary_close(d);
}

struct task {
	struct io_job job;
	struct diary *diary;
	pthread_t worked_by;
	int worked;
};

static void task_work(struct io_job *job)
{
	struct task *t = CONTAINER_OF(job, struct task, job);

	t->worked++;
	t->worked_by = pthread_self();
}

static void task_done(struct io_job *job)
{
	struct task *t = CONTAINER_OF(job, struct task, job);

	assert_int_equal(t->worked, 1);
	assert_false(pthread_equal(pthread_self(), t->worked_by));
	note(t->diary, 'j');
}

static void background_work_is_done_elsewhere_and_told_here(void **state)
{
	struct diary *d = diary_open();
	struct task tasks[20];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(tasks); i++) {
		tasks[i] = (struct task){ .job = { .work = task_work, .done = task_done },
					  .diary = d };
		io_background(d->g.io, &tasks[i].job);
	}
	assert_int_equal(d->len, 0);
	run_until_noted(d, COUNT_OF(tasks));
	diary_close(d);
}

static void a_loop_may_end_while_work_is_queued(void **state)
{
	struct diary *d = diary_open();
	struct task tasks[20];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(tasks); i++) {
		tasks[i] = (struct task){ .job = { .work = task_work, .done = task_done },
					  .diary = d };
		io_background(d->g.io, &tasks[i].job);
	}
	diary_close(d);
	for (size_t i = 0; i < COUNT_OF(tasks); i++)
		assert_int_equal(tasks[i].worked, 1);
}

/* ---- signals, clocks, chance -------------------------------------------------- */

static void on_signal(void *owner, int signo)
{
	note(owner, signo == SIGUSR1 ? '1' : '2');
}

static void signals_are_told_on_the_loop(void **state)
{
	struct diary *d = diary_open();

	(void)state;
	io_real_on_signal(d->g.io, SIGUSR1, on_signal, d);
	io_real_on_signal(d->g.io, SIGUSR2, on_signal, d);
	raise(SIGUSR1);
	assert_int_equal(d->len, 0);
	run_until_noted(d, 1);
	raise(SIGUSR2);
	run_until_noted(d, 2);
	assert_string_equal(d->text, "12");
	diary_close(d);
}

static void time_stands_still_between_turns_and_chance_does_not(void **state)
{
	struct diary *d = diary_open();
	mono_ms now = io_now(d->g.io);
	int64_t wall = io_wall_ms(d->g.io);

	(void)state;
	while (io_real_mono_ms() <= now)
		;
	assert_true(io_now(d->g.io) == now);
	assert_true(io_wall_ms(d->g.io) == wall);
	assert_true(wall > INT64_C(1700000000000));
	assert_true(io_random(d->g.io) != io_random(d->g.io));
	diary_close(d);
}

static void stopping_before_running_runs_nothing_forever(void **state)
{
	struct diary *d = diary_open();

	(void)state;
	io_real_stop(d->g.io);
	io_real_run(d->g.io);
	diary_close(d);
}

static void a_loop_without_descriptors_is_refused_with_a_sentence(void **state)
{
	int fds[4096];
	size_t count = 0;
	char why[200] = "";

	(void)state;
	while (count < COUNT_OF(fds) && (fds[count] = dup(0)) >= 0)
		count++;
	if (count < COUNT_OF(fds)) {
		assert_null(io_real_create(why, sizeof why));
		assert_non_null(strstr(why, "descriptors"));
	}
	while (count > 0)
		close(fds[--count]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_fire_in_order_of_their_times_not_before_them),
		cmocka_unit_test(a_moved_timer_fires_once_and_a_cleared_one_never),
		cmocka_unit_test(a_timer_may_clear_another_that_is_due_in_the_same_turn),
		cmocka_unit_test(a_timer_that_sets_itself_to_the_past_lets_others_run),
		cmocka_unit_test(deferred_work_runs_once_and_before_the_dead_are_buried),
		cmocka_unit_test(what_deferred_work_writes_is_flushed_in_the_same_turn),
		cmocka_unit_test(messages_of_other_threads_all_arrive_on_the_loop),
		cmocka_unit_test(background_work_is_done_elsewhere_and_told_here),
		cmocka_unit_test(a_loop_may_end_while_work_is_queued),
		cmocka_unit_test(signals_are_told_on_the_loop),
		cmocka_unit_test(time_stands_still_between_turns_and_chance_does_not),
		cmocka_unit_test(stopping_before_running_runs_nothing_forever),
		cmocka_unit_test(a_loop_without_descriptors_is_refused_with_a_sentence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
