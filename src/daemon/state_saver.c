#include "daemon/state_saver.h"

#include "base/check.h"
#include "daemon/state_file.h"

#include <stdlib.h>

void state_saver_init(struct state_saver *s)
{
	lock_init(&s->writing);
}

bool state_saver_is_due(const struct state_saver *s, uint64_t version)
{
	return !s->now.busy && version != s->saved_version;
}

/* On a background thread. */
static void save_work(struct io_job *job)
{
	struct state_saving *w = CONTAINER_OF(job, struct state_saving, job);
	struct state_saver *s = w->saver;

	lock_take(&s->writing);
	w->failed = false;
	if (w->version > s->written_version) {
		w->failed = !state_file_write(w->path, buf_slice(&w->text), w->why, sizeof w->why);
		if (!w->failed)
			s->written_version = w->version;
	}
	lock_give(&s->writing);
}

static void clear(struct state_saving *w)
{
	w->busy = false;
	buf_free(&w->text);
	free(w->path);
	w->path = NULL;
}

static void save_done(struct io_job *job)
{
	struct state_saving *w = CONTAINER_OF(job, struct state_saving, job);
	struct state_saver *s = w->saver;
	char text[256];

	if (w->failed && !s->failing)
		log_line(s->log, LOG_ERROR, s->event,
			 "path=%s reason=%s remedy=\"check that the directory exists and may be written\"",
			 w->path, log_quote(slice_of(w->why), text, sizeof text));
	s->failing = w->failed;
	if (!w->failed)
		s->saved_version = w->version;
	clear(w);
	if (s->done)
		s->done(s);
}

void state_saver_write(struct state_saver *s, bool last, struct slice path, uint64_t version,
		       struct buf text)
{
	struct state_saving *w = last ? &s->last : &s->now;

	must(!w->busy);
	w->saver = s;
	w->job.work = save_work;
	w->job.done = save_done;
	w->version = version;
	w->text = text;
	w->path = slice_to_cstring(path);
	w->busy = true;
	io_background(s->io, &w->job);
}

void state_saver_free(struct state_saver *s)
{
	clear(&s->now);
	clear(&s->last);
	lock_destroy(&s->writing);
}
