/* crowd.h: many clients, one proxy, some backends, in a simulated world: for
 * programs that look at shares and rates instead of single answers. */
#ifndef BACKSTAY_TESTS_CROWD_H
#define BACKSTAY_TESTS_CROWD_H

#include "base/rng.h"
#include "mock/mock.h"
#include "observe/metrics.h"
#include "sim/client.h"
#include "sim/proxy.h"

#define CROWD_BACKENDS_MAX 4

struct crowd_backend {
	struct io_addr addr;
	struct io *io;
	struct io_socket *socket;
	struct mock *mock;
	unsigned tries;               /* so many the proxy made on it, ended */
};

/* What became of the requests. */
struct crowd_counts {
	uint64_t asked, complete, honest, left;
	uint64_t broken;              /* ended by a broken connection */
	uint64_t wrong;               /* complete, but not the words of a healthy backend */
	uint64_t pending;             /* never ended */
	uint64_t violations;
	uint64_t attempts;            /* that the proxy made */
	uint64_t late, late_complete; /* of those asked after `late_from` who stayed */
};

struct crowd {
	struct sim *sim;
	struct rng rng;               /* the crowd's own chance */
	struct io *clients;
	struct sim_proxy *proxy;
	struct crowd_backend backends[CROWD_BACKENDS_MAX];
	unsigned backend_count;
	struct log log;
	struct buf expected;          /* the words of a right answer to CROWD_PROMPT */
	struct asker *idle, *busy;
	struct metrics *metrics;      /* what the daemon would count of it */
	struct metrics_sheet *sheet;
	uint64_t records;
	int64_t late_from;            /* io_now()'s ms; 0: nobody is late */
	struct crowd_counts counts;
	char first_bad[600];          /* what the first bad answer looked like */
};

#define CROWD_PROMPT "hello there"

/* A world with `backends` mocks (10.1.0.1:80 ... named a.test ...) of which
 * `options` are the same. */
void crowd_init(struct crowd *c, uint64_t seed, unsigned backends, const struct mock_options *options);
/* Starts the proxy; its config must be good. */
void crowd_proxy(struct crowd *c, unsigned workers, struct slice config);
/* One request now. */
struct asker *crowd_ask(struct crowd *c, bool stream, struct slice headers);
/* Its answer so far. */
const struct sim_answer *asker_answer(const struct asker *a);
/* The client goes away; NULL is fine, and so is one that has its answer. */
void asker_leave(struct asker *a);
/* Counts its answer and lets its client be used again; it must have ended. */
void asker_done(struct crowd *c, struct asker *a);
/* Counts answers that have ended; their clients ask again later. */
void crowd_harvest(struct crowd *c);
/* Lets what runs end, takes everything down. False, with a line on stderr: the
 * proxy or the world holds something still, or the metrics are not what clients,
 * records and mocks counted. */
bool crowd_end(struct crowd *c);

#endif
