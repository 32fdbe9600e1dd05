/* How long, how much and how many: what a client may do to us, and what it
 * costs us meanwhile. */
#include "client_stage.h"

/* ---- time: each row says things at times, and is answered and closed at one ---------- */

struct say {
	int64_t at_ms;                /* since the connection was made */
	const char *text;
};

struct row {
	const char *sentence;
	struct say says[6];
	const char *status;           /* the last answer; "" : none */
	int64_t closed_ms;            /* since the connection was made; 0: never */
};

#define GET "GET /echo HTTP/1.1\r\n" HOST "\r\n"
#define POST "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\n"
#define POST_CHUNKED "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"

static const struct row times[] = {
	{ "who says nothing has the header's time, from the accept", { { 0, "" } }, "408", 10000 },
	{ "half a head has it from the accept too", { { 5000, "GET / HT" } }, "408", 10000 },
	{ "dripping does not stretch it",
	  { { 1000, "G" }, { 4000, "E" }, { 8000, "T" }, { 9999, " " } }, "408", 10000 },
	{ "a head just in time", { { 9000, "GET /echo HTTP/1.1\r\n" }, { 9999, HOST "\r\n" } },
	  "200", 9999 + 75000 },
	{ "a second head has its time from its first byte",
	  { { 1000, GET }, { 50000, "GET" } }, "408", 60000 },
	{ "and so a head that came in with the end of another request",
	  { { 1000, GET "GET /echo" }, { 2000, " " } }, "408", 11000 },
	{ "behind a stream the next error is well framed",
	  { { 1000, "GET /stream HTTP/1.1\r\n" HOST "\r\n" }, { 20000, "GET" } }, "408", 30000 },
	{ "an idle connection is closed without a word", { { 1000, GET } }, "200", 76000 },
	{ "each answer begins the idle time anew",
	  { { 1000, GET }, { 70000, GET }, { 140000, GET } }, "200", 215000 },
	{ "a body may pause", { { 0, POST }, { 29999, "x" }, { 59998, "y" } }, "408", 89998 },
	{ "a chunked one too",
	  { { 0, POST_CHUNKED }, { 29999, "1\r\nx" }, { 59998, "\r\n0\r" }, { 89997, "\n\r\n" } },
	  "200", 89997 + 75000 },
	{ "a body that never begins", { { 1000, POST } }, "408", 31000 },
	{ "while an answer is owed nobody is in a hurry",
	  { { 0, "GET /hold HTTP/1.1\r\n" HOST "\r\n" } }, "", 0 },
	{ "nor for what is sent behind it",
	  { { 0, "GET /hold HTTP/1.1\r\n" HOST "\r\nGET /ec" } }, "", 0 },
};

static void last_status(const struct peer *p, char out[static 4])
{
	struct slice got = buf_slice(&p->got), head = S("HTTP/1.1 ");
	size_t at;

	out[0] = '\0';
	while ((at = slice_find_slice(got, head)) != SLICE_NOT_FOUND) {
		got = slice_from(got, at + head.len);
		snprintf(out, 4, "%.3s", got.at);
	}
}

static void clients_have_so_much_time_and_no_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(times); i++) {
		const struct row *r = &times[i];
		struct stage st;
		struct peer *p;
		char status[4];
		int64_t began;

		stage_begin(&st, false);
		p = peer_connect(&st);
		began = stage_ms(&st) - 1;     /* connecting took no time */
		for (size_t j = 0; j < COUNT_OF(r->says) && r->says[j].text; j++) {
			sim_run_until(st.sim, SIM_START_MS + began + r->says[j].at_ms);
			peer_say(p, r->says[j].text);
		}
		sim_run_for(st.sim, 250000);
		last_status(p, status);
		if (strcmp(status, r->status) != 0)
			fail_msg("%s: answered %s", r->sentence, status);
		if ((p->ended ? p->ended_at - began : 0) != r->closed_ms)
			fail_msg("%s: closed at %lld", r->sentence,
				 p->ended ? (long long)(p->ended_at - began) : 0);
		stage_end(&st);
	}
}

/* ---- size -------------------------------------------------------------------------------- */

struct size_row {
	const char *sentence;
	const char *head;
	size_t more;                  /* so many 'x' follow */
	const char *end, *status;
};

