/* bench-load MODE PORT [name=value ...]: asks 127.0.0.1:PORT for chat completions
 * and prints what came of it as one line of JSON.
 *
 *   closed   each connection asks, waits for the whole answer, and asks again
 *   open     `rate` requests a second whatever the answers do; a request's time
 *            runs from when it should have been sent, so that a stall counts for
 *            all the requests that it held up
 *   hold     opens `connections` streams, again those that fail; prints
 *            {"ready": N, ...} when each has had its first event, and keeps them
 *            until standard input ends. Prints the same with an N that is less, and
 *            exits 1, where for patience_s no stream was opened or too many failed
 *
 *   connections=64  seconds=3  warm_ms=300 (not counted in times and rates)
 *   rate=1000       stream=0   events=100  interval_us=10000  model=chat
 *   body=1024       bytes of a request's body, at least
 *   dialect=openai  or anthropic: the interface that is asked
 *   patience_s=60
 *   opening=100     streams of `hold` that wait for their first event at a time
 *   slow_ms=0       what takes longer is noticed: when the last such request, or
 *                   failed one, was due is told (0: only what failed)
 *   header=TEXT     one more header line; may be given several times
 */
#include "plain.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CARRY_BYTES    1024
#define REQUEST_BYTES  (16 * 1024 * 1024)
#define HEADERS_BYTES  2048
#define FAILURES_MAX   1000      /* then something is wrong, and going on says nothing */

/* An interface: where it is asked, with which header, what stands before an
 * event's text, and what only its last event has. */
struct dialect { const char *name, *path, *header, *mark, *last, *body; };

#define SYSTEM  "\"You are a helpful assistant. Answer briefly, in plain words, and say so if you do " \
	"not know.\""
#define USER    "{\"role\":\"user\",\"content\":\"Tell me about foxes and dogs. "

static const struct dialect dialects[] = {
	{ "openai", "/v1/chat/completions",
	  "Authorization: Bearer sk-bench-0123456789abcdef0123456789abcdef", "\"content\":\"", "[DONE]",
	  "\"messages\":[{\"role\":\"system\",\"content\":" SYSTEM "}," USER },
	{ "anthropic", "/v1/messages",
	  "anthropic-version: 2023-06-01\r\nx-api-key: sk-bench-0123456789abcdef0123456789abcdef",
	  "\"text\":\"", "\"message_stop\"", "\"system\":" SYSTEM ",\"messages\":[" USER },
};

enum mode { MODE_CLOSED, MODE_OPEN, MODE_HOLD };

struct conn {
	int fd;
	bool busy, had_event, ended, writing;
	size_t sent;                 /* of the request */
	struct frame frame;
	uint64_t due_ns;
	size_t carry_len;
	char carry[CARRY_BYTES];     /* the front of an event whose end did not come yet */
	struct conn *next_idle;
};

struct load {
	enum mode mode;
	uint16_t port;
	uint64_t connections, length_us, warm_ms, rate, stream, events, interval_us, body;
	const char *model;
	const struct dialect *dialect;
	uint64_t slow_ms, last_bad_ns, patience_s, opening;
	int failed_status;           /* of the last that failed; 0: there was no answer */
	int epoll;
	struct conn *conns, *idle;
	uint64_t begin_ns, count_from_ns, end_ns, next_due_ns, period_ns;
	uint64_t asked, opened, ready;
	uint64_t done, done_all, events_seen, events_all, errors, reconnects, unsent;
	struct hist latency, delay, first;   /* first: until a stream's first event */
	size_t request_len, headers_len;
	char *request, headers[HEADERS_BYTES];
	char read[PLAIN_READ_BYTES];
};

static void conn_open(struct load *l, struct conn *c)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	c->fd = plain_connect(l->port);
	if (c->fd < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) < 0)
		plain_die("connect");
}

static void watch(struct load *l, struct conn *c, bool writing)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };

	if (c->writing == writing)
		return;
	c->writing = writing;
	if (writing)
		e.events |= EPOLLOUT;
	if (epoll_ctl(l->epoll, EPOLL_CTL_MOD, c->fd, &e) < 0)
		plain_die("epoll_ctl");
}

