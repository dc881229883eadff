/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_region.c - bounds of regions, at every edge of 64 bits. */
#include <criterion/criterion.h>

#include "common/region.h"

Test(region, inside)
{
	cr_expect(fc_region_ok(100, 0, 100));
	cr_expect(fc_region_ok(100, 100, 0));
	cr_expect(fc_region_ok(100, 99, 1));
	cr_expect(fc_region_ok(0, 0, 0));
	cr_expect(fc_region_ok(UINT64_MAX, 1, UINT64_MAX - 1));
}

Test(region, outside)
{
	cr_expect_not(fc_region_ok(100, 0, 101));
	cr_expect_not(fc_region_ok(100, 100, 1));
	cr_expect_not(fc_region_ok(100, 101, 0));
	cr_expect_not(fc_region_ok(0, 0, 1));
}

Test(region, sums_that_wrap)
{
	cr_expect_not(fc_region_ok(100, 50, UINT64_MAX));
	cr_expect_not(fc_region_ok(100, UINT64_MAX, 1));
	cr_expect_not(fc_region_ok(100, UINT64_MAX - 49, 50));
	cr_expect_not(fc_region_ok(100, UINT64_MAX, UINT64_MAX));
	cr_expect_not(fc_region_ok(UINT64_MAX, UINT64_MAX, 1));
}
