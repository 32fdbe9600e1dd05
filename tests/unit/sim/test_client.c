/* What the simulated client thinks of answers. */
#include "peer.h"

#include "sim/client.h"

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define JSON "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define WORD "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n"
#define WORD_CHUNK "30\r\n" WORD "\r\n"
#define STOP "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define STOP_CHUNK "39\r\n" STOP "\r\n"
#define DONE_CHUNK "e\r\ndata: [DONE]\n\n\r\n"
#define ERROR_CHUNK "35\r\ndata: {\"error\":{\"message\":\"m\",\"code\":\"stream_cut\"}}\n\n\r\n"
#define LAST "0\r\n\r\n"

enum then { STAYS, FINISHES, RESETS };

static const struct row {
	const char *name, *answer;
	enum then then;
	enum sim_answer_end end;
	const char *text, *violation;
} rows[] = {
	{ "a whole stream", CHUNKED WORD_CHUNK WORD_CHUNK STOP_CHUNK DONE_CHUNK LAST, STAYS,
	  ANSWER_COMPLETE, "hihi", "" },
	{ "text, then an honest error", CHUNKED WORD_CHUNK ERROR_CHUNK LAST, STAYS, ANSWER_ERROR,
	  "hi", "" },
	{ "an honest error, then a break", CHUNKED WORD_CHUNK ERROR_CHUNK, RESETS, ANSWER_ERROR, "hi",
	  "" },
	{ "cut between chunks", CHUNKED WORD_CHUNK, FINISHES, ANSWER_BROKEN, "hi", "" },
	{ "reset between chunks", CHUNKED WORD_CHUNK, RESETS, ANSWER_BROKEN, "hi", "" },
	{ "never ends", CHUNKED WORD_CHUNK, STAYS, ANSWER_PENDING, "hi", "" },
	{ "a clean end without [DONE]", CHUNKED WORD_CHUNK STOP_CHUNK LAST, STAYS, ANSWER_COMPLETE,
	  "hi", "the stream ended cleanly without saying that it is done" },
	{ "an event behind [DONE]", CHUNKED WORD_CHUNK DONE_CHUNK WORD_CHUNK LAST, STAYS,
	  ANSWER_COMPLETE, "hihi", "an event follows the end of the stream" },
	{ "[DONE] behind an error", CHUNKED ERROR_CHUNK DONE_CHUNK LAST, STAYS, ANSWER_ERROR, "",
	  "an event follows the error event" },
	{ "an end inside an event", CHUNKED "8\r\ndata: {}\r\n" LAST, STAYS, ANSWER_COMPLETE, "",
	  "the body ended inside an event" },
	{ "bytes behind the end", CHUNKED DONE_CHUNK LAST "more", STAYS, ANSWER_COMPLETE, "",
	  "4 bytes follow the end of the answer" },
	{ "a bad chunk size", CHUNKED "zz\r\n", STAYS, ANSWER_BROKEN, "", "the chunks are malformed" },
	{ "not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", STAYS, ANSWER_BROKEN, "", "a malformed head: "
	  "the status line is malformed" },
	{ "a whole answer", JSON "Content-Length: 45\r\n\r\n"
	  "{\"choices\":[{\"message\":{\"content\":\"hello\"}}]}", STAYS, ANSWER_COMPLETE, "hello", "" },
	{ "shorter than it says", JSON "Content-Length: 99\r\n\r\n{}", FINISHES, ANSWER_BROKEN, "",
	  "" },
	{ "a 200 that is no JSON", JSON "Content-Length: 5\r\n\r\n<html", STAYS, ANSWER_COMPLETE, "",
	  "a 200 with a body that is not JSON" },
	{ "an error in OpenAI's shape", "HTTP/1.1 503 X\r\nContent-Length: 40\r\n\r\n"
	  "{\"error\":{\"message\":\"no\",\"code\":\"shed\"}}", STAYS, ANSWER_ERROR, "", "" },
	{ "an error page", "HTTP/1.1 502 X\r\nContent-Length: 6\r\n\r\n<html>", STAYS, ANSWER_ERROR,
	  "", "status 502 without an error in OpenAI's shape" },
	{ "1xx heads before the answer", "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
	  STAYS, ANSWER_COMPLETE, "", "" },
	{ "until close", "HTTP/1.0 200 OK\r\n\r\nabc", FINISHES, ANSWER_COMPLETE, "", "" },
};

struct canned {
	const struct row *row;
	struct io_stream *s;
	struct buf got;
};

static void canned_data(void *owner, struct slice bytes)
{
	struct canned *c = owner;
	struct slice answer = slice_of(c->row->answer);

	buf_put(&c->got, bytes);
	if (!slice_ends(buf_slice(&c->got), S("\r\n\r\n")))
		return;
	io_write(c->s, &answer, 1);
	if (c->row->then == FINISHES)
		io_stream_finish(c->s);
}

