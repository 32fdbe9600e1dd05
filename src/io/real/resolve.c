#include "io/real/loop.h"

#include <arpa/inet.h>
#include <ares.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Two seconds, then four: a dead name server costs that long, nobody else waits. */
#define QUERY_TIMEOUT_MS 2000
#define QUERY_TRIES 2
/* Literals and this machine's own name do not change. */
#define FIXED_TTL_MS 3600000
#define NAME_MAX_BYTES 255
#define RESOLV_CONF "/etc/resolv.conf"

/* One descriptor of c-ares. */
struct ares_watch {
	ev_io watch;
	struct ares_watch *next;
};

struct resolver {
	struct io *io;
	ares_channel channel;
	bool ready;                      /* channel stands */
	struct io_timer timeout;
	struct ares_watch *watches;
	struct list lookups;
	size_t asking;                   /* lookups that c-ares still has to answer */
	struct timespec conf_time;       /* of resolv.conf when the channel was made */
};

/* One io_resolve_start(); outlives its cancellation until c-ares has answered. */
struct lookup {
	struct resolver *resolver;
	struct io_resolve *r;            /* NULL: cancelled */
	struct io_deferred tell;
	struct link in_lookups;
	bool asking;
	uint16_t port;
};

/* ---- the channel --------------------------------------------------------- */

static void rearm(struct resolver *v)
{
	struct timeval tv, *t = ares_timeout(v->channel, NULL, &tv);
	int64_t ms;

	if (!t) {
		io_timer_clear(v->io, &v->timeout);
		return;
	}
	ms = (int64_t)t->tv_sec * 1000 + (t->tv_usec + 999) / 1000;
	io_timer_set(v->io, &v->timeout, mono_after(io_now(v->io), ms));
}

