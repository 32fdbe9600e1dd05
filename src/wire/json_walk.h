/* json_walk.h: the steps of a walk, to be compiled into those who walk: a step
 * is some fifty instructions, of which a call would be a good part. For the
 * files of wire/ only. */
#ifndef BACKSTAY_WIRE_JSON_WALK_H
#define BACKSTAY_WIRE_JSON_WALK_H

#include "wire/json_scan.h"

#include <string.h>

/* JSON_PORTABLE lets the tests run the fallback on machines that have SSE2. */
#if defined(__SSE2__) && !defined(JSON_PORTABLE)
#include <emmintrin.h>
#define JSON_SSE2 1
#else
#define JSON_SSE2 0
#endif

/* ---- bytes ---------------------------------------------------------------- */

#if JSON_SSE2
/* Bit n: byte n of the 16 at `p` is '"', '\\', a control character or not ASCII. */
static inline unsigned json_stops_16(const char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	/* Signed: bytes from 0x80 up are below space as well. */
	__m128i stop = _mm_or_si128(_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
				    _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
						 _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));

	return (unsigned)_mm_movemask_epi8(stop);
}
#endif

/* One of 0 to 9. */
static inline bool json_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Nearly always false, and then with one comparison. */
static inline bool json_is_space(char c)
{
	return (unsigned char)c <= ' ' && (c == ' ' || c == '\n' || c == '\r' || c == '\t');
}

/* ---- tokens --------------------------------------------------------------- */

/* To the next byte that is no space. */
static inline void json_skip_space(struct json_walk *w)
{
	while (w->at < w->end && json_is_space(*w->at))
		w->at++;
}

/* Gives `why`, with the walk at `p`. */
static inline enum json_result json_stop(struct json_walk *w, const char *p, enum json_result why)
{
	w->at = p;
	return why;
}

/* w->at is behind the opening quote; behind the closing one afterwards. */
static inline enum json_result json_skip_string(struct json_walk *w, bool *escaped)
{
	const char *p = w->at;

	*escaped = false;
#if JSON_SSE2
	/* Keys and most values end soon. */
	for (int i = 0; i < 3 && w->end - p >= 16; i++, p += 16) {
		unsigned stops = json_stops_16(p);

		if (!stops)
			continue;
		p += __builtin_ctz(stops);
		if (*p == '"')
			return json_stop(w, p + 1, JSON_OK);
		break;
	}
#endif
	return json_skip_long(w, p, escaped);
}

/* At least one digit. */
static inline enum json_result json_skip_digits(struct json_walk *w)
{
	if (w->at == w->end)
		return JSON_CUT;
	if (!json_is_digit(*w->at))
		return JSON_SYNTAX;
	while (w->at < w->end && json_is_digit(*w->at))
		w->at++;
	return JSON_OK;
}

/* w->at is at its first byte; behind it afterwards. */
static inline enum json_result json_skip_number(struct json_walk *w)
{
	enum json_result r;

	if (*w->at == '-')
		w->at++;
	if (w->at < w->end && *w->at == '0') {
		w->at++;
		if (w->at < w->end && json_is_digit(*w->at))
			return JSON_SYNTAX;
	} else if ((r = json_skip_digits(w)) != JSON_OK) {
		return r;
	}
	if (w->at < w->end && *w->at == '.') {
		w->at++;
		if ((r = json_skip_digits(w)) != JSON_OK)
			return r;
	}
	if (w->at < w->end && (*w->at == 'e' || *w->at == 'E')) {
		w->at++;
		if (w->at < w->end && (*w->at == '+' || *w->at == '-'))
			w->at++;
		return json_skip_digits(w);
	}
	return JSON_OK;
}

/* true, false or null; likewise. */
static inline enum json_result json_skip_word(struct json_walk *w, struct slice word)
{
	if ((size_t)(w->end - w->at) >= word.len && memcmp(w->at, word.at, word.len) == 0) {
		w->at += word.len;
		return JSON_OK;
	}
	for (size_t i = 0; i < word.len; i++, w->at++) {
		if (w->at == w->end)
			return JSON_CUT;
		if (*w->at != word.at[i])
			return JSON_SYNTAX;
	}
	return JSON_OK;
}