static const struct size_row sizes[] = {
	{ "a head of exactly the limit", "GET /echo HTTP/1.1\r\n" HOST "X: ", 1000 - 36, "\r\n\r\n", "200" },
	{ "one byte more", "GET /echo HTTP/1.1\r\n" HOST "X: ", 1001 - 36, "\r\n\r\n", "431" },
	{ "a head without end", "GET /echo HTTP/1.1\r\n" HOST "X: ", 5000, "", "431" },
	{ "a body of exactly the limit", "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2000\r\n\r\n",
	  2000, "", "200" },
	{ "a declared body above it, refused before it comes",
	  "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2001\r\n\r\n", 0, "", "413" },
	{ "the largest length there is",
	  "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 9223372036854775807\r\n\r\n", 0, "", "413" },
	{ "a length beyond numbers",
	  "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 0, "", "400" },
	{ "a chunked body of exactly the limit", POST_CHUNKED "7d0\r\n", 2000, "\r\n0\r\n\r\n", "200" },
	{ "one byte more", POST_CHUNKED "7d1\r\n", 2001, "", "413" },
	{ "a chunk that only promises much waits for it", POST_CHUNKED "ffffff\r\n", 100, "", "" },
};

static void sizes_are_limited(void **state)
{
	static const enum sim_cuts cuts[] = { SIM_CUT_WHOLE, SIM_CUT_RANDOM, SIM_CUT_BYTES };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sizes) * COUNT_OF(cuts); i++) {
		const struct size_row *r = &sizes[i / COUNT_OF(cuts)];
		struct buf all = BUF_INIT(64 * 1024);
		struct stage st;
		struct peer *p;
		char status[4];

		stage_begin(&st, false);
		st.limits.header_bytes = 1000;
		st.limits.body_bytes = 2000;
		st.way->cuts = cuts[i % COUNT_OF(cuts)];
		buf_put(&all, slice_of(r->head));
		for (size_t j = 0; j < r->more; j++)
			buf_puts(&all, "x");
		buf_put(&all, slice_of(r->end));
		p = peer_connect(&st);
		peer_write(p, buf_slice(&all));
		sim_run_for(st.sim, 500);
		last_status(p, status);
		if (strcmp(status, r->status) != 0)
			fail_msg("%s: answered %s", r->sentence, status);
		row_holds(p->ended == (r->status[0] == '4'), r->sentence);
		row_holds(st.counters.bad_requests == (r->status[0] == '4'), r->sentence);
		buf_free(&all);
		stage_end(&st);
	}
}

static void a_large_body_grows_as_it_comes(void **state)
{
	enum { BYTES = 5 * 1024 * 1024 };
	struct buf all = BUF_INIT(2 * BYTES);
	struct client_conn *c;
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	p = peer_connect(&st);
	buf_putf(&all, "POST /hold HTTP/1.1\r\n" HOST "Content-Length: %d\r\n\r\n", BYTES);
	peer_write(p, buf_slice(&all));
	sim_run_for(st.sim, 1);
	c = stage_conn(&st);
	assert_in_range(c->body.size, 1, 1024 * 1024);    /* a promise is worth no more */
	buf_clear(&all);
	for (unsigned i = 0; i < BYTES; i++)
		buf_put(&all, (struct slice){ &"abcdefghijklmnopqrstuvw"[i % 23], 1 });
	peer_write(p, slice_sub(buf_slice(&all), 0, BYTES - 1));
	sim_run_for(st.sim, 1000);
	assert_int_equal(st.requests, 0);
	assert_in_range(c->body.size, BYTES - 1, BYTES);  /* and never more than was said */
	peer_write(p, S("!"));
	assert_int_equal(st.requests, 1);
	all.bytes[all.end - 1] = '!';
	assert_true(slice_eq(buf_slice(&st.asked[0].body), buf_slice(&all)));
	asked_answer(&st.asked[0]);
	buf_free(&all);
	sim_run_for(st.sim, 1000);
	stage_end(&st);
}

/* ---- memory -------------------------------------------------------------------------------- */

static size_t held_by(const struct client_conn *c)
{
	return c->in.size + c->head.size + c->body.size;
}