static void on_timeout(struct io_timer *t, mono_ms now)
{
	struct resolver *v = CONTAINER_OF(t, struct resolver, timeout);

	(void)now;
	ares_process_fd(v->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	rearm(v);
}

static void on_ready(struct ev_loop *loop, ev_io *w, int revents)
{
	struct resolver *v = w->data;
	int fd = w->fd;

	(void)loop;
	/* `w` may be gone after this. */
	ares_process_fd(v->channel, revents & EV_READ ? fd : ARES_SOCKET_BAD,
			revents & EV_WRITE ? fd : ARES_SOCKET_BAD);
	rearm(v);
}

/* c-ares tells what it waits for on one of its descriptors; nothing: it closes it. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct resolver *v = arg;
	struct ares_watch **place = &v->watches, *w;
	int events = (readable ? EV_READ : 0) | (writable ? EV_WRITE : 0);

	while (*place && (*place)->watch.fd != fd)
		place = &(*place)->next;
	w = *place;
	if (w)
		ev_io_stop(v->io->loop, &w->watch);
	if (events == 0) {
		if (w)
			*place = w->next;
		free(w);
		return;
	}
	if (!w) {
		must((w = calloc(1, sizeof *w)) != NULL);
		*place = w;
		ev_io_init(&w->watch, on_ready, fd, events);
		w->watch.data = v;
	} else {
		ev_io_set(&w->watch, fd, events);
	}
	ev_io_start(v->io->loop, &w->watch);
}

static void channel_end(struct resolver *v)
{
	if (!v->ready)
		return;
	ares_destroy(v->channel);
	v->ready = false;
	io_timer_clear(v->io, &v->timeout);
}

/* Name servers change while we run (a new network, a new container); c-ares
 * reads its configuration only once per channel. */
static bool conf_changed(struct resolver *v, struct timespec *time)
{
	struct stat st;

	*time = (struct timespec){ 0 };
	if (stat(RESOLV_CONF, &st) == 0)
		*time = st.st_mtim;
	return time->tv_sec != v->conf_time.tv_sec || time->tv_nsec != v->conf_time.tv_nsec;
}

static bool channel_stands(struct resolver *v)
{
	struct ares_options options = {
		.timeout = QUERY_TIMEOUT_MS,
		.tries = QUERY_TRIES,
		.sock_state_cb = on_socket_state,
		.sock_state_cb_data = v,
	};
	struct timespec time;
	bool changed = conf_changed(v, &time);
	char lookups[] = "fb";           /* the hosts file, then name servers */

	if (v->ready && changed && v->asking == 0)
		channel_end(v);
	if (v->ready)
		return true;
	options.lookups = lookups;
	v->conf_time = time;
	v->ready = ares_init_options(&v->channel, &options,
				     ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
					     ARES_OPT_SOCK_STATE_CB) == ARES_SUCCESS;
	return v->ready;
}

static struct resolver *resolver_of(struct io *io)
{
	struct resolver *v = io->resolver;

	if (v)
		return v;
	must((v = calloc(1, sizeof *v)) != NULL);
	v->io = io;
	v->timeout.fire = on_timeout;
	list_init(&v->lookups);
	return io->resolver = v;
}

bool resolver_use_servers(struct io *io, const char *list)
{
	struct resolver *v = resolver_of(io);

	return channel_stands(v) && ares_set_servers_ports_csv(v->channel, list) == ARES_SUCCESS;
}

/* ---- answers ------------------------------------------------------------- */

static void add_addr(struct io_resolve *r, enum io_family family, const void *bytes, uint16_t port)
{
	struct io_addr a = { .family = family, .port = port };

	memcpy(a.bytes, bytes, family == IO_IPV4 ? 4 : 16);
	for (unsigned i = 0; i < r->count; i++)
		if (io_addr_eq(&r->addrs[i], &a))
			return;
	if (r->count < IO_RESOLVE_MAX)
		r->addrs[r->count++] = a;
}

/* Many local servers listen on 127.0.0.1 only, so that goes first. */
static void answer_localhost(struct io_resolve *r, uint16_t port)
{
	static const uint8_t v4[4] = { 127, 0, 0, 1 };
	static const uint8_t v6[16] = { [15] = 1 };

	add_addr(r, IO_IPV4, v4, port);
	add_addr(r, IO_IPV6, v6, port);
	r->ttl_ms = FIXED_TTL_MS;
}

static const char *why_of(int status)
{
	switch (status) {
	case ARES_ENOTFOUND:
		return "no host of this name exists";
	case ARES_ENODATA:
		return "the name exists but has no address";
	case ARES_ETIMEOUT:
		return "the name servers did not answer in time";
	/* c-ares tells all three alike once it has asked every server. */
	case ARES_ECONNREFUSED:
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
		return "each name server failed, refused or could not be reached";
	case ARES_EBADNAME:
	case ARES_EBADQUERY:
		return "this cannot be a host name";
	case ARES_ENOMEM:
		return "no memory to look the name up";
	default:
		return "the name could not be looked up";
	}
}

/* The next answer of `family` (0: any), or NULL. */
static const struct ares_addrinfo_node *next_of(const struct ares_addrinfo_node *n, int family)
{
	while (n && (family ? n->ai_family != family
			    : n->ai_family != AF_INET && n->ai_family != AF_INET6))
		n = n->ai_next;
	return n;
}

static void add_node(struct io_resolve *r, const struct ares_addrinfo_node *n, uint16_t port)
{
	const void *addr = n->ai_addr;

	if (n->ai_family == AF_INET)
		add_addr(r, IO_IPV4, &((const struct sockaddr_in *)addr)->sin_addr, port);
	else
		add_addr(r, IO_IPV6, &((const struct sockaddr_in6 *)addr)->sin6_addr, port);
}

/* Alternates the families, beginning with that of c-ares's best answer
 * (RFC 6724 order within each), so that one broken family costs one try. */
static void add_alternating(struct io_resolve *r, const struct ares_addrinfo_node *all, uint16_t port)
{
	const struct ares_addrinfo_node *first = next_of(all, 0), *second;
	int family = first ? first->ai_family : AF_INET;
	int other = family == AF_INET ? AF_INET6 : AF_INET;

	second = next_of(all, other);
	while (first || second) {
		if (first) {
			add_node(r, first, port);
			first = next_of(first->ai_next, family);
		}
		if (second) {
			add_node(r, second, port);
			second = next_of(second->ai_next, other);
		}
	}
}

/* The answer holds as long as the shortest-lived part of it. */
static int64_t ttl_of(const struct ares_addrinfo *info)
{
	int64_t ttl_s = INT32_MAX;

	for (const struct ares_addrinfo_node *n = info->nodes; n; n = n->ai_next)
		if (n->ai_ttl < ttl_s)
			ttl_s = n->ai_ttl;
	for (const struct ares_addrinfo_cname *c = info->cnames; c; c = c->next)
		if (c->ttl < ttl_s)
			ttl_s = c->ttl;
	return ttl_s > 0 ? ttl_s * 1000 : 0;
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup *l = arg;
	struct io_resolve *r = l->r;

	(void)timeouts;
	l->asking = false;
	l->resolver->asking--;
	if (r && status == ARES_SUCCESS && info) {
		add_alternating(r, info->nodes, l->port);
		r->ttl_ms = ttl_of(info);
	}
	if (r && r->count == 0)
		r->why = why_of(status == ARES_SUCCESS ? ARES_ENODATA : status);
	if (info)
		ares_freeaddrinfo(info);
	io_defer(l->resolver->io, &l->tell);
}

/* ---- the door -------------------------------------------------------------- */

static void tell(struct io_deferred *d, mono_ms now)
{
	struct lookup *l = CONTAINER_OF(d, struct lookup, tell);
	struct io_resolve *r = l->r;

	(void)now;
	list_remove(&l->resolver->lookups, &l->in_lookups);
	free(l);
	if (!r)
		return;
	r->private = NULL;
	r->done(r);
}

/* RFC 6761 6.3: these names are this machine, whatever a name server says. */
static bool is_localhost(struct slice host)
{
	if (host.len > 0 && host.at[host.len - 1] == '.')
		host.len--;
	if (slice_eq_nocase(host, S("localhost")))
		return true;
	return host.len > 10 && slice_eq_nocase(slice_from(host, host.len - 10), S(".localhost"));
}

/* Answers what needs no question. `z` is the host NUL-terminated. */
static bool answer_known(struct io_resolve *r, struct slice host, const char *z, uint16_t port)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, z, bytes) == 1)
		add_addr(r, IO_IPV4, bytes, port);
	else if (inet_pton(AF_INET6, z, bytes) == 1)
		add_addr(r, IO_IPV6, bytes, port);
	else if (is_localhost(host))
		answer_localhost(r, port);
	r->ttl_ms = r->count > 0 ? FIXED_TTL_MS : 0;
	return r->count > 0;
}

