/* tunnel.h: the CONNECT handshake with an HTTP forward proxy (RFC 9110 9.3.6),
 * bytes only. */
#ifndef BACKSTAY_CONN_TUNNEL_H
#define BACKSTAY_CONN_TUNNEL_H

#include "base/buf.h"
#include "conn/policy.h"

#define TUNNEL_HEAD_BYTES_MAX (16 * 1024)
#define TUNNEL_INTERIMS_MAX 16

struct tunnel {
	struct buf head;
	size_t scanned;
	unsigned interims;
};

enum tunnel_step {
	TUNNEL_MORE,
	TUNNEL_OPEN,                  /* what is written now reaches the origin */
	TUNNEL_REFUSED,               /* `why` says how */
};

/* Appends the request that asks `origin`'s proxy for a tunnel to it. */
void tunnel_ask(struct buf *out, const struct origin *origin);
/* A zeroed tunnel that has read nothing; ended with tunnel_free(). */
void tunnel_init(struct tunnel *t);
void tunnel_free(struct tunnel *t);
/* Bytes from the proxy, cut anywhere. The origin speaks second in TLS and in
 * HTTP, so bytes behind the proxy's head are refused. */
enum tunnel_step tunnel_feed(struct tunnel *t, struct slice in, char *why, size_t why_size);

#endif
