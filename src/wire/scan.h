/* scan.h: searches that stop at the first of several bytes, many bytes a step.
 * Inside wire/ only. None reads a byte at or behind `end`. */
#ifndef BACKSTAY_WIRE_SCAN_H
#define BACKSTAY_WIRE_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
#include <emmintrin.h>
#endif

#define SCAN_ONES UINT64_C(0x0101010101010101)
#define SCAN_HIGHS UINT64_C(0x8080808080808080)

/* Non-zero if one of the eight bytes is zero. */
static inline uint64_t scan_has_zero(uint64_t eight)
{
	return (eight - SCAN_ONES) & ~eight & SCAN_HIGHS;
}

/* Eight bytes as they lie there, aligned or not. */
static inline uint64_t scan_load(const char *at)
{
	uint64_t eight;

	memcpy(&eight, at, sizeof eight);
	return eight;
}

/* The first CR or LF; `end` if there is none. */
static inline const char *scan_newline(const char *at, const char *end)
{
#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
	const __m128i lf = _mm_set1_epi8('\n'), cr = _mm_set1_epi8('\r');

	for (; end - at >= 16; at += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
		__m128i hit = _mm_or_si128(_mm_cmpeq_epi8(v, lf), _mm_cmpeq_epi8(v, cr));
		unsigned mask = (unsigned)_mm_movemask_epi8(hit);

		if (mask)
			return at + __builtin_ctz(mask);
	}
#endif
	for (; end - at >= 8; at += 8) {
		uint64_t v = scan_load(at);

		if (scan_has_zero(v ^ (SCAN_ONES * '\n')) | scan_has_zero(v ^ (SCAN_ONES * '\r')))
			break;
	}
	while (at < end && *at != '\n' && *at != '\r')
		at++;
	return at;
}

/* Control characters other than HTAB: what no header value may hold. */
static inline bool scan_is_control(char c)
{
	unsigned char u = (unsigned char)c;

	return (u < 0x20 && u != '\t') || u == 0x7f;
}

/* The first control character other than HTAB; `end` if there is none. */
static inline const char *scan_control(const char *at, const char *end)
{
#if defined(__SSE2__) && !defined(SCAN_PORTABLE)
	const __m128i top = _mm_set1_epi8(0x1f), tab = _mm_set1_epi8('\t');
	const __m128i del = _mm_set1_epi8(0x7f);

	for (; end - at >= 16; at += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
		__m128i low = _mm_cmpeq_epi8(_mm_min_epu8(v, top), v);
		__m128i hit = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(v, tab), low),
					   _mm_cmpeq_epi8(v, del));
		unsigned mask = (unsigned)_mm_movemask_epi8(hit);

		if (mask)
			return at + __builtin_ctz(mask);
	}
#endif
	/* Most values are shorter than sixteen bytes. Any low byte ends this, a HTAB too. */
	for (; end - at >= 8; at += 8) {
		uint64_t v = scan_load(at);

		if (((v - SCAN_ONES * 0x20) & ~v & SCAN_HIGHS) | scan_has_zero(v ^ (SCAN_ONES * 0x7f)))
			break;
	}
	while (at < end && !scan_is_control(*at))
		at++;
	return at;
}

#endif
