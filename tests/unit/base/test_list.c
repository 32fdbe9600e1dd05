#include "base/list.h"
#include "base/slice.h"

#include "cm.h"

struct item {
	char name;
	struct link link;
};

/* The names on the list from first to last, checked backwards too. */
static void list_holds(const struct list *l, struct slice names)
{
	size_t i = 0;

	LIST_EACH(l, n, after)
		assert_int_equal(CONTAINER_OF(n, struct item, link)->name, names.at[i++]);
	assert_int_equal(i, names.len);
	assert_int_equal(l->count, names.len);
	for (struct link *n = list_last(l); i > 0; n = n->prev)
		assert_int_equal(CONTAINER_OF(n, struct item, link)->name, names.at[--i]);
}

static void order(void **state)
{
	struct item a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' }, d = { .name = 'd' };
	struct list l;

	(void)state;
	list_init(&l);
	assert_true(list_empty(&l));
	assert_null(list_first(&l));
	assert_null(list_last(&l));
	list_append(&l, &b.link);
	list_append(&l, &d.link);
	list_prepend(&l, &a.link);
	list_insert_before(&l, &d.link, &c.link);
	list_holds(&l, S("abcd"));
	assert_false(list_empty(&l));

	list_remove(&l, &b.link);
	list_holds(&l, S("acd"));
	assert_false(link_on_list(&b.link));
	assert_true(link_on_list(&a.link));
	list_append(&l, &b.link);
	list_holds(&l, S("acdb"));
}

static void items_may_leave_while_walking(void **state)
{
	struct item items[4] = { { .name = 'a' }, { .name = 'b' }, { .name = 'c' }, { .name = 'd' } };
	struct list l;

	(void)state;
	list_init(&l);
	for (size_t i = 0; i < COUNT_OF(items); i++)
		list_append(&l, &items[i].link);
	LIST_EACH(&l, n, after) {
		if (CONTAINER_OF(n, struct item, link)->name != 'c')
			list_remove(&l, n);
	}
	list_holds(&l, S("c"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order),
		cmocka_unit_test(items_may_leave_while_walking),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
