#include "base/slice.h"

#include "base/check.h"

#include <endian.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define EDIT_LEN_MAX 64

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int slice_int_len(struct slice s)
{
	return s.len > INT_MAX ? INT_MAX : (int)s.len;
}

struct slice slice_of(const char *text)
{
	return text ? (struct slice){ text, strlen(text) } : SLICE_NONE;
}

/* 8 bytes as a number, the first one lowest on every machine. */
static uint64_t load_8(const char *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return le64toh(word);
}

static uint64_t load_4(const char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof word);
	return le32toh(word);
}

/* 1 to 15 bytes as two numbers. Their bytes may overlap: together with the
 * length no two texts give the same. */
static void load_tail(const char *at, size_t count, uint64_t out[static 2])
{
	if (count >= 8) {
		out[0] = load_8(at);
		out[1] = load_8(at + count - 8);
	} else if (count >= 4) {
		out[0] = load_4(at);
		out[1] = load_4(at + count - 4);
	} else {
		out[0] = (unsigned char)at[0];
		out[1] = (uint64_t)(unsigned char)at[count / 2] << 8 | (unsigned char)at[count - 1];
	}
}

/* Bytes that differ by 0x20 alone, and are letters, are the same. Of eight at once:
 * with 0x20 added in each, those from 'a' to 'z' carry into the top bit with the first
 * sum and not with the second. */
static bool same_letters(uint64_t a, uint64_t b)
{
	const uint64_t each = UINT64_C(0x0101010101010101), tops = each << 7;
	uint64_t differs = a ^ b, low, letters;

	if (differs & ~(each * 0x20))
		return false;
	low = (a | each * 0x20) & ~tops;
	letters = (low + each * (0x80 - 'a')) & ~(low + each * (0x80 - 'z' - 1)) & ~a & tops;
	return (differs << 2 & ~letters) == 0;
}

bool slice_eq_nocase_slow(struct slice a, struct slice b)
{
	uint64_t x[2] = { 0 }, y[2] = { 0 };
	size_t i = 0;

	if (a.len != b.len)
		return false;
	for (; a.len - i >= 16; i += 8)
		if (!same_letters(load_8(a.at + i), load_8(b.at + i)))
			return false;
	if (a.len > i) {
		load_tail(a.at + i, a.len - i, x);
		load_tail(b.at + i, b.len - i, y);
	}
	return same_letters(x[0], y[0]) && same_letters(x[1], y[1]);
}

int slice_compare(struct slice a, struct slice b)
{
	size_t shared = a.len < b.len ? a.len : b.len;
	int order = shared ? memcmp(a.at, b.at, shared) : 0;

	return order ? order : (a.len > b.len) - (a.len < b.len);
}

bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && slice_eq(slice_sub(s, 0, prefix.len), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len && slice_eq(slice_from(s, s.len - suffix.len), suffix);
}

size_t slice_find(struct slice s, char c)
{
	const char *p = s.len ? memchr(s.at, c, s.len) : NULL;

	return p ? (size_t)(p - s.at) : SLICE_NOT_FOUND;
}

size_t slice_find_slice(struct slice s, struct slice needle)
{
	const char *p;

	if (needle.len == 0)
		return 0;
	p = s.len ? memmem(s.at, s.len, needle.at, needle.len) : NULL;
	return p ? (size_t)(p - s.at) : SLICE_NOT_FOUND;
}

size_t slice_find_nocase(struct slice s, struct slice needle)
{
	for (size_t i = 0; i <= s.len && needle.len <= s.len - i; i++)
		if (slice_eq_nocase(slice_sub(s, i, i + needle.len), needle))
			return i;
	return SLICE_NOT_FOUND;
}

bool slice_cut(struct slice s, char c, struct slice *head, struct slice *tail)
{
	size_t at = slice_find(s, c);

	if (at == SLICE_NOT_FOUND)
		return false;
	*head = slice_sub(s, 0, at);
	*tail = slice_from(s, at + 1);
	return true;
}

struct slice slice_trim(struct slice s)
{
	size_t from = 0, to = s.len;

	while (from < to && is_blank(s.at[from]))
		from++;
	while (to > from && is_blank(s.at[to - 1]))
		to--;
	return slice_sub(s, from, to);
}

