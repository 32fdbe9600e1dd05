/* Spans on their way to a collector that takes them, refuses, hangs, comes back. */
#include "tests/unit/base/cm.h"

#include "conn/client_conn.h"
#include "daemon/trace_export.h"
#include "observe/trace.h"
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

struct stage {
	struct sim *sim;
	struct io *io, *collector;
	struct io_socket *socket;
	struct client_door *door;
	struct client_counters counters;
	struct log log;
	struct metrics *metrics;
	struct config *config;
	struct trace_export *e;
	int status;                   /* what it answers; 0: nothing */
	const char *body;
	unsigned posts;
	size_t spans_seen;
};

static void sink(void *owner, enum log_level level, struct slice line)
{
	(void)owner, (void)level, (void)line;
}

static int64_t wall_ms(void *owner)
{
	(void)owner;
	return 0;
}

static size_t count_of(struct slice text, struct slice needle)
{
	size_t n = 0, at;

	while ((at = slice_find_slice(text, needle)) != SLICE_NOT_FOUND) {
		text = slice_from(text, at + needle.len);
		n++;
	}
	return n;
}

static void on_request(void *owner, struct client_conn *c, const struct h1_head *head, struct buf *body)
{
	static const struct client_request_events nothing = { NULL, NULL };
	struct stage *s = owner;
	const struct h1_header busy = { S("retry-after"), S("30") };

	assert_true(slice_eq(head->target, S("/v1/traces")));
	assert_true(slice_eq(h1_get(head, S("x-key")), S("k")));
	s->posts++;
	if (s->status == 200)
		s->spans_seen += count_of(buf_slice(body), S("\"spanId\""));
	if (s->status)
		client_respond_whole(c, s->status, &busy, s->status == 429 ? 1 : 0, slice_of(s->body));
	else
		client_claim(c, &nothing, s);
}

static struct slice write_error(void *owner, int status, struct slice sentence, struct buf *out)
{
	(void)owner, (void)status, (void)sentence, (void)out;
	return S("text/plain");
}

static const struct client_door_events events = { .on_request = on_request, .write_error = write_error };
static const struct client_limits limits = {
	.header_bytes = 16384, .body_bytes = 8 << 20, .memory_bytes = 64 << 20, .header_ms = 60000,
	.body_idle_ms = 60000, .keep_alive_ms = 600000, .write_stall_ms = 60000, .connections = 16,
};

static void begin(struct stage *s)
{
	struct buf errors = BUF_INIT(65536);
	struct io_addr at;

	memset(s, 0, sizeof *s);
	s->status = 200;
	s->body = "{}";
	s->sim = sim_create(7);
	s->io = sim_io_create(s->sim, "proxy");
	s->collector = sim_io_create(s->sim, "collector");
	s->log = (struct log){ .sink = sink, .wall_ms = wall_ms };
	assert_true(io_addr_parse(S("10.9.9.9:4318"), &at));
	s->socket = io_socket_open(&at, NULL, 0);
	s->door = client_door_create(s->collector, &limits, &s->counters, &s->log, &events, s);
	client_door_listen(s->door, s->socket, NULL);
	s->config = config_parse(S("f"), S("backends: {a: {url: 'http://a/v1'}}\nmodels: {chat: [a]}\n"
		"tracing: {endpoint: 'http://10.9.9.9:4318', headers: {x-key: k}, every: 2s}\n"),
		&config_source_process, &errors);
	assert_non_null(s->config);
	s->metrics = metrics_create();
	s->e = trace_export_create(s->io, &s->log, metrics_sheet_create(s->metrics), s->config);
	buf_free(&errors);
}

static void end(struct stage *s)
{
	trace_export_free(s->e);
	client_door_free(s->door);
	sim_run_for(s->sim, 5000);
	io_socket_close(s->socket);
	metrics_free(s->metrics);
	config_give(s->config);
	sim_free(s->sim);
}

/* One exchange with one attempt: two spans. */
static void add(struct stage *s, bool sampled)
{
	static const struct attempt_record attempt = { .target = S_INIT("a/m"), .kind = "" };
	struct trace_context t = { .trace_id = { 1 }, .span_id = { 2 }, .sampled = sampled };
	const struct exchange_record r = { .trace = &t, .method = S("POST"), .path = S("/v1/chat/completions"),
		.status = 200, .attempts = &attempt, .attempt_count = 1, .first_token_ms = -1 };

	trace_export_add(s->e, &r);
}

