/* explore.h: scenarios made up by chance. */
#ifndef BACKSTAY_SIM_EXPLORE_H
#define BACKSTAY_SIM_EXPLORE_H

#include "base/buf.h"

/* Appends the text of a scenario that depends on `seed` only: some backends,
 * a config, `clients` clients that ask and leave, and misfortunes of every
 * kind; at the end everybody must have a whole answer or an honest error. The
 * buf's maximum must allow 1 MiB. */
void explore_write(struct buf *out, uint64_t seed, unsigned clients);

#endif
