#include "daemon/command.h"

#include "io/real/real.h"

#include <yaml.h>
#include <zlib.h>

int command_version(int argc, char **argv)
{
	char text[512];

	(void)argv;
	if (argc > 0)
		return command_complain("version", "it takes no arguments");
	printf("backstay %s\n", BACKSTAY_VERSION);
	fputs(io_real_versions(text, sizeof text), stdout);
	printf("  libyaml %s\n", yaml_get_version_string());
	printf("  zlib %s\n", zlibVersion());
	printf("  compiler %s\n", __VERSION__);
	return EXIT_GOOD;
}
