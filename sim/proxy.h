/* proxy.h: the proxy as it ships, minus its process: config, workers, pools,
 * exchanges, all on simulated loops. */
#ifndef BACKSTAY_SIM_PROXY_H
#define BACKSTAY_SIM_PROXY_H

#include "base/buf.h"
#include "base/log.h"
#include "observe/record.h"
#include "route/target.h"
#include "sim/sim.h"

struct sim_proxy;

/* Parses `config` (YAML; `file` is for messages), starts `workers` loops that
 * share its first listening address. `on_record` gets each exchange's record,
 * `log` is borrowed. NULL with the complaints in `errors` if the config is bad. */
struct sim_proxy *sim_proxy_create(struct sim *sim, unsigned workers, struct slice file,
				   struct slice config, const struct log *log,
				   void (*on_record)(void *owner, const struct exchange_record *r),
				   void *owner, struct buf *errors);
/* Puts another config in force; false, with the old one still in force, if it
 * is bad. */
bool sim_proxy_reload(struct sim_proxy *p, struct slice file, struct slice config,
		      struct buf *errors);
/* What a config allows at most, for judging. */
struct sim_proxy_limits {
	unsigned max_attempts;        /* of any model */
	size_t idle_connections;      /* of one worker to all backends */
	int64_t total_ms;             /* of any exchange */
	bool hedges;                  /* two attempts of one exchange may run at once */
};

/* Raises *limits to what the config in force allows. */
void sim_proxy_widen(const struct sim_proxy *p, struct sim_proxy_limits *limits);
/* Where clients connect to. */
struct io_addr sim_proxy_addr(const struct sim_proxy *p);
/* Stops accepting and lets what runs end. */
void sim_proxy_drain(struct sim_proxy *p);
/* Ends what still runs, honestly. */
void sim_proxy_end_all(struct sim_proxy *p);
/* Exchanges, places on targets, and upstream connections in use by exchanges. */
size_t sim_proxy_exchanges(const struct sim_proxy *p);
unsigned sim_proxy_in_flight(const struct sim_proxy *p);
/* Exchanges that fetch anew what is kept, for nobody. */
size_t sim_proxy_refreshing(const struct sim_proxy *p);
/* Exchanges that wait for a place, and bytes of request bodies held. */
unsigned sim_proxy_waiting(const struct sim_proxy *p);
uint64_t sim_proxy_body_bytes(const struct sim_proxy *p);
uint64_t sim_proxy_busy_connections(const struct sim_proxy *p);
/* Idle upstream connections of the worker that has most of them. */
uint64_t sim_proxy_idle_connections(const struct sim_proxy *p);
/* The most bytes any one stream of the proxy ever had queued to be sent. */
size_t sim_proxy_queued_max(const struct sim_proxy *p);
/* The target of that name in the config in force; NULL: there is none. */
struct target *sim_proxy_target(const struct sim_proxy *p, struct slice name);
/* Appends what it has counted, in Prometheus' text format. False: it is too much. */
MUST_USE bool sim_proxy_metrics(const struct sim_proxy *p, struct buf *out);
struct cache;
/* Its kept answers. */
struct cache *sim_proxy_cache(const struct sim_proxy *p);
/* The others that share its store are to forget it, as when it ends in good order. */
void sim_proxy_leave(struct sim_proxy *p);
/* Frees all; exchanges must have ended. NULL is fine. */
void sim_proxy_free(struct sim_proxy *p);

#endif