static void ask(struct lookup *l, const char *name)
{
	struct resolver *v = l->resolver;
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };

	if (!channel_stands(v)) {
		l->r->why = "no resolver: descriptors or memory have run out";
		io_defer(v->io, &l->tell);
		return;
	}
	l->asking = true;
	v->asking++;
	ares_getaddrinfo(v->channel, name, NULL, &hints, on_answer, l);
	rearm(v);
}

void io_resolve_start(struct io *io, struct io_resolve *r, struct slice host, uint16_t port)
{
	struct resolver *v = resolver_of(io);
	struct lookup *l = calloc(1, sizeof *l);
	char z[NAME_MAX_BYTES + 1];

	must(l != NULL);
	l->resolver = v;
	l->r = r;
	l->port = port;
	l->tell.run = tell;
	list_append(&v->lookups, &l->in_lookups);
	r->count = 0;
	r->ttl_ms = 0;
	r->why = NULL;
	r->private = l;
	if (host.len == 0 || host.len > NAME_MAX_BYTES || memchr(host.at, 0, host.len)) {
		r->why = why_of(ARES_EBADNAME);
		io_defer(io, &l->tell);
		return;
	}
	memcpy(z, host.at, host.len);
	z[host.len] = 0;
	if (answer_known(r, host, z, port))
		io_defer(io, &l->tell);
	else
		ask(l, z);
}

void io_resolve_cancel(struct io *io, struct io_resolve *r)
{
	struct lookup *l = r->private;

	(void)io;
	if (!l)
		return;
	l->r = NULL;
	r->private = NULL;
}

void resolver_free(struct resolver *v)
{
	struct link *n;

	if (!v)
		return;
	for (n = v->lookups.head.next; n != &v->lookups.head; n = n->next)
		CONTAINER_OF(n, struct lookup, in_lookups)->r = NULL;
	channel_end(v);
	while (v->watches)
		on_socket_state(v, v->watches->watch.fd, 0, 0);
	/* Each lookup is now answered and cancelled; nobody will run the
	 * deferred telling any more. */
	while ((n = list_first(&v->lookups))) {
		list_remove(&v->lookups, n);
		free(CONTAINER_OF(n, struct lookup, in_lookups));
	}
	v->io->resolver = NULL;
	free(v);
}
