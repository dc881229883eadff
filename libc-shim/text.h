/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h - memory and strings without a C library (mem.c), and one line on stderr (message.c). */
#ifndef FC_SHIM_TEXT_H
#define FC_SHIM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* General-register versions; also what the compiler calls for struct copies */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int c, size_t n);
size_t strlen(const char *s);
int shim_strcmp(const char *a, const char *b);
bool shim_starts_with(const char *s, const char *prefix);
/* Append s as far as there is room before `end`, with a NUL. Returns where that is. */
char *shim_append(char *to, const char *end, const char *s);

/* One line on stderr: "farcall: " parts... */
void shim_say(const char *a, const char *b, const char *c);
char *shim_format_number(char *end, uint64_t n); /* writes backwards, returns the start */

/* The name of descriptor `fd` in /proc. Returns `to`. */
#define SHIM_FD_PATH 40
const char *shim_fd_path(char to[SHIM_FD_PATH], int fd);

#endif
