/* give.c: an answer that is there already goes to the client, as fast as that
 * takes it, or at a pace that looks like a model's. */
#include "exchange/recall.h"

#include "base/check.h"
#include "exchange/answer.h"
#include "exchange/conductor.h"

#include <stdlib.h>

/* Given in one piece. Where more than CLIENT_DRAIN_BYTES wait for the client so does the
 * rest: of less, once it has left, nobody would be told. */
#define AT_ONCE_MAX ((size_t)64 * 1024)

struct giving {
	struct exchange *x;
	struct buf rest;
	struct io_timer pace;
	int64_t pace_ms;
	struct sse sse;
};

static struct io *io_of(const struct exchange *x)
{
	return x->all->setup.io;
}

void give_head(struct exchange *x, uint64_t length)
{
	struct h1_header headers[2 + ANSWER_OWN_HEADERS];
	size_t n = 0;

	x->status_sent = 200;
	x->client_sse = x->facts.stream;
	if (x->warmed)
		return;
	headers[n++] = (struct h1_header){ S("content-type"), framing_type(x) };
	if (x->facts.stream)
		headers[n++] = (struct h1_header){ S("cache-control"), S("no-cache") };
	n += answer_own_headers(x, headers + n);
	client_respond_head(x->client, 200, headers, n, x->facts.stream ? CLIENT_LENGTH_UNKNOWN : length);
}

static void end(struct exchange *x)
{
	framing_end(x);
	x->client = NULL;
	exchange_end(x, FAULT_NONE);
}

static void give_bytes(struct exchange *x, struct slice bytes, mono_ms now)
{
	x->bytes_out += bytes.len;
	x->sent_at = now;
	framing_give(x, bytes);
}

/* A client of a warmed connection has had no headers that could tell it. */
static void tell_in_comment(struct exchange *x, mono_ms now)
{
	struct buf comment = BUF_INIT(1024);

	if (!x->warmed || x->dialect->no_comments)
		return;
	buf_putf(&comment, ": backstay %s %s age=%lld\n\n", cache_use_name(x->cache),
		 degraded_name(x->degraded_by), (long long)(x->cache_age_ms / 1000));
	give_bytes(x, buf_slice(&comment), now);
	buf_free(&comment);
}

/* The next event goes; false: it was the last. */
static bool give_event(struct giving *g, mono_ms now)
{
	struct slice rest = buf_slice(&g->rest), left = rest;
	struct sse_event ev;

	if (!rest.len)
		return false;
	sse_init(&g->sse, EVENT_BYTES_MAX);
	if (sse_feed(&g->sse, &left, &ev) == SSE_EVENT)
		rest.len -= left.len;
	give_bytes(g->x, rest, now);
	sse_free(&g->sse);
	buf_consume(&g->rest, rest.len);
	return buf_len(&g->rest) > 0;
}

static void on_pace(struct io_timer *t, mono_ms now)
{
	struct giving *g = CONTAINER_OF(t, struct giving, pace);

	/* A client that does not read waits for its own room. */
	if (client_pending(g->x->client) > CLIENT_DRAIN_BYTES || give_event(g, now))
		io_timer_set(io_of(g->x), t, mono_after(now, g->pace_ms));
	else
		end(g->x);
}

void give_more(struct exchange *x, mono_ms now)
{
	struct giving *g = x->giving;

	if (!g || g->pace_ms)
		return;
	while (buf_len(&g->rest) && client_pending(x->client) <= CLIENT_DRAIN_BYTES) {
		struct slice part = buf_slice(&g->rest);

		if (part.len > AT_ONCE_MAX)
			part.len = AT_ONCE_MAX;
		give_bytes(x, part, now);
		buf_consume(&g->rest, part.len);
	}
	if (!buf_len(&g->rest))
		end(x);
}

bool give_is_amid(const struct exchange *x)
{
	return (x->giving && !x->giving->pace_ms) || (x->recall && x->recall->amid);
}

bool give_hurry(struct exchange *x, mono_ms now)
{
	struct giving *g = x->giving;

	if (!g || !g->pace_ms)
		return false;
	io_timer_clear(io_of(x), &g->pace);
	g->pace_ms = 0;
	give_more(x, now);
	return true;
}

void give_free(struct exchange *x)
{
	if (!x->giving)
		return;
	io_timer_clear(io_of(x), &x->giving->pace);
	buf_free(&x->giving->rest);
	x->giving = NULL;
}

void give_answer(struct exchange *x, struct slice bytes, int64_t pace_ms, mono_ms now)
{
	struct giving *g;

	x->committed_at = now;
	if (!x->facts.stream || now >= x->deadline_at)
		pace_ms = 0;
	give_head(x, bytes.len);
	tell_in_comment(x, now);
	if (!pace_ms && bytes.len <= AT_ONCE_MAX) {
		give_bytes(x, bytes, now);
		end(x);
		return;
	}
	g = arena_new(x->arena, struct giving);
	g->x = x;
	g->pace.fire = on_pace;
	g->pace_ms = pace_ms;
	g->rest = BUF_INIT(ANSWER_BYTES_MAX);
	x->giving = g;
	exchange_enter(x, EXCHANGE_STREAMING);
	if (pace_ms && !give_cut(x, bytes, &g->rest)) {
		buf_clear(&g->rest);    /* then in its own events */
		pace_ms = g->pace_ms = 0;
	}
	if (!buf_len(&g->rest) && !buf_append(&g->rest, bytes)) {
		relay_end_broken(x, FAULT_LOCAL);
		return;
	}
	if (pace_ms)
		io_timer_set(io_of(x), &g->pace, now);
	else
		give_more(x, now);
}
