#include "cache/disk.h"

#include "base/check.h"
#include "cache/disk_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 128                     /* orders in one transaction, questions in one job */
#define QUEUE_BYTES_MAX ((size_t)32 * 1024 * 1024)    /* of answers that wait to be written */
#define TOUCH_MS 600000               /* not marked as used more often */
#define RETRY_MS 10000                /* after a failure to write */
#define PACK_SLACK ((size_t)64 * 1024)

enum order_kind { ORDER_PUT, ORDER_TOUCH, ORDER_PURGE };

struct order {
	struct link link;
	enum order_kind kind;
	struct cache_entry *entry;    /* PUT */
	int64_t born_wall_ms;
	struct cache_purge purge;     /* PURGE; TOUCH: its key */
	char name[CACHE_NAME_MAX + 1];
};

/* A question under way. */
struct question {
	struct store_get *get;
	struct cache_entry *e;
	enum disk_end end;
	int64_t used_ms;
};

struct disk {
	struct store store;
	struct io *io;
	const struct log *log;
	char *path;
	size_t bytes_max, entry_max;

	struct list gets, orders;     /* waiting */
	size_t order_bytes;
	bool reading, writing, opened, corrupt, closed;
	mono_ms retry_at;             /* nothing is written before */
	struct io_timer retry;

	/* The reader's while it reads. */
	struct io_job reader;
	struct disk_file *read_file;
	struct question questions[BATCH];
	size_t question_count;
	mono_ms read_now;
	int64_t read_wall_ms;

	/* The writer's while it writes. */
	struct io_job writer;
	struct disk_file *write_file;
	struct list batch;
	int64_t write_wall_ms;
	enum disk_end write_end;
	bool set_aside;
	char why[256];

	struct lock lock;             /* over the numbers */
	struct store_stats numbers;
};

static struct disk *disk_of(struct store *s)
{
	return CONTAINER_OF(s, struct disk, store);
}

static void count(struct disk *d, uint64_t *number)
{
	lock_take(&d->lock);
	(*number)++;
	lock_give(&d->lock);
}

static void note_trouble(struct disk *d, const char *what)
{
	lock_take(&d->lock);
	d->numbers.failures++;
	snprintf(d->numbers.trouble, sizeof d->numbers.trouble, "%.127s", what);
	lock_give(&d->lock);
}

/* ---- reading ----------------------------------------------------------------------- */

static void start_reading(struct disk *d);
static void start_writing(struct disk *d);

/* On a background thread. */
static void read_work(struct io_job *job)
{
	struct disk *d = CONTAINER_OF(job, struct disk, reader);
	bool aside;
	char why[128];

	if (!d->read_file)
		d->read_file = disk_file_open(d->path, d->bytes_max, true, &aside, why, sizeof why);
	for (size_t i = 0; i < d->question_count; i++) {
		struct question *q = &d->questions[i];

		q->e = NULL;
		q->end = d->read_file ? disk_file_get(d->read_file, &q->get->key, d->entry_max + PACK_SLACK,
						      d->read_now, d->read_wall_ms, &q->e, &q->used_ms)
				      : DISK_FAILED;
	}
}

static struct order *order_new(enum order_kind kind)
{
	struct order *o = calloc(1, sizeof *o);

	must(o != NULL);
	o->kind = kind;
	return o;
}

static void append(struct disk *d, struct order *o)
{
	list_append(&d->orders, &o->link);
	start_writing(d);
}

/* What follows from an answer beside giving it. */
static void look_after(struct disk *d, const struct question *q)
{
	struct order *o;

	if (q->end == DISK_CORRUPT)
		d->corrupt = true;
	if (q->end == DISK_OK && q->used_ms < TOUCH_MS)
		return;
	if (q->end != DISK_OK && q->end != DISK_DAMAGED)
		return;
	if (q->end == DISK_DAMAGED)
		note_trouble(d, "an answer was damaged and has been dropped");
	o = order_new(q->end == DISK_OK ? ORDER_TOUCH : ORDER_PURGE);
	o->purge.what = CACHE_PURGE_KEY;
	o->purge.key = q->get->key;
	append(d, o);
}

static void read_done(struct io_job *job)
{
	struct disk *d = CONTAINER_OF(job, struct disk, reader);
	size_t count_now = d->question_count;

	for (size_t i = 0; i < count_now; i++) {
		struct question q = d->questions[i];
		enum store_end end = q.end == DISK_OK ? STORE_FOUND
			: q.end == DISK_NOTHING || q.end == DISK_DAMAGED ? STORE_NOTHING : STORE_FAILED;

		look_after(d, &q);
		if (end == STORE_FOUND)
			count(d, &d->numbers.found);
		q.get->done(q.get, end, q.e);
	}
	d->reading = false;
	d->question_count = 0;
	start_writing(d);
	start_reading(d);
}