static void who_waits_holds_no_buffer(void **state)
{
	struct client_conn *c;
	struct stage st;
	struct peer *p;

	(void)state;
	assert_in_range(sizeof(struct client_conn), 1, 600);
	stage_begin(&st, false);
	p = peer_connect(&st);
	c = stage_conn(&st);
	assert_int_equal(held_by(c), 0);
	for (unsigned cuts = SIM_CUT_WHOLE; cuts <= SIM_CUT_BYTES; cuts++) {
		peer_say(p, "POST /echo HTTP/1.1\r\n" HOST "Content-Le");
		assert_true(held_by(c) > 0);
		peer_say(p, "ngth: 5\r\n\r\nhe");
		assert_true(held_by(c) > 0);
		peer_say(p, "llo");
		assert_int_equal(held_by(c), 0);
		peer_say(p, POST_CHUNKED "5\r\nhello\r\n0\r\n");
		peer_say(p, "\r\nGET");
		assert_in_range(held_by(c), 1, 1024);
		peer_say(p, " /stream HTTP/1.1\r\n" HOST "\r\n");
		assert_int_equal(held_by(c), 0);        /* an open stream, too */
		sim_run_for(st.sim, 100);
		assert_int_equal(held_by(c), 0);
	}
	stage_end(&st);
}

