#include "mock/mock_script.h"

#include "mock/mock_behaviour.h"

#include <stdlib.h>

#define KEEP_BYTES (64u * 1024)

void mock_script_init(struct mock_script *s)
{
	*s = (struct mock_script){ .bytes = BUF_INIT(MOCK_SCRIPT_BYTES_MAX) };
}

void mock_script_free(struct mock_script *s)
{
	buf_free(&s->bytes);
	free(s->steps);
	mock_script_init(s);
}

void mock_script_clear(struct mock_script *s)
{
	buf_clear(&s->bytes);
	if (s->bytes.size > KEEP_BYTES)
		buf_free(&s->bytes);
	s->count = 0;
	s->open = 0;
}

static struct mock_step *add_step(struct mock_script *s, enum mock_step_kind kind)
{
	struct mock_step *step;

	if (s->count == s->size) {
		s->size = s->size ? s->size * 2 : 16;
		s->steps = realloc(s->steps, s->size * sizeof *s->steps);
		must(s->steps != NULL);
	}
	step = &s->steps[s->count++];
	*step = (struct mock_step){ .kind = kind };
	return step;
}

void mock_script_begin(struct mock_script *s)
{
	s->open = buf_len(&s->bytes);
}

void mock_script_end(struct mock_script *s)
{
	size_t to = buf_len(&s->bytes);
	struct mock_step *step;

	if (to == s->open)
		return;
	step = add_step(s, STEP_SEND);
	step->from = s->open;
	step->to = to;
	s->open = to;
}

void mock_script_send(struct mock_script *s, struct slice bytes)
{
	mock_script_begin(s);
	buf_put(&s->bytes, bytes);
	mock_script_end(s);
}

void mock_script_wait(struct mock_script *s, int64_t ms)
{
	if (ms == MOCK_FOR_EVER)
		add_step(s, STEP_HANG);
	else if (ms > 0)
		add_step(s, STEP_WAIT)->ms = ms;
}

void mock_script_step(struct mock_script *s, enum mock_step_kind kind)
{
	add_step(s, kind);
}

void mock_script_repeat(struct mock_script *s, uint32_t back, uint32_t times)
{
	struct mock_step *step;

	must(back >= 1);
	must(back <= s->count);
	step = add_step(s, STEP_REPEAT);
	step->back = back;
	step->times = times;
}

uint64_t mock_script_total(const struct mock_script *s)
{
	uint64_t total = 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct mock_step *step = &s->steps[i];

		if (step->kind == STEP_SEND)
			total += step->to - step->from;
		if (step->kind != STEP_REPEAT)
			continue;
		for (size_t k = i - step->back; k < i; k++)
			if (s->steps[k].kind == STEP_SEND)
				total += (uint64_t)(step->times - 1) * (s->steps[k].to - s->steps[k].from);
	}
	return total;
}
