/* conductor.h: between exchanges.c (what comes in at the door) and exchange.c
 * (what becomes of it). Nobody else includes it. */
#ifndef BACKSTAY_EXCHANGE_CONDUCTOR_H
#define BACKSTAY_EXCHANGE_CONDUCTOR_H

#include "exchange/exchange.h"

/* Plans and starts the first try; x->facts is filled in. `star`: see
 * plan_create(). The exchange may have ended on return. */
void exchange_begin(struct exchange *x, const struct model_policy *model, struct slice star);
/* Asks the plan for the next try, and makes it, waits for it, or gives up. */
void exchange_try(struct exchange *x, mono_ms now);
/* Answers the error that tells the most, and ends it; `full`: only places were
 * missing. */
void exchange_give_up(struct exchange *x, bool full, mono_ms now);
/* The only door between states. */
void exchange_enter(struct exchange *x, enum exchange_state to);
/* Plans, and waits its turn or makes the first try. */
void exchange_go(struct exchange *x, mono_ms now);
/* Nobody waits for it any more: what runs is cancelled and it ends. */
void exchange_abandon(struct exchange *x);
/* A new exchange with the same request and no client; exchange_begin() follows. */
struct exchange *exchange_copy(const struct exchange *x);
/* A new one of our own with no client, on behalf of `from`'s: a POST of that body at
 * that path of OpenAI's API; exchange_begin() follows. */
struct exchange *exchange_of_ours(const struct exchange *from, struct slice path, struct slice body);
/* Its time is over, and nothing runs any more: a kept answer, or an honest end. */
void exchange_late(struct exchange *x, mono_ms now);
/* It waits in the lobby now. */
void exchange_queued(struct exchange *x);
/* Ends it for a reason of our own (deadline, shutdown), honestly. */
void exchange_stop(struct exchange *x, enum fault why);
/* Ends it; the client has been answered or is gone (x->client is NULL). */
void exchange_end(struct exchange *x, enum fault fault);
/* For client_claim(). */
extern const struct client_request_events exchange_client_events;

#endif
