/* A line sink that never makes anybody wait. Writers copy into a ring; one
 * thread empties it. The thread lets lines gather for a moment after the first,
 * so that a busy log costs a wake-up and a write per moment, not per line. */
#include "io/real/real.h"
#include "base/check.h"
#include "io/real/syslog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define GATHER_MS 10
/* How often a blocked descriptor is looked at again, and the thread looks
 * whether it is to end. */
#define POLL_MS 50
#define FILE_MODE 0640

struct io_lines {
	pthread_mutex_t mutex;
	pthread_cond_t changed;      /* something to do, or (at the end) the thread is through */
	pthread_t thread;
	char *ring;
	size_t size, start, used;    /* under mutex; [start, start + used) is the thread's to read */
	bool reopen, ending, ended;  /* under mutex */
	mono_ms end_at;              /* under mutex, once ending */
	atomic_ullong dropped;
	char *path;                  /* NULL: a descriptor of somebody else */
	int fd;                      /* the thread's alone */
	struct syslog *syslog;       /* instead of fd; the thread's alone */
	bool torn;                   /* a line was cut by an error: begin a new one */
};

static struct timespec monotonic_time(mono_ms at)
{
	return (struct timespec){ .tv_sec = (time_t)(at / 1000),
				  .tv_nsec = (long)(at % 1000) * 1000000 };
}

static void wait_until(struct io_lines *l, mono_ms at)
{
	struct timespec t = monotonic_time(at);

	(void)pthread_cond_timedwait(&l->changed, &l->mutex, &t);
}

static void do_reopen(struct io_lines *l)
{
	int fd = open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, FILE_MODE);

	if (fd < 0)
		return;                      /* the old file is better than none */
	close(l->fd);
	l->fd = fd;
	l->torn = false;
}

static bool is_regular(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* Waits until a write of PIPE_BUF bytes cannot block. False: not before the end. */
static bool wait_writable(struct io_lines *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLOUT };

	while (poll(&p, 1, POLL_MS) <= 0) {
		bool over;

		pthread_mutex_lock(&l->mutex);
		over = l->ending && io_real_mono_ms() >= l->end_at;
		pthread_mutex_unlock(&l->mutex);
		if (over)
			return false;
	}
	return true;
}

/* Writes all of it; false on an error. *done counts what got out. A pipe or
 * terminal is fed in pieces that are sure not to block once it is writable. */
static bool write_all(struct io_lines *l, const char *at, size_t len, size_t *done)
{
	size_t piece_max = is_regular(l->fd) ? len : PIPE_BUF;

	*done = 0;
	while (*done < len) {
		size_t left = len - *done;
		ssize_t n;

		if (piece_max == PIPE_BUF && !wait_writable(l))
			return false;
		n = write(l->fd, at + *done, left < piece_max ? left : piece_max);
		if (n > 0)
			*done += (size_t)n;
		else if (n == 0 || (errno != EINTR && errno != EAGAIN))
			return false;
	}
	return true;
}

static uint64_t count_lines(const char *at, size_t len)
{
	uint64_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += at[i] == '\n';
	return count;
}

/* Forgets what is queued: the lock is held. */
static void drop_queued(struct io_lines *l)
{
	size_t first = l->size - l->start < l->used ? l->size - l->start : l->used;
	uint64_t lines = count_lines(l->ring + l->start, first) +
			 count_lines(l->ring, l->used - first);

	atomic_fetch_add(&l->dropped, lines);
	l->start = l->used = 0;
}

/* Writes one unbroken stretch of the ring. The lock is held, but not while
 * writing: writers only touch the free part of the ring. */
static void write_stretch(struct io_lines *l)
{
	const char *at = l->ring + l->start;
	size_t len = l->size - l->start < l->used ? l->size - l->start : l->used;
	size_t done = 0;
	bool ok = true;

	pthread_mutex_unlock(&l->mutex);
	if (l->torn) {
		ok = write_all(l, "\n", 1, &done);
		l->torn = !ok;
		done = 0;
	}
	if (ok) {
		ok = write_all(l, at, len, &done);
		if (!ok && done > 0)
			l->torn = at[done - 1] != '\n';
	}
	pthread_mutex_lock(&l->mutex);
	l->start = (l->start + done) % l->size;
	l->used -= done;
	if (l->used == 0)
		l->start = 0;
	if (!ok)
		drop_queued(l);
}

/* Bytes of the first line, its newline included; what is used if it has none. */
static size_t first_line(const struct io_lines *l)
{
	size_t n = 0;

	while (n < l->used && l->ring[(l->start + n) % l->size] != '\n')
		n++;
	return n < l->used ? n + 1 : n;
}

/* The first line as one message. The lock is held, but not while it is sent. */
static void say_line(struct io_lines *l)
{
	size_t len = first_line(l), first = l->size - l->start < len ? l->size - l->start : len;
	char *copy = malloc(len);
	bool ok = copy != NULL;

	if (ok) {
		memcpy(copy, l->ring + l->start, first);
		memcpy(copy + first, l->ring, len - first);
	}
	l->start = (l->start + len) % l->size;
	l->used -= len;
	pthread_mutex_unlock(&l->mutex);
	ok = ok && syslog_say(l->syslog, slice_trim((struct slice){ copy, len }));
	if (!ok)
		atomic_fetch_add(&l->dropped, 1);
	free(copy);
	pthread_mutex_lock(&l->mutex);
}

