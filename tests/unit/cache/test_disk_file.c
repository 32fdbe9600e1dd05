/* The file of answers: bounds, ages, purges, and files that are none. */
#include "cm.h"

#include "cache/disk_file.h"
#include "cache/pack.h"
#include "made.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALL INT64_C(1800000000000)
#define MIB ((size_t)1024 * 1024)

static char folder[64], path[128];

static int make_folder(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "cache-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/answers.db", folder);
	return 0;
}

static int remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

static struct disk_file *open_file(size_t bytes, bool *aside)
{
	char why[256] = "";
	struct disk_file *f = disk_file_open(path, bytes, false, aside, why, sizeof why);

	if (!f)
		fail_msg("%s", why);
	return f;
}

static void put(struct disk_file *f, uint64_t n, int64_t born, int64_t wall)
{
	struct cache_entry *e = made_entry(n, 0, 0);

	assert_int_equal(disk_file_put(f, e, born, wall), DISK_OK);
	cache_entry_give(e);
}

static enum disk_end get(struct disk_file *f, uint64_t n, int64_t wall, int64_t *age)
{
	struct cache_key key = made_key(n);
	struct cache_entry *e = NULL;
	int64_t used;
	enum disk_end end = disk_file_get(f, &key, MIB, 1000, wall, &e, &used);

	if (e) {
		assert_true(made_right(e));
		*age = cache_entry_age_ms(e, 1000);
	}
	cache_entry_give(e);
	return end;
}

static void answers_outlast_the_file_being_closed(void **state)
{
	struct stat st;
	int64_t age = 0;
	bool aside;
	struct disk_file *f = open_file(8 * MIB, &aside);

	(void)state;
	assert_false(aside);
	assert_int_equal(disk_file_begin(f), DISK_OK);
	put(f, 1, WALL - 5000, WALL);
	assert_int_equal(disk_file_end(f, true), DISK_OK);
	assert_int_equal(disk_file_begin(f), DISK_OK);
	put(f, 2, WALL, WALL);
	assert_int_equal(disk_file_end(f, false), DISK_OK);
	disk_file_close(f);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	f = open_file(8 * MIB, &aside);
	assert_int_equal(get(f, 1, WALL + 1000, &age), DISK_OK);
	assert_int_equal(age, 6000);
	assert_int_equal(get(f, 2, WALL, &age), DISK_NOTHING);
	disk_file_close(f);
}

static void a_clock_that_went_back_makes_nothing_fresh(void **state)
{
	bool aside;
	struct disk_file *f = open_file(8 * MIB, &aside);
	int64_t age = 0;

	(void)state;
	put(f, 10, WALL, WALL);
	assert_int_equal(get(f, 10, WALL - 3600000, &age), DISK_NOTHING);
	assert_int_equal(get(f, 10, WALL - 1000, &age), DISK_OK);
	assert_int_equal(age, 0);
	disk_file_close(f);
}

static void the_younger_one_stays(void **state)
{
	bool aside;
	struct disk_file *f = open_file(8 * MIB, &aside);
	int64_t age = 0;

	(void)state;
	put(f, 20, WALL, WALL);
	put(f, 20, WALL - 9000, WALL);
	assert_int_equal(get(f, 20, WALL + 10, &age), DISK_OK);
	assert_int_equal(age, 10);
	disk_file_close(f);
}

static void purges_drop_what_is_meant(void **state)
{
	bool aside;
	struct disk_file *f = open_file(8 * MIB, &aside);
	const struct { struct cache_purge p; uint64_t gone, left; } rows[] = {
		{ { .what = CACHE_PURGE_KEY, .key = made_key(31) }, 31, 33 },
		{ { .what = CACHE_PURGE_TAG, .name = S("t3") }, 33, 34 },
		{ { .what = CACHE_PURGE_MODEL, .name = S("m1") }, 34, 35 },
		{ { .what = CACHE_PURGE_ALL }, 35, 999 },
	};
	int64_t age;

	(void)state;
	for (uint64_t n = 30; n < 40; n++)
		put(f, n, WALL, WALL);
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		assert_int_equal(disk_file_purge(f, &rows[i].p), DISK_OK);
		assert_int_equal(get(f, rows[i].gone, WALL, &age), DISK_NOTHING);
		assert_int_equal(get(f, rows[i].left, WALL, &age), rows[i].left == 999 ? DISK_NOTHING : DISK_OK);
	}
	disk_file_close(f);
}

