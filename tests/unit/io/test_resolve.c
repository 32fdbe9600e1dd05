#include "stage.h"

#include "io/real/loop.h"
#include "io/real/socket.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* ---- a name server of our own ---------------------------------------------- */

/* Answers what the test tells it to, on the loop under test. */
struct name_server {
	struct stage g;
	ev_io watch;
	unsigned v4_count, v6_count;     /* addresses it gives, 192.0.2.1.. and 2001:db8::1.. */
	uint32_t v4_ttl_s, v6_ttl_s;
	uint8_t rcode;                   /* RFC 1035 4.1.1 */
	bool deaf;
};

/* Appends one answer (RFC 1035 4.1.3) whose name points back to the question. */
static size_t put_answer(uint8_t *at, uint16_t type, uint32_t ttl_s, uint8_t last)
{
	static const uint8_t v4[4] = { 192, 0, 2 };
	static const uint8_t v6[16] = { 0x20, 0x01, 0x0d, 0xb8 };
	size_t size = type == 1 ? 4 : 16;
	const uint8_t head[12] = { 0xc0, 12, 0, (uint8_t)type, 0, 1, (uint8_t)(ttl_s >> 24),
				   (uint8_t)(ttl_s >> 16), (uint8_t)(ttl_s >> 8), (uint8_t)ttl_s, 0,
				   (uint8_t)size };

	memcpy(at, head, sizeof head);
	memcpy(at + sizeof head, type == 1 ? v4 : v6, size);
	at[sizeof head + size - 1] = last;
	return sizeof head + size;
}

/* Turns the question in `bytes` into its answer; gives the length. */
static size_t answer_question(const struct name_server *n, uint8_t *bytes)
{
	size_t at = 12;
	uint16_t type;
	unsigned count;

	while (bytes[at])
		at += bytes[at] + 1u;
	type = bytes[at + 2];
	at += 5;
	count = type == 1 ? n->v4_count : n->v6_count;
	if (n->rcode)
		count = 0;
	bytes[2] = 0x81;                       /* an answer, recursion wanted ... */
	bytes[3] = (uint8_t)(0x80 | n->rcode); /* ... and given */
	memset(bytes + 6, 0, 6);
	bytes[7] = (uint8_t)count;
	for (unsigned i = 0; i < count; i++)
		at += put_answer(bytes + at, type, type == 1 ? n->v4_ttl_s : n->v6_ttl_s,
				 (uint8_t)(i + 1));
	return at;
}

static void on_question(struct ev_loop *loop, ev_io *w, int revents)
{
	struct name_server *n = w->data;
	uint8_t bytes[4096];
	union sock_addr from;
	socklen_t from_len = sizeof from;

	(void)loop, (void)revents;
	if (recvfrom(w->fd, bytes, 512, 0, &from.any, &from_len) < 16 || n->deaf)
		return;
	sendto(w->fd, bytes, answer_question(n, bytes), 0, &from.any, from_len);
}

static void name_server_open(struct name_server *n)
{
	struct io_addr at = { .family = IO_IPV4, .bytes = { 127, 0, 0, 1 } };
	union sock_addr sa;
	socklen_t len;
	char text[IO_ADDR_TEXT_MAX];
	int fd;

	memset(n, 0, sizeof *n);
	open_for_questions(&n->g);
	len = sock_addr_to(&at, &sa);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &sa.any, len), 0);
	assert_int_equal(getsockname(fd, &sa.any, &len), 0);
	sock_addr_from(&sa, len, &at);
	n->watch.data = n;
	ev_io_init(&n->watch, on_question, fd, EV_READ);
	ev_io_start(n->g.io->loop, &n->watch);
	assert_true(resolver_use_servers(n->g.io, io_addr_text(&at, text)));
}

static void name_server_close(struct name_server *n)
{
	ev_io_stop(n->g.io->loop, &n->watch);
	close(n->watch.fd);
	stage_close(&n->g);
}

static void families_alternate_and_the_shortest_life_counts(void **state)
{
	struct name_server n;
	const struct io_resolve *r = &questions[0].r;

	(void)state;
	name_server_open(&n);
	n.v4_count = 3;
	n.v6_count = 2;
	n.v4_ttl_s = 300;
	n.v6_ttl_s = 20;
	ask(&n.g, S("model.test."));
	stage_run(&n.g, all_answered);
	assert_int_equal(r->count, 5);
	assert_int_equal(r->ttl_ms, 20000);
	for (unsigned i = 1; i < 4; i++)
		assert_int_not_equal(r->addrs[i].family, r->addrs[i - 1].family);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(r->addrs[i].port, 8080);
	name_server_close(&n);
}

static void more_addresses_than_fit_are_cut(void **state)
{
	struct name_server n;

	(void)state;
	name_server_open(&n);
	n.v4_count = 20;
	ask(&n.g, S("model.test."));
	stage_run(&n.g, all_answered);
	assert_int_equal(questions[0].r.count, IO_RESOLVE_MAX);
	name_server_close(&n);
}

static const struct {
	uint8_t rcode;
	const char *why;
} failures[] = {
	{ 3, "no host of this name exists" },
	{ 0, "the name exists but has no address" },
	{ 2, "each name server failed, refused or could not be reached" },
	{ 5, "each name server failed, refused or could not be reached" },
};

static void each_failure_has_its_sentence(void **state)
{
	struct name_server n;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(failures); i++) {
		name_server_open(&n);
		n.rcode = failures[i].rcode;
		ask(&n.g, S("model.test."));
		stage_run(&n.g, all_answered);
		assert_int_equal(questions[0].r.count, 0);
		assert_string_equal(questions[0].r.why, failures[i].why);
		name_server_close(&n);
	}
}

static void a_deaf_name_server_holds_no_other_question_up(void **state)
{
	struct name_server n;

	(void)state;
	name_server_open(&n);
	n.deaf = true;
	ask(&n.g, S("model.test."));
	ask(&n.g, S("localhost"));
	asked = 1;
	stage_run(&n.g, all_answered);
	assert_int_equal(questions[1].answers, 1);
	assert_int_equal(questions[0].answers, 0);
	name_server_close(&n);                 /* with the question still open */
	assert_int_equal(questions[0].answers, 0);
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
		cmocka_unit_test(families_alternate_and_the_shortest_life_counts),
		cmocka_unit_test(more_addresses_than_fit_are_cut),
		cmocka_unit_test(each_failure_has_its_sentence),
		cmocka_unit_test(a_deaf_name_server_holds_no_other_question_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
