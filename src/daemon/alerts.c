#include "daemon/alerts.h"

#include "base/check.h"
#include "daemon/alert_post.h"
#include "daemon/machine_name.h"
#include "daemon/state_file.h"
#include "daemon/state_saver.h"
#include "observe/metrics.h"
#include "wire/json.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define WATCH_MS 500                  /* how often targets and models are looked at */
#define RAISED_MAX 4096               /* events on their way at once */
#define SAVE_AFTER_MS 200
#define SAVE_AGAIN_MS 5000            /* after one that failed */

/* One sink's message under way. */
struct sending {
	struct alerts *alerts;
	size_t sink;
	struct alert_post *post;      /* NULL: none */
};

struct loading {
	struct io_job job;
	struct alerts *alerts;
	char *path;
	struct buf text;
};

struct alerts {
	struct io *io;
	const struct log *log;
	struct config *config;
	struct cache *cache;          /* NULL: none is watched */
	struct alert_book *book;
	struct upstream_pool *pool;
	struct io_timer timer, save_timer, watch_timer;
	struct io_deferred later;     /* arms the timers once a turn */
	struct sending sendings[ALERT_SINKS_MAX];
	bool failing[ALERT_SINKS_MAX];        /* and it has been logged */
	char source[MACHINE_NAME_MAX];
	atomic_uint raised;
	atomic_uint_fast64_t lost;
	bool ready;                   /* what was saved has been read */
	struct loading load;          /* the job's own until it is done */
	struct state_saver saver;
};

static void arm(struct alerts *a);

/* ---- the log ------------------------------------------------------------------------ */

static void on_told(void *owner, const struct alert_note *n)
{
	struct alerts *a = owner;
	const struct alert_kind_row *row = alert_kind_row(n->kind);
	enum log_level level = !n->firing || row->severity == ALERT_INFO ? LOG_INFO
			     : row->severity == ALERT_CRITICAL ? LOG_ERROR : LOG_WARN;
	char subject[256], text[900];

	log_line(a->log, level, n->firing ? "alert_firing" : "alert_resolved",
		 "kind=%s severity=%s subject=%s flapping=%s text=%s", row->name,
		 alert_severity_name(row->severity), log_quote(slice_of(n->subject), subject, sizeof subject),
		 n->flapping ? "yes" : "no", log_quote(slice_of(n->text), text, sizeof text));
}

/* The first failure, and the end of it: those between are counted. */
static void log_sink(struct alerts *a, size_t sink, const struct alert_posted *p)
{
	struct slice name = a->config->alerts.sinks[sink].name;
	struct alert_sink_view v;
	char text[512];

	alert_book_sink(a->book, sink, &v);
	if (p->result == ALERT_TAKEN && a->failing[sink])
		log_line(a->log, LOG_INFO, "alert_sink_back", "sink=%.*s", SLICE_ARG(name));
	else if (p->result == ALERT_REFUSED || (p->result == ALERT_AGAIN && !a->failing[sink]))
		log_line(a->log, LOG_ERROR, "alert_sink_fails",
			 "sink=%.*s status=%d queued=%u text=%s remedy=\"%s\"", SLICE_ARG(name), p->status,
			 v.queued, log_quote(p->text, text, sizeof text), alert_post_remedy(p));
	a->failing[sink] = p->result != ALERT_TAKEN;
}

/* ---- the state file --------------------------------------------------------------------- */

static void on_saved(struct state_saver *s)
{
	arm(CONTAINER_OF(s, struct alerts, saver));
}

static bool save(struct alerts *a, bool last)
{
	struct buf text = BUF_INIT(ALERT_STATE_MAX);

	if (!alert_book_write(a->book, &text)) {
		buf_free(&text);
		return false;
	}
	state_saver_write(&a->saver, last, a->config->alerts.state_path, alert_book_version(a->book), text);
	return true;
}

static bool must_save(const struct alerts *a)
{
	return a->ready && a->config->alerts.state_path.len &&
	       alert_book_version(a->book) != a->saver.saved_version;
}

