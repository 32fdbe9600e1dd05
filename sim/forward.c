/* forward.c: reads a CONNECT, connects, and then passes bytes both ways. */
#include "sim/forward.h"

#include "base/buf.h"
#include "base/check.h"
#include "base/list.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>

#define AUTHORIZATION_MAX 128
#define HEAD_MAX ((size_t)64 << 10)

struct forward {
	struct io *io;
	struct io_socket *socket;
	struct io_listener *listener;
	struct list pairs;
	char authorization[AUTHORIZATION_MAX];
	int status;
	unsigned tunnels;
};

/* A client and, once it was asked for, where it wanted to go. */
struct pair {
	struct forward *f;
	struct link link;
	struct io_stream *client, *origin;
	struct buf head;
	struct io_grave grave;
};

static void bury(struct io_grave *g)
{
	struct pair *p = CONTAINER_OF(g, struct pair, grave);

	buf_free(&p->head);
	free(p);
}

static void end_pair(struct pair *p, enum io_close how)
{
	if (p->client)
		io_close(p->client, how);
	if (p->origin)
		io_close(p->origin, how);
	list_remove(&p->f->pairs, &p->link);
	p->grave.bury = bury;
	io_bury(p->f->io, &p->grave);
}

static void say(struct io_stream *s, struct slice bytes)
{
	io_write(s, &bytes, 1);
}

static void answer(struct pair *p, int status)
{
	char text[96];

	/* A tunnel's head has no length (RFC 9110 9.3.6). */
	snprintf(text, sizeof text, "HTTP/1.1 %d Told So\r\n%s\r\n", status,
		 status == 200 ? "" : "Content-Length: 0\r\n");
	say(p->client, slice_of(text));
}

/* ---- the tunnel ------------------------------------------------------------------ */

static void on_either_broken(void *owner, enum io_broken why, const char *text)
{
	(void)why;
	(void)text;
	end_pair(owner, IO_CLOSE_RESET);
}

static void on_either_end(void *owner)
{
	end_pair(owner, IO_CLOSE_FLUSH);
}

static void on_client_bytes(void *owner, struct slice bytes)
{
	struct pair *p = owner;

	say(p->origin, bytes);
}

static void on_origin_bytes(void *owner, struct slice bytes)
{
	struct pair *p = owner;

	say(p->client, bytes);
}

static const struct io_stream_events open_client_events = {
	.on_data = on_client_bytes, .on_end = on_either_end, .on_broken = on_either_broken,
};

static void on_origin_open(void *owner)
{
	struct pair *p = owner;

	p->f->tunnels++;
	io_stream_adopt(p->client, &open_client_events, p);
	answer(p, 200);
}

static void on_origin_broken(void *owner, enum io_broken why, const char *text)
{
	struct pair *p = owner;

	(void)why;
	(void)text;
	answer(p, 502);
	end_pair(p, IO_CLOSE_FLUSH);
}

static const struct io_stream_events origin_events = {
	.on_open = on_origin_open, .on_data = on_origin_bytes, .on_end = on_either_end,
	.on_broken = on_origin_broken,
};

/* ---- the request ------------------------------------------------------------------- */

/* "HOST:PORT", a name or an address. False: it cannot be found. */
static bool find(struct forward *f, struct slice authority, struct io_addr *out)
{
	struct slice host = SLICE_NONE, port = SLICE_NONE;
	struct sim_host *h;
	char name[SIM_NAME_MAX];
	uint64_t n;

	if (io_addr_parse(authority, out))
		return true;
	if (!slice_cut(authority, ':', &host, &port) || !slice_to_u64(port, &n) || n > UINT16_MAX)
		return false;
	snprintf(name, sizeof name, "%.*s", SLICE_ARG(host));
	h = sim_host(sim_io_world(f->io), name);
	if (!h->count || h->fails)
		return false;
	*out = h->addrs[0];
	out->port = (uint16_t)n;
	return true;
}

/* The value of the client's Proxy-Authorization. */
static struct slice authorization_of(struct slice head)
{
	struct slice line, name, value;

	while (slice_cut(head, '\n', &line, &head)) {
		if (slice_cut(line, ':', &name, &value) &&
		    slice_eq_nocase(name, S("proxy-authorization")))
			return slice_trim(value);
	}
	return SLICE_NONE;
}

/* The status of the answer; 200: *to is where the client wants to go. */
static int judge_request(struct pair *p, struct slice head, struct io_addr *to)
{
	struct forward *f = p->f;
	struct slice wanted = slice_of(f->authorization), method, target, rest;

	if (!slice_cut(head, ' ', &method, &rest) || !slice_cut(rest, ' ', &target, &rest))
		return 400;
	if (!slice_eq(method, S("CONNECT")))
		return 405;
	if (wanted.len && !slice_eq(authorization_of(rest), wanted))
		return 407;
	if (f->status != 200)
		return f->status;
	return find(f, target, to) ? 200 : 502;
}

static void on_request_bytes(void *owner, struct slice bytes)
{
	struct pair *p = owner;
	struct io_addr to;
	int status;

	if (p->origin)
		return;                       /* spoke before it was answered */
	buf_put(&p->head, bytes);
	if (!slice_ends(buf_slice(&p->head), S("\r\n\r\n")))
		return;
	status = judge_request(p, buf_slice(&p->head), &to);
	if (status == 200) {
		p->origin = io_connect(p->f->io, &to, &origin_events, p);
		return;
	}
	answer(p, status);
	end_pair(p, IO_CLOSE_FLUSH);
}

static const struct io_stream_events asking_events = {
	.on_data = on_request_bytes, .on_end = on_either_end, .on_broken = on_either_broken,
};

static void on_accept(void *owner, struct io_stream *s, const struct io_addr *peer)
{
	struct forward *f = owner;
	struct pair *p = calloc(1, sizeof *p);

	(void)peer;
	must(p != NULL);
	p->f = f;
	p->client = s;
	p->head = BUF_INIT(HEAD_MAX);
	list_append(&f->pairs, &p->link);
	io_stream_adopt(s, &asking_events, p);
}

/* ---- the proxy --------------------------------------------------------------------- */

struct forward *forward_create(struct io *io, const struct io_addr *at)
{
	struct forward *f = calloc(1, sizeof *f);

	must(f != NULL);
	f->io = io;
	f->status = 200;
	list_init(&f->pairs);
	f->socket = io_socket_open(at, NULL, 0);
	f->listener = io_listen(io, f->socket, NULL, on_accept, f);
	return f;
}

void forward_want(struct forward *f, struct slice authorization)
{
	snprintf(f->authorization, sizeof f->authorization, "%.*s", SLICE_ARG(authorization));
}

void forward_refuse(struct forward *f, int status)
{
	f->status = status;
}

unsigned forward_tunnels(const struct forward *f)
{
	return f->tunnels;
}

void forward_free(struct forward *f)
{
	if (!f)
		return;
	io_listener_close(f->listener);
	LIST_EACH(&f->pairs, link, after)
		end_pair(CONTAINER_OF(link, struct pair, link), IO_CLOSE_NOW);
	sim_run_for(sim_io_world(f->io), 1);
	io_socket_close(f->socket);
	free(f);
}
