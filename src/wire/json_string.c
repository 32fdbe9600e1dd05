/* json_string.c: going through the text of strings: the only part of a document
 * that is ever long. */
#include "wire/json_walk.h"

#include <endian.h>
#include <string.h>

#if JSON_SSE2 && defined(__GNUC__)
#include <immintrin.h>
#define JSON_AVX2 1
#else
#define JSON_AVX2 0
#endif

/* ---- plain bytes ---------------------------------------------------------------- */

#define EVERY(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Non-zero where one of eight bytes is not plain (see json_plain_end). A byte
 * below 0x20 borrows from its top bit when 0x20 is taken away; x ^ c is zero,
 * so below 1, where x holds c. */
static inline uint64_t eight_not_plain(uint64_t x)
{
	uint64_t quote = x ^ EVERY('"'), escape = x ^ EVERY('\\');

	return (((x - EVERY(0x20)) | (quote - EVERY(1)) | (escape - EVERY(1))) | x) & EVERY(0x80);
}

static inline bool is_plain(char c)
{
	unsigned char u = (unsigned char)c;

	return u >= 0x20 && u < 0x80 && u != '"' && u != '\\';
}

static const char *plain_end(const char *p, const char *end)
{
#if JSON_SSE2
	for (; end - p >= 16; p += 16) {
		unsigned mask = json_stops_16(p);

		if (mask)
			return p + __builtin_ctz(mask);
	}
#endif
	for (; end - p >= 8; p += 8) {
		uint64_t x;

		memcpy(&x, p, sizeof x);
		if (eight_not_plain(x))
			break;
	}
	while (p < end && is_plain(*p))
		p++;
	return p;
}

const char *json_plain_end(const char *p, const char *end)
{
	return plain_end(p, end);
}

/* ---- UTF-8 -------------------------------------------------------------------------- */

enum json_utf8 json_utf8_next(const char *p, const char *end, size_t *len)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t have = (size_t)(end - p), want;
	unsigned char low = 0x80, high = 0xbf;    /* of the second byte */

	*len = 1;
	if (u[0] < 0x80)
		return JSON_UTF8_GOOD;
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return JSON_UTF8_BAD;
	want = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	if (u[0] == 0xe0)
		low = 0xa0;               /* shorter spelling exists */
	else if (u[0] == 0xed)
		high = 0x9f;              /* surrogates */
	else if (u[0] == 0xf0)
		low = 0x90;               /* shorter spelling exists */
	else if (u[0] == 0xf4)
		high = 0x8f;              /* above U+10FFFF */
	for (; *len < want; ++*len) {
		if (*len == have)
			return JSON_UTF8_CUT;
		if (u[*len] < low || u[*len] > high)
			return JSON_UTF8_BAD;
		low = 0x80;
		high = 0xbf;
	}
	return JSON_UTF8_GOOD;
}

/* ---- what is not plain ----------------------------------------------------------------- */