static void it_stays_within_its_bytes_and_keeps_what_is_used(void **state)
{
	bool aside;
	struct disk_file *f = open_file(2 * MIB, &aside);
	struct cache_key used = made_key(100);
	int64_t age;

	(void)state;
	for (uint64_t n = 100; n < 2100; n++) {
		if (n % 50 == 0) {
			assert_int_equal(disk_file_begin(f), DISK_OK);
			assert_int_equal(disk_file_touch(f, &used, WALL + (int64_t)n), DISK_OK);
		}
		put(f, n, WALL + (int64_t)n, WALL + (int64_t)n);
		if (n % 50 == 49) {
			assert_int_equal(disk_file_trim(f, WALL + (int64_t)n), DISK_OK);
			assert_int_equal(disk_file_end(f, true), DISK_OK);
			assert_true(disk_file_size(f).bytes <= 2 * MIB);
		}
	}
	assert_true(disk_file_size(f).bytes > MIB);
	assert_int_equal(get(f, 100, WALL + 3000, &age), DISK_OK);
	assert_int_equal(get(f, 101, WALL + 3000, &age), DISK_NOTHING);
	assert_int_equal(get(f, 2099, WALL + 3000, &age), DISK_OK);
	/* What nobody may be given any more goes by itself. */
	for (int i = 0; i < 8; i++)
		assert_int_equal(disk_file_trim(f, WALL + 3700000), DISK_OK);
	assert_int_equal(disk_file_size(f).entries, 0);
	disk_file_close(f);
}

static void write_at(off_t at, size_t count)
{
	char junk[512];
	int fd = open(path, O_WRONLY | O_CREAT, 0600);

	memset(junk, 0x5a, sizeof junk);
	assert_true(fd >= 0);
	for (size_t done = 0; done < count; done += sizeof junk)
		assert_int_equal(pwrite(fd, junk, sizeof junk, at + (off_t)done), sizeof junk);
	close(fd);
}

static void what_is_no_database_is_set_aside(void **state)
{
	char other[160];
	bool aside;
	struct disk_file *f;
	int64_t age;

	(void)state;
	write_at(0, 8192);
	f = open_file(8 * MIB, &aside);
	assert_true(aside);
	put(f, 1, WALL, WALL);
	assert_int_equal(get(f, 1, WALL, &age), DISK_OK);
	disk_file_close(f);
	snprintf(other, sizeof other, "%s.corrupt", path);
	assert_int_equal(access(other, R_OK), 0);
}

/* Pages in the middle are overwritten: no wrong answer is ever given. */
static void damage_inside_is_found(void **state)
{
	bool aside;
	struct disk_file *f;
	unsigned good = 0;
	int64_t age;

	(void)state;
	f = open_file(8 * MIB, &aside);
	for (uint64_t n = 0; n < 300; n++)
		put(f, n, WALL, WALL);
	disk_file_close(f);
	for (off_t at = 40960; at < 400000; at += 40960)
		write_at(at + 512, 3072);
	f = open_file(8 * MIB, &aside);
	for (uint64_t n = 0; n < 300; n++)
		good += get(f, n, WALL, &age) == DISK_OK;     /* made_right() is asserted */
	assert_true(aside || good < 300);
	disk_file_close(f);
}

static void a_place_that_cannot_be_is_told(void **state)
{
	char why[256] = "";
	bool aside;

	(void)state;
	assert_null(disk_file_open("no/such/folder/answers.db", MIB, false, &aside, why, sizeof why));
	assert_true(why[0] != 0);
}

#define in_a_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_a_folder(answers_outlast_the_file_being_closed),
		in_a_folder(a_clock_that_went_back_makes_nothing_fresh),
		in_a_folder(the_younger_one_stays),
		in_a_folder(purges_drop_what_is_meant),
		in_a_folder(it_stays_within_its_bytes_and_keeps_what_is_used),
		in_a_folder(what_is_no_database_is_set_aside),
		in_a_folder(damage_inside_is_found),
		in_a_folder(a_place_that_cannot_be_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
