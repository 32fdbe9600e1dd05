/* check.h: assertions that stay in release builds.
 *
 * must() guards what we rely on ourselves; it is never used on input that came
 * from outside. A failing check prints its place to standard error and aborts;
 * the supervisor starts a fresh serving process. */
#ifndef BACKSTAY_BASE_CHECK_H
#define BACKSTAY_BASE_CHECK_H

#include <stddef.h>

/* Prints "file:line: text" and aborts. Never returns. */
_Noreturn void check_failed(const char *file, int line, const char *text);

#define must(c) ((c) ? (void)0 : check_failed(__FILE__, __LINE__, #c))
/* A place that cannot be reached. */
#define never(why) check_failed(__FILE__, __LINE__, "never: " why)

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))
/* The struct of type `type` whose member `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member) \
	((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#if defined(__GNUC__)
#define PRINTF_LIKE(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define MUST_USE __attribute__((warn_unused_result))
#else
#define PRINTF_LIKE(format_at, args_at)
#define MUST_USE
#endif

#endif
