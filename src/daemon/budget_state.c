#include "daemon/budget_state.h"

#include "base/check.h"
#include "base/lock.h"
#include "daemon/state_file.h"

#include <stdlib.h>

#define SAVE_EVERY_MS 1000
#define STATE_MAX ((size_t)64 * 1024)

struct saving {
	struct io_job job;
	struct budget_state *of;
	bool busy, failed;
	char *path;
	struct buf text;
	uint64_t version;
	char why[160];
};

struct budget_state {
	struct io *io;
	const struct log *log;
	struct budgets *budgets;
	struct slice path;            /* the config's; empty: nothing is kept */
	struct io_timer timer;
	struct saving save, last;
	struct lock writing;
	uint64_t written_version;     /* under `writing` */
	uint64_t saved_version;
	bool failing;
};

/* On a background thread; a later version is never replaced by an earlier one. */
static void save_work(struct io_job *job)
{
	struct saving *s = CONTAINER_OF(job, struct saving, job);
	struct budget_state *b = s->of;

	lock_take(&b->writing);
	s->failed = false;
	if (s->version > b->written_version) {
		s->failed = !state_file_write(s->path, buf_slice(&s->text), s->why, sizeof s->why);
		if (!s->failed)
			b->written_version = s->version;
	}
	lock_give(&b->writing);
}

static void clear(struct saving *s)
{
	s->busy = false;
	buf_free(&s->text);
	free(s->path);
	s->path = NULL;
}

static void save_done(struct io_job *job)
{
	struct saving *s = CONTAINER_OF(job, struct saving, job);
	struct budget_state *b = s->of;
	char text[256];

	if (s->failed && !b->failing)
		log_line(b->log, LOG_ERROR, "budget_state_fails",
			 "path=%s reason=%s remedy=\"check that the directory exists and may be written\"",
			 s->path, log_quote(slice_of(s->why), text, sizeof text));
	b->failing = s->failed;
	if (!s->failed)
		b->saved_version = s->version;
	clear(s);
}

static void start(struct budget_state *b, struct saving *s)
{
	uint64_t version = budgets_version(b->budgets);

	if (!b->path.len || s->busy || version == b->saved_version)
		return;
	s->of = b;
	s->job.work = save_work;
	s->job.done = save_done;
	s->version = version;
	s->text = BUF_INIT(STATE_MAX);
	must(budgets_write(b->budgets, &s->text));
	s->path = slice_to_cstring(b->path);
	s->busy = true;
	io_background(b->io, &s->job);
}

static void on_timer(struct io_timer *t, mono_ms now)
{
	struct budget_state *b = CONTAINER_OF(t, struct budget_state, timer);

	start(b, &b->save);
	io_timer_set(b->io, t, mono_after(now, SAVE_EVERY_MS));
}

static void load(struct budget_state *b)
{
	char *path = slice_to_cstring(b->path);
	struct buf text = BUF_INIT(STATE_MAX + 65536);

	state_file_read(path, &text);
	if (buf_len(&text) && !budgets_read(b->budgets, buf_slice(&text)))
		log_line(b->log, LOG_ERROR, "budget_state_unreadable",
			 "path=%s remedy=\"it is written anew; budgets begin with nothing spent\"", path);
	buf_free(&text);
	free(path);
}

struct budget_state *budget_state_create(struct io *io, const struct log *log, struct budgets *budgets,
					 const struct config *c)
{
	struct budget_state *b = calloc(1, sizeof *b);

	must(b != NULL);
	b->io = io;
	b->log = log;
	b->budgets = budgets;
	b->path = c->budgets.state_path;
	b->timer.fire = on_timer;
	lock_init(&b->writing);
	if (b->path.len)
		load(b);
	io_timer_set(io, &b->timer, mono_after(io_now(io), SAVE_EVERY_MS));
	return b;
}

void budget_state_set_config(struct budget_state *b, const struct config *c)
{
	b->path = c->budgets.state_path;
}

void budget_state_stop(struct budget_state *b)
{
	if (!b)
		return;
	io_timer_clear(b->io, &b->timer);
	start(b, &b->last);
}

void budget_state_free(struct budget_state *b)
{
	if (!b)
		return;
	clear(&b->save);
	clear(&b->last);
	lock_destroy(&b->writing);
	free(b);
}