static void what_waits_behind_an_answer_is_bounded(void **state)
{
	struct buf all = BUF_INIT(16 * 1024 * 1024);
	struct client_conn *c;
	struct stage st;
	struct peer *p;
	unsigned count = 0;

	(void)state;
	stage_begin(&st, false);
	p = peer_connect(&st);
	peer_say(p, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
	c = st.asked[0].c;
	for (; buf_len(&all) < 1024 * 1024; count++)
		buf_puts(&all, GET);
	peer_write(p, buf_slice(&all));
	sim_run_for(st.sim, 1000);
	assert_in_range(buf_len(&c->in), CLIENT_PIPELINE_BYTES, 3 * CLIENT_PIPELINE_BYTES);
	assert_true(io_write_pending(p->s) > 0);
	asked_answer(&st.asked[0]);
	sim_run_for(st.sim, 1000);
	assert_int_equal(st.requests, 1 + count);
	assert_int_equal(held_by(c), 0);
	buf_free(&all);
	stage_end(&st);
}

/* ---- clients that do not take their answers ---------------------------------------------------- */

static void who_asks_and_never_reads_does_not_fill_our_memory(void **state)
{
	struct buf all = BUF_INIT(16 * 1024 * 1024);
	struct stage st;
	struct peer *p;
	unsigned count = 0;

	(void)state;
	stage_begin(&st, false);
	st.way->window = 32 * 1024;
	st.big_bytes = 50000;
	p = peer_connect(&st);
	io_read_pause(p->s, true);
	for (; count < 200; count++)
		buf_puts(&all, "GET /big HTTP/1.1\r\n" HOST "\r\n");
	peer_write(p, buf_slice(&all));
	sim_run_for(st.sim, 30000);
	assert_in_range(st.requests, 1, 4);
	assert_in_range(sim_count(st.sim, st.server_io).bytes_queued, 1, 200000);
	io_read_pause(p->s, false);
	sim_run_for(st.sim, 30000);
	assert_int_equal(st.requests, count);
	assert_in_range(buf_len(&p->got), count * 50000, count * 50200);
	assert_int_equal(client_door_count(st.door), 1);
	buf_free(&all);
	stage_end(&st);
}

static void a_stalled_client_is_reset(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	st.big_bytes = 1024 * 1024;
	p = peer_connect(&st);
	io_read_pause(p->s, true);
	peer_say(p, "GET /big HTTP/1.1\r\n" HOST "\r\n");
	sim_run_until(st.sim, SIM_START_MS + 1 + 59999);
	assert_int_equal(client_door_count(st.door), 1);
	sim_run_for(st.sim, 1);
	assert_int_equal(client_door_count(st.door), 0);
	sim_run_for(st.sim, 1);
	assert_true(p->broken);
	stage_end(&st);
}

static void a_claimer_is_told_that_its_client_stalled(void **state)
{
	static char bytes[300 * 1024];
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	p = peer_connect(&st);
	io_read_pause(p->s, true);
	peer_say(p, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
	sim_run_for(st.sim, 100000);     /* waiting for the owner is no stall */
	client_respond_head(st.asked[0].c, 200, NULL, 0, CLIENT_LENGTH_UNKNOWN);
	client_respond_data(st.asked[0].c, (struct slice){ bytes, sizeof bytes });
	sim_run_for(st.sim, 59999);
	assert_int_equal(st.asked[0].gone, 0);
	sim_run_for(st.sim, 1);
	assert_int_equal(st.asked[0].gone, 1);
	assert_int_equal(client_door_count(st.door), 0);
	stage_end(&st);
}

static void a_slow_reader_is_no_stalled_one(void **state)
{
	struct stage st;
	struct peer *p;

	(void)state;
	stage_begin(&st, false);
	st.way->window = 4096;
	st.way->bytes_per_s = 1000;
	st.big_bytes = 400 * 1000;
	p = peer_connect(&st);
	/* Closing behind the answer must not cut it either. */
	peer_say(p, "GET /big HTTP/1.0\r\n\r\n");
	sim_run_for(st.sim, 300000);
	assert_int_equal(client_door_count(st.door), 1);
	sim_run_for(st.sim, 200000);
	assert_true(p->ended);
	assert_false(p->broken);
	assert_in_range(buf_len(&p->got), 400 * 1000, 400 * 1000 + 200);
	assert_int_equal(client_door_count(st.door), 0);
	stage_end(&st);
}

static void a_writer_that_waits_is_told_when_to_go_on(void **state)
{
	static char bytes[100 * 1024];
	static const size_t windows[] = { 1024 * 1024, 20000 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(windows); i++) {
		struct stage st;
		struct asked *a;
		struct peer *p;

		stage_begin(&st, false);
		st.way->window = windows[i];
		p = peer_connect(&st);
		peer_say(p, "GET /hold HTTP/1.1\r\n" HOST "\r\n");
		a = &st.asked[0];
		client_respond_head(a->c, 200, NULL, 0, CLIENT_LENGTH_UNKNOWN);
		client_respond_data(a->c, (struct slice){ bytes, sizeof bytes });
		assert_in_range(client_pending(a->c), sizeof bytes, sizeof bytes + 300);
		assert_int_equal(a->drained, 0);        /* never before it has returned */
		/* Whether the kernel took it all at the end of the turn or piece by piece. */
		sim_run_for(st.sim, 1000);
		assert_int_equal(a->drained, 1);
		assert_int_equal(client_pending(a->c), 0);
		client_respond_data(a->c, S("little"));
		sim_run_for(st.sim, 1000);
		assert_int_equal(a->drained, 1);
		client_respond_end(asked_take(a));
		stage_end(&st);
	}
}

static void one_slow_client_holds_nobody_else_up(void **state)
{
	struct stage st;
	struct peer *slow, *quick;

	(void)state;
	stage_begin(&st, false);
	st.big_bytes = 1024 * 1024;
	slow = peer_connect(&st);
	io_read_pause(slow->s, true);
	peer_say(slow, "GET /big HTTP/1.1\r\n" HOST "\r\n");
	peer_say(peer_connect(&st), "GET /ec");
	peer_say(peer_connect(&st), POST "half a bo");
	quick = peer_connect(&st);
	for (unsigned i = 0; i < 100; i++) {
		peer_say(quick, GET);
		assert_true(buf_len(&quick->got) > 0);
		buf_clear(&quick->got);
	}
	stage_end(&st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_have_so_much_time_and_no_more),
		cmocka_unit_test(sizes_are_limited),
		cmocka_unit_test(a_large_body_grows_as_it_comes),
		cmocka_unit_test(who_waits_holds_no_buffer),
		cmocka_unit_test(what_waits_behind_an_answer_is_bounded),
		cmocka_unit_test(who_asks_and_never_reads_does_not_fill_our_memory),
		cmocka_unit_test(a_stalled_client_is_reset),
		cmocka_unit_test(a_claimer_is_told_that_its_client_stalled),
		cmocka_unit_test(a_slow_reader_is_no_stalled_one),
		cmocka_unit_test(a_writer_that_waits_is_told_when_to_go_on),
		cmocka_unit_test(one_slow_client_holds_nobody_else_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
