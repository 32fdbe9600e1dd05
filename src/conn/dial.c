#include "conn/dial.h"
#include "conn/tunnel.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* One address that is being tried. */
struct try {
	struct dial *dial;
	struct io_stream *stream;     /* NULL: not begun, or over */
};

enum phase { PHASE_NAME, PHASE_CONNECT, PHASE_PROXY, PHASE_TLS };

struct dial {
	struct io *io;
	struct names *names;
	const struct origin *origin;
	const struct dial_events *events;
	void *owner;
	enum phase phase;
	struct names_lookup lookup;   /* its addresses are those to try, in order */
	struct try tries[IO_RESOLVE_MAX];
	unsigned next;                /* first address not tried yet */
	unsigned under_way;
	bool blamed;                  /* an address failed through nobody's fault but its own */
	bool local;                   /* one failed for our own lack of something */
	bool gone;
	struct tunnel tunnel;
	struct io_timer limit, stagger;
	struct io_grave grave;
	enum phase noted;             /* how far the address came that `text` tells of */
	char text[DIAL_TEXT_MAX];     /* the last failure of those that came furthest */
};

static void try_next(struct dial *d);

/* ---- endings ----------------------------------------------------------------------- */

static void bury(struct io_grave *g)
{
	struct dial *d = CONTAINER_OF(g, struct dial, grave);

	tunnel_free(&d->tunnel);
	free(d);
}

static void close_tries(struct dial *d, const struct try *but)
{
	for (unsigned i = 0; i < d->next; i++) {
		struct try *t = &d->tries[i];

		if (!t->stream || t == but)
			continue;
		io_close(t->stream, IO_CLOSE_NOW);
		t->stream = NULL;
		d->under_way--;
	}
}

void dial_cancel(struct dial *d)
{
	must(!d->gone);
	d->gone = true;
	names_cancel(d->names, &d->lookup);
	io_timer_clear(d->io, &d->limit);
	io_timer_clear(d->io, &d->stagger);
	close_tries(d, NULL);
	d->grave.bury = bury;
	io_bury(d->io, &d->grave);
}

static void PRINTF_LIKE(2, 3) note(struct dial *d, const char *format, ...)
{
	va_list args;

	if (d->phase < d->noted)
		return;
	d->noted = d->phase;
	va_start(args, format);
	vsnprintf(d->text, sizeof d->text, format, args);
	va_end(args);
}

static void fail(struct dial *d)
{
	/* Who ran out of descriptors or ports has learnt nothing about the target. */
	enum fault why = d->local && !d->blamed ? FAULT_LOCAL : FAULT_CONNECT;

	dial_cancel(d);
	d->events->on_fault(d->owner, why, d->text);
}

static void done(struct try *t)
{
	struct dial *d = t->dial;
	struct io_stream *s = t->stream;

	t->stream = NULL;
	d->under_way--;
	dial_cancel(d);
	d->events->on_done(d->owner, s, &d->lookup.addrs[t - d->tries]);
}

/* One address is out; the text is noted. */
static void try_over(struct try *t)
{
	struct dial *d = t->dial;

	io_close(t->stream, IO_CLOSE_NOW);
	t->stream = NULL;
	d->under_way--;
	if (d->next < d->lookup.count)
		try_next(d);
	else if (d->under_way == 0)
		fail(d);
}

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	static const char *const doing[] = {
		[PHASE_NAME] = "connecting to",
		[PHASE_CONNECT] = "connecting to",
		[PHASE_PROXY] = "CONNECT through the proxy at",
		[PHASE_TLS] = "the TLS handshake with",
	};
	struct try *t = owner;
	struct dial *d = t->dial;
	char addr[IO_ADDR_TEXT_MAX];

	if (why == IO_LOCAL)
		d->local = true;
	else if (why != IO_UNREACHABLE)
		d->blamed = true;
	note(d, "%s %s failed: %s", doing[d->phase],
	     io_addr_text(&d->lookup.addrs[t - d->tries], addr), text);
	try_over(t);
}

/* ---- TLS ------------------------------------------------------------------------------ */

static void on_tls_open(void *owner)
{
	done(owner);
}

static void on_tls_end(void *owner)
{
	on_broken(owner, IO_TLS_FAILED, "closed in the middle");
}

static const struct io_stream_events tls_events = {
	.on_open = on_tls_open,
	.on_end = on_tls_end,
	.on_broken = on_broken,
};

/* The stream reaches the origin. */
static void reached(struct try *t)
{
	struct dial *d = t->dial;

	if (!d->origin->tls) {
		done(t);
		return;
	}
	d->phase = PHASE_TLS;
	io_stream_adopt(t->stream, &tls_events, t);
	io_stream_tls(t->stream, d->origin->tls_setup, d->origin->host);
}