static void canned_broken(void *owner, enum io_broken why, const char *text)
{
	struct canned *c = owner;

	(void)why;
	(void)text;
	io_close(c->s, IO_CLOSE_NOW);
	c->s = NULL;
}

static const struct io_stream_events canned_events = {
	.on_data = canned_data, .on_broken = canned_broken,
};

static void canned_accept(void *owner, struct io_stream *s, const struct io_addr *from)
{
	struct canned *c = owner;

	(void)from;
	c->s = s;
	io_stream_adopt(s, &canned_events, c);
}

static void judge(const struct row *row, enum sim_cuts cuts)
{
	struct canned canned = { .row = row, .got = BUF_INIT(4096) };
	const struct sim_answer *a;
	struct sim_client *client;
	struct pair w;

	pair_begin(&w, 1);
	io_listener_close(w.listener);
	w.way->cuts = cuts;
	w.listener = io_listen(w.server_io, w.socket, NULL, canned_accept, &canned);
	client = sim_client_create(w.client_io, &w.at);
	sim_client_ask(client, &(struct sim_client_request){ .method = S("GET"), .path = S("/") });
	sim_run_for(w.sim, 100);
	if (row->then == RESETS)
		io_close(canned.s, IO_CLOSE_RESET);
	if (row->then == RESETS)
		canned.s = NULL;
	sim_run_for(w.sim, 100);
	a = sim_client_answer(client);
	if (a->end != row->end ||
	    (cuts == SIM_CUT_WHOLE && strcmp(a->violation, row->violation))) {
		print_error("%s: %s %s\n", row->name, sim_answer_end_name(a->end), a->violation);
		sim_trace_tail(w.sim, stderr, 20);
	}
	assert_int_equal(a->end, row->end);
	assert_true(slice_eq(buf_slice(&a->text), slice_of(row->text)));
	/* Where bytes come one by one, those behind the end come too late to count. */
	if (cuts == SIM_CUT_WHOLE)
		assert_string_equal(a->violation, row->violation);
	sim_client_free(client);
	if (canned.s)
		io_close(canned.s, IO_CLOSE_NOW);
	buf_free(&canned.got);
	pair_end(&w);
}

static void each_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		for (int cuts = SIM_CUT_WHOLE; cuts <= SIM_CUT_BYTES; cuts++)
			judge(&rows[i], (enum sim_cuts)cuts);
	}
}

/* Three requests are sent at once; the server answers all to the first. */
static void pipelined(const char *answers, enum sim_answer_end first, enum sim_answer_end second,
		      enum sim_answer_end third)
{
	struct row row = { .answer = answers };
	struct canned canned = { .row = &row, .got = BUF_INIT(4096) };
	const enum sim_answer_end ends[] = { first, second, third };
	struct sim_client *client;
	struct pair w;

	pair_begin(&w, 1);
	io_listener_close(w.listener);
	w.listener = io_listen(w.server_io, w.socket, NULL, canned_accept, &canned);
	client = sim_client_create(w.client_io, &w.at);
	for (unsigned i = 0; i < COUNT_OF(ends); i++)
		sim_client_ask(client, &(struct sim_client_request){ .method = S("GET"),
								     .path = S("/") });
	sim_run_for(w.sim, 100);
	assert_int_equal(sim_client_asked(client), COUNT_OF(ends));
	for (unsigned i = 0; i < COUNT_OF(ends); i++) {
		assert_int_equal(sim_client_answer_at(client, i)->end, ends[i]);
		if (ends[i] != ANSWER_BROKEN)
			assert_string_equal(sim_client_answer_at(client, i)->violation, "");
	}
	sim_client_free(client);
	if (canned.s)
		io_close(canned.s, IO_CLOSE_NOW);
	buf_free(&canned.got);
	pair_end(&w);
}

#define NOTHING_MORE "Content-Length: 2\r\n\r\n{}"
#define ONE "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" NOTHING_MORE
#define CLOSING "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n" NOTHING_MORE

static void answers_come_in_order(void **state)
{
	(void)state;
	pipelined(ONE ONE ONE, ANSWER_COMPLETE, ANSWER_COMPLETE, ANSWER_COMPLETE);
	pipelined(ONE, ANSWER_COMPLETE, ANSWER_PENDING, ANSWER_PENDING);
	pipelined(ONE CLOSING, ANSWER_COMPLETE, ANSWER_COMPLETE, ANSWER_UNSERVED);
	pipelined(ONE "HTTP/1.1 junk\r\n\r\n", ANSWER_COMPLETE, ANSWER_BROKEN, ANSWER_UNSERVED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_answer),
		cmocka_unit_test(answers_come_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
