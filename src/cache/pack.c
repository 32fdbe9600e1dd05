#include "cache/pack.h"

#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define MAGIC "BSA1"
#define MAGIC_BYTES 4
#define LENGTH_BYTES 8
#define HEAD_BYTES (MAGIC_BYTES + DIGEST_SHA256_BYTES + LENGTH_BYTES)
#define LEVEL 1
#define SLICES 8
#define NUMBERS 7

/* ---- fields ------------------------------------------------------------------------ */

static void slices_of(struct cache_facts *f, struct slice *out[static SLICES])
{
	struct slice *all[SLICES] = { &f->dialect, &f->path, &f->model, &f->served_model, &f->target,
				      &f->tags, &f->finish_reason, &f->body };

	memcpy(out, all, sizeof all);
}

static void put_number(char **at, uint64_t n)
{
	for (int i = 0; i < LENGTH_BYTES; i++)
		*(*at)++ = (char)(unsigned char)(n >> (8 * i));
}

/* False: there is none left. */
static bool take_number(struct slice *rest, uint64_t *out)
{
	uint64_t n = 0;

	if (rest->len < LENGTH_BYTES)
		return false;
	for (int i = 0; i < LENGTH_BYTES; i++)
		n |= (uint64_t)(unsigned char)rest->at[i] << (8 * i);
	*rest = slice_from(*rest, LENGTH_BYTES);
	*out = n;
	return true;
}

static void numbers_of(const struct cache_facts *f, uint64_t out[static NUMBERS])
{
	const uint64_t all[NUMBERS] = {
		f->usage_known, (uint64_t)f->input_tokens, (uint64_t)f->output_tokens,
		(uint64_t)f->cached_tokens, (uint64_t)f->reasoning_tokens, f->context,
		(uint64_t)f->kept_ms,
	};

	memcpy(out, all, sizeof all);
}

static size_t plain_size(struct cache_facts *f)
{
	struct slice *slices[SLICES];
	size_t bytes = (NUMBERS + SLICES) * LENGTH_BYTES + sizeof f->sketch;

	slices_of(f, slices);
	for (size_t i = 0; i < SLICES; i++)
		bytes += slices[i]->len;
	return bytes;
}

static void write_plain(struct cache_facts *f, char *at)
{
	struct slice *slices[SLICES];
	uint64_t numbers[NUMBERS];

	numbers_of(f, numbers);
	for (size_t i = 0; i < NUMBERS; i++)
		put_number(&at, numbers[i]);
	memcpy(at, f->sketch, sizeof f->sketch);
	at += sizeof f->sketch;
	slices_of(f, slices);
	for (size_t i = 0; i < SLICES; i++)
		put_number(&at, slices[i]->len);
	for (size_t i = 0; i < SLICES; i++) {
		if (slices[i]->len)
			memcpy(at, slices[i]->at, slices[i]->len);
		at += slices[i]->len;
	}
}

static bool read_plain(struct slice rest, struct cache_facts *f)
{
	struct slice *slices[SLICES];
	uint64_t numbers[NUMBERS], lengths[SLICES];

	for (size_t i = 0; i < NUMBERS; i++)
		if (!take_number(&rest, &numbers[i]))
			return false;
	if (rest.len < sizeof f->sketch)
		return false;
	memcpy(f->sketch, rest.at, sizeof f->sketch);
	rest = slice_from(rest, sizeof f->sketch);
	for (size_t i = 0; i < SLICES; i++)
		if (!take_number(&rest, &lengths[i]))
			return false;
	slices_of(f, slices);
	for (size_t i = 0; i < SLICES; i++) {
		if (lengths[i] > rest.len)
			return false;
		*slices[i] = slice_sub(rest, 0, (size_t)lengths[i]);
		rest = slice_from(rest, (size_t)lengths[i]);
	}
	f->usage_known = numbers[0] != 0;
	f->input_tokens = (int64_t)numbers[1];
	f->output_tokens = (int64_t)numbers[2];
	f->cached_tokens = (int64_t)numbers[3];
	f->reasoning_tokens = (int64_t)numbers[4];
	f->context = numbers[5];
	f->kept_ms = (int64_t)numbers[6];
	return rest.len == 0;
}

/* ---- the whole ------------------------------------------------------------------------ */

/* Of the key and everything behind the checksum. */
static bool checksum(const struct cache_key *key, struct slice behind, uint8_t out[static DIGEST_SHA256_BYTES])
{
	struct buf all = BUF_INIT(SIZE_MAX);
	bool room = buf_append(&all, (struct slice){ (const char *)key->bytes, sizeof key->bytes }) &&
		    buf_append(&all, behind);

	if (room)
		digest_sha256(buf_slice(&all), out);
	buf_free(&all);
	return room;
}

bool cache_pack(const struct cache_entry *e, struct buf *out)
{
	struct cache_facts facts = e->facts;
	size_t plain_bytes = plain_size(&facts), room = ZSTD_compressBound(plain_bytes), packed;
	char *plain = malloc(plain_bytes), *at = buf_room(out, HEAD_BYTES + room), *length;
	bool good = false;

	if (!plain || !at)
		goto done;
	write_plain(&facts, plain);
	memcpy(at, MAGIC, MAGIC_BYTES);
	length = at + MAGIC_BYTES + DIGEST_SHA256_BYTES;
	put_number(&length, plain_bytes);
	packed = ZSTD_compress(at + HEAD_BYTES, room, plain, plain_bytes, LEVEL);
	if (ZSTD_isError(packed))
		goto done;
	good = checksum(&e->key, (struct slice){ at + HEAD_BYTES - LENGTH_BYTES, LENGTH_BYTES + packed },
			(uint8_t *)at + MAGIC_BYTES);
	if (good)
		buf_added(out, HEAD_BYTES + packed);
done:
	free(plain);
	return good;
}

static bool is_whole(struct slice packed, const struct cache_key *key)
{
	uint8_t sum[DIGEST_SHA256_BYTES];

	return packed.len > HEAD_BYTES && memcmp(packed.at, MAGIC, MAGIC_BYTES) == 0 &&
	       checksum(key, slice_from(packed, HEAD_BYTES - LENGTH_BYTES), sum) &&
	       memcmp(packed.at + MAGIC_BYTES, sum, sizeof sum) == 0;
}

struct cache_entry *cache_unpack(struct slice packed, const struct cache_key *key, size_t bytes_max,
				 mono_ms now, int64_t age_ms)
{
	struct cache_facts facts = { .usage_known = false };
	struct cache_entry *e = NULL;
	uint64_t plain_bytes = 0;
	struct slice rest;
	char *plain;
	size_t got;

	if (!is_whole(packed, key))
		return NULL;
	rest = slice_from(packed, HEAD_BYTES - LENGTH_BYTES);
	if (!take_number(&rest, &plain_bytes) || plain_bytes == 0 || plain_bytes > bytes_max)
		return NULL;
	plain = malloc((size_t)plain_bytes);
	if (!plain)
		return NULL;
	got = ZSTD_decompress(plain, (size_t)plain_bytes, rest.at, rest.len);
	if (!ZSTD_isError(got) && got == plain_bytes &&
	    read_plain((struct slice){ plain, got }, &facts))
		e = cache_entry_create(key, &facts, now, age_ms);
	free(plain);
	return e;
}
