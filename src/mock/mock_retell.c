/* mock_retell.c: conversations of other vendors, told in OpenAI's words, so that
 * the same conversation gets the same answer in whatever language it is held. */
#include "mock/mock_bedrock.h"

struct mock_retelling mock_retell_start(struct mock *mock, struct buf *out)
{
	(void)mock;
	buf_clear(out);
	buf_puts(out, "[");
	return (struct mock_retelling){ .out = out };
}

static void begin(struct mock_retelling *t)
{
	if (t->comma)
		buf_puts(t->out, ",");
	t->comma = true;
}

void mock_retell_texts(struct mock_retelling *t, const char *role, const struct slice *parts, size_t count)
{
	begin(t);
	buf_putf(t->out, "{\"role\":\"%s\",\"content\":", role);
	if (count == 1) {
		buf_put(t->out, parts[0]);
	} else {
		buf_puts(t->out, "[");
		for (size_t i = 0; i < count; i++)
			buf_putf(t->out, "%s{\"type\":\"text\",\"text\":%.*s}", i ? "," : "", SLICE_ARG(parts[i]));
		buf_puts(t->out, "]");
	}
	buf_puts(t->out, "}");
}

void mock_retell_raw(struct mock_retelling *t, struct slice message)
{
	begin(t);
	buf_put(t->out, message);
}

struct slice mock_retell_end(struct mock *mock, struct mock_retelling *t)
{
	struct slice all;

	buf_puts(t->out, "]");
	all = arena_copy(mock_arena(mock), buf_slice(t->out));
	buf_clear(t->out);
	return all;
}
