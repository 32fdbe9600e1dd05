/* bench-backend PORT: a model server that costs as little as possible.
 *
 * A request without "stream":true gets one fixed answer of 1 KiB. One
 * with it gets a stream; "events=K" and "interval_us=U" anywhere in the body say
 * how many content events (default 100) and how far apart (0: as fast as the
 * connection takes them). The content of each event is the time at which it was
 * written, in nanoseconds of CLOCK_MONOTONIC. Who names the model bench-claude is
 * answered as Anthropic's Messages are, everybody else as chat completions are. */
#include "plain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BODY_BYTES    4096
#define ANSWER_BYTES  1024
#define STAMP_DIGITS  19
#define BURST_BYTES   (16 * 1024)
#define CHUNK(name)   "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\"," \
	"\"created\":1760000000,\"model\":\"bench-model\",\"system_fingerprint\":\"fp_bench\"," \
	"\"choices\":[{\"index\":0,\"delta\":" name "}]}\n\n"
#define EVENT_HEAD    "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\"," \
	"\"created\":1760000000,\"model\":\"bench-model\",\"system_fingerprint\":\"fp_bench\"," \
	"\"choices\":[{\"index\":0,\"delta\":{\"content\":\""
#define EVENT_TAIL    "\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
#define ANSWER_HEAD   "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\"," \
	"\"created\":1760000000,\"model\":\"bench-model\",\"choices\":[{\"index\":0,\"message\":" \
	"{\"role\":\"assistant\",\"content\":\""
#define ANSWER_TAIL   "\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":" \
	"{\"prompt_tokens\":120,\"completion_tokens\":150,\"total_tokens\":270}}\n"
#define TOLD(type, rest) "event: " type "\ndata: {\"type\":\"" type "\"" rest "}\n\n"
#define DELTA_HEAD    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\"," \
	"\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\""
#define MESSAGE       "\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\"," \
	"\"model\":\"bench-claude\","
#define CLAUDE        "\"bench-claude\""

/* What a dialect says, and where in an event the time stands. */
struct texts {
	char answer[ANSWER_BYTES + 256], event[1024], opening[1024], ending[1024];
	size_t answer_len, event_len, stamp_at, opening_len, ending_len;
};

struct conn {
	int fd;
	bool writing;            /* waits for room in the socket */
	const struct texts *texts;
	struct frame frame;
	size_t body_len;
	uint64_t events_left, interval_ns, due_ns;
	bool streaming;
	struct conn *next, *prev;   /* paced streams, the next one due first */
	char *out;               /* what the socket did not take yet */
	size_t out_len;
	char body[BODY_BYTES];
};

struct backend {
	int epoll, listener;
	struct conn *first, *last;
	struct texts openai, anthropic;
	char read[PLAIN_READ_BYTES];
};

static void queue_out(struct backend *b, struct conn *c)
{
	struct conn *p = c->prev, *n = c->next;

	if (!p && !n && b->first != c)
		return;
	*(p ? &p->next : &b->first) = n;
	*(n ? &n->prev : &b->last) = p;
	c->next = c->prev = NULL;
}

/* Nearly always the last one, since most streams have the same interval, or the
 * first, of a stream that begins. */
static void queue_in(struct backend *b, struct conn *c)
{
	struct conn *p = b->first && c->due_ns < b->first->due_ns ? NULL : b->last;

	while (p && p->due_ns > c->due_ns)
		p = p->prev;
	c->prev = p;
	c->next = p ? p->next : b->first;
	*(p ? &p->next : &b->first) = c;
	*(c->next ? &c->next->prev : &b->last) = c;
}

static void conn_close(struct backend *b, struct conn *c)
{
	queue_out(b, c);
	close(c->fd);
	free(c->out);
	free(c);
}

static void watch(struct backend *b, struct conn *c, int op)
{
	struct epoll_event e = { .data.ptr = c };

	e.events = EPOLLIN | (c->writing ? (uint32_t)EPOLLOUT : 0u);
	if (epoll_ctl(b->epoll, op, c->fd, &e) < 0)
		plain_die("epoll_ctl");
}

/* False: the peer is gone. What the socket does not take is kept. */
static bool conn_send(struct backend *b, struct conn *c, const char *at, size_t len)
{
	ssize_t n = c->out_len ? 0 : send(c->fd, at, len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN)
		return false;
	n = n < 0 ? 0 : n;
	if ((size_t)n == len)
		return true;
	c->out = realloc(c->out, c->out_len + len - (size_t)n);
	if (!c->out)
		plain_die("realloc");
	memcpy(c->out + c->out_len, at + n, len - (size_t)n);
	c->out_len += len - (size_t)n;
	if (!c->writing) {
		c->writing = true;
		watch(b, c, EPOLL_CTL_MOD);
	}
	return true;
}

