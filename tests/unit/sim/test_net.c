/* What befalls streams in the simulated network, and when. */
#include "peer.h"

/* ---- one blow a row ------------------------------------------------------------- */

struct row {
	const char *name;
	void (*before)(struct pair *w);
	void (*at_20ms)(struct pair *w);      /* connected since 10 ms, accepted at 15 ms */
	void (*at_100ms)(struct pair *w);
	const char *client, *server;
};

static void refuse(struct pair *w) { w->way->connect = SIM_CONNECT_REFUSE; }
static void refuse_once(struct pair *w)
{
	w->way->connect = SIM_CONNECT_REFUSE;
	w->way->connect_count = 1;
}
static void blackhole(struct pair *w) { w->way->connect = SIM_CONNECT_BLACKHOLE; }
static void unreachable(struct pair *w) { w->way->connect = SIM_CONNECT_UNREACHABLE; }
static void local(struct pair *w) { w->way->connect = SIM_CONNECT_LOCAL; }
static void no_listener(struct pair *w)
{
	io_listener_close(w->listener);
	w->listener = NULL;
}
static void full_table(struct pair *w)
{
	sim_io_set_streams_max(w->client_io, 1);
	w->client.s = io_connect(w->client_io, &w->at, &peer_events, &w->client);
}
static void slow_line(struct pair *w) { w->way->bytes_per_s = 1000; }
static void idle_60ms(struct pair *w) { w->way->idle_close_ms = 60; }
static void gives_up(struct pair *w) { w->way->give_up_ms = 50; }
static void plan(struct pair *w, enum sim_strike strike, enum sim_direction to, uint64_t after)
{
	sim_link_plan(w->way, (struct sim_plan){ strike, to, after, 50, -1 });
}
static void cut_answer_at_3(struct pair *w) { plan(w, SIM_STRIKE_CUT, SIM_TO_CLIENT, 3); }
static void reset_answer_at_3(struct pair *w) { plan(w, SIM_STRIKE_RESET, SIM_TO_CLIENT, 3); }
static void vanish_at_3(struct pair *w) { plan(w, SIM_STRIKE_VANISH, SIM_TO_CLIENT, 3); }
static void stall_at_3(struct pair *w) { plan(w, SIM_STRIKE_STALL, SIM_TO_CLIENT, 3); }
static void reset_request_at_0(struct pair *w) { plan(w, SIM_STRIKE_RESET, SIM_TO_SERVER, 0); }
static void reset_at_5_exactly(struct pair *w) { plan(w, SIM_STRIKE_RESET, SIM_TO_CLIENT, 5); }

static void ask(struct pair *w) { peer_write(&w->client, "hello"); }
static void answer(struct pair *w) { peer_write(&w->server, "world"); }
static void answer_and_finish(struct pair *w)
{
	peer_write(&w->server, "world");
	io_stream_finish(w->server.s);
}
static void client_flushes(struct pair *w)
{
	peer_write(&w->client, "bye");
	peer_close(&w->client, IO_CLOSE_FLUSH);
}
static void client_drops(struct pair *w)
{
	peer_write(&w->client, "bye");
	peer_close(&w->client, IO_CLOSE_NOW);
}
static void client_resets(struct pair *w) { peer_close(&w->client, IO_CLOSE_RESET); }
static void server_leaves(struct pair *w) { peer_close(&w->server, IO_CLOSE_NOW); }
static void reset_all(struct pair *w)
{
	assert_int_equal(sim_strike(w->sim, &w->at, SIM_STRIKE_RESET, 0, 0), 1);
}
static void vanish_all(struct pair *w)
{
	assert_int_equal(sim_strike(w->sim, NULL, SIM_STRIKE_VANISH, 0, 0), 1);
}
static void stall_all(struct pair *w) { sim_strike(w->sim, &w->at, SIM_STRIKE_STALL, 0, 200); }
static void close_idle(struct pair *w)
{
	assert_int_equal(sim_strike(w->sim, &w->at, SIM_STRIKE_CUT, 1000, 0), 0);
	assert_int_equal(sim_strike(w->sim, &w->at, SIM_STRIKE_CUT, 10, 0), 1);
}
static void junk(struct pair *w)
{
	assert_int_equal(sim_junk(w->sim, &w->at, S("408 !"), 10), 1);
}
static void pause_client(struct pair *w)
{
	io_read_pause(w->client.s, true);
	peer_write(&w->server, "world");
}
static void resume_client(struct pair *w) { io_read_pause(w->client.s, false); }
static void nobody_waits(struct pair *w) { (void)w; }

