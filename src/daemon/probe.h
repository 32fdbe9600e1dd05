/* probe.h: asks several backends something, all at once, before there is a
 * proxy: for `check --live` and for finding local model servers. */
#ifndef BACKSTAY_DAEMON_PROBE_H
#define BACKSTAY_DAEMON_PROBE_H

#include "base/arena.h"
#include "base/fault.h"
#include "conn/upstream.h"

#define PROBE_BODY_MAX ((size_t)8 * 1024 * 1024)

struct probe {
	/* Set by the caller, borrowed: */
	const struct origin *origin;
	struct slice target;          /* path and query of the GET */
	struct slice headers;         /* ready lines, see struct upstream_request */
	/* Filled in: */
	enum fault fault;             /* FAULT_NONE: a good answer; FAULT_SILENCE: none in time */
	int status;                   /* 0: no head came */
	struct slice text;            /* what went wrong, or the backend's own words; arena */
	struct slice body;            /* of a good answer; arena */
	int64_t took_ms;
};

/* Asks all of them and waits at most `limit_ms` for each. An answer of another
 * status than 200 is judged by the dialect's rules. False, with a sentence in
 * `why`, if there is no loop to be had. */
bool probes_run(struct probe *probes, size_t count, int64_t limit_ms, struct arena *arena,
		char *why, size_t why_size);

#endif
