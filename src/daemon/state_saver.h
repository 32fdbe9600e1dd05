/* state_saver.h: a state file (state_file.h) that is written behind, on a background
 * thread, again and again as what is in it changes. Belongs to one loop. */
#ifndef BACKSTAY_DAEMON_STATE_SAVER_H
#define BACKSTAY_DAEMON_STATE_SAVER_H

#include "base/buf.h"
#include "base/lock.h"
#include "base/log.h"
#include "io/io.h"

struct state_saver;

/* One writing. */
struct state_saving {
	struct io_job job;
	struct state_saver *saver;
	bool busy, failed;
	char *path;
	struct buf text;
	uint64_t version;
	char why[160];
};

/* Zero it and fill in the first four; then state_saver_init(). */
struct state_saver {
	struct io *io;
	const struct log *log;
	const char *event;            /* the log's word for a failure: "alert_state_fails"; static */
	void (*done)(struct state_saver *s);  /* a writing is over; may be NULL */

	/* Its own: */
	struct state_saving now, last;
	struct lock writing;
	uint64_t written_version;     /* under `writing` */
	uint64_t saved_version;
	bool failing;                 /* the last one failed, and that was logged */
};

/* Nothing is written yet. */
void state_saver_init(struct state_saver *s);
/* Is nothing being written, and `version` not written yet? */
bool state_saver_is_due(const struct state_saver *s, uint64_t version);
/* Begins to write `text`, which becomes the saver's, to `path` (copied). Versions
 * grow; a later one is never replaced by an earlier one. `last`: at the end, when
 * another writing may be under way yet. */
void state_saver_write(struct state_saver *s, bool last, struct slice path, uint64_t version,
		       struct buf text);
/* When the loop's background work is over. */
void state_saver_free(struct state_saver *s);

#endif
