/* `backstay cache`: asks a running proxy's admin port about kept answers. */
#include "daemon/command.h"

#include "base/arena.h"
#include "base/check.h"
#include "conn/upstream.h"
#include "daemon/find_config.h"
#include "io/real/real.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX ((size_t)128 * 1024 * 1024)
#define PATIENCE_MS 30000
#define KEY_VARIABLE "BACKSTAY_ADMIN_KEY"

struct asking {
	struct io *io;
	struct upstream_call *call;
	struct buf answer;
	int status;
	char fault[200];
	struct io_timer limit;
};

/* What the options say. */
struct wanted {
	const char *what;             /* stats, get, purge */
	const char *key, *model, *tag;
	bool all, body;
};

/* ---- one request --------------------------------------------------------------------- */

static void stop(struct asking *a)
{
	a->call = NULL;
	io_timer_clear(a->io, &a->limit);
	io_real_stop(a->io);
}

static void on_connected(void *owner, bool reused)
{
	(void)owner, (void)reused;
}

static void on_head(void *owner, const struct h1_head *head)
{
	struct asking *a = owner;

	a->status = head->status;
}

static void on_body(void *owner, struct slice bytes)
{
	struct asking *a = owner;

	(void)!buf_append(&a->answer, bytes);
}

static void on_end(void *owner, bool until_close)
{
	(void)until_close;
	stop(owner);
}

static void on_fault(void *owner, enum fault why, const char *text)
{
	struct asking *a = owner;

	(void)why;
	a->status = 0;
	snprintf(a->fault, sizeof a->fault, "%s", text);
	stop(a);
}

static void on_limit(struct io_timer *t, mono_ms now)
{
	struct asking *a = CONTAINER_OF(t, struct asking, limit);

	(void)now;
	snprintf(a->fault, sizeof a->fault, "no answer within %d s", PATIENCE_MS / 1000);
	a->status = 0;
	upstream_cancel(a->call);
	stop(a);
}

static const struct upstream_events events = { on_connected, on_head, on_body, on_end, on_fault };

/* Where the config says that the admin port is; one that listens everywhere is
 * here too. */
static bool admin_origin(struct arena *arena, const struct config *c, struct origin *o)
{
	struct io_addr at = c->admin_listen;
	static const uint8_t any[16];
	char text[IO_ADDR_TEXT_MAX];

	if (!c->admin_enabled || at.family == IO_UNIX)
		return false;
	if (memcmp(at.bytes, any, sizeof any) == 0) {
		if (at.family == IO_IPV4)
			at.bytes[0] = 127;
		at.bytes[at.family == IO_IPV4 ? 3 : 15] = 1;
	}
	io_addr_text(&at, text);
	o->authority = arena_copy(arena, slice_of(text));
	o->host = slice_sub(o->authority, 0, o->authority.len);
	while (o->host.len && o->host.at[o->host.len - 1] != ':')
		o->host.len--;
	o->host.len--;
	if (o->host.len && o->host.at[0] == '[')
		o->host = slice_sub(o->host, 1, o->host.len - 1);
	o->port = at.port;
	o->key = o->authority;
	o->connect_ms = 2000;
	o->idle_max = 0;
	return true;
}

static bool ask(struct arena *arena, const struct origin *origin, const struct wanted *w, struct slice target,
		struct slice body, struct asking *a)
{
	const char *key = getenv(KEY_VARIABLE);
	struct upstream_pool *pool = upstream_pool_create(a->io, NULL);
	struct upstream_request request = {
		.method = strcmp(w->what, "purge") == 0 ? S("POST") : S("GET"), .target = target,
		.headers = key ? arena_printf(arena, "Authorization: Bearer %s\r\nContent-Type: application/json\r\n", key)
			       : S("Content-Type: application/json\r\n"),
		.body = &body, .body_parts = body.len ? 1 : 0, .has_body = body.len > 0, .fresh = true,
		.body_max = ANSWER_MAX,
	};

	a->limit.fire = on_limit;
	io_timer_set(a->io, &a->limit, mono_after(io_now(a->io), PATIENCE_MS));
	a->call = upstream_start(pool, origin, &request, &events, a);
	io_real_run(a->io);
	upstream_pool_free(pool);
	return a->status != 0;
}

/* ---- showing ------------------------------------------------------------------------------- */

static long long number(struct slice json, const char *path)
{
	int64_t n = 0;

	(void)!json_i64(json_path(json, slice_of(path)), &n);
	return n;
}

static void show_stats(struct arena *arena, struct slice json)
{
	struct slice stores = json_member(json, S("stores")), one;

	printf("memory  %lld answers, %lld of %lld KiB; %lld dropped for room\n", number(json, "memory.entries"),
	       number(json, "memory.bytes") / 1024, number(json, "memory.bytes_max") / 1024,
	       number(json, "memory.evictions"));
	while (json_next(&stores, NULL, &one)) {
		struct slice name = json_string(arena, json_member(one, S("name")));
		struct slice trouble = json_string(arena, json_member(one, S("trouble")));

		printf("%-6.*s  %s; %lld asked, %lld found, %lld kept, %lld failed, %lld too slow, %lld skipped",
		       SLICE_ARG(name), json_is_true(json_member(one, S("works"))) ? "in use" : "NOT IN USE",
		       number(one, "gets"), number(one, "found"), number(one, "puts"),
		       number(one, "failures"), number(one, "timeouts"), number(one, "skipped"));
		if (trouble.len)
			printf(" (%.*s)", SLICE_ARG(trouble));
		printf("\n");
	}
	printf("shared  %lld answers under way, which %lld requests follow\n", number(json, "flights"),
	       number(json, "followers"));
	printf("purges  %lld, of %lld answers\n", number(json, "purges"), number(json, "purged"));
}

