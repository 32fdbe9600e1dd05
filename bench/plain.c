#include "plain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Noreturn void plain_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

uint64_t plain_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t plain_number(const char *text, uint64_t min, uint64_t max)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || end == text || *end || n < min || n > max) {
		errno = EINVAL;
		plain_die(text);
	}
	return n;
}

void plain_raise_nofile(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static struct sockaddr_in loopback(uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return a;
}

static void set_up(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		plain_die("fcntl");
}

int plain_listen(uint16_t port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		plain_die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 4096) < 0)
		plain_die("listen");
	set_up(fd);
	return fd;
}

int plain_connect(uint16_t port)
{
	struct sockaddr_in a = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		plain_die("socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		close(fd);
		return -1;
	}
	set_up(fd);
	return fd;
}

int plain_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		set_up(fd);
	return fd;
}

/* ---- frame ---------------------------------------------------------------- */

static bool starts(const char *at, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && strncasecmp(at, with, n) == 0;
}

static void head_line(struct frame *f, const char *at, size_t len)
{
	char text[FRAME_LINE_BYTES];

	len = len < sizeof text ? len : sizeof text - 1;
	memcpy(text, at, len);
	text[len] = '\0';
	if (starts(text, len, "HTTP/1.1 "))
		f->status = (int)strtoul(text + 9, NULL, 10);
	else if (starts(text, len, "content-length:"))
		f->left = strtoull(text + 15, NULL, 10);
	else if (starts(text, len, "transfer-encoding: chunked"))
		f->chunked = true;
	else if (starts(text, len, "connection: close"))
		f->closes = true;
}

static void head_end(struct frame *f)
{
	if (f->chunked)
		f->state = FRAME_CHUNK_SIZE;
	else
		f->state = f->left ? FRAME_LENGTH : FRAME_DONE;
}

/* One line without its CRLF, in a state that reads lines. */
static void frame_line(struct frame *f, const char *at, size_t len)
{
	switch (f->state) {
	case FRAME_HEAD:
		if (len)
			head_line(f, at, len);
		else
			head_end(f);
		break;
	case FRAME_CHUNK_SIZE:
		f->left = strtoull(at, NULL, 16);
		f->state = f->left ? FRAME_CHUNK_DATA : FRAME_TRAILERS;
		break;
	case FRAME_CHUNK_END:
		f->state = FRAME_CHUNK_SIZE;
		break;
	default:
		if (!len)
			f->state = FRAME_DONE;
		break;
	}
}

static size_t eat_line(struct frame *f, const char *at, size_t len)
{
	const char *end = memchr(at, '\n', len);
	size_t n = end ? (size_t)(end - at) : len;
	size_t room = sizeof f->line - f->line_len, kept = n < room ? n : room;

	if (end && !f->line_len) {         /* the usual case: the line is whole */
		frame_line(f, at, n && at[n - 1] == '\r' ? n - 1 : n);
		return n + 1;
	}
	memcpy(f->line + f->line_len, at, kept);
	f->line_len += kept;
	if (!end)
		return n;
	kept = f->line_len && f->line[f->line_len - 1] == '\r' ? f->line_len - 1 : f->line_len;
	f->line_len = 0;
	frame_line(f, f->line, kept);
	return n + 1;
}

size_t frame_eat(struct frame *f, const char *at, size_t len, struct piece *body)
{
	size_t n;

	*body = (struct piece){ at, 0 };
	if (!len || f->state == FRAME_DONE)
		return 0;
	if (f->state != FRAME_LENGTH && f->state != FRAME_CHUNK_DATA)
		return eat_line(f, at, len);
	n = len < f->left ? len : (size_t)f->left;
	body->len = n;
	f->left -= n;
	if (!f->left)
		f->state = f->state == FRAME_LENGTH ? FRAME_DONE : FRAME_CHUNK_END;
	return n;
}

/* ---- hist ----------------------------------------------------------------- */

/* 64 linear steps for each power of two. */
static size_t bucket_of(uint64_t ns)
{
	unsigned shift;

	if (ns < 64)
		return (size_t)ns;
	shift = 63u - (unsigned)__builtin_clzll(ns) - 6u;
	return (size_t)(shift + 1u) * 64u + (size_t)((ns >> shift) - 64u);
}

static uint64_t bucket_top(size_t i)
{
	size_t shift = i / 64;

	return shift ? ((uint64_t)(i % 64 + 65) << (shift - 1)) - 1 : i;
}

void hist_add(struct hist *h, uint64_t ns)
{
	size_t i = bucket_of(ns);

	h->bucket[i < HIST_BUCKETS ? i : HIST_BUCKETS - 1]++;
	h->count++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

uint64_t hist_at(const struct hist *h, double share)
{
	uint64_t seen = 0, wanted = (uint64_t)((double)h->count * share);
	size_t i;

	for (i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > wanted || (seen && seen == h->count))
			return bucket_top(i) < h->max_ns ? bucket_top(i) : h->max_ns;
	}
	return 0;
}
