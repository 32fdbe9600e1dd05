#include "wire/chunked.h"

#include "base/check.h"
#include "wire/scan.h"

#define SIZE_DIGITS_MAX 16
#define LINE_BYTES_MAX (4 * 1024)
#define TRAILER_BYTES_MAX (16 * 1024)

/* Framing may outweigh data by so much and no more. A chunk earns what the
 * longest line without extensions takes, and two bytes for each of its data:
 * so tiny chunks are fine for ever, tiny chunks with long extensions are not. */
#define OVERHEAD_MAX (16 * 1024)
#define EARNED_BY_CHUNK 24
#define EARNED_BY_BYTE 2

enum state {
	SIZE,                 /* digits of a size */
	EXTENSION,            /* behind ';', skipped */
	SIZE_LF,
	DATA,
	DATA_CR, DATA_LF,     /* behind the data */
	TRAILER_START,        /* a trailer or the final empty line */
	TRAILER_NAME,
	TRAILER_VALUE,
	TRAILER_LF,
	FINAL_LF,
	DONE,
	BROKEN,
};

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 9110 5.6.2 */
static bool is_token(char c)
{
	char low = (char)(c | 0x20);

	return (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static uint32_t on_size(struct chunked *c, char byte)
{
	int digit = hex_of(byte);

	if (digit >= 0) {
		c->left = c->left << 4 | (uint64_t)digit;
		return c->line_bytes <= SIZE_DIGITS_MAX ? SIZE : BROKEN;
	}
	if (c->line_bytes == 1)         /* no digit before it */
		return BROKEN;
	return byte == '\r' ? SIZE_LF : byte == ';' ? EXTENSION : BROKEN;
}

/* The size line is complete. */
static uint32_t on_size_line(struct chunked *c)
{
	uint64_t earned = EARNED_BY_CHUNK;

	if (c->left > INT64_MAX)
		return BROKEN;
	earned += EARNED_BY_BYTE * (c->left < OVERHEAD_MAX ? c->left : OVERHEAD_MAX);
	c->overhead += c->line_bytes + 2;
	c->overhead -= c->overhead < earned ? c->overhead : earned;
	c->line_bytes = 0;
	if (c->overhead > OVERHEAD_MAX)
		return BROKEN;
	return c->left > 0 ? DATA : TRAILER_START;
}

/* Takes one byte of framing. */
static uint32_t on_byte(struct chunked *c, char byte)
{
	uint32_t bytes_max = c->state >= TRAILER_START ? TRAILER_BYTES_MAX : LINE_BYTES_MAX;

	if (++c->line_bytes > bytes_max)
		return BROKEN;
	switch (c->state) {
	case SIZE:
		return on_size(c, byte);
	case EXTENSION:
		return byte == '\r' ? SIZE_LF : scan_is_control(byte) ? BROKEN : EXTENSION;
	case SIZE_LF:
		return byte == '\n' ? on_size_line(c) : BROKEN;
	case DATA_CR:
		return byte == '\r' ? DATA_LF : BROKEN;
	case DATA_LF:
		c->line_bytes = 0;
		return byte == '\n' ? SIZE : BROKEN;
	case TRAILER_START:
		return byte == '\r' ? FINAL_LF : is_token(byte) ? TRAILER_NAME : BROKEN;
	case TRAILER_NAME:
		return byte == ':' ? TRAILER_VALUE : is_token(byte) ? TRAILER_NAME : BROKEN;
	case TRAILER_VALUE:
		return byte == '\r' ? TRAILER_LF : scan_is_control(byte) ? BROKEN : TRAILER_VALUE;
	case TRAILER_LF:
		return byte == '\n' ? TRAILER_START : BROKEN;
	case FINAL_LF:
		return byte == '\n' ? DONE : BROKEN;
	default:
		never("no byte of framing is due");
	}
}

/* The end of a chunk and the size line of the next, where all of it is there and it
 * is plain, as nearly always: 60 instructions, and 300 byte by byte. False: nothing
 * was eaten. */
static bool take_size_line(struct chunked *c, struct slice *in)
{
	const char *p = in->at, *end = p + in->len, *digits;
	uint64_t size = 0;
	int digit;

	if (c->state == DATA_CR) {
		if (end - p < 2 || p[0] != '\r' || p[1] != '\n')
			return false;
		p += 2;
	} else if (c->state != SIZE || c->line_bytes > 0) {
		return false;
	}
	for (digits = p; p < end && p - digits < 8 && (digit = hex_of(*p)) >= 0; p++)
		size = size << 4 | (uint64_t)digit;
	if (p == digits || end - p < 2 || p[0] != '\r' || p[1] != '\n')
		return false;
	c->left = size;
	c->line_bytes = (uint32_t)(p - digits) + 2;
	c->state = on_size_line(c);
	*in = (struct slice){ p + 2, (size_t)(end - p) - 2 };
	return true;
}

enum chunked_step chunked_feed(struct chunked *c, struct slice *in, struct slice *data)
{
	while (c->state < DONE) {
		if (in->len == 0)
			return CHUNKED_MORE;
		if (c->state == DATA) {
			size_t take = in->len < c->left ? in->len : (size_t)c->left;

			*data = slice_sub(*in, 0, take);
			*in = slice_from(*in, take);
			c->left -= take;
			if (c->left == 0)
				c->state = DATA_CR;
			return CHUNKED_DATA;
		}
		if (take_size_line(c, in))
			continue;
		c->state = on_byte(c, *in->at);
		in->at++;
		in->len--;
	}
	return c->state == DONE ? CHUNKED_END : CHUNKED_BAD;
}

size_t chunk_head(size_t len, char out[static CHUNK_HEAD_MAX])
{
	char digits[SIZE_DIGITS_MAX];
	size_t count = 0, at = 0;

	must(len > 0);
	for (; len > 0; len >>= 4)
		digits[count++] = "0123456789abcdef"[len & 0xf];
	while (count > 0)
		out[at++] = digits[--count];
	out[at++] = '\r';
	out[at++] = '\n';
	return at;
}
