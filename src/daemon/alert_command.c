/* `backstay alert test`: a test message to each sink, before it is needed. */
#include "daemon/command.h"

#include "base/arena.h"
#include "base/check.h"
#include "daemon/alert_post.h"
#include "daemon/find_config.h"
#include "daemon/machine_name.h"
#include "io/real/real.h"

#include <stdio.h>
#include <string.h>

struct testing;

struct one {
	struct testing *all;
	const struct alert_sink_policy *sink;
	mono_ms started_at;
};

struct testing {
	struct io *io;
	size_t left, failed;
};

static void on_done(void *owner, const struct alert_posted *p)
{
	struct one *o = owner;

	printf("%s  %.*s  %.*s  ", p->result == ALERT_TAKEN ? "ok  " : "FAIL", SLICE_ARG(o->sink->name),
	       SLICE_ARG(o->sink->origin->authority));
	if (p->status)
		printf("status %d, ", p->status);
	printf("%lld ms\n", (long long)(io_now(o->all->io) - o->started_at));
	if (p->result != ALERT_TAKEN) {
		o->all->failed++;
		if (p->text.len)
			printf("      %.*s\n", SLICE_ARG(slice_trim(p->text)));
		printf("      %s\n", alert_post_remedy(p));
	}
	if (--o->all->left == 0)
		io_real_stop(o->all->io);
}

/* Firing, or the end of it: PagerDuty would keep an incident open otherwise. */
static struct alert_note test_note(int64_t wall_ms, bool firing)
{
	return (struct alert_note){
		.kind = ALERT_TEST, .subject = "backstay alert test", .firing = firing,
		.text = "Somebody wants to know whether this arrives. Nothing is wrong.",
		.since_wall_ms = wall_ms, .until_wall_ms = firing ? 0 : wall_ms, .noted_wall_ms = wall_ms,
	};
}

static bool is_meant(const struct alert_sink_policy *sink, const struct slice *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_eq(sink->name, names[i]))
			return true;
	return count == 0;
}

/* One message to all that are meant. */
static size_t post_all(struct io *io, const struct alert_policy *policy, const struct slice *names,
		       size_t name_count, bool firing)
{
	struct upstream_pool *pool = upstream_pool_create(io, NULL);
	struct testing all = { .io = io };
	struct one ones[ALERT_SINKS_MAX];
	struct alert_note note = test_note(io_wall_ms(io), firing);
	char source[MACHINE_NAME_MAX];

	machine_name(source, sizeof source);
	for (size_t i = 0; i < policy->sink_count; i++) {
		struct alert_post_setup setup = {
			.io = io, .pool = pool, .policy = policy, .sink = &policy->sinks[i],
			.source = slice_of(source), .on_done = on_done, .owner = &ones[i],
		};

		if (!is_meant(&policy->sinks[i], names, name_count))
			continue;
		ones[i] = (struct one){ &all, &policy->sinks[i], io_now(io) };
		alert_post_start(&setup, &note, 1);
		all.left++;
	}
	if (all.left)
		io_real_run(io);
	upstream_pool_free(pool);
	return all.failed;
}

static int test(const struct config *c, const struct slice *names, size_t count)
{
	struct slice known[ALERT_SINKS_MAX];
	char why[256];
	struct io *io;
	size_t failed;

	for (size_t i = 0; i < c->alerts.sink_count; i++)
		known[i] = c->alerts.sinks[i].name;
	for (size_t i = 0; i < count; i++) {
		bool there = false;

		for (size_t j = 0; j < c->alerts.sink_count; j++)
			there = there || slice_eq(known[j], names[i]);
		if (!there) {
			fprintf(stderr, "backstay alert test: the config has no sink '%.*s'\n", SLICE_ARG(names[i]));
			return EXIT_USAGE;
		}
	}
	if (c->alerts.sink_count == 0) {
		fprintf(stderr, "backstay alert test: the config has no sinks; add some to \"alerts\"\n");
		return EXIT_USAGE;
	}
	io = io_real_create(why, sizeof why);
	if (!io) {
		fprintf(stderr, "backstay alert test: %s\n", why);
		return EXIT_TROUBLE;
	}
	printf("firing:\n");
	failed = post_all(io, &c->alerts, names, count, true);
	io_real_free(io);
	io = failed ? NULL : io_real_create(why, sizeof why);
	if (io) {
		printf("resolved:\n");
		failed = post_all(io, &c->alerts, names, count, false);
		io_real_free(io);
	}
	return failed ? EXIT_TROUBLE : EXIT_GOOD;
}

/* What is no option names a sink; options are moved to the front. */
static size_t take_names(int *argc, char **argv, struct slice *names, size_t max)
{
	size_t count = 0;
	int kept = 0;

	for (int i = 0; i < *argc; i++) {
		bool has_value = strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0;

		if (argv[i][0] == '-' || count == max) {
			argv[kept++] = argv[i];
			if (has_value && i + 1 < *argc)
				argv[kept++] = argv[++i];
		} else {
			names[count++] = slice_of(argv[i]);
		}
	}
	*argc = kept;
	return count;
}

int command_alert(int argc, char **argv)
{
	struct slice names[ALERT_SINKS_MAX];
	struct found_config found;
	const char *path;
	char why[256];
	size_t count;
	int code;

	if (argc == 0 || strcmp(argv[0], "test") != 0)
		return command_complain("alert", "what it can do is 'alert test'");
	argc--;
	argv++;
	count = take_names(&argc, argv, names, COUNT_OF(names));
	if (!find_config_options(argc, argv, &path, NULL, why, sizeof why))
		return command_complain("alert", why);
	if (!find_config(path, &found))
		return EXIT_USAGE;
	code = test(found.config, names, count);
	config_give(found.config);
	return code;
}
