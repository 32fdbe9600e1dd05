/* reference.c: the tables of docs/dialects.md, from the rows that the code goes by. */
#include "dialect/codec.h"
#include "dialect/vendor.h"

#include "base/check.h"

#define CODECS_MAX 24

struct codecs {
	const struct codec *at[CODECS_MAX];
	size_t count;
};

static void add(struct codecs *list, const struct codec *codec)
{
	if (!codec || codec->task != CANON_CHAT)
		return;
	for (size_t i = 0; i < list->count; i++)
		if (list->at[i] == codec)
			return;
	must(list->count < CODECS_MAX);
	list->at[list->count++] = codec;
}

/* All codecs for conversations, clients' and backends'. */
static struct codecs all_codecs(void)
{
	struct slice names[DIALECTS_MAX];
	size_t count = dialect_names(names);
	struct codecs list = { .count = 0 };

	for (size_t i = 0; i < count; i++) {
		const struct dialect *d = dialect_find(names[i]);

		for (size_t j = 0; j < d->endpoint_count; j++)
			add(&list, d->endpoints[j].codec);
		for (const struct codec *const *c = d->codecs; c && *c; c++)
			add(&list, *c);
	}
	return list;
}

/* ---- who speaks what -------------------------------------------------------------- */

static void write_dialect(struct buf *out, const struct dialect *d)
{
	bool any = false;

	buf_putf(out, "| `%.*s` | ", SLICE_ARG(d->name));
	for (size_t i = 0; i < d->endpoint_count; i++) {
		if (!d->endpoints[i].codec)
			continue;
		buf_putf(out, "%s`%s %.*s`", any ? "<br>" : "", d->endpoints[i].method,
			 SLICE_ARG(d->endpoints[i].path));
		any = true;
	}
	buf_puts(out, " | ");
	any = false;
	for (const struct codec *const *c = d->codecs; c && *c; c++) {
		buf_putf(out, "%s%.*s", any ? ", " : "", SLICE_ARG((*c)->name));
		any = true;
	}
	buf_puts(out, " |\n");
}

static void write_dialects(struct buf *out)
{
	struct slice names[DIALECTS_MAX];
	size_t count = dialect_names(names);

	buf_puts(out, "## Who speaks what\n\n| `dialect` | clients ask at | backends are asked in |\n"
		 "|---|---|---|\n");
	for (size_t i = 0; i < count; i++)
		write_dialect(out, dialect_find(names[i]));
}

/* ---- what is carried ----------------------------------------------------------------- */

static const char *mark(const struct codec *codec, unsigned bit)
{
	return codec->carries >> bit & 1 ? "yes" : "";
}

static void write_features(struct buf *out)
{
	struct codecs list = all_codecs();

	buf_puts(out, "\n## What is carried\n\n| feature | what it is |");
	for (size_t i = 0; i < list.count; i++)
		if (list.at[i]->write_request)
			buf_putf(out, " %.*s |", SLICE_ARG(list.at[i]->name));
	buf_puts(out, "\n|---|---|");
	for (size_t i = 0; i < list.count; i++)
		if (list.at[i]->write_request)
			buf_puts(out, ":-:|");
	buf_puts(out, "\n");
	for (unsigned bit = 0; bit < CANON_FEATURE_COUNT; bit++) {
		const struct canon_feature_row *row = canon_feature((enum canon_feature_bit)bit);

		buf_putf(out, "| `%s`%s | %s |", row->name, row->hint ? " (hint)" : "", row->text);
		for (size_t i = 0; i < list.count; i++)
			if (list.at[i]->write_request)
				buf_putf(out, " %s |", mark(list.at[i], bit));
		buf_puts(out, "\n");
	}
}

/* ---- vendors ---------------------------------------------------------------------------- */

static void write_lacks(struct buf *out, struct arena *arena, const struct vendor *v)
{
	static const struct { enum endpoint_kind kind; const char *name; } kinds[] = {
		{ ENDPOINT_CHAT, "chat" }, { ENDPOINT_RESPONSES, "responses" },
		{ ENDPOINT_COMPLETIONS, "completions" }, { ENDPOINT_EMBEDDINGS, "embeddings" },
		{ ENDPOINT_COUNT_TOKENS, "count_tokens" },
	};
	bool any = false;

	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		if (v->lacks_endpoints >> kinds[i].kind & 1) {
			buf_putf(out, "%s`%s`", any ? " " : "", kinds[i].name);
			any = true;
		}
	buf_putf(out, " | %.*s", SLICE_ARG(canon_feature_names(arena, v->lacks)));
}

static void write_vendor(struct buf *out, const struct vendor *v)
{
	static const char *const ways[] = {
		[RESUME_AUTO] = "", [RESUME_NONE] = "none", [RESUME_REPLAY] = "replay",
		[RESUME_PREFILL] = "prefill", [RESUME_CONTINUE_FINAL] = "continue_final_message",
		[RESUME_PREFIX] = "prefix", [RESUME_INSTRUCT] = "instruct",
	};
	struct arena *arena = arena_create(0);

	buf_putf(out, "| `%.*s` | `%.*s` | %s%.*s | ", SLICE_ARG(v->name), SLICE_ARG(v->dialect),
		 v->host.len && v->host.at[0] == '.' ? "…" : "", SLICE_ARG(v->host));
	write_lacks(out, arena, v);
	buf_putf(out, " | %s |\n", ways[v->resume]);
	arena_free(arena);
}

static void write_vendors(struct buf *out)
{
	struct slice dialects[DIALECTS_MAX], names[VENDORS_MAX];
	size_t count = dialect_names(dialects);

	buf_puts(out, "\n## Vendors\n\n| `vendor` | `dialect` | by the URL's host | endpoints it lacks | features "
		 "it lacks | how it goes on |\n|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < count; i++) {
		size_t vendors = vendor_names(dialects[i], names);

		for (size_t j = 0; j < vendors; j++)
			write_vendor(out, vendor_named(dialects[i], names[j]));
	}
}

void codec_write_reference(struct buf *out)
{
	write_dialects(out);
	write_features(out);
	write_vendors(out);
	buf_puts(out, "\n");
}