static const struct row rows[] = {
	{ "a connection stands after one round trip, is accepted half a trip later",
	  NULL, NULL, NULL, "open@10", "accepted@15" },
	{ "bytes take one way", NULL, ask, answer, "open@10 data(5)@105", "accepted@15 data(5)@25" },
	{ "bandwidth adds 1 ms a byte", slow_line, ask, NULL, "open@10", "accepted@15 data(5)@30" },
	{ "FIN comes behind the bytes", NULL, answer_and_finish, ask,
	  "open@10 data(5)@25 end@25", "accepted@15 data(5)@105" },

	{ "refused after a round trip", refuse, NULL, NULL, "refused@10", "" },
	{ "nobody listens: refused too", no_listener, NULL, NULL, "refused@10", "" },
	{ "a refusal that holds for one SYN", refuse_once, NULL, NULL, "refused@10", "" },
	{ "a SYN into the void: nothing is told", blackhole, NULL, NULL, "", "" },
	{ "no route", unreachable, NULL, NULL, "unreachable@5", "" },
	{ "no local port", local, NULL, NULL, "local@0", "" },

	{ "FLUSH says the last words, then FIN", NULL, client_flushes, NULL,
	  "open@10", "accepted@15 data(3)@25 end@25" },
	{ "NOW drops them and says FIN", NULL, client_drops, NULL, "open@10", "accepted@15 end@25" },
	{ "RESET is seen as a reset", NULL, client_resets, NULL, "open@10", "accepted@15 reset@25" },
	{ "writing to one who has closed comes back as a reset", NULL, server_leaves, ask,
	  "open@10 end@25 reset@110", "accepted@15" },

	{ "the answer is cut after 3 bytes: FIN here, RST there", cut_answer_at_3, ask, answer,
	  "open@10 data(3)@105 end@105", "accepted@15 data(5)@25 reset@105" },
	{ "the answer is reset after 3 bytes", reset_answer_at_3, ask, answer,
	  "open@10 data(3)@105 reset@105", "accepted@15 data(5)@25 reset@105" },
	{ "the server vanishes after 3 bytes: nobody is told", vanish_at_3, ask, answer,
	  "open@10 data(3)@105", "accepted@15 data(5)@25" },
	{ "a stall holds the rest for 50 ms", stall_at_3, ask, answer,
	  "open@10 data(3)@105 data(2)@150", "accepted@15 data(5)@25" },
	{ "the request is reset before its first byte", reset_request_at_0, ask, NULL,
	  "open@10 reset@25", "accepted@15 reset@25" },
	{ "a blow after exactly the answer's bytes waits for the FIN", reset_at_5_exactly, answer,
	  NULL, "open@10 data(5)@25", "accepted@15" },
	{ "... and strikes with it", reset_at_5_exactly, answer_and_finish, NULL,
	  "open@10 data(5)@25 reset@25", "accepted@15 reset@25" },

	{ "all are reset", NULL, reset_all, NULL, "open@10 reset@25", "accepted@15 reset@25" },
	{ "all vanish: bytes are swallowed", NULL, vanish_all, ask, "open@10", "accepted@15" },
	{ "... until the kernel gives up, where it does", gives_up, vanish_all, NULL,
	  "open@10 timed-out@70", "accepted@15 timed-out@70" },
	{ "all stall", NULL, stall_all, ask, "open@10", "accepted@15 data(5)@220" },
	{ "idle ones are closed on the way, which the next request finds out", NULL, ask, close_idle,
	  "open@10 end@105", "accepted@15 data(5)@25 end@105" },
	{ "a middlebox closes what has been silent for 60 ms", idle_60ms, ask, NULL,
	  "open@10 end@90", "accepted@15 data(5)@25 end@90" },
	{ "junk on an idle connection", NULL, NULL, junk, "open@10 data(5)@105", "accepted@15" },

	{ "a paused reader gets its bytes when it goes on", NULL, pause_client, resume_client,
	  "open@10 data(5)@100", "accepted@15" },
	{ "a paused reader learns of a reset", NULL, pause_client, reset_all,
	  "open@10 reset@105", "accepted@15 reset@105" },
	{ "a paused reader does not learn of the end", NULL, pause_client, server_leaves,
	  "open@10", "accepted@15" },
	{ "no descriptor left", full_table, nobody_waits, NULL, "", "" },
};

