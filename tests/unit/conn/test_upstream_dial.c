/* How a connection comes to stand, or does not: when, and whose fault it is. */
#include "upstream_stage.h"

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
#define SECOND "10.1.0.1"
#define FIRST "10.1.0.9"

struct row {
	const char *sentence;
	void (*before)(struct stage *st);
	const char *story;
};

/* Another address comes before the good one; `connect` becomes of SYNs to it. */
static struct sim_link *before_it(struct stage *st, enum sim_connect connect)
{
	struct sim_host *h = sim_host(st->sim, "b.test");
	struct io_addr at = sim_addr(FIRST ":80");

	h->count = 0;
	sim_host_add(st->sim, "b.test", FIRST);
	sim_host_add(st->sim, "b.test", SECOND);
	sim_link_to(st->sim, &at)->latency_us = 5000;
	sim_link_to(st->sim, &at)->connect = connect;
	return sim_link_to(st->sim, &at);
}

static void nothing(struct stage *st) { (void)st; }
static void refuse(struct stage *st) { st->way->connect = SIM_CONNECT_REFUSE; }
static void blackhole(struct stage *st) { st->way->connect = SIM_CONNECT_BLACKHOLE; }
static void no_ports(struct stage *st) { st->way->connect = SIM_CONNECT_LOCAL; }
static void no_descriptors(struct stage *st)
{
	static const struct io_stream_events none = { .on_broken = seat_on_broken };
	static struct seat other;

	sim_io_set_streams_max(st->io, 1);
	other.s = io_connect(st->io, &st->at, &none, &other);
}
static void refuse_first(struct stage *st) { before_it(st, SIM_CONNECT_REFUSE); }
static void blackhole_first(struct stage *st) { before_it(st, SIM_CONNECT_BLACKHOLE); }
static void unreachable_first(struct stage *st) { before_it(st, SIM_CONNECT_UNREACHABLE); }
static void slow_first(struct stage *st)
{
	before_it(st, SIM_CONNECT_OK)->latency_us = 400000;
}
static void both_refuse(struct stage *st)
{
	before_it(st, SIM_CONNECT_REFUSE);
	refuse(st);
}
static void unreachable_then_no_port(struct stage *st)
{
	before_it(st, SIM_CONNECT_UNREACHABLE);
	no_ports(st);
}
static void refuse_then_no_port(struct stage *st)
{
	before_it(st, SIM_CONNECT_REFUSE);
	no_ports(st);
}
static void both_blackhole(struct stage *st)
{
	before_it(st, SIM_CONNECT_BLACKHOLE);
	blackhole(st);
}
static void no_such_name(struct stage *st) { sim_host(st->sim, "b.test")->count = 0; }
static void dns_silent(struct stage *st) { sim_host(st->sim, "b.test")->silent = true; }
static void dns_slow(struct stage *st) { sim_host(st->sim, "b.test")->delay_ms = 300; }
static void is_literal(struct stage *st) { st->origin.host = S("10.1.0.1"); }
static void short_limit(struct stage *st)
{
	blackhole(st);
	st->origin.connect_ms = 300;
}

static const struct row rows[] = {
	{ "a name, a round trip, an answer", nothing, "@11 fresh @21 200 @21 'hello' @21 end" },
	{ "a literal needs no name", is_literal, "@10 fresh @20 200 @20 'hello' @20 end" },
	{ "N01: refused is told at once", refuse,
	  "@11 fault connect: connecting to 10.1.0.1:80 failed: connection refused" },
	{ "N02: a SYN into the void ends at the limit", blackhole,
	  "@2000 fault connect: no connection to b.test within 2000 ms: no address had answered" },
	{ "N02: whatever the limit is", short_limit,
	  "@300 fault connect: no connection to b.test within 300 ms: no address had answered" },
	{ "N04: after a refusal the next address is tried at once", refuse_first,
	  "@21 fresh @31 200 @31 'hello' @31 end" },
	{ "N04: a dead address costs 250 ms", blackhole_first,
	  "@261 fresh @271 200 @271 'hello' @271 end" },
	{ "N04: no route costs nothing", unreachable_first, "@16 fresh @26 200 @26 'hello' @26 end" },
	{ "N04: who answers first wins", slow_first, "@261 fresh @271 200 @271 'hello' @271 end" },
	{ "N04: all refused", both_refuse,
	  "@21 fault connect: connecting to 10.1.0.1:80 failed: connection refused" },
	{ "N04: all dead", both_blackhole,
	  "@2000 fault connect: no connection to b.test within 2000 ms: no address had answered" },
	{ "N18: no port left is our own trouble", no_ports,
	  "@1 fault local: connecting to 10.1.0.1:80 failed: cannot assign requested address" },
	{ "N17: no descriptor left too", no_descriptors,
	  "@1 fault local: connecting to 10.1.0.1:80 failed: too many open files" },
	{ "N18: an address without a route says nothing about the target", unreachable_then_no_port,
	  "@6 fault local: connecting to 10.1.0.1:80 failed: cannot assign requested address" },
	{ "N18: one that refuses does", refuse_then_no_port,
	  "@11 fault connect: connecting to 10.1.0.1:80 failed: cannot assign requested address" },
	{ "N03: a name that never was good", no_such_name,
	  "@1 fault connect: looking up b.test failed: no such host" },
	{ "N03: a resolver that is silent", dns_silent,
	  "@2000 fault connect: no connection to b.test within 2000 ms: "
	  "the name was still being looked up" },
	{ "a slow resolver is waited for", dns_slow, "@310 fresh @320 200 @320 'hello' @320 end" },
};

