/* drills.h: rehearsals: a target's tries fail for a while as if it were really so,
 * and what becomes of the clients meanwhile is counted. */
#ifndef BACKSTAY_DAEMON_DRILLS_H
#define BACKSTAY_DAEMON_DRILLS_H

#include "config/config.h"
#include "daemon/alerts.h"
#include "daemon/doc.h"
#include "observe/record.h"

#define DRILLS_MAX 32                 /* kept, running and over */
#define DRILL_MS_MAX ((int64_t)60 * 60 * 1000)

struct drills;

/* `alerts` hears of drills that failed; may be NULL. */
struct drills *drills_create(struct io *io, const struct log *log, struct alerts *alerts);
void drills_free(struct drills *d);          /* NULL is fine */

struct drill_order {
	struct slice target;          /* its name */
	enum fault fault;             /* one of drill_faults() */
	unsigned percent;             /* of its tries, 1 .. 100 */
	int64_t for_ms;               /* 1 .. DRILL_MS_MAX */
};

/* Faults that can be rehearsed; ends with FAULT_NONE. */
const enum fault *drill_faults(void);
/* Begins a drill; gives its number, or 0 with a sentence in *why: the target does
 * not exist, or there is a drill already. The control thread, as below. */
unsigned drills_begin(struct drills *d, const struct config *c, const struct drill_order *o,
		      const char **why);
/* Ends a running one before its time; false: there is none of that number. */
bool drills_stop(struct drills *d, const struct config *c, unsigned number);
/* An exchange has ended; cheap where no drill touched it. Any thread. */
void drills_record(struct drills *d, const struct exchange_record *r);
/* Writes the list, the newest first; NULL drills are none. */
void drills_write(struct drills *d, const char *name, struct doc *out);

#endif
