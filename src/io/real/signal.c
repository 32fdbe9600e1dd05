#include "io/real/loop.h"

#include <stdlib.h>

struct signal_watch {
	ev_signal watch;
	void (*on_signal)(void *owner, int signo);
	void *owner;
	struct signal_watch *next;
};

static void on_delivery(struct ev_loop *loop, ev_signal *w, int revents)
{
	struct signal_watch *sw = w->data;

	(void)loop, (void)revents;
	sw->on_signal(sw->owner, w->signum);
}

void io_real_on_signal(struct io *io, int signo, void (*on_signal)(void *owner, int signo),
		       void *owner)
{
	struct signal_watch *sw = calloc(1, sizeof *sw);

	must(sw != NULL);
	sw->on_signal = on_signal;
	sw->owner = owner;
	sw->next = io->signals;
	io->signals = sw;
	sw->watch.data = sw;
	ev_signal_init(&sw->watch, on_delivery, signo);
	ev_signal_start(io->loop, &sw->watch);
}

void signals_free(struct io *io)
{
	struct signal_watch *sw;

	while ((sw = io->signals)) {
		io->signals = sw->next;
		ev_signal_stop(io->loop, &sw->watch);
		free(sw);
	}
}
