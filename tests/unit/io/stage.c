#include "stage.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* Far longer than any test needs; only a broken one ever sees it. */
#define GUARD_MS 60000

int count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

void stage_look(struct stage *stage)
{
	if (stage->done && stage->done(stage))
		io_real_stop(stage->io);
}

static void on_open(void *owner)
{
	struct end *e = owner;

	e->opened++;
	stage_look(e->stage);
}

static void on_data(void *owner, struct slice bytes)
{
	struct end *e = owner;

	e->data_events++;
	assert_true(buf_append(&e->got, bytes));
	if (e->echo)
		end_write(e, bytes);
	if (e->pause_on_data)
		io_read_pause(e->stream, true);
	if (e->close_other_on_data)
		end_close(e->close_other_on_data, e->close_how);
	if (e->close_on_data)
		end_close(e, e->close_how);
	stage_look(e->stage);
}

static void on_end(void *owner)
{
	struct end *e = owner;

	e->ended++;
	stage_look(e->stage);
}

static void on_broken(void *owner, enum io_broken why, const char *text)
{
	struct end *e = owner;

	e->broken++;
	e->why = why;
	snprintf(e->text, sizeof e->text, "%s", text);
	stage_look(e->stage);
}

static void on_drained(void *owner)
{
	struct end *e = owner;

	e->drained++;
	stage_look(e->stage);
}

const struct io_stream_events end_events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_end = on_end,
	.on_broken = on_broken,
	.on_drained = on_drained,
};

static void on_guard(struct io_timer *t, mono_ms now)
{
	(void)t, (void)now;
	fail_msg("what the test waits for never came");
}

static void accepted(void *owner, struct io_stream *s, const struct io_addr *peer)
{
	struct stage *stage = owner;

	stage->accepted++;
	stage->peer = *peer;
	stage->server.stream = s;
	io_stream_adopt(s, &end_events, &stage->server);
	if (stage->on_accept)
		stage->on_accept(stage);
	stage_look(stage);
}

static void end_init(struct end *e, struct stage *stage)
{
	e->stage = stage;
	e->got = BUF_INIT(64u << 20);
}

void stage_listen(struct stage *stage, struct io_tls *tls)
{
	stage->listener = io_listen(stage->io, stage->socket, tls, accepted, stage);
}

void stage_open(struct stage *stage, struct io_tls *tls)
{
	char why[200] = "";

	*stage = (struct stage){ .fds_before = count_descriptors() };
	end_init(&stage->client, stage);
	end_init(&stage->server, stage);
	stage->io = io_real_create(why, sizeof why);
	assert_non_null(stage->io);
	assert_true(io_addr_parse(S("127.0.0.1:0"), &stage->at));
	stage->socket = io_socket_open(&stage->at, why, sizeof why);
	assert_non_null(stage->socket);
	stage->at = io_socket_addr(stage->socket);
	stage_listen(stage, tls);
}

void stage_close(struct stage *stage)
{
	end_close(&stage->client, IO_CLOSE_NOW);
	end_close(&stage->server, IO_CLOSE_NOW);
	if (stage->listener)
		io_listener_close(stage->listener);
	io_timer_clear(stage->io, &stage->guard);
	io_real_free(stage->io);
	io_socket_close(stage->socket);
	buf_free(&stage->client.got);
	buf_free(&stage->server.got);
	assert_int_equal(count_descriptors(), stage->fds_before);
}

void stage_run(struct stage *stage, bool (*done)(struct stage *stage))
{
	if (done(stage))
		return;
	stage->done = done;
	stage->guard.fire = on_guard;
	io_timer_set(stage->io, &stage->guard, io_now(stage->io) + GUARD_MS);
	io_real_run(stage->io);
	io_timer_clear(stage->io, &stage->guard);
	stage->done = NULL;
	assert_true(done(stage));
}

void stage_connect(struct stage *stage, const struct io_addr *to)
{
	stage->client.stream = io_connect(stage->io, to ? to : &stage->at, &end_events,
					  &stage->client);
}

static bool both_stand(struct stage *stage)
{
	return stage->client.opened > 0 && stage->server.stream;
}

void stage_pair(struct stage *stage)
{
	stage_connect(stage, NULL);
	stage_run(stage, both_stand);
}

void end_write(struct end *e, struct slice bytes)
{
	io_write(e->stream, &bytes, 1);
}

void end_close(struct end *e, enum io_close how)
{
	struct io_stream *s = e->stream;

	e->stream = NULL;
	if (s)
		io_close(s, how);
}
