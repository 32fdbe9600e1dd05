/* read.c: reads mappings by the tables of schema.c. */
#include "config/inside.h"

#include <string.h>

_Static_assert(sizeof(enum balance) == sizeof(int), "choices are stored as int");
_Static_assert(sizeof(enum log_level) == sizeof(int), "choices are stored as int");

/* Most candidates that are listed in a message. */
#define LISTED_MAX 20

const char *suggestion(struct reader *r, struct slice wrong, const struct slice *names,
		       size_t count, const char *known)
{
	size_t best = SIZE_MAX, best_at = 0;
	struct buf list = BUF_INIT(4096);
	const char *text;
	bool room = true;

	for (size_t i = 0; i < count; i++) {
		size_t distance = slice_edit_distance(wrong, names[i]);

		if (distance < best) {
			best = distance;
			best_at = i;
		}
	}
	if (best != SIZE_MAX && best <= 1 + wrong.len / 4)
		return arena_printf(r->scratch, "did you mean %s?", quote(r, names[best_at])).at;
	for (size_t i = 0; i < count && i < LISTED_MAX && room; i++)
		room = buf_printf(&list, "%s%.*s", i ? ", " : "", SLICE_ARG(names[i]));
	if (count > LISTED_MAX && room)
		room = buf_append(&list, S(", …"));
	(void)room;                   /* a cut list still helps */
	text = arena_printf(r->scratch, "%s: %.*s", known, SLICE_ARG(buf_slice(&list))).at;
	buf_free(&list);
	return text;
}

bool scalar_of(struct reader *r, const char *key, const struct node *n, struct slice *out)
{
	if (n->kind != NODE_SCALAR) {
		complain_at(r, n, "\"%s\" needs a single value, not %s; write one value behind the "
			    "colon", key, node_kind_text(n));
		return false;
	}
	if (n->bad)
		return false;
	if (node_is_null(n) || n->text.len == 0) {
		complain_at(r, n, "\"%s\" has no value; write one behind the colon or remove the key",
			    key);
		return false;
	}
	*out = n->text;
	return true;
}

bool choice_read(struct reader *r, const char *key, const struct choice *choices,
		 const struct node *n, int *out)
{
	struct slice names[16], text;
	size_t count = 0;

	if (!scalar_of(r, key, n, &text))
		return false;
	for (; choices[count].name; count++) {
		must(count < COUNT_OF(names));
		names[count] = slice_of(choices[count].name);
		if (slice_eq(text, names[count])) {
			*out = choices[count].value;
			return true;
		}
	}
	complain_at(r, n, "unknown %s %s; %s", key, quote(r, n->written),
		    suggestion(r, text, names, count, "write one of"));
	return false;
}

/* What a field's text says, in its base unit; complains otherwise. */
static bool number_of(struct reader *r, const struct field *f, const struct node *n, int64_t *out)
{
	struct slice text, least, most;
	const char *wrong;
	int64_t value;

	if (!scalar_of(r, f->key, n, &text))
		return false;
	if (f->kind == VALUE_DURATION)
		wrong = value_duration(r->scratch, text, &value);
	else if (f->kind == VALUE_SIZE)
		wrong = value_size(r->scratch, text, &value);
	else if (f->kind == VALUE_PERCENT)
		wrong = value_percent(r->scratch, text, &value);
	else
		wrong = value_count(r->scratch, text, &value);
	if (wrong) {
		complain_at(r, n, "\"%s\": %s %s", f->key, quote(r, n->written), wrong);
		return false;
	}
	if (value >= f->min && value <= f->max) {
		*out = value;
		return true;
	}
	if (f->kind == VALUE_DURATION) {
		least = value_duration_text(r->scratch, f->min);
		most = value_duration_text(r->scratch, f->max);
	} else if (f->kind == VALUE_SIZE) {
		least = value_size_text(r->scratch, f->min);
		most = value_size_text(r->scratch, f->max);
	} else if (f->kind == VALUE_PERCENT) {
		least = arena_printf(r->scratch, "%lld%%", (long long)f->min / 1000);
		most = arena_printf(r->scratch, "%lld%%", (long long)f->max / 1000);
	} else {
		least = arena_printf(r->scratch, "%lld", (long long)f->min);
		most = arena_printf(r->scratch, "%lld", (long long)f->max);
	}
	complain_at(r, n, "\"%s\": %s is out of range; write %.*s to %.*s", f->key,
		    quote(r, n->written), SLICE_ARG(least), SLICE_ARG(most));
	return false;
}

