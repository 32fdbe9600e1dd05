#include "daemon/limits.h"

#include "base/slice.h"

#include <dirent.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t limits_raise_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	l.rlim_cur = l.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &l);
	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 0;
	return l.rlim_cur;
}

uint64_t limits_descriptors(void)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NOFILE, &l) < 0 ? 0 : l.rlim_cur;
}

/* A body of 1 MiB is gone when it is answered. Where malloc gave its pages back to
 * the kernel, and it did for every few of them, the next one met 65 pages, in the
 * median, that had to be made anew: 15 % of such a request's CPU. Larger bodies than
 * 4 MiB are rare, and go back at once. */
void limits_keep_memory(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
	(void)mallopt(M_TRIM_THRESHOLD, 16 * 1024 * 1024);
}

static uint64_t us_of(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

uint64_t limits_cpu_us(void)
{
	struct rusage u;

	return getrusage(RUSAGE_SELF, &u) < 0 ? 0 : us_of(u.ru_utime) + us_of(u.ru_stime);
}

/* First line of a small file of the kernel's; empty if there is none. */
static struct slice first_line(const char *path, char *out, size_t size)
{
	FILE *f = fopen(path, "re");

	out[0] = '\0';
	if (!f)
		return SLICE_NONE;
	if (!fgets(out, (int)size, f))
		out[0] = '\0';
	fclose(f);
	return slice_trim(slice_of(out));
}

/* "200000 100000" of cgroup v2 is two cores; "max 100000" is no quota. */
static unsigned quota_cores(void)
{
	char text[128];
	struct slice line = first_line("/sys/fs/cgroup/cpu.max", text, sizeof text), quota, period;
	uint64_t q, p;

	if (!slice_cut(line, ' ', &quota, &period) || !slice_to_u64(quota, &q) ||
	    !slice_to_u64(period, &p) || p == 0 || q > UINT32_MAX)
		return 0;
	return (unsigned)((q + p - 1) / p);
}

unsigned limits_cores(void)
{
	unsigned quota = quota_cores();
	cpu_set_t mask;
	int count = 1;

	if (sched_getaffinity(0, sizeof mask, &mask) == 0)
		count = CPU_COUNT(&mask);
	if (count < 1)
		count = 1;
	return quota && quota < (unsigned)count ? quota : (unsigned)count;
}

uint64_t limits_open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (!d)
		return 0;
	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		count += e->d_name[0] != '.';
	closedir(d);
	return count ? count - 1 : 0;     /* without the directory's own */
}

uint64_t limits_resident_bytes(void)
{
	char text[128];
	struct slice line = first_line("/proc/self/statm", text, sizeof text), head, tail;
	long page = sysconf(_SC_PAGESIZE);
	uint64_t pages;

	if (!slice_cut(line, ' ', &head, &tail))
		return 0;
	(void)slice_cut(tail, ' ', &tail, &head);
	return slice_to_u64(tail, &pages) && page > 0 ? pages * (uint64_t)page : 0;
}
