/* disk.h: a store in a file of this machine. Reading and writing are done on
 * background threads, one job of each at a time; writes gather meanwhile and go
 * in one transaction. */
#ifndef BACKSTAY_CACHE_DISK_H
#define BACKSTAY_CACHE_DISK_H

#include "base/log.h"
#include "cache/store.h"

/* The file is opened in the background: never an error here. A file that turns
 * out to be corrupt, now or later, is set aside and a new one is begun; one that
 * cannot be opened or written is tried again from time to time. */
struct store *disk_create(struct io *io, const struct cache_store_policy *policy, const struct log *log);

#endif
