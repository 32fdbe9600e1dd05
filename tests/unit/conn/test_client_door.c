/* Who comes in, who leaves, and how the door closes. */
#include "client_stage.h"

#define GET "GET /echo HTTP/1.1\r\n" HOST "\r\n"
#define ECHOED "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 12\r\n\r\nGET /echo []"
#define HOLD "GET /hold HTTP/1.1\r\n" HOST "\r\n"
#define LATE "Date: Thu, 01 Jan 2026 00:00:01 GMT\r\n"

/* ---- clients that leave ---------------------------------------------------------- */

enum leaving { FIN, RST };

struct row {
	const char *sentence, *says;
	enum leaving how;
	unsigned requests, gone;
};

static const struct row leaves[] = {
	{ "before it said anything", "", FIN, 0, 0 },
	{ "in a head", "GET /ho", FIN, 0, 0 },
	{ "in a head, by a reset", "GET /ho", RST, 0, 0 },
	{ "in a body: nobody was asked anything",
	  "POST /hold HTTP/1.1\r\n" HOST "Content-Length: 9\r\n\r\nhalf", FIN, 0, 0 },
	{ "in a chunked body",
	  "POST /hold HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n9\r\nhalf", RST, 0, 0 },
	{ "while an answer is owed", HOLD, FIN, 1, 1 },
	{ "while an answer is owed, by a reset", HOLD, RST, 1, 1 },
	{ "in the middle of a stream", "GET /stream HTTP/1.1\r\n" HOST "\r\n", FIN, 1, 1 },
	{ "in the middle of a stream, by a reset", "GET /stream HTTP/1.1\r\n" HOST "\r\n", RST, 1, 1 },
	{ "with more requests waiting, which nobody sees", HOLD GET GET, FIN, 1, 1 },
	{ "after its answer", GET, FIN, 1, 0 },
	{ "after its answer, by a reset", GET, RST, 1, 0 },
};

static void who_leaves_is_noticed_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(leaves); i++) {
		const struct row *r = &leaves[i];
		struct stage st;
		struct peer *p;

		stage_begin(&st, false);
		p = peer_connect(&st);
		peer_say(p, r->says);
		sim_run_for(st.sim, 5);
		row_holds(st.asked_count == 0 || st.asked[0].gone == 0, r->sentence);
		peer_close(p, r->how == FIN ? IO_CLOSE_NOW : IO_CLOSE_RESET);
		sim_run_for(st.sim, 1);
		row_holds(client_door_count(st.door) == 0, r->sentence);
		row_holds(st.requests == r->requests, r->sentence);
		row_holds(r->gone == 0 || st.asked[0].gone == r->gone, r->sentence);
		row_holds(r->gone == 0 || st.asked[0].gone_at == SIM_START_MS + 6, r->sentence);
		sim_run_for(st.sim, 1000);
		stage_end(&st);
	}
}

static void a_fin_right_behind_a_request_spares_what_is_answered_at_once(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	p = peer_connect(&st);
	io_write(p->s, &S(GET GET), 1);
	io_stream_finish(p->s);
	sim_run_for(st.sim, 5);
	peer_got(p, ECHOED ECHOED);
	assert_true(p->ended);
	stage_end(&st);
}

static void a_fin_does_not_cut_an_answer_that_is_on_its_way(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	st.way->bytes_per_s = 10000;
	st.way->window = 4096;
	st.big_bytes = 500 * 1000;
	p = peer_connect(&st);
	io_write(p->s, &S("GET /big HTTP/1.1\r\n" HOST "\r\n"), 1);
	io_stream_finish(p->s);
	sim_run_for(st.sim, 100000);
	assert_in_range(buf_len(&p->got), 500 * 1000, 500 * 1000 + 200);
	assert_true(p->ended);
	stage_end(&st);
}

static void a_connection_that_vanished_costs_the_idle_time(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	p = peer_connect(&st);
	peer_say(p, GET);
	sim_strike(st.sim, NULL, SIM_STRIKE_VANISH, 0, 0);
	sim_run_for(st.sim, 74999);
	assert_int_equal(client_door_count(st.door), 1);
	sim_run_for(st.sim, 1);
	assert_int_equal(client_door_count(st.door), 0);
	stage_end(&st);
}

/* ---- how many ------------------------------------------------------------------------ */

