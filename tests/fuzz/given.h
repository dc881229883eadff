/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * given.h - real descriptors that a hostile client passes to its shadow: memory as it must be, nearly so, and other things. Knows
 * which of them the shadow still has open; takes the memory away where the kernel lets it.
 */
#ifndef FC_TESTS_FUZZ_GIVEN_H
#define FC_TESTS_FUZZ_GIVEN_H

#include <stdbool.h>
#include <stdint.h>

/* A descriptor of that kind in the shadow's table; `size` is what the message promises. -1: this machine has none of the kind. */
int given_open(uint8_t kind, uint64_t size);

/* The shadow closes it. False: it is none of those it was given, or is closed already. */
bool given_close(int fd);
bool given_has(int fd);

/* How many it has open. */
unsigned given_left(void);

/* The client tries to take away what it has given. */
void given_strike(void);

/* It is all over. */
void given_end(void);

#endif
