/* The store on disk behind a real loop: written behind, read back, and without
 * harm when the disk is full or the file is spoiled under it. */
#include "cm.h"

#include "cache/cache.h"
#include "io/real/real.h"
#include "made.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

struct stage {
	struct io *io;
	struct cache *cache;
	struct cache_desk *desk;
	struct log log;
	struct cache_store_policy policy;
	struct cache_look look;
	struct cache_key key;
	struct cache_entry *got;
	unsigned asked, asks_max;
	struct io_timer guard;
	char folder[64], path[128];
};

static void on_guard(struct io_timer *t, mono_ms now)
{
	(void)t, (void)now;
	fail_msg("nothing came within the guard's time");
}

static void begin(struct stage *s)
{
	char why[256] = "";

	s->io = io_real_create(why, sizeof why);
	assert_non_null(s->io);
	s->policy = (struct cache_store_policy){ .entry_bytes = 1 << 20, .disk_path = slice_of(s->path),
						 .disk_bytes = 16 << 20, .disk_wait_ms = 2000 };
	s->cache = cache_create(&s->policy, 1, s->io, &s->log);
	s->desk = cache_desk_create(s->cache, s->io);
	s->guard = (struct io_timer){ .fire = on_guard };
	io_timer_set(s->io, &s->guard, mono_after(io_now(s->io), 120000));
}

static void end(struct stage *s)
{
	io_timer_clear(s->io, &s->guard);
	cache_desk_close(s->desk);
	cache_close(s->cache);
	io_real_free(s->io);
	cache_free(s->cache);
}

static int make_folder(void **state)
{
	static struct stage s;

	memset(&s, 0, sizeof s);
	s.log.level = LOG_ERROR;
	snprintf(s.folder, sizeof s.folder, "cache-disk-XXXXXX");
	assert_non_null(mkdtemp(s.folder));
	snprintf(s.path, sizeof s.path, "%s/answers.db", s.folder);
	*state = &s;
	return 0;
}

static int remove_folder(void **state)
{
	struct stage *s = *state;
	char command[128];

	snprintf(command, sizeof command, "rm -r %s", s->folder);
	return system(command);
}

static void put(struct stage *s, uint64_t n)
{
	cache_put(s->cache, made_entry(n, io_now(s->io), 0), cache_purges(s->cache));
}

static void ask(struct stage *s);

static void on_look(struct cache_look *l, struct cache_entry *e)
{
	struct stage *s = CONTAINER_OF(l, struct stage, look);

	s->got = e;
	if (e || ++s->asked >= s->asks_max)
		io_real_stop(s->io);
	else
		ask(s);
}

static void ask(struct stage *s)
{
	s->look.done = on_look;
	cache_look_start(s->desk, &s->look, &s->key);
}

/* The answer, which is asked for at most so often: writing takes its time. */
static struct cache_entry *look(struct stage *s, uint64_t n, unsigned asks_max)
{
	s->key = made_key(n);
	s->asked = 0;
	s->asks_max = asks_max;
	s->got = NULL;
	ask(s);
	io_real_run(s->io);
	return s->got;
}

static void must_find(struct stage *s, uint64_t n)
{
	struct cache_entry *e = look(s, n, 100000);

	assert_non_null(e);
	assert_true(made_right(e));
	cache_entry_give(e);
}

static void answers_come_back_after_a_restart(void **state)
{
	struct stage *s = *state;
	struct cache_entry *e;

	begin(s);
	for (uint64_t n = 0; n < 500; n++)
		put(s, n);
	must_find(s, 17);
	end(s);                 /* what was not written yet is now */
	begin(s);
	for (uint64_t n = 0; n < 500; n += 7)
		must_find(s, n);
	e = look(s, 1000, 3);
	assert_null(e);
	end(s);
}

static void a_purge_reaches_the_disk(void **state)
{
	struct stage *s = *state;
	struct store_stats stats[CACHE_STORES_MAX];

	begin(s);
	put(s, 1);
	put(s, 2);
	must_find(s, 2);
	cache_purge(s->cache, &(struct cache_purge){ CACHE_PURGE_KEY, made_key(1), SLICE_NONE });
	put(s, 3);
	must_find(s, 3);
	assert_null(look(s, 1, 1));
	must_find(s, 2);
	assert_int_equal(cache_store_stats(s->cache, stats), 1);
	assert_true(stats[0].works);
	assert_int_equal(stats[0].failures, 0);
	end(s);
}

static void a_full_disk_harms_nobody(void **state)
{
	struct stage *s = *state;
	struct store_stats stats[CACHE_STORES_MAX];
	struct rlimit limit, small;
	uint64_t n = 2;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	small = limit;
	small.rlim_cur = 256 << 10;
	signal(SIGXFSZ, SIG_IGN);
	begin(s);
	put(s, 1);
	must_find(s, 1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	/* A disk that is busy is given less than was put, so that no number is enough. */
	do {
		struct cache_entry *e;

		for (unsigned i = 0; i < 100; i++)
			put(s, n++);
		e = look(s, 1, 1);

		if (e)
			assert_true(made_right(e));
		cache_entry_give(e);
		cache_store_stats(s->cache, stats);
	} while (stats[0].failures == 0);
	assert_true(stats[0].trouble[0] != 0);
	end(s);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	begin(s);
	must_find(s, 1);
	put(s, 5000);
	must_find(s, 5000);
	end(s);
}

static void a_file_spoiled_under_it_is_set_aside(void **state)
{
	struct stage *s = *state;
	char junk[8192], other[160];
	int fd;

	begin(s);
	for (uint64_t n = 0; n < 300; n++)
		put(s, n);
	must_find(s, 299);
	end(s);
	begin(s);
	must_find(s, 1);
	memset(junk, 0x5a, sizeof junk);
	fd = open(s->path, O_WRONLY | O_TRUNC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, junk, sizeof junk), sizeof junk);
	close(fd);
	/* The same one: what is put faster than it is written is never all there. */
	do {
		put(s, 400);
		s->got = look(s, 400, 1);
	} while (!s->got);
	assert_true(made_right(s->got));
	cache_entry_give(s->got);
	snprintf(other, sizeof other, "%s.corrupt", s->path);
	assert_int_equal(access(other, R_OK), 0);
	end(s);
}

#define in_a_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_folder(answers_come_back_after_a_restart),
		in_a_folder(a_purge_reaches_the_disk),
		in_a_folder(a_full_disk_harms_nobody),
		in_a_folder(a_file_spoiled_under_it_is_set_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
