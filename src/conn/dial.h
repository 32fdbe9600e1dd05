/* dial.h: from an origin to a stream on which a request can be written: name,
 * addresses one after another, CONNECT through a proxy, TLS; all within the
 * origin's connect_ms. */
#ifndef BACKSTAY_CONN_DIAL_H
#define BACKSTAY_CONN_DIAL_H

#include "conn/names.h"
#include "conn/policy.h"

/* The next address is tried when the one before has not answered for so long,
 * or at once when it failed (catalogue N01, N02, N04; RFC 8305 5). */
#define DIAL_STAGGER_MS 250
#define DIAL_TEXT_MAX 320

struct dial;

/* One of them is told, once, in a later step, unless cancelled; the dial is
 * gone then. */
struct dial_events {
	/* The stream is the owner's, who adopts it before returning. */
	void (*on_done)(void *owner, struct io_stream *s, const struct io_addr *addr);
	/* FAULT_CONNECT or FAULT_LOCAL; `text` is valid during the call. */
	void (*on_fault)(void *owner, enum fault why, const char *text);
};

/* Starts. All arguments are borrowed until the dial is gone. Never NULL. */
struct dial *dial_start(struct io *io, struct names *names, const struct origin *origin,
			const struct dial_events *events, void *owner);
/* Closes what is open; nothing is told. */
void dial_cancel(struct dial *d);

#endif
