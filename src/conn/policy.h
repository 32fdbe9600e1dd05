/* policy.h: what conn/ is told by the config. Plain data, owned by the config
 * snapshot, immutable, shared by all workers. */
#ifndef BACKSTAY_CONN_POLICY_H
#define BACKSTAY_CONN_POLICY_H

#include "base/slice.h"
#include "io/io.h"

/* Limits on what clients may do to us. Times in ms, sizes in bytes. */
struct client_limits {
	size_t header_bytes;          /* 431 above; default 64 KiB */
	size_t body_bytes;            /* 413 above; default 64 MiB */
	size_t memory_bytes;          /* of all bodies held in the process: 503 above; default 512 MiB; 0: no limit */
	int64_t header_ms;            /* from the first byte (or the accept) to the end of the head: 408; default 10 s */
	int64_t body_idle_ms;         /* between two pieces of a body: 408; default 30 s */
	int64_t keep_alive_ms;        /* idle between requests: closed; default 75 s */
	int64_t write_stall_ms;       /* a client that takes nothing for so long is gone; default 60 s */
	unsigned connections;         /* per process; above: 503 and close; default 10,000 */
};

/* A forward proxy for CONNECT. */
struct proxy_policy {
	struct slice host;
	uint16_t port;
	struct slice authorization;   /* value of Proxy-Authorization; empty: none. Secret */
};

/* Where connections to one URL of a backend go. Two origins with equal `key`
 * share pooled connections. */
struct origin {
	struct slice key;             /* unique text: scheme, host, port, proxy, TLS setup */
	struct slice host;            /* name or literal, without brackets */
	uint16_t port;
	struct slice authority;       /* value of the Host header */
	struct slice base_path;       /* "/v1"; "" for the root */
	bool tls;
	struct io_tls *tls_setup;     /* NULL without tls; the snapshot's reference */
	const struct proxy_policy *proxy;   /* NULL: straight */
	int64_t connect_ms;           /* for name, TCP, CONNECT and TLS together; default 2 s */
	int64_t idle_ms;              /* a pooled connection is not reused after; default 50 s */
	unsigned idle_max;            /* pooled per worker; default 64 */
};

#endif
