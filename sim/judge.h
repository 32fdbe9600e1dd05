/* judge.h: what the bytes of an answer mean to a simulated client. */
#ifndef BACKSTAY_SIM_JUDGE_H
#define BACKSTAY_SIM_JUDGE_H

#include "sim/client.h"
#include "wire/sse.h"

/* Notes the first broken rule. */
void judge_violation(struct sim_answer *a, const char *format, ...) PRINTF_LIKE(2, 3);
/* One event of a stream. `now`: when it came. */
void judge_event(struct sim_answer *a, const struct sse_event *ev, mono_ms now);
/* The body has ended as its framing says: sets the end. */
void judge_clean_end(struct sim_answer *a, struct slice content_type, mono_ms now);

#endif
