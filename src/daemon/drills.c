#include "daemon/drills.h"

#include "base/check.h"
#include "base/lock.h"
#include "route/target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 256
#define GRACE_MS 5000                 /* for exchanges that it touched to end */

enum drill_state { DRILL_RUNNING, DRILL_ENDING, DRILL_HELD, DRILL_FAILED, DRILL_IDLE };

static const char *const state_names[] = {
	[DRILL_RUNNING] = "running", [DRILL_ENDING] = "ending", [DRILL_HELD] = "held",
	[DRILL_FAILED] = "failed", [DRILL_IDLE] = "nothing happened",
};

struct one_drill {
	unsigned number;              /* 0: an empty slot */
	char target[NAME_MAX_BYTES];
	struct slice name;            /* of the target, in `target` */
	enum fault fault;
	unsigned percent;
	enum drill_state state;
	bool stopped;
	mono_ms began_at, ends_at;
	int64_t began_wall_ms;
	uint64_t tries, saved, lost;  /* tries that failed by it; exchanges they belonged to */
};

struct drills {
	struct io *io;
	const struct log *log;
	struct alerts *alerts;
	struct io_timer timer;
	struct lock lock;             /* of all below */
	struct one_drill list[DRILLS_MAX];
	unsigned last_number;
};

const enum fault *drill_faults(void)
{
	static const enum fault faults[] = {
		FAULT_CONNECT, FAULT_SERVER_ERROR, FAULT_OVERLOADED, FAULT_RATE_LIMITED, FAULT_SILENCE,
		FAULT_CUT, FAULT_NONE,
	};

	return faults;
}

static struct target *target_named(const struct config *c, struct slice name)
{
	for (size_t m = 0; m < c->model_count; m++)
		for (size_t i = 0; i < c->models[m].target_count; i++)
			if (slice_eq(c->models[m].targets[i].name, name))
				return c->models[m].targets[i].state;
	return NULL;
}

/* ---- the end ----------------------------------------------------------------------- */

static void tell(struct drills *d, const struct one_drill *o)
{
	char text[512];
	struct alert_event e = { .kind = ALERT_DRILL_FAILED, .subject = o->name, .on = true };

	snprintf(text, sizeof text, "While %s was rehearsed there, %llu of %llu requests that it touched were "
		 "not answered.", fault_row(o->fault)->name, (unsigned long long)o->lost,
		 (unsigned long long)(o->saved + o->lost));
	e.text = slice_of(text);
	if (o->state == DRILL_FAILED)
		alerts_note(d->alerts, &e);
	log_line(d->log, o->state == DRILL_FAILED ? LOG_WARN : LOG_INFO, "drill_over",
		 "number=%u target=%.*s fault=%s result=\"%s\" tries=%llu saved=%llu lost=%llu", o->number,
		 SLICE_ARG(o->name), fault_row(o->fault)->name, state_names[o->state],
		 (unsigned long long)o->tries, (unsigned long long)o->saved, (unsigned long long)o->lost);
}

static void judge(struct one_drill *o)
{
	o->state = o->tries == 0 ? DRILL_IDLE : o->lost ? DRILL_FAILED : DRILL_HELD;
}

static void on_timer(struct io_timer *t, mono_ms now)
{
	struct drills *d = CONTAINER_OF(t, struct drills, timer);
	struct one_drill over[DRILLS_MAX];
	size_t count = 0;
	mono_ms next = MONO_NEVER;

	lock_take(&d->lock);
	for (size_t i = 0; i < DRILLS_MAX; i++) {
		struct one_drill *o = &d->list[i];

		if (!o->number || o->state > DRILL_ENDING)
			continue;
		if (o->state == DRILL_RUNNING && now >= o->ends_at)
			o->state = DRILL_ENDING;
		if (o->state == DRILL_ENDING && now >= mono_after(o->ends_at, GRACE_MS)) {
			judge(o);
			over[count] = *o;
			over[count].name.at = over[count].target;
			count++;
			continue;
		}
		next = mono_earlier(next, o->state == DRILL_RUNNING ? o->ends_at
								    : mono_after(o->ends_at, GRACE_MS));
	}
	lock_give(&d->lock);
	for (size_t i = 0; i < count; i++)
		tell(d, &over[i]);
	io_timer_set(d->io, &d->timer, next);
}

/* ---- the beginning ------------------------------------------------------------------ */

/* A slot for a new one: the oldest that is over. */
static struct one_drill *slot(struct drills *d)
{
	struct one_drill *best = NULL;

	for (size_t i = 0; i < DRILLS_MAX; i++) {
		struct one_drill *o = &d->list[i];

		if (o->number && o->state <= DRILL_ENDING)
			continue;
		if (!best || o->number < best->number)
			best = o;
	}
	return best;
}

static bool is_drilled(const struct drills *d, struct slice target)
{
	for (size_t i = 0; i < DRILLS_MAX; i++)
		if (d->list[i].number && d->list[i].state == DRILL_RUNNING &&
		    slice_eq(d->list[i].name, target))
			return true;
	return false;
}

static unsigned add(struct drills *d, const struct drill_order *o, const char **why)
{
	mono_ms now = io_now(d->io);
	struct one_drill *one = slot(d);

	if (is_drilled(d, o->target) || !one) {
		*why = one ? "there is a drill on that target; stop it first" : "too many drills run; stop one";
		return 0;
	}
	*one = (struct one_drill){
		.number = ++d->last_number,
		.fault = o->fault,
		.percent = o->percent,
		.began_at = now,
		.ends_at = mono_after(now, o->for_ms),
		.began_wall_ms = io_wall_ms(d->io),
	};
	memcpy(one->target, o->target.at, o->target.len);
	one->name = (struct slice){ one->target, o->target.len };
	return one->number;
}

