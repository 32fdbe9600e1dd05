#include "cm.h"

#include "house.h"

static void weights_share_and_spread(void **state)
{
	struct house h;
	unsigned weights[3] = { 5, 1, 1 };
	bool open[3] = { true, true, true };
	char order[8] = "";

	(void)state;
	house_open(&h);
	house_target(&h, "a", 1, 5, 0);
	house_target(&h, "b", 1, 1, 0);
	house_target(&h, "c", 1, 1, 0);
	house_model(&h, "chat", 3);
	house_bind(&h);
	for (size_t i = 0; i < 7; i++)
		order[i] = (char)('a' + (int)rotation_next(h.models[0].rotation, weights, open, 3));
	assert_string_equal(order, "aabacaa");
	open[0] = false;
	for (size_t i = 0; i < 4; i++)
		order[i] = (char)('a' + (int)rotation_next(h.models[0].rotation, weights, open, 3));
	order[4] = 0;
	assert_null(strchr(order, 'a'));
	house_close(&h);
}

static enum target_answer begin(struct house *h, const struct target_policy *t,
				struct target_visit *v)
{
	unsigned news;

	return target_begin(t->state, t, &h->models[0], 0, 0, false, 0, v, &news);
}

static void cancel(struct house *h, const struct target_policy *t, struct target_visit *v)
{
	const struct target_outcome neutral = { .neutral = true };
	mono_ms at;

	target_end(t->state, t, &h->models[0], v, 0, 0, &neutral, &at);
}

static void max_in_flight_counts_the_backend_not_the_model(void **state)
{
	struct house h;
	struct target_policy *a, *b;
	struct target_visit first, second, third;

	(void)state;
	house_open(&h);
	a = house_target(&h, "a", 1, 1, 2);
	b = house_target(&h, "b", 1, 1, 2);
	b->host_key = a->host_key;
	b->model = S("another");
	house_model(&h, "chat", 2);
	house_bind(&h);
	assert_ptr_not_equal(a->state, b->state);
	assert_int_equal(begin(&h, a, &first), TARGET_GO);
	assert_int_equal(begin(&h, b, &second), TARGET_GO);
	assert_int_equal(begin(&h, a, &third), TARGET_FULL);
	h.backends[0].max_in_flight = 0;
	assert_int_equal(begin(&h, a, &third), TARGET_GO);
	assert_int_equal(target_in_flight(a->state), 2);
	assert_int_equal(target_in_flight(b->state), 1);
	cancel(&h, a, &first);
	cancel(&h, a, &third);
	cancel(&h, b, &second);
	assert_int_equal(target_registry_in_flight(h.registry), 0);
	house_close(&h);
}

static void a_target_keeps_its_state_over_a_reload(void **state)
{
	struct house h;
	struct target *before;

	(void)state;
	house_open(&h);
	house_target(&h, "a", 1, 1, 0);
	house_model(&h, "chat", 1);
	house_bind(&h);
	before = h.targets[0].state;
	house_bind(&h);
	assert_ptr_equal(before, h.targets[0].state);
	h.backends[0].key = S("another key");
	house_bind(&h);
	assert_ptr_not_equal(before, h.targets[0].state);
	house_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights_share_and_spread),
		cmocka_unit_test(max_in_flight_counts_the_backend_not_the_model),
		cmocka_unit_test(a_target_keeps_its_state_over_a_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
