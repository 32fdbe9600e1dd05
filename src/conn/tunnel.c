#include "conn/tunnel.h"
#include "wire/h1.h"

#include <stdio.h>

void tunnel_ask(struct buf *out, const struct origin *origin)
{
	bool six = slice_find(origin->host, ':') != SLICE_NOT_FOUND;
	struct buf target = BUF_INIT(512);

	buf_putf(&target, six ? "[%.*s]:%u" : "%.*s:%u", SLICE_ARG(origin->host),
		 (unsigned)origin->port);
	h1_write_request_line(out, S("CONNECT"), buf_slice(&target));
	h1_write_header(out, S("Host"), buf_slice(&target));
	if (origin->proxy->authorization.len > 0)
		h1_write_header(out, S("Proxy-Authorization"), origin->proxy->authorization);
	h1_write_head_end(out);
	buf_free(&target);
}

void tunnel_init(struct tunnel *t)
{
	*t = (struct tunnel){ .head = BUF_INIT(TUNNEL_HEAD_BYTES_MAX) };
}

void tunnel_free(struct tunnel *t)
{
	buf_free(&t->head);
}

/* A 2xx answer to CONNECT has no body whatever its headers say. */
static enum tunnel_step judge(const struct h1_head *head, size_t extra, char *why, size_t why_size)
{
	if (head->status < 200 || head->status > 299) {
		snprintf(why, why_size, "the proxy answered CONNECT with %d %s", head->status,
			 h1_reason(head->status));
		return TUNNEL_REFUSED;
	}
	if (extra > 0) {
		snprintf(why, why_size, "the proxy sent bytes behind its answer to CONNECT");
		return TUNNEL_REFUSED;
	}
	return TUNNEL_OPEN;
}

enum tunnel_step tunnel_feed(struct tunnel *t, struct slice in, char *why, size_t why_size)
{
	struct h1_head head;
	enum h1_result result;

	if (!buf_append(&t->head, in)) {
		snprintf(why, why_size, "the proxy's answer to CONNECT is longer than %d bytes",
			 TUNNEL_HEAD_BYTES_MAX);
		return TUNNEL_REFUSED;
	}
	while (buf_len(&t->head) > 0) {
		result = h1_parse_response(buf_slice(&t->head), TUNNEL_HEAD_BYTES_MAX, &t->scanned,
					   false, &head);
		if (result == H1_MORE)
			return TUNNEL_MORE;
		if (result != H1_OK) {
			snprintf(why, why_size, "the proxy's answer to CONNECT is malformed: %s",
				 h1_result_text(result));
			return TUNNEL_REFUSED;
		}
		if (head.status >= 200 || head.status == 101 ||
		    ++t->interims > TUNNEL_INTERIMS_MAX)
			return judge(&head, buf_len(&t->head) - head.bytes, why, why_size);
		buf_consume(&t->head, head.bytes);
		t->scanned = 0;
	}
	return TUNNEL_MORE;
}
