/* exact.h: input that ends right before a forbidden page, so that a parser
 * which reads one byte too far crashes in every build. */
#ifndef BACKSTAY_TESTS_EXACT_H
#define BACKSTAY_TESTS_EXACT_H

#include "base/check.h"
#include "base/slice.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct exact {
	char *base;
	size_t room, page;
	struct slice last;
};

/* Room for inputs of up to `bytes`. End it with exact_free(). */
static inline struct exact exact_create(size_t bytes)
{
	struct exact e = { .page = (size_t)sysconf(_SC_PAGESIZE) };

	e.room = (bytes / e.page + 1) * e.page;
	e.base = mmap(NULL, e.room + e.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	must(e.base != MAP_FAILED);
	must(mprotect(e.base + e.room, e.page, PROT_NONE) == 0);
	return e;
}

static inline void exact_free(struct exact *e)
{
	must(munmap(e->base, e->room + e->page) == 0);
	e->base = NULL;
}

/* A copy that ends at the forbidden page. The copy before it is overwritten,
 * so that whoever still points into it is found out. */
static inline struct slice exact_copy(struct exact *e, struct slice s)
{
	char *to = e->base + e->room - s.len;

	must(s.len <= e->room);
	if (e->last.len > 0)
		memset(e->base + e->room - e->last.len, 0xa5, e->last.len);
	if (s.len > 0)
		memcpy(to, s.at, s.len);
	e->last = (struct slice){ to, s.len };
	return e->last;
}

#endif