static void above_the_limit_one_is_told_so(void **state)
{
	struct stage st;
	struct peer *a, *b, *more;

	(void)state;
	stage_begin(&st, false);
	st.limits.connections = 2;
	a = peer_connect(&st);
	b = peer_connect(&st);
	more = peer_connect(&st);
	peer_say(more, GET);
	sim_run_for(st.sim, 1);
	peer_got(more, "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\n"
		       "retry-after: 1\r\n" DATE CLOSE "Content-Length: 4\r\n\r\nE503");
	assert_true(more->ended);
	assert_int_equal(st.counters.accepted, 3);
	assert_int_equal(st.counters.refused_full, 1);
	assert_int_equal(st.counters.connections, 2);
	peer_say(a, GET);
	peer_say(b, GET);
	peer_got(a, ECHOED);
	peer_got(b, ECHOED);
	peer_close(a, IO_CLOSE_NOW);
	sim_run_for(st.sim, 1);
	a = peer_connect(&st);
	peer_say(a, GET);
	peer_got(a, ECHOED);
	assert_int_equal(st.counters.refused_full, 1);
	stage_end(&st);
}

static void the_limit_is_the_process_s_not_the_door_s(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	st.counters.connections = 100;  /* those of other workers */
	p = peer_connect(&st);
	sim_run_for(st.sim, 1);
	assert_true(p->ended);
	assert_int_equal(st.counters.connections, 100);
	st.counters.connections = 0;
	stage_end(&st);
}

static void new_limits_hold_from_the_next_request(void **state)
{
	struct client_limits more;
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	p = peer_connect(&st);
	peer_say(p, GET);
	peer_got(p, ECHOED);
	more = st.limits;
	more.body_bytes = 1;
	client_door_set_limits(st.door, &more);
	peer_say(p, "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi");
	sim_run_for(st.sim, 1);
	assert_true(p->ended);
	stage_end(&st);
}

static void the_owner_learns_who_asks(void **state)
{
	char text[IO_ADDR_TEXT_MAX];
	struct io_addr peer;
	struct stage st;

	(void)state;
	stage_begin(&st, false);
	peer_say(peer_connect(&st), HOLD);
	peer = client_peer(st.asked[0].c);
	assert_true(strncmp(io_addr_text(&peer, text), "10.77.0.1:", 10) == 0);
	stage_end(&st);
}

/* ---- the door closes --------------------------------------------------------------------- */

static void draining_closes_who_waits_and_finishes_who_is_served(void **state)
{
	struct stage st;
	struct peer *silent, *idle, *half, *held, *streamed, *late;

	(void)state;
	stage_begin(&st, false);
	silent = peer_connect(&st);
	idle = peer_connect(&st);
	half = peer_connect(&st);
	held = peer_connect(&st);
	streamed = peer_connect(&st);
	peer_say(idle, GET);
	peer_got(idle, ECHOED);
	peer_say(half, "GET /echo HTTP/1.1\r\n");
	peer_say(held, HOLD GET);
	peer_say(streamed, "GET /stream HTTP/1.1\r\n" HOST "\r\n");
	client_door_drain(st.door);
	client_door_drain(st.door);
	assert_int_equal(client_door_count(st.door), 3);
	sim_run_for(st.sim, 1);
	assert_true(silent->ended);
	assert_true(idle->ended);
	peer_got(silent, "");
	peer_got(idle, "");
	late = peer_connect(&st);
	assert_true(late->broken);

	sim_run_until(st.sim, SIM_START_MS + 1500);
	peer_got(streamed, "HTTP/1.1 200 OK\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n"
			   "5\r\nfirst\r\n5\r\nagain\r\n0\r\n\r\n");
	assert_true(streamed->ended);
	peer_say(half, HOST "\r\n");
	asked_answer(&st.asked[0]);
	sim_run_for(st.sim, 1);
	peer_got(half, "HTTP/1.1 200 OK\r\n" LATE "Content-Length: 12\r\n" CLOSE "\r\nGET /echo []");
	peer_got(held, "HTTP/1.1 200 OK\r\n" LATE "Content-Length: 12\r\n" CLOSE "\r\nGET /hold []");
	assert_true(half->ended);
	assert_true(held->ended);
	assert_int_equal(client_door_count(st.door), 0);
	stage_end(&st);
}