static size_t put_event(const struct texts *t, char *to, uint64_t now)
{
	char *digit = to + t->stamp_at + STAMP_DIGITS;
	int i;

	memcpy(to, t->event, t->event_len);
	for (i = 0; i < STAMP_DIGITS; i++, now /= 10)
		*--digit = (char)('0' + now % 10);
	return t->event_len;
}

static bool stream_end(struct backend *b, struct conn *c)
{
	c->streaming = false;
	memset(&c->frame, 0, sizeof c->frame);
	c->body_len = 0;
	return conn_send(b, c, c->texts->ending, c->texts->ending_len);
}

/* As many events as the connection takes. */
static bool stream_burst(struct backend *b, struct conn *c)
{
	char out[BURST_BYTES];
	size_t len;

	while (c->events_left && !c->out_len) {
		for (len = 0; c->events_left && len + c->texts->event_len <= sizeof out; c->events_left--)
			len += put_event(c->texts, out + len, plain_now_ns());
		if (!conn_send(b, c, out, len))
			return false;
	}
	return c->events_left || stream_end(b, c);
}

static uint64_t asked(const char *body, const char *name, uint64_t otherwise)
{
	const char *at = strstr(body, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : otherwise;
}

static bool answer(struct backend *b, struct conn *c)
{
	c->body[c->body_len] = '\0';
	c->texts = strstr(c->body, CLAUDE) ? &b->anthropic : &b->openai;
	if (!strstr(c->body, "\"stream\":true") && !strstr(c->body, "\"stream\": true")) {
		memset(&c->frame, 0, sizeof c->frame);
		c->body_len = 0;
		return conn_send(b, c, c->texts->answer, c->texts->answer_len);
	}
	c->events_left = asked(c->body, "events=", 100);
	c->interval_ns = asked(c->body, "interval_us=", 0) * 1000u;
	c->streaming = true;
	if (!conn_send(b, c, c->texts->opening, c->texts->opening_len))
		return false;
	if (!c->interval_ns)
		return stream_burst(b, c);
	c->due_ns = plain_now_ns();        /* the first event at once */
	queue_in(b, c);
	return true;
}

static bool on_bytes(struct backend *b, struct conn *c, const char *at, size_t len)
{
	struct piece body;
	size_t n, kept;

	while (len && (n = frame_eat(&c->frame, at, len, &body))) {
		kept = BODY_BYTES - 1 - c->body_len;
		kept = body.len < kept ? body.len : kept;
		memcpy(c->body + c->body_len, body.at, kept);
		c->body_len += kept;
		at += n;
		len -= n;
		if (c->frame.state == FRAME_DONE && !answer(b, c))
			return false;
	}
	return true;
}

static bool on_room(struct backend *b, struct conn *c)
{
	ssize_t n = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN;
	c->out_len -= (size_t)n;
	memmove(c->out, c->out + n, c->out_len);
	if (c->out_len)
		return true;
	c->writing = false;
	watch(b, c, EPOLL_CTL_MOD);
	return !c->streaming || c->interval_ns || stream_burst(b, c);
}

static void on_ready(struct backend *b, struct conn *c, uint32_t events)
{
	ssize_t n;

	if ((events & EPOLLOUT) && !on_room(b, c)) {
		conn_close(b, c);
		return;
	}
	if (!(events & ~(uint32_t)EPOLLOUT))
		return;
	n = recv(c->fd, b->read, sizeof b->read, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN) || (n > 0 && !on_bytes(b, c, b->read, (size_t)n)))
		conn_close(b, c);
}

static void on_accept(struct backend *b)
{
	struct conn *c;
	int fd;

	while ((fd = plain_accept(b->listener)) >= 0) {
		if (!(c = calloc(1, sizeof *c)))
			plain_die("calloc");
		c->fd = fd;
		watch(b, c, EPOLL_CTL_ADD);
	}
}

static void send_due(struct backend *b)
{
	uint64_t now = plain_now_ns();
	char out[1024];
	struct conn *c;
	bool good;

	while ((c = b->first) && c->due_ns <= now) {
		queue_out(b, c);
		good = conn_send(b, c, out, put_event(c->texts, out, plain_now_ns()));
		if (good && --c->events_left) {
			c->due_ns += c->interval_ns;
			queue_in(b, c);
		} else if (!good || !stream_end(b, c)) {
			conn_close(b, c);
		}
	}
}

