/* Which connections wait for another request, for how long, and which do not. */
#include "upstream_stage.h"

#include "base/log.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/* `count` calls at once, each on its own connection, all answered. */
static void fill(struct stage *st, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		stage_reply(st, S(OK_HELLO), KEEP);
		stage_start(st);
	}
	sim_run_for(st->sim, 100);
	assert_null(st->call);
}

/* One call over a connection that was there. */
static void call_reused(struct stage *st, bool reused)
{
	st->story[0] = '\0';
	stage_reply(st, S(OK_HELLO), KEEP);
	stage_start(st);
	sim_run_for(st->sim, 100);
	assert_string_equal(st->story, reused ? "reused 200 'hello' end" : "fresh 200 'hello' end");
}

static void test_idle_age(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	st.origin.idle_ms = 10000;
	fill(&st, 1);
	sim_run_for(st.sim, 9000);
	call_reused(&st, true);
	sim_run_for(st.sim, 9800);
	assert_int_equal(stage_idle(&st), 1);
	sim_run_for(st.sim, 300);
	assert_int_equal(stage_idle(&st), 0);
	assert_true(st.seats[0].heard_end);
	/* Nothing is kept of an origin without connections, no timer either. */
	assert_int_equal(sim_count(st.sim, st.io).timers, 0);
	call_reused(&st, false);
	stage_end(&st);
}

static void test_newest_first(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	st.origin.idle_ms = 1000;
	fill(&st, 4);
	assert_int_equal(stage_idle(&st), 4);
	for (int i = 0; i < 15; i++)
		call_reused(&st, true);
	/* The one in use stays, those behind it have grown old. */
	assert_int_equal(stage_idle(&st), 1);
	assert_int_equal(upstream_pool_counters(st.pool)->reuses, 15);
	assert_int_equal(upstream_pool_counters(st.pool)->connects, 4);
	stage_end(&st);
}

static void test_idle_max(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	st.origin.idle_max = 2;
	fill(&st, 5);
	assert_int_equal(stage_idle(&st), 2);
	assert_int_equal(upstream_pool_counters(st.pool)->open, 2);
	st.origin.idle_max = 0;
	stage_end(&st);
	stage_begin(&st, 1);
	st.origin.idle_max = 0;
	fill(&st, 1);
	assert_int_equal(stage_idle(&st), 0);
	stage_end(&st);
}

