#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "daemon/find_config.h"
#include "daemon/reload.h"
#include "io/real/real.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char good[] = "backends: {a: {url: 'http://a/v1'}}\nmodels: {m: [a/x]}\n";
static const char better[] = "backends: {a: {url: 'http://a/v1'}}\nmodels: {m: [a/x], n: [a/x]}\n";
static const char bad[] = "backends: {a: {url: 'http://a/v1'}}\nmodels: {m: [b/x]}\n";

struct stage {
	struct io *io;
	struct reload *reload;
	char path[32];
	size_t models;                /* of the last config told */
	unsigned configs, refusals;
	bool named_the_place;
	struct io_timer limit;
	bool limit_reached;
};

static void on_config(void *owner, struct config *c)
{
	struct stage *s = owner;

	s->configs++;
	s->models = c->model_count;
	config_give(c);
	io_real_stop(s->io);
}

static void on_refused(void *owner, struct slice errors)
{
	struct stage *s = owner;

	s->refusals++;
	s->named_the_place = slice_starts(errors, slice_of(s->path)) && slice_ends(errors, S("\n"));
	io_real_stop(s->io);
}

static void on_limit(struct io_timer *t, mono_ms now)
{
	struct stage *s = CONTAINER_OF(t, struct stage, limit);

	(void)now;
	s->limit_reached = true;
	io_real_stop(s->io);
}

static void write_file(const struct stage *s, const char *text)
{
	FILE *f = fopen(s->path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void begin(struct stage *s, const char *text)
{
	struct reload_setup setup = { .look_ms = 10, .on_config = on_config, .on_refused = on_refused,
				      .owner = s };
	char why[128];
	int fd;

	*s = (struct stage){ .path = "/tmp/backstay-test-XXXXXX", .limit.fire = on_limit };
	fd = mkstemp(s->path);
	assert_true(fd >= 0);
	close(fd);
	write_file(s, text);
	s->io = io_real_create(why, sizeof why);
	assert_non_null(s->io);
	setup.io = s->io;
	setup.path = s->path;
	assert_true(find_config_digest(s->path, setup.sha256));
	s->reload = reload_create(&setup);
}

static void end(struct stage *s)
{
	io_real_free(s->io);
	reload_free(s->reload);
	unlink(s->path);
}

static void asked_for_it_reads_even_what_has_not_changed(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, good);
	reload_now(s.reload);
	io_real_run(s.io);
	assert_int_equal(s.configs, 1);
	assert_int_equal(s.models, 1);
	end(&s);
}

static void a_bad_file_is_refused_and_a_good_one_taken_later(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, good);
	write_file(&s, bad);
	reload_now(s.reload);
	io_real_run(s.io);
	assert_int_equal(s.configs, 0);
	assert_int_equal(s.refusals, 1);
	assert_true(s.named_the_place);
	write_file(&s, better);
	reload_now(s.reload);
	io_real_run(s.io);
	assert_int_equal(s.configs, 1);
	assert_int_equal(s.models, 2);
	end(&s);
}

static void a_changed_file_is_noticed_by_itself(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, good);
	write_file(&s, better);
	io_timer_set(s.io, &s.limit, mono_after(io_now(s.io), 30000));
	io_real_run(s.io);
	assert_false(s.limit_reached);
	assert_int_equal(s.models, 2);
	end(&s);
}

/* touch, or an editor that writes the same bytes; and a refused file is told
 * once, not at every look. */
static void the_same_bytes_are_no_news(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, good);
	write_file(&s, good);
	io_timer_set(s.io, &s.limit, mono_after(io_now(s.io), 300));
	io_real_run(s.io);
	assert_true(s.limit_reached);
	assert_int_equal(s.configs + s.refusals, 0);
	end(&s);
}

static void it_may_end_while_a_file_is_being_read(void **state)
{
	struct stage s;

	(void)state;
	begin(&s, better);
	reload_now(s.reload);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(asked_for_it_reads_even_what_has_not_changed),
		cmocka_unit_test(a_bad_file_is_refused_and_a_good_one_taken_later),
		cmocka_unit_test(a_changed_file_is_noticed_by_itself),
		cmocka_unit_test(the_same_bytes_are_no_news),
		cmocka_unit_test(it_may_end_while_a_file_is_being_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