static void gather(struct io_lines *l)
{
	mono_ms until = io_real_mono_ms() + GATHER_MS;

	while (!l->ending && !l->reopen && l->used < l->size / 2 && io_real_mono_ms() < until)
		wait_until(l, until);
}

static void *run(void *arg)
{
	struct io_lines *l = arg;

	pthread_mutex_lock(&l->mutex);
	for (;;) {
		if (l->reopen) {
			l->reopen = false;
			pthread_mutex_unlock(&l->mutex);
			do_reopen(l);
			pthread_mutex_lock(&l->mutex);
		} else if (l->used > 0) {
			if (!l->syslog)
				gather(l);
			if (l->syslog)
				say_line(l);
			else if (!l->reopen)
				write_stretch(l);
		} else if (l->ending) {
			break;
		} else {
			pthread_cond_wait(&l->changed, &l->mutex);
		}
	}
	l->ended = true;
	pthread_cond_broadcast(&l->changed);
	pthread_mutex_unlock(&l->mutex);
	return NULL;
}

static void lines_free(struct io_lines *l)
{
	if (l->path)
		close(l->fd);
	free(l->path);
	syslog_close(l->syslog);
	free(l->ring);
	pthread_cond_destroy(&l->changed);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

static bool start_thread(struct io_lines *l)
{
	sigset_t all, before;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ok = pthread_create(&l->thread, NULL, run, l) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

static struct io_lines *lines_create(int fd, const char *path, struct syslog *syslog, size_t queue_bytes)
{
	struct io_lines *l = calloc(1, sizeof *l);
	pthread_condattr_t attr;

	must(l != NULL && queue_bytes > 0);
	must((l->ring = malloc(queue_bytes)) != NULL);
	l->size = queue_bytes;
	l->fd = fd;
	l->syslog = syslog;
	if (path)
		must((l->path = strdup(path)) != NULL);
	pthread_mutex_init(&l->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (start_thread(l))
		return l;
	lines_free(l);
	return NULL;
}

struct io_lines *io_lines_to_fd(int fd, size_t queue_bytes)
{
	return lines_create(fd, NULL, NULL, queue_bytes);
}

struct io_lines *io_lines_to_file(const char *path, size_t queue_bytes, char *why, size_t why_size)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, FILE_MODE);
	struct io_lines *l;

	if (fd < 0) {
		snprintf(why, why_size, "cannot write to %s: %s", path, strerror(errno));
		return NULL;
	}
	l = lines_create(fd, path, NULL, queue_bytes);
	if (!l)
		snprintf(why, why_size, "cannot write to %s: no thread could be started", path);
	return l;
}

struct io_lines *io_lines_to_syslog(const struct io_addr *to, size_t queue_bytes, char *why,
				    size_t why_size)
{
	struct syslog *syslog = syslog_open(to, why, why_size);
	struct io_lines *l;

	if (!syslog)
		return NULL;
	l = lines_create(-1, NULL, syslog, queue_bytes);
	if (!l)
		snprintf(why, why_size, "cannot write to syslog: no thread could be started");
	return l;
}

void io_lines_write(struct io_lines *l, struct slice line)
{
	size_t end, first;

	if (line.len == 0)
		return;
	pthread_mutex_lock(&l->mutex);
	if (line.len > l->size - l->used || l->ending) {
		pthread_mutex_unlock(&l->mutex);
		atomic_fetch_add(&l->dropped, 1);
		return;
	}
	end = (l->start + l->used) % l->size;
	first = l->size - end < line.len ? l->size - end : line.len;
	memcpy(l->ring + end, line.at, first);
	memcpy(l->ring, line.at + first, line.len - first);
	l->used += line.len;
	/* The thread sleeps only at empty or below half; it need not be told twice. */
	if (l->used == line.len || (l->used >= l->size / 2 && l->used - line.len < l->size / 2))
		pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->mutex);
}

void io_lines_reopen(struct io_lines *l)
{
	if (!l->path)
		return;
	pthread_mutex_lock(&l->mutex);
	l->reopen = true;
	pthread_cond_signal(&l->changed);
	pthread_mutex_unlock(&l->mutex);
}

uint64_t io_lines_dropped(const struct io_lines *l)
{
	return atomic_load(&l->dropped);
}

void io_lines_close(struct io_lines *l, int64_t patience_ms)
{
	bool ended;

	if (!l)
		return;
	pthread_mutex_lock(&l->mutex);
	l->ending = true;
	l->end_at = mono_after(io_real_mono_ms(), patience_ms);
	pthread_cond_broadcast(&l->changed);
	/* Twice POLL_MS more: the thread gives up by itself at end_at, unless the
	 * kernel holds it in a write to a dead disk. */
	while (!l->ended && io_real_mono_ms() < l->end_at + 2 * POLL_MS)
		wait_until(l, l->end_at + 2 * POLL_MS);
	ended = l->ended;
	pthread_mutex_unlock(&l->mutex);
	if (!ended) {
		pthread_detach(l->thread);   /* it keeps its memory */
		return;
	}
	pthread_join(l->thread, NULL);
	lines_free(l);
}
