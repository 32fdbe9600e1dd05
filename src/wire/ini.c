#include "wire/ini.h"

static bool next_line(struct slice *rest, struct slice *line)
{
	if (rest->len == 0)
		return false;
	if (!slice_cut(*rest, '\n', line, rest)) {
		*line = *rest;
		*rest = SLICE_NONE;
	}
	return true;
}

/* The name in "[name]", which may have a comment behind it. */
static bool read_section(struct slice line, struct slice *name)
{
	struct slice rest;

	line = slice_trim(line);
	if (line.len < 2 || line.at[0] != '[' || !slice_cut(slice_from(line, 1), ']', name, &rest))
		return false;
	*name = slice_trim(*name);
	return true;
}

static struct slice without_comment(struct slice value)
{
	for (size_t i = 1; i < value.len; i++)
		if ((value.at[i] == '#' || value.at[i] == ';') &&
		    (value.at[i - 1] == ' ' || value.at[i - 1] == '\t'))
			return slice_trim(slice_sub(value, 0, i));
	return value;
}

struct slice ini_value(struct slice text, struct slice section, struct slice key)
{
	struct slice line, name, value, found = SLICE_NONE;
	bool inside = false;

	while (next_line(&text, &line)) {
		if (read_section(line, &name)) {
			inside = slice_eq(name, section);
			continue;
		}
		if (!inside || line.len == 0 || line.at[0] == ' ' || line.at[0] == '\t' || line.at[0] == '#' ||
		    line.at[0] == ';' || !slice_cut(line, '=', &name, &value))
			continue;
		if (slice_eq_nocase(slice_trim(name), key))
			found = without_comment(slice_trim(value));
	}
	return found;
}

bool ini_has_section(struct slice text, struct slice section)
{
	struct slice line, name;

	while (next_line(&text, &line))
		if (read_section(line, &name) && slice_eq(name, section))
			return true;
	return false;
}
