/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz.h - what the fuzz targets share: an input that is read from both ends, and the ways an input can end. From the front comes
 * what the adversary says, from the back what the modelled kernel answers, so that a mutation of one leaves the other alone. An
 * input that has been used up gives zeroes, and zero is the usual answer.
 */
#ifndef FC_TESTS_FUZZ_H
#define FC_TESTS_FUZZ_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void fuzz_input(const uint8_t *data, size_t size);
size_t fuzz_left(void);
uint64_t fuzz_front(unsigned bytes);
uint64_t fuzz_back(unsigned bytes);
/* Up to `n` bytes from the front. Returns how many there were. */
size_t fuzz_take(void *to, size_t n);

/* Where the process that is being tested would have ended. */
extern jmp_buf fuzz_over;
void fuzz_end(void) __attribute__((noreturn));

/* The product has done what it must not do. */
void fuzz_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
