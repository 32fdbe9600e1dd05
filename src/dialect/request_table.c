#include "dialect/request_table.h"

#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>

void request_refuse(struct request_reading *r, const char *format, ...)
{
	char text[512];
	va_list args;

	if (r->refused)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	r->refused = true;
	*r->why = arena_copy(r->arena, slice_of(text));
}

void request_unknown(struct request_reading *r, struct slice name)
{
	struct canon_text *last = r->out->unknown;

	while (last && last->next)
		last = last->next;
	canon_add_text(r->arena, &r->out->unknown, last, name);
	r->out->features |= CANON_HAS(UNKNOWN);
}

static const char *const wanted[] = {
	[TAKE_NUMBER] = "a number", [TAKE_INTEGER] = "a whole number", [TAKE_STRING] = "a string",
	[TAKE_WORD] = "a string", [TAKE_SWITCH] = "true or false",
};

static bool take(struct request_reading *r, const struct request_member *row, const struct json *value)
{
	void *place = (char *)r->out + row->offset;

	switch (row->take) {
	case TAKE_NOTHING:
		return true;
	case TAKE_NUMBER:
		*(struct slice *)place = value->raw;
		return value->type == JSON_NUMBER;
	case TAKE_INTEGER:
		return json_i64(value->raw, place);
	case TAKE_RAW:
		*(struct slice *)place = value->raw;
		return true;
	case TAKE_STRING:
		*(struct slice *)place = value->raw;
		return value->type == JSON_STRING;
	case TAKE_WORD:
		*(struct slice *)place = json_string(r->arena, value->raw);
		return value->type == JSON_STRING;
	case TAKE_SWITCH:
		*(int *)place = value->type == JSON_TRUE;
		return value->type == JSON_TRUE || value->type == JSON_FALSE;
	case TAKE_BY:
		row->by(r, value);
		return true;
	}
	return false;
}

static const struct request_member *row_of(const struct request_member *rows, size_t count,
					   struct slice key)
{
	for (size_t i = 0; i < count; i++)
		if (json_string_eq(key, rows[i].name))
			return &rows[i];
	return NULL;
}

void request_members(struct request_reading *r, const struct json *object,
		     const struct request_member *rows, size_t count)
{
	for (const struct json *value = object->first; value; value = value->next) {
		const struct request_member *row = row_of(rows, count, value->key);

		if (value->type == JSON_NULL)
			continue;
		if (!row) {
			request_unknown(r, value->key);
			continue;
		}
		if (!take(r, row, value))
			request_refuse(r, "\"%.*s\" must be %s", SLICE_ARG(row->name), wanted[row->take]);
		r->out->features |= row->feature;
	}
}