static void on_save_timer(struct io_timer *t, mono_ms now)
{
	struct alerts *a = CONTAINER_OF(t, struct alerts, save_timer);

	(void)now;
	if (!a->saver.now.busy && must_save(a))
		save(a, false);
}

static void clear_loading(struct loading *l)
{
	buf_free(&l->text);
	free(l->path);
	l->path = NULL;
}

static void load_work(struct io_job *job)
{
	struct loading *l = CONTAINER_OF(job, struct loading, job);

	state_file_read(l->path, &l->text);
}

static void load_done(struct io_job *job)
{
	struct loading *l = CONTAINER_OF(job, struct loading, job);
	struct alerts *a = l->alerts;

	if (buf_len(&l->text) && !alert_book_read(a->book, buf_slice(&l->text), io_now(a->io)))
		log_line(a->log, LOG_ERROR, "alert_state_unreadable",
			 "path=%s remedy=\"it is written anew; what had not been sent is lost\"", l->path);
	clear_loading(l);
	a->ready = true;
	arm(a);
}

static void load(struct alerts *a)
{
	struct loading *l = &a->load;

	if (!a->config->alerts.state_path.len) {
		a->ready = true;
		return;
	}
	l->alerts = a;
	l->job.work = load_work;
	l->job.done = load_done;
	l->text = BUF_INIT(ALERT_STATE_MAX + 65536);
	l->path = slice_to_cstring(a->config->alerts.state_path);
	io_background(a->io, &l->job);
}

/* ---- sending ------------------------------------------------------------------------------ */

static void on_done(void *owner, const struct alert_posted *p)
{
	struct sending *s = owner;
	struct alerts *a = s->alerts;

	s->post = NULL;
	alert_book_sent(a->book, s->sink, p->result, p->hint_ms, io_now(a->io), io_random(a->io));
	log_sink(a, s->sink, p);
	arm(a);
}

static void send_due(struct alerts *a, mono_ms now)
{
	const struct alert_policy *policy = &a->config->alerts;

	for (size_t i = 0; i < policy->sink_count; i++) {
		const struct alert_note *notes;
		struct alert_post_setup setup = {
			.io = a->io, .pool = a->pool, .policy = policy, .sink = &policy->sinks[i],
			.source = slice_of(a->source), .on_done = on_done, .owner = &a->sendings[i],
		};
		size_t count = alert_book_take(a->book, i, now, io_wall_ms(a->io), &notes);

		if (count)
			a->sendings[i].post = alert_post_start(&setup, notes, count);
	}
}

static void give_up_all(struct alerts *a)
{
	for (size_t i = 0; i < ALERT_SINKS_MAX; i++) {
		if (a->sendings[i].post)
			alert_post_cancel(a->sendings[i].post);
		a->sendings[i].post = NULL;
	}
}

static void on_timer(struct io_timer *t, mono_ms now)
{
	struct alerts *a = CONTAINER_OF(t, struct alerts, timer);

	alert_book_tick(a->book, now, io_wall_ms(a->io));
	send_due(a, now);
	arm(a);
}

/* Before the state has been read nothing is told: it may have been told already. */
static void arm(struct alerts *a)
{
	mono_ms now = io_now(a->io);

	if (!a->ready)
		return;
	io_timer_set(a->io, &a->timer, alert_book_wake_at(a->book));
	if (!a->saver.now.busy && must_save(a))
		io_timer_set(a->io, &a->save_timer,
			     mono_after(now, a->saver.failing ? SAVE_AGAIN_MS : SAVE_AFTER_MS));
}

/* ---- events -------------------------------------------------------------------------------- */

struct raised {
	struct io_message message;
	struct alerts *alerts;
	struct alert_event event;
	char subject[ALERT_SUBJECT_MAX], text[ALERT_TEXT_MAX];
};

static void deliver(struct io_message *m)
{
	struct raised *r = CONTAINER_OF(m, struct raised, message);

	atomic_fetch_sub(&r->alerts->raised, 1);
	alerts_note(r->alerts, &r->event);
	free(r);
}

