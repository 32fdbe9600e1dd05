/* mock_help.c: the table of behaviours, for people. */
#include "mock/mock_behaviour.h"
#include "mock/mock.h"

#include <string.h>

#define COLUMN 34

static bool begins_group(size_t i)
{
	return i == 0 || strcmp(mock_words[i].group, mock_words[i - 1].group) != 0;
}

void mock_write_help(struct buf *out)
{
	for (size_t i = 0; i < mock_word_count; i++) {
		const struct mock_word *w = &mock_words[i];
		size_t width = strlen(w->name) + strlen(w->args) + (w->args[0] != 0);

		if (begins_group(i))
			buf_putf(out, "%s%s\n", i ? "\n" : "", w->group);
		buf_putf(out, "  %s%s%s", w->name, w->args[0] ? " " : "", w->args);
		if (width > COLUMN)
			buf_putf(out, "\n  %*s", COLUMN, "");
		else
			buf_putf(out, "%*s", (int)(COLUMN - width), "");
		buf_putf(out, "  %s\n", w->what);
	}
}

/* '|' divides the cells of a Markdown table. */
static void write_cell(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			buf_puts(out, "\\");
		buf_put(out, (struct slice){ text, 1 });
	}
}

void mock_write_help_markdown(struct buf *out)
{
	for (size_t i = 0; i < mock_word_count; i++) {
		const struct mock_word *w = &mock_words[i];

		if (begins_group(i))
			buf_putf(out, "%s### %s\n\n| behaviour | what happens | failure modes |\n|---|---|---|\n",
				 i ? "\n" : "", w->group);
		buf_puts(out, "| `");
		buf_put(out, slice_of(w->name));
		if (w->args[0]) {
			buf_puts(out, " ");
			write_cell(out, w->args);
		}
		buf_puts(out, "` | ");
		write_cell(out, w->what);
		buf_putf(out, " | %s |\n", w->rows);
	}
}
