/* Work that may block: a queue and a few threads, made at the first job. */
#include "io/real/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define THREADS 2

struct background {
	struct io *io;
	pthread_mutex_t mutex;
	pthread_cond_t more;
	struct io_job *first, **end;
	bool ending;
	pthread_t threads[THREADS];
	size_t thread_count;
};

static void *work(void *arg)
{
	struct background *b = arg;

	pthread_mutex_lock(&b->mutex);
	for (;;) {
		struct io_job *job = b->first;

		if (!job && b->ending)
			break;
		if (!job) {
			pthread_cond_wait(&b->more, &b->mutex);
			continue;
		}
		b->first = job->next;
		if (!b->first)
			b->end = &b->first;
		pthread_mutex_unlock(&b->mutex);
		job->work(job);
		post_finished_job(b->io, job);
		pthread_mutex_lock(&b->mutex);
	}
	pthread_mutex_unlock(&b->mutex);
	return NULL;
}

/* Signals are for the loop's thread. */
static void start_threads(struct background *b)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (b->thread_count < THREADS &&
	       pthread_create(&b->threads[b->thread_count], NULL, work, b) == 0)
		b->thread_count++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static struct background *background_create(struct io *io)
{
	struct background *b = calloc(1, sizeof *b);

	must(b != NULL);
	b->io = io;
	b->end = &b->first;
	pthread_mutex_init(&b->mutex, NULL);
	pthread_cond_init(&b->more, NULL);
	return b;
}

void io_background(struct io *io, struct io_job *job)
{
	struct background *b = io->background;

	if (!b)
		b = io->background = background_create(io);
	if (b->thread_count == 0)
		start_threads(b);
	job->io = io;
	job->next = NULL;
	if (b->thread_count == 0) {
		/* The machine gives no thread: slow is better than never. */
		job->work(job);
		post_finished_job(io, job);
		return;
	}
	pthread_mutex_lock(&b->mutex);
	*b->end = job;
	b->end = &job->next;
	pthread_cond_signal(&b->more);
	pthread_mutex_unlock(&b->mutex);
}

void background_free(struct background *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->mutex);
	b->ending = true;
	pthread_cond_broadcast(&b->more);
	pthread_mutex_unlock(&b->mutex);
	for (size_t i = 0; i < b->thread_count; i++)
		pthread_join(b->threads[i], NULL);
	pthread_cond_destroy(&b->more);
	pthread_mutex_destroy(&b->mutex);
	free(b);
}