static size_t put_chunk(char *to, size_t size, const char *text)
{
	return (size_t)snprintf(to, size, "%zx\r\n%s\r\n", strlen(text), text);
}

/* What goes before and behind the words of an answer and the time in an event,
 * and around the events. */
struct frame_texts { const char *answer[2], *event[2], *opening, *ending; };

static void write_texts(struct texts *t, const struct frame_texts *f)
{
	char words[ANSWER_BYTES], text[1024];
	size_t n = ANSWER_BYTES - strlen(f->answer[0]) - strlen(f->answer[1]), i;

	for (i = 0; i < n; i++)
		words[i] = "the quick brown fox jumps over the lazy dog. "[i % 45];
	t->answer_len = (size_t)snprintf(t->answer, sizeof t->answer,
		"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
		"%s%.*s%s", ANSWER_BYTES, f->answer[0], (int)n, words, f->answer[1]);
	snprintf(text, sizeof text, "%s%0*d%s", f->event[0], STAMP_DIGITS, 0, f->event[1]);
	t->event_len = put_chunk(t->event, sizeof t->event, text);
	t->stamp_at = (size_t)(strstr(t->event, f->event[0]) - t->event) + strlen(f->event[0]);
	n = (size_t)snprintf(t->opening, sizeof t->opening, "HTTP/1.1 200 OK\r\n"
		"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
	t->opening_len = n + put_chunk(t->opening + n, sizeof t->opening - n, f->opening);
	n = put_chunk(t->ending, sizeof t->ending, f->ending);
	t->ending_len = n + (size_t)snprintf(t->ending + n, sizeof t->ending - n, "0\r\n\r\n");
}

static const struct frame_texts openai = {
	.answer = { ANSWER_HEAD, ANSWER_TAIL }, .event = { EVENT_HEAD, EVENT_TAIL },
	.opening = "data: " CHUNK("{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,"
				  "\"finish_reason\":null"),
	.ending = "data: " CHUNK("{},\"logprobs\":null,\"finish_reason\":\"stop\"") "data: [DONE]\n\n",
};
static const struct frame_texts anthropic = {
	.answer = { "{" MESSAGE "\"content\":[{\"type\":\"text\",\"text\":\"",
		    "\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":"
		    "{\"input_tokens\":120,\"output_tokens\":150}}\n" },
	.event = { DELTA_HEAD, "\"}}\n\n" },
	.opening = TOLD("message_start", ",\"message\":{" MESSAGE "\"content\":[],\"stop_reason\":null,"
			"\"stop_sequence\":null,\"usage\":{\"input_tokens\":120,\"output_tokens\":1}}")
		   TOLD("content_block_start", ",\"index\":0,\"content_block\":"
			"{\"type\":\"text\",\"text\":\"\"}"),
	.ending = TOLD("content_block_stop", ",\"index\":0")
		  TOLD("message_delta", ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
		       "\"usage\":{\"output_tokens\":150}")
		  TOLD("message_stop", ""),
};

int main(int argc, char **argv)
{
	static struct backend b;
	struct epoll_event ready[256], e = { .events = EPOLLIN };
	struct timespec wait;
	uint64_t now, ns;
	int i, n;

	if (argc != 2) {
		fprintf(stderr, "usage: bench-backend PORT\n");
		return 2;
	}
	prctl(PR_SET_TIMERSLACK, 1UL);
	plain_raise_nofile();
	write_texts(&b.openai, &openai);
	write_texts(&b.anthropic, &anthropic);
	b.epoll = epoll_create1(EPOLL_CLOEXEC);
	b.listener = plain_listen((uint16_t)plain_number(argv[1], 1, 65535));
	if (b.epoll < 0 || epoll_ctl(b.epoll, EPOLL_CTL_ADD, b.listener, &e) < 0)
		plain_die("epoll");
	for (;;) {
		now = b.first ? plain_now_ns() : 0;
		ns = b.first && b.first->due_ns > now ? b.first->due_ns - now : 0;
		wait = (struct timespec){ (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };
		n = epoll_pwait2(b.epoll, ready, 256, b.first ? &wait : NULL, NULL);
		for (i = 0; i < n; i++)
			if (ready[i].data.ptr)
				on_ready(&b, ready[i].data.ptr, ready[i].events);
			else
				on_accept(&b);
		send_due(&b);
	}
}
