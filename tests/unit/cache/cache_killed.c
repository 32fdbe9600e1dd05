/* cache_killed: a writer is killed (SIGKILL) in the middle of its work, again and
 * again; each time the file must open, and nothing in it may be wrong.
 *   cache_killed [--times N] [FOLDER] */
#include "cache/disk_file.h"
#include "cache/pack.h"
#include "made.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define WALL INT64_C(1800000000000)
#define BYTES ((size_t)512 * 1024)
#define BATCH 16

/* Writes without end. */
static _Noreturn void write_on(const char *path, uint64_t from, int tell)
{
	char why[256];
	bool aside;
	struct disk_file *f = disk_file_open(path, BYTES, false, &aside, why, sizeof why);

	must(f != NULL);
	must(write(tell, "o", 1) == 1);
	for (uint64_t n = from;; n++) {
		struct cache_entry *e = made_entry(n % 5000, 0, 0);
		int64_t wall = WALL + (int64_t)n;

		if (n % BATCH == 0)
			must(disk_file_begin(f) == DISK_OK);
		must(disk_file_put(f, e, wall, wall) == DISK_OK);
		if (n % BATCH == BATCH - 1) {
			must(disk_file_trim(f, wall) == DISK_OK);
			must(disk_file_end(f, true) == DISK_OK);
			must(write(tell, "w", 1) == 1);
		}
		cache_entry_give(e);
	}
}

struct tally {
	unsigned good, damaged;
};

static void look(void *owner, const struct cache_key *key, struct slice packed)
{
	struct tally *t = owner;
	struct cache_entry *e = cache_unpack(packed, key, 1 << 20, 0, 0);

	if (!e)
		t->damaged++;
	else if (made_right(e))
		t->good++;
	else
		never("an answer is wrong although its checksum is right");
	cache_entry_give(e);
}

/* One life of a writer; gives how many transactions it told of. */
static unsigned live_and_die(const char *path, uint64_t from, struct rng *rng)
{
	int pipe_ends[2];
	unsigned told = 0;
	char c;
	pid_t pid;

	must(pipe(pipe_ends) == 0);
	pid = fork();
	must(pid >= 0);
	if (pid == 0) {
		close(pipe_ends[0]);
		write_on(path, from, pipe_ends[1]);
	}
	close(pipe_ends[1]);
	/* It has opened the file and written so much; then it dies within a while. */
	for (uint64_t n = 1 + rng_below(rng, 3); n > 0; n--)
		if (read(pipe_ends[0], &c, 1) == 1)
			told += c == 'w';
	for (volatile uint64_t n = rng_below(rng, 3000000); n > 0; n--)
		continue;
	must(kill(pid, SIGKILL) == 0);
	while (read(pipe_ends[0], &c, 1) == 1)
		told += c == 'w';
	close(pipe_ends[0]);
	must(waitpid(pid, NULL, 0) == pid);
	return told;
}

int main(int argc, char **argv)
{
	unsigned times = 1000, opened = 0, aside_count = 0, damaged = 0;
	char folder[] = "cache-killed-XXXXXX", path[64], command[64];
	uint64_t from = 0, good = 0;
	struct rng rng;

	if (argc > 2 && strcmp(argv[1], "--times") == 0)
		times = (unsigned)strtoul(argv[2], NULL, 10);
	must(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/answers.db", folder);
	rng_seed(&rng, 1);
	for (unsigned i = 0; i < times; i++) {
		struct tally t = { 0, 0 };
		struct disk_file *f;
		char why[256];
		bool aside;

		from += BATCH * (uint64_t)live_and_die(path, from, &rng) + BATCH;
		from -= from % BATCH;
		f = disk_file_open(path, BYTES, false, &aside, why, sizeof why);
		must(f != NULL);
		opened++;
		aside_count += aside;
		must(disk_file_each(f, look, &t) == DISK_OK);
		good += t.good;
		damaged += t.damaged;
		disk_file_close(f);
	}
	snprintf(command, sizeof command, "rm -r %s", folder);
	must(system(command) == 0);
	printf("killed %u times: opened %u, set aside %u; %llu answers looked at, %u damaged, none wrong\n",
	       times, opened, aside_count, (unsigned long long)good, damaged);
	return opened == times && !aside_count && !damaged ? 0 : 1;
}
