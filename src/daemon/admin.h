/* admin.h: the admin port: /healthz, /readyz, /metrics, /status,
 * /admin/targets, and / for people. Read-only, on the control thread. */
#ifndef BACKSTAY_DAEMON_ADMIN_H
#define BACKSTAY_DAEMON_ADMIN_H

#include "conn/client_conn.h"
#include "config/config.h"
#include "daemon/alerts.h"
#include "daemon/shared.h"
#include "io/real/real.h"
#include "observe/metrics.h"
#include "observe/recent.h"

struct cache;
struct flights;

/* What the serving process knows of itself; the control thread's. The admin
 * port only reads it. */
struct admin_state {
	struct config *config;        /* in use; targets bound */
	const struct config *first_config;    /* the one the mocks were started from */
	struct metrics *metrics;
	struct cache *cache;
	struct flights *flights;
	struct recent *recent;
	const struct client_counters *clients;
	const struct io_lines *log_lines, *access_lines;      /* the second may be NULL */
	const struct shared *shared;
	struct alerts *alerts;        /* NULL: nobody is told */
	unsigned workers;
	mono_ms started_at;
	int64_t started_wall_ms;
	bool draining;
	struct buf refused;           /* why the last reload was refused; empty: it was not */
	int64_t refused_wall_ms;
};

struct admin;

/* Accepts on `socket`, which the caller closes after admin_free(). `state` is
 * borrowed. */
struct admin *admin_create(struct io *io, struct io_socket *socket, const struct admin_state *state,
			   const struct log *log);
/* Breaks its connections and frees it; NULL is fine. */
void admin_free(struct admin *a);

/* The documents, apart from HTTP. False: the buf's maximum was reached. */
MUST_USE bool admin_write_metrics(const struct admin_state *s, enum metrics_format format, mono_ms now,
				  struct buf *out);
MUST_USE bool admin_write_targets(const struct admin_state *s, mono_ms now, struct buf *out);
MUST_USE bool admin_write_status(const struct admin_state *s, mono_ms now, struct buf *out);

/* The status page (status_page.html). */
extern const struct slice status_page;

#endif