static struct slice keep(char *room, size_t size, struct slice s)
{
	size_t len = s.len < size ? s.len : size;

	if (len)
		memcpy(room, s.at, len);
	return (struct slice){ room, len };
}

void alerts_raise(struct alerts *a, const struct alert_event *e)
{
	struct raised *r;

	if (!a)
		return;
	if (atomic_fetch_add(&a->raised, 1) >= RAISED_MAX || !(r = calloc(1, sizeof *r))) {
		atomic_fetch_sub(&a->raised, 1);
		atomic_fetch_add(&a->lost, 1);
		return;
	}
	r->message.deliver = deliver;
	r->alerts = a;
	r->event = *e;
	r->event.subject = keep(r->subject, sizeof r->subject, e->subject);
	r->event.text = keep(r->text, sizeof r->text, e->text);
	io_post(a->io, &r->message);
}

void alerts_note(struct alerts *a, const struct alert_event *e)
{
	if (!a)
		return;
	alert_book_event(a->book, e, io_now(a->io), io_wall_ms(a->io));
	io_defer(a->io, &a->later);
}

void alerts_round(struct alerts *a, unsigned kinds)
{
	alert_book_round(a->book, kinds, io_now(a->io));
	io_defer(a->io, &a->later);
}

static void on_later(struct io_deferred *d, mono_ms now)
{
	(void)now;
	arm(CONTAINER_OF(d, struct alerts, later));
}

static void on_watch(struct io_timer *t, mono_ms now)
{
	struct alerts *a = CONTAINER_OF(t, struct alerts, watch_timer);

	alert_watch_look(a, a->config, a->cache, now, io_wall_ms(a->io));
	io_timer_set(a->io, t, mono_after(now, WATCH_MS));
}

/* ---- life ------------------------------------------------------------------------------------ */

struct alerts *alerts_create(struct io *io, const struct log *log, struct config *config)
{
	struct alerts *a = calloc(1, sizeof *a);

	must(a != NULL);
	a->io = io;
	a->log = log;
	a->config = config_take(config);
	a->book = alert_book_create();
	a->pool = upstream_pool_create(io, log);
	a->timer.fire = on_timer;
	a->save_timer.fire = on_save_timer;
	a->watch_timer.fire = on_watch;
	a->later.run = on_later;
	a->saver = (struct state_saver){ .io = io, .log = log, .event = "alert_state_fails", .done = on_saved };
	state_saver_init(&a->saver);
	for (size_t i = 0; i < ALERT_SINKS_MAX; i++)
		a->sendings[i] = (struct sending){ .alerts = a, .sink = i };
	machine_name(a->source, sizeof a->source);
	alert_book_watch(a->book, on_told, a);
	alert_book_use(a->book, &config->alerts, io_now(io));
	load(a);
	io_timer_set(io, &a->watch_timer, mono_after(io_now(io), WATCH_MS));
	return a;
}

void alerts_watch_cache(struct alerts *a, struct cache *cache)
{
	a->cache = cache;
}

void alerts_set_config(struct alerts *a, struct config *config)
{
	struct config *old = a->config;

	give_up_all(a);
	a->config = config_take(config);
	alert_book_use(a->book, &config->alerts, io_now(a->io));
	memset(a->failing, 0, sizeof a->failing);
	upstream_pool_flush(a->pool);
	config_give(old);
	arm(a);
}

void alerts_stop(struct alerts *a)
{
	if (!a)
		return;
	give_up_all(a);
	io_timer_clear(a->io, &a->timer);
	io_timer_clear(a->io, &a->save_timer);
	io_timer_clear(a->io, &a->watch_timer);
	upstream_pool_free(a->pool);
	if (must_save(a) && !save(a, true))
		log_line(a->log, LOG_ERROR, "alert_state_fails", "reason=\"it is too large\"");
}

void alerts_free(struct alerts *a)
{
	if (!a)
		return;
	clear_loading(&a->load);
	state_saver_free(&a->saver);
	alert_book_free(a->book);
	config_give(a->config);
	free(a);
}

