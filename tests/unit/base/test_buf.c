#include "base/buf.h"
#include "base/rng.h"

#include "cm.h"

#include <stdlib.h>
#include <string.h>

enum act { APPEND, CONSUME, CLEAR };

static const struct {
	enum act act;
	const char *text;         /* what to append */
	size_t count;             /* how much to consume */
	bool fits;
	const char *holds;
	const char *says;
} story[] = {                     /* of a buf for at most 8 bytes */
	{ APPEND,  "abcd", 0, true,  "abcd",     "bytes go in at the back" },
	{ APPEND,  "ef",   0, true,  "abcdef",   "in order" },
	{ APPEND,  "ghi",  0, false, "abcdef",   "what passes the maximum is refused whole" },
	{ APPEND,  "gh",   0, true,  "abcdefgh", "the maximum itself fits" },
	{ APPEND,  "",     0, true,  "abcdefgh", "nothing fits into a full buf" },
	{ CONSUME, NULL,   3, true,  "defgh",    "bytes leave at the front" },
	{ APPEND,  "XYZ",  0, true,  "defghXYZ", "what left makes room" },
	{ APPEND,  "!",    0, false, "defghXYZ", "and no more than that" },
	{ CONSUME, NULL,   8, true,  "",         "all may leave" },
	{ APPEND,  "12345678", 0, true, "12345678", "and the buf is as good as new" },
	{ CLEAR,   NULL,   0, true,  "",         "or be dropped" },
};

static void rows(void **state)
{
	struct buf b = BUF_INIT(8);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(story); i++) {
		switch (story[i].act) {
		case APPEND:
			row_holds(buf_append(&b, slice_of(story[i].text)) == story[i].fits,
				  story[i].says);
			break;
		case CONSUME: buf_consume(&b, story[i].count); break;
		case CLEAR:   buf_clear(&b); break;
		}
		row_holds(slice_eq(buf_slice(&b), slice_of(story[i].holds)), story[i].says);
		row_holds(buf_len(&b) == strlen(story[i].holds), story[i].says);
	}
	buf_free(&b);
}

static void an_idle_buf_needs_no_memory(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	assert_null(b.bytes);
	assert_int_equal(buf_slice(&b).len, 0);
	buf_put(&b, S("x"));
	buf_release(&b);                         /* holds something: kept */
	assert_true(slice_eq(buf_slice(&b), S("x")));
	buf_consume(&b, 1);
	assert_non_null(b.bytes);
	buf_release(&b);
	assert_null(b.bytes);
	buf_put(&b, S("again"));
	buf_free(&b);
	assert_null(b.bytes);
	assert_int_equal(b.max, 100);
	buf_free(&b);
}

static void room_and_added(void **state)
{
	struct buf b = BUF_INIT(1000);
	char *to = buf_room(&b, 600);

	(void)state;
	assert_non_null(to);
	memset(to, 'a', 600);
	buf_added(&b, 500);                      /* less than asked for is fine */
	assert_int_equal(buf_len(&b), 500);
	assert_null(buf_room(&b, 501));
	assert_non_null(buf_room(&b, 500));
	assert_null(buf_room(&b, SIZE_MAX));
	assert_non_null(buf_room(&b, 0));
	assert_true(b.size <= b.max);
	buf_free(&b);
}

static void a_buf_for_nothing(void **state)
{
	struct buf b = BUF_INIT(0);

	(void)state;
	assert_true(buf_append(&b, SLICE_NONE));
	assert_false(buf_append(&b, S("x")));
	assert_non_null(buf_room(&b, 0));
	assert_null(buf_room(&b, 1));
	buf_free(&b);
}

