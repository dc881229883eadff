/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line.h - one line of text for stderr, put together without libc. A line that does not fit is cut. */
#ifndef FC_SHIM_HOOK_LINE_H
#define FC_SHIM_HOOK_LINE_H

#include <stdint.h>
#include <sys/syscall.h>

#include "common/rawcall.h"

#define FC_LINE_MAX 512

struct fc_line {
	unsigned n;
	char text[FC_LINE_MAX];
};

static inline void fc_line_char(struct fc_line *l, char c)
{
	if (l->n < FC_LINE_MAX - 1)
		l->text[l->n++] = c;
}

static inline void fc_line_text(struct fc_line *l, const char *s)
{
	while (*s)
		fc_line_char(l, *s++);
}

static inline void fc_line_number(struct fc_line *l, uint64_t v, unsigned base)
{
	char digit[24];
	unsigned n = 0;

	do
		digit[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		fc_line_char(l, digit[--n]);
}

/* "0x" and hexadecimal digits */
static inline void fc_line_address(struct fc_line *l, uint64_t v)
{
	fc_line_text(l, "0x");
	fc_line_number(l, v, 16);
}

static inline void fc_line_end(struct fc_line *l)
{
	l->text[l->n++] = '\n';
}

#endif
