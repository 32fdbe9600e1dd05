/* What the owner of a call may do meanwhile: pause, cancel, release, start
 * another, inside any handler. */
#include "upstream_stage.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define PIECES CHUNKED "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"

static void pause(struct stage *st) { upstream_pause(st->call, true); }
static void pause_and_go_on(struct stage *st)
{
	upstream_pause(st->call, true);
	upstream_pause(st->call, false);
}
static void cancel(struct stage *st)
{
	struct upstream_call *call = st->call;

	st->call = NULL;
	say(st, "cancelled");
	upstream_cancel(call);
}
static void cancel_and_start(struct stage *st)
{
	st->on_head = st->on_body = NULL;
	cancel(st);
	stage_start(st);
}
static void release(struct stage *st)
{
	struct upstream_call *call = st->call;

	st->call = NULL;
	say(st, "released");
	upstream_release(call);
}
static void release_and_start(struct stage *st)
{
	st->on_body = NULL;
	release(st);
	stage_start(st);
}

/* ---- pausing ------------------------------------------------------------------------- */

/* Each pause is taken back 100 ms later, until the call is over. */
static void pump(struct stage *st)
{
	for (int i = 0; i < 200 && st->call; i++) {
		sim_run_for(st->sim, 100);
		if (st->call)
			upstream_pause(st->call, false);
	}
	sim_run_for(st->sim, 100);
	assert_null(st->call);
}

static void test_pause(void **state)
{
	static const struct {
		const char *sentence, *text;
		enum after after;
		void (*on_head)(struct stage *st), (*on_body)(struct stage *st);
		const char *story;
	} rows[] = {
		{ "paused at each piece, each piece comes by itself", PIECES, KEEP, NULL, pause,
		  "@11 fresh @21 200 @21 'one' @100 'two' @200 'three' @300 end" },
		{ "paused at the head, the body waits", PIECES, KEEP, pause, NULL,
		  "@11 fresh @21 200 @100 'one' @100 'two' @100 'three' @100 end" },
		{ "paused at the last piece, the end waits", OK_HELLO, KEEP, NULL, pause,
		  "@11 fresh @21 200 @21 'hello' @100 end" },
		{ "paused at a head without a body, the end waits",
		  "HTTP/1.1 204 No\r\n\r\n", KEEP, pause, NULL, "@11 fresh @21 204 @100 end" },
		{ "a pause taken back at once is none", PIECES, KEEP, NULL, pause_and_go_on,
		  "@11 fresh @21 200 @21 'one' @21 'two' @21 'three' @21 end" },
		{ "a cut behind unread pieces is told behind them", CHUNKED "3\r\none\r\n3\r\ntwo\r\n",
		  CLOSE, NULL, pause,
		  "@11 fresh @21 200 @21 'one' @100 'two' @200 fault cut: the connection was closed "
		  "after 6 bytes of the body, before its last chunk" },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		struct stage st;

		stage_begin(&st, 1);
		st.timed = true;
		st.on_head = rows[i].on_head;
		st.on_body = rows[i].on_body;
		stage_reply(&st, slice_of(rows[i].text), rows[i].after);
		stage_start(&st);
		pump(&st);
		if (strcmp(st.story, rows[i].story) != 0)
			fail_msg("%s:\n  told %s\n  not  %s", rows[i].sentence, st.story,
				 rows[i].story);
		assert_int_equal(stage_idle(&st), rows[i].after == KEEP);
		stage_end(&st);
	}
}

static void test_pause_while_decompressing(void **state)
{
	/* 40,000 times 'a' in gzip. */
	static const char packed[] =
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xed\xc1\x31\x01\x00\x00\x00\xc2\xa0\xac"
		"\xeb\x5f\xc2\xcb\x16\x40\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		"\x00\x00\x00\x00\x00\x37\xf7\xb8\xdd\xf3\x40\x9c\x00\x00";
	struct buf answer = BUF_INIT(1000);
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	st.on_body = pause;
	buf_putf(&answer, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n",
		 sizeof packed - 1);
	buf_put(&answer, (struct slice){ packed, sizeof packed - 1 });
	stage_reply(&st, buf_slice(&answer), KEEP);
	stage_start(&st);
	sim_run_for(st.sim, 100);
	/* A few bytes may become many: those wait too. */
	assert_int_equal(st.body_bytes, 16384);
	upstream_pause(st.call, false);
	sim_run_for(st.sim, 100);
	assert_int_equal(st.body_bytes, 2 * 16384);
	pump(&st);
	assert_int_equal(st.body_bytes, 40000);
	assert_int_equal(stage_idle(&st), 1);
	stage_end(&st);
	buf_free(&answer);
}

