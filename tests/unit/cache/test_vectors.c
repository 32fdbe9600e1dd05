/* Which question means the same? */
#include "cm.h"

#include "base/check.h"
#include "cache/vectors.h"

static struct cache_entry *take(void *owner, const struct cache_key *key)
{
	const struct cache_facts facts = { .body = S("x") };

	/* Of a question whose first byte is 9 the answer is gone. */
	(void)owner;
	return key->bytes[0] == 9 ? NULL : cache_entry_create(key, &facts, 0, 0);
}

static int find(struct vectors *v, uint64_t context, float x, float y, double least)
{
	const float asked[] = { x, y };
	double similarity = 0;
	struct cache_entry *e = vectors_find(v, context, asked, 2, least, take, NULL, &similarity);
	int which = e ? e->key.bytes[0] : 0;

	if (e)
		row_holds(similarity >= least && similarity <= 1, "it says how like it is");
	cache_entry_give(e);
	return which;
}

static void put(struct vectors *v, uint64_t context, uint8_t which, float x, float y)
{
	const struct cache_key key = { { which } };
	const float numbers[] = { x, y };

	vectors_put(v, context, &key, numbers, 2);
}

static void the_likest_of_the_same_context(void **state)
{
	struct vectors *v = vectors_create(1 << 20);

	(void)state;
	put(v, 1, 1, 1, 0);
	put(v, 1, 2, 0.7f, 0.7f);
	put(v, 2, 3, 0, 1);
	row_holds(find(v, 1, 5, 0.1f, 0.9) == 1, "length does not matter, the way does");
	row_holds(find(v, 1, 1, 0.9f, 0.9) == 2, "the likest");
	row_holds(find(v, 1, 0, 1, 0.9) == 0, "of another context none");
	row_holds(find(v, 2, 0, 1, 0.9) == 3, "of its own");
	row_holds(find(v, 1, -1, 0, 0.1) == 0, "the other way round is not alike");
	put(v, 1, 1, 0, 1);
	row_holds(vectors_count(v) == 3, "one for each question");
	row_holds(find(v, 1, 0, 1, 0.9) == 1, "the newer one");
	vectors_free(v);
}

static void what_is_gone_or_points_nowhere(void **state)
{
	const float zero[2] = { 0, 0 }, three[3] = { 1, 0, 0 };
	const struct cache_key key = { { 4 } };
	struct vectors *v = vectors_create(1 << 20);

	(void)state;
	put(v, 1, 9, 1, 0);
	put(v, 1, 1, 1, 0.2f);
	row_holds(find(v, 1, 1, 0, 0.5) == 1, "the next one where the answer is gone");
	vectors_put(v, 1, &key, zero, 2);
	row_holds(vectors_count(v) == 2, "no vector");
	vectors_put(v, 1, &key, three, 3);
	row_holds(find(v, 1, 1, 0, 0.5) == 1, "of another model");
	row_holds(find(v, 1, 0, 0, 0) == 0, "nowhere is near nothing");
	vectors_free(v);
}

static void the_oldest_goes(void **state)
{
	struct vectors *v = vectors_create(1000);

	(void)state;
	for (uint8_t i = 10; i < 200; i++)
		put(v, i, i, 1, 0);
	row_holds(vectors_count(v) <= 15, "bounded");
	row_holds(find(v, 199, 1, 0, 0.9) == 199, "the newest is there");
	row_holds(find(v, 10, 1, 0, 0.9) == 0, "the oldest is not");
	vectors_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_likest_of_the_same_context),
		cmocka_unit_test(what_is_gone_or_points_nowhere),
		cmocka_unit_test(the_oldest_goes),
	};

	return cmocka_run_group_tests_name("cache/vectors", tests, NULL, NULL);
}
