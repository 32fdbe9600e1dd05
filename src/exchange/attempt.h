/* attempt.h: between attempt.c (states, limits, endings) and attempt_answer.c
 * (what the backend says). Nobody else includes it. */
#ifndef BACKSTAY_EXCHANGE_ATTEMPT_H
#define BACKSTAY_EXCHANGE_ATTEMPT_H

#include "exchange/exchange.h"

/* Moves to another state; must be a legal move. */
void attempt_enter(struct attempt *a, enum attempt_state to);
/* Ends the attempt with a fault: FAILED before the commit point, BROKEN after
 * it. `text` is copied. The exchange is told last: `a` may be gone on return. */
void attempt_fail(struct attempt *a, enum fault why, struct slice text);
/* Ends it as complete; likewise. Must be STREAMING. */
void attempt_finish(struct attempt *a);
/* Something that counts as progress came after the commit point. */
void attempt_progress(struct attempt *a);
/* Writes down what is to be known of the call before it is gone. */
void attempt_note_call(struct attempt *a);

/* Content has come, or a whole answer: true where a drill ends the attempt now. */
bool attempt_drill_cuts(struct attempt *a);

/* Handlers of struct upstream_events; the owner is the attempt. */
void attempt_on_head(void *owner, const struct h1_head *head);
void attempt_on_body(void *owner, struct slice bytes);
void attempt_on_end(void *owner, bool until_close);

#endif
