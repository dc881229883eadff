/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * honest.h - a program that uses the domain as it should, and measures what that costs: it holds one session, on which
 * it calls, and attaches again and again.
 */
#ifndef FC_TESTS_HONEST_H
#define FC_TESTS_HONEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define HONEST_SAMPLES 65536

/* Shared by the program and whoever watches it. */
struct honest {
	pid_t pid;
	uid_t uid;
	bool greedy;         /* to be refused for what its user already has is no error */
	_Atomic bool wanted; /* it is to work */
	_Atomic bool busy;   /* it has a session, or does not come to one */
	_Atomic unsigned errors, refused;
	/* since it was started last */
	_Atomic unsigned attaches, calls;
	uint32_t attach_us[HONEST_SAMPLES], call_us[HONEST_SAMPLES];
};

/* At the 99th percentile; of fewer than 100 the second worst, of fewer than 20 the worst. */
struct honest_speed {
	unsigned attaches, calls;
	double attach_ms, call_ms;
};

/* Fork it, at rest. It ends with its parent. */
struct honest *honest_begin(uid_t uid, bool greedy);
/* Set it to work with fresh figures, and to rest: without any session. False: it does not do so within seconds. */
bool honest_start(struct honest *h);
bool honest_stop(struct honest *h);
struct honest_speed honest_speed(struct honest *h);
void honest_end(struct honest *h);

#endif