/* ---- a proxy's tunnel -------------------------------------------------------------------- */

static void on_proxy_data(void *owner, struct slice bytes)
{
	struct try *t = owner;
	struct dial *d = t->dial;

	switch (tunnel_feed(&d->tunnel, bytes, d->text, sizeof d->text)) {
	case TUNNEL_MORE:
		break;
	case TUNNEL_OPEN:
		reached(t);
		break;
	case TUNNEL_REFUSED:
		/* Its other addresses would say the same. */
		d->blamed = true;
		fail(d);
		break;
	}
}

static void on_proxy_end(void *owner)
{
	on_broken(owner, IO_RESET, "closed without an answer");
}

static const struct io_stream_events proxy_events = {
	.on_data = on_proxy_data,
	.on_end = on_proxy_end,
	.on_broken = on_broken,
};

static void ask_proxy(struct try *t)
{
	struct dial *d = t->dial;
	struct buf ask = BUF_INIT(TUNNEL_HEAD_BYTES_MAX);
	struct slice bytes;

	d->phase = PHASE_PROXY;
	tunnel_free(&d->tunnel);
	tunnel_init(&d->tunnel);
	tunnel_ask(&ask, d->origin);
	bytes = buf_slice(&ask);
	io_stream_adopt(t->stream, &proxy_events, t);
	io_write(t->stream, &bytes, 1);
	buf_free(&ask);
}

/* ---- connecting ----------------------------------------------------------------------------- */

static void on_open(void *owner)
{
	struct try *t = owner;
	struct dial *d = t->dial;

	close_tries(d, t);
	io_timer_clear(d->io, &d->stagger);
	if (d->origin->proxy)
		ask_proxy(t);
	else
		reached(t);
}

/* A server that speaks or leaves before it was asked anything. */
static void on_early_end(void *owner)
{
	on_broken(owner, IO_RESET, "closed at once");
}

static const struct io_stream_events connect_events = {
	.on_open = on_open,
	.on_end = on_early_end,
	.on_broken = on_broken,
};

static void try_next(struct dial *d)
{
	struct try *t = &d->tries[d->next];

	must(d->next < d->lookup.count);
	d->phase = PHASE_CONNECT;
	t->dial = d;
	t->stream = io_connect(d->io, &d->lookup.addrs[d->next], &connect_events, t);
	d->next++;
	d->under_way++;
	io_timer_set(d->io, &d->stagger,
		     d->next < d->lookup.count ? mono_after(io_now(d->io), DIAL_STAGGER_MS)
					       : MONO_NEVER);
}

static void on_stagger(struct io_timer *timer, mono_ms now)
{
	(void)now;
	try_next(CONTAINER_OF(timer, struct dial, stagger));
}

static void on_limit(struct io_timer *timer, mono_ms now)
{
	static const char *const doing[] = {
		[PHASE_NAME] = "the name was still being looked up",
		[PHASE_CONNECT] = "no address had answered",
		[PHASE_PROXY] = "the proxy had not answered CONNECT",
		[PHASE_TLS] = "the TLS handshake was not done",
	};
	struct dial *d = CONTAINER_OF(timer, struct dial, limit);

	(void)now;
	d->blamed = true;
	note(d, "no connection to %.*s within %lld ms: %s", SLICE_ARG(d->origin->authority),
	     (long long)d->origin->connect_ms, doing[d->phase]);
	fail(d);
}

static void on_names(struct names_lookup *l)
{
	struct dial *d = CONTAINER_OF(l, struct dial, lookup);

	if (l->count > 0) {
		try_next(d);
		return;
	}
	note(d, "looking up %.*s failed: %s",
	     SLICE_ARG(d->origin->proxy ? d->origin->proxy->host : d->origin->host), l->why);
	fail(d);
}

struct dial *dial_start(struct io *io, struct names *names, const struct origin *origin,
			const struct dial_events *events, void *owner)
{
	struct dial *d = calloc(1, sizeof *d);

	must(d != NULL);
	must(!origin->tls || origin->tls_setup);
	d->io = io;
	d->names = names;
	d->origin = origin;
	d->events = events;
	d->owner = owner;
	d->lookup.done = on_names;
	d->limit.fire = on_limit;
	d->stagger.fire = on_stagger;
	tunnel_init(&d->tunnel);
	io_timer_set(io, &d->limit, mono_after(io_now(io), origin->connect_ms));
	if (origin->proxy)
		names_lookup(names, &d->lookup, origin->proxy->host, origin->proxy->port);
	else
		names_lookup(names, &d->lookup, origin->host, origin->port);
	return d;
}