bool slice_next_in_list(struct slice *rest, struct slice *element)
{
	while (rest->len) {
		struct slice head = *rest, tail = slice_from(*rest, rest->len);

		slice_cut(*rest, ',', &head, &tail);
		*rest = tail;
		head = slice_trim(head);
		if (head.len) {
			*element = head;
			return true;
		}
	}
	return false;
}

bool slice_to_u64(struct slice s, uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (!is_digit(s.at[i])
		    || __builtin_mul_overflow(value, 10u, &value)
		    || __builtin_add_overflow(value, (uint64_t)(s.at[i] - '0'), &value))
			return false;
	}
	if (s.len == 0)
		return false;
	*out = value;
	return true;
}

bool slice_to_i64(struct slice s, int64_t *out)
{
	bool negative = s.len && s.at[0] == '-';
	uint64_t limit = (uint64_t)INT64_MAX + negative;
	uint64_t value;

	if (!slice_to_u64(slice_from(s, negative), &value) || value > limit)
		return false;
	if (!negative)
		*out = (int64_t)value;
	else
		*out = value == limit ? INT64_MIN : -(int64_t)value;
	return true;
}

struct slice slice_of_u64(uint64_t value, char room[static 20])
{
	char *at = room + 20;

	do {
		*--at = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	return (struct slice){ at, (size_t)(room + 20 - at) };
}

bool slice_to_milli(struct slice s, int64_t *out)
{
	int64_t value = 0;
	unsigned after_point = 0;
	bool point = false, clamped = false;

	if (s.len == 0 || !is_digit(s.at[0]) || !is_digit(s.at[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.at[i] == '.' && !point) {
			point = true;
			continue;
		}
		if (!is_digit(s.at[i]))
			return false;
		if (point && after_point == 3)
			continue;
		after_point += point;
		clamped |= __builtin_mul_overflow(value, 10, &value)
			|| __builtin_add_overflow(value, s.at[i] - '0', &value);
	}
	for (; after_point < 3; after_point++)
		clamped |= __builtin_mul_overflow(value, 10, &value);
	*out = clamped ? INT64_MAX : value;
	return true;
}

bool slice_eq_constant_time(struct slice a, struct slice b)
{
	volatile unsigned char differs = 0;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		differs = (unsigned char)(differs | (a.at[i] ^ b.at[i]));
	return differs == 0;
}

/* Both halves of the 128-bit product, folded: each bit of the result hangs on
 * each bit of both factors. */
static uint64_t fold_multiply(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t slice_hash(struct slice s, uint64_t seed)
{
	/* Both keys hang on the seed: who does not know it cannot choose a word
	 * that makes a factor zero. */
	uint64_t key = fold_multiply(seed ^ UINT64_C(0x8c5b62a3d2f1e947),
				     UINT64_C(0xd1342543de82ef95));
	uint64_t hash = fold_multiply(seed + UINT64_C(0x5851f42d4c957f2d),
				      key ^ UINT64_C(0xa0761f3b5c1d9e67)) ^ s.len;
	size_t at = 0;

	for (; s.len - at >= 16; at += 16)
		hash = fold_multiply(load_8(s.at + at) ^ key, load_8(s.at + at + 8) ^ hash);
	if (s.len > at) {
		uint64_t tail[2];

		load_tail(s.at + at, s.len - at, tail);
		hash = fold_multiply(tail[0] ^ key, tail[1] ^ hash);
	}
	return fold_multiply(hash ^ key, UINT64_C(0x9e3779b97f4a7c15) ^ s.len);
}

char *slice_to_cstring(struct slice s)
{
	char *text;

	must(s.len < SIZE_MAX);
	text = malloc(s.len + 1);
	must(text != NULL);
	if (s.len)
		memcpy(text, s.at, s.len);
	text[s.len] = '\0';
	return text;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t slice_edit_distance(struct slice a, struct slice b)
{
	size_t row[3][EDIT_LEN_MAX + 1];         /* of the table; row i % 3 is for a[0 .. i) */

	if (a.len > EDIT_LEN_MAX || b.len > EDIT_LEN_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b.len; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *now = row[i % 3], *up = row[(i + 2) % 3], *two_up = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned char x = lower(a.at[i - 1]), y = lower(b.at[j - 1]);

			now[j] = smaller(smaller(up[j], now[j - 1]) + 1, up[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b.at[j - 2]) && y == lower(a.at[i - 2]))
				now[j] = smaller(now[j], two_up[j - 2] + 1);
		}
	}
	return row[a.len % 3][b.len];
}
