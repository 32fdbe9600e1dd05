/* explore.h: scenarios made up by chance. */
#ifndef BACKSTAY_SIM_EXPLORE_H
#define BACKSTAY_SIM_EXPLORE_H

#include "base/buf.h"

#define EXPLORE_CLIENTS_MAX 200

/* Appends the text of a scenario that depends on `seed` only: some backends,
 * a config, `clients` (at most EXPLORE_CLIENTS_MAX) clients that ask and leave,
 * and misfortunes of every kind; at the end everybody must have a whole answer
 * or an honest error. In half of the worlds nothing befalls one backend, and
 * whoever stays must be served whatever happens to the others. The buf's
 * maximum must allow 1 MiB. */
void explore_write(struct buf *out, uint64_t seed, unsigned clients);

#endif
