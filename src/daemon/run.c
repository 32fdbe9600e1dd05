/* `backstay run`: the config, then the supervisor. */
#include "daemon/command.h"

#include "daemon/find_config.h"

int command_run(int argc, char **argv)
{
	struct found_config found;
	const char *path;
	char why[256];

	if (!find_config_options(argc, argv, &path, NULL, why, sizeof why))
		return command_complain("run", why);
	if (!find_config(path, &found))
		return EXIT_USAGE;
	config_give(found.config);
	return EXIT_GOOD;
}
