/* buf.h: a growing byte queue with a maximum. Bytes are appended at the back
 * and consumed from the front. An empty buf holds no memory after buf_free()
 * or buf_release(). */
#ifndef BACKSTAY_BASE_BUF_H
#define BACKSTAY_BASE_BUF_H

#include "base/check.h"
#include "base/slice.h"

/* 0 .. start: consumed.  start .. end: held.  end .. size: free. */
struct buf {
	char *bytes;
	uint32_t start, end, size;   /* an open stream has a dozen of these: they are small */
	uint32_t max;            /* most bytes held at once */
};

/* Nothing holds more. */
#define BUF_MAX UINT32_MAX
/* A maximum, cut at BUF_MAX. */
static inline uint32_t buf_max(uint64_t bytes)
{
	return bytes < BUF_MAX ? (uint32_t)bytes : BUF_MAX;
}
/* An empty buf that will never hold more than `max` bytes. */
#define BUF_INIT(max_bytes) ((struct buf){ .max = buf_max(max_bytes) })

/* Frees the memory; the buf is empty and usable again. */
void buf_free(struct buf *b);
/* Gives memory back when nothing is held (an idle stream needs no buffer). */
void buf_release(struct buf *b);
/* Appends text; the same results as buf_append(). */
MUST_USE bool buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for `count` more bytes at the back: a pointer to write at, then
 * buf_added() with what was written. NULL as for buf_append. */
MUST_USE char *buf_room_slow(struct buf *b, size_t count);
MUST_USE static inline char *buf_room(struct buf *b, size_t count)
{
	if (count > b->size - b->end || count > b->max - (b->end - b->start) || !b->bytes)
		return buf_room_slow(b, count);
	return b->bytes + b->end;
}
static inline void buf_added(struct buf *b, size_t count)
{
	must(count <= b->size - b->end);
	b->end += (uint32_t)count;
	must(b->end - b->start <= b->max);
}
/* Drops `count` bytes from the front; count must be <= what is held. */
void buf_consume(struct buf *b, size_t count);
/* Drops bytes from the back until `len` are held; no more than that may be. */
static inline void buf_cut(struct buf *b, size_t len)
{
	must(len <= b->end - b->start);
	b->end = b->start + (uint32_t)len;
}
/* Drops all bytes, keeps the memory. */
void buf_clear(struct buf *b);
/* How many bytes are held. */
static inline size_t buf_len(const struct buf *b)
{
	return b->end - b->start;
}
/* The bytes held; valid until the next call that changes the buf. */
static inline struct slice buf_slice(const struct buf *b)
{
	return b->bytes ? (struct slice){ b->bytes + b->start, buf_len(b) } : SLICE_NONE;
}
/* Appends. False, with nothing appended, where `max` would be passed or there
 * is no memory. Inline, since a request makes some sixty of these. */
MUST_USE static inline bool buf_append(struct buf *b, struct slice s)
{
	char *to;

	if (s.len == 0)
		return true;
	to = buf_room(b, s.len);
	if (!to)
		return false;
	memcpy(to, s.at, s.len);
	b->end += (uint32_t)s.len;
	return true;
}
/* Takes the memory out of the buf (which is empty afterwards); the caller
 * frees the pointer with free(). The bytes held start at *held. */
char *buf_take(struct buf *b, struct slice *held);

/* For writers whose output is small and bounded by us: append or abort. */
static inline void buf_put(struct buf *b, struct slice s)
{
	must(buf_append(b, s));
}
void buf_putf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same, a number in decimal. */
void buf_put_i64(struct buf *b, int64_t value);
#define buf_puts(b, literal) buf_put((b), S(literal))

#endif
