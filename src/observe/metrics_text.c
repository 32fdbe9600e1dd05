/* Prometheus' text format 0.0.4, and OpenMetrics 1.0.0: all rows of the table in
 * its order. */
#include "observe/metrics_inside.h"

#include <stdio.h>
#include <string.h>

#define LABELS_MAX (METRIC_SCOPE_LABELS + 2)

struct writer {
	struct metrics *m;
	enum metrics_format format;
	const struct metrics_now *now;
	struct buf *out;
	bool ok;
};

/* ---- which one ---------------------------------------------------------------------- */

/* The quality that an element of Accept gives, in thousandths. */
static int64_t quality(struct slice element)
{
	size_t at = slice_find_nocase(element, S(";q="));
	int64_t q = 1000;
	struct slice rest, head, tail;

	if (at == SLICE_NOT_FOUND)
		return q;
	rest = slice_from(element, at + 3);
	if (slice_cut(rest, ';', &head, &tail))
		rest = head;
	return slice_to_milli(slice_trim(rest), &q) ? q : 0;
}

enum metrics_format metrics_format_for(struct slice accept)
{
	int64_t open = 0, plain = 0, q;
	struct slice element;

	while (slice_next_in_list(&accept, &element)) {
		q = quality(element);
		if (slice_starts_nocase(element, S("application/openmetrics-text")))
			open = q > open ? q : open;
		else if (slice_starts_nocase(element, S("text/plain")))
			plain = q > plain ? q : plain;
	}
	return open > 0 && open >= plain ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}

struct slice metrics_media_type(enum metrics_format f)
{
	return f == METRICS_OPENMETRICS ? S("application/openmetrics-text; version=1.0.0; charset=utf-8")
					: S("text/plain; version=0.0.4; charset=utf-8");
}

/* ---- words --------------------------------------------------------------------------- */

static void put(struct writer *w, struct slice s)
{
	w->ok = w->ok && buf_append(w->out, s);
}

static void put_escaped(struct writer *w, struct slice value)
{
	size_t from = 0;

	for (size_t i = 0; i < value.len; i++) {
		struct slice escape = value.at[i] == '\\' ? S("\\\\") : value.at[i] == '"' ? S("\\\"")
				    : value.at[i] == '\n' ? S("\\n") : SLICE_NONE;

		if (!escape.len)
			continue;
		put(w, slice_sub(value, from, i));
		put(w, escape);
		from = i + 1;
	}
	put(w, slice_from(value, from));
}

/* A whole number, or one with a fraction where the scale says so. */
static void put_number(struct writer *w, uint64_t n, enum metric_scale scale)
{
	w->ok = w->ok && (scale == SCALE_NANO
		? buf_printf(w->out, " %llu.%09llu\n", (unsigned long long)(n / 1000000000),
			     (unsigned long long)(n % 1000000000))
		: buf_printf(w->out, " %llu\n", (unsigned long long)n));
}

struct label {
	const char *name;
	struct slice value;
};

/* "name{a="x",b="y"}"; `suffix` stands behind the name; `le` NULL: none. */
static void put_series(struct writer *w, struct slice name, const char *suffix,
		       const struct label *labels, size_t count, const char *le)
{
	put(w, name);
	put(w, slice_of(suffix));
	if (count == 0 && !le)
		return;
	put(w, S("{"));
	for (size_t i = 0; i < count; i++) {
		put(w, i ? S(",") : SLICE_NONE);
		put(w, slice_of(labels[i].name));
		put(w, S("=\""));
		put_escaped(w, labels[i].value);
		put(w, S("\""));
	}
	if (le) {
		put(w, count ? S(",le=\"") : S("le=\""));
		put(w, slice_of(le));
		put(w, S("\""));
	}
	put(w, S("}"));
}

/* In OpenMetrics a counter's family goes without the suffix of its samples. */
static void put_head(struct writer *w, const struct metric_row *r)
{
	static const char *const kinds[] = { "counter", "gauge", "histogram" };
	struct slice name = r->name;

	if (w->format == METRICS_OPENMETRICS && r->kind == METRIC_COUNTER)
		name.len -= sizeof "_total" - 1;
	w->ok = w->ok && buf_printf(w->out, "# HELP %.*s %s\n# TYPE %.*s %s\n", SLICE_ARG(name), r->help,
				    SLICE_ARG(name), kinds[r->kind]);
}

/* ---- labels ----------------------------------------------------------------------------- */

/* Those of the scope: `name` holds the values, joined by NUL bytes. */
static size_t scope_labels(enum metric_scope s, struct slice name, struct label *labels)
{
	const char *const *names = metric_scope_labels(s);
	size_t count = 0;

	while (count < METRIC_SCOPE_LABELS && names[count]) {
		struct slice value = name, rest = SLICE_NONE;

		if (slice_cut(name, '\0', &value, &rest))
			name = rest;
		labels[count] = (struct label){ names[count], value };
		count++;
	}
	return count;
}

/* Adds the row's own ones for a cell. False: the cell stands for no word. */
static bool own_labels(const struct metric_row *r, size_t a, size_t b, struct label *labels, size_t *count)
{
	const enum metric_dim dims[] = { r->a, r->b };
	const size_t at[] = { a, b };

	for (size_t i = 0; i < COUNT_OF(dims); i++) {
		struct slice word = metric_dim_word(dims[i], at[i]);

		if (dims[i] == DIM_NONE)
			continue;
		if (!word.len)
			return false;
		labels[(*count)++] = (struct label){ metric_dim_label(dims[i]), word };
	}
	return true;
}

