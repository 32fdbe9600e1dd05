#include "daemon/discover.h"

#include "base/check.h"
#include "daemon/probe.h"
#include "wire/json.h"

/* Anything may listen on port 8000; a model server lists models. */
static bool lists_models(struct slice body)
{
	struct json_want want = { .name = S("data") };

	return json_scan_object(body, &want, 1, NULL) == JSON_OK && want.found &&
	       want.type == JSON_ARRAY;
}

size_t discover_local_servers(const struct config_local_server *answering[static DISCOVER_MAX])
{
	struct arena *arena = arena_create(0);
	struct origin *origins = arena_array(arena, struct origin, DISCOVER_MAX);
	struct probe *probes = arena_array(arena, struct probe, DISCOVER_MAX);
	size_t count = config_local_server_count, found = 0;
	char why[128];

	must(count <= DISCOVER_MAX);
	for (size_t i = 0; i < count; i++) {
		struct slice authority = arena_printf(arena, "127.0.0.1:%u",
						      (unsigned)config_local_servers[i].port);

		origins[i] = (struct origin){
			.key = authority,
			.host = S("127.0.0.1"),
			.port = config_local_servers[i].port,
			.authority = authority,
			.connect_ms = DISCOVER_LIMIT_MS,
		};
		probes[i] = (struct probe){ .origin = &origins[i], .target = S("/v1/models") };
	}
	if (probes_run(probes, count, DISCOVER_LIMIT_MS, arena, why, sizeof why))
		for (size_t i = 0; i < count; i++)
			if (probes[i].fault == FAULT_NONE && lists_models(probes[i].body))
				answering[found++] = &config_local_servers[i];
	arena_free(arena);
	return found;
}