static void assert_spans(struct stage *s, int exported, int rejected, int dropped)
{
	const char *const words[] = { "exported", "rejected", "dropped" };
	const int want[] = { exported, rejected, dropped };
	struct buf out = BUF_INIT(1 << 20), line = BUF_INIT(4096);

	assert_true(metrics_write(s->metrics, METRICS_PROMETHEUS, NULL, &out));
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		buf_clear(&line);
		buf_putf(&line, "\nbackstay_trace_spans_total{result=\"%s\"} %d\n", words[i], want[i]);
		if (slice_find_slice(buf_slice(&out), buf_slice(&line)) == SLICE_NOT_FOUND)
			fail_msg("not%.*s", SLICE_ARG(buf_slice(&line)));
	}
	buf_free(&out);
	buf_free(&line);
}

static void spans_are_gathered_and_sent(void **state)
{
	struct stage s;

	(void)state;
	begin(&s);
	for (int i = 0; i < 10; i++)
		add(&s, true);
	add(&s, false);
	sim_run_for(s.sim, 1900);
	assert_int_equal(s.posts, 0);
	assert_false(trace_export_idle(s.e));
	sim_run_for(s.sim, 200);
	assert_int_equal(s.posts, 1);
	assert_int_equal(s.spans_seen, 20);
	assert_true(trace_export_idle(s.e));
	assert_spans(&s, 20, 0, 0);
	sim_run_for(s.sim, 60000);
	assert_int_equal(s.posts, 1);         /* nothing, nothing sent */
	end(&s);
}

static void a_large_batch_goes_at_once(void **state)
{
	struct stage s;

	(void)state;
	begin(&s);
	for (int i = 0; i < 256; i++)
		add(&s, true);
	sim_run_for(s.sim, 100);
	assert_int_equal(s.posts, 1);
	sim_run_for(s.sim, 5000);
	assert_int_equal(s.posts, 2);         /* what was left, in its time */
	assert_spans(&s, 512, 0, 0);
	end(&s);
}

static void what_is_rejected_is_counted(void **state)
{
	struct stage s;

	(void)state;
	begin(&s);
	s.body = "{\"partialSuccess\":{\"rejectedSpans\":\"1\",\"errorMessage\":\"no\"}}";
	add(&s, true);
	sim_run_for(s.sim, 3000);
	assert_spans(&s, 1, 1, 0);
	s.status = 400;
	s.body = "{}";
	add(&s, true);
	sim_run_for(s.sim, 60000);
	assert_int_equal(s.posts, 2);         /* what is refused for good is not sent again */
	assert_spans(&s, 1, 1, 2);
	end(&s);
}

static void a_busy_collector_is_asked_again_when_it_says(void **state)
{
	struct stage s;

	(void)state;
	begin(&s);
	s.status = 429;
	add(&s, true);
	sim_run_for(s.sim, 2100);
	assert_int_equal(s.posts, 1);
	s.status = 200;
	sim_run_for(s.sim, 29000);
	assert_int_equal(s.posts, 1);
	sim_run_for(s.sim, 2000);
	assert_int_equal(s.posts, 2);
	assert_spans(&s, 2, 0, 0);
	end(&s);
}

/* Hangs for an hour: memory is bounded, tries are few, and all is well after. */
static void a_dead_collector_costs_little(void **state)
{
	struct stage s;

	(void)state;
	begin(&s);
	s.status = 0;
	for (int minute = 0; minute < 60; minute++) {
		for (int i = 0; i < 200; i++)
			add(&s, true);
		sim_run_for(s.sim, 60000);
	}
	assert_true(s.posts > 10);
	assert_true(s.posts < 200);
	s.status = 200;
	sim_run_for(s.sim, 300000);
	assert_true(trace_export_idle(s.e));
	assert_true(s.spans_seen > 0);
	add(&s, true);
	sim_run_for(s.sim, 60000);
	assert_true(trace_export_idle(s.e));
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_are_gathered_and_sent),
		cmocka_unit_test(a_large_batch_goes_at_once),
		cmocka_unit_test(what_is_rejected_is_counted),
		cmocka_unit_test(a_busy_collector_is_asked_again_when_it_says),
		cmocka_unit_test(a_dead_collector_costs_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