static void test_pause_stops_the_backend(void **state)
{
	static char bytes[1 << 20];
	struct buf answer = BUF_INIT(2 << 20);
	struct stage st;

	(void)state;
	memset(bytes, 'x', sizeof bytes);
	buf_putf(&answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", sizeof bytes);
	buf_put(&answer, (struct slice){ bytes, sizeof bytes });
	stage_begin(&st, 1);
	st.request.body_max = 2 << 20;
	st.on_head = pause;
	stage_reply(&st, buf_slice(&answer), KEEP);
	stage_start(&st);
	sim_run_for(st.sim, 60000);
	assert_int_equal(st.body_bytes, 0);
	assert_true(sim_count(st.sim, st.server_io).bytes_queued > sizeof bytes / 2);
	upstream_pause(st.call, false);
	sim_run_for(st.sim, 60000);
	assert_int_equal(st.body_bytes, sizeof bytes);
	assert_null(st.call);
	stage_end(&st);
	buf_free(&answer);
}

static void test_pause_then_reset(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	st.on_body = pause;
	stage_reply(&st, S(CHUNKED "3\r\none\r\n3\r\ntwo\r\n"), KEEP);
	stage_start(&st);
	sim_run_for(st.sim, 100);
	assert_string_equal(st.story, "fresh 200 'one");
	sim_strike(st.sim, NULL, SIM_STRIKE_RESET, 0, 0);
	sim_run_for(st.sim, 100);
	/* What came before the reset comes before its news. */
	assert_string_equal(st.story, "fresh 200 'one");
	st.on_body = NULL;
	upstream_pause(st.call, false);
	sim_run_for(st.sim, 100);
	assert_string_equal(st.story, "fresh 200 'onetwo' fault cut: the connection broke (connection "
				      "reset by peer) after 6 bytes of the body, before its last chunk");
	stage_end(&st);
}

static void test_pause_before_the_connection(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	stage_reply(&st, S(OK_HELLO), KEEP);
	stage_start(&st);
	upstream_pause(st.call, true);
	sim_run_for(st.sim, 1000);
	assert_string_equal(st.story, "fresh");
	upstream_pause(st.call, false);
	sim_run_for(st.sim, 1000);
	assert_string_equal(st.story, "fresh 200 'hello' end");
	assert_int_equal(stage_idle(&st), 1);
	stage_end(&st);
}

/* ---- leaving --------------------------------------------------------------------------- */

static void test_cancel(void **state)
{
	static const struct {
		const char *sentence;
		void (*on_head)(struct stage *st), (*on_body)(struct stage *st);
		const char *story;
		unsigned connections;
	} rows[] = {
		{ "at the head", cancel, NULL, "fresh 200 cancelled", 1 },
		{ "in the body", NULL, cancel, "fresh 200 'one' cancelled", 1 },
		{ "and another started at the head", cancel_and_start, NULL,
		  "fresh 200 cancelled fresh 200 'onetwothree' end", 2 },
		{ "and another started in the body", NULL, cancel_and_start,
		  "fresh 200 'one' cancelled fresh 200 'onetwothree' end", 2 },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		struct stage st;

		stage_begin(&st, 1);
		st.on_head = rows[i].on_head;
		st.on_body = rows[i].on_body;
		stage_reply(&st, S(PIECES), KEEP);
		stage_reply(&st, S(PIECES), KEEP);
		stage_start(&st);
		sim_run_for(st.sim, 1000);
		if (strcmp(st.story, rows[i].story) != 0)
			fail_msg("%s:\n  told %s\n  not  %s", rows[i].sentence, st.story,
				 rows[i].story);
		/* The backend hears of it and stops working. */
		assert_true(st.seats[0].heard_reset);
		assert_int_equal(st.seat_count, rows[i].connections);
		assert_int_equal(stage_idle(&st), rows[i].connections - 1);
		stage_end(&st);
	}
}

static void test_cancel_a_waiting_reuse(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	stage_reply(&st, S(OK_HELLO), KEEP);
	stage_start(&st);
	sim_run_for(st.sim, 1000);
	/* In the very turn it was started in, before on_connected. */
	stage_start(&st);
	upstream_cancel(st.call);
	st.call = NULL;
	sim_run_for(st.sim, 1000);
	assert_string_equal(st.story, "fresh 200 'hello' end");
	assert_int_equal(upstream_pool_counters(st.pool)->open, 0);
	stage_end(&st);
}

static void test_release(void **state)
{
	static char much[100000];
	static const struct {
		const char *sentence, *text;
		enum after after;
		void (*on_head)(struct stage *st), (*on_body)(struct stage *st);
		const char *story;
		unsigned idle_100ms, idle_2s;
	} rows[] = {
		{ "E14: the rest of a body is swallowed and the connection kept", PIECES, KEEP, NULL,
		  release, "fresh 200 'one' released", 1, 1 },
		{ "E15: what came behind [DONE] is nobody's", PIECES, KEEP, release, NULL,
		  "fresh 200 released", 1, 1 },
		{ "a call started inside goes over another connection, at once", PIECES, KEEP, NULL,
		  release_and_start, "fresh 200 'one' released fresh 200 'onetwothree' end", 2, 2 },
		{ "E14: a body that does not end is waited for a second, no longer",
		  CHUNKED "3\r\none\r\n", KEEP, NULL, release, "fresh 200 'one' released", 0, 0 },
		{ "a body until close is not waited for", "HTTP/1.1 200 OK\r\n\r\none", KEEP, NULL,
		  release, "fresh 200 'one' released", 0, 0 },
		{ "nor one after which the backend closes",
		  "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\none", KEEP, NULL,
		  release, "fresh 200 'one' released", 0, 0 },
		{ "a cut is told to nobody", CHUNKED "3\r\none\r\n", CLOSE, NULL, release,
		  "fresh 200 'one' released", 0, 0 },
		{ "no more than 64 KiB are swallowed", much, KEEP, release, NULL,
		  "fresh 200 released", 0, 0 },
	};

	(void)state;
	memset(much, 'x', sizeof much - 1);
	memcpy(much, "HTTP/1.1 200 OK\r\nContent-Length: 99957\r\n\r\n", 42);
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		struct stage st;

		stage_begin(&st, 1);
		st.on_head = rows[i].on_head;
		st.on_body = rows[i].on_body;
		stage_reply(&st, slice_of(rows[i].text), rows[i].after);
		stage_reply(&st, S(PIECES), KEEP);
		stage_start(&st);
		sim_run_for(st.sim, 100);
		row_holds(stage_idle(&st) == rows[i].idle_100ms, rows[i].sentence);
		sim_run_for(st.sim, 2000);
		row_holds(stage_idle(&st) == rows[i].idle_2s, rows[i].sentence);
		row_holds(upstream_pool_counters(st.pool)->open == rows[i].idle_2s,
			  rows[i].sentence);
		if (strcmp(st.story, rows[i].story) != 0)
			fail_msg("%s:\n  told %s\n  not  %s", rows[i].sentence, st.story,
				 rows[i].story);
		stage_end(&st);
	}
}

