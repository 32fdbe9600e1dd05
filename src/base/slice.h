/* slice.h: borrowed bytes, pointer and length. Never NUL-terminated, never
 * freed through. An empty slice may have at == NULL. */
#ifndef BACKSTAY_BASE_SLICE_H
#define BACKSTAY_BASE_SLICE_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *at;
	size_t len;
};

#define S(lit) ((struct slice){ (lit), sizeof(lit) - 1 })
/* Initialiser form for static tables. */
#define S_INIT(lit) { (lit), sizeof(lit) - 1 }
#define SLICE_NONE ((struct slice){ NULL, 0 })

/* For printf: printf("%.*s", SLICE_ARG(s)). Lengths above INT_MAX are cut. */
#define SLICE_ARG(s) slice_int_len(s), ((s).at ? (s).at : "")

/* Length as int for "%.*s", cut at INT_MAX. */
int slice_int_len(struct slice s);
/* A NUL-terminated string as a slice; NULL gives SLICE_NONE. */
struct slice slice_of(const char *text);
/* Bytes from..to (exclusive); both must lie inside `s`, from <= to. */
static inline struct slice slice_sub(struct slice s, size_t from, size_t to)
{
	must(from <= to);
	must(to <= s.len);
	return (struct slice){ s.at ? s.at + from : NULL, to - from };
}
/* `s` without its first `count` bytes; count must be <= s.len. */
static inline struct slice slice_from(struct slice s, size_t count)
{
	return slice_sub(s, count, s.len);
}

/* Equality of bytes; the second ignores ASCII case. */
static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}
bool slice_eq_nocase_slow(struct slice a, struct slice b);
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
	if (a.len != b.len)
		return false;
	if (a.len == 0 || !a.at || !b.at)
		return true;
	/* Header names are held against tables of others: nearly all differ here. */
	return (a.at[0] | 0x20) == (b.at[0] | 0x20) && slice_eq_nocase_slow(a, b);
}
/* Order by bytes, shorter first on a shared prefix: <0, 0, >0. */
int slice_compare(struct slice a, struct slice b);
/* Prefix and suffix tests; the third ignores ASCII case. */
bool slice_starts(struct slice s, struct slice prefix);
bool slice_ends(struct slice s, struct slice suffix);
static inline bool slice_starts_nocase(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq_nocase(slice_sub(s, 0, prefix.len), prefix);
}
/* Index of the first `c` or `needle`; SLICE_NOT_FOUND if there is none. */
#define SLICE_NOT_FOUND SIZE_MAX
size_t slice_find(struct slice s, char c);
size_t slice_find_slice(struct slice s, struct slice needle);
/* The same, ASCII case ignored. */
size_t slice_find_nocase(struct slice s, struct slice needle);

/* Splits at the first `c`. False if there is none; head and tail untouched. */
bool slice_cut(struct slice s, char c, struct slice *head, struct slice *tail);
/* Without spaces and tabs (and CR, LF) at both ends. */
struct slice slice_trim(struct slice s);
/* Next element of a comma-separated list, trimmed; empty elements are skipped.
 * *rest is moved on. False at the end. */
bool slice_next_in_list(struct slice *rest, struct slice *element);

/* Decimal digits only (no sign, no space, at least one), all of `s`, within
 * the type. False: *out untouched. */
bool slice_to_u64(struct slice s, uint64_t *out);
/* The same with an optional leading '-'. */
bool slice_to_i64(struct slice s, int64_t *out);
/* Decimal digits of `value`, at the end of `room`; no NUL behind them. */
struct slice slice_of_u64(uint64_t value, char room[static 20]);
/* Plain decimal such as "1.5" (no exponent, no sign), in thousandths, rounded
 * down; clamps at INT64_MAX. False: *out untouched. */
bool slice_to_milli(struct slice s, int64_t *out);

/* Compares in time that depends on the lengths only. */
bool slice_eq_constant_time(struct slice a, struct slice b);
/* 64-bit hash (not for untrusted map keys without a seed). */
uint64_t slice_hash(struct slice s, uint64_t seed);
/* Copies to a malloc'd NUL-terminated string which the caller frees. */
char *slice_to_cstring(struct slice s);
/* Edit distance (insert, delete, replace, swap neighbours) for suggestions,
 * ASCII case ignored; slices over 64 bytes give SIZE_MAX. */
size_t slice_edit_distance(struct slice a, struct slice b);

#endif