static inline bool is_hex(char c)
{
	return json_is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* `p` is at a backslash; behind the escape afterwards. */
static enum json_result skip_escape(struct json_walk *w, const char **at)
{
	const char *p = *at + 1;

	if (p == w->end)
		return json_stop(w, p, JSON_CUT);
	switch (*p++) {
	case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
		break;
	case 'u':
		for (int i = 0; i < 4; i++, p++) {
			if (p == w->end)
				return json_stop(w, p, JSON_CUT);
			if (!is_hex(*p))
				return json_stop(w, p, JSON_SYNTAX);
		}
		break;
	default:
		return json_stop(w, p - 1, JSON_SYNTAX);
	}
	*at = p;
	return JSON_OK;
}

/* Four bytes, the first one lowest. */
static inline uint32_t load_four(const char *p)
{
	uint32_t four;

	memcpy(&four, p, sizeof four);
	return le32toh(four);
}

/* 1110xxxx 10xxxxxx 10xxxxxx, neither too long (E0 80) nor half a pair (ED A0) */
static inline bool is_good_three(uint32_t x)
{
	uint32_t odd = x & 0x200f;

	return (x & 0xc0c0f0) == 0x8080e0 && odd != 0x0000 && odd != 0x200d;
}

/* 110xxxxx 10xxxxxx, not too long (C0, C1) */
static inline bool is_good_two(uint32_t x)
{
	return (x & 0xc0e0) == 0x80c0 && (x & 0x1e) != 0;
}

#if JSON_SSE2
/* Four of three bytes each, none of them with one of the leads that need care;
 * 16 bytes are read. */
static inline bool are_four_threes(const char *p)
{
	const __m128i bits = _mm_setr_epi8((char)0xf0, (char)0xc0, (char)0xc0, (char)0xf0, (char)0xc0,
		(char)0xc0, (char)0xf0, (char)0xc0, (char)0xc0, (char)0xf0, (char)0xc0, (char)0xc0,
		0, 0, 0, 0);
	const __m128i wanted = _mm_setr_epi8((char)0xe0, (char)0x80, (char)0x80, (char)0xe0, (char)0x80,
		(char)0x80, (char)0xe0, (char)0x80, (char)0x80, (char)0xe0, (char)0x80, (char)0x80,
		0, 0, 0, 0);
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	int good = _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_and_si128(v, bits), wanted));
	int care = _mm_movemask_epi8(_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xe0)),
						  _mm_cmpeq_epi8(v, _mm_set1_epi8((char)0xed))));

	return good == 0xffff && !care;
}
#endif

/* A run of bytes that are not ASCII; `p` is behind it afterwards. Most of the
 * world's letters have two or three bytes. A MiB of Japanese text: 9.1 million
 * instructions where each length is found by itself, 5.2 million in loops of a
 * fixed step, 1.7 million with four letters a step. */
static enum json_result skip_utf8(struct json_walk *w, const char **at)
{
	const char *p = *at;
	size_t len;

	for (; p < w->end && (unsigned char)*p >= 0x80; p += len) {
#if JSON_SSE2
		while (w->end - p >= 16 && are_four_threes(p))
			p += 12;
#endif
		while (w->end - p >= 4 && is_good_three(load_four(p)))
			p += 3;
		while (w->end - p >= 4 && is_good_two(load_four(p)))
			p += 2;
		len = 0;
		if (p == w->end || (unsigned char)*p < 0x80)
			continue;
		switch (json_utf8_next(p, w->end, &len)) {
		case JSON_UTF8_GOOD: break;
		case JSON_UTF8_BAD:  return json_stop(w, p, JSON_UTF8);
		case JSON_UTF8_CUT:  return json_stop(w, w->end, JSON_CUT);
		}
	}
	*at = p;
	return JSON_OK;
}

/* ---- whole strings ----------------------------------------------------------------------- */

/* The end of a string, few bytes at a time. */
static enum json_result skip_by_few(struct json_walk *w, const char *p, bool *escaped)
{
	enum json_result r = JSON_OK;

	while (r == JSON_OK) {
		p = plain_end(p, w->end);
		if (p == w->end)
			return json_stop(w, p, JSON_CUT);
		if (*p == '"')
			return json_stop(w, p + 1, JSON_OK);
		if (*p == '\\') {
			*escaped = true;
			r = skip_escape(w, &p);
		} else if ((unsigned char)*p >= 0x80) {
			r = skip_utf8(w, &p);
		} else {
			return json_stop(w, p, JSON_SYNTAX);
		}
	}
	return r;
}

#if JSON_SSE2
#define PREFETCH_BYTES 1024

/* Bit n: byte n of the 64 at `p` is not plain. */
typedef uint64_t stops_64(const char *p);