static void run_row(const struct row *row)
{
	struct pair w;

	pair_begin(&w, 7);
	if (row->before == full_table) {
		full_table(&w);
		sim_run_for(w.sim, 20);
		struct peer second = { .io = w.client_io, .got = BUF_INIT(64) };
		second.s = io_connect(w.client_io, &w.at, &peer_events, &second);
		sim_run_for(w.sim, 1);
		assert_string_equal(second.story, "local@20");
		peer_close(&second, IO_CLOSE_NOW);
		pair_end(&w);
		return;
	}
	if (row->before)
		row->before(&w);
	pair_connect(&w);
	sim_run_for(w.sim, 20);
	if (row->at_20ms)
		row->at_20ms(&w);
	sim_run_for(w.sim, 80);
	if (row->at_100ms)
		row->at_100ms(&w);
	sim_run_for(w.sim, 900);
	if (strcmp(w.client.story, row->client) || strcmp(w.server.story, row->server)) {
		print_error("%s\n", row->name);
		sim_trace_tail(w.sim, stderr, 50);
	}
	assert_string_equal(w.client.story, row->client);
	assert_string_equal(w.server.story, row->server);
	pair_end(&w);
}

static void each_blow(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		run_row(&rows[i]);
}

/* ---- TLS ------------------------------------------------------------------------- */

struct tls_row {
	const char *name;
	bool server_speaks, client_speaks, tunnel;
	enum sim_tls fate;
	const char *client, *server;
};

static const struct tls_row tls_rows[] = {
	{ "a handshake takes one round trip", true, true, false, SIM_TLS_OK,
	  "open@10 open@30 data(5)@60", "accepted@15 data(5)@55" },
	{ "a certificate that does not fit", true, true, false, SIM_TLS_FAIL,
	  "open@10 tls-failed@30", "accepted@15 tls-failed@35" },
	{ "a handshake that stalls", true, true, false, SIM_TLS_STALL,
	  "open@10", "accepted@15" },
	{ "TLS to a plain server", false, true, false, SIM_TLS_OK,
	  "open@10 tls-failed@30", "accepted@15" },
	{ "TLS through a tunnel", false, true, true, SIM_TLS_OK,
	  "open@10 open@30 data(5)@60", "accepted@15 data(5)@55" },
	{ "plain words to a TLS server", true, false, false, SIM_TLS_OK,
	  "open@10", "accepted@15 tls-failed@55" },
};

static void run_tls_row(const struct tls_row *row)
{
	struct io_tls *tls = io_tls_client(&(struct io_tls_client_options){ 0 }, NULL, 0);
	struct pair w;

	pair_begin(&w, 7);
	w.way->tls = row->fate;
	w.way->tunnel = row->tunnel;
	w.server.echo = true;
	if (row->server_speaks)
		io_listener_set_tls(w.listener, tls);
	pair_connect(&w);
	sim_run_for(w.sim, 20);
	if (row->client_speaks)
		io_stream_tls(w.client.s, tls, S("api.example"));
	sim_run_for(w.sim, 30);
	peer_write(&w.client, "hello");
	sim_run_for(w.sim, 500);
	if (strcmp(w.client.story, row->client) || strcmp(w.server.story, row->server))
		print_error("%s\n", row->name);
	assert_string_equal(w.client.story, row->client);
	assert_string_equal(w.server.story, row->server);
	pair_end(&w);
	io_tls_give(tls);
}

static void each_handshake(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(tls_rows); i++)
		run_tls_row(&tls_rows[i]);
}

/* ---- bytes ------------------------------------------------------------------------ */

static void fill(char *at, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (char)((i * 31 + seed + i / 251) & 0xff);
}

static void fragments_add_up_to_the_same_bytes(void **state)
{
	static char sent[20000];

	(void)state;
	fill(sent, sizeof sent, 3);
	for (int cuts = SIM_CUT_WHOLE; cuts <= SIM_CUT_BYTES; cuts++) {
		for (uint64_t seed = 1; seed <= 10; seed++) {
			struct slice s = { sent, sizeof sent };
			struct pair w;

			pair_begin(&w, seed);
			w.way->cuts = (enum sim_cuts)cuts;
			w.way->jitter_us = 3000;
			w.way->window = 1000 + seed * 700;
			w.server.echo = true;
			w.server.no_data_story = w.client.no_data_story = true;
			sim_set_turn_max(w.sim, 1 + (unsigned)(seed % 4));
			pair_connect(&w);
			for (size_t at = 0; at < s.len; at += 5000) {
				io_write(w.client.s, &(struct slice){ s.at + at, 5000 }, 1);
				sim_run_for(w.sim, 3);
			}
			sim_run_for(w.sim, 3000);
			assert_int_equal(buf_len(&w.client.got), s.len);
			assert_true(slice_eq(buf_slice(&w.client.got), s));
			pair_end(&w);
		}
	}
}

