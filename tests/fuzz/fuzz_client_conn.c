/* A client's side of a connection: plan of cuts, newline, what the client says.
 * Whole and in pieces, a door in a simulated world says the same, all of it
 * well framed, answers each request once and leaves nothing behind. */
#include "conn/client_conn.h"
#include "sim/sim.h"
#include "tests/fuzz/pieces.h"
#include "wire/chunked.h"

#define OUT_MAX ((size_t)64 * 1024 * 1024)
#define CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

struct world {
	struct sim *sim;
	struct io *client_io, *server_io;
	struct client_door *door;
	struct client_conn *claimed;  /* at most one, as there is one connection */
	struct io_timer timer;
	bool breaks;
	unsigned heads, requests, errors, answers;
	struct io_stream *s;          /* the client's */
	struct buf heard;
};

/* ---- the owner: what it does follows from the path --------------------------------- */

static void on_gone(void *owner)
{
	struct world *w = owner;

	must(w->claimed != NULL);
	w->claimed = NULL;
	io_timer_clear(w->server_io, &w->timer);
}

static const struct client_request_events claimer = { .on_gone = on_gone };

static void answer_later(struct io_timer *t, mono_ms now)
{
	struct world *w = CONTAINER_OF(t, struct world, timer);
	struct client_conn *c = w->claimed;

	(void)now;
	w->claimed = NULL;
	client_respond_data(c, S("more"));
	if (w->breaks)
		client_respond_break(c);
	else
		client_respond_end(c);
}

static bool on_head(void *owner, struct client_conn *c, const struct h1_head *head)
{
	struct world *w = owner;

	must(w->claimed == NULL);
	w->heads++;
	if (!slice_starts(head->target, S("/n")))
		return true;
	w->answers++;
	client_respond_whole(c, 401, NULL, 0, S("no"));
	return false;
}

static void on_request(void *owner, struct client_conn *c, const struct h1_head *head,
		       struct buf *body)
{
	struct world *w = owner;
	struct slice bytes = buf_slice(body);
	char text[64];

	must(w->claimed == NULL);
	must(head->body != H1_BODY_LENGTH || bytes.len == head->content_length);
	w->requests++;
	w->answers++;
	if (!slice_starts(head->target, S("/l"))) {
		snprintf(text, sizeof text, "%zu %016llx", bytes.len,
			 (unsigned long long)slice_hash(bytes, 1));
		client_respond_whole(c, 200, NULL, 0, slice_of(text));
		return;
	}
	client_claim(c, &claimer, w);
	w->claimed = c;
	w->breaks = slice_starts(head->target, S("/lb"));
	w->timer.fire = answer_later;
	io_timer_set(w->server_io, &w->timer, io_now(w->server_io));
	client_respond_head(c, 200, NULL, 0, CLIENT_LENGTH_UNKNOWN);
	client_respond_data(c, S("some"));
}

static struct slice write_error(void *owner, int status, struct slice sentence, struct buf *out)
{
	struct world *w = owner;

	must(status >= 400);
	must(sentence.len > 0);
	must(w->claimed == NULL);
	w->errors++;
	buf_put(out, sentence);
	return S("text/plain");
}

static const struct client_door_events owner_events = { on_head, on_request, write_error };

/* ---- the client ---------------------------------------------------------------------- */

static void on_data(void *owner, struct slice bytes)
{
	buf_put(&((struct world *)owner)->heard, bytes);
}

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	(void)owner, (void)why, (void)text;
}

static const struct io_stream_events client_events = { .on_data = on_data, .on_broken = on_broken };

/* ---- one life ----------------------------------------------------------------------------- */