/* ---- telling of itself -------------------------------------------------------------------------- */

static bool put_text(struct buf *out, const char *name, const char *text)
{
	return buf_printf(out, "\"%s\":", name) && json_try_write_string(out, slice_of(text));
}

static bool put_alert(const struct alert_note *n, struct buf *out)
{
	const struct alert_kind_row *row = alert_kind_row(n->kind);

	return buf_append(out, S("{")) && put_text(out, "kind", row->name) && buf_append(out, S(",")) &&
	       put_text(out, "severity", alert_severity_name(row->severity)) && buf_append(out, S(",")) &&
	       put_text(out, "title", row->title) && buf_append(out, S(",")) &&
	       put_text(out, "subject", n->subject) && buf_append(out, S(",")) &&
	       put_text(out, "text", n->text) &&
	       buf_printf(out, ",\"on\":%s,\"flapping\":%s,\"since_ms\":%lld}", n->firing ? "true" : "false",
			  n->flapping ? "true" : "false", (long long)n->since_wall_ms);
}

static bool put_sink(const struct alerts *a, size_t i, struct buf *out)
{
	struct alert_sink_view v;
	bool ok;

	alert_book_sink(a->book, i, &v);
	ok = buf_append(out, S("{\"name\":")) &&
	     json_try_write_string(out, a->config->alerts.sinks[i].name) &&
	     buf_printf(out, ",\"queued\":%u,\"failed_in_row\":%u,", v.queued, v.failed_in_row);
	if (ok && v.failed_in_row && v.next_at > io_now(a->io))
		ok = buf_printf(out, "\"next_try_in_ms\":%lld,", (long long)(v.next_at - io_now(a->io)));
	else
		ok = ok && buf_append(out, S("\"next_try_in_ms\":null,"));
	return ok && buf_printf(out, "\"sent\":%llu,\"failed\":%llu,\"dropped\":%llu}",
				(unsigned long long)v.sent, (unsigned long long)v.failed,
				(unsigned long long)v.dropped);
}

bool alerts_write_json(const struct alerts *a, struct buf *out)
{
	bool ok = buf_append(out, S("{\"firing\":[")), first = true;
	struct alert_note note;
	size_t cursor = 0;

	while (ok && a && alert_book_next(a->book, &cursor, &note)) {
		ok = (first || buf_append(out, S(","))) && put_alert(&note, out);
		first = false;
	}
	ok = ok && buf_append(out, S("],\"sinks\":["));
	for (size_t i = 0; ok && a && i < a->config->alerts.sink_count; i++)
		ok = (i == 0 || buf_append(out, S(","))) && put_sink(a, i, out);
	return ok && buf_append(out, S("]}"));
}

double alerts_read(const struct alerts *a, size_t cell)
{
	if (cell >= AT_PROCESS_ALERTS && cell <= AT_PROCESS_ALERTS_LAST)
		return a ? alert_book_firing(a->book, (enum alert_kind)(cell - AT_PROCESS_ALERTS)) : 0;
	must(cell == AT_PROCESS_ALERTS_LOST);
	return a ? (double)(atomic_load(&a->lost) + alert_book_lost(a->book)) : 0;
}

size_t alerts_sinks(const struct alerts *a)
{
	return a ? a->config->alerts.sink_count : 0;
}

struct slice alerts_sink_name(const struct alerts *a, size_t sink)
{
	return a->config->alerts.sinks[sink].name;
}

double alerts_read_sink(const struct alerts *a, size_t sink, size_t cell)
{
	struct alert_sink_view v;

	alert_book_sink(a->book, sink, &v);
	switch (cell) {
	case AT_SINK_SENT:    return (double)v.sent;
	case AT_SINK_FAILED:  return (double)v.failed;
	case AT_SINK_DROPPED: return (double)v.dropped;
	case AT_SINK_QUEUED:  return v.queued;
	case AT_SINK_FAILING: return v.failed_in_row ? 1 : 0;
	default: never("a number of a sink that nobody reads");
	}
}
