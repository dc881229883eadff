/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cohere_check.h - what the checks share. */
#ifndef FC_COHERE_CHECK_H
#define FC_COHERE_CHECK_H

#include "cohere.h"

#define NEVER UINT64_MAX

extern struct round *now;
extern const char *const names[]; /* of calls */

void *room_for(size_t n, size_t size);
/* Something is wrong: true if it is to be explained, as the first ones are. */
bool say(const char *what);
/* Since the round began. */
double ms(uint64_t t);
uint64_t end_of(const struct entry *e);

void check_log(struct round *r, const uint64_t *log, size_t records, uint64_t *calls);

#endif
