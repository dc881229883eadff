/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_steps.h - what h_steps leaves in its files, for whoever looks at them from outside. */
#ifndef FC_TESTS_H_STEPS_H
#define FC_TESTS_H_STEPS_H

#include <stddef.h>

#define WHOLE ((size_t)4 << 20)
#define CHILD ((size_t)70000)

static inline char pattern(size_t at)
{
	return (char)(at ^ at >> 8 ^ at >> 16);
}

#endif
