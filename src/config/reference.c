/* reference.c: the schema's tables as Markdown. */
#include "config/inside.h"

/* Text for a cell of a table. */
static void put_cell(struct buf *out, const char *text)
{
	for (struct slice s = slice_of(text); s.len; s = slice_from(s, 1)) {
		if (s.at[0] == '|')
			buf_puts(out, "\\");
		buf_put(out, slice_sub(s, 0, 1));
	}
}

/* A link to the heading of a section: small letters and digits only. */
static void put_link(struct buf *out, const struct section *s)
{
	buf_putf(out, "[`%s`](#", s->path);
	for (struct slice p = slice_of(s->path); p.len; p = slice_from(p, 1)) {
		char c = p.at[0];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c + ('a' - 'A'));
		if ((c >= 'a' && c <= 'z') || c == '_')
			buf_put(out, (struct slice){ &c, 1 });
	}
	buf_puts(out, ")");
}

static void put_range(struct buf *out, const struct field *f)
{
	struct arena *scratch = arena_create(0);
	struct slice least, most;

	if (f->kind == VALUE_DURATION) {
		least = value_duration_text(scratch, f->min);
		most = value_duration_text(scratch, f->max);
	} else if (f->kind == VALUE_SIZE) {
		least = value_size_text(scratch, f->min);
		most = value_size_text(scratch, f->max);
	} else if (f->kind == VALUE_PERCENT) {
		least = arena_printf(scratch, "%lld%%", (long long)f->min / 1000);
		most = arena_printf(scratch, "%lld%%", (long long)f->max / 1000);
	} else {
		least = arena_printf(scratch, "%lld", (long long)f->min);
		most = arena_printf(scratch, "%lld", (long long)f->max);
	}
	buf_putf(out, "%s, %.*s to %.*s",
		 f->kind == VALUE_DURATION ? "duration" : f->kind == VALUE_SIZE ? "size"
		 : f->kind == VALUE_PERCENT ? "percentage" : "number",
		 SLICE_ARG(least), SLICE_ARG(most));
	arena_free(scratch);
}

static void put_shape(struct buf *out, const struct field *f)
{
	switch (f->kind) {
	case VALUE_DURATION:
	case VALUE_SIZE:
	case VALUE_COUNT:
	case VALUE_PERCENT:
		put_range(out, f);
		break;
	case VALUE_CHOICE:
		for (const struct choice *c = f->choices; c->name; c++)
			buf_putf(out, "%s`%s`", c == f->choices ? "" : c[1].name ? ", " : " or ", c->name);
		break;
	case VALUE_SECTION:
		buf_puts(out, "mapping");
		break;
	case VALUE_NODE:
	case VALUE_TEXT:
		buf_putf(out, "%s", f->shape ? f->shape : "text");
		break;
	}
	if (f->section) {
		buf_puts(out, ": ");
		put_link(out, f->section);
	}
}

static void put_default(struct buf *out, const struct field *f)
{
	if (f->required)
		buf_puts(out, "required");
	else if (f->fallback && slice_find(slice_of(f->fallback), ' ') == SLICE_NOT_FOUND)
		buf_putf(out, "`%s`", f->fallback);
	else if (f->fallback)
		buf_putf(out, "%s", f->fallback);
}

static void put_section(struct buf *out, const struct section *s)
{
	if (*s->path)
		buf_putf(out, "### `%s`\n\n", s->path);
	else
		buf_puts(out, "### Top level\n\n");
	if (s->intro)
		buf_putf(out, "%s\n\n", s->intro);
	buf_puts(out, "| key | value | default | meaning |\n|---|---|---|---|\n");
	for (size_t i = 0; i < s->field_count; i++) {
		const struct field *f = &s->fields[i];

		buf_putf(out, "| `%s` | ", f->key);
		put_shape(out, f);
		buf_puts(out, " | ");
		put_default(out, f);
		buf_puts(out, " | ");
		put_cell(out, f->doc);
		buf_puts(out, " |\n");
	}
	buf_puts(out, "\n");
}

void config_write_reference(struct buf *out)
{
	static const struct section *const sections[] = {
		&section_top, &section_listen_tls, &section_admin, &section_limits, &section_key,
		&section_log, &section_defaults_of_all, &section_default_timeouts, &section_retry, &section_queue, &section_hedge, &section_cache_embeddings,
		&section_cache, &section_breaker, &section_ejection,
		&section_backend, &section_backend_tls, &section_probe, &section_model, &section_target,
		&section_timeouts, &section_last_resort, &section_cache_store, &section_cache_disk, &section_cache_shared,
		&section_alerts, &section_alert_sink, &section_tracing, &section_price, &section_spending, &section_budget, &section_mock,
	};

	for (size_t i = 0; i < COUNT_OF(sections); i++)
		put_section(out, sections[i]);
}
