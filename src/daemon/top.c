#include "daemon/top.h"

#include "base/arena.h"
#include "wire/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define RED    "\033[31m"
#define DIM    "\033[2m"
#define BOLD   "\033[1m"
#define PLAIN  "\033[0m"
#define LINE_MAX_BYTES 2048
#define RECENT_BUCKETS 5              /* for "now" */

/* One page while it is drawn. */
struct drawing {
	struct arena *arena;
	const struct top_page *page;
	struct buf *out;
	unsigned lines, column;
	bool full;                    /* no line more fits */
};

/* ---- text -------------------------------------------------------------------------- */

static bool is_first_byte(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

/* Appends what still fits into the line; controls become spaces. */
static void put(struct drawing *d, struct slice s)
{
	for (size_t i = 0; i < s.len && !d->full; i++) {
		unsigned char c = (unsigned char)s.at[i];
		struct slice one = slice_sub(s, i, i + 1);

		if (is_first_byte(s.at[i]) && d->column >= d->page->width)
			return;
		d->column += is_first_byte(s.at[i]);
		if (c < 0x20 || c == 0x7f)
			one = S(" ");
		d->full = !buf_append(d->out, one);
	}
}

static void putf(struct drawing *d, const char *format, ...) PRINTF_LIKE(2, 3);
static void putf(struct drawing *d, const char *format, ...)
{
	char text[LINE_MAX_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	put(d, slice_of(text));
}

/* Colours take no room. */
static void tint(struct drawing *d, const char *code)
{
	if (d->page->colour && !d->full)
		d->full = !buf_append(d->out, slice_of(code));
}

/* Spaces up to a column. */
static void pad(struct drawing *d, unsigned column)
{
	while (d->column < column && d->column < d->page->width && !d->full)
		put(d, S(" "));
}

static void end_line(struct drawing *d)
{
	tint(d, PLAIN);
	d->full = d->full || !buf_append(d->out, S("\n"));
	d->column = 0;
	d->lines++;
	if (d->page->height && d->lines >= d->page->height)
		d->full = true;
}

/* ---- members ------------------------------------------------------------------------- */

static struct slice text_of(struct drawing *d, const struct json *j, const char *name)
{
	const struct json *member = json_get(j, slice_of(name));

	return member ? json_string(d->arena, member->raw) : SLICE_NONE;
}

/* -1: null, or none. */
static int64_t number_of(const struct json *j, const char *name)
{
	const struct json *member = json_get(j, slice_of(name));
	int64_t value = -1;

	if (member && member->type == JSON_NUMBER && !json_i64(member->raw, &value)) {
		struct slice whole, part;

		if (!slice_cut(member->raw, '.', &whole, &part) || !slice_to_i64(whole, &value))
			value = -1;
	}
	return value;
}

static bool is_set(const struct json *j, const char *name)
{
	const struct json *member = json_get(j, slice_of(name));

	return member && json_is_true(member->raw);
}

static const char *span(int64_t ms, char *out, size_t size)
{
	if (ms < 0)
		snprintf(out, size, "-");
	else if (ms < 1000)
		snprintf(out, size, "%lld ms", (long long)ms);
	else if (ms < 60 * 1000)
		snprintf(out, size, "%lld.%lld s", (long long)ms / 1000, (long long)ms / 100 % 10);
	else if (ms < 3600 * 1000)
		snprintf(out, size, "%lld min", (long long)ms / 60000);
	else
		snprintf(out, size, "%lld h", (long long)ms / 3600000);
	return out;
}

/* ---- the head -------------------------------------------------------------------------- */

/* The sum of a list's last `count` numbers; 0: of all. `skip` of them are left out
 * at the end (the present bucket is not full yet). */
static int64_t sum_of(const struct json *pulse, const char *name, size_t count, size_t skip)
{
	const struct json *list = json_get(pulse, slice_of(name));
	size_t at = 0, first;
	int64_t sum = 0, one;

	if (!list)
		return 0;
	first = count && list->count > count + skip ? list->count - count - skip : 0;
	for (const struct json *n = list->first; n; n = n->next, at++)
		if (at >= first && (!count || at < list->count - skip) && json_i64(n->raw, &one))
			sum += one;
	return sum;
}

static void put_share(struct drawing *d, const char *name, int64_t part, int64_t all, const char *code)
{
	putf(d, "%s ", name);
	tint(d, part && code ? code : BOLD);
	if (all > 0)
		putf(d, "%lld.%lld %%", (long long)(part * 100 / all), (long long)(part * 1000 / all % 10));
	else
		putf(d, "-");
	tint(d, PLAIN);
	putf(d, "   ");
}

/* Of a process that has prices; below ten dollars to a tenth of a cent. */
static void put_cost(struct drawing *d, const struct json *total)
{
	const struct json *cost = json_get(total, S("cost_usd"));
	struct slice whole, part;

	if (!cost || !slice_cut(cost->raw, '.', &whole, &part))
		return;
	if (whole.len > 1)
		putf(d, "   $ %.*s since start", SLICE_ARG(whole));
	else
		putf(d, "   $ %.*s.%.*s since start", SLICE_ARG(whole), part.len < 3 ? (int)part.len : 3, part.at);
}

static void draw_head(struct drawing *d, const struct json *s)
{
	const struct json *pulse = json_get(s, S("pulse")), *total = json_get(s, S("total"));
	static const char *const ends[] = { "good", "cached", "rescued", "degraded", "failed", "caller" };
	int64_t all = 0, recent = 0, failed = sum_of(pulse, "failed", 0, 0), bucket;
	char up[32];

	tint(d, BOLD);
	putf(d, "Backstay %.*s", SLICE_ARG(text_of(d, s, "version")));
	tint(d, PLAIN);
	putf(d, "  %.*s, up %s, %lld workers, config %.*s no. %lld", SLICE_ARG(text_of(d, s, "state")),
	     span(number_of(s, "uptime_ms"), up, sizeof up), (long long)number_of(s, "workers"),
	     SLICE_ARG(text_of(d, json_get(s, S("config")), "path")),
	     (long long)number_of(json_get(s, S("config")), "generation"));
	end_line(d);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		all += i < 5 ? sum_of(pulse, ends[i], 0, 0) : 0;
		recent += sum_of(pulse, ends[i], RECENT_BUCKETS, 1);
	}
	bucket = number_of(pulse, "bucket_ms");
	put_share(d, "answered", all - failed, all, failed ? RED : GREEN);
	put_share(d, "degraded", sum_of(pulse, "degraded", 0, 0), all, YELLOW);
	put_share(d, "rescued", sum_of(pulse, "rescued", 0, 0), all, NULL);
	put_share(d, "from cache", sum_of(pulse, "cached", 0, 0), all, NULL);
	putf(d, "%.1f/s   %lld in progress   %lld waiting",
	     bucket > 0 ? (double)recent * 1000 / (double)(bucket * RECENT_BUCKETS) : 0,
	     (long long)number_of(total, "in_progress"),
	     (long long)number_of(json_get(s, S("queue")), "waiting"));
	put_cost(d, total);
	end_line(d);
}

static void draw_alerts(struct drawing *d, const struct json *s)
{
	const struct json *alerts = json_get(s, S("alerts")), *firing = json_get(alerts, S("firing"));
	const struct json *sinks = json_get(alerts, S("sinks"));

	for (const struct json *a = firing ? firing->first : NULL; a && !d->full; a = a->next) {
		if (!is_set(a, "on"))
			continue;
		tint(d, slice_eq(text_of(d, a, "severity"), S("critical")) ? RED : YELLOW);
		putf(d, "! %.*s: %.*s. ", SLICE_ARG(text_of(d, a, "title")), SLICE_ARG(text_of(d, a, "subject")));
		tint(d, PLAIN);
		put(d, text_of(d, a, "text"));
		end_line(d);
	}
	for (const struct json *k = sinks ? sinks->first : NULL; k && !d->full; k = k->next) {
		if (number_of(k, "failed_in_row") < 1)
			continue;
		tint(d, RED);
		putf(d, "! alerts do not reach %.*s: %lld wait", SLICE_ARG(text_of(d, k, "name")),
		     (long long)number_of(k, "queued"));
		end_line(d);
	}
}

/* Those of which little is left. */
static void draw_budgets(struct drawing *d, const struct json *s)
{
	const struct json *budgets = json_get(s, S("budgets"));

	for (const struct json *b = budgets ? budgets->first : NULL; b && !d->full; b = b->next) {
		struct slice state = text_of(d, b, "state");

		if (slice_eq(state, S("well")))
			continue;
		tint(d, slice_eq(state, S("spent")) ? RED : YELLOW);
		putf(d, "budget %.*s: ", SLICE_ARG(text_of(d, b, "name")));
		tint(d, PLAIN);
		putf(d, "%lld %% of this %.*s used; then: %.*s", (long long)number_of(b, "used_percent"),
		     SLICE_ARG(text_of(d, b, "per")), SLICE_ARG(text_of(d, b, "then")));
		end_line(d);
	}
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static void draw_node(struct drawing *d, const struct json *n, struct slice own_config)
{
	struct slice state = text_of(d, n, "state"), config = text_of(d, n, "config");
	bool ready = slice_eq(state, S("ready"));
	char time[32];

	tint(d, ready ? GREEN : slice_eq(state, S("gone")) ? RED : YELLOW);
	putf(d, "  %s %.*s", ready ? "*" : slice_eq(state, S("gone")) ? "x" : "~", SLICE_ARG(text_of(d, n, "name")));
	putf(d, " %.*s", SLICE_ARG(text_of(d, n, "listen")));
	pad(d, 44);
	putf(d, " %.*s%s", SLICE_ARG(state), is_set(n, "self") ? ", this one" : "");
	tint(d, PLAIN);
	if (!ready)
		putf(d, ", seen %s ago", span(number_of(n, "seen_ms"), time, sizeof time));
	putf(d, "  %lld in flight  %.*s  config ", (long long)number_of(n, "in_flight"),
	     SLICE_ARG(text_of(d, n, "version")));
	if (!slice_eq(config, own_config))
		tint(d, YELLOW);
	putf(d, "%.*s no. %lld%s", SLICE_ARG(config), (long long)number_of(n, "generation"),
	     slice_eq(config, own_config) ? "" : ", another one");
	tint(d, PLAIN);
	putf(d, " for %s", span(number_of(n, "config_ms"), time, sizeof time));
	end_line(d);
}

/* Where there are others, or should be. */
static void draw_nodes(struct drawing *d, const struct json *s)
{
	const struct json *cluster = json_get(s, S("cluster")), *nodes = json_get(s, S("nodes"));
	struct slice own_config = SLICE_NONE;
	bool alone = is_set(cluster, "alone");

	if (!nodes || d->full || (nodes->count < 2 && !alone))
		return;
	end_line(d);
	tint(d, BOLD);
	putf(d, "Nodes");
	tint(d, PLAIN);
	if (alone) {
		tint(d, RED);
		putf(d, "  the shared store does not say who else is there: %.*s", SLICE_ARG(text_of(d, cluster, "why")));
	}
	if (number_of(cluster, "more") > 0)
		putf(d, "  and %lld more", (long long)number_of(cluster, "more"));
	end_line(d);
	for (const struct json *n = nodes->first; n; n = n->next)
		if (is_set(n, "self"))
			own_config = text_of(d, n, "config");
	for (const struct json *n = nodes->first; n && !d->full; n = n->next)
		draw_node(d, n, own_config);
}

/* ---- models ------------------------------------------------------------------------------ */

struct health {
	const char *mark, *code, *word;       /* mark '*': all is well */
};

static struct health health_of(struct drawing *d, const struct json *t)
{
	static const struct { const char *use; struct health health; } uses[] = {
		{ "off", { "x", RED, "off" } }, { "open", { "x", RED, "out" } },
		{ "ramping", { "~", YELLOW, "coming back" } }, { "paced", { "~", YELLOW, "paced" } },
		{ "ejected", { "~", YELLOW, "left out, too slow" } },
	};
	struct slice hold = text_of(d, t, "hold"), use = text_of(d, t, "use");

	if (slice_eq(hold, S("drained")))
		return (struct health){ "o", DIM, "drained" };
	if (slice_eq(hold, S("open")))
		return (struct health){ "x", RED, "held open" };
	if (slice_eq(hold, S("closed")))
		return (struct health){ "~", YELLOW, "held closed" };
	for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
		if (slice_eq(use, slice_of(uses[i].use)))
			return uses[i].health;
	if (slice_eq(text_of(d, t, "state"), S("half-open")))
		return (struct health){ "~", YELLOW, "on trial" };
	return (struct health){ "*", GREEN, number_of(t, "attempts") > 0 ? "well" : "ready" };
}

static void draw_target(struct drawing *d, const struct json *t)
{
	struct health h = health_of(d, t);
	struct slice why = text_of(d, t, "why_text"), drill = text_of(d, t, "drill");
	int64_t limit = number_of(t, "limit"), speed = number_of(t, "tokens_per_s");
	unsigned numbers = d->page->width > 110 ? d->page->width - 46 : 62;
	char time[32];

	tint(d, h.code);
	putf(d, "  %s %.*s", h.mark, SLICE_ARG(text_of(d, t, "name")));
	pad(d, 30);
	putf(d, " %s", h.word);
	tint(d, PLAIN);
	if (why.len && *h.mark != '*')
		putf(d, ", %.*s", (int)(numbers - d->column > 60 ? 60 : 30), why.at);
	if (drill.len)
		putf(d, " [drill: %.*s]", SLICE_ARG(drill));
	pad(d, numbers);
	putf(d, " %lld", (long long)number_of(t, "in_flight"));
	if (limit > 0)
		putf(d, "/%lld", (long long)limit);
	pad(d, numbers + 10);
	putf(d, " %s", span(number_of(t, "first_token_ms"), time, sizeof time));
	pad(d, numbers + 21);
	if (speed >= 0)
		putf(d, " %lld tok/s", (long long)speed);
	pad(d, numbers + 33);
	if (number_of(t, "blamed") > 0)
		putf(d, " %lld faults", (long long)number_of(t, "blamed"));
	end_line(d);
}

static void draw_model(struct drawing *d, const struct json *m)
{
	const struct json *targets = json_get(m, S("targets")), *fallbacks = json_get(m, S("fallbacks"));
	const struct json *ends = json_get(m, S("ends"));
	struct slice state = text_of(d, m, "state");

	tint(d, BOLD);
	put(d, text_of(d, m, "name"));
	tint(d, PLAIN);
	tint(d, slice_eq(state, S("well")) ? GREEN : slice_eq(state, S("down")) ? RED : YELLOW);
	putf(d, "  %.*s", SLICE_ARG(state));
	tint(d, PLAIN);
	putf(d, "  %lld at once, %lld rescued, %lld degraded, %lld failed", (long long)number_of(ends, "good"),
	     (long long)number_of(ends, "rescued"), (long long)number_of(ends, "degraded"),
	     (long long)number_of(ends, "failed"));
	for (const struct json *f = fallbacks ? fallbacks->first : NULL; f; f = f->next)
		putf(d, "%s%.*s", f == fallbacks->first ? "; else " : ", ",
		     SLICE_ARG(json_string(d->arena, f->raw)));
	end_line(d);
	for (const struct json *t = targets ? targets->first : NULL; t && !d->full; t = t->next)
		draw_target(d, t);
}

/* ---- what went wrong ------------------------------------------------------------------------ */

static void draw_trouble(struct drawing *d, const struct json *x)
{
	const struct json *attempts = json_get(x, S("attempts"));
	struct slice time = text_of(d, x, "time"), degraded = text_of(d, x, "degraded");
	struct slice fault = text_of(d, x, "fault");
	char span_text[32];

	putf(d, "  %.*s ", SLICE_ARG(time.len >= 19 ? slice_sub(time, 11, 19) : time));
	tint(d, fault.len ? RED : YELLOW);
	putf(d, "%lld ", (long long)number_of(x, "status"));
	tint(d, PLAIN);
	putf(d, "%.*s:", SLICE_ARG(text_of(d, x, "model")));
	for (const struct json *a = attempts ? attempts->first : NULL; a; a = a->next) {
		struct slice why = text_of(d, a, "fault");

		tint(d, why.len ? RED : GREEN);
		putf(d, " %.*s", SLICE_ARG(text_of(d, a, "target")));
		tint(d, PLAIN);
		putf(d, " %.*s%s", SLICE_ARG(why.len ? why : S("answered")), a->next ? " ->" : "");
	}
	if (degraded.len)
		putf(d, " (%.*s)", SLICE_ARG(degraded));
	putf(d, ", %s", span(number_of(x, "duration_ms"), span_text, sizeof span_text));
	end_line(d);
}

bool top_draw(struct slice state, struct slice troubles, const struct top_page *page, struct buf *out)
{
	struct drawing d = { .arena = arena_create(0), .page = page, .out = out };
	const struct json *s = json_parse(d.arena, state, NULL, NULL);
	const struct json *t = json_get(json_parse(d.arena, troubles, NULL, NULL), S("exchanges"));
	const struct json *models = json_get(s, S("models"));

	if (!models || !json_get(s, S("pulse"))) {
		arena_free(d.arena);
		return false;
	}
	draw_head(&d, s);
	draw_alerts(&d, s);
	draw_budgets(&d, s);
	for (const struct json *m = models->first; m && !d.full; m = m->next) {
		end_line(&d);
		if (!d.full)
			draw_model(&d, m);
	}
	draw_nodes(&d, s);
	if (t && t->first && !d.full) {
		end_line(&d);
		if (!d.full) {
			tint(&d, BOLD);
			putf(&d, "What went wrong");
			end_line(&d);
		}
		for (const struct json *x = t->first; x && !d.full; x = x->next)
			draw_trouble(&d, x);
	}
	arena_free(d.arena);
	return true;
}
