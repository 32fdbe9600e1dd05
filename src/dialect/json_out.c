#include "dialect/json_out.h"

#include "base/check.h"
#include "wire/json.h"

struct json_out json_out_start(struct buf *buf)
{
	return (struct json_out){ .buf = buf, .len_before = buf_len(buf) };
}

bool json_out_finish(struct json_out *o)
{
	if (o->failed)
		buf_cut(o->buf, o->len_before);
	return !o->failed;
}

void json_out_put(struct json_out *o, struct slice text)
{
	if (!o->failed && !buf_append(o->buf, text))
		o->failed = true;
}

void json_out_raw(struct json_out *o, struct slice raw)
{
	size_t from = 0;

	/* In valid JSON a line break is never part of a token. */
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.at[i] != '\n' && raw.at[i] != '\r')
			continue;
		json_out_put(o, slice_sub(raw, from, i));
		json_out_puts(o, " ");
		from = i + 1;
	}
	json_out_put(o, slice_from(raw, from));
}

void json_out_u64(struct json_out *o, uint64_t n)
{
	char room[20];

	json_out_put(o, slice_of_u64(n, room));
}

void json_out_members(struct json_out *o, struct slice object, const struct json_replace *replace,
		      size_t count)
{
	struct slice key, value;

	while (json_next(&object, &key, &value)) {
		for (size_t i = 0; i < count; i++)
			if (json_string_eq(key, replace[i].name))
				value = replace[i].value;
		if (value.len == 0)
			continue;
		json_out_raw(o, key);
		json_out_puts(o, ":");
		json_out_raw(o, value);
		json_out_puts(o, ",");
	}
}
