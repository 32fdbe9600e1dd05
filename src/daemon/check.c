/* `backstay check`: is the config good, and do its backends answer? */
#include "daemon/command.h"

#include "base/check.h"
#include "daemon/find_config.h"
#include "daemon/probe.h"
#include "dialect/dialect.h"
#include "wire/json.h"

#include <stdlib.h>

#define LIVE_LIMIT_MS 10000

/* ---- live ------------------------------------------------------------------------ */

/* What a person can do about a backend that failed the check. */
static const char *remedy(enum fault f, int status)
{
	switch (f) {
	case FAULT_CONNECT:
		return "check the URL, that the server runs, and what stands between (firewall, proxy)";
	case FAULT_CREDENTIAL:
		return "check the key, and that it may be used for this endpoint";
	case FAULT_NO_MONEY:
		return "add credit or raise the spend limit with the vendor";
	case FAULT_RATE_LIMITED:
		return "the key works; wait, or ask the vendor for a higher limit";
	case FAULT_SILENCE:
		return "the server accepts connections but does not answer; look at its log";
	case FAULT_OVERLOADED:
		return "try again later; other targets take over meanwhile";
	default:
		return status == 404
			? "check the path of the URL (most end in /v1); a few servers do not list models"
			: "look at the backend's own log";
	}
}

/* The header lines that a request of the proxy would carry too. */
static struct slice header_lines(struct arena *arena, const struct backend_policy *b)
{
	const char *name = b->auth == AUTH_BEARER ? "Authorization: Bearer"
		: b->auth == AUTH_API_KEY ? "api-key:"
		: b->auth == AUTH_X_GOOG_API_KEY ? "x-goog-api-key:" : "x-api-key:";
	struct slice lines = SLICE_NONE;

	if (b->key.len && b->auth != AUTH_NONE)
		lines = arena_printf(arena, "%s %.*s\r\n", name, SLICE_ARG(b->key));
	for (size_t i = 0; i < b->header_count; i++)
		lines = arena_printf(arena, "%.*s%.*s: %.*s\r\n", SLICE_ARG(lines),
				     SLICE_ARG(b->headers[i].name), SLICE_ARG(b->headers[i].value));
	return lines;
}

static struct probe probe_of(struct arena *arena, const struct backend_policy *b, size_t url)
{
	const struct origin *o = &b->origins[url];

	return (struct probe){
		.origin = o,
		.target = arena_printf(arena, "%.*s/models%s%.*s", SLICE_ARG(o->base_path),
				       b->query.len ? "?" : "", SLICE_ARG(b->query)),
		.headers = header_lines(arena, b),
	};
}

static size_t models_listed(struct slice body)
{
	struct slice list = json_member(body, S("data")), value;
	size_t count = 0;

	if (json_validate(body, NULL) != JSON_OK || list.len == 0 || list.at[0] != '[')
		return 0;
	while (json_next(&list, NULL, &value))
		count++;
	return count;
}

static void print_probe(const struct backend_policy *b, const struct probe *p)
{
	const struct origin *o = p->origin;

	printf("%s  %.*s  %s%.*s%.*s  %lld ms", p->fault == FAULT_NONE ? "ok  " : "FAIL",
	       SLICE_ARG(b->name), o->tls ? "https://" : "http://", SLICE_ARG(o->authority),
	       SLICE_ARG(o->base_path), (long long)p->took_ms);
	if (p->fault == FAULT_NONE) {
		size_t count = models_listed(p->body);

		if (count)
			printf("  %zu model%s", count, count == 1 ? "" : "s");
		else
			printf("  (lists no models)");
	} else {
		printf("\n      %s: %s", fault_row(p->fault)->name, fault_row(p->fault)->text);
		if (p->status)
			printf(" (status %d)", p->status);
		if (p->text.len)
			printf(": %.*s", SLICE_ARG(p->text));
		printf("\n      %s", remedy(p->fault, p->status));
	}
	printf("\n");
}

static int check_live(const struct config *c)
{
	struct arena *arena = arena_create(0);
	size_t count = 0, failed = 0;
	struct probe *probes;
	char why[256];

	for (size_t i = 0; i < c->backend_count; i++)
		count += c->backends[i].origin_count;
	probes = arena_array(arena, struct probe, count);
	count = 0;
	for (size_t i = 0; i < c->backend_count; i++)
		for (size_t j = 0; j < c->backends[i].origin_count; j++)
			probes[count++] = probe_of(arena, &c->backends[i], j);
	if (!probes_run(probes, count, LIVE_LIMIT_MS, arena, why, sizeof why)) {
		fprintf(stderr, "backstay check: %s\n", why);
		arena_free(arena);
		return EXIT_TROUBLE;
	}
	count = 0;
	for (size_t i = 0; i < c->backend_count; i++)
		for (size_t j = 0; j < c->backends[i].origin_count; j++) {
			failed += probes[count].fault != FAULT_NONE;
			print_probe(&c->backends[i], &probes[count++]);
		}
	arena_free(arena);
	return failed ? EXIT_TROUBLE : EXIT_GOOD;
}

/* ---- the file ---------------------------------------------------------------------- */

static void print_summary(const struct config *c)
{
	size_t targets = 0;

	for (size_t i = 0; i < c->model_count; i++)
		targets += c->models[i].target_count;
	printf("%.*s: good: %zu backend%s, %zu model%s, %zu target%s\n", SLICE_ARG(c->path),
	       c->backend_count, c->backend_count == 1 ? "" : "s", c->model_count,
	       c->model_count == 1 ? "" : "s", targets, targets == 1 ? "" : "s");
	for (size_t i = 0; i < c->note_count; i++)
		printf("note: %.*s\n", SLICE_ARG(c->notes[i]));
}

int command_check(int argc, char **argv)
{
	struct found_config found;
	const char *path;
	bool live = false;
	char why[256];
	int code = EXIT_GOOD;

	if (!find_config_options(argc, argv, &path, &live, why, sizeof why))
		return command_complain("check", why);
	if (!find_config(path, &found))
		return EXIT_USAGE;
	print_summary(found.config);
	fflush(stdout);
	if (live)
		code = check_live(found.config);
	config_give(found.config);
	return code;
}