/* Those of two bytes. */
static const bool is_short_escape[256] = {
	['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true, ['f'] = true, ['n'] = true,
	['r'] = true, ['t'] = true,
};

/* Looks at 64 bytes at once and takes one by one those of them that are not
 * plain, so that an escape costs no new look. A MiB of prose with an escape each
 * 80 bytes: 1.76 million instructions by few, 1.25 million with SSE2, 0.82 million
 * with AVX2 (203, 125 and 92 us on an AMD EPYC). Of a body that has just been received
 * little is in a near cache: asked for beforehand, a MiB of it takes 146 us in the
 * median instead of 178. */
static inline __attribute__((always_inline)) enum json_result
skip_by_64(struct json_walk *w, const char *p, bool *escaped, stops_64 *stops_at)
{
	enum json_result r = JSON_OK;
	const char *q, *next;

	for (; w->end - p >= 64; p = next) {
		uint64_t stops = stops_at(p);

		__builtin_prefetch((const void *)((uintptr_t)p + PREFETCH_BYTES));
		for (next = p + 64; stops; stops &= UINT64_MAX << (q - p)) {
			q = p + __builtin_ctzll(stops);
			if (*q == '"')
				return json_stop(w, q + 1, JSON_OK);
			if (*q == '\\') {
				*escaped = true;
				if (w->end - q >= 2 && is_short_escape[(unsigned char)q[1]])
					q += 2;
				else
					r = skip_escape(w, &q);
			} else if ((unsigned char)*q >= 0x80) {
				r = skip_utf8(w, &q);
			} else {
				r = json_stop(w, q, JSON_SYNTAX);
			}
			if (r != JSON_OK)
				return r;
			if (q >= next) {
				next = q;
				break;
			}
		}
	}
	return skip_by_few(w, p, escaped);
}

static inline uint64_t stops_sse2(const char *p)
{
	return json_stops_16(p) | (uint64_t)json_stops_16(p + 16) << 16 |
	       (uint64_t)json_stops_16(p + 32) << 32 | (uint64_t)json_stops_16(p + 48) << 48;
}

static enum json_result skip_sse2(struct json_walk *w, const char *p, bool *escaped)
{
	return skip_by_64(w, p, escaped, stops_sse2);
}
#endif

#if JSON_AVX2
__attribute__((target("avx2"))) static inline unsigned stops_32(const char *p)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
	/* Signed: bytes from 0x80 up are below space as well. */
	__m256i stop = _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v),
				       _mm256_or_si256(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('"')),
						       _mm256_cmpeq_epi8(v, _mm256_set1_epi8('\\'))));

	return (unsigned)_mm256_movemask_epi8(stop);
}

__attribute__((target("avx2"))) static inline uint64_t stops_avx2(const char *p)
{
	return stops_32(p) | (uint64_t)stops_32(p + 32) << 32;
}

__attribute__((target("avx2"))) static enum json_result skip_avx2(struct json_walk *w, const char *p,
								  bool *escaped)
{
	return skip_by_64(w, p, escaped, stops_avx2);
}
#endif

/* ---- which of them ------------------------------------------------------------------------- */

json_skip *json_skip_long = skip_by_few;

bool json_use_vectors(enum json_vectors which)
{
	switch (which) {
	case JSON_VECTORS_NONE:
		json_skip_long = skip_by_few;
		return true;
	case JSON_VECTORS_SSE2:
#if JSON_SSE2
		json_skip_long = skip_sse2;
		return true;
#else
		return false;
#endif
	case JSON_VECTORS_AVX2:
#if JSON_AVX2
		if (!__builtin_cpu_supports("avx2"))
			return false;
		json_skip_long = skip_avx2;
		return true;
#else
		return false;
#endif
	}
	return false;
}

/* Before main(), so that no thread sees it change. */
__attribute__((constructor)) static void choose(void)
{
#if JSON_AVX2
	__builtin_cpu_init();
#endif
	if (!json_use_vectors(JSON_VECTORS_AVX2) && !json_use_vectors(JSON_VECTORS_SSE2))
		json_use_vectors(JSON_VECTORS_NONE);
}
