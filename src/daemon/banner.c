#include "daemon/banner.h"

#include <string.h>

#define BOLD  "\033[1m"
#define DIM   "\033[2m"
#define PLAIN "\033[0m"

struct printer {
	FILE *out;
	bool colour;
};

static void heading(const struct printer *p, const char *text)
{
	fprintf(p->out, "\n%s%s%s\n", p->colour ? BOLD : "", text, p->colour ? PLAIN : "");
}

/* The address as a client on this machine would write it: what listens
 * everywhere is reached through localhost. */
static const char *reach(const struct io_addr *a, char *out, size_t size)
{
	static const uint8_t anywhere[16];
	bool any4 = a->family == IO_IPV4 && memcmp(a->bytes, anywhere, 4) == 0;
	bool any6 = a->family == IO_IPV6 && memcmp(a->bytes, anywhere, 16) == 0;
	bool local = a->family == IO_IPV4 && a->bytes[0] == 127;
	char text[IO_ADDR_TEXT_MAX];

	if (any4 || any6 || local)
		snprintf(out, size, "localhost:%u", (unsigned)a->port);
	else
		snprintf(out, size, "%s", io_addr_text(a, text));
	return out;
}

static struct slice first_model(const struct config *c)
{
	for (size_t i = 0; i < c->model_count; i++)
		if (!c->models[i].is_pattern)
			return c->models[i].name;
	return c->model_count ? c->models[0].name : SLICE_NONE;
}

static void print_models(const struct printer *p, const struct config *c)
{
	for (size_t i = 0; i < c->model_count; i++) {
		const struct model_policy *m = &c->models[i];

		fprintf(p->out, "  %-16.*s", SLICE_ARG(m->name));
		for (size_t j = 0; j < m->target_count; j++)
			fprintf(p->out, "%s%.*s", j ? ", " : "", SLICE_ARG(m->targets[j].name));
		for (size_t j = 0; j < m->fallback_count; j++)
			fprintf(p->out, "%s%.*s", j ? ", " : "; else ", SLICE_ARG(m->fallbacks[j]->name));
		fprintf(p->out, "\n");
	}
}

static void print_try(const struct printer *p, const struct config *c, const struct io_addr *at)
{
	struct slice model = first_model(c);
	char where[IO_ADDR_TEXT_MAX + 16];
	const char *scheme = c->listen_tls ? "https" : "http";

	heading(p, "Try");
	if (at->family == IO_UNIX)
		fprintf(p->out, "  curl -N --unix-socket %s %s://localhost/v1/chat/completions", at->path,
			scheme);
	else
		fprintf(p->out, "  curl -N %s://%s/v1/chat/completions", scheme,
			reach(at, where, sizeof where));
	if (c->admit.key_count)
		fprintf(p->out, " -H 'authorization: Bearer YOUR-KEY'");
	fprintf(p->out, " \\\n    -H 'content-type: application/json' \\\n"
		"    -d '{\"model\":\"%.*s\",\"stream\":true,"
		"\"messages\":[{\"role\":\"user\",\"content\":\"Hello\"}]}'\n", SLICE_ARG(model));
}

static void print_mocks(const struct printer *p, const struct config *c, const struct shared *shared)
{
	int first = 0;

	heading(p, "Simulated model servers");
	for (size_t i = 0; i < c->mock_count && i < SHARED_MOCKS_MAX; i++) {
		char text[IO_ADDR_TEXT_MAX];
		int pid = atomic_load(&shared->mocks[i].pid);

		if (!first)
			first = pid;
		fprintf(p->out, "  %-16.*s%s  pid %d  (back %lld s after a death)\n",
			SLICE_ARG(c->mocks[i].name), io_addr_text(&c->mocks[i].listen, text), pid,
			(long long)(c->mocks[i].restart_ms / 1000));
	}
	if (first)
		fprintf(p->out, "Kill one while an answer streams, and ask again:\n  kill -9 %d\n", first);
}

void banner_print(FILE *out, const struct config *config, const struct sockets *sockets,
		  const struct shared *shared, bool colour)
{
	const struct printer p = { out, colour };
	char where[IO_ADDR_TEXT_MAX + 16];

	fprintf(out, "%sBackstay %s%s  %s%.*s%s\n", colour ? BOLD : "", BACKSTAY_VERSION,
		colour ? PLAIN : "", colour ? DIM : "", SLICE_ARG(config->path), colour ? PLAIN : "");
	for (size_t i = 0; i < sockets->per_worker; i++) {
		struct io_addr at = sockets_addr(sockets, i);

		if (at.family == IO_UNIX)
			fprintf(out, "  API        %s\n", reach(&at, where, sizeof where));
		else
			fprintf(out, "  API        %s://%s/v1\n", config->listen_tls ? "https" : "http",
				reach(&at, where, sizeof where));
	}
	if (sockets->admin) {
		struct io_addr at = io_socket_addr(sockets->admin);

		reach(&at, where, sizeof where);
		fprintf(out, "  status     http://%s/\n  metrics    http://%s/metrics\n", where, where);
	}
	heading(&p, "Models");
	print_models(&p, config);
	if (sockets->per_worker) {
		struct io_addr at = sockets_addr(sockets, 0);

		print_try(&p, config, &at);
	}
	if (config->mock_count)
		print_mocks(&p, config, shared);
	fprintf(out, "\nCtrl-C stops it, once gently, twice at once.\n\n");
	fflush(out);
}
