/* The program: finds the command and runs it. */
#include "daemon/command.h"

#include "base/check.h"

#include <signal.h>
#include <string.h>

const struct command commands[] = {
	{ "run", "serve: the proxy, its workers and its supervisor", command_run, help_run },
	{ "check", "read a config and say what is wrong with it; --live asks the backends",
	  command_check, help_check },
	{ "mock", "a simulated model server that fails in every way you ask for", command_mock,
	  help_mock },
	{ "alert", "send a test message to those who are told of trouble", command_alert, help_alert },
	{ "top", "models, targets and trouble, live in the terminal", command_top, help_top },
	{ "cache", "look at kept answers of a running proxy, and drop some", command_cache, help_cache },
	{ "version", "the version, and what it was built with", command_version, help_version },
	{ "help", "more about a command: backstay help run", command_help, help_help },
	{ NULL, NULL, NULL, NULL },
};

const struct command *command_find(struct slice name)
{
	for (const struct command *c = commands; c->name; c++)
		if (slice_eq(name, slice_of(c->name)))
			return c;
	return NULL;
}

const char *command_nearest(struct slice name)
{
	const char *nearest = NULL;
	size_t best = 3;

	for (const struct command *c = commands; c->name; c++) {
		size_t distance = slice_edit_distance(name, slice_of(c->name));

		if (distance < best) {
			best = distance;
			nearest = c->name;
		}
	}
	return nearest;
}

int command_complain(const char *name, const char *sentence)
{
	fprintf(stderr, "backstay %s: %s\n", name, sentence);
	fprintf(stderr, "Try 'backstay help %s'.\n", name);
	return EXIT_USAGE;
}

bool command_wants_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

static int unknown(const char *name)
{
	const char *nearest = command_nearest(slice_of(name));

	fprintf(stderr, "backstay: there is no command '%s'", name);
	if (nearest)
		fprintf(stderr, "; did you mean '%s'?\n", nearest);
	else
		fprintf(stderr, "\n");
	fprintf(stderr, "Try 'backstay --help'.\n");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *c;

	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		help_overview(stdout);
		return EXIT_GOOD;
	}
	if (command_wants_help(argv[1])) {
		help_overview(stdout);
		return EXIT_GOOD;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		return command_version(0, NULL);
	c = command_find(slice_of(argv[1]));
	if (!c)
		return unknown(argv[1]);
	for (int i = 2; i < argc; i++)
		if (command_wants_help(argv[i])) {
			c->help(stdout);
			return EXIT_GOOD;
		}
	return c->run(argc - 2, argv + 2);
}