/* A container begins at w->at. */
static inline enum json_result json_open(struct json_walk *w, bool object)
{
	uint64_t bit = UINT64_C(1) << (w->depth % 64);

	if (w->depth == JSON_DEPTH_MAX)
		return JSON_DEPTH;
	if (object)
		w->objects[w->depth / 64] |= bit;
	else
		w->objects[w->depth / 64] &= ~bit;
	w->depth++;
	w->in_object = object;
	w->fresh = true;
	w->at++;
	return JSON_OK;
}

/* The innermost container, one at least, ends. */
static inline void json_close(struct json_walk *w)
{
	size_t outer = --w->depth - 1;

	w->in_object = w->depth > 0 && (w->objects[outer / 64] >> (outer % 64) & 1);
	w->fresh = false;
	w->at++;
}

/* Key and colon. */
static inline enum json_result json_walk_key(struct json_walk *w, struct json_token *t)
{
	enum json_result r;

	if (w->at == w->end)
		return JSON_CUT;
	if (*w->at != '"')
		return JSON_SYNTAX;
	t->key.at = ++w->at;
	if ((r = json_skip_string(w, &t->key_escaped)) != JSON_OK)
		return r;
	t->key.len = (size_t)(w->at - t->key.at) - 1;
	json_skip_space(w);
	if (w->at == w->end)
		return JSON_CUT;
	if (*w->at != ':')
		return JSON_SYNTAX;
	w->at++;
	json_skip_space(w);
	return JSON_OK;
}

/* A scalar, or the beginning of a container. */
static inline enum json_result json_walk_value(struct json_walk *w, struct json_token *t)
{
	enum json_result r;
	bool escaped;

	if (w->at == w->end)
		return w->depth ? JSON_CUT : JSON_EMPTY;
	t->kind = JSON_TOKEN_SCALAR;
	t->raw = (struct slice){ w->at, 1 };
	if (*w->at == '"') {              /* the most common one, before the others' table */
		t->type = JSON_STRING;
		w->at++;
		r = json_skip_string(w, &escaped);
		t->raw.len = (size_t)(w->at - t->raw.at);
		return r;
	}
	switch (*w->at) {
	case '{':
	case '[':
		t->kind = JSON_TOKEN_OPEN;
		t->type = *w->at == '{' ? JSON_OBJECT : JSON_ARRAY;
		return json_open(w, t->type == JSON_OBJECT);
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		t->type = JSON_NUMBER;
		r = json_skip_number(w);
		break;
	case 't':
		t->type = JSON_TRUE;
		r = json_skip_word(w, S("true"));
		break;
	case 'f':
		t->type = JSON_FALSE;
		r = json_skip_word(w, S("false"));
		break;
	case 'n':
		t->type = JSON_NULL;
		r = json_skip_word(w, S("null"));
		break;
	default:
		return JSON_SYNTAX;
	}
	t->raw.len = (size_t)(w->at - t->raw.at);
	return r;
}

/* json_walk_step(), in the caller. */
static inline enum json_result json_walk_inline(struct json_walk *w, struct json_token *t)
{
	enum json_result r;

	t->key = SLICE_NONE;
	t->key_escaped = false;
	json_skip_space(w);
	if (w->depth > 0) {
		if (w->at == w->end)
			return JSON_CUT;
		if (*w->at == (w->in_object ? '}' : ']')) {
			t->kind = JSON_TOKEN_CLOSE;
			t->raw = (struct slice){ w->at, 1 };
			json_close(w);
			return JSON_OK;
		}
		if (!w->fresh) {
			if (*w->at != ',')
				return JSON_SYNTAX;
			w->at++;
			json_skip_space(w);
		}
		if (w->in_object && (r = json_walk_key(w, t)) != JSON_OK)
			return r;
	}
	w->fresh = false;
	return json_walk_value(w, t);
}

/* `t` has just opened a container: goes to its end; its bytes are in t->raw. */
static inline enum json_result json_skip_open(struct json_walk *w, struct json_token *t)
{
	size_t floor = w->depth - 1;
	struct json_token inner;
	enum json_result r;

	while (w->depth > floor) {
		if ((r = json_walk_inline(w, &inner)) != JSON_OK)
			return r;
	}
	t->raw.len = (size_t)(w->at - t->raw.at);
	return JSON_OK;
}

/* Nearly every key is told apart by its length or first byte, without a call. */
static inline bool json_key_is(const struct json_token *t, struct slice name)
{
	if (t->key_escaped)
		return json_body_eq(t->key, true, name);
	if (t->key.len != name.len || (name.len > 0 && t->key.at[0] != name.at[0]))
		return false;
	return slice_eq(t->key, name);
}

#endif
