#include "io/real/syslog.h"

#include "base/buf.h"
#include "io/real/socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PRIORITY (3 * 8 + 6)         /* daemon, info */
#define MESSAGE_MAX ((size_t)160 * 1024)
#define UDP_MAX ((size_t)65000)      /* of one datagram */

struct syslog {
	struct io_addr to;
	int fd;                      /* -1: not connected */
	char host[256];
	struct buf message;
};

static bool connect_again(struct syslog *s)
{
	union sock_addr sa;
	socklen_t len = sock_addr_to(&s->to, &sa);

	if (s->fd >= 0)
		close(s->fd);
	s->fd = socket(sa.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return false;
	if (connect(s->fd, &sa.any, len) == 0)
		return true;
	close(s->fd);
	s->fd = -1;
	return false;
}

struct syslog *syslog_open(const struct io_addr *to, char *why, size_t why_size)
{
	struct syslog *s = calloc(1, sizeof *s);

	if (!s) {
		snprintf(why, why_size, "no memory for the syslog");
		return NULL;
	}
	s->to = *to;
	s->fd = -1;
	s->message = BUF_INIT(MESSAGE_MAX);
	if (gethostname(s->host, sizeof s->host - 1) < 0 || !s->host[0])
		snprintf(s->host, sizeof s->host, "-");
	(void)connect_again(s);      /* the daemon may come later */
	return s;
}

static void write_message(struct syslog *s, struct slice text)
{
	time_t now = time(NULL);
	struct tm tm;
	char stamp[64];

	buf_clear(&s->message);
	if (s->to.family == IO_UNIX) {
		localtime_r(&now, &tm);
		strftime(stamp, sizeof stamp, "%b %e %H:%M:%S", &tm);
		buf_putf(&s->message, "<%d>%s backstay[%ld]: ", PRIORITY, stamp, (long)getpid());
	} else {
		gmtime_r(&now, &tm);
		strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &tm);
		buf_putf(&s->message, "<%d>1 %s %s backstay %ld access - ", PRIORITY, stamp, s->host,
			 (long)getpid());
		if (text.len + buf_len(&s->message) > UDP_MAX)
			text.len = UDP_MAX - buf_len(&s->message);
	}
	if (!buf_append(&s->message, text))
		(void)!buf_append(&s->message, slice_sub(text, 0, MESSAGE_MAX / 2));
}

static bool say_once(struct syslog *s)
{
	struct slice m = buf_slice(&s->message);
	ssize_t n;

	if (s->fd < 0)
		return false;
	do
		n = send(s->fd, m.at, m.len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

bool syslog_say(struct syslog *s, struct slice text)
{
	write_message(s, text);
	/* A daemon that was restarted has a new socket; one that is busy is not waited for. */
	return say_once(s) || (errno != EAGAIN && errno != ENOBUFS && connect_again(s) && say_once(s));
}

void syslog_close(struct syslog *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	buf_free(&s->message);
	free(s);
}
