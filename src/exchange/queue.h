/* queue.h: an exchange's way through the waiting room of its model (lobby.h):
 * between exchange.c (the conductor) and queue.c. Nobody else includes it. */
#ifndef BACKSTAY_EXCHANGE_QUEUE_H
#define BACKSTAY_EXCHANGE_QUEUE_H

#include "exchange/exchange.h"

/* Prepares a new exchange; `head` is its request's. */
void queue_init(struct exchange *x, const struct h1_head *head);
/* Others of its model wait, who go first: it is not to ask for a place yet. */
bool queue_is_behind(struct exchange *x);
/* All that the plan knows is full: waits for a place, or gives the exchange up
 * where waiting is of no use. `places`: bits of what is full. */
void queue_wait(struct exchange *x, uint64_t places, mono_ms now);
/* Does not wait (any more): it has a place, or something else to wait for. */
void queue_run(struct exchange *x, bool served, mono_ms now);
/* The exchange ends. */
void queue_end(struct exchange *x, mono_ms now);
/* Tells why it got no place; *e has its request id. */
void queue_error(struct exchange *x, struct error_answer *e);

#endif
