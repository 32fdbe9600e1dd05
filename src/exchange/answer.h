/* answer.h: between answer.c, answer_error.c and exchanges.c. */
#ifndef BACKSTAY_EXCHANGE_ANSWER_H
#define BACKSTAY_EXCHANGE_ANSWER_H

#include "exchange/exchange.h"

#define ANSWER_OWN_HEADERS 13

/* x-request-id and x-backstay-*: as many as fit; gives the count. */
size_t answer_own_headers(struct exchange *x, struct h1_header out[static ANSWER_OWN_HEADERS]);
/* Drops what a failed attempt's upstream said where it may show the backend's
 * key (catalogue S15). */
void answer_scrub(struct attempt *a);
/* Fills *e for a model that the config does not have, with the nearest name. */
void answer_unknown_model(struct exchange *x, struct slice name, struct error_answer *e);

#endif
