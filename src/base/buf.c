#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_SIZE_FIRST 64

/* Text up to this length is formatted on the stack. */
#define BUF_PRINTF_STACK 512

static void check(const struct buf *b)
{
	must(b->start <= b->end);
	must(b->end <= b->size);
	must(buf_len(b) <= b->max);
}

void buf_free(struct buf *b)
{
	free(b->bytes);
	b->bytes = NULL;
	b->start = b->end = b->size = 0;
}

void buf_release(struct buf *b)
{
	if (buf_len(b) == 0)
		buf_free(b);
}

static void compact(struct buf *b)
{
	size_t len = buf_len(b);

	if (b->start == 0)
		return;
	memmove(b->bytes, b->bytes + b->start, len);
	b->start = 0;
	b->end = (uint32_t)len;
}

/* Makes the memory hold `need` bytes, need <= max. */
static bool grow(struct buf *b, size_t need)
{
	size_t size = b->size ? b->size : BUF_SIZE_FIRST;
	char *bytes;

	while (size < need)
		size = size > b->max / 2 ? b->max : size * 2;
	if (size > b->max)
		size = b->max;
	bytes = realloc(b->bytes, size ? size : 1);
	if (!bytes)
		return false;
	b->bytes = bytes;
	b->size = (uint32_t)size;
	return true;
}

char *buf_room_slow(struct buf *b, size_t count)
{
	size_t len = buf_len(b);

	check(b);
	if (count > b->max - len)
		return NULL;
	if (b->bytes && count <= b->size - b->end)
		return b->bytes + b->end;
	compact(b);
	if ((!b->bytes || count > b->size - len) && !grow(b, len + count))
		return NULL;
	return b->bytes + b->end;
}

static bool append_format(struct buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);

static bool append_format(struct buf *b, const char *format, va_list args)
{
	char small[BUF_PRINTF_STACK];
	char *text = small;
	va_list again;
	bool fits;
	int len;

	va_copy(again, args);
	len = vsnprintf(small, sizeof small, format, args);
	must(len >= 0);
	if ((size_t)len >= sizeof small && (size_t)len <= b->max - buf_len(b)) {
		text = malloc((size_t)len + 1);
		if (text)
			vsnprintf(text, (size_t)len + 1, format, again);
	}
	va_end(again);
	fits = text && (size_t)len <= b->max - buf_len(b)
	    && buf_append(b, (struct slice){ text, (size_t)len });
	if (text != small)
		free(text);
	return fits;
}

bool buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	bool fits;

	va_start(args, format);
	fits = append_format(b, format, args);
	va_end(args);
	return fits;
}

void buf_consume(struct buf *b, size_t count)
{
	must(count <= buf_len(b));
	b->start += (uint32_t)count;
	if (b->start == b->end)
		b->start = b->end = 0;
}

void buf_clear(struct buf *b)
{
	b->start = b->end = 0;
}

char *buf_take(struct buf *b, struct slice *held)
{
	char *bytes = b->bytes;

	*held = buf_slice(b);
	b->bytes = NULL;
	b->start = b->end = b->size = 0;
	return bytes;
}

void buf_putf(struct buf *b, const char *format, ...)
{
	va_list args;
	bool fits;

	va_start(args, format);
	fits = append_format(b, format, args);
	va_end(args);
	must(fits);
}

void buf_put_i64(struct buf *b, int64_t value)
{
	char room[20];

	if (value < 0)
		buf_puts(b, "-");
	buf_put(b, slice_of_u64(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, room));
}
