/* json_scan.c: the walk over a document, and what needs no memory. */
#include "wire/json_walk.h"

#include <string.h>

const char *json_result_text(enum json_result r)
{
#define AS_TEXT(name, text) [JSON_##name] = text,
	static const char *const texts[] = { JSON_RESULTS(AS_TEXT) };
#undef AS_TEXT

	return (size_t)r < COUNT_OF(texts) ? texts[r] : "unknown";
}

/* ---- the walk ------------------------------------------------------------------ */

enum json_result json_walk_step(struct json_walk *w, struct json_token *t)
{
	return json_walk_inline(w, t);
}

enum json_result json_walk_child(struct json_walk *w, struct json_token *t)
{
	enum json_result r = json_walk_inline(w, t);

	return r == JSON_OK && t->kind == JSON_TOKEN_OPEN ? json_skip_open(w, t) : r;
}

void json_walk_start(struct json_walk *w, struct slice doc)
{
	/* Pointers that may be subtracted and moved, also for no bytes at all. */
	w->start = doc.len ? doc.at : "";
	w->at = w->start;
	w->end = w->start + doc.len;
	w->depth = 0;
	w->in_object = w->fresh = false;
	memset(w->objects, 0, sizeof w->objects);
}

enum json_result json_walk_end(struct json_walk *w)
{
	json_skip_space(w);
	return w->at == w->end ? JSON_OK : JSON_TRAILING;
}

bool json_string_at(struct slice in, struct slice *raw, bool *escaped)
{
	struct json_walk w;

	if (in.len == 0 || *in.at != '"')
		return false;
	w.at = in.at + 1;
	w.end = in.at + in.len;
	if (json_skip_string(&w, escaped) != JSON_OK)
		return false;
	*raw = (struct slice){ in.at, (size_t)(w.at - in.at) };
	return true;
}

/* ---- the scanner's door ---------------------------------------------------- */

enum json_result json_walk_done(const struct json_walk *w, enum json_result r, size_t *error_at)
{
	if (r != JSON_OK && error_at)
		*error_at = (size_t)(w->at - w->start);
	return r;
}

static enum json_result validate(struct json_walk *w, struct slice doc)
{
	struct json_token t;
	enum json_result r;

	json_walk_start(w, doc);
	r = json_walk_child(w, &t);
	return r == JSON_OK ? json_walk_end(w) : r;
}

enum json_result json_validate(struct slice doc, size_t *error_at)
{
	struct json_walk w;
	enum json_result r = validate(&w, doc);

	return json_walk_done(&w, r, error_at);
}

enum json_result json_walk_object(struct json_walk *w, struct slice doc)
{
	struct json_token t;
	enum json_result r;

	json_walk_start(w, doc);
	r = json_walk_step(w, &t);
	if (r != JSON_OK || t.type == JSON_OBJECT)
		return r;
	/* Anything else that is broken is called broken first. */
	r = validate(w, doc);
	return r == JSON_OK ? json_stop(w, t.raw.at, JSON_NOT_OBJECT) : r;
}

/* ---- wanted members ---------------------------------------------------------- */

static struct json_want *find_want(struct json_want *wants, size_t count, const struct json_token *t)
{
	for (size_t i = 0; i < count; i++)
		if (json_key_is(t, wants[i].name))
			return &wants[i];
	return NULL;
}

static void note_word(struct json_want *want, struct slice text)
{
	for (size_t i = 0; i < want->word_count; i++)
		want->words[i].seen |= slice_eq(text, want->words[i].text);
}

static void note_words(struct json_want *want, const struct json_token *t)
{
	if (t->kind == JSON_TOKEN_SCALAR && t->type == JSON_STRING)
		note_word(want, slice_sub(t->raw, 1, t->raw.len - 1));
}

/* As json_skip_open(), looking at all that it skips. */
static enum json_result skip_noting(struct json_walk *w, struct json_token *t, struct json_want *want)
{
	size_t floor = w->depth - 1;
	struct json_token inner;
	enum json_result r;

	while (w->depth > floor) {
		if ((r = json_walk_inline(w, &inner)) != JSON_OK)
			return r;
		note_words(want, &inner);
		note_word(want, inner.key);
	}
	t->raw.len = (size_t)(w->at - t->raw.at);
	return JSON_OK;
}

/* `t` has begun the value of `want`, or of nobody (NULL). */
static enum json_result take_value(struct json_walk *w, struct json_token *t, struct json_want *want)
{
	const char *key = t->key.at - 1;
	enum json_result r = JSON_OK;

	if (want)
		note_words(want, t);
	if (t->kind == JSON_TOKEN_OPEN)
		r = want && want->word_count ? skip_noting(w, t, want) : json_skip_open(w, t);
	if (r != JSON_OK || !want)
		return r;
	if (want->found)
		return json_stop(w, key, JSON_DUPLICATE);
	want->found = true;
	want->type = t->type;
	want->value = t->raw;
	return JSON_OK;
}

static void forget_wants(struct json_want *wants, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		wants[i].found = false;
		wants[i].type = JSON_NULL;
		wants[i].value = SLICE_NONE;
		for (size_t k = 0; k < wants[i].word_count; k++)
			wants[i].words[k].seen = false;
	}
}

enum json_result json_scan_object(struct slice doc, struct json_want *wants, size_t count,
				  size_t *error_at)
{
	struct json_walk w;
	struct json_token t;
	enum json_result r;

	forget_wants(wants, count);
	r = json_walk_object(&w, doc);
	while (r == JSON_OK && (r = json_walk_inline(&w, &t)) == JSON_OK) {
		if (t.kind == JSON_TOKEN_CLOSE) {
			r = json_walk_end(&w);
			break;
		}
		r = take_value(&w, &t, find_want(wants, count, &t));
	}
	if (r != JSON_OK)
		forget_wants(wants, count);
	return json_walk_done(&w, r, error_at);
}