/* ---- what is counted ---------------------------------------------------------------------- */

/* The shortest text of a bound that is a number with a point, as OpenMetrics
 * wants it, in both formats: a series must not change its name. */
static const char *bound_text(int64_t us, char out[32])
{
	snprintf(out, 32, us % 1000000 ? "%g" : "%.1f", (double)us / 1e6);
	return out;
}

static void write_histogram(struct writer *w, const struct metric_row *r, size_t id, size_t cell,
			    const struct label *labels, size_t count)
{
	const int64_t *bounds = metric_bounds_us(r->scale);
	uint64_t numbers[CELLS_OF_HISTOGRAM], sofar = 0, sum_us;
	char le[32];

	for (size_t i = 0; i < CELLS_OF_HISTOGRAM; i++)
		numbers[i] = metrics_sum(w->m, r->scope, id, cell + i);
	for (size_t i = 0; i <= METRICS_BOUNDS; i++) {
		sofar += numbers[i];
		put_series(w, r->name, "_bucket", labels, count,
			   i < METRICS_BOUNDS ? bound_text(bounds[i], le) : "+Inf");
		put_number(w, sofar, SCALE_ONE);
	}
	sum_us = numbers[METRICS_BOUNDS + 1];
	put_series(w, r->name, "_sum", labels, count, NULL);
	w->ok = w->ok && buf_printf(w->out, " %llu.%06llu\n", (unsigned long long)(sum_us / 1000000),
				    (unsigned long long)(sum_us % 1000000));
	put_series(w, r->name, "_count", labels, count, NULL);
	put_number(w, sofar, SCALE_ONE);
}

static bool is_told(const struct metric_row *r, size_t index, bool known, uint64_t value)
{
	return value || (known && (r->told == TOLD_ALL || (r->told >= 0 && (size_t)r->told == index)));
}

static uint64_t seen(struct writer *w, const struct metric_row *r, size_t id, size_t cell)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < (r->kind == METRIC_HISTOGRAM ? METRICS_BOUNDS + 1 : 1); i++)
		sum += metrics_sum(w->m, r->scope, id, cell + i);
	return sum;
}

static void write_counted(struct writer *w, const struct metric_row *r, size_t id, struct slice name,
			  bool known)
{
	size_t as = metric_dim_words(r->a), bs = metric_dim_words(r->b);
	size_t width = r->kind == METRIC_HISTOGRAM ? CELLS_OF_HISTOGRAM : 1;
	struct label labels[LABELS_MAX];

	for (size_t i = 0; i < as * bs && w->ok; i++) {
		size_t cell = r->at + i * width, count = scope_labels(r->scope, name, labels);
		uint64_t value = seen(w, r, id, cell);

		if (!is_told(r, i, known, value) || !own_labels(r, i / bs, i % bs, labels, &count))
			continue;
		if (r->kind == METRIC_HISTOGRAM) {
			write_histogram(w, r, id, cell, labels, count);
		} else {
			put_series(w, r->name, "", labels, count, NULL);
			put_number(w, value, r->scale);
		}
	}
}

static void write_counted_row(struct writer *w, const struct metric_row *r)
{
	size_t names;

	put_head(w, r);
	if (r->scope == SCOPE_WORKER) {
		write_counted(w, r, 0, SLICE_NONE, true);
		return;
	}
	names = metrics_label_count(w->m, r->scope);
	for (size_t id = 0; id < names && w->ok; id++)
		write_counted(w, r, id, w->m->labels[metrics_labelled(r->scope)].names[id], id > 0);
}

/* ---- what is read now ------------------------------------------------------------------------ */

static void write_now_row(struct writer *w, const struct metric_row *r)
{
	size_t as = metric_dim_words(r->a), bs = metric_dim_words(r->b);
	struct label labels[LABELS_MAX];

	put_head(w, r);
	for (size_t one = 0; one < w->now->count(w->now->owner, r->scope); one++)
		for (size_t i = 0; i < as * bs && w->ok; i++) {
			struct slice name = w->now->label(w->now->owner, r->scope, one);
			size_t count = scope_labels(r->scope, name, labels);
			double n;

			if (!w->now->read(w->now->owner, r->scope, one, r->at + i, &n) ||
			    (n == 0 && r->told == TOLD_SEEN) ||
			    !own_labels(r, i / bs, i % bs, labels, &count))
				continue;
			put_series(w, r->name, "", labels, count, NULL);
			w->ok = w->ok && buf_printf(w->out, n == (double)(int64_t)n ? " %.0f\n" : " %.15g\n", n);
		}
}

bool metrics_write(struct metrics *m, enum metrics_format format, const struct metrics_now *now,
		   struct buf *out)
{
	struct writer w = { .m = m, .format = format, .now = now, .out = out, .ok = true };

	for (size_t i = 0; i < metric_row_count && w.ok; i++) {
		const struct metric_row *r = &metric_rows[i];

		if (r->scope < SCOPES_COUNTED)
			write_counted_row(&w, r);
		else if (now)
			write_now_row(&w, r);
	}
	if (format == METRICS_OPENMETRICS)
		put(&w, S("# EOF\n"));
	return w.ok;
}
