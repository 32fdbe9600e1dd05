/* The admin port's HTTP. */
#include "daemon/admin.h"

#include "base/check.h"
#include "wire/json.h"
#include "wire/url.h"

#include <stdlib.h>

#define DOCUMENT_MAX ((size_t)16 * 1024 * 1024)

/* Small and local, so that nobody can use the admin port to tie us up. */
static const struct client_limits limits = {
	.header_bytes = 16 * 1024,
	.body_bytes = 4 * 1024,
	.header_ms = 5000,
	.body_idle_ms = 5000,
	.keep_alive_ms = 60000,
	.write_stall_ms = 10000,
	.connections = 256,
};

struct admin {
	struct io *io;
	const struct admin_state *state;
	struct client_door *door;
	struct client_counters counters;
	struct buf document;
};

static const struct h1_header no_store = { S_INIT("cache-control"), S_INIT("no-store") };

static void answer(struct client_conn *c, int status, struct slice type, struct slice body)
{
	const struct h1_header headers[] = {
		{ S("content-type"), type },
		no_store,
		{ S("x-content-type-options"), S("nosniff") },
		{ S("content-security-policy"),
		  S("default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
		    "connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'") },
	};

	client_respond_whole(c, status, headers, COUNT_OF(headers), body);
}

#define PLAIN_TEXT S("text/plain; charset=utf-8")

static void answer_text(struct client_conn *c, int status, struct slice text)
{
	answer(c, status, PLAIN_TEXT, text);
}

static void answer_ready(struct admin *a, struct client_conn *c)
{
	if (a->state->draining)
		answer_text(c, 503, S("draining: no new requests are taken\n"));
	else
		answer_text(c, 200, S("ready\n"));
}

/* A document that has been written, or not. */
static void answer_document(struct admin *a, struct client_conn *c, struct slice type, bool ok)
{
	if (ok)
		answer(c, 200, type, buf_slice(&a->document));
	else
		answer_text(c, 500, S("the document has become too large\n"));
	buf_free(&a->document);
}

static void on_request(void *owner, struct client_conn *c, const struct h1_head *head,
		       struct buf *body)
{
	struct admin *a = owner;
	struct slice path, query;
	enum metrics_format format;

	(void)body;
	if (!slice_eq(head->method, S("GET")) && !slice_eq(head->method, S("HEAD"))) {
		answer_text(c, 405, S("only GET is understood here\n"));
	} else if (!url_split_target(head->target, &path, &query)) {
		answer_text(c, 400, S("the path is malformed\n"));
	} else if (slice_eq(path, S("/healthz"))) {
		answer_text(c, 200, S("alive\n"));
	} else if (slice_eq(path, S("/readyz"))) {
		answer_ready(a, c);
	} else if (slice_eq(path, S("/metrics"))) {
		format = metrics_format_for(h1_get(head, S("accept")));
		answer_document(a, c, metrics_media_type(format),
				admin_write_metrics(a->state, format, io_now(a->io), &a->document));
	} else if (slice_eq(path, S("/status"))) {
		answer_document(a, c, S("application/json"),
				admin_write_status(a->state, io_now(a->io), &a->document));
	} else if (slice_eq(path, S("/admin/targets"))) {
		answer_document(a, c, S("application/json"),
				admin_write_targets(a->state, io_now(a->io), &a->document));
	} else if (slice_eq(path, S("/"))) {
		answer(c, 200, S("text/html; charset=utf-8"), status_page);
	} else {
		answer_text(c, 404, S("there are /, /status, /admin/targets, /metrics, /healthz and /readyz\n"));
	}
}

static struct slice write_error(void *owner, int status, struct slice sentence, struct buf *out)
{
	(void)owner, (void)status;
	buf_put(out, sentence);
	buf_puts(out, "\n");
	return PLAIN_TEXT;
}

static const struct client_door_events events = {
	.on_request = on_request,
	.write_error = write_error,
};

struct admin *admin_create(struct io *io, struct io_socket *socket, const struct admin_state *state,
			   const struct log *log)
{
	struct admin *a = calloc(1, sizeof *a);

	must(a != NULL);
	a->io = io;
	a->state = state;
	a->document = BUF_INIT(DOCUMENT_MAX);
	a->door = client_door_create(io, &limits, &a->counters, log, &events, a);
	client_door_listen(a->door, socket, NULL);
	return a;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	client_door_free(a->door);
	buf_free(&a->document);
	free(a);
}
