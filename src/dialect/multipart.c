#include "dialect/multipart.h"

#include "base/check.h"

#include <string.h>

#define BOUNDARY_LEN_MAX 70

/* ---- parameters ---------------------------------------------------------------- */

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Next ";name=value" of a header value, behind its first word. A value in
 * quotes comes without them, escapes in it unresolved. *bad: malformed. */
static bool next_parameter(struct slice *rest, struct slice *name, struct slice *value, bool *bad)
{
	size_t i = 0;

	*bad = false;
	*rest = slice_trim(*rest);
	if (rest->len == 0)
		return false;
	*bad = true;
	if (rest->at[0] != ';')
		return false;
	*rest = slice_trim(slice_from(*rest, 1));
	if (rest->len == 0) {                    /* a lone ';' at the end */
		*bad = false;
		return false;
	}
	while (i < rest->len && is_token_char(rest->at[i]))
		i++;
	if (i == 0 || i == rest->len || rest->at[i] != '=')
		return false;
	*name = slice_sub(*rest, 0, i);
	*rest = slice_from(*rest, i + 1);
	i = 0;
	if (rest->len && rest->at[0] == '"') {
		for (i = 1; i < rest->len && rest->at[i] != '"'; i++)
			if (rest->at[i] == '\\' && i + 1 < rest->len)
				i++;
		if (i >= rest->len)
			return false;
		*value = slice_sub(*rest, 1, i);
		i++;
	} else {
		while (i < rest->len && rest->at[i] != ';' && rest->at[i] != ' ')
			i++;
		*value = slice_sub(*rest, 0, i);
	}
	*rest = slice_from(*rest, i);
	*bad = false;
	return true;
}

static bool boundary_is_legal(struct slice b)
{
	if (b.len == 0 || b.len > BOUNDARY_LEN_MAX || b.at[b.len - 1] == ' ')
		return false;
	for (size_t i = 0; i < b.len; i++) {
		char c = b.at[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			      (c >= '0' && c <= '9');

		if (!letter && (!c || !strchr("'()+_,-./:=? ", c)))
			return false;
	}
	return true;
}

bool multipart_boundary(struct slice content_type, struct slice *boundary)
{
	const struct slice type = S("multipart/form-data");
	struct slice rest, name, value;
	bool bad, seen = false;

	content_type = slice_trim(content_type);
	if (!slice_starts_nocase(content_type, type))
		return false;
	rest = slice_from(content_type, type.len);
	while (next_parameter(&rest, &name, &value, &bad)) {
		if (!slice_eq_nocase(name, S("boundary")))
			continue;
		if (seen)
			return false;
		seen = true;
		*boundary = value;
	}
	return !bad && seen && boundary_is_legal(*boundary);
}

/* ---- parts ------------------------------------------------------------------------ */

struct part {
	struct slice name;
	bool named, is_file;
};

/* The Content-Disposition of a part. */
static const char *read_disposition(struct slice value, struct part *part)
{
	const struct slice type = S("form-data");
	struct slice name, text;
	bool bad;

	if (!slice_starts_nocase(value, type))
		return "a part of the form has a Content-Disposition other than form-data";
	value = slice_from(value, type.len);
	while (next_parameter(&value, &name, &text, &bad)) {
		if (slice_eq_nocase(name, S("name"))) {
			if (part->named)
				return "a part of the form has two names";
			part->named = true;
			part->name = text;
		} else if (slice_eq_nocase(name, S("filename")) ||
			   slice_eq_nocase(name, S("filename*"))) {
			part->is_file = true;
		}
	}
	return bad ? "a part of the form has a malformed Content-Disposition" : NULL;
}

/* The header lines of a part; *body moves behind the empty line. */
static const char *read_part_head(struct slice *body, struct part *part)
{
	const struct slice newline = S("\r\n");
	size_t eaten = 0;

	*part = (struct part){ .named = false };
	for (unsigned i = 0; i <= MULTIPART_HEADERS_MAX; i++) {
		size_t end = slice_find_slice(slice_sub(*body, 0, body->len < MULTIPART_HEAD_BYTES_MAX
							? body->len : MULTIPART_HEAD_BYTES_MAX),
					      newline);
		struct slice line, name, value;
		const char *why = NULL;

		if (end == SLICE_NOT_FOUND || (eaten += end) > MULTIPART_HEAD_BYTES_MAX)
			return "a part of the form has no end of its headers, or too many";
		line = slice_sub(*body, 0, end);
		*body = slice_from(*body, end + newline.len);
		if (line.len == 0)
			return part->named ? NULL : "a part of the form has no name";
		if (!slice_cut(line, ':', &name, &value))
			return "a part of the form has a malformed header";
		if (slice_eq_nocase(name, S("content-disposition")))
			why = read_disposition(slice_trim(value), part);
		if (why)
			return why;
	}
	return "a part of the form has too many headers";
}

static const char *note_part(const struct part *part, struct slice value,
			     struct multipart_want *wants, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (part->is_file || !slice_eq(part->name, wants[i].name))
			continue;
		if (wants[i].found)
			return "a field that decides the routing appears twice in the form";
		wants[i].found = true;
		wants[i].value = value;
	}
	return NULL;
}

const char *multipart_find(struct slice body, struct slice boundary, struct multipart_want *wants,
			   size_t count)
{
	char text[BOUNDARY_LEN_MAX + 4] = "\r\n--";
	struct slice delimiter = { text, boundary.len + 4 };

	must(boundary.len <= BOUNDARY_LEN_MAX);
	memcpy(text + 4, boundary.at, boundary.len);
	/* The first one has no line before it. */
	if (!slice_starts(body, slice_from(delimiter, 2)))
		return "the form does not start with its boundary";
	body = slice_from(body, delimiter.len - 2);
	for (unsigned i = 0; i < MULTIPART_PARTS_MAX; i++) {
		const char *why;
		struct part part;
		size_t end;

		if (slice_starts(body, S("--")))
			return NULL;
		if (!slice_starts(body, S("\r\n")))
			return "the form has a malformed boundary line";
		body = slice_from(body, 2);
		if ((why = read_part_head(&body, &part)))
			return why;
		end = slice_find_slice(body, delimiter);
		if (end == SLICE_NOT_FOUND)
			return "the form ends in the middle of a part";
		if ((why = note_part(&part, slice_sub(body, 0, end), wants, count)))
			return why;
		body = slice_from(body, end + delimiter.len);
	}
	return "the form has too many parts";
}
