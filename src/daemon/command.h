/* command.h: the commands of the program `backstay`. */
#ifndef BACKSTAY_DAEMON_COMMAND_H
#define BACKSTAY_DAEMON_COMMAND_H

#include "base/slice.h"

#include <stdio.h>

enum exit_code {
	EXIT_GOOD = 0,
	EXIT_TROUBLE = 1,             /* it was well asked, but did not work */
	EXIT_USAGE = 2,               /* wrong options, or a config that is refused */
};

struct command {
	const char *name;
	const char *summary;          /* one line for the overview */
	/* Gets what follows the command's name. Gives the exit code. */
	int (*run)(int argc, char **argv);
	/* Prints what `backstay help NAME` shows. */
	void (*help)(FILE *out);
};

/* All commands in the order of the overview; a NULL name ends them. */
extern const struct command commands[];
/* The command of that name; NULL: none. */
const struct command *command_find(struct slice name);
/* The name nearest to a misspelt one; NULL if none is near. */
const char *command_nearest(struct slice name);

/* One for each row of the table; `argc` and `argv` without program and name. */
int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_mock(int argc, char **argv);
int command_alert(int argc, char **argv);
int command_top(int argc, char **argv);
int command_cache(int argc, char **argv);
int command_version(int argc, char **argv);
int command_help(int argc, char **argv);

/* The help texts, for a terminal or a pipe (help.c). */
void help_overview(FILE *out);
void help_run(FILE *out);
void help_check(FILE *out);
void help_mock(FILE *out);
void help_alert(FILE *out);
void help_top(FILE *out);
void help_cache(FILE *out);
void help_version(FILE *out);
void help_help(FILE *out);

/* Prints "backstay NAME: sentence" and where help is, to stderr. Gives
 * EXIT_USAGE. */
int command_complain(const char *name, const char *sentence);
/* True if `arg` asks for help (-h, --help). */
bool command_wants_help(const char *arg);

#endif
