#include "wire/gzip.h"

#include <limits.h>
#include <stdlib.h>
#define ZLIB_CONST
#include <zlib.h>

#define OUT_BYTES (16 * 1024)
#define WINDOW_ZLIB_OR_GZIP (15 + 32)
#define WINDOW_GZIP (15 + 16)
#define WINDOW_RAW (-15)

enum phase {
	START,                /* fewer than two bytes of the stream seen */
	INSIDE,
	AFTER,                /* behind a complete stream or member */
	BAD,
};

struct gzip {
	z_stream z;
	enum phase phase;
	bool is_gzip;
	bool has_first;
	unsigned char first;          /* the first byte, while the second is awaited */
	uint64_t output_left;
	unsigned char out[OUT_BYTES];
};

struct gzip *gzip_create(uint64_t output_max)
{
	struct gzip *g = calloc(1, sizeof *g);

	if (!g)
		return NULL;
	if (inflateInit2(&g->z, WINDOW_ZLIB_OR_GZIP) != Z_OK) {
		free(g);
		return NULL;
	}
	g->output_left = output_max;
	return g;
}

void gzip_free(struct gzip *g)
{
	if (!g)
		return;
	inflateEnd(&g->z);
	free(g);
}

/* One turn of zlib over `in`, of which it eats the front. Gives the count of
 * bytes that came out; a phase that ends takes effect after they are handed out. */
static size_t inflate_some(struct gzip *g, struct slice *in)
{
	/* One byte more than allowed, to see whether there is more. */
	uint64_t room = g->output_left < OUT_BYTES ? g->output_left + 1 : OUT_BYTES;
	uInt take = in->len < UINT_MAX ? (uInt)in->len : UINT_MAX;
	size_t made;
	int ret;

	g->z.next_in = (const unsigned char *)in->at;
	g->z.avail_in = take;
	g->z.next_out = g->out;
	g->z.avail_out = (uInt)room;
	ret = inflate(&g->z, Z_NO_FLUSH);
	made = (size_t)room - g->z.avail_out;
	*in = slice_from(*in, take - g->z.avail_in);
	if (ret == Z_STREAM_END)
		g->phase = AFTER;
	else if (ret != Z_OK && ret != Z_BUF_ERROR)
		g->phase = BAD;
	if (made > g->output_left) {
		made = (size_t)g->output_left;
		g->phase = BAD;
	}
	g->output_left -= made;
	return made;
}

/* RFC 1950 2.2: CMF and FLG of a zlib header. */
static bool is_zlib_header(unsigned char cmf, unsigned char flg)
{
	return (cmf & 0x0f) == 8 && cmf >> 4 <= 7 && (cmf << 8 | flg) % 31 == 0;
}

/* Tells the format by the first two bytes. Gives what came out (nothing). */
static void start(struct gzip *g, struct slice *in)
{
	char first;
	struct slice held = { &first, 1 };
	unsigned char second;

	if (!g->has_first) {
		g->first = (unsigned char)*in->at;
		g->has_first = true;
		*in = slice_from(*in, 1);
		return;
	}
	second = (unsigned char)*in->at;
	g->is_gzip = g->first == 0x1f && second == 0x8b;
	g->phase = INSIDE;
	if (!g->is_gzip && !is_zlib_header(g->first, second) &&
	    inflateReset2(&g->z, WINDOW_RAW) != Z_OK)
		g->phase = BAD;
	first = (char)g->first;
	while (g->phase == INSIDE && held.len > 0)
		must(inflate_some(g, &held) == 0);
}

enum gzip_step gzip_feed(struct gzip *g, struct slice *in, struct slice *out)
{
	for (;;) {
		size_t made, had = in->len;

		switch (g->phase) {
		case BAD:
			return GZIP_BAD;
		case AFTER:
			if (in->len == 0)
				return GZIP_END;
			/* Only gzip goes on behind its end, with a further member. */
			g->phase = g->is_gzip && inflateReset2(&g->z, WINDOW_GZIP) == Z_OK ?
					   INSIDE :
					   BAD;
			break;
		case START:
			if (in->len == 0)
				return GZIP_MORE;
			start(g, in);
			break;
		case INSIDE:
			made = inflate_some(g, in);
			if (made > 0) {
				*out = (struct slice){ (const char *)g->out, made };
				return GZIP_DATA;
			}
			if (g->phase == INSIDE && in->len == 0)
				return GZIP_MORE;
			if (g->phase == INSIDE && in->len == had)
				g->phase = BAD;
			break;
		}
	}
}

bool gzip_understands(struct slice content_encoding)
{
	struct slice name = slice_trim(content_encoding);

	return slice_eq_nocase(name, S("gzip")) || slice_eq_nocase(name, S("x-gzip")) ||
	       slice_eq_nocase(name, S("deflate"));
}