/* A failure shows when reading. */
static void conn_send(struct load *l, struct conn *c)
{
	ssize_t n = send(c->fd, l->request + c->sent, l->request_len - c->sent, MSG_NOSIGNAL);

	c->sent += n > 0 ? (size_t)n : 0;
	watch(l, c, c->sent < l->request_len && (n >= 0 || errno == EAGAIN));
}

static void conn_ask(struct load *l, struct conn *c, uint64_t due_ns)
{
	memset(&c->frame, 0, sizeof c->frame);
	c->busy = true;
	c->had_event = c->ended = false;
	c->carry_len = 0;
	c->due_ns = due_ns;
	l->asked++;
	c->sent = 0;
	conn_send(l, c);
}

static void conn_reopen(struct load *l, struct conn *c)
{
	close(c->fd);
	c->writing = false;
	l->reconnects++;
	conn_open(l, c);
}

/* The connection has nothing to do: give it the next request, or rest it. */
static void conn_free(struct load *l, struct conn *c, uint64_t now)
{
	c->busy = false;
	if (now >= l->end_ns)
		return;
	if (l->mode == MODE_CLOSED || l->mode == MODE_HOLD) {
		conn_ask(l, c, now);
	} else if (l->mode == MODE_OPEN && l->next_due_ns <= now) {
		conn_ask(l, c, l->next_due_ns);
		l->next_due_ns += l->period_ns;
	} else {
		c->next_idle = l->idle;
		l->idle = c;
	}
}

/* A client has noticed: the request that was due then failed, or took too long. */
static void noticed(struct load *l, uint64_t due_ns)
{
	if (due_ns > l->begin_ns && due_ns - l->begin_ns > l->last_bad_ns)
		l->last_bad_ns = due_ns - l->begin_ns;
}

/* Whether it was noticed that the request due then has taken until `now`. */
static void judge_time(struct load *l, uint64_t due_ns, uint64_t now)
{
	if (l->slow_ms && now - due_ns > l->slow_ms * 1000000u)
		noticed(l, due_ns);
}

static void conn_fail(struct load *l, struct conn *c)
{
	l->errors++;
	l->failed_status = c->frame.status;
	noticed(l, c->due_ns);
	if (l->mode == MODE_HOLD && c->had_event)
		l->ready--;
	conn_reopen(l, c);
	if (l->errors > FAILURES_MAX && l->mode != MODE_HOLD) {
		errno = EPROTO;
		plain_die("more than 1000 failed requests");
	}
	conn_free(l, c, plain_now_ns());
}

static void conn_done(struct load *l, struct conn *c, uint64_t now)
{
	bool closes = c->frame.closes;

	if (c->frame.status != 200 || (l->stream && !c->ended)) {
		conn_fail(l, c);
		return;
	}
	l->done_all++;
	judge_time(l, c->due_ns, now);
	if (c->due_ns >= l->count_from_ns && now <= l->end_ns) {
		l->done++;
		hist_add(&l->latency, now - c->due_ns);
	}
	if (closes)
		conn_reopen(l, c);
	conn_free(l, c, now);
}

static void on_event(struct load *l, struct conn *c, const char *at, size_t len)
{
	const struct dialect *d = l->dialect;
	const char *mark = memmem(at, len, d->mark, strlen(d->mark));
	uint64_t sent = mark ? strtoull(mark + strlen(d->mark), NULL, 10) : 0, now;

	c->ended |= memmem(at, len, d->last, strlen(d->last)) != NULL;
	if (!sent)
		return;
	now = plain_now_ns();
	l->events_all++;
	if (sent >= l->count_from_ns && now <= l->end_ns) {
		l->events_seen++;
		hist_add(&l->delay, now - sent);
	}
	if (!c->had_event) {
		if (c->due_ns >= l->count_from_ns && now <= l->end_ns)
			hist_add(&l->first, now - c->due_ns);
		c->had_event = true;
		l->ready++;
	}
}

