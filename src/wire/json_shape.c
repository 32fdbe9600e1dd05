/* json_shape.c: members of several levels, found in one pass. Runs once for each
 * event of a stream: scanning the event, then its choice, then the choice's delta
 * read most bytes three times (all of an event in a burst took 10,500
 * instructions, and 7,600 without that). */
#include "wire/json_walk.h"

struct scan {
	struct json_walk walk;
	struct json_finding *findings;
	bool odd;
};

static enum json_result scan_members(struct scan *s, const struct json_shape *shape, bool top);

/* Which of the shape's names the key is; shape->count: none. */
static inline size_t find_name(const struct json_shape *shape, const struct json_token *t)
{
	size_t i = 0;

	if (!t->key_escaped && (t->key.len >= 64 || !(shape->lengths >> t->key.len & 1)))
		return shape->count;
	while (i < shape->count && !json_key_is(t, shape->names[i].name))
		i++;
	return i;
}

/* The elements of an array that has just been opened. */
static enum json_result scan_elements(struct scan *s, const struct json_shape *inside)
{
	struct json_token t;
	enum json_result r;
	size_t seen;

	for (seen = 0; (r = json_walk_inline(&s->walk, &t)) == JSON_OK; seen++) {
		if (t.kind == JSON_TOKEN_CLOSE)
			return JSON_OK;
		if (t.kind == JSON_TOKEN_OPEN && t.type == JSON_OBJECT && seen == 0) {
			r = scan_members(s, inside, false);
		} else {
			s->odd = true;
			if (t.kind == JSON_TOKEN_OPEN)
				r = json_skip_open(&s->walk, &t);
		}
		if (r != JSON_OK)
			return r;
	}
	return r;
}

/* `t` has opened the value that `inside` is about; its bytes are in t->raw
 * afterwards. */
static enum json_result scan_inside(struct scan *s, struct json_token *t,
				    const struct json_shape *inside)
{
	enum json_result r = t->type == JSON_OBJECT ? scan_members(s, inside, false)
						    : scan_elements(s, inside);

	t->raw.len = (size_t)(s->walk.at - t->raw.at);
	return r;
}

/* The members of an object that has just been opened. */
static enum json_result scan_members(struct scan *s, const struct json_shape *shape, bool top)
{
	struct json_token t;
	enum json_result r;

	while ((r = json_walk_inline(&s->walk, &t)) == JSON_OK && t.kind != JSON_TOKEN_CLOSE) {
		size_t i = find_name(shape, &t);
		struct json_finding *f = i < shape->count ? &s->findings[shape->first + i] : NULL;

		if (t.kind == JSON_TOKEN_OPEN) {
			r = f && !f->found && shape->names[i].inside
				? scan_inside(s, &t, shape->names[i].inside)
				: json_skip_open(&s->walk, &t);
			if (r != JSON_OK)
				return r;
		}
		if (!f)
			continue;
		if (f->found && top)
			return json_stop(&s->walk, t.key.at - 1, JSON_DUPLICATE);
		if (f->found)
			s->odd = true;
		else
			*f = (struct json_finding){ true, t.type, t.raw };
	}
	return r;
}

enum json_result json_scan_shape(struct slice doc, const struct json_shape *shape,
				 struct json_finding *findings, bool *odd, size_t *error_at)
{
	struct scan s = { .findings = findings };
	enum json_result r = json_walk_object(&s.walk, doc);

	if (r == JSON_OK)
		r = scan_members(&s, shape, true);
	if (r == JSON_OK)
		r = json_walk_end(&s.walk);
	*odd = s.odd;
	return json_walk_done(&s.walk, r, error_at);
}