unsigned drills_begin(struct drills *d, const struct config *c, const struct drill_order *o,
		      const char **why)
{
	struct target *t = o->target.len < NAME_MAX_BYTES ? target_named(c, o->target) : NULL;
	unsigned number;

	if (!t) {
		*why = "there is no such target; /admin/targets lists them";
		return 0;
	}
	lock_take(&d->lock);
	number = add(d, o, why);
	lock_give(&d->lock);
	if (!number)
		return 0;
	target_drill(t, o->fault, o->percent, mono_after(io_now(d->io), o->for_ms));
	log_line(d->log, LOG_WARN, "drill_begins", "number=%u target=%.*s fault=%s percent=%u for_ms=%lld",
		 number, SLICE_ARG(o->target), fault_row(o->fault)->name, o->percent, (long long)o->for_ms);
	io_timer_set(d->io, &d->timer, io_now(d->io));
	return number;
}

bool drills_stop(struct drills *d, const struct config *c, unsigned number)
{
	struct target *t = NULL;
	bool found = false;

	lock_take(&d->lock);
	for (size_t i = 0; i < DRILLS_MAX && number; i++) {
		struct one_drill *o = &d->list[i];

		if (o->number != number || o->state != DRILL_RUNNING)
			continue;
		o->ends_at = io_now(d->io);
		o->stopped = true;
		t = target_named(c, o->name);
		found = true;
	}
	lock_give(&d->lock);
	if (t)
		target_drill(t, FAULT_NONE, 0, 0);
	if (found)
		io_timer_set(d->io, &d->timer, io_now(d->io));
	return found;
}

/* ---- counting --------------------------------------------------------------------------- */

static void count(struct drills *d, struct slice target, const struct exchange_record *r)
{
	for (size_t i = 0; i < DRILLS_MAX; i++) {
		struct one_drill *o = &d->list[i];

		if (!o->number || o->state > DRILL_ENDING || !slice_eq(o->name, target))
			continue;
		if (r->fault == FAULT_NONE)
			o->saved++;
		else if (r->fault != FAULT_CLIENT_GONE)
			o->lost++;
	}
}

static void count_tries(struct drills *d, const struct exchange_record *r)
{
	for (size_t i = 0; i < r->attempt_count; i++)
		for (size_t j = 0; j < DRILLS_MAX; j++)
			if (r->attempts[i].drilled && d->list[j].number && d->list[j].state <= DRILL_ENDING &&
			    slice_eq(d->list[j].name, r->attempts[i].target))
				d->list[j].tries++;
}

/* Did one of the earlier tries meet the same drill? */
static bool is_first(const struct exchange_record *r, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (r->attempts[i].drilled && slice_eq(r->attempts[i].target, r->attempts[at].target))
			return false;
	return true;
}

void drills_record(struct drills *d, const struct exchange_record *r)
{
	bool touched = false;

	for (size_t i = 0; i < r->attempt_count; i++)
		touched = touched || r->attempts[i].drilled;
	if (!touched || !d)
		return;
	lock_take(&d->lock);
	count_tries(d, r);
	for (size_t i = 0; i < r->attempt_count; i++)
		if (r->attempts[i].drilled && is_first(r, i))
			count(d, r->attempts[i].target, r);
	lock_give(&d->lock);
}

/* ---- telling ------------------------------------------------------------------------------- */

static void write_one(const struct one_drill *o, mono_ms now, struct doc *out)
{
	doc_open(out, NULL);
	doc_number(out, "number", o->number);
	doc_text(out, "target", o->name);
	doc_word(out, "fault", fault_row(o->fault)->name);
	doc_number(out, "percent", o->percent);
	doc_word(out, "state", state_names[o->state]);
	doc_bool(out, "stopped", o->stopped);
	doc_number(out, "began_ms", o->began_wall_ms);
	doc_number(out, "left_ms", o->state == DRILL_RUNNING && o->ends_at > now ? o->ends_at - now : 0);
	doc_number(out, "tries", (int64_t)o->tries);
	doc_number(out, "saved", (int64_t)o->saved);
	doc_number(out, "lost", (int64_t)o->lost);
	doc_close(out);
}

void drills_write(struct drills *d, const char *name, struct doc *out)
{
	mono_ms now;

	doc_open_list(out, name);
	if (!d) {
		doc_close_list(out);
		return;
	}
	now = io_now(d->io);
	lock_take(&d->lock);
	for (unsigned n = d->last_number; n > 0 && n + DRILLS_MAX > d->last_number; n--)
		for (size_t i = 0; i < DRILLS_MAX; i++)
			if (d->list[i].number == n)
				write_one(&d->list[i], now, out);
	lock_give(&d->lock);
	doc_close_list(out);
}

struct drills *drills_create(struct io *io, const struct log *log, struct alerts *alerts)
{
	struct drills *d = calloc(1, sizeof *d);

	must(d != NULL);
	d->io = io;
	d->log = log;
	d->alerts = alerts;
	d->timer.fire = on_timer;
	lock_init(&d->lock);
	return d;
}

void drills_free(struct drills *d)
{
	if (!d)
		return;
	lock_destroy(&d->lock);
	free(d);
}
