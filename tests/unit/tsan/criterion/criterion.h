/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * criterion.h - as much of Criterion's interface as our unit tests use, for builds with ThreadSanitizer: Criterion itself maps
 * memory at addresses that ThreadSanitizer has reserved. runner.c runs the tests, each in a child.
 */
#ifndef FC_UNIT_CRITERION_H
#define FC_UNIT_CRITERION_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct fc_unit {
	const char *suite, *name; /* name null: defaults of a suite */
	void (*run)(void);
	void (*init)(void);
	void (*fini)(void);
	int signal;     /* the test must die of it */
	double timeout; /* seconds, 0 = none */
};

/* Report unless `good`; `fatal`: end the test then. */
void fc_unit_check(bool good, bool fatal, const char *file, int line, const char *condition, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
void fc_unit_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define FC_UNIT_ENTRY(symbol, ...)                            \
	static const struct fc_unit symbol = { __VA_ARGS__ }; \
	static const struct fc_unit *const symbol##_entry __attribute__((used, section("fc_units"))) = &symbol

#define Test(s, n, ...)                                                                             \
	static void s##_##n##_impl(void);                                                           \
	FC_UNIT_ENTRY(s##_##n##_unit, .suite = #s, .name = #n, .run = s##_##n##_impl, __VA_ARGS__); \
	static void s##_##n##_impl(void)
#define TestSuite(s, ...) FC_UNIT_ENTRY(s##_suite_unit, .suite = #s, __VA_ARGS__)

#define FC_UNIT(good, fatal, text, ...) fc_unit_check(good, fatal, __FILE__, __LINE__, text, " " __VA_ARGS__)

#define cr_expect(c, ...) FC_UNIT(!!(c), false, #c, __VA_ARGS__)
#define cr_assert(c, ...) FC_UNIT(!!(c), true, #c, __VA_ARGS__)
#define cr_expect_not(c, ...) FC_UNIT(!(c), false, "not " #c, __VA_ARGS__)
#define cr_assert_not(c, ...) FC_UNIT(!(c), true, "not " #c, __VA_ARGS__)
#define cr_expect_null(p, ...) FC_UNIT(!(p), false, #p " is null", __VA_ARGS__)
#define cr_assert_null(p, ...) FC_UNIT(!(p), true, #p " is null", __VA_ARGS__)
#define cr_expect_not_null(p, ...) FC_UNIT(!!(p), false, #p " is not null", __VA_ARGS__)
#define cr_assert_not_null(p, ...) FC_UNIT(!!(p), true, #p " is not null", __VA_ARGS__)
#define cr_expect_eq(a, b, ...) FC_UNIT((a) == (b), false, #a " == " #b, __VA_ARGS__)
#define cr_assert_eq(a, b, ...) FC_UNIT((a) == (b), true, #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) FC_UNIT((a) != (b), false, #a " != " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) FC_UNIT((a) != (b), true, #a " != " #b, __VA_ARGS__)
#define cr_expect_lt(a, b, ...) FC_UNIT((a) < (b), false, #a " < " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) FC_UNIT((a) < (b), true, #a " < " #b, __VA_ARGS__)
#define cr_expect_leq(a, b, ...) FC_UNIT((a) <= (b), false, #a " <= " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) FC_UNIT((a) <= (b), true, #a " <= " #b, __VA_ARGS__)
#define cr_expect_gt(a, b, ...) FC_UNIT((a) > (b), false, #a " > " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) FC_UNIT((a) > (b), true, #a " > " #b, __VA_ARGS__)
#define cr_expect_geq(a, b, ...) FC_UNIT((a) >= (b), false, #a " >= " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) FC_UNIT((a) >= (b), true, #a " >= " #b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) FC_UNIT(!strcmp(a, b), false, #a " equals " #b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) FC_UNIT(!strcmp(a, b), true, #a " equals " #b, __VA_ARGS__)
#define cr_expect_arr_eq(a, b, n, ...) FC_UNIT(!memcmp(a, b, n), false, #a " equals " #b, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, n, ...) FC_UNIT(!memcmp(a, b, n), true, #a " equals " #b, __VA_ARGS__)
#define cr_skip_test(...) fc_unit_skip(" " __VA_ARGS__)

#endif
