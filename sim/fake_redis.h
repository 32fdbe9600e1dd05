/* fake_redis.h: a simulated Redis: as much of one as Backstay speaks to, on the
 * world's clock, and with the faults that real ones have. */
#ifndef BACKSTAY_SIM_FAKE_REDIS_H
#define BACKSTAY_SIM_FAKE_REDIS_H

#include "io/io.h"

struct fake_redis;

/* Listens on all of `at` in the loop `io` of a simulated process. The caller ends
 * it with fake_redis_free(). */
struct fake_redis *fake_redis_create(struct io *io, const struct io_addr *at, size_t at_count);
/* Answers so much later from now on; negative: never. */
void fake_redis_slow(struct fake_redis *r, int64_t delay_ms);
/* Takes no more values: out of memory. */
void fake_redis_full(struct fake_redis *r, bool full);
/* Forgets all it has. */
void fake_redis_empty(struct fake_redis *r);
/* Names it has now, and commands so far. */
unsigned fake_redis_names(struct fake_redis *r);
unsigned fake_redis_commands(const struct fake_redis *r);
/* Cuts all connections and frees; NULL is fine. */
void fake_redis_free(struct fake_redis *r);

#endif