static void run(struct stage *st, const char *sentence, const char *story)
{
	st->timed = true;
	stage_reply(st, S(OK_HELLO), KEEP);
	stage_start(st);
	sim_run_for(st->sim, 4000);
	row_holds(st->call == NULL, sentence);
	if (strcmp(st->story, story) != 0)
		fail_msg("%s:\n  told %s\n  not  %s", sentence, st->story, story);
}

static void test_connecting(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT_OF(rows); i++) {
		struct stage st;

		stage_begin(&st, 1);
		rows[i].before(&st);
		run(&st, rows[i].sentence, rows[i].story);
		if (rows[i].before == no_descriptors) {
			sim_strike(st.sim, NULL, SIM_STRIKE_RESET, 0, 0);
			sim_run_for(st.sim, 100);
		}
		stage_end(&st);
	}
}

/* ---- TLS ------------------------------------------------------------------------------- */

static void test_tls(void **state)
{
	static const struct {
		const char *sentence;
		enum sim_tls tls;
		bool other_first, refuse_last;
		const char *story;
	} handshakes[] = {
		{ "a verified peer", SIM_TLS_OK, false, false, "@21 fresh @31 200 @31 'hello' @31 end" },
		{ "N06: a certificate that does not hold", SIM_TLS_FAIL, false, false,
		  "@21 fault connect: the TLS handshake with 10.1.0.1:80 failed: "
		  "certificate verify failed" },
		{ "N06: another address may have a better one", SIM_TLS_OK, true, false,
		  "@41 fresh @51 200 @51 'hello' @51 end" },
		{ "N06: what is told is the failure of the address that came furthest", SIM_TLS_OK,
		  true, true,
		  "@31 fault connect: the TLS handshake with 10.1.0.9:80 failed: "
		  "certificate verify failed" },
		{ "N07: a handshake that stalls counts in the limit", SIM_TLS_STALL, false, false,
		  "@2000 fault connect: no connection to b.test within 2000 ms: "
		  "the TLS handshake was not done" },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT_OF(handshakes); i++) {
		struct stage st;
		struct io_socket *bad = NULL;
		struct io_listener *listener = NULL;
		struct io_addr at = sim_addr(FIRST ":80");

		stage_begin(&st, 1);
		st.origin.tls = true;
		st.origin.tls_setup = io_tls_client(NULL, NULL, 0);
		io_listener_set_tls(st.listener, st.origin.tls_setup);
		st.way->tls = handshakes[i].tls;
		if (handshakes[i].other_first) {
			before_it(&st, SIM_CONNECT_OK)->tls = SIM_TLS_FAIL;
			bad = io_socket_open(&at, NULL, 0);
			listener = io_listen(st.server_io, bad, st.origin.tls_setup,
					     stage_on_accept, &st);
		}
		if (handshakes[i].refuse_last)
			refuse(&st);
		run(&st, handshakes[i].sentence, handshakes[i].story);
		io_tls_give(st.origin.tls_setup);
		stage_end(&st);
		if (bad)
			io_socket_close(bad);
		(void)listener;
	}
}

/* ---- a proxy ------------------------------------------------------------------------------ */

struct proxy_row {
	const char *sentence, *answer;
	enum after after;
	const char *story;
};

