/* json_scan.c: the walk over a document, and what needs no memory. */
#include "wire/json_scan.h"

#include <string.h>

/* JSON_PORTABLE lets the tests run the fallback on machines that have SSE2. */
#if defined(__SSE2__) && !defined(JSON_PORTABLE)
#include <emmintrin.h>
#define JSON_SSE2 1
#else
#define JSON_SSE2 0
#endif

const char *json_result_text(enum json_result r)
{
#define AS_TEXT(name, text) [JSON_##name] = text,
	static const char *const texts[] = { JSON_RESULTS(AS_TEXT) };
#undef AS_TEXT

	return (size_t)r < COUNT_OF(texts) ? texts[r] : "unknown";
}

/* ---- bytes ---------------------------------------------------------------- */

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

static inline const char *plain_end(const char *p, const char *end)
{
#if JSON_SSE2
	const __m128i space = _mm_set1_epi8(0x20), quote = _mm_set1_epi8('"'),
		      escape = _mm_set1_epi8('\\');

	for (; end - p >= 16; p += 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* Signed: bytes from 0x80 up are below space as well. */
		__m128i stop = _mm_or_si128(_mm_cmplt_epi8(v, space),
					    _mm_or_si128(_mm_cmpeq_epi8(v, quote),
							 _mm_cmpeq_epi8(v, escape)));
		int mask = _mm_movemask_epi8(stop);

		if (mask)
			return p + __builtin_ctz((unsigned)mask);
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

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static inline bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* ---- tokens --------------------------------------------------------------- */

static inline void skip_space(struct json_walk *w)
{
	while (w->at < w->end && is_space(*w->at))
		w->at++;
}

static inline enum json_result stop_at(struct json_walk *w, const char *p, enum json_result why)
{
	w->at = p;
	return why;
}

/* `p` is at a backslash; behind the escape afterwards. */
static enum json_result skip_escape(struct json_walk *w, const char **at)
{
	const char *p = *at + 1;

	if (p == w->end)
		return stop_at(w, p, JSON_CUT);
	switch (*p++) {
	case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
		break;
	case 'u':
		for (int i = 0; i < 4; i++, p++) {
			if (p == w->end)
				return stop_at(w, p, JSON_CUT);
			if (!is_hex(*p))
				return stop_at(w, p, JSON_SYNTAX);
		}
		break;
	default:
		return stop_at(w, p - 1, JSON_SYNTAX);
	}
	*at = p;
	return JSON_OK;
}

static inline bool is_tail(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* A run of bytes that are not ASCII; `p` is behind it afterwards. */
static enum json_result skip_utf8(struct json_walk *w, const char **at)
{
	const char *p = *at;
	size_t len;

	for (; p < w->end && (unsigned char)*p >= 0x80; p += len) {
		unsigned char lead = (unsigned char)*p;

		/* Most of the world's letters: three bytes, no special lead. */
		if (lead > 0xe0 && lead < 0xf0 && lead != 0xed && w->end - p > 3 &&
		    is_tail(p[1]) && is_tail(p[2])) {
			len = 3;
			continue;
		}
		switch (json_utf8_next(p, w->end, &len)) {
		case JSON_UTF8_GOOD: break;
		case JSON_UTF8_BAD:  return stop_at(w, p, JSON_UTF8);
		case JSON_UTF8_CUT:  return stop_at(w, w->end, JSON_CUT);
		}
	}
	*at = p;
	return JSON_OK;
}

/* w->at is behind the opening quote; behind the closing one afterwards. */
static inline enum json_result skip_string(struct json_walk *w, bool *escaped)
{
	enum json_result r = JSON_OK;
	const char *p = w->at;

	*escaped = false;
	while (r == JSON_OK) {
		p = plain_end(p, w->end);
		if (p == w->end)
			return stop_at(w, p, JSON_CUT);
		if (*p == '"')
			return stop_at(w, p + 1, JSON_OK);
		if (*p == '\\') {
			*escaped = true;
			r = skip_escape(w, &p);
		} else if ((unsigned char)*p >= 0x80) {
			r = skip_utf8(w, &p);
		} else {
			return stop_at(w, p, JSON_SYNTAX);
		}
	}
	return r;
}

/* At least one digit. */
static inline enum json_result skip_digits(struct json_walk *w)
{
	if (w->at == w->end)
		return JSON_CUT;
	if (!is_digit(*w->at))
		return JSON_SYNTAX;
	while (w->at < w->end && is_digit(*w->at))
		w->at++;
	return JSON_OK;
}

static inline enum json_result skip_number(struct json_walk *w)
{
	enum json_result r;

	if (*w->at == '-')
		w->at++;
	if (w->at < w->end && *w->at == '0') {
		w->at++;
		if (w->at < w->end && is_digit(*w->at))
			return JSON_SYNTAX;
	} else if ((r = skip_digits(w)) != JSON_OK) {
		return r;
	}
	if (w->at < w->end && *w->at == '.') {
		w->at++;
		if ((r = skip_digits(w)) != JSON_OK)
			return r;
	}
	if (w->at < w->end && (*w->at == 'e' || *w->at == 'E')) {
		w->at++;
		if (w->at < w->end && (*w->at == '+' || *w->at == '-'))
			w->at++;
		return skip_digits(w);
	}
	return JSON_OK;
}

static enum json_result skip_word(struct json_walk *w, struct slice word)
{
	for (size_t i = 0; i < word.len; i++, w->at++) {
		if (w->at == w->end)
			return JSON_CUT;
		if (*w->at != word.at[i])
			return JSON_SYNTAX;
	}
	return JSON_OK;
}

static inline bool in_object(const struct json_walk *w)
{
	size_t level = w->depth - 1;

	return w->objects[level / 64] >> (level % 64) & 1;
}

static enum json_result open_container(struct json_walk *w, bool object)
{
	uint64_t bit = UINT64_C(1) << (w->depth % 64);

	if (w->depth == JSON_DEPTH_MAX)
		return JSON_DEPTH;
	if (object)
		w->objects[w->depth / 64] |= bit;
	else
		w->objects[w->depth / 64] &= ~bit;
	w->depth++;
	w->fresh = true;
	w->at++;
	return JSON_OK;
}

/* Key and colon. */
static inline enum json_result walk_key(struct json_walk *w, struct json_token *t)
{
	enum json_result r;

	if (w->at == w->end)
		return JSON_CUT;
	if (*w->at != '"')
		return JSON_SYNTAX;
	t->key.at = ++w->at;
	if ((r = skip_string(w, &t->key_escaped)) != JSON_OK)
		return r;
	t->key.len = (size_t)(w->at - t->key.at) - 1;
	skip_space(w);
	if (w->at == w->end)
		return JSON_CUT;
	if (*w->at != ':')
		return JSON_SYNTAX;
	w->at++;
	skip_space(w);
	return JSON_OK;
}

static inline enum json_result walk_value(struct json_walk *w, struct json_token *t)
{
	enum json_result r;
	bool escaped;

	if (w->at == w->end)
		return w->depth ? JSON_CUT : JSON_EMPTY;
	t->kind = JSON_TOKEN_SCALAR;
	t->raw = (struct slice){ w->at, 1 };
	switch (*w->at) {
	case '{':
	case '[':
		t->kind = JSON_TOKEN_OPEN;
		t->type = *w->at == '{' ? JSON_OBJECT : JSON_ARRAY;
		return open_container(w, t->type == JSON_OBJECT);
	case '"':
		t->type = JSON_STRING;
		w->at++;
		r = skip_string(w, &escaped);
		break;
	case '-': case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		t->type = JSON_NUMBER;
		r = skip_number(w);
		break;
	case 't':
		t->type = JSON_TRUE;
		r = skip_word(w, S("true"));
		break;
	case 'f':
		t->type = JSON_FALSE;
		r = skip_word(w, S("false"));
		break;
	case 'n':
		t->type = JSON_NULL;
		r = skip_word(w, S("null"));
		break;
	default:
		return JSON_SYNTAX;
	}
	t->raw.len = (size_t)(w->at - t->raw.at);
	return r;
}

static inline enum json_result walk_step(struct json_walk *w, struct json_token *t)
{
	enum json_result r;

	t->key = SLICE_NONE;
	t->key_escaped = false;
	skip_space(w);
	if (w->depth > 0) {
		bool object = in_object(w);

		if (w->at == w->end)
			return JSON_CUT;
		if (*w->at == (object ? '}' : ']')) {
			t->kind = JSON_TOKEN_CLOSE;
			t->raw = (struct slice){ w->at++, 1 };
			w->depth--;
			w->fresh = false;
			return JSON_OK;
		}
		if (!w->fresh) {
			if (*w->at != ',')
				return JSON_SYNTAX;
			w->at++;
			skip_space(w);
		}
		if (object && (r = walk_key(w, t)) != JSON_OK)
			return r;
	}
	w->fresh = false;
	return walk_value(w, t);
}

enum json_result json_walk_step(struct json_walk *w, struct json_token *t)
{
	return walk_step(w, t);
}

enum json_result json_walk_child(struct json_walk *w, struct json_token *t)
{
	enum json_result r = walk_step(w, t);
	struct json_token inner;
	size_t floor;

	if (r != JSON_OK || t->kind != JSON_TOKEN_OPEN)
		return r;
	floor = w->depth - 1;
	while (w->depth > floor) {
		if ((r = walk_step(w, &inner)) != JSON_OK)
			return r;
	}
	t->raw.len = (size_t)(w->at - t->raw.at);
	return JSON_OK;
}

void json_walk_start(struct json_walk *w, struct slice doc)
{
	/* Pointers that may be subtracted and moved, also for no bytes at all. */
	w->start = doc.len ? doc.at : "";
	w->at = w->start;
	w->end = w->start + doc.len;
	w->depth = 0;
	w->fresh = false;
	memset(w->objects, 0, sizeof w->objects);
}

enum json_result json_walk_end(struct json_walk *w)
{
	skip_space(w);
	return w->at == w->end ? JSON_OK : JSON_TRAILING;
}

/* ---- the scanner's door ---------------------------------------------------- */

static enum json_result scan_done(const struct json_walk *w, enum json_result r, size_t *error_at)
{
	if (r != JSON_OK && error_at)
		*error_at = (size_t)(w->at - w->start);
	return r;
}

enum json_result json_validate(struct slice doc, size_t *error_at)
{
	struct json_walk w;
	struct json_token t;
	enum json_result r;

	json_walk_start(&w, doc);
	if ((r = json_walk_child(&w, &t)) == JSON_OK)
		r = json_walk_end(&w);
	return scan_done(&w, r, error_at);
}

/* Nearly every key is told apart by its length or first byte, without a call. */
static inline bool key_is(const struct json_token *t, struct slice name)
{
	if (t->key_escaped)
		return json_body_eq(t->key, true, name);
	if (t->key.len != name.len || (name.len > 0 && t->key.at[0] != name.at[0]))
		return false;
	return slice_eq(t->key, name);
}

/* False where a wanted member is here for the second time. */
static bool note_member(struct json_want *wants, size_t count, const struct json_token *t)
{
	for (size_t i = 0; i < count; i++) {
		struct json_want *want = &wants[i];

		if (!key_is(t, want->name))
			continue;
		if (want->found)
			return false;
		want->found = true;
		want->type = t->type;
		want->value = t->raw;
	}
	return true;
}

static void forget_wants(struct json_want *wants, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		wants[i].found = false;
		wants[i].type = JSON_NULL;
		wants[i].value = SLICE_NONE;
	}
}

enum json_result json_scan_object(struct slice doc, struct json_want *wants, size_t count,
				  size_t *error_at)
{
	struct json_walk w;
	struct json_token t;
	enum json_result r;

	forget_wants(wants, count);
	json_walk_start(&w, doc);
	r = json_walk_step(&w, &t);
	if (r == JSON_OK && t.type != JSON_OBJECT) {
		/* Anything else that is broken is called broken first. */
		const char *first = t.raw.at;

		r = json_validate(doc, error_at);
		if (r == JSON_OK)
			r = scan_done(&w, stop_at(&w, first, JSON_NOT_OBJECT), error_at);
		return r;
	}
	while (r == JSON_OK) {
		if ((r = json_walk_child(&w, &t)) != JSON_OK)
			break;
		if (t.kind == JSON_TOKEN_CLOSE) {
			r = json_walk_end(&w);
			break;
		}
		if (!note_member(wants, count, &t))
			r = stop_at(&w, t.key.at - 1, JSON_DUPLICATE);
	}
	if (r != JSON_OK)
		forget_wants(wants, count);
	return scan_done(&w, r, error_at);
}
