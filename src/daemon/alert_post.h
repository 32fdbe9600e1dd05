/* alert_post.h: one message to one sink of alerts. */
#ifndef BACKSTAY_DAEMON_ALERT_POST_H
#define BACKSTAY_DAEMON_ALERT_POST_H

#include "conn/upstream.h"
#include "observe/alert_book.h"

#define ALERT_POST_LIMIT_MS 10000     /* for a whole message, its answer included */

struct alert_posted {
	enum alert_result result;
	int status;                   /* of the answer; 0: there was none */
	int64_t hint_ms;              /* the sink's wish when to come back; -1: none */
	struct slice text;            /* what went wrong, or the beginning of the sink's words; may be empty */
};

struct alert_post;

struct alert_post_setup {
	struct io *io;
	struct upstream_pool *pool;
	const struct alert_policy *policy;
	const struct alert_sink_policy *sink;
	struct slice source;          /* who we are where the policy does not say */
	/* Told once, in a later step, unless cancelled; the post is gone then. */
	void (*on_done)(void *owner, const struct alert_posted *p);
	void *owner;
};

/* Sends `notes`, of which nothing is kept. All in `setup` is borrowed until the
 * post is gone. Never NULL. */
struct alert_post *alert_post_start(const struct alert_post_setup *setup, const struct alert_note *notes,
				    size_t count);
/* Gives it up; nothing is told. */
void alert_post_cancel(struct alert_post *p);
/* What a person can do about a sink that does not take messages; static. */
const char *alert_post_remedy(const struct alert_posted *p);

#endif
