#include "dialect/json_make.h"

#include "wire/json.h"

struct json_make json_make_start(struct buf *buf)
{
	return (struct json_make){ .out = json_out_start(buf) };
}

bool json_make_finish(struct json_make *m)
{
	return json_out_finish(&m->out);
}

/* What stands before a value: the comma, and its name. */
static void lead(struct json_make *m, const char *name)
{
	if (m->comma)
		json_out_puts(&m->out, ",");
	m->comma = true;
	if (!name)
		return;
	json_out_puts(&m->out, "\"");
	json_out_put(&m->out, slice_of(name));
	json_out_puts(&m->out, "\":");
}

static void open(struct json_make *m, const char *name, struct slice bracket)
{
	lead(m, name);
	json_out_put(&m->out, bracket);
	m->comma = false;
}

static void shut(struct json_make *m, struct slice bracket)
{
	json_out_put(&m->out, bracket);
	m->comma = true;
}

void make_object(struct json_make *m, const char *name)
{
	open(m, name, S("{"));
}

void make_object_end(struct json_make *m)
{
	shut(m, S("}"));
}

void make_array(struct json_make *m, const char *name)
{
	open(m, name, S("["));
}

void make_array_end(struct json_make *m)
{
	shut(m, S("]"));
}

void make_members(struct json_make *m, struct slice members)
{
	if (!members.len)
		return;
	lead(m, NULL);
	json_out_put(&m->out, members);
}

void make_raw(struct json_make *m, const char *name, struct slice raw)
{
	lead(m, name);
	/* In a string there is no line break to look for. */
	if (raw.len && raw.at[0] == '"')
		json_out_put(&m->out, raw);
	else
		json_out_raw(&m->out, raw);
}

void make_given(struct json_make *m, const char *name, struct slice raw)
{
	if (raw.len)
		make_raw(m, name, raw);
}

void make_text(struct json_make *m, const char *name, struct slice text)
{
	lead(m, name);
	if (!m->out.failed && !json_try_write_string(m->out.buf, text))
		m->out.failed = true;
}

void make_word(struct json_make *m, const char *name, struct slice text)
{
	if (text.len)
		make_text(m, name, text);
}

void make_i64(struct json_make *m, const char *name, int64_t n)
{
	lead(m, name);
	if (n < 0)
		json_out_puts(&m->out, "-");
	json_out_u64(&m->out, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

void make_bool(struct json_make *m, const char *name, bool on)
{
	lead(m, name);
	json_out_put(&m->out, on ? S("true") : S("false"));
}

void make_null(struct json_make *m, const char *name)
{
	lead(m, name);
	json_out_puts(&m->out, "null");
}

void make_string(struct json_make *m, const char *name)
{
	lead(m, name);
	json_out_puts(&m->out, "\"");
}

void make_string_piece(struct json_make *m, struct slice raw)
{
	if (raw.len >= 2 && raw.at[0] == '"')
		json_out_put(&m->out, slice_sub(raw, 1, raw.len - 1));
}

void make_string_end(struct json_make *m)
{
	json_out_puts(&m->out, "\"");
}