/* Whole events of what was carried over and `body`; the rest is carried on. */
static void on_body(struct load *l, struct conn *c, struct piece body)
{
	static char joined[CARRY_BYTES + PLAIN_READ_BYTES];
	const char *at = body.at, *end;
	size_t len = body.len;

	if (c->carry_len) {
		memcpy(joined, c->carry, c->carry_len);
		memcpy(joined + c->carry_len, body.at, body.len);
		at = joined;
		len = c->carry_len + body.len;
	}
	while ((end = memmem(at, len, "\n\n", 2))) {
		on_event(l, c, at, (size_t)(end - at));
		len -= (size_t)(end + 2 - at);
		at = end + 2;
	}
	if (len > CARRY_BYTES) {
		errno = EMSGSIZE;
		plain_die("event");
	}
	memcpy(c->carry, at, len);
	c->carry_len = len;
}

static void on_readable(struct load *l, struct conn *c)
{
	ssize_t got = recv(c->fd, l->read, PLAIN_READ_BYTES, 0);
	const char *at = l->read;
	struct piece body;
	size_t left, n;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		if (c->busy)
			conn_fail(l, c);
		else
			conn_reopen(l, c);
		return;
	}
	for (left = (size_t)got; left && (n = frame_eat(&c->frame, at, left, &body));) {
		if (body.len && l->stream)
			on_body(l, c, body);
		at += n;
		left -= n;
	}
	if (c->busy && c->frame.state == FRAME_DONE)
		conn_done(l, c, plain_now_ns());
}

/* What is due by the clock, or may be opened by now. */
static void start_more(struct load *l, uint64_t now)
{
	struct conn *c;

	while (l->mode == MODE_OPEN && now < l->end_ns && l->next_due_ns <= now && (c = l->idle)) {
		l->idle = c->next_idle;
		conn_ask(l, c, l->next_due_ns);
		l->next_due_ns += l->period_ns;
	}
	while (l->mode == MODE_HOLD && l->opened < l->connections &&
	       l->opened < l->ready + l->opening) {
		c = &l->conns[l->opened++];
		conn_open(l, c);
		conn_ask(l, c, now);
	}
}

