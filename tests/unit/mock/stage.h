/* stage.h: a world with one mock and one client that sends bytes and notes all
 * that comes back. */
#ifndef BACKSTAY_TESTS_MOCK_STAGE_H
#define BACKSTAY_TESTS_MOCK_STAGE_H

#include "cm.h"

#include "mock/mock.h"
#include "sim/sim.h"

#include <stdio.h>
#include <string.h>

enum stage_end { STAGE_OPEN, STAGE_FIN, STAGE_RST };

struct stage {
	struct sim *sim;
	struct io *server_io, *client_io;
	struct io_socket *socket;
	struct io_addr at;
	struct mock *mock;
	struct io_stream *stream;     /* NULL: closed */
	struct buf got;
	enum stage_end end;
	mono_ms first_at, end_at;     /* of the first byte, of the end; since the opening */
};

static void stage_on_data(void *owner, struct slice bytes)
{
	struct stage *s = owner;

	if (!buf_len(&s->got))
		s->first_at = sim_now(s->sim) - SIM_START_MS;
	buf_put(&s->got, bytes);
}

static void stage_close(struct stage *s)
{
	if (s->stream)
		io_close(s->stream, IO_CLOSE_NOW);
	s->stream = NULL;
}

static void stage_on_end(void *owner)
{
	struct stage *s = owner;

	s->end = STAGE_FIN;
	s->end_at = sim_now(s->sim) - SIM_START_MS;
	stage_close(s);
}

static void stage_on_broken(void *owner, enum io_broken why, const char *text)
{
	struct stage *s = owner;

	(void)text;
	assert_int_equal(why, IO_RESET);
	s->end = STAGE_RST;
	s->end_at = sim_now(s->sim) - SIM_START_MS;
	stage_close(s);
}

static const struct io_stream_events stage_events = {
	.on_data = stage_on_data, .on_end = stage_on_end, .on_broken = stage_on_broken,
};

static void stage_connect(struct stage *s)
{
	stage_close(s);
	buf_clear(&s->got);
	s->end = STAGE_OPEN;
	s->stream = io_connect(s->client_io, &s->at, &stage_events, s);
}

/* Opens a world; the mock gets `options`, or the usual ones for NULL. */
static void stage_open(struct stage *s, const struct mock_options *options)
{
	static const struct mock_options usual = { .seed = 7, .tokens = 8, .gap_ms = 10 };
	char why[128];

	memset(s, 0, sizeof *s);
	s->got = BUF_INIT(512u << 20);
	s->sim = sim_create(1);
	s->server_io = sim_io_create(s->sim, "server");
	s->client_io = sim_io_create(s->sim, "client");
	s->at = sim_addr("10.1.0.1:80");
	s->socket = io_socket_open(&s->at, why, sizeof why);
	assert_non_null(s->socket);
	s->mock = mock_create(s->server_io, options ? options : &usual, NULL);
	assert_true(mock_listen(s->mock, s->socket, NULL));
	stage_connect(s);
}

/* Closes it and checks that nothing is left over. */
static void stage_shut(struct stage *s)
{
	struct mock_stats stats;
	struct sim_counts left;
	char text[256];

	stage_close(s);
	sim_run_for(s->sim, 5000);
	stats = mock_stats(s->mock);
	assert_int_equal(stats.all.requests, stats.all.finished + stats.all.broken + stats.all.cancelled +
						     stats.all.in_flight);
	mock_free(s->mock);
	sim_run_for(s->sim, 5000);
	left = sim_count(s->sim, NULL);
	assert_string_equal(sim_counts_text(&left, text, sizeof text), "nothing");
	io_socket_close(s->socket);
	sim_free(s->sim);
	buf_free(&s->got);
}

static inline void stage_send(struct stage *s, struct slice bytes)
{
	if (s->stream)
		io_write(s->stream, &bytes, 1);
}

/* Sends a request with a JSON body; `headers` are whole lines or "". */
static inline void stage_post(struct stage *s, const char *path, const char *headers, const char *body)
{
	char head[1024];

	snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nhost: mock\r\ncontent-type: application/json\r\n"
		 "%scontent-length: %zu\r\n\r\n", path, headers, strlen(body));
	stage_send(s, slice_of(head));
	stage_send(s, slice_of(body));
}

#define STAGE_CHAT "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define STAGE_STREAM "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"

/* Asks with a fault and lets `ms` pass. */
static inline void stage_ask(struct stage *s, const char *spec, const char *path, const char *body, int64_t ms)
{
	char header[512] = "";

	if (spec[0])
		snprintf(header, sizeof header, "x-mock-fault: %s\r\n", spec);
	stage_post(s, path, header, body);
	sim_run_for(s->sim, ms);
}

static inline bool stage_saw(const struct stage *s, const char *text)
{
	return slice_find_slice(buf_slice(&s->got), slice_of(text)) != SLICE_NOT_FOUND;
}

/* How often `text` came. */
static inline unsigned stage_count(const struct stage *s, const char *text)
{
	struct slice rest = buf_slice(&s->got);
	unsigned count = 0;
	size_t at;

	while ((at = slice_find_slice(rest, slice_of(text))) != SLICE_NOT_FOUND) {
		rest = slice_from(rest, at + strlen(text));
		count++;
	}
	return count;
}

#endif
