/* Any bytes as a config. A refusal names a place on every line, sorted; what is
 * taken is whole; the same text gives the same result. */
#include "base/check.h"
#include "config/config.h"
#include "tests/unit/config/fake_world.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fake_pair env[] = {
	{ "A", "a" }, { "B", "" }, { "C", "x y\"{}:#" }, { "D", "1s" }, { "HTTPS_PROXY", "http://p:1" },
	{ "NO_PROXY", "b.c,10.0.0.0/8" }, { NULL, NULL },
};
static const struct fake_pair files[] = { { "f", "content\n" }, { "g", "a\nb" }, { NULL, NULL } };
static const struct fake_world world = { env, files };

static uint64_t number_before(struct slice *rest, char end)
{
	struct slice number;
	uint64_t value;

	must(slice_cut(*rest, end, &number, rest));
	must(slice_to_u64(number, &value));
	must(value >= 1);
	return value;
}

static void check_errors(struct slice errors)
{
	uint64_t last_line = 0, last_column = 0;
	struct slice line;

	must(errors.len > 0);
	while (slice_cut(errors, '\n', &line, &errors)) {
		uint64_t at_line, at_column;

		must(slice_starts(line, S("f:")));
		line = slice_from(line, 2);
		if (slice_starts(line, S(" and ")))
			continue;
		at_line = number_before(&line, ':');
		at_column = number_before(&line, ':');
		must(at_line > last_line || (at_line == last_line && at_column >= last_column));
		last_line = at_line;
		last_column = at_column;
		must(line.len > 1);
		for (size_t i = 0; i < line.len; i++)
			must((unsigned char)line.at[i] >= 0x20);
	}
	must(errors.len == 0);
}

static void check_target(const struct config *c, const struct target_policy *t)
{
	must(t->backend >= c->backends);
	must(t->backend < c->backends + c->backend_count);
	must(t->origin >= t->backend->origins);
	must(t->origin < t->backend->origins + t->backend->origin_count);
	must(t->name.len > 0);
	must(t->model.len > 0);
	must(t->weight >= 1);
	must(t->weight <= 1000);
	must(t->priority >= 1);
}

static void check_config(const struct config *c)
{
	struct slice star;

	must(c->listen_count >= 1);
	must(c->backend_count >= 1);
	must(c->model_count >= 1);
	for (size_t i = 0; i < c->backend_count; i++) {
		const struct backend_policy *b = &c->backends[i];

		must(b->dialect != NULL);
		must(b->origin_count >= 1);
		for (size_t o = 0; o < b->origin_count; o++)
			must(b->origins[o].tls == (b->origins[o].tls_setup != NULL));
		for (size_t h = 0; h < b->header_count; h++)
			for (size_t k = 0; k < b->headers[h].value.len; k++)
				must((unsigned char)b->headers[h].value.at[k] >= 0x20);
	}
	for (size_t i = 0; i < c->model_count; i++) {
		const struct model_policy *m = &c->models[i];

		must(m->target_count >= 1);
		must(m->timeouts.total_ms > 0);
		must(m->retry.max_attempts >= 1);
		for (size_t t = 0; t < m->target_count; t++)
			check_target(c, &m->targets[t]);
		if (!m->is_pattern)
			must(config_model(c, m->name, &star) == m);
	}
}

static void parse(struct slice text, struct buf *errors)
{
	struct config_source source = fake_source(&world);
	struct config *c = config_parse(S("f"), text, &source, errors);

	if (c) {
		must(buf_len(errors) == 0);
		check_config(c);
	} else {
		check_errors(buf_slice(errors));
	}
	config_give(c);
	must(fake_tls_alive() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = { (const char *)data, size };
	struct buf first = BUF_INIT(1024 * 1024), second = BUF_INIT(1024 * 1024);

	parse(text, &first);
	parse(text, &second);
	must(slice_eq(buf_slice(&first), buf_slice(&second)));
	buf_free(&first);
	buf_free(&second);
	return 0;
}
