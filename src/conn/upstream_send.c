/* upstream_send.c: the writing half of a call. */
#include "conn/upstream_inside.h"

#define PARTS_MAX 16
#define HEAD_PARTS 11

static uint64_t body_bytes(const struct upstream_request *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->body_parts; i++)
		sum += r->body[i].len;
	return sum;
}

/* The head as parts; `length` holds the digits in it. */
static size_t head_parts(const struct upstream_call *c, struct slice parts[static HEAD_PARTS],
			 char length[static 20])
{
	const struct upstream_request *r = c->request;
	size_t count = 0;

	parts[count++] = r->method;
	parts[count++] = S(" ");
	parts[count++] = r->target;
	parts[count++] = S(" HTTP/1.1\r\nHost: ");
	parts[count++] = c->origin->authority;
	parts[count++] = S("\r\nAccept-Encoding: identity\r\n");
	parts[count++] = r->headers;
	if (r->has_body) {
		parts[count++] = S("Content-Length: ");
		parts[count++] = slice_of_u64(body_bytes(r), length);
		parts[count++] = S("\r\n");
	}
	parts[count++] = S("\r\n");
	return count;
}

/* How much goes at once. A few bytes that were left for a piece of their own would
 * cost a call and a packet: a body of 1 MiB, whose model has another name upstream,
 * had six such bytes. */
static size_t piece_bytes(const struct upstream_call *c)
{
	uint64_t left = body_bytes(c->request) - c->send.done;

	return left <= SEND_BYTES_MAX + SEND_BYTES_MAX / 2 ? (size_t)left : SEND_BYTES_MAX;
}

/* Adds body parts up to *budget bytes; gives the count. */
static size_t gather(struct upstream_call *c, struct slice *parts, size_t parts_max,
		     size_t *budget)
{
	const struct upstream_request *r = c->request;
	size_t count = 0;

	while (count < parts_max && c->send.part < r->body_parts) {
		struct slice rest = slice_from(r->body[c->send.part], c->send.part_at);
		size_t take = rest.len < *budget ? rest.len : *budget;

		if (take > 0)
			parts[count++] = slice_sub(rest, 0, take);
		*budget -= take;
		c->send.done += take;
		c->send.part_at += take;
		if (take < rest.len)
			break;
		c->send.part++;
		c->send.part_at = 0;
	}
	c->send.all_done = c->send.part == r->body_parts;
	return count;
}

/* One piece. */
static void send_some(struct upstream_call *c)
{
	struct slice parts[PARTS_MAX];
	char length[20];
	size_t budget = piece_bytes(c);

	do {
		size_t count = 0;

		if (!c->send.head_done)
			count = head_parts(c, parts, length);
		c->send.head_done = true;
		count += gather(c, parts + count, PARTS_MAX - count, &budget);
		io_write(c->conn->stream, parts, count);
	} while (!c->send.all_done && budget > 0);
}

void call_send(struct upstream_call *c)
{
	must(c->conn != NULL);
	if (c->send.stopped)
		return;
	do
		send_some(c);
	while (!c->send.all_done && io_write_pending(c->conn->stream) == 0);
	/* The kernel may take all of it at the end of this turn, of which nobody is
	 * told: look again when that turn is surely over. */
	if (!c->send.all_done)
		io_timer_set(c->pool->io, &c->timer, mono_after(io_now(c->pool->io), 1));
}

static void go_on(struct upstream_call *c)
{
	if (!c->conn || c->send.all_done || c->send.stopped)
		return;
	if (io_write_pending(c->conn->stream) == 0)
		call_send(c);
}

void call_send_kick(struct io_timer *t, mono_ms now)
{
	(void)now;
	go_on(CONTAINER_OF(t, struct upstream_call, timer));
}

void call_send_drained(void *owner)
{
	go_on(owner);
}

void call_send_stop(struct upstream_call *c)
{
	c->send.stopped = !c->send.all_done;
	io_timer_clear(c->pool->io, &c->timer);
}

bool call_sent(const struct upstream_call *c)
{
	return c->send.all_done && io_write_pending(c->conn->stream) == 0;
}
