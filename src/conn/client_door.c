/* Accepting connections, within limits, until told to drain. */
#include "conn/client_inside.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAD_BYTES_MAX ((size_t)1024 * 1024)  /* of a response; upstream heads are far below */

struct client_door *client_door_create(struct io *io, const struct client_limits *limits,
				       struct client_counters *counters, const struct log *log,
				       const struct client_door_events *events, void *owner)
{
	struct client_door *d = calloc(1, sizeof *d);

	must(d != NULL);
	d->io = io;
	d->limits = limits;
	d->counters = counters;
	d->log = log;
	d->events = events;
	d->owner = owner;
	d->scratch = BUF_INIT(HEAD_BYTES_MAX);
	d->date_s = -1;
	list_init(&d->conns);
	return d;
}

/* Says why and closes, without a struct for somebody who may not stay. */
static void turn_away(struct client_door *d, struct io_stream *s)
{
	struct buf body = BUF_INIT(64 * 1024), head = BUF_INIT(4096);
	struct slice parts[2], type;

	atomic_fetch_add(&d->counters->refused_full, 1);
	type = d->events->write_error(d->owner, 503, S("The proxy has reached its limit of open "
				      "connections (limits.connections)."), &body);
	h1_write_status_line(&head, 503);
	h1_write_header(&head, S("content-type"), type);
	h1_write_header(&head, S("retry-after"), S("1"));
	h1_write_header(&head, S("Date"), client_door_date(d));
	h1_write_header(&head, S("Connection"), S("close"));
	h1_write_header_u64(&head, S("Content-Length"), buf_len(&body));
	h1_write_head_end(&head);
	parts[0] = buf_slice(&head);
	parts[1] = buf_slice(&body);
	io_write(s, parts, 2);
	io_close(s, IO_CLOSE_FLUSH);
	buf_free(&head);
	buf_free(&body);
}

static void on_accept(void *owner, struct io_stream *s, const struct io_addr *peer)
{
	struct client_door *d = owner;

	atomic_fetch_add(&d->counters->accepted, 1);
	/* Counted first: other workers accept at the same time. */
	if (atomic_fetch_add(&d->counters->connections, 1) < d->limits->connections) {
		client_conn_begin(d, s, peer);
		return;
	}
	atomic_fetch_sub(&d->counters->connections, 1);
	turn_away(d, s);
}

void client_door_listen(struct client_door *d, struct io_socket *socket, struct io_tls *tls)
{
	must(d->listener_count < CLIENT_LISTENERS_MAX);
	d->listeners[d->listener_count++] = io_listen(d->io, socket, tls, on_accept, d);
}

void client_door_set_limits(struct client_door *d, const struct client_limits *limits)
{
	d->limits = limits;
}

void client_door_set_tls(struct client_door *d, struct io_tls *tls)
{
	for (size_t i = 0; i < d->listener_count; i++)
		io_listener_set_tls(d->listeners[i], tls);
}

static void stop_accepting(struct client_door *d)
{
	for (size_t i = 0; i < d->listener_count; i++)
		io_listener_close(d->listeners[i]);
	d->listener_count = 0;
}

void client_door_drain(struct client_door *d)
{
	stop_accepting(d);
	d->draining = true;
	LIST_EACH(&d->conns, link, after) {
		struct client_conn *c = CONTAINER_OF(link, struct client_conn, link);

		if ((c->state == CLIENT_IDLE || c->state == CLIENT_HEAD) && buf_len(&c->in) == 0)
			client_conn_die(c, IO_CLOSE_FLUSH, false);
	}
}

size_t client_door_count(const struct client_door *d)
{
	return d->conns.count;
}

void client_door_free(struct client_door *d)
{
	if (!d)
		return;
	stop_accepting(d);
	while (!list_empty(&d->conns))
		client_conn_die(CONTAINER_OF(list_first(&d->conns), struct client_conn, link),
				IO_CLOSE_NOW, true);
	buf_free(&d->scratch);
	free(d);
}

struct slice client_door_date(struct client_door *d)
{
	time_t second = (time_t)(io_wall_ms(d->io) / 1000);
	struct tm tm;

	if (second != d->date_s) {
		d->date_s = second;
		gmtime_r(&second, &tm);
		/* IMF-fixdate (RFC 9110 5.6.7); the C locale is never changed here. */
		strftime(d->date, sizeof d->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	}
	return slice_of(d->date);
}
