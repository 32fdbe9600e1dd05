/* mock_embed.c: /v1/embeddings: unit vectors that depend on the input alone. */
#include "mock/mock_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIMENSIONS_DEFAULT 64     /* small on purpose; a request may ask for more */
#define DIMENSIONS_MAX 4096
#define INPUTS_MAX 2048

static void base64(struct buf *out, const unsigned char *bytes, size_t count)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *to = buf_room(out, (count + 2) / 3 * 4);
	size_t n = 0;

	must(to != NULL);
	for (size_t i = 0; i < count; i += 3) {
		unsigned b = (unsigned)bytes[i] << 16 | (i + 1 < count ? (unsigned)bytes[i + 1] << 8 : 0) |
			(i + 2 < count ? bytes[i + 2] : 0u);

		to[n++] = letters[b >> 18 & 63];
		to[n++] = letters[b >> 12 & 63];
		to[n++] = i + 1 < count ? letters[b >> 6 & 63] : '=';
		to[n++] = i + 2 < count ? letters[b & 63] : '=';
	}
	buf_added(out, n);
}

static bool is_of_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80);
}

static void add_word(float *v, size_t count, uint64_t seed)
{
	struct rng rng;

	rng_seed(&rng, seed);
	for (size_t i = 0; i < count; i++)
		v[i] += (float)(rng_unit(&rng) * 2 - 1);
}

/* The sum of its words': those that share many point nearly the same way. */
static void make_vector(float *v, size_t count, struct slice text, uint64_t seed)
{
	double length = 0;
	size_t words = 0;

	memset(v, 0, count * sizeof *v);
	for (size_t at = 0, end; at < text.len; at = end + 1) {
		for (end = at; end < text.len && is_of_word(text.at[end]); end++)
			;
		if (end > at)
			add_word(v, count, slice_hash(slice_sub(text, at, end), seed));
		words += end > at;
	}
	if (!words)
		add_word(v, count, slice_hash(text, seed));
	for (size_t i = 0; i < count; i++)
		length += (double)v[i] * (double)v[i];
	length = sqrt(length);
	for (size_t i = 0; i < count; i++)
		v[i] = (float)((double)v[i] / (length > 0 ? length : 1));
}

/* Little-endian floats, as the OpenAI clients unpack them. */
static void write_packed(struct buf *out, const float *v, size_t count)
{
	unsigned char packed[DIMENSIONS_MAX * 4];

	for (size_t i = 0; i < count; i++) {
		uint32_t bits;

		memcpy(&bits, &v[i], 4);
		for (unsigned k = 0; k < 4; k++)
			packed[i * 4 + k] = (unsigned char)(bits >> 8 * k);
	}
	buf_puts(out, "\"");
	base64(out, packed, count * 4);
	buf_puts(out, "\"");
}

void mock_write_vector(struct mock *mock, struct buf *out, struct slice input, size_t dimensions, bool packed)
{
	float v[DIMENSIONS_MAX];

	must(dimensions >= 1);
	must(dimensions <= DIMENSIONS_MAX);
	make_vector(v, dimensions, input, mock->options.seed);
	if (packed) {
		write_packed(out, v, dimensions);
		return;
	}
	for (size_t i = 0; i < dimensions; i++)
		buf_putf(out, i ? ",%.8g" : "[%.8g", (double)v[i]);
	buf_puts(out, "]");
}

static void write_one(struct mock *mock, struct buf *out, struct slice input, size_t dimensions,
		      bool packed, unsigned index)
{
	if (index)
		buf_puts(out, ",");
	buf_putf(out, "{\"object\":\"embedding\",\"index\":%u,\"embedding\":", index);
	mock_write_vector(mock, out, input, dimensions, packed);
	buf_puts(out, "}");
}

/* One input is a string or an array of token numbers; several are an array. */
static bool is_several(struct slice input)
{
	struct slice first;

	return input.len && json_type_of(input) == JSON_ARRAY && json_next(&input, NULL, &first) &&
	       json_type_of(first) != JSON_NUMBER;
}

void mock_answer_embeddings(struct mock *mock, const struct mock_request *r,
			    const struct mock_behaviour *b, struct mock_answer *a)
{
	struct slice input = r->conversation, one;
	bool packed = json_string_eq(r->encoding_format, S("base64"));
	int64_t dimensions = DIMENSIONS_DEFAULT;
	struct buf *out = &mock->body.bytes;
	uint64_t tokens = input.len / 4 + 1;
	unsigned count = 0;

	if (!input.len) {
		mock_refuse(mock, a, 400, NULL, NULL, "you must provide an input");
		return;
	}
	if (json_i64(r->dimensions, &dimensions) && (dimensions < 1 || dimensions > DIMENSIONS_MAX)) {
		mock_refuse(mock, a, 400, NULL, NULL, "dimensions must be between 1 and 4096");
		return;
	}
	a->wait_ms = b->ttft_ms >= 0 ? b->ttft_ms : mock->options.ttft_ms;
	mock_script_begin(&mock->body);
	buf_puts(out, "{\"object\":\"list\",\"data\":[");
	if (!is_several(input)) {
		write_one(mock, out, input, (size_t)dimensions, packed, 0);
	} else {
		while (count < INPUTS_MAX && json_next(&input, NULL, &one))
			write_one(mock, out, one, (size_t)dimensions, packed, count++);
	}
	buf_puts(out, "],\"model\":");
	json_write_string(out, r->model);
	buf_putf(out, ",\"usage\":{\"prompt_tokens\":%" PRIu64 ",\"total_tokens\":%" PRIu64 "}}", tokens, tokens);
	mock_script_end(&mock->body);
	mock_spoil_whole(mock, b, a);
}
