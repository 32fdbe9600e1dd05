/* How alike are two questions? */
#include "cm.h"

#include "base/check.h"
#include "cache/near.h"

static double alike(const char *a, const char *b)
{
	uint32_t x[CACHE_SKETCH], y[CACHE_SKETCH];

	near_sketch(slice_of(a), x);
	near_sketch(slice_of(b), y);
	return near_similarity(x, y);
}

static void likeness_follows_the_words(void **state)
{
	static const char question[] = "How do I reset the password of my account when I have lost the old one?";
	static const struct { const char *other; double least, most; } rows[] = {
		{ question, 1, 1 },
		{ "how do i reset the password   of my account\nwhen I have lost the OLD one?", 1, 1 },
		{ "How do I reset the password of my account when I have lost my old one?", 0.75, 0.99 },
		{ "How do I reset the password of my account?", 0.4, 0.75 },
		{ "What is the weather in Oslo?", 0, 0.15 },
		{ "", 0, 0.05 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		double s = alike(question, rows[i].other);

		if (s < rows[i].least || s > rows[i].most)
			fail_msg("\"%s\": %.2f", rows[i].other, s);
	}
}

static void any_language_will_do(void **state)
{
	(void)state;
	assert_true(alike("密码忘记了怎么重置账户的密码", "密码忘记了怎么重置我账户的密码") > 0.5);
	assert_true(alike("密码忘记了怎么重置账户的密码", "奥斯陆今天的天气怎么样") < 0.3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(likeness_follows_the_words),
		cmocka_unit_test(any_language_will_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
