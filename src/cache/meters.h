/* meters.h: what several machines count together in the shared store: so much a
 * minute, in buckets that live there and fill up by the store's own clock. Each
 * machine tells what it took, a few times a second at most, and hears what is left
 * of all. */
#ifndef BACKSTAY_CACHE_METERS_H
#define BACKSTAY_CACHE_METERS_H

#include "cache/cache.h"
#include "cache/redis_net.h"

struct meters;

/* Everything is borrowed. The caller ends it with meters_close() and, when its loop
 * runs no more and the net is closed, meters_free(). */
struct meters *meters_create(struct io *io, struct redis_net *net, struct slice prefix);
void meters_close(struct meters *m);
void meters_free(struct meters *m);
/* Something was taken there: it is told soon, if `works`; else the meter is told at
 * once that it is alone. */
void meters_stir(struct meters *m, struct cache_meter *meter, bool works);

#endif
