#include "observe/recent.h"

#include "base/check.h"
#include "base/lock.h"

#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES ((size_t)8 * 1024)

struct kept {
	char *bytes;
	size_t len, size;
};

struct recent {
	struct lock lock;
	struct kept lines[RECENT_COUNT];
	uint64_t added;
	size_t next, count;           /* `next` is the oldest once all are in use */
};

struct recent *recent_create(void)
{
	struct recent *r = calloc(1, sizeof *r);

	must(r != NULL);
	lock_init(&r->lock);
	return r;
}

void recent_free(struct recent *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < RECENT_COUNT; i++)
		free(r->lines[i].bytes);
	lock_destroy(&r->lock);
	free(r);
}

/* Slots keep their memory, so in the long run this allocates nothing. */
static void keep(struct kept *k, struct slice line)
{
	if (k->size < line.len) {
		char *bytes = realloc(k->bytes, line.len);

		if (!bytes) {
			k->len = 0;
			return;
		}
		k->bytes = bytes;
		k->size = line.len;
	}
	memcpy(k->bytes, line.at, line.len);
	k->len = line.len;
}

void recent_add(struct recent *r, struct slice line)
{
	if (line.len && line.at[line.len - 1] == '\n')
		line.len--;
	if (line.len == 0 || line.len > LINE_MAX_BYTES)
		return;
	lock_take(&r->lock);
	keep(&r->lines[r->next], line);
	r->added++;
	r->next = (r->next + 1) % RECENT_COUNT;
	if (r->count < RECENT_COUNT)
		r->count++;
	lock_give(&r->lock);
}

void recent_write(struct recent *r, struct buf *out)
{
	bool first = true, room = true;

	lock_take(&r->lock);
	for (size_t back = 1; back <= r->count && room; back++) {
		const struct kept *k = &r->lines[(r->next + RECENT_COUNT - back) % RECENT_COUNT];

		if (k->len == 0)
			continue;
		room = buf_len(out) + k->len + 1 <= out->max;
		if (!room)
			break;
		if (!first)
			buf_puts(out, ",");
		buf_put(out, (struct slice){ k->bytes, k->len });
		first = false;
	}
	lock_give(&r->lock);
}

void recent_since(struct recent *r, uint64_t *seen, size_t most,
		  void (*each)(void *owner, struct slice line), void *owner)
{
	uint64_t fresh;

	lock_take(&r->lock);
	fresh = r->added - *seen;
	if (fresh > r->count)
		fresh = r->count;
	if (fresh > most)
		fresh = most;
	for (size_t back = (size_t)fresh; back > 0; back--) {
		const struct kept *k = &r->lines[(r->next + RECENT_COUNT - back) % RECENT_COUNT];

		if (k->len)
			each(owner, (struct slice){ k->bytes, k->len });
	}
	*seen = r->added;
	lock_give(&r->lock);
}

void recent_each(struct recent *r, void (*each)(void *owner, struct slice line), void *owner)
{
	lock_take(&r->lock);
	for (size_t back = 1; back <= r->count; back++) {
		const struct kept *k = &r->lines[(r->next + RECENT_COUNT - back) % RECENT_COUNT];

		if (k->len)
			each(owner, (struct slice){ k->bytes, k->len });
	}
	lock_give(&r->lock);
}