static void draining_waits_for_answers_that_are_being_taken(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	st.way->bytes_per_s = 10000;
	st.way->window = 4096;
	st.big_bytes = 300 * 1000;
	p = peer_connect(&st);
	peer_say(p, "GET /big HTTP/1.1\r\n" HOST "\r\n");
	sim_run_for(st.sim, 100);
	client_door_drain(st.door);
	sim_run_for(st.sim, 15000);
	assert_int_equal(client_door_count(st.door), 1);
	sim_run_for(st.sim, 30000);
	assert_int_equal(client_door_count(st.door), 0);
	assert_in_range(buf_len(&p->got), 300 * 1000, 300 * 1000 + 200);
	stage_end(&st);
}

static void freeing_the_door_tells_the_claimers(void **state)
{
	struct stage st;
	struct peer *held, *waiting;

	(void)state;
	stage_begin(&st, false);
	held = peer_connect(&st);
	waiting = peer_connect(&st);
	peer_say(held, HOLD);
	peer_say(waiting, "GET");
	client_door_free(st.door);
	assert_int_equal(st.asked[0].gone, 1);
	sim_run_for(st.sim, 1);
	assert_true(held->ended);
	assert_true(waiting->ended);
	st.door = client_door_create(st.server_io, &st.limits, &st.counters, &st.log, &stage_events, &st);
	client_door_listen(st.door, st.socket, NULL);
	held = peer_connect(&st);
	peer_say(held, GET);
	peer_got(held, ECHOED);
	stage_end(&st);
}

/* ---- TLS ------------------------------------------------------------------------------------ */

static void over_tls_all_is_the_same(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, true);
	p = peer_connect(&st);
	io_stream_tls(p->s, st.tls, S("a"));
	sim_run_for(st.sim, 10);
	peer_say(p, GET);
	peer_got(p, ECHOED);
	peer_say(p, GET GET);
	peer_got(p, ECHOED ECHOED);
	stage_end(&st);
}

static void a_handshake_that_fails_is_logged_and_closed(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, true);
	p = peer_connect(&st);
	peer_say(p, GET);
	sim_run_for(st.sim, 10);
	assert_int_equal(client_door_count(st.door), 0);
	assert_non_null(strstr(st.logged, " info client_tls_failed text=\"not a TLS handshake\""));
	stage_end(&st);
}

static void a_handshake_counts_as_part_of_the_header(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, true);
	peer_connect(&st);
	sim_run_until(st.sim, SIM_START_MS + 9999);
	assert_int_equal(client_door_count(st.door), 1);
	sim_run_for(st.sim, 1);
	assert_int_equal(client_door_count(st.door), 0);
	stage_end(&st);
}

static void tls_can_be_replaced_for_those_to_come(void **state)
{
	struct io_tls *newer = io_tls_server("", "", NULL, 0);
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, true);
	client_door_set_tls(st.door, newer);
	p = peer_connect(&st);
	io_stream_tls(p->s, st.tls, S("a"));
	sim_run_for(st.sim, 10);
	peer_say(p, GET);
	peer_got(p, ECHOED);
	stage_end(&st);
	io_tls_give(newer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_leaves_is_noticed_at_once),
		cmocka_unit_test(a_fin_right_behind_a_request_spares_what_is_answered_at_once),
		cmocka_unit_test(a_fin_does_not_cut_an_answer_that_is_on_its_way),
		cmocka_unit_test(a_connection_that_vanished_costs_the_idle_time),
		cmocka_unit_test(above_the_limit_one_is_told_so),
		cmocka_unit_test(the_limit_is_the_process_s_not_the_door_s),
		cmocka_unit_test(new_limits_hold_from_the_next_request),
		cmocka_unit_test(the_owner_learns_who_asks),
		cmocka_unit_test(draining_closes_who_waits_and_finishes_who_is_served),
		cmocka_unit_test(draining_waits_for_answers_that_are_being_taken),
		cmocka_unit_test(freeing_the_door_tells_the_claimers),
		cmocka_unit_test(over_tls_all_is_the_same),
		cmocka_unit_test(a_handshake_that_fails_is_logged_and_closed),
		cmocka_unit_test(a_handshake_counts_as_part_of_the_header),
		cmocka_unit_test(tls_can_be_replaced_for_those_to_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
