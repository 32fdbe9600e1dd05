/* The one way into a loop from other threads. */
#include "io/real/loop.h"

static void on_wake(struct ev_loop *loop, ev_async *w, int revents)
{
	struct io *io = w->data;
	struct io_message *m, *next_message;
	struct io_job *j, *next_job;

	(void)loop, (void)revents;
	lock_take(&io->post_lock);
	m = io->posted;
	j = io->finished;
	io->posted = NULL;
	io->posted_end = &io->posted;
	io->finished = NULL;
	io->finished_end = &io->finished;
	lock_give(&io->post_lock);

	for (; m; m = next_message) {
		next_message = m->next;
		m->deliver(m);
	}
	for (; j; j = next_job) {
		next_job = j->next;
		j->done(j);
	}
}

void io_post(struct io *io, struct io_message *m)
{
	bool first;

	m->next = NULL;
	lock_take(&io->post_lock);
	first = !io->posted;
	*io->posted_end = m;
	io->posted_end = &m->next;
	lock_give(&io->post_lock);
	if (first)
		ev_async_send(io->loop, &io->wake);
}

void post_finished_job(struct io *io, struct io_job *job)
{
	job->next = NULL;
	lock_take(&io->post_lock);
	*io->finished_end = job;
	io->finished_end = &job->next;
	lock_give(&io->post_lock);
	ev_async_send(io->loop, &io->wake);
}

void post_start(struct io *io)
{
	lock_init(&io->post_lock);
	io->posted_end = &io->posted;
	io->finished_end = &io->finished;
	io->wake.data = io;
	ev_async_init(&io->wake, on_wake);
	ev_async_start(io->loop, &io->wake);
}

void post_stop(struct io *io)
{
	ev_async_stop(io->loop, &io->wake);
	lock_destroy(&io->post_lock);
}
