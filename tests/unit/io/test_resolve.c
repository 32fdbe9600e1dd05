#include "stage.h"

#include <string.h>

struct question {
	struct io_resolve r;
	struct stage *g;
	unsigned answers;
};

/* Two questions at most in these tests; the stage waits for `asked` answers. */
static struct question questions[2];
static unsigned asked;

static void on_done(struct io_resolve *r)
{
	struct question *q = CONTAINER_OF(r, struct question, r);

	q->answers++;
	stage_look(q->g);
}

static bool all_answered(struct stage *g)
{
	(void)g;
	return questions[0].answers + questions[1].answers >= asked;
}

static void ask(struct stage *g, struct slice host)
{
	struct question *q = &questions[asked++];

	*q = (struct question){ .r.done = on_done, .g = g };
	io_resolve_start(g->io, &q->r, host, 8080);
	assert_int_equal(q->answers, 0);       /* in a later step, always */
}

static void open_for_questions(struct stage *g)
{
	memset(questions, 0, sizeof questions);
	asked = 0;
	stage_open(g, NULL);
}

static void assert_answer(const struct io_resolve *r, unsigned at, const char *text)
{
	char out[IO_ADDR_TEXT_MAX];

	assert_true(at < r->count);
	assert_string_equal(io_addr_text(&r->addrs[at], out), text);
}

static void literals_answer_themselves(void **state)
{
	struct stage g;

	(void)state;
	open_for_questions(&g);
	ask(&g, S("192.0.2.7"));
	ask(&g, S("2001:db8::7"));
	stage_run(&g, all_answered);
	assert_int_equal(questions[0].r.count, 1);
	assert_answer(&questions[0].r, 0, "192.0.2.7:8080");
	assert_answer(&questions[1].r, 0, "[2001:db8::7]:8080");
	assert_true(questions[0].r.ttl_ms > 0);
	stage_close(&g);
}

static void localhost_is_this_machine_without_any_name_server(void **state)
{
	static const char *const names[] = { "localhost", "LocalHost.", "model.localhost" };
	struct stage g;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		open_for_questions(&g);
		ask(&g, slice_of(names[i]));
		stage_run(&g, all_answered);
		assert_answer(&questions[0].r, 0, "127.0.0.1:8080");
		assert_answer(&questions[0].r, 1, "[::1]:8080");
		stage_close(&g);
	}
}

static void what_cannot_be_a_name_fails_with_a_sentence(void **state)
{
	char longest[300];
	const struct slice names[] = { S(""), S("a\0b"), { longest, sizeof longest } };
	struct stage g;

	(void)state;
	memset(longest, 'a', sizeof longest);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		open_for_questions(&g);
		ask(&g, names[i]);
		stage_run(&g, all_answered);
		assert_int_equal(questions[0].r.count, 0);
		assert_non_null(questions[0].r.why);
		stage_close(&g);
	}
}

/* RFC 6761 keeps .invalid free of hosts for ever; where no name server can be
 * reached it fails as well, only with another sentence. */
static void a_name_that_does_not_exist_fails_and_holds_nobody_up(void **state)
{
	struct stage g;

	(void)state;
	open_for_questions(&g);
	ask(&g, S("no-such-host.invalid."));
	ask(&g, S("127.0.0.1"));
	asked = 1;
	stage_run(&g, all_answered);
	assert_int_equal(questions[1].answers, 1);     /* the literal did not wait */
	asked = 2;
	stage_run(&g, all_answered);
	assert_int_equal(questions[0].r.count, 0);
	assert_non_null(questions[0].r.why);
	stage_close(&g);
}

static void a_cancelled_question_is_not_answered(void **state)
{
	struct stage g;

	(void)state;
	open_for_questions(&g);
	ask(&g, S("192.0.2.7"));
	io_resolve_cancel(g.io, &questions[0].r);
	io_resolve_cancel(g.io, &questions[0].r);
	ask(&g, S("192.0.2.8"));
	asked = 1;
	stage_run(&g, all_answered);
	assert_int_equal(questions[0].answers, 0);
	stage_close(&g);
}

static void a_loop_may_end_while_questions_are_open(void **state)
{
	struct stage g;

	(void)state;
	open_for_questions(&g);
	ask(&g, S("no-such-host.invalid"));
	ask(&g, S("192.0.2.8"));
	stage_close(&g);
	assert_int_equal(questions[0].answers + questions[1].answers, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(literals_answer_themselves),
		cmocka_unit_test(localhost_is_this_machine_without_any_name_server),
		cmocka_unit_test(what_cannot_be_a_name_fails_with_a_sentence),
		cmocka_unit_test(a_name_that_does_not_exist_fails_and_holds_nobody_up),
		cmocka_unit_test(a_cancelled_question_is_not_answered),
		cmocka_unit_test(a_loop_may_end_while_questions_are_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
