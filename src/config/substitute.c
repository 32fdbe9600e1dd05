/* substitute.c: ${NAME}, ${NAME:-default} and ${file:path} in scalar values.
 * "$${" stands for a plain "${". What is put in is never read as YAML. */
#include "config/inside.h"

#include <string.h>

/* Longest value after substitution. */
#define VALUE_BYTES_MAX (128 * 1024)

struct slice config_path_of(struct reader *r, struct slice path)
{
	if (path.len && path.at[0] == '/')
		return arena_copy(r->arena, path);
	return arena_printf(r->arena, "%.*s%.*s", SLICE_ARG(r->directory), SLICE_ARG(path));
}

bool config_path_reads(struct reader *r, const struct node *n, const char *path)
{
	struct buf content = BUF_INIT(CONFIG_BYTES_MAX), why = BUF_INIT(1024);
	bool good = !path || r->source->read_file(r->source->owner, path, &content, &why);

	if (!good)
		complain_at(r, n, "the file %s cannot be read (%.*s); check path and permissions",
			    quote(r, slice_of(path)), SLICE_ARG(buf_slice(&why)));
	if (content.bytes)
		explicit_bzero(content.bytes, content.size);
	buf_free(&content);
	buf_free(&why);
	return good;
}

static bool is_env_name(struct slice s)
{
	if (s.len == 0 || (s.at[0] >= '0' && s.at[0] <= '9'))
		return false;
	return value_is_name(s, "_", 256);
}

/* Column of byte `at` of the value as written; the node's where that is not
 * known (values over several lines). */
static unsigned column_at(const struct node *n, size_t at)
{
	unsigned column = n->column + (n->quoted ? 1 : 0);

	if (!n->one_line)
		return n->column;
	for (size_t i = 0; i < at && i < n->written.len; i++)
		if (((unsigned char)n->written.at[i] & 0xc0) != 0x80)
			column++;
	return column;
}

static bool put_file(struct reader *r, const struct node *n, unsigned column, struct slice path,
		     struct buf *out)
{
	struct buf content = BUF_INIT(CONFIG_FILE_VALUE_MAX), why = BUF_INIT(1024);
	struct slice full = config_path_of(r, path), text;
	bool good = false;

	if (path.len == 0) {
		complain(r, n->line, column, "${file:} names no file; write ${file:PATH}");
	} else if (!r->source->read_file(r->source->owner, full.at, &content, &why)) {
		text = buf_slice(&why);
		complain(r, n->line, column, "the file %s cannot be read (%.*s); check path and "
			 "permissions", quote(r, full), SLICE_ARG(text));
	} else {
		text = buf_slice(&content);
		while (text.len && (text.at[text.len - 1] == '\n' || text.at[text.len - 1] == '\r'))
			text.len--;
		good = buf_append(out, text);
		if (!good)
			complain(r, n->line, column, "the value is too long; at most 128 KiB");
	}
	if (content.bytes)
		explicit_bzero(content.bytes, content.size);
	buf_free(&content);
	buf_free(&why);
	return good;
}

static bool put_env(struct reader *r, const struct node *n, unsigned column, struct slice inner,
		    struct buf *out)
{
	struct slice name = inner, fallback = SLICE_NONE, value;
	size_t dash = slice_find_slice(inner, S(":-"));
	const char *found;

	if (dash != SLICE_NOT_FOUND) {
		name = slice_sub(inner, 0, dash);
		fallback = slice_from(inner, dash + 2);
	}
	if (!is_env_name(name)) {
		complain(r, n->line, column, "${%.*s} is not understood; write ${NAME}, "
			 "${NAME:-default} or ${file:PATH}", SLICE_ARG(inner));
		return false;
	}
	found = r->source->env(r->source->owner, arena_cstring(r->scratch, name));
	if (dash != SLICE_NOT_FOUND && (!found || !*found)) {
		value = fallback;
	} else if (!found) {
		complain(r, n->line, column, "the environment variable %.*s is not set; set it, or "
			 "write ${%.*s:-default}", SLICE_ARG(name), SLICE_ARG(name));
		return false;
	} else {
		value = slice_of(found);
		while (value.len && (value.at[value.len - 1] == '\n' || value.at[value.len - 1] == '\r'))
			value.len--;
	}
	if (buf_append(out, value))
		return true;
	complain(r, n->line, column, "the value is too long; at most 128 KiB");
	return false;
}

/* One ${…} at the front of `rest`; moves *rest behind it. */
static bool put_one(struct reader *r, const struct node *n, size_t at, struct slice *rest,
		    struct buf *out)
{
	unsigned column = column_at(n, at);
	size_t end = slice_find(*rest, '}');
	struct slice inner;

	if (end == SLICE_NOT_FOUND) {
		complain(r, n->line, column, "\"${\" without a \"}\"; write ${NAME}, or $${ for a plain "
			 "${");
		return false;
	}
	inner = slice_sub(*rest, 2, end);
	*rest = slice_from(*rest, end + 1);
	if (slice_find_slice(inner, S("${")) != SLICE_NOT_FOUND) {
		complain(r, n->line, column, "${…} cannot stand inside another one; use one of them");
		return false;
	}
	if (slice_starts(inner, S("file:")))
		return put_file(r, n, column, slice_from(inner, 5), out);
	return put_env(r, n, column, inner, out);
}

static bool fill_in(struct reader *r, struct node *n, struct buf *out)
{
	struct slice rest = n->written;

	while (rest.len) {
		size_t at = n->written.len - rest.len;
		size_t plain = slice_find_slice(rest, S("${"));

		if (plain == 0) {
			if (!put_one(r, n, at, &rest, out))
				return false;
			continue;
		}
		if (plain == SLICE_NOT_FOUND)
			plain = rest.len;
		else if (rest.at[plain - 1] == '$')
			plain--;              /* $${ */
		if (plain == 0) {
			if (!buf_append(out, S("${")))
				return false;
			rest = slice_from(rest, 3);
			continue;
		}
		if (!buf_append(out, slice_sub(rest, 0, plain)))
			return false;
		rest = slice_from(rest, plain);
	}
	return true;
}

static void substitute_scalar(struct reader *r, struct node *n)
{
	struct buf out = BUF_INIT(VALUE_BYTES_MAX);

	if (slice_find_slice(n->written, S("${")) != SLICE_NOT_FOUND) {
		if (fill_in(r, n, &out))
			n->text = arena_copy(r->scratch, buf_slice(&out));
		else
			n->bad = true;
		if (out.bytes)
			explicit_bzero(out.bytes, out.size);
		buf_free(&out);
	}
	for (size_t i = 0; i < n->text.len && !n->bad; i++) {
		unsigned char c = (unsigned char)n->text.at[i];

		if (c >= 0x20 && c != 0x7f)
			continue;
		complain_at(r, n, "the value holds a line break or another control character; write it "
			    "in one line");
		n->bad = true;
	}
}

void substitute(struct reader *r, struct node *n)
{
	switch (n->kind) {
	case NODE_SCALAR:
		substitute_scalar(r, n);
		break;
	case NODE_LIST:
		for (size_t i = 0; i < n->count; i++)
			substitute(r, n->items[i]);
		break;
	case NODE_MAP:
		for (size_t i = 0; i < n->count; i++)
			substitute(r, n->members[i].value);
		break;
	}
}
