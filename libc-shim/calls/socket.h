/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* socket.h - the control part of a message, in the application's memory or in a copy. */
#ifndef FC_SHIM_SOCKET_H
#define FC_SHIM_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* The header at `at` of `size` bytes, and how far it is to the next one; 0: there is none. What is no control part the kernel refuses. */
size_t shim_next_control(const char *control, size_t at, size_t size, struct cmsghdr *h);

static inline bool shim_is_rights(const struct cmsghdr *h)
{
	return h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS;
}

#endif
