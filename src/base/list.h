/* list.h: intrusive doubly linked list with a sentinel. All inline. */
#ifndef BACKSTAY_BASE_LIST_H
#define BACKSTAY_BASE_LIST_H

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *prev;
};

struct list {
	struct link head;
	size_t count;
};

/* Makes an empty list. A list must not be moved in memory afterwards. */
static inline void list_init(struct list *l)
{
	l->head.next = l->head.prev = &l->head;
	l->count = 0;
}

/* True if nothing is on the list. */
static inline bool list_empty(const struct list *l)
{
	return l->count == 0;
}

/* True while `n` is on some list; a zeroed link is on none. */
static inline bool link_on_list(const struct link *n)
{
	return n->next != NULL;
}

/* Puts `n`, which must be on no list, before `at`, which is on `l` (or is its
 * head: then at the end). */
static inline void list_insert_before(struct list *l, struct link *at, struct link *n)
{
	must(!link_on_list(n));
	n->next = at;
	n->prev = at->prev;
	at->prev->next = n;
	at->prev = n;
	l->count++;
}

/* Puts `n`, which must be on no list, at the end. */
static inline void list_append(struct list *l, struct link *n)
{
	list_insert_before(l, &l->head, n);
}

/* Puts `n`, which must be on no list, at the front. */
static inline void list_prepend(struct list *l, struct link *n)
{
	list_insert_before(l, l->head.next, n);
}

/* Takes `n` off `l`, which it must be on. */
static inline void list_remove(struct list *l, struct link *n)
{
	must(link_on_list(n));
	must(l->count > 0);
	n->prev->next = n->next;
	n->next->prev = n->prev;
	n->next = n->prev = NULL;
	l->count--;
}

/* First link; NULL if the list is empty. */
static inline struct link *list_first(const struct list *l)
{
	return l->count ? l->head.next : NULL;
}

/* Last link; NULL if the list is empty. */
static inline struct link *list_last(const struct list *l)
{
	return l->count ? l->head.prev : NULL;
}

/* Walks the list; `n` may be removed inside the loop. */
#define LIST_EACH(list, n, after)                                              \
	for (struct link *n = (list)->head.next, *after = n->next;             \
	     n != &(list)->head; n = after, after = n->next)

#endif