static void start_reading(struct disk *d)
{
	struct link *first;

	/* Until the file has been looked at there is nothing in it for us. */
	if (d->closed || d->reading || d->corrupt || !d->opened || list_empty(&d->gets))
		return;
	while (d->question_count < BATCH && (first = list_first(&d->gets))) {
		list_remove(&d->gets, first);
		d->questions[d->question_count++].get = CONTAINER_OF(first, struct store_get, link);
	}
	d->reading = true;
	d->read_now = io_now(d->io);
	d->read_wall_ms = io_wall_ms(d->io);
	io_background(d->io, &d->reader);
}

static void disk_get(struct store *s, struct store_get *g)
{
	struct disk *d = disk_of(s);

	count(d, &d->numbers.gets);
	list_append(&d->gets, &g->link);
	start_reading(d);
}

/* ---- writing ----------------------------------------------------------------------------- */

static enum disk_end write_one(struct disk *d, const struct order *o)
{
	struct cache_purge purge = o->purge;

	switch (o->kind) {
	case ORDER_PUT:
		return disk_file_put(d->write_file, o->entry, o->born_wall_ms, d->write_wall_ms);
	case ORDER_TOUCH:
		return disk_file_touch(d->write_file, &o->purge.key, d->write_wall_ms);
	case ORDER_PURGE:
		purge.name = slice_of(o->name);
		return disk_file_purge(d->write_file, &purge);
	}
	never("an order of no kind");
}

static enum disk_end write_batch(struct disk *d)
{
	enum disk_end end = disk_file_begin(d->write_file), closed;

	LIST_EACH(&d->batch, l, after)
		if (end == DISK_OK)
			end = write_one(d, CONTAINER_OF(l, struct order, link));
	if (end == DISK_OK)
		end = disk_file_trim(d->write_file, d->write_wall_ms);
	closed = disk_file_end(d->write_file, end == DISK_OK);
	return end == DISK_OK ? closed : end;
}

/* On a background thread. */
static void write_work(struct io_job *job)
{
	struct disk *d = CONTAINER_OF(job, struct disk, writer);

	d->set_aside = false;
	if (d->corrupt) {               /* nobody reads now */
		disk_file_close(d->read_file);
		disk_file_close(d->write_file);
		d->read_file = d->write_file = NULL;
		disk_file_set_aside(d->path);
		d->set_aside = true;
	}
	if (!d->write_file) {
		bool aside;

		d->write_file = disk_file_open(d->path, d->bytes_max, false, &aside, d->why, sizeof d->why);
		d->set_aside = d->set_aside || aside;
	}
	d->write_end = d->write_file ? write_batch(d) : DISK_FAILED;
	if (d->write_file && d->write_end != DISK_OK)
		snprintf(d->why, sizeof d->why, "%s", disk_file_trouble(d->write_file));
}

static void order_free(struct order *o)
{
	cache_entry_give(o->entry);
	free(o);
}

static void drop_orders(struct list *orders)
{
	LIST_EACH(orders, l, after) {
		list_remove(orders, l);
		order_free(CONTAINER_OF(l, struct order, link));
	}
}

static void keep_numbers(struct disk *d)
{
	struct disk_file_size size = disk_file_size(d->write_file);

	lock_take(&d->lock);
	d->numbers.entries = size.entries;
	d->numbers.bytes = size.bytes;
	d->numbers.trouble[0] = 0;
	lock_give(&d->lock);
}

/* What could not be dropped must be dropped later: an order to forget is no
 * matter of convenience. */
static void keep_purges(struct disk *d)
{
	LIST_EACH(&d->batch, l, after) {
		struct order *o = CONTAINER_OF(l, struct order, link);

		if (o->kind != ORDER_PURGE)
			continue;
		list_remove(&d->batch, l);
		list_prepend(&d->orders, l);
	}
}

static void write_done(struct io_job *job)
{
	struct disk *d = CONTAINER_OF(job, struct disk, writer);
	mono_ms now = io_now(d->io);

	d->writing = false;
	if (d->set_aside) {
		d->corrupt = false;
		note_trouble(d, "the file was corrupt and has been set aside");
		log_line(d->log, LOG_WARN, "cache_set_aside", "path=%s", d->path);
	}
	if (d->write_end == DISK_OK) {
		if (!d->opened)
			log_line(d->log, LOG_INFO, "cache_disk_open", "path=%s", d->path);
		d->opened = true;
		keep_numbers(d);
	} else {
		char text[300];

		note_trouble(d, d->why);
		log_line(d->log, LOG_WARN, "cache_disk_failed", "path=%s reason=%s", d->path,
			 log_quote(slice_of(d->why), text, sizeof text));
		d->corrupt = d->corrupt || d->write_end == DISK_CORRUPT;
		d->retry_at = d->corrupt ? now : mono_after(now, RETRY_MS);
		keep_purges(d);
		io_timer_set(d->io, &d->retry, d->retry_at);
	}
	drop_orders(&d->batch);
	start_writing(d);
	start_reading(d);
}

