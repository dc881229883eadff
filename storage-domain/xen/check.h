/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.h - whether what a front end says is well-formed. It looks at copies only and knows no session. */
#ifndef FC_DOMAIN_XEN_CHECK_H
#define FC_DOMAIN_XEN_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "farcall/xen.h"
#include "storage-domain/shadow/shadow.h"

/* Is it a request at all: known type, session number in range, text of the size that its type and arguments call for? */
bool fc_xen_request_ok(const struct fc_xen_request *q);

/* Is it about one session (which `session` then names), rather than the domain? */
bool fc_xen_request_of_session(const struct fc_xen_request *q);

/* Does it concern session `number`: as its own, or as the child that it makes? */
bool fc_xen_request_concerns(const struct fc_xen_request *q, uint32_t number);

/* The pages that `bytes` of text stand on. */
static inline uint32_t fc_xen_text_pages(uint32_t bytes)
{
	return (bytes + FC_PAGE_SIZE - 1) / FC_PAGE_SIZE;
}

/* Turn a struct fc_xen_cred of `size` bytes into an identity, capabilities cut to those about files. Returns 0, -EINVAL or
 * -E2BIG (too many groups). `comm` is terminated. */
int fc_xen_cred_take(const void *text, size_t size, struct fc_cred *cred, char comm[16]);

#endif
