/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz.c - the input of a fuzz target, see fuzz.h. */
#include "tests/fuzz/fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

jmp_buf fuzz_over;
static const uint8_t *front, *back;

void fuzz_input(const uint8_t *data, size_t size)
{
	front = data;
	back = data + size;
}

size_t fuzz_left(void)
{
	return back - front;
}

uint64_t fuzz_front(unsigned bytes)
{
	uint64_t v = 0;

	fuzz_take(&v, bytes);
	return v;
}

uint64_t fuzz_back(unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- && back > front)
		v = v << 8 | *--back;
	return v;
}

size_t fuzz_take(void *to, size_t n)
{
	if (n > fuzz_left())
		n = fuzz_left();
	memcpy(to, front, n);
	front += n;
	return n;
}

void fuzz_end(void)
{
	longjmp(fuzz_over, 1);
}

void fuzz_fail(const char *format, ...)
{
	va_list args;

	fputs("fuzz: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}
