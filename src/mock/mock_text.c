#include "mock/mock_text.h"

#include "base/rng.h"
#include "mock/mock_internal.h"

#include <stdlib.h>

#define TEXT_BYTES_MAX (64u << 20)

void mock_text_init(struct mock_text *t)
{
	*t = (struct mock_text){ .text = BUF_INIT(TEXT_BYTES_MAX) };
}

void mock_text_free(struct mock_text *t)
{
	buf_free(&t->text);
	free(t->ends);
	mock_text_init(t);
}

void mock_text_clear(struct mock_text *t)
{
	buf_clear(&t->text);
	t->count = 0;
}

static void end_piece(struct mock_text *t)
{
	if (t->count == t->size) {
		t->size = t->size ? t->size * 2 : 32;
		t->ends = realloc(t->ends, t->size * sizeof *t->ends);
		must(t->ends != NULL);
	}
	t->ends[t->count++] = (uint32_t)buf_len(&t->text);
}

void mock_text_words(struct mock_text *t, uint64_t seed, size_t count)
{
	/* All with the space in front that tokens of text mostly have. */
	static const struct slice words[] = {
		S_INIT(" a"), S_INIT(" model"), S_INIT(" answers"), S_INIT(" the"), S_INIT(" question"),
		S_INIT(" with"), S_INIT(" some"), S_INIT(" care"), S_INIT(" and"), S_INIT(" then"),
		S_INIT(" goes"), S_INIT(" on"), S_INIT(" about"), S_INIT(" rivers"), S_INIT(" harbours"),
		S_INIT(" ropes"), S_INIT(" masts"), S_INIT(" weather"), S_INIT(" while"), S_INIT(" nobody"),
		S_INIT(" asks"), S_INIT(" it"), S_INIT(" to"), S_INIT(" stop"), S_INIT(" because"),
		S_INIT(" words"), S_INIT(" are"), S_INIT(" cheap"), S_INIT(" in"), S_INIT(" tests"),
		S_INIT(" na\xc3\xafve"), S_INIT(" caf\xc3\xa9"), S_INIT(" Z\xc3\xbcrich"),
		S_INIT(" \xce\xb1\xce\xb2\xce\xb3"), S_INIT(" \xe6\x9d\xb1\xe4\xba\xac"),
		S_INIT(" \xe2\x80\x94"), S_INIT(" \xf0\x9f\x99\x82"), S_INIT(" \"quoted\""), S_INIT(" tab\t"),
		S_INIT("."), S_INIT(","), S_INIT("\n"), S_INIT(" 42"), S_INIT(" ship's"),
	};
	struct rng rng;

	mock_text_clear(t);
	rng_seed(&rng, seed);
	for (size_t i = 0; i < count; i++) {
		struct slice w = words[rng_below(&rng, COUNT_OF(words))];

		if (!i && w.len > 1 && w.at[0] == ' ')
			w = slice_from(w, 1);
		buf_put(&t->text, w);
		end_piece(t);
	}
}

void mock_text_split(struct mock_text *t, struct slice text)
{
	size_t from = 0;

	mock_text_clear(t);
	for (size_t i = 1; i <= text.len; i++) {
		if (i < text.len && (text.at[i] != ' ' || text.at[i - 1] == ' '))
			continue;
		buf_put(&t->text, slice_sub(text, from, i));
		end_piece(t);
		from = i;
	}
}

void mock_text_cut(struct mock_text *t, struct slice text, size_t piece)
{
	size_t from = 0;

	mock_text_clear(t);
	while (from < text.len) {
		size_t to = from + piece < text.len ? from + piece : text.len;

		while (to < text.len && ((unsigned char)text.at[to] & 0xc0) == 0x80)
			to++;
		buf_put(&t->text, slice_sub(text, from, to));
		end_piece(t);
		from = to;
	}
}

void mock_text_keep_bytes(struct mock_text *t, size_t at)
{
	size_t count = 0;

	must(at <= buf_len(&t->text));
	while (count < t->count && t->ends[count] < at)
		count++;
	if (count < t->count && at)
		t->ends[count++] = (uint32_t)at;
	t->count = at ? count : 0;
	buf_cut(&t->text, at);
}

void mock_text_keep(struct mock_text *t, size_t count)
{
	if (count < t->count)
		mock_text_keep_bytes(t, count ? t->ends[count - 1] : 0);
}

void mock_text_drop_bytes(struct mock_text *t, size_t count)
{
	size_t kept = 0;

	must(count <= buf_len(&t->text));
	buf_consume(&t->text, count);
	for (size_t i = 0; i < t->count; i++)
		if (t->ends[i] > count)
			t->ends[kept++] = t->ends[i] - (uint32_t)count;
	t->count = kept;
}

struct slice mock_text_piece(const struct mock_text *t, size_t index)
{
	must(index < t->count);
	return slice_sub(buf_slice(&t->text), index ? t->ends[index - 1] : 0, t->ends[index]);
}