static void store(const struct field *f, void *into, int64_t value)
{
	char *at = (char *)into + f->offset;

	switch (f->kind) {
	case VALUE_DURATION:
	case VALUE_PERCENT:
		memcpy(at, &value, sizeof value);
		break;
	case VALUE_SIZE: {
		size_t size = (size_t)value;

		memcpy(at, &size, sizeof size);
		break;
	}
	case VALUE_COUNT: {
		unsigned count = (unsigned)value;

		memcpy(at, &count, sizeof count);
		break;
	}
	case VALUE_CHOICE: {
		int chosen = (int)value;

		memcpy(at, &chosen, sizeof chosen);
		break;
	}
	case VALUE_NODE:
	case VALUE_SECTION:
	case VALUE_TEXT:
		never("not a number");
	}
}

static void read_field(struct reader *r, const struct field *f, struct node *n, void *into)
{
	char *at = (char *)into + f->offset;
	struct slice text;
	int64_t value;
	int chosen;

	switch (f->kind) {
	case VALUE_NODE:
		memcpy(at, &n, sizeof n);
		break;
	case VALUE_SECTION:
		section_read(r, f->section, n, at);
		break;
	case VALUE_DURATION:
	case VALUE_SIZE:
	case VALUE_COUNT:
	case VALUE_PERCENT:
		if (number_of(r, f, n, &value))
			store(f, into, value);
		break;
	case VALUE_CHOICE:
		if (choice_read(r, f->key, f->choices, n, &chosen))
			store(f, into, chosen);
		break;
	case VALUE_TEXT:
		if (scalar_of(r, f->key, n, &text)) {
			text = arena_copy(r->arena, text);
			memcpy(at, &text, sizeof text);
		}
		break;
	}
}

void section_defaults(const struct section *s, void *into)
{
	struct arena *scratch = arena_create(0);

	for (size_t i = 0; i < s->field_count; i++) {
		const struct field *f = &s->fields[i];
		struct slice text = slice_of(f->fallback);
		const char *wrong = NULL;
		int64_t value = 0;

		if (f->kind == VALUE_SECTION)
			section_defaults(f->section, (char *)into + f->offset);
		if (!f->fallback || f->kind == VALUE_SECTION || f->kind == VALUE_NODE)
			continue;
		if (f->kind == VALUE_DURATION)
			wrong = value_duration(scratch, text, &value);
		else if (f->kind == VALUE_SIZE)
			wrong = value_size(scratch, text, &value);
		else if (f->kind == VALUE_PERCENT)
			wrong = value_percent(scratch, text, &value);
		else if (f->kind == VALUE_COUNT)
			wrong = value_count(scratch, text, &value);
		else
			for (const struct choice *c = f->choices; c && c->name; c++)
				if (slice_eq(slice_of(c->name), text))
					value = c->value;
		must(!wrong);
		if (f->kind == VALUE_TEXT)
			memcpy((char *)into + f->offset, &text, sizeof text);
		else
			store(f, into, value);
	}
	arena_free(scratch);
}

static const struct field *field_named(const struct section *s, struct slice key)
{
	for (size_t i = 0; i < s->field_count; i++)
		if (slice_eq(slice_of(s->fields[i].key), key))
			return &s->fields[i];
	return NULL;
}

static void complain_unknown(struct reader *r, const struct section *s, const struct member *m)
{
	struct slice names[32];

	for (const struct stray *stray = s->strays; stray && stray->key; stray++) {
		if (!slice_eq(slice_of(stray->key), m->key))
			continue;
		complain(r, m->line, m->column, "\"%s\" is no key of %s; %s", stray->key, s->what,
			 stray->remedy);
		return;
	}
	must(s->field_count <= COUNT_OF(names));
	for (size_t i = 0; i < s->field_count; i++)
		names[i] = slice_of(s->fields[i].key);
	complain(r, m->line, m->column, "unknown key %s in %s; %s", quote(r, m->key), s->what,
		 suggestion(r, m->key, names, s->field_count, "known keys here"));
}

bool section_read(struct reader *r, const struct section *s, struct node *n, void *into)
{
	if (n->kind != NODE_MAP) {
		if (n->bad)
			return false;
		complain_at(r, n, "%s must be a mapping of keys, not %s; see docs/config.md for its "
			    "keys", s->what, node_is_null(n) ? "nothing" : node_kind_text(n));
		return false;
	}
	for (size_t i = 0; i < n->count; i++) {
		const struct field *f = field_named(s, n->members[i].key);

		if (f)
			read_field(r, f, n->members[i].value, into);
		else
			complain_unknown(r, s, &n->members[i]);
	}
	for (size_t i = 0; i < s->field_count; i++)
		if (s->fields[i].required && !node_get(n, s->fields[i].key))
			complain_at(r, n, "%s lacks its \"%s\"; add one", s->what, s->fields[i].key);
	return true;
}
