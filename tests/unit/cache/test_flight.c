/* Leaders and followers on loops of their own. */
#include "cm.h"

#include "base/check.h"
#include "cache/flight.h"
#include "sim/sim.h"

struct follower {
	struct flight_guest guest;
	struct buf got;
	enum flight_state state;
	unsigned told;
};

static void on_news(struct flight_guest *g)
{
	struct follower *f = CONTAINER_OF(g, struct follower, guest);

	f->told++;
	if (!g->leads)
		f->state = flight_read(g, 1 << 20, &f->got);
}

struct stage {
	struct sim *sim;
	struct flights *all;
	struct flight_desk *desks[3];
	struct cache_key key;
	struct follower leader, one, two;
};

static void follower_init(struct follower *f)
{
	*f = (struct follower){ .guest.on_news = on_news, .got = BUF_INIT(1 << 20) };
}

static void begin(struct stage *s)
{
	s->sim = sim_create(1);
	s->all = flights_create(1);
	for (int i = 0; i < 3; i++)
		s->desks[i] = flight_desk_create(s->all, sim_io_create(s->sim, "w"));
	cache_key_of(S("question"), &s->key);
	follower_init(&s->leader);
	follower_init(&s->one);
	follower_init(&s->two);
	flight_join(s->all, s->desks[0], &s->key, &s->leader.guest);
	flight_join(s->all, s->desks[1], &s->key, &s->one.guest);
	assert_true(s->leader.guest.leads);
	assert_false(s->one.guest.leads);
}

static void end(struct stage *s)
{
	assert_int_equal(flights_count(s->all).flights, 0);
	assert_int_equal(flights_count(s->all).followers, 0);
	sim_run_for(s->sim, 10);
	buf_free(&s->one.got);
	buf_free(&s->two.got);
	flights_free(s->all);
	sim_free(s->sim);
}

static void followers_get_all_from_the_beginning(void **state)
{
	const struct flight_facts facts = { .target = S("a/m") };
	struct stage s;

	(void)state;
	begin(&s);
	flight_begin(&s.leader.guest, &facts);
	flight_add(&s.leader.guest, S("hel"));
	sim_run_for(s.sim, 10);
	assert_true(slice_eq(buf_slice(&s.one.got), S("hel")));
	flight_join(s.all, s.desks[2], &s.key, &s.two.guest);
	flight_add(&s.leader.guest, S("lo"));
	flight_end(&s.leader.guest, true, &facts);
	sim_run_for(s.sim, 10);
	assert_true(slice_eq(buf_slice(&s.one.got), S("hello")));
	assert_true(slice_eq(buf_slice(&s.two.got), S("hello")));
	assert_int_equal(s.two.state, FLIGHT_DONE);
	flight_leave(&s.one.guest);
	flight_leave(&s.two.guest);
	end(&s);
}

static void the_leader_is_told_when_the_last_has_left(void **state)
{
	struct stage s;

	(void)state;
	begin(&s);
	flight_join(s.all, s.desks[1], &s.key, &s.two.guest);
	flight_leave(&s.one.guest);
	sim_run_for(s.sim, 10);
	assert_int_equal(s.leader.told, 0);
	flight_leave(&s.two.guest);
	sim_run_for(s.sim, 10);
	assert_int_equal(s.leader.told, 1);
	flight_end(&s.leader.guest, false, NULL);
	end(&s);
}

static void who_has_left_is_told_nothing(void **state)
{
	struct stage s;

	(void)state;
	begin(&s);
	flight_begin(&s.leader.guest, &(struct flight_facts){ .fallback = false });
	flight_add(&s.leader.guest, S("x"));      /* news are on their way */
	flight_leave(&s.one.guest);
	flight_end(&s.leader.guest, false, NULL);
	sim_run_for(s.sim, 10);
	assert_int_equal(s.one.told, 0);
	end(&s);
}

static void after_the_end_somebody_else_leads(void **state)
{
	struct stage s;

	(void)state;
	begin(&s);
	flight_end(&s.leader.guest, false, NULL);
	flight_join(s.all, s.desks[2], &s.key, &s.two.guest);
	assert_true(s.two.guest.leads);
	flight_end(&s.two.guest, true, NULL);
	sim_run_for(s.sim, 10);
	assert_int_equal(s.one.state, FLIGHT_FAILED);
	flight_leave(&s.one.guest);
	end(&s);
}

static void a_flight_that_grows_too_long_goes_on_alone(void **state)
{
	static char megabyte[1 << 20];
	struct stage s;

	(void)state;
	begin(&s);
	flight_begin(&s.leader.guest, &(struct flight_facts){ .fallback = false });
	for (int i = 0; i < 9; i++)
		flight_add(&s.leader.guest, (struct slice){ megabyte, sizeof megabyte });
	assert_int_equal(flight_followers(&s.leader.guest), 0);
	assert_int_equal(flight_bytes(&s.leader.guest).len, 0);
	flight_join(s.all, s.desks[2], &s.key, &s.two.guest);
	assert_true(s.two.guest.leads);
	flight_end(&s.two.guest, true, NULL);
	sim_run_for(s.sim, 10);
	assert_int_equal(s.one.state, FLIGHT_FAILED);
	flight_leave(&s.one.guest);
	flight_end(&s.leader.guest, true, NULL);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(followers_get_all_from_the_beginning),
		cmocka_unit_test(the_leader_is_told_when_the_last_has_left),
		cmocka_unit_test(who_has_left_is_told_nothing),
		cmocka_unit_test(after_the_end_somebody_else_leads),
		cmocka_unit_test(a_flight_that_grows_too_long_goes_on_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
