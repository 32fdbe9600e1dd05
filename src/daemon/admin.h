/* admin.h: the admin port, on the control thread: what there is stands in one
 * table of routes, docs/openapi.json says it to others, and / is for people. */
#ifndef BACKSTAY_DAEMON_ADMIN_H
#define BACKSTAY_DAEMON_ADMIN_H

#include "cache/cache.h"
#include "conn/client_conn.h"
#include "config/config.h"
#include "daemon/alerts.h"
#include "daemon/shared.h"
#include "io/real/real.h"
#include "observe/metrics.h"
#include "observe/recent.h"

struct doc;
struct drills;
struct flights;
struct quotas;
struct pulse;

/* What the serving process knows of itself; the control thread's. */
struct admin_state {
	struct io *io;                /* knows the time on the wall; NULL: it is reckoned from the start */
	struct config *config;        /* in use; targets bound */
	const struct config *first_config;    /* the one the mocks were started from */
	struct metrics *metrics;
	struct cache *cache;
	struct flights *flights;
	struct quotas *quotas;
	struct recent *recent, *troubles;     /* the last exchanges; those with trouble on the way */
	struct pulse *pulse;
	struct drills *drills;
	const struct client_counters *clients;
	const struct io_lines *log_lines, *access_lines;      /* the second may be NULL */
	const struct shared *shared;
	struct alerts *alerts;        /* NULL: nobody is told */
	unsigned workers;
	mono_ms started_at;
	int64_t started_wall_ms;
	mono_ms config_at;            /* since then the config is in use */
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
/* All that is known; the second with the last exchanges behind it. */
MUST_USE bool admin_write_state(const struct admin_state *s, mono_ms now, struct buf *out);
MUST_USE bool admin_write_status(const struct admin_state *s, mono_ms now, struct buf *out);

/* Unix time at `now`. */
int64_t admin_wall_ms(const struct admin_state *s, mono_ms now);
/* Parts of the state, as members of the object that is open in `d`: "models",
 * "queue", "budgets", "cluster" and "nodes"; one target, as an element of a list. */
void admin_put_models(const struct admin_state *s, mono_ms now, struct doc *d);
void admin_put_queue(const struct admin_state *s, struct doc *d);
void admin_put_budgets(const struct admin_state *s, mono_ms now, struct doc *d);
void admin_put_cluster(const struct admin_state *s, mono_ms now, struct doc *d);
void admin_put_target(const struct admin_state *s, const struct model_policy *m,
		      const struct target_policy *t, mono_ms now, struct doc *d);

/* What this node says of itself; id and seen_ms are the cache's to fill in. */
void admin_describe(const struct admin_state *s, mono_ms now, struct cache_node *out);
/* For metrics: nodes by state, this one too; is it alone; how many configs are in use
 * among those that live. */
struct admin_cluster_counts {
	unsigned nodes[CACHE_NODE_STATE_COUNT];
	bool alone;
	unsigned configs;
};
void admin_count_cluster(const struct admin_state *s, mono_ms now, struct admin_cluster_counts *out);

/* The dashboard (status_page.html) and docs/openapi.json. */
extern const struct slice status_page, openapi_document;

#endif
