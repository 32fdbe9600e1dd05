/* The reference of all families, written from their table. */
#include "observe/metrics.h"

static void put_labels(struct buf *out, const struct metric_row *r)
{
	const char *const *scope = metric_scope_labels(r->scope);
	const enum metric_dim dims[] = { r->a, r->b };
	bool any = false;

	for (size_t i = 0; i < METRIC_SCOPE_LABELS && scope[i]; i++) {
		buf_putf(out, "%s`%s`", any ? ", " : "", scope[i]);
		any = true;
	}
	for (size_t i = 0; i < COUNT_OF(dims); i++) {
		if (dims[i] == DIM_NONE)
			continue;
		buf_putf(out, "%s`%s`", any ? ", " : "", metric_dim_label(dims[i]));
		any = true;
	}
}

static void put_rows(struct buf *out)
{
	static const char *const kinds[] = { "counter", "gauge", "histogram" };

	buf_puts(out, "| name | type | labels | what |\n|---|---|---|---|\n");
	for (size_t i = 0; i < metric_row_count; i++) {
		const struct metric_row *r = &metric_rows[i];

		buf_putf(out, "| `%.*s` | %s | ", SLICE_ARG(r->name), kinds[r->kind]);
		put_labels(out, r);
		buf_putf(out, " | %s |\n", r->help);
	}
}

/* Whether a row has a further label; a label may mean different words in
 * different families, so the words are told by family. */
static void put_words(struct buf *out)
{
	buf_puts(out, "\n| family | label | values |\n|---|---|---|\n");
	for (size_t i = 0; i < metric_row_count; i++) {
		const struct metric_row *r = &metric_rows[i];
		const enum metric_dim dims[] = { r->a, r->b };

		for (size_t d = 0; d < COUNT_OF(dims); d++) {
			bool any = false;

			if (dims[d] == DIM_NONE || dims[d] == DIM_VERSION)
				continue;
			buf_putf(out, "| `%.*s` | `%s` | ", SLICE_ARG(r->name),
				 metric_dim_label(dims[d]));
			for (size_t w = 0; w < metric_dim_words(dims[d]); w++) {
				struct slice word = metric_dim_word(dims[d], w);

				if (!word.len)
					continue;
				buf_putf(out, "%s`%.*s`", any ? ", " : "", SLICE_ARG(word));
				any = true;
			}
			buf_puts(out, " |\n");
		}
	}
}

static void put_bounds(struct buf *out)
{
	static const struct { const char *name; enum metric_scale scale; } scales[] = {
		{ "answers and waits", SCALE_LONG }, { "time between tokens", SCALE_GAP },
		{ "own work", SCALE_SHORT },
	};

	buf_puts(out, "\n| histograms of | upper bounds in seconds |\n|---|---|\n");
	for (size_t i = 0; i < COUNT_OF(scales); i++) {
		const int64_t *bounds = metric_bounds_us(scales[i].scale);

		buf_putf(out, "| %s | ", scales[i].name);
		for (size_t b = 0; b < METRICS_BOUNDS; b++)
			buf_putf(out, "%s%g", b ? ", " : "", (double)bounds[b] / 1e6);
		buf_puts(out, " |\n");
	}
}

void metrics_write_reference(struct buf *out)
{
	put_rows(out);
	put_words(out);
	put_bounds(out);
}
