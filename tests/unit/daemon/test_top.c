#include "tests/unit/base/cm.h"

#include "base/check.h"
#include "daemon/top.h"

#include <string.h>

static const char state[] =
	"{\"version\":\"1.2\",\"state\":\"ready\",\"uptime_ms\":65000,\"workers\":2,"
	"\"config\":{\"path\":\"b.yaml\",\"generation\":3},\"total\":{\"in_progress\":4,\"cost_usd\":1.234567890},"
	"\"cluster\":{\"shared\":true,\"alone\":true,\"why\":\"it is away\",\"more\":3},\"nodes\":["
	"{\"name\":\"here\",\"self\":true,\"state\":\"ready\",\"seen_ms\":0,\"version\":\"1.2\",\"listen\":\"10.0.0.1:80\","
	"\"config\":\"aa\",\"generation\":3,\"config_ms\":65000,\"in_flight\":4},"
	"{\"name\":\"there\",\"self\":false,\"state\":\"gone\",\"seen_ms\":61000,\"version\":\"1.1\",\"listen\":\"10.0.0.2:80\","
	"\"config\":\"bb\",\"generation\":1,\"config_ms\":7200000,\"in_flight\":9}],"
	"\"pulse\":{\"bucket_ms\":2000,\"good\":[80,10,0],\"cached\":[0,5,0],\"rescued\":[0,3,0],"
	"\"degraded\":[0,0,0],\"caller\":[0,0,0],\"failed\":[0,2,0]},\"queue\":{\"waiting\":7},"
	"\"alerts\":{\"firing\":[{\"severity\":\"critical\",\"title\":\"a model cannot be served\","
	"\"subject\":\"chat\",\"text\":\"Nobody\\u001b[31m answers.\",\"on\":true}],"
	"\"sinks\":[{\"name\":\"ops\",\"queued\":2,\"failed_in_row\":3}]},"
	"\"models\":[{\"name\":\"chat\",\"state\":\"weakened\",\"fallbacks\":[\"small\"],"
	"\"ends\":{\"good\":90,\"rescued\":3,\"degraded\":0,\"failed\":2},\"targets\":["
	"{\"name\":\"a/x\",\"use\":\"open\",\"state\":\"open\",\"hold\":\"\",\"drill\":\"\",\"why_text\":"
	"\"the backend could not be reached\",\"in_flight\":0,\"limit\":12,\"first_token_ms\":91,"
	"\"tokens_per_s\":114.50,\"blamed\":8,\"attempts\":20},"
	"{\"name\":\"b/\xc3\xbc\",\"use\":\"good\",\"state\":\"closed\",\"hold\":\"drained\",\"drill\":\"\","
	"\"why_text\":\"\",\"in_flight\":1,\"limit\":null,\"first_token_ms\":null,\"tokens_per_s\":null,"
	"\"blamed\":0,\"attempts\":5}]}]}";
static const char troubles[] =
	"{\"exchanges\":[{\"time\":\"2026-11-23T14:05:01.250Z\",\"status\":200,\"model\":\"chat\","
	"\"fault\":null,\"degraded\":\"resumed\",\"duration_ms\":1234,\"attempts\":[{\"target\":\"a/x\","
	"\"fault\":\"cut\"},{\"target\":\"b/y\",\"fault\":null}]}]}";

/* Every line within the width, no controls, the words in it. */
static void check_lines(struct slice text, unsigned width, size_t most)
{
	struct slice line;
	size_t lines = 0;

	while (slice_cut(text, '\n', &line, &text)) {
		size_t column = 0;

		for (size_t i = 0; i < line.len; i++) {
			assert_true((unsigned char)line.at[i] >= 0x20);
			column += ((unsigned char)line.at[i] & 0xc0) != 0x80;
		}
		assert_true(column <= width);
		lines++;
	}
	assert_int_equal(text.len, 0);
	assert_true(lines <= most);
}

static void the_page_says_what_is_so(void **unused)
{
	static const char *const words[] = {
		"Backstay 1.2  ready, up 1 min, 2 workers, config b.yaml no. 3", "answered 98.0 %", "rescued 3.0 %",
		"4 in progress   7 waiting   $ 1.234 since start", "! a model cannot be served: chat. Nobody [31m answers.",
		"! alerts do not reach ops: 2 wait", "chat  weakened  90 at once", "; else small",
		"  x a/x", "out, the backend could not be reached", " 0/12", "91 ms", "114 tok/s", "8 faults",
		"  o b/\xc3\xbc", "drained", "What went wrong",
		"Nodes  the shared store does not say who else is there: it is away  and 3 more",
		"  * here 10.0.0.1:80", " ready, this one  4 in flight  1.2  config aa no. 3 for 1 min",
		"  x there 10.0.0.2:80", " gone, seen 1 min ago  9 in flight  1.1  config bb no. 1, another one for 2 h",
		"  14:05:01 200 chat: a/x cut -> b/y answered (resumed), 1.2 s",
	};
	const struct top_page page = { .width = 160 };
	struct buf out = BUF_INIT(TOP_BYTES_MAX);

	(void)unused;
	assert_true(top_draw(slice_of(state), slice_of(troubles), &page, &out));
	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (slice_find_slice(buf_slice(&out), slice_of(words[i])) == SLICE_NOT_FOUND)
			fail_msg("\"%s\" is not in:\n%.*s", words[i], SLICE_ARG(buf_slice(&out)));
	check_lines(buf_slice(&out), 160, 100);
	buf_free(&out);
}

static void it_fits_every_terminal(void **unused)
{
	(void)unused;
	for (unsigned width = 1; width < 200; width += 7)
		for (unsigned height = 1; height < 20; height += 3) {
			const struct top_page page = { .width = width, .height = height };
			struct buf out = BUF_INIT(TOP_BYTES_MAX);

			assert_true(top_draw(slice_of(state), slice_of(troubles), &page, &out));
			check_lines(buf_slice(&out), width, height);
			buf_free(&out);
		}
}

static void what_is_no_state_is_refused(void **unused)
{
	static const char *const wrong[] = { "", "{", "[]", "{\"models\":[]}", "null" };
	const struct top_page page = { .width = 80, .colour = true };
	struct buf out = BUF_INIT(TOP_BYTES_MAX);

	(void)unused;
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		assert_false(top_draw(slice_of(wrong[i]), SLICE_NONE, &page, &out));
	/* Whatever is missing, something is drawn. */
	assert_true(top_draw(S("{\"models\":[{},{\"targets\":[{},7]}],\"pulse\":{}}"), S("{\"exchanges\":[3,{}]}"),
			     &page, &out));
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_says_what_is_so),
		cmocka_unit_test(it_fits_every_terminal),
		cmocka_unit_test(what_is_no_state_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
