/* recent.h: the last exchanges of a process as text, for the status page. */
#ifndef BACKSTAY_OBSERVE_RECENT_H
#define BACKSTAY_OBSERVE_RECENT_H

#include "base/buf.h"
#include "base/slice.h"

#define RECENT_COUNT 100

struct recent;

/* An empty ring. The caller ends it with recent_free(). */
struct recent *recent_create(void);
/* Frees the ring; NULL is fine. */
void recent_free(struct recent *r);
/* Keeps a copy of `line` (a newline at its end is left out) instead of the
 * oldest. Lines above 8 KiB are not kept. Any thread. */
void recent_add(struct recent *r, struct slice line);
/* Tells of the lines added since *seen of them had been, the oldest first, at most
 * the last `most`; *seen is moved on. `each` must not call the ring. Any thread. */
void recent_since(struct recent *r, uint64_t *seen, size_t most,
		  void (*each)(void *owner, struct slice line), void *owner);
/* Tells of all lines kept, the newest first; the same. */
void recent_each(struct recent *r, void (*each)(void *owner, struct slice line), void *owner);
/* Appends the lines, newest first, with a comma between. Stops where the buf's
 * maximum would be passed. Any thread. */
void recent_write(struct recent *r, struct buf *out);

#endif
