#include "wire/resp.h"

#include "base/check.h"

void resp_init(struct resp *p, size_t bytes_max)
{
	*p = (struct resp){ .pending = BUF_INIT(bytes_max) };
}

void resp_free(struct resp *p)
{
	buf_free(&p->pending);
}

/* ---- reading ------------------------------------------------------------------------ */

struct walk {
	struct arena *arena;          /* NULL: it is only seen whether all is there */
	struct slice all;
	size_t at;
	size_t need;                  /* RESP_MORE: so many bytes at least */
	size_t values;
};

/* The line at the walk's place, without its end; RESP_MORE if it is not there yet. */
static enum resp_step take_line(struct walk *w, struct slice *line)
{
	struct slice rest = slice_from(w->all, w->at);
	size_t end = slice_find(rest, '\r');

	if (end == SLICE_NOT_FOUND || end + 1 >= rest.len) {
		w->need = w->all.len + 1;
		return RESP_MORE;
	}
	if (rest.at[end + 1] != '\n')
		return RESP_BROKEN;
	*line = slice_sub(rest, 0, end);
	w->at += end + 2;
	return RESP_VALUE;
}

static enum resp_step take_bytes(struct walk *w, int64_t len, struct slice *out)
{
	size_t want;

	if (len < 0 || (uint64_t)len > SIZE_MAX / 4)
		return RESP_BROKEN;
	want = (size_t)len + 2;
	if (w->all.len - w->at < want) {
		w->need = w->at + want;
		return RESP_MORE;
	}
	*out = slice_sub(w->all, w->at, w->at + (size_t)len);
	if (w->all.at[w->at + (size_t)len] != '\r' || w->all.at[w->at + (size_t)len + 1] != '\n')
		return RESP_BROKEN;
	w->at += want;
	return RESP_VALUE;
}

static enum resp_step take_value(struct walk *w, unsigned depth, struct resp_value *out);

static enum resp_step take_items(struct walk *w, unsigned depth, int64_t count, struct resp_value *out)
{
	size_t items = (size_t)count * (out->type == RESP_MAP ? 2 : 1);
	enum resp_step step = RESP_VALUE;

	w->values += items;
	if (depth >= RESP_DEPTH_MAX || w->values > RESP_VALUES_MAX)
		return RESP_BROKEN;
	/* Each takes three bytes at least: nobody gets memory for a number alone. */
	if ((w->all.len - w->at) / 3 < items) {
		w->need = w->at + 3 * items;
		return RESP_MORE;
	}
	out->count = (size_t)count;
	if (w->arena)
		out->items = arena_array(w->arena, struct resp_value, items);
	for (size_t i = 0; i < items && step == RESP_VALUE; i++) {
		struct resp_value seen;

		step = take_value(w, depth + 1, w->arena ? &out->items[i] : &seen);
	}
	return step;
}

static enum resp_step take_sized(struct walk *w, unsigned depth, char kind, struct slice line,
				 struct resp_value *out)
{
	int64_t size;
	enum resp_step step;

	if (!slice_to_i64(line, &size) || size < -1 || size > INT32_MAX)
		return RESP_BROKEN;
	if (size == -1) {               /* RESP2 has no other nothing */
		out->type = RESP_NULL;
		return RESP_VALUE;
	}
	switch (kind) {
	case '$': case '=': case '!':
		out->type = kind == '!' ? RESP_ERROR : RESP_TEXT;
		step = take_bytes(w, size, &out->text);
		if (kind == '=' && step == RESP_VALUE && out->text.len >= 4)
			out->text = slice_from(out->text, 4);    /* "txt:" */
		return step;
	case '%':
		out->type = RESP_MAP;
		break;
	case '>':
		out->type = RESP_PUSH;
		break;
	default:
		out->type = RESP_LIST;
		break;
	}
	return take_items(w, depth, size, out);
}

/* What says something about the reply behind it. */
static enum resp_step skip_attribute(struct walk *w, unsigned depth, struct slice line)
{
	struct resp_value ignored = { .type = RESP_MAP };
	int64_t size;

	if (!slice_to_i64(line, &size) || size < 0 || size > INT32_MAX)
		return RESP_BROKEN;
	return take_items(w, depth, size, &ignored);
}

static enum resp_step take_value(struct walk *w, unsigned depth, struct resp_value *out)
{
	struct slice line = SLICE_NONE;
	enum resp_step step = take_line(w, &line);
	char kind;

	*out = (struct resp_value){ .type = RESP_NULL };
	if (step != RESP_VALUE)
		return step;
	if (!line.len || depth > RESP_DEPTH_MAX)
		return RESP_BROKEN;
	kind = line.at[0];
	line = slice_from(line, 1);
	switch (kind) {
	case '+': case ',': case '(':
		out->type = RESP_TEXT;
		out->text = line;
		return RESP_VALUE;
	case '-':
		out->type = RESP_ERROR;
		out->text = line;
		return RESP_VALUE;
	case ':':
		out->type = RESP_INTEGER;
		return slice_to_i64(line, &out->integer) ? RESP_VALUE : RESP_BROKEN;
	case '#':
		out->type = RESP_BOOL;
		out->integer = slice_eq(line, S("t"));
		return out->integer || slice_eq(line, S("f")) ? RESP_VALUE : RESP_BROKEN;
	case '_':
		return line.len ? RESP_BROKEN : RESP_VALUE;
	case '|':
		step = skip_attribute(w, depth, line);
		return step == RESP_VALUE ? take_value(w, depth + 1, out) : step;
	case '$': case '=': case '!': case '*': case '~': case '%': case '>':
		return take_sized(w, depth, kind, line, out);
	default:
		return RESP_BROKEN;
	}
}

enum resp_step resp_feed(struct resp *p, struct slice *in, struct arena *arena, struct resp_value *out)
{
	struct walk w = { .arena = NULL };
	enum resp_step step;

	if (p->used) {
		buf_consume(&p->pending, p->used);
		p->used = p->need = 0;
	}
	if (!buf_append(&p->pending, *in))
		return RESP_BROKEN;
	*in = slice_from(*in, in->len);
	w.all = buf_slice(&p->pending);
	if (!w.all.len) {
		buf_release(&p->pending);
		return RESP_MORE;
	}
	if (w.all.len < p->need)
		return RESP_MORE;
	step = take_value(&w, 0, out);
	if (step == RESP_MORE) {
		p->need = w.need;
	} else if (step == RESP_VALUE) {
		p->used = w.at;
		w = (struct walk){ .arena = arena, .all = w.all };
		step = take_value(&w, 0, out);
	}
	return step == RESP_MORE && p->need > p->pending.max ? RESP_BROKEN : step;
}

/* ---- writing ---------------------------------------------------------------------------- */

bool resp_write(struct buf *out, const struct slice *words, size_t count)
{
	bool room = buf_printf(out, "*%zu\r\n", count);

	for (size_t i = 0; i < count && room; i++)
		room = buf_printf(out, "$%zu\r\n", words[i].len) && buf_append(out, words[i]) &&
		       buf_append(out, S("\r\n"));
	return room;
}

const struct resp_value *resp_get(const struct resp_value *v, struct slice name)
{
	size_t pairs = v->type == RESP_MAP ? v->count : v->type == RESP_LIST ? v->count / 2 : 0;

	for (size_t i = 0; i < pairs; i++)
		if (v->items[2 * i].type == RESP_TEXT && slice_eq(v->items[2 * i].text, name))
			return &v->items[2 * i + 1];
	return NULL;
}
