/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mem.c - memcpy and friends, and a little text, with general registers only; hidden, so that the shim never reaches libc's SIMD versions. */
#include "libc-shim/text.h"

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
	return start;
}

void *memset(void *to, int c, size_t n)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(c) : "memory");
	return start;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p) {
		__asm__ volatile("" : "+r"(p)); /* or the compiler recognises strlen and calls it */
		p++;
	}
	return (size_t)(p - s);
}

int shim_strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

bool shim_starts_with(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

char *shim_append(char *to, const char *end, const char *s)
{
	while (*s && to < end - 1)
		*to++ = *s++;
	*to = 0;
	return to;
}

char *shim_format_number(char *end, uint64_t n)
{
	do
		*--end = (char)('0' + n % 10);
	while (n /= 10);
	return end;
}

const char *shim_fd_path(char to[SHIM_FD_PATH], int fd)
{
	static const char base[] = "/proc/self/fd/";
	char digits[24], *number;

	digits[sizeof digits - 1] = 0;
	number = shim_format_number(digits + sizeof digits - 1, (uint32_t)fd);
	memcpy(to, base, sizeof base - 1);
	memcpy(to + sizeof base - 1, number, strlen(number) + 1);
	return to;
}