static void printing(void **state)
{
	char large[2000];
	struct buf b = BUF_INIT(2010);

	(void)state;
	memset(large, 'y', sizeof large);
	assert_true(buf_printf(&b, "%s=%d", "id", 7));
	assert_true(slice_eq(buf_slice(&b), S("id=7")));
	assert_true(buf_printf(&b, "%.*s", (int)sizeof large, large));
	assert_int_equal(buf_len(&b), 2004);
	assert_false(buf_printf(&b, "%s", "1234567"));
	assert_false(buf_printf(&b, "%.*s", (int)sizeof large, large));
	assert_int_equal(buf_len(&b), 2004);
	assert_true(buf_printf(&b, "%s", "123456"));
	assert_true(buf_printf(&b, "%s", ""));
	assert_true(slice_ends(buf_slice(&b), S("y123456")));
	buf_clear(&b);
	buf_putf(&b, "%d", -1);
	buf_puts(&b, " done");
	assert_true(slice_eq(buf_slice(&b), S("-1 done")));
	buf_free(&b);
}

static void numbers(void **state)
{
	static const struct { int64_t value; const char *text; } rows[] = {
		{ 0, "0" }, { 7, "7" }, { 10, "10" }, { -1, "-1" }, { 1234567890123, "1234567890123" },
		{ INT64_MAX, "9223372036854775807" }, { INT64_MIN, "-9223372036854775808" },
	};
	struct buf b = BUF_INIT(64);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		buf_clear(&b);
		buf_put_i64(&b, rows[i].value);
		assert_true(slice_eq(buf_slice(&b), slice_of(rows[i].text)));
	}
	buf_free(&b);
}

/* Lets AddressSanitizer fail like malloc, for the test below. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void no_memory_is_no_end(void **state)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2);

	(void)state;
	buf_puts(&b, "kept");
	assert_null(buf_room(&b, SIZE_MAX / 4));
	assert_true(slice_eq(buf_slice(&b), S("kept")));
	assert_true(buf_append(&b, S(" still")));
	assert_true(slice_eq(buf_slice(&b), S("kept still")));
	buf_free(&b);
}

static void memory_can_be_taken(void **state)
{
	struct buf b = BUF_INIT(50);
	struct slice held;
	char *bytes;

	(void)state;
	buf_puts(&b, "gone, kept");
	buf_consume(&b, 6);
	bytes = buf_take(&b, &held);
	assert_true(slice_eq(held, S("kept")));
	assert_int_equal(buf_len(&b), 0);
	buf_puts(&b, "new");
	assert_true(slice_eq(held, S("kept")));
	free(bytes);
	buf_free(&b);

	assert_null(buf_take(&b, &held));
	assert_int_equal(held.len, 0);
}

/* A long random story against two counters: byte n of the queue is always
 * n % 251. */
static void is_a_queue(void **state)
{
	struct buf b = BUF_INIT(3000);
	uint64_t in = 0, out = 0;
	struct rng r;

	(void)state;
	rng_seed(&r, 1);
	for (int i = 0; i < 20000; i++) {
		size_t count = (size_t)rng_below(&r, rng_one_in(&r, 10) ? 1500 : 60);
		struct slice held = buf_slice(&b);

		assert_int_equal(held.len, in - out);
		if (held.len) {
			assert_int_equal((unsigned char)held.at[0], out % 251);
			assert_int_equal((unsigned char)held.at[held.len - 1], (in - 1) % 251);
		}
		if (rng_one_in(&r, 2)) {
			char *to = buf_room(&b, count);

			assert_true((to != NULL) == (in - out + count <= b.max));
			for (size_t k = 0; to && k < count; k++)
				to[k] = (char)(in++ % 251);
			if (to)
				buf_added(&b, count);
		} else {
			count = count < held.len ? count : held.len;
			buf_consume(&b, count);
			out += count;
		}
		if (rng_one_in(&r, 20))
			buf_release(&b);
		assert_true(b.size <= b.max);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows),
		cmocka_unit_test(an_idle_buf_needs_no_memory),
		cmocka_unit_test(room_and_added),
		cmocka_unit_test(a_buf_for_nothing),
		cmocka_unit_test(printing),
		cmocka_unit_test(numbers),
		cmocka_unit_test(no_memory_is_no_end),
		cmocka_unit_test(memory_can_be_taken),
		cmocka_unit_test(is_a_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