static void test_proxy(void **state)
{
	static char big[20000];
	static const struct proxy_row ways[] = {
		{ "200 opens the tunnel", "HTTP/1.1 200 Connection established\r\n\r\n", KEEP,
		  "@21 fresh @31 200 @31 'hello' @31 end" },
		{ "its headers do not matter", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", KEEP,
		  "@21 fresh @31 200 @31 'hello' @31 end" },
		{ "interim heads before it are skipped",
		  "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", KEEP,
		  "@21 fresh @31 200 @31 'hello' @31 end" },
		{ "407 is told as it is",
		  "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n", KEEP,
		  "@21 fault connect: the proxy answered CONNECT with 407 "
		  "Proxy Authentication Required" },
		{ "502 too", "HTTP/1.1 502 x\r\n\r\n", CLOSE,
		  "@21 fault connect: the proxy answered CONNECT with 502 Bad Gateway" },
		{ "bytes behind the head are nobody's", "HTTP/1.1 200 OK\r\n\r\nhello", KEEP,
		  "@21 fault connect: the proxy sent bytes behind its answer to CONNECT" },
		{ "junk", "SSH-2.0-x\r\n", KEEP,
		  "@21 fault connect: the proxy's answer to CONNECT is malformed: "
		  "the status line is malformed" },
		{ "a proxy that closes", "", CLOSE,
		  "@21 fault connect: CONNECT through the proxy at 10.2.0.1:3128 failed: "
		  "closed without an answer" },
		{ "a head without an end is bounded", big, KEEP,
		  "@21 fault connect: the proxy's answer to CONNECT is longer than 16384 bytes" },
		{ "a proxy that says nothing counts in the limit", "", KEEP,
		  "@2000 fault connect: no connection to b.test within 2000 ms: "
		  "the proxy had not answered CONNECT" },
	};
	static const struct proxy_policy policy = {
		.host = S_INIT("proxy.test"), .port = 3128, .authorization = S_INIT("Basic eDp5"),
	};

	(void)state;
	memset(big, 'x', sizeof big - 1);
	memcpy(big, "HTTP/1.1 200 OK\r\nA: ", 20);
	for (unsigned i = 0; i < COUNT_OF(ways); i++) {
		struct io_addr at = sim_addr("10.2.0.1:3128");
		struct io_socket *socket = io_socket_open(&at, NULL, 0);
		struct io_listener *listener;
		struct stage st;

		stage_begin(&st, 1);
		sim_host_add(st.sim, "proxy.test", "10.2.0.1");
		sim_link_to(st.sim, &at)->latency_us = 5000;
		sim_host(st.sim, "b.test")->count = 0;
		st.origin.proxy = &policy;
		listener = io_listen(st.server_io, socket, NULL, stage_on_accept, &st);
		stage_reply(&st, slice_of(ways[i].answer), ways[i].after);
		run(&st, ways[i].sentence, ways[i].story);
		assert_true(slice_starts(buf_slice(&st.asked),
			S("CONNECT b.test:80 HTTP/1.1\r\nHost: b.test:80\r\n"
			  "Proxy-Authorization: Basic eDp5\r\n\r\n")));
		/* The proxy's credential is the proxy's alone. */
		assert_true(slice_find_slice(slice_from(buf_slice(&st.asked), 80), S("Proxy")) ==
			    SLICE_NOT_FOUND);
		(void)listener;
		stage_end(&st);
		io_socket_close(socket);
	}
}

/* ---- giving up meanwhile ------------------------------------------------------------------------ */

static void test_cancel_at_any_time(void **state)
{
	(void)state;
	for (int64_t after_ms = 0; after_ms < 600; after_ms += 3) {
		struct stage st;

		stage_begin(&st, 1);
		before_it(&st, SIM_CONNECT_BLACKHOLE);
		st.origin.tls = true;
		st.origin.tls_setup = io_tls_client(NULL, NULL, 0);
		io_listener_set_tls(st.listener, st.origin.tls_setup);
		stage_start(&st);
		sim_run_for(st.sim, after_ms);
		assert_non_null(st.call);
		upstream_cancel(st.call);
		st.call = NULL;
		sim_run_for(st.sim, 100);
		assert_int_equal(upstream_pool_counters(st.pool)->open, 0);
		assert_int_equal(sim_count(st.sim, st.io).streams, 0);
		io_tls_give(st.origin.tls_setup);
		stage_end(&st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connecting),
		cmocka_unit_test(test_tls),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_cancel_at_any_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
