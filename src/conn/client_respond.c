/* Writing responses: framing is decided here and nowhere else. */
#include "conn/client_inside.h"

#include "base/check.h"
#include "wire/chunked.h"

static void put(struct client_conn *c, const struct slice *parts, size_t count)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++)
		bytes += parts[i].len;
	io_write(c->stream, parts, count);
	client_conn_wrote(c, bytes);
}

void client_claim(struct client_conn *c, const struct client_request_events *events, void *owner)
{
	must(c->state == CLIENT_ANSWERING);
	must(c->events == NULL);
	c->events = events;
	c->owner = owner;
}

struct io_addr client_peer(const struct client_conn *c)
{
	return io_addr_from(c->peer, c->peer_bytes);
}

size_t client_pending(const struct client_conn *c)
{
	return io_write_pending(c->stream);
}

static bool status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

/* How the body's end will be known (RFC 9112 6.3). */
static void frame(struct client_conn *c, int status, uint64_t length, struct buf *out)
{
	if (!status_has_body(status)) {
		c->out.no_body = true;
		return;
	}
	c->out.no_body = c->out.is_head_request;
	if (length != CLIENT_LENGTH_UNKNOWN) {
		c->out.left = length;
		h1_write_header_u64(out, S("Content-Length"), length);
	} else if (c->out.http10) {
		c->out.until_close = true;
		c->out.keep_alive = false;
	} else {
		c->out.chunked = true;
		h1_write_header(out, S("Transfer-Encoding"), S("chunked"));
	}
}

void client_respond_head(struct client_conn *c, int status, const struct h1_header *headers,
			 size_t header_count, uint64_t length)
{
	struct buf *out = &c->door->scratch;
	struct slice bytes;

	must(c->state == CLIENT_ANSWERING);
	must(!c->out.head_sent);
	c->out.head_sent = true;
	if (c->door->draining)
		c->out.keep_alive = false;
	buf_clear(out);
	h1_write_status_line(out, status);
	for (size_t i = 0; i < header_count; i++)
		h1_write_header(out, headers[i].name, headers[i].value);
	h1_write_header(out, S("Date"), client_door_date(c->door));
	frame(c, status, length, out);
	if (!c->out.keep_alive)
		h1_write_header(out, S("Connection"), S("close"));
	else if (c->out.http10)
		h1_write_header(out, S("Connection"), S("keep-alive"));
	h1_write_head_end(out);
	bytes = buf_slice(out);
	put(c, &bytes, 1);
}

void client_respond_data(struct client_conn *c, struct slice bytes)
{
	char size_line[CHUNK_HEAD_MAX];
	struct slice parts[3];

	must(c->state == CLIENT_ANSWERING);
	must(c->out.head_sent);
	if (c->out.no_body || bytes.len == 0)
		return;
	if (!c->out.chunked) {
		must(c->out.until_close || bytes.len <= c->out.left);
		c->out.left -= c->out.until_close ? 0 : bytes.len;
		put(c, &bytes, 1);
		return;
	}
	parts[0] = (struct slice){ size_line, chunk_head(bytes.len, size_line) };
	parts[1] = bytes;
	parts[2] = S("\r\n");
	put(c, parts, 3);
}

void client_respond_end(struct client_conn *c)
{
	must(c->state == CLIENT_ANSWERING);
	must(c->out.head_sent);
	if (c->out.chunked && !c->out.no_body) {
		struct slice last = S(CHUNKED_LAST);

		put(c, &last, 1);
	} else {
		must(c->out.no_body || c->out.until_close || c->out.left == 0);
	}
	client_conn_answered(c);
}

void client_respond_break(struct client_conn *c)
{
	must(c->state == CLIENT_ANSWERING);
	/* A lacking last chunk, or lacking bytes, tell the truth by themselves. */
	client_conn_die(c, c->out.until_close ? IO_CLOSE_RESET : IO_CLOSE_FLUSH, false);
}

void client_respond_whole(struct client_conn *c, int status, const struct h1_header *headers,
			  size_t header_count, struct slice body)
{
	client_respond_head(c, status, headers, header_count, body.len);
	client_respond_data(c, body);
	client_respond_end(c);
}
