#include "daemon/doc.h"

#include "wire/json.h"

static void put(struct doc *d, struct slice s)
{
	d->full = d->full || !buf_append(d->out, s);
}

/* What stands before each value. */
static void lead(struct doc *d, const char *name)
{
	if (d->follows)
		put(d, S(","));
	d->follows = true;
	if (name && !d->full)
		d->full = !buf_printf(d->out, "\"%s\":", name);
}

static void begin(struct doc *d, const char *name, struct slice bracket)
{
	lead(d, name);
	put(d, bracket);
	d->follows = false;
}

static void end(struct doc *d, struct slice bracket)
{
	put(d, bracket);
	d->follows = true;
}

void doc_open(struct doc *d, const char *name)
{
	begin(d, name, S("{"));
}

void doc_close(struct doc *d)
{
	end(d, S("}"));
}

void doc_open_list(struct doc *d, const char *name)
{
	begin(d, name, S("["));
}

void doc_close_list(struct doc *d)
{
	end(d, S("]"));
}

void doc_text(struct doc *d, const char *name, struct slice text)
{
	lead(d, name);
	d->full = d->full || !json_try_write_string(d->out, text);
}

void doc_word(struct doc *d, const char *name, const char *text)
{
	doc_text(d, name, slice_of(text));
}

void doc_number(struct doc *d, const char *name, int64_t number)
{
	lead(d, name);
	d->full = d->full || !buf_printf(d->out, "%lld", (long long)number);
}

void doc_real(struct doc *d, const char *name, double number)
{
	lead(d, name);
	d->full = d->full || !buf_printf(d->out, "%.2f", number);
}

void doc_money(struct doc *d, const char *name, int64_t nano_usd)
{
	lead(d, name);
	d->full = d->full || !buf_printf(d->out, "%lld.%09lld", (long long)(nano_usd / 1000000000),
					 (long long)(nano_usd % 1000000000));
}

void doc_bool(struct doc *d, const char *name, bool value)
{
	lead(d, name);
	put(d, value ? S("true") : S("false"));
}

void doc_null(struct doc *d, const char *name)
{
	lead(d, name);
	put(d, S("null"));
}

void doc_known(struct doc *d, const char *name, bool known, int64_t number)
{
	if (known)
		doc_number(d, name, number);
	else
		doc_null(d, name);
}

void doc_raw(struct doc *d, const char *name, struct slice json)
{
	lead(d, name);
	put(d, json.len ? json : S("null"));
}
