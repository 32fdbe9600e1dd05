/* `backstay run`: the config, then the supervisor. */
#include "daemon/command.h"

#include "daemon/find_config.h"
#include "daemon/supervisor.h"

int command_run(int argc, char **argv)
{
	struct found_config found;
	const char *path;
	char why[256];
	int code;

	if (!find_config_options(argc, argv, &path, NULL, why, sizeof why))
		return command_complain("run", why);
	if (!find_config(path, &found))
		return EXIT_USAGE;
	code = supervisor_run(&found);
	config_give(found.config);
	return code;
}