/* Says all of it, in pieces, then waits until all limits have struck. */
static void live(struct world *w, struct slice plan, struct slice in)
{
	static const struct client_limits limits = {
		.header_bytes = 512, .body_bytes = 1024, .header_ms = 10000, .body_idle_ms = 30000,
		.keep_alive_ms = 75000, .write_stall_ms = 60000, .connections = 10,
	};
	struct pieces p = pieces_create(plan, in);
	struct client_counters counters = { 0 };
	struct io_addr at = sim_addr("10.1.0.1:80");
	struct sim_counts left;
	struct io_socket *socket = io_socket_open(&at, NULL, 0);
	struct slice piece;

	*w = (struct world){ .sim = sim_create(1), .heard = BUF_INIT(OUT_MAX) };
	sim_link_default(w->sim)->latency_us = 0;
	w->client_io = sim_io_create(w->sim, "client");
	w->server_io = sim_io_create(w->sim, "server");
	w->door = client_door_create(w->server_io, &limits, &counters, NULL, &owner_events, w);
	client_door_listen(w->door, socket, NULL);
	w->s = io_connect(w->client_io, &at, &client_events, w);
	sim_run_for(w->sim, 1);
	while (pieces_next(&p, &piece)) {
		struct slice copy = pieces_copy(&p, piece);

		io_write(w->s, &copy, 1);
		sim_run_until(w->sim, sim_now(w->sim));
	}
	sim_run_for(w->sim, 300000);
	must(client_door_count(w->door) == 0);
	must(w->claimed == NULL);
	must(counters.connections == 0);
	must(counters.bad_requests == w->errors);
	io_close(w->s, IO_CLOSE_NOW);
	client_door_free(w->door);
	io_socket_close(socket);
	sim_settle(w->sim, 300000);
	left = sim_count(w->sim, NULL);
	must(sim_counts_clean(&left));
	sim_free(w->sim);
	pieces_free(&p);
}

/* The body behind a head; gives what is behind it. False: it is not whole. */
static bool skip_body(const struct h1_head *head, struct slice *in)
{
	struct chunked c = { 0 };
	enum chunked_step step;
	struct slice data;

	if (head->body == H1_BODY_UNTIL_CLOSE) {
		*in = SLICE_NONE;
	} else if (head->body == H1_BODY_LENGTH) {
		must(in->len >= head->content_length);
		*in = slice_from(*in, (size_t)head->content_length);
	} else if (head->body == H1_BODY_CHUNKED) {
		while ((step = chunked_feed(&c, in, &data)) == CHUNKED_DATA)
			;
		must(step != CHUNKED_BAD);
		return step == CHUNKED_END;
	}
	return true;
}

/* Answers without their 1xx heads, which depend on the cuts. */
static struct buf without_continue(struct slice heard)
{
	struct buf out = BUF_INIT(OUT_MAX);
	size_t at;

	while ((at = slice_find_slice(heard, S(CONTINUE))) != SLICE_NOT_FOUND) {
		buf_put(&out, slice_sub(heard, 0, at));
		heard = slice_from(heard, at + sizeof CONTINUE - 1);
	}
	buf_put(&out, heard);
	return out;
}

/* HEAD requests make lengths without bodies: then framing is not looked at. */
static void must_be_framed(const struct world *w, struct slice heard)
{
	static struct h1_head head;
	unsigned answers = 0;

	while (heard.len > 0) {
		size_t scanned = 0;

		must(h1_parse_response(heard, SIZE_MAX, &scanned, false, &head) == H1_OK);
		heard = slice_from(heard, head.bytes);
		answers++;
		if (!skip_body(&head, &heard))
			must(heard.len == 0);
	}
	must(answers == w->answers + w->errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world whole, cut;
	struct slice plan, in;
	struct buf a, b;

	pieces_split(data, size, &plan, &in);
	live(&whole, SLICE_NONE, in);
	live(&cut, plan, in);
	a = without_continue(buf_slice(&whole.heard));
	b = without_continue(buf_slice(&cut.heard));
	must(slice_eq(buf_slice(&a), buf_slice(&b)));
	must(whole.heads == cut.heads);
	must(whole.requests == cut.requests);
	if (slice_find_slice(in, S("HEAD")) == SLICE_NOT_FOUND &&
	    slice_find_slice(in, S("HTTP/1.0")) == SLICE_NOT_FOUND)
		must_be_framed(&whole, buf_slice(&a));
	buf_free(&a);
	buf_free(&b);
	buf_free(&whole.heard);
	buf_free(&cut.heard);
	return 0;
}