static void turn(struct load *l, uint64_t until_ns)
{
	struct epoll_event ready[256];
	uint64_t now = plain_now_ns(), ns = until_ns > now ? until_ns - now : 0;
	struct timespec wait;
	int i, n;

	if (l->mode == MODE_OPEN && l->idle && l->next_due_ns < until_ns)
		ns = l->next_due_ns > now ? l->next_due_ns - now : 0;
	wait = (struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
	n = epoll_pwait2(l->epoll, ready, 256, &wait, NULL);
	for (i = 0; i < n; i++) {
		struct conn *c = ready[i].data.ptr;

		if (ready[i].events & EPOLLOUT)
			conn_send(l, c);
		if (ready[i].events & ~(uint32_t)EPOLLOUT)
			on_readable(l, c);
	}
	start_more(l, plain_now_ns());
}

static void print_hist(const char *name, const struct hist *h)
{
	printf(", \"%s\": {\"count\": %llu, \"p50_us\": %.1f, \"p90_us\": %.1f, \"p99_us\": %.1f, "
	       "\"p99_9_us\": %.1f, \"max_us\": %.1f}", name, (unsigned long long)h->count,
	       (double)hist_at(h, 0.50) / 1e3, (double)hist_at(h, 0.90) / 1e3,
	       (double)hist_at(h, 0.99) / 1e3, (double)hist_at(h, 0.999) / 1e3,
	       (double)h->max_ns / 1e3);
}

static void print_result(const struct load *l)
{
	double seconds = (double)(l->end_ns - l->count_from_ns) / 1e9;

	printf("{\"requests\": %llu, \"requests_all\": %llu, \"events\": %llu, \"events_all\": %llu, "
	       "\"errors\": %llu, \"reconnects\": %llu, \"unsent\": %llu, "
	       "\"rps\": %.1f, \"eps\": %.1f, \"last_bad_ms\": %.1f",
	       (unsigned long long)l->done, (unsigned long long)l->done_all,
	       (unsigned long long)l->events_seen, (unsigned long long)l->events_all,
	       (unsigned long long)l->errors, (unsigned long long)l->reconnects,
	       (unsigned long long)l->unsent, (double)l->done / seconds,
	       (double)l->events_seen / seconds, (double)l->last_bad_ns / 1e6);
	print_hist("latency", &l->latency);
	print_hist("delay", &l->delay);
	print_hist("first", &l->first);
	printf("}\n");
}

static void run_timed(struct load *l)
{
	uint64_t i;

	for (i = 0; i < l->connections; i++)
		conn_open(l, &l->conns[i]);
	l->begin_ns = plain_now_ns();
	l->count_from_ns = l->begin_ns + l->warm_ms * 1000000u;
	l->end_ns = l->count_from_ns + l->length_us * 1000u;
	l->next_due_ns = l->begin_ns;
	l->period_ns = 1000000000u / l->rate;
	for (i = 0; i < l->connections; i++)
		conn_free(l, &l->conns[i], plain_now_ns());
	while (plain_now_ns() < l->end_ns)
		turn(l, l->end_ns);
	/* Due, but not answered or not even sent by now: these would be the slowest. */
	for (i = 0; l->mode == MODE_OPEN && i < l->connections; i++)
		if (l->conns[i].busy && l->conns[i].due_ns >= l->count_from_ns) {
			judge_time(l, l->conns[i].due_ns, plain_now_ns());
			hist_add(&l->latency, plain_now_ns() - l->conns[i].due_ns);
		}
	for (; l->mode == MODE_OPEN && l->next_due_ns < l->end_ns; l->next_due_ns += l->period_ns) {
		l->unsent++;
		judge_time(l, l->next_due_ns, l->end_ns);
		hist_add(&l->latency, l->end_ns - l->next_due_ns);
	}
	print_result(l);
}

static void print_held(const struct load *l)
{
	printf("{\"ready\": %llu, \"errors\": %llu, \"last_failed_status\": %d}\n",
	       (unsigned long long)l->ready, (unsigned long long)l->errors, l->failed_status);
	fflush(stdout);
}

/* Gives the exit status. */
static int run_hold(struct load *l)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	uint64_t now = plain_now_ns(), most = 0, since_ns = now;
	bool told = false;
	char byte;

	l->end_ns = UINT64_MAX;
	for (;;) {
		turn(l, now + 20000000u);
		now = plain_now_ns();
		if (l->ready > most) {
			most = l->ready;
			since_ns = now;
		}
		if (!told && l->ready >= l->connections) {
			print_held(l);
			told = true;
		}
		if (!told && (l->errors > FAILURES_MAX || now - since_ns > l->patience_s * 1000000000u)) {
			print_held(l);
			return 1;
		}
		if (poll(&in, 1, 0) == 1 && read(STDIN_FILENO, &byte, 1) <= 0)
			return 0;
	}
}

static bool option(struct load *l, const char *arg)
{
	const struct { const char *name; uint64_t *to, min, max; } numbers[] = {
		{ "connections=", &l->connections, 1, 100000 },
		{ "warm_ms=", &l->warm_ms, 0, 60000 },
		{ "rate=", &l->rate, 1, 1000000 },
		{ "stream=", &l->stream, 0, 1 },
		{ "events=", &l->events, 1, 1000000 },
		{ "interval_us=", &l->interval_us, 0, 100000000 },
		{ "body=", &l->body, 0, REQUEST_BYTES / 2 },
		{ "slow_ms=", &l->slow_ms, 0, 1000000 },
		{ "patience_s=", &l->patience_s, 1, 3600 },
		{ "opening=", &l->opening, 1, 100000 },
	};
	size_t i, n;

	if (strncmp(arg, "seconds=", 8) == 0) {
		l->length_us = (uint64_t)(strtod(arg + 8, NULL) * 1e6);
		return l->length_us > 0;
	}
	if (strncmp(arg, "header=", 7) == 0) {
		n = strlen(arg + 7);
		if (l->headers_len + n + 3 > sizeof l->headers)
			return false;
		l->headers_len += (size_t)snprintf(l->headers + l->headers_len,
						   sizeof l->headers - l->headers_len, "%s\r\n", arg + 7);
		return true;
	}
	if (strncmp(arg, "model=", 6) == 0) {
		l->model = arg + 6;
		return true;
	}
	if (strncmp(arg, "dialect=", 8) == 0) {
		for (i = 0; i < sizeof dialects / sizeof *dialects; i++)
			if (strcmp(arg + 8, dialects[i].name) == 0)
				l->dialect = &dialects[i];
		return strcmp(arg + 8, l->dialect->name) == 0;
	}
	for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		n = strlen(numbers[i].name);
		if (strncmp(arg, numbers[i].name, n) == 0) {
			*numbers[i].to = plain_number(arg + n, numbers[i].min, numbers[i].max);
			return true;
		}
	}
	return false;
}

