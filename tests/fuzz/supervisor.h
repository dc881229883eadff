/* SPDX-License-Identifier: GPL-2.0-or-later */
/* supervisor.h - what a target may add to the supervisor's life as supervisor.c models it. */
#ifndef FC_TESTS_FUZZ_SUPERVISOR_H
#define FC_TESTS_FUZZ_SUPERVISOR_H

#include "storage-domain/supervisor/supervisor.h"

void supervisor_begins(struct fc_supervisor *v) __attribute__((weak));
void supervisor_ends(struct fc_supervisor *v) __attribute__((weak));
void supervisor_after(void) __attribute__((weak));

/* A descriptor that can be watched, and is ready when the input says so. */
int supervisor_fd(void);

#endif