static void a_reader_that_pauses_holds_the_writer_up(void **state)
{
	static char bytes[300000];
	struct slice s = { bytes, sizeof bytes };
	struct pair w;

	(void)state;
	pair_begin(&w, 1);
	w.way->window = 100000;
	w.client.no_data_story = true;
	pair_connect(&w);
	sim_run_for(w.sim, 20);
	io_read_pause(w.client.s, true);
	io_write(w.server.s, &s, 1);
	assert_int_equal(io_write_pending(w.server.s), 300000);
	sim_run_for(w.sim, 1000);
	assert_int_equal(io_write_pending(w.server.s), 200000);
	assert_int_equal(sim_count(w.sim, NULL).bytes_queued, 200000);
	assert_int_equal(sim_queued_max(w.sim), 300000);
	assert_int_equal(buf_len(&w.client.got), 0);
	io_read_pause(w.client.s, false);
	sim_run_for(w.sim, 1000);
	assert_int_equal(io_write_pending(w.server.s), 0);
	assert_int_equal(buf_len(&w.client.got), 300000);
	assert_string_equal(w.server.story, "accepted@15 drained@1035");
	io_write(w.server.s, &(struct slice){ bytes, 1000 }, 1);
	sim_run_for(w.sim, 1000);
	assert_string_equal(w.server.story, "accepted@15 drained@1035");
	pair_end(&w);
}

static void a_stream_closed_in_its_own_event_hears_nothing_more(void **state)
{
	(void)state;
	for (int how = IO_CLOSE_FLUSH; how <= IO_CLOSE_RESET; how++) {
		struct pair w;

		pair_begin(&w, 1);
		w.way->cuts = SIM_CUT_BYTES;
		w.server.close_after = 2;
		w.server.close_how = (enum io_close)how;
		pair_connect(&w);
		sim_run_for(w.sim, 20);
		peer_write(&w.client, "hello");
		sim_run_for(w.sim, 5000);
		assert_string_equal(w.server.story, "accepted@15 data(1)@25 data(1)@25");
		assert_int_equal(sim_count(w.sim, w.server_io).streams, 0);
		pair_end(&w);
	}
}

static void a_flushing_close_waits_for_the_reader_but_not_for_ever(void **state)
{
	static char bytes[300000];
	struct pair w;

	(void)state;
	pair_begin(&w, 1);
	w.way->window = 100000;
	w.client.no_data_story = true;
	pair_connect(&w);
	sim_run_for(w.sim, 20);
	io_read_pause(w.client.s, true);
	io_write(w.server.s, &(struct slice){ bytes, sizeof bytes }, 1);
	peer_close(&w.server, IO_CLOSE_FLUSH);
	sim_run_for(w.sim, 9000);
	assert_int_equal(sim_count(w.sim, w.server_io).lingering, 1);
	sim_run_for(w.sim, 1500);
	assert_int_equal(sim_count(w.sim, w.server_io).lingering, 0);
	assert_string_equal(w.client.story, "open@10 reset@10025");
	pair_end(&w);
}

static void workers_share_an_address(void **state)
{
	struct pair w;
	struct peer other;
	struct io_listener *l;
	unsigned to_other = 0;

	(void)state;
	pair_begin(&w, 1);
	other = (struct peer){ .io = sim_io_create(w.sim, "worker2") };
	l = io_listen(other.io, w.socket, NULL, peer_on_accept, &other);
	for (int i = 0; i < 64; i++) {
		pair_connect(&w);
		sim_run_for(w.sim, 20);
		to_other += other.s != NULL;
		peer_close(other.s ? &other : &w.server, IO_CLOSE_NOW);
		peer_close(&w.client, IO_CLOSE_NOW);
	}
	assert_in_range(to_other, 16, 48);
	io_listener_close(l);
	pair_end(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_blow),
		cmocka_unit_test(each_handshake),
		cmocka_unit_test(fragments_add_up_to_the_same_bytes),
		cmocka_unit_test(a_reader_that_pauses_holds_the_writer_up),
		cmocka_unit_test(a_stream_closed_in_its_own_event_hears_nothing_more),
		cmocka_unit_test(a_flushing_close_waits_for_the_reader_but_not_for_ever),
		cmocka_unit_test(workers_share_an_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