/* What an SDK sends, in size and kind; a long body is a long conversation. */
static void write_request(struct load *l)
{
	static const char words[] = "The quick brown fox jumps over the lazy dog, and says nothing of "
		"it to anybody.\\n";
	char *body = malloc(REQUEST_BYTES);
	size_t n, kept;

	l->request = malloc(REQUEST_BYTES);
	if (!body || !l->request)
		plain_die("malloc");
	n = (size_t)snprintf(body, REQUEST_BYTES, "{\"model\":\"%s\",\"stream\":%s,\"temperature\":0.7,"
		"\"max_tokens\":512,%sevents=%llu interval_us=%llu ", l->model,
		l->stream ? "true" : "false", l->dialect->body,
		(unsigned long long)l->events, (unsigned long long)l->interval_us);
	for (; n + 5 < l->body; n += kept) {
		kept = sizeof words - 1 < l->body - n - 5 ? sizeof words - 1 : l->body - n - 5;
		memcpy(body + n, kept == sizeof words - 1 ? words : "........................................"
		       "........................................................................", kept);
	}
	n += (size_t)snprintf(body + n, REQUEST_BYTES - n, "\"}]}");
	l->request_len = (size_t)snprintf(l->request, REQUEST_BYTES,
		"POST %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
		"Accept: application/json\r\nAccept-Encoding: identity\r\n"
		"Content-Type: application/json\r\nUser-Agent: OpenAI/Python 2.8.0\r\n"
		"X-Stainless-Lang: python\r\nX-Stainless-Retry-Count: 0\r\n"
		"%s\r\n%sContent-Length: %zu\r\n\r\n%s", l->dialect->path, (unsigned)l->port,
		l->dialect->header, l->headers, n, body);
	free(body);
}

int main(int argc, char **argv)
{
	static const char *const modes[] = { "closed", "open", "hold" };
	static struct load l = { .connections = 64, .length_us = 3000000, .warm_ms = 300, .rate = 1000,
		.events = 100, .interval_us = 10000, .model = "chat", .dialect = &dialects[0],
		.body = 1024, .patience_s = 60, .opening = 100 };
	size_t mode = 0;
	int i;

	while (argc > 2 && mode < 3 && strcmp(argv[1], modes[mode]) != 0)
		mode++;
	for (i = 3; i < argc && mode < 3; i++)
		if (!option(&l, argv[i]))
			mode = 3;
	if (argc < 3 || mode == 3) {
		fprintf(stderr, "usage: bench-load closed|open|hold PORT [name=value ...]\n");
		return 2;
	}
	l.mode = (enum mode)mode;
	l.port = (uint16_t)plain_number(argv[2], 1, 65535);
	prctl(PR_SET_TIMERSLACK, 1UL);
	plain_raise_nofile();
	write_request(&l);
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	l.conns = calloc(l.connections, sizeof *l.conns);
	if (l.epoll < 0 || !l.conns)
		plain_die("epoll_create1");
	if (l.mode == MODE_HOLD)
		return run_hold(&l);
	run_timed(&l);
	return 0;
}
