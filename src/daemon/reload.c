#include "daemon/reload.h"

#include "base/check.h"
#include "daemon/find_config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ERRORS_MAX ((size_t)256 * 1024)

/* What a glance at a file tells, without reading it. */
struct glance {
	int64_t modified_s, modified_ns, size;
	uint64_t inode;
};

struct reload {
	struct reload_setup setup;
	struct io_timer timer;
	struct io_job job;
	bool busy, again;             /* a job runs; and another was asked for meanwhile */
	/* The job's while it runs: */
	bool forced;
	struct glance seen;
	uint8_t sha256[DIGEST_SHA256_BYTES];  /* of the bytes last read, good or bad */
	bool read;                    /* the file was read and tried */
	struct config *config;
	struct buf errors;
};

static struct glance glance_at(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct glance){ .size = -1 };
	return (struct glance){
		.modified_s = st.st_mtim.tv_sec,
		.modified_ns = st.st_mtim.tv_nsec,
		.size = st.st_size,
		.inode = st.st_ino,
	};
}

static bool same(const struct glance *a, const struct glance *b)
{
	return a->modified_s == b->modified_s && a->modified_ns == b->modified_ns &&
	       a->size == b->size && a->inode == b->inode;
}

/* On a background thread. A file that is gone for a moment (editors, symlinks
 * being switched) is no news; one that stays away is told on SIGHUP. */
static void work(struct io_job *job)
{
	struct reload *r = CONTAINER_OF(job, struct reload, job);
	struct glance now = glance_at(r->setup.path);
	uint8_t sha256[DIGEST_SHA256_BYTES];

	r->read = false;
	if (!r->forced) {
		if (same(&now, &r->seen))
			return;
		if (now.size < 0 || !find_config_digest(r->setup.path, sha256))
			return;
		r->seen = now;
		if (memcmp(sha256, r->sha256, sizeof sha256) == 0)
			return;
	}
	r->seen = now;
	r->read = true;
	r->config = find_config_load(r->setup.path, r->sha256, &r->errors);
}

static void start(struct reload *r, bool forced)
{
	if (r->busy) {
		r->again = r->again || forced;
		return;
	}
	r->busy = true;
	r->forced = forced;
	io_background(r->setup.io, &r->job);
}

static void done(struct io_job *job)
{
	struct reload *r = CONTAINER_OF(job, struct reload, job);
	struct config *config = r->config;
	bool again = r->again;

	r->config = NULL;
	r->busy = r->again = false;
	if (r->read && config)
		r->setup.on_config(r->setup.owner, config);
	else if (r->read)
		r->setup.on_refused(r->setup.owner, buf_slice(&r->errors));
	buf_free(&r->errors);
	if (again)
		start(r, true);
	else
		io_timer_set(r->setup.io, &r->timer,
			     mono_after(io_now(r->setup.io), r->setup.look_ms));
}

static void on_timer(struct io_timer *t, mono_ms now)
{
	(void)now;
	start(CONTAINER_OF(t, struct reload, timer), false);
}

struct reload *reload_create(const struct reload_setup *setup)
{
	struct reload *r = calloc(1, sizeof *r);

	must(r != NULL);
	r->setup = *setup;
	memcpy(r->sha256, setup->sha256, sizeof r->sha256);
	r->errors = BUF_INIT(ERRORS_MAX);
	r->job.work = work;
	r->job.done = done;
	r->timer.fire = on_timer;
	io_timer_set(setup->io, &r->timer, mono_after(io_now(setup->io), setup->look_ms));
	return r;
}

void reload_free(struct reload *r)
{
	if (!r)
		return;
	config_give(r->config);
	buf_free(&r->errors);
	free(r);
}

void reload_now(struct reload *r)
{
	io_timer_clear(r->setup.io, &r->timer);
	start(r, true);
}
