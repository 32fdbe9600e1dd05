/* locks.c: preloaded into the program, counts the locks that it takes and those
 * of them that another thread held just then. The counts stand in the file that
 * BENCH_LOCKS names, as two numbers in memory order: taken, held by another. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int pthread_mutex_lock(pthread_mutex_t *m);
int pthread_rwlock_rdlock(pthread_rwlock_t *l);
int pthread_rwlock_wrlock(pthread_rwlock_t *l);

static struct counts { atomic_uint_least64_t taken, contended; } nowhere, *counts = &nowhere;
static int (*real_lock)(pthread_mutex_t *), (*real_read)(pthread_rwlock_t *),
	(*real_write)(pthread_rwlock_t *);

/* A function's address as dlsym() gives it, without a cast that C does not have. */
#define FIND(to, name) (*(void **)&(to) = dlsym(RTLD_NEXT, (name)))

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("BENCH_LOCKS");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *map = MAP_FAILED;

	FIND(real_lock, "pthread_mutex_lock");
	FIND(real_read, "pthread_rwlock_rdlock");
	FIND(real_write, "pthread_rwlock_wrlock");
	if (fd >= 0 && ftruncate(fd, sizeof *counts) == 0)
		map = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map != MAP_FAILED)
		counts = map;
	if (fd >= 0)
		close(fd);
}

/* Whoever finds it taken waits for it as it would have. */
static int counted(int tried)
{
	atomic_fetch_add_explicit(&counts->taken, 1, memory_order_relaxed);
	if (tried == EBUSY)
		atomic_fetch_add_explicit(&counts->contended, 1, memory_order_relaxed);
	return tried;
}

int pthread_mutex_lock(pthread_mutex_t *m)
{
	return real_lock && counted(pthread_mutex_trylock(m)) == 0 ? 0 : real_lock ? real_lock(m) : 0;
}

int pthread_rwlock_rdlock(pthread_rwlock_t *l)
{
	return real_read && counted(pthread_rwlock_tryrdlock(l)) == 0 ? 0 : real_read ? real_read(l) : 0;
}

int pthread_rwlock_wrlock(pthread_rwlock_t *l)
{
	return real_write && counted(pthread_rwlock_trywrlock(l)) == 0 ? 0 : real_write ? real_write(l) : 0;
}