static void start_writing(struct disk *d)
{
	struct link *first;
	unsigned taken = 0;

	if (d->closed || d->writing || io_now(d->io) < d->retry_at || (d->corrupt && d->reading))
		return;
	if (list_empty(&d->orders) && d->opened && !d->corrupt)
		return;
	while (taken < BATCH && (first = list_first(&d->orders))) {
		struct order *o = CONTAINER_OF(first, struct order, link);

		list_remove(&d->orders, first);
		d->order_bytes -= o->entry ? o->entry->size : 0;
		list_append(&d->batch, first);
		taken++;
	}
	d->writing = true;
	d->write_wall_ms = io_wall_ms(d->io);
	io_background(d->io, &d->writer);
}

static void on_retry(struct io_timer *t, mono_ms now)
{
	(void)now;
	start_writing(CONTAINER_OF(t, struct disk, retry));
}

static void disk_put(struct store *s, struct cache_entry *e)
{
	struct disk *d = disk_of(s);
	struct order *o;

	if (d->order_bytes + e->size > QUEUE_BYTES_MAX || io_now(d->io) < d->retry_at) {
		count(d, &d->numbers.dropped);
		return;
	}
	count(d, &d->numbers.puts);
	o = order_new(ORDER_PUT);
	o->entry = cache_entry_take(e);
	o->born_wall_ms = io_wall_ms(d->io) - cache_entry_age_ms(e, io_now(d->io));
	d->order_bytes += e->size;
	append(d, o);
}

static void disk_purge(struct store *s, const struct cache_purge *p)
{
	struct order *o = order_new(ORDER_PURGE);

	o->purge = *p;
	snprintf(o->name, sizeof o->name, "%.*s", SLICE_ARG(p->name));
	append(disk_of(s), o);
}

static void disk_stats(struct store *s, struct store_stats *out)
{
	struct disk *d = disk_of(s);

	lock_take(&d->lock);
	*out = d->numbers;
	lock_give(&d->lock);
	out->name = "disk";
	out->bytes_max = d->bytes_max;
}

/* ---- life ------------------------------------------------------------------------------------ */

/* The loop has ended, and with it its threads: what is left is written here. */
static void write_rest(struct disk *d)
{
	while (!list_empty(&d->orders) && !d->corrupt) {
		struct link *first = list_first(&d->orders);

		list_remove(&d->orders, first);
		list_append(&d->batch, first);
	}
	if (d->write_file && !list_empty(&d->batch))
		write_batch(d);
}

static void disk_close(struct store *s)
{
	struct disk *d = disk_of(s);

	io_timer_clear(d->io, &d->retry);
	d->closed = true;
	LIST_EACH(&d->gets, l, after) {
		struct store_get *g = CONTAINER_OF(l, struct store_get, link);

		list_remove(&d->gets, l);
		g->done(g, STORE_NOTHING, NULL);
	}
}

static void disk_free(struct store *s)
{
	struct disk *d = disk_of(s);

	/* Their job has run, but nobody was told any more. */
	for (size_t i = 0; d->reading && i < d->question_count; i++)
		d->questions[i].get->done(d->questions[i].get, STORE_NOTHING, d->questions[i].e);
	write_rest(d);
	drop_orders(&d->batch);
	drop_orders(&d->orders);
	disk_file_close(d->read_file);
	disk_file_close(d->write_file);
	lock_destroy(&d->lock);
	free(d->path);
	free(d);
}

static const struct store_ops ops = {
	.get = disk_get, .put = disk_put, .purge = disk_purge, .stats = disk_stats, .close = disk_close,
	.free = disk_free,
};

struct store *disk_create(struct io *io, const struct cache_store_policy *policy, const struct log *log)
{
	struct disk *d = calloc(1, sizeof *d);

	must(d != NULL);
	d->store.ops = &ops;
	d->io = io;
	d->log = log;
	d->path = slice_to_cstring(policy->disk_path);
	d->bytes_max = policy->disk_bytes;
	d->entry_max = policy->entry_bytes;
	list_init(&d->gets);
	list_init(&d->orders);
	list_init(&d->batch);
	lock_init(&d->lock);
	d->retry.fire = on_retry;
	d->reader = (struct io_job){ .work = read_work, .done = read_done };
	d->writer = (struct io_job){ .work = write_work, .done = write_done };
	start_writing(d);
	return &d->store;
}
