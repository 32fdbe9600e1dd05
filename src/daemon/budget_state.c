#include "daemon/budget_state.h"

#include "base/check.h"
#include "daemon/state_file.h"
#include "daemon/state_saver.h"

#include <stdlib.h>

#define SAVE_EVERY_MS 1000
#define STATE_MAX ((size_t)64 * 1024)

struct budget_state {
	struct io *io;
	const struct log *log;
	struct budgets *budgets;
	struct slice path;            /* the config's; empty: nothing is kept */
	struct io_timer timer;
	struct state_saver saver;
};

static void save(struct budget_state *b, bool last)
{
	uint64_t version = budgets_version(b->budgets);
	struct buf text = BUF_INIT(STATE_MAX);

	if (!b->path.len || !(last ? version != b->saver.saved_version : state_saver_is_due(&b->saver, version)))
		return;
	must(budgets_write(b->budgets, &text));
	state_saver_write(&b->saver, last, b->path, version, text);
}

static void on_timer(struct io_timer *t, mono_ms now)
{
	struct budget_state *b = CONTAINER_OF(t, struct budget_state, timer);

	save(b, false);
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
	b->saver = (struct state_saver){ .io = io, .log = log, .event = "budget_state_fails" };
	state_saver_init(&b->saver);
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
	save(b, true);
}

void budget_state_free(struct budget_state *b)
{
	if (!b)
		return;
	state_saver_free(&b->saver);
	free(b);
}
