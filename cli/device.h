/* SPDX-License-Identifier: GPL-2.0-or-later */
/* device.h - /dev/syscall as the command uses it: which Xen domains there are, what they say of themselves. */
#ifndef FC_CLI_DEVICE_H
#define FC_CLI_DEVICE_H

#include <stdbool.h>
#include <stddef.h>

#include "farcall/ioctl.h"

/* The domain number `index`; its exports into `text` (FC_IOC_TEXT_MAX bytes) if that is not null. Returns 0, -ENOENT behind
 * the last one, or why there is no device. */
int fc_device_list(unsigned index, struct fc_ioc_list *entry, char *text);

/* The same for the domain of that name. -ESRCH: there is none. */
int fc_device_find(const char *name, struct fc_ioc_list *entry, char *text);

/* The domain's figures (farcall.h), malloc'ed. Returns bytes or -errno. */
long fc_device_stat(const char *name, void **figures);

/* Give the domain up. Returns the number of pages that Xen still holds for it, or -errno. */
long fc_device_cleanup(const char *name);

/* Whether `text` can name a Xen domain: no slash, not too long. */
bool fc_device_name_ok(const char *text);

/* What -errno of the above means, and what to do; static memory. */
const char *fc_device_problem(const char *name, int err);

#endif