static void test_what_ends_idle_connections(void **state)
{
	static const struct {
		const char *sentence;
		enum { FINISH, BREAK, JUNK, FLUSH } what;
		unsigned junk;
	} rows[] = {
		{ "N08: a FIN on an idle connection is heard", FINISH, 0 },
		{ "N08: so is an RST", BREAK, 0 },
		{ "N16: bytes nobody asked for are never the next answer", JUNK, 1 },
		{ "a flush closes them all", FLUSH, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		struct stage st;

		stage_begin(&st, 1);
		fill(&st, 1);
		switch (rows[i].what) {
		case FINISH:
			io_stream_finish(st.seats[0].s);
			break;
		case BREAK:
			sim_strike(st.sim, NULL, SIM_STRIKE_RESET, 0, 0);
			break;
		case JUNK:
			sim_junk(st.sim, NULL, S("HTTP/1.1 408 Request Timeout\r\n\r\n"), 0);
			break;
		case FLUSH:
			upstream_pool_flush(st.pool);
			break;
		}
		sim_run_for(st.sim, 100);
		row_holds(stage_idle(&st) == 0, rows[i].sentence);
		row_holds(upstream_pool_counters(st.pool)->open == 0, rows[i].sentence);
		row_holds(upstream_pool_counters(st.pool)->junk_discards == rows[i].junk,
			  rows[i].sentence);
		call_reused(&st, false);
		row_holds(upstream_pool_counters(st.pool)->stale_replays == 0, rows[i].sentence);
		stage_end(&st);
	}
}

/* N08 and N16 at their worst: the news arrives at any moment around the start
 * of a call. Whatever the moment, there is one right answer. */
static void test_races(void **state)
{
	(void)state;
	for (unsigned what = 0; what < 3; what++) {
		for (int64_t wait_ms = 0; wait_ms < 20; wait_ms++) {
			struct stage st;

			stage_begin(&st, (uint64_t)wait_ms + 1);
			sim_set_turn_max(st.sim, 4);
			fill(&st, 1);
			if (what == 0)
				sim_strike(st.sim, NULL, SIM_STRIKE_CUT, 0, 0);
			else if (what == 1)
				sim_strike(st.sim, NULL, SIM_STRIKE_RESET, 0, 0);
			else
				io_close(st.seats[0].s, IO_CLOSE_FLUSH);
			if (what == 2)
				st.seats[0].s = NULL;
			sim_run_for(st.sim, wait_ms);
			st.story[0] = '\0';
			stage_reply(&st, S(OK_HELLO), KEEP);
			stage_start(&st);
			sim_run_for(st.sim, 1000);
			if (strcmp(st.story, "reused fresh 200 'hello' end") != 0 &&
			    strcmp(st.story, "fresh 200 'hello' end") != 0)
				fail_msg("after %lld ms: %s", (long long)wait_ms, st.story);
			stage_end(&st);
		}
	}
}

static void test_fresh_only(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	fill(&st, 1);
	st.request.fresh = true;
	call_reused(&st, false);
	assert_int_equal(stage_idle(&st), 2);
	stage_end(&st);
}

static void test_keys(void **state)
{
	struct origin other;
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	fill(&st, 1);
	other = st.origin;
	st.origin.key = S("http://b.test:80 other TLS");
	call_reused(&st, false);
	/* Equal keys share, whatever struct they are in. */
	st.origin = other;
	call_reused(&st, true);
	stage_end(&st);
}

/* ---- N05 -------------------------------------------------------------------------------- */

static void test_address_leaves(void **state)
{
	struct io_addr at = sim_addr("10.1.0.2:80");
	struct io_socket *socket = io_socket_open(&at, NULL, 0);
	struct sim_host *h;
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	h = sim_host(st.sim, "b.test");
	h->ttl_ms = 20000;
	io_listen(st.server_io, socket, NULL, stage_on_accept, &st);
	fill(&st, 3);
	h->count = 0;
	sim_host_add(st.sim, "b.test", "10.1.0.2");
	/* Within the TTL nothing is known of it. */
	sim_run_for(st.sim, 15000);
	call_reused(&st, true);
	assert_int_equal(stage_idle(&st), 3);
	/* Behind it, the next call asks in the background, and the old ones go. */
	sim_run_for(st.sim, 10000);
	call_reused(&st, true);
	assert_int_equal(stage_idle(&st), 0);
	assert_int_equal(upstream_pool_counters(st.pool)->open, 0);
	call_reused(&st, false);
	assert_int_equal(sim_link_to(st.sim, &at)->connects, 1);
	/* While DNS fails, nothing is thrown away. */
	h->fails = "SERVFAIL";
	sim_run_for(st.sim, 30000);
	call_reused(&st, true);
	call_reused(&st, true);
	stage_end(&st);
	io_socket_close(socket);
}

/* ---- many ----------------------------------------------------------------------------------- */

/* A backend that fails in every way by chance: each call ends exactly once, and
 * nothing is left over. */
static void test_many(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct stage st;

		stage_begin(&st, seed);
		sim_set_turn_max(st.sim, 3);
		st.way->cuts = SIM_CUT_RANDOM;
		for (unsigned i = 0; i < REPLIES - 2; i++) {
			static const struct reply ways[] = {
				{ .bytes = S_INIT(OK_HELLO), .after = KEEP },
				{ .bytes = S_INIT(OK_HELLO), .after = CLOSE },
				{ .bytes = S_INIT(OK_HELLO), .after = FIN },
				{ .bytes = S_INIT("HTTP/1.1 200 OK\r\n"), .after = CLOSE },
				{ .bytes = S_INIT(""), .after = RESET },
				{ .bytes = S_INIT(OK_HELLO "junk"), .after = KEEP },
			};

			st.replies[st.reply_count++] = ways[sim_chance(st.sim, COUNT_OF(ways))];
		}
		st.calls_left = 9;
		stage_start(&st);
		sim_run_for(st.sim, 20000);
		assert_null(st.call);
		assert_int_equal(st.calls_left, 0);
		assert_int_equal(upstream_pool_counters(st.pool)->open, stage_idle(&st));
		stage_end(&st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_age),
		cmocka_unit_test(test_newest_first),
		cmocka_unit_test(test_idle_max),
		cmocka_unit_test(test_what_ends_idle_connections),
		cmocka_unit_test(test_races),
		cmocka_unit_test(test_fresh_only),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_address_leaves),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
