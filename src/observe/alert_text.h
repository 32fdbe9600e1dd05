/* alert_text.h: notes as each kind of sink wants them. */
#ifndef BACKSTAY_OBSERVE_ALERT_TEXT_H
#define BACKSTAY_OBSERVE_ALERT_TEXT_H

#include "base/buf.h"
#include "observe/alert.h"

#define ALERT_MESSAGE_MAX ((size_t)512 * 1024)

/* What a message says beside its notes. */
struct alert_letter {
	struct slice source;          /* who we are */
	struct slice link;            /* where people can look; may be empty */
	struct slice routing_key;     /* PagerDuty only; a secret */
	int64_t wall_ms;              /* Unix time of the sending */
};

/* Appends the JSON body of one message. PagerDuty takes one note at a time. */
void alert_text_write(enum alert_sink_kind kind, const struct alert_letter *letter,
		      const struct alert_note *notes, size_t count, struct buf *out);
/* One alert in one line for people: "FIRING critical model_down chat: ...". */
void alert_text_line(const struct alert_note *n, struct buf *out);
/* The value of X-Backstay-Signature: "t=SECONDS,v1=HEX", HEX being the
 * HMAC-SHA256 of "SECONDS.BODY" under `secret`. */
void alert_text_signature(struct slice secret, int64_t wall_ms, struct slice body, struct buf *out);

#endif