static int show(struct arena *arena, const struct wanted *w, const struct asking *a)
{
	struct slice json = buf_slice(&a->answer);
	struct slice message = json_string(arena, json_path(json, S("error.message")));

	if (a->status != 200) {
		fprintf(stderr, "backstay cache: %.*s\n", SLICE_ARG(message.len ? message : json));
		if (a->status == 401)
			fprintf(stderr, "  the key is taken from the environment: " KEY_VARIABLE "\n");
		return EXIT_TROUBLE;
	}
	if (strcmp(w->what, "stats") == 0)
		show_stats(arena, json);
	else if (strcmp(w->what, "purge") == 0)
		printf("%lld answers dropped from memory here; disk and other machines follow\n",
		       number(json, "purged"));
	else
		printf("%.*s\n", SLICE_ARG(slice_trim(json)));
	return EXIT_GOOD;
}

/* ---- options --------------------------------------------------------------------------------- */

static bool option(int *i, int argc, char **argv, const char *name, const char **out)
{
	if (strcmp(argv[*i], name) != 0 || *i + 1 >= argc)
		return false;
	*out = argv[++*i];
	return true;
}

/* Takes its own options out; the others stay. */
static bool read_options(int *argc, char **argv, struct wanted *w)
{
	int kept = 0;

	for (int i = 0; i < *argc; i++) {
		if (option(&i, *argc, argv, "--model", &w->model) || option(&i, *argc, argv, "--tag", &w->tag) ||
		    option(&i, *argc, argv, "--key", &w->key))
			continue;
		if (strcmp(argv[i], "--all") == 0)
			w->all = true;
		else if (strcmp(argv[i], "--body") == 0)
			w->body = true;
		else if (argv[i][0] != '-' && strcmp(w->what, "get") == 0 && !w->key)
			w->key = argv[i];
		else
			argv[kept++] = argv[i];
		if (argv[i][0] == '-' && (strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "--config") == 0) &&
		    i + 1 < *argc)
			argv[kept++] = argv[++i];
	}
	*argc = kept;
	return strcmp(w->what, "stats") == 0 || (strcmp(w->what, "get") == 0 && w->key) ||
	       (strcmp(w->what, "purge") == 0 && (w->all || w->model || w->tag || w->key));
}

static struct slice purge_body(struct arena *arena, const struct wanted *w)
{
	struct buf b = BUF_INIT(8192);
	struct slice body;
	const char *name = w->model ? "model" : w->tag ? "tag" : w->key ? "key" : NULL;
	const char *value = w->model ? w->model : w->tag ? w->tag : w->key;

	if (!name)
		return S("{\"all\":true}");
	buf_putf(&b, "{\"%s\":", name);
	json_write_string(&b, slice_of(value));
	buf_puts(&b, "}");
	body = arena_copy(arena, buf_slice(&b));
	buf_free(&b);
	return body;
}

static int run(struct arena *arena, const struct config *c, const struct wanted *w)
{
	struct asking a = { .answer = BUF_INIT(ANSWER_MAX) };
	struct slice target = S("/admin/cache"), body = SLICE_NONE;
	struct origin origin = { .port = 0 };
	char why[256];
	int code = EXIT_TROUBLE;

	if (!admin_origin(arena, c, &origin)) {
		fprintf(stderr, "backstay cache: the config has no admin port with an address\n");
		return EXIT_USAGE;
	}
	if (strcmp(w->what, "get") == 0)
		target = arena_printf(arena, "/admin/cache/entry?key=%s%s", w->key, w->body ? "&body=1" : "");
	if (strcmp(w->what, "purge") == 0) {
		target = S("/admin/cache/purge");
		body = purge_body(arena, w);
	}
	a.io = io_real_create(why, sizeof why);
	if (!a.io) {
		fprintf(stderr, "backstay cache: %s\n", why);
		return EXIT_TROUBLE;
	}
	if (ask(arena, &origin, w, target, body, &a))
		code = show(arena, w, &a);
	else
		fprintf(stderr, "backstay cache: %.*s: %s; is the proxy running?\n", SLICE_ARG(origin.authority),
			a.fault);
	io_real_free(a.io);
	buf_free(&a.answer);
	return code;
}

int command_cache(int argc, char **argv)
{
	struct arena *arena;
	struct found_config found;
	struct wanted w = { .what = argc ? argv[0] : "" };
	const char *path;
	char why[256];
	int code;

	if (argc == 0)
		return command_complain("cache", "say stats, get or purge");
	argc--;
	argv++;
	if (!read_options(&argc, argv, &w))
		return command_complain("cache", "it is written: cache stats, cache get KEY [--body], or cache purge "
						 "--all, --model NAME, --tag NAME or --key KEY");
	if (!find_config_options(argc, argv, &path, NULL, why, sizeof why))
		return command_complain("cache", why);
	if (!find_config(path, &found))
		return EXIT_USAGE;
	arena = arena_create(0);
	code = run(arena, found.config, &w);
	arena_free(arena);
	config_give(found.config);
	return code;
}