static void test_release_then_free_the_pool(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	st.on_body = release;
	stage_reply(&st, S(CHUNKED "3\r\none\r\n"), KEEP);
	stage_start(&st);
	sim_run_for(st.sim, 100);
	assert_int_equal(upstream_pool_counters(st.pool)->open, 1);
	stage_end(&st);
}

/* After a release the request's memory is its owner's again. */
static void test_release_borrows_nothing(void **state)
{
	struct stage st;

	(void)state;
	stage_begin(&st, 1);
	st.on_body = release;
	stage_reply(&st, S(CHUNKED "3\r\none\r\n"), KEEP);
	stage_start(&st);
	sim_run_for(st.sim, 50);
	memset(&st.request, 0xee, sizeof st.request);
	memset(&st.origin, 0xee, sizeof st.origin);
	sim_strike(st.sim, NULL, SIM_STRIKE_RESET, 0, 0);
	sim_run_for(st.sim, 2000);
	assert_int_equal(upstream_pool_counters(st.pool)->open, 0);
	stage_end(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_pause_while_decompressing),
		cmocka_unit_test(test_pause_stops_the_backend),
		cmocka_unit_test(test_pause_then_reset),
		cmocka_unit_test(test_pause_before_the_connection),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_cancel_a_waiting_reuse),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_release_then_free_the_pool),
		cmocka_unit_test(test_release_borrows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
