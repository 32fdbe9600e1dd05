#include "daemon/command.h"

#include <ares.h>
#include <ev.h>
#include <openssl/crypto.h>
#include <yaml.h>
#include <zlib.h>

int command_version(int argc, char **argv)
{
	(void)argv;
	if (argc > 0)
		return command_complain("version", "it takes no arguments");
	printf("backstay %s\n", BACKSTAY_VERSION);
	printf("  %s\n", OpenSSL_version(OPENSSL_VERSION));
	printf("  libev %d.%d\n", ev_version_major(), ev_version_minor());
	printf("  c-ares %s\n", ares_version(NULL));
	printf("  libyaml %s\n", yaml_get_version_string());
	printf("  zlib %s\n", zlibVersion());
	printf("  compiler %s\n", __VERSION__);
	return EXIT_GOOD;
}
