/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_xen_requests.c - what a storage domain makes of requests and identities that come from another Xen domain. */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>

#include "storage-domain/caps.h"
#include "storage-domain/xen/check.h"

#define AREAS_LIST ((FC_XEN_REQUEST_PAGES + FC_XEN_DATA_PAGES) * 4)

static bool ok(uint16_t type, uint32_t session, uint64_t arg0, uint32_t text_size)
{
	struct fc_xen_request q = { .type = type, .session = session, .arg = { arg0 }, .text_size = text_size };

	return fc_xen_request_ok(&q);
}

Test(xen_requests, types)
{
	for (unsigned type = 0; type < 300; type++)
		if (type < FC_XEN_HELLO || type >= FC_XEN_TYPES)
			cr_assert_not(ok((uint16_t)type, 0, 0, 0));
	cr_assert(ok(FC_XEN_PING, 0, 0, 0));
	cr_assert(ok(FC_XEN_HELLO, 0, 0, 4096));
	cr_assert(ok(FC_XEN_STAT, 0, 0, FC_XEN_TEXT_MAX));
	cr_assert_not(ok(FC_XEN_STAT, 0, 0, FC_XEN_TEXT_MAX + 1));
	cr_assert_not(ok(FC_XEN_STAT, 0, 0, UINT32_MAX));
}

Test(xen_requests, session_numbers)
{
	cr_assert(ok(FC_XEN_DETACH, FC_XEN_SESSIONS - 1, 0, 0));
	cr_assert_not(ok(FC_XEN_DETACH, FC_XEN_SESSIONS, 0, 0));
	cr_assert_not(ok(FC_XEN_DETACH, UINT32_MAX, 0, 0));
	cr_assert(ok(FC_XEN_FORK, 3, 4, 0));
	cr_assert_not(ok(FC_XEN_FORK, 3, 3, 0));
	cr_assert_not(ok(FC_XEN_FORK, 3, FC_XEN_SESSIONS, 0));
	cr_assert_not(ok(FC_XEN_FORK, 3, 4 + (1ull << 32), 0));
}

Test(xen_requests, texts)
{
	cr_assert(ok(FC_XEN_AREAS, 0, 100, AREAS_LIST));
	cr_assert_not(ok(FC_XEN_AREAS, 0, 100, AREAS_LIST - 4));
	cr_assert_not(ok(FC_XEN_AREAS, 0, 100, AREAS_LIST + 4));
	cr_assert_not(ok(FC_XEN_AREAS, 0, 100, 0));
	cr_assert(ok(FC_XEN_ATTACH, 0, 100, sizeof(struct fc_xen_cred)));
	cr_assert_not(ok(FC_XEN_ATTACH, 0, 100, sizeof(struct fc_xen_cred) - 1));
	cr_assert_not(ok(FC_XEN_CRED, 0, 0, 0));
	cr_assert_not(ok(FC_XEN_PING, 0, 0, 1));
	cr_assert_not(ok(FC_XEN_SHRINK, 0, FC_DATA_MIN, 4));
}

Test(xen_requests, segments)
{
	uint64_t total = FC_DATA_MIN;

	/* each as large as all before it, up to the last, whose list needs all the text there is */
	while (total < FC_DATA_MAX) {
		cr_assert(ok(FC_XEN_GROW, 0, total, (uint32_t)(total / FC_PAGE_SIZE * 4)));
		cr_assert_not(ok(FC_XEN_GROW, 0, total, (uint32_t)(total / FC_PAGE_SIZE * 4 - 4)));
		cr_assert_not(ok(FC_XEN_GROW, 0, total + FC_PAGE_SIZE, (uint32_t)(total / FC_PAGE_SIZE * 4 + 4)));
		total += total;
	}
	cr_assert_not(ok(FC_XEN_GROW, 0, FC_DATA_MAX, 0));
	cr_assert_not(ok(FC_XEN_GROW, 0, 0, 0));
	cr_assert_not(ok(FC_XEN_GROW, 0, FC_DATA_MIN / 2, FC_DATA_MIN / 2 / FC_PAGE_SIZE * 4));
	cr_assert_not(ok(FC_XEN_GROW, 0, 1ull << 63, 0));
	cr_assert_eq(fc_xen_text_pages(0), 0);
	cr_assert_eq(fc_xen_text_pages(1), 1);
	cr_assert_eq(fc_xen_text_pages(FC_PAGE_SIZE), 1);
	cr_assert_eq(fc_xen_text_pages(FC_PAGE_SIZE + 1), 2);
	cr_assert_eq(fc_xen_text_pages(FC_XEN_TEXT_MAX), FC_XEN_TEXT_PAGES);
}

Test(xen_requests, mappings)
{
	const uint64_t most = FC_XEN_MAP_MAX;

	cr_assert(ok(FC_XEN_MAP, 0, FC_PAGE_SIZE, 4));
	cr_assert(ok(FC_XEN_MAP, 0, 3 * FC_PAGE_SIZE, 12));
	cr_assert(ok(FC_XEN_MAP, 0, most, (uint32_t)(most / FC_PAGE_SIZE * 4)));
	cr_assert_not(ok(FC_XEN_MAP, 0, most + FC_PAGE_SIZE, (uint32_t)(most / FC_PAGE_SIZE * 4 + 4)));
	cr_assert_not(ok(FC_XEN_MAP, 0, 0, 0));
	cr_assert_not(ok(FC_XEN_MAP, 0, 2 * FC_PAGE_SIZE, 4));
	cr_assert_not(ok(FC_XEN_MAP, 0, FC_PAGE_SIZE + 1, 4));
	cr_assert_not(ok(FC_XEN_MAP, 0, 1ull << 63, 0));
	cr_assert(ok(FC_XEN_UNMAP, 0, UINT64_MAX, 0)); /* the shadow knows which there are */
	cr_assert_not(ok(FC_XEN_UNMAP, 0, 0, 4));
}

Test(xen_requests, delegations)
{
	cr_assert(ok(FC_XEN_LEASE, 0, UINT64_MAX, 0)); /* the shadow knows what is open */
	cr_assert_not(ok(FC_XEN_LEASE, 0, 3, 4));
	cr_assert(ok(FC_XEN_RETURN, 0, FC_LEASES_ALL, 0));
	cr_assert_not(ok(FC_XEN_RETURN, 0, 0, 4));
	cr_assert_not(ok(FC_XEN_RETURN, FC_XEN_SESSIONS, 0, 0));
}

Test(xen_requests, whom_they_concern)
{
	struct fc_xen_request fork = { .type = FC_XEN_FORK, .session = 3, .arg = { 7 } };
	struct fc_xen_request ping = { .type = FC_XEN_PING };
	struct fc_xen_request grow = { .type = FC_XEN_GROW, .session = 3, .arg = { 7 } };

	cr_assert(fc_xen_request_concerns(&fork, 3) && fc_xen_request_concerns(&fork, 7));
	cr_assert_not(fc_xen_request_concerns(&fork, 0));
	cr_assert_not(fc_xen_request_concerns(&ping, 0));
	cr_assert(fc_xen_request_concerns(&grow, 3));
	cr_assert_not(fc_xen_request_concerns(&grow, 7));
}

/* ---- identities ---- */

static struct {
	struct fc_xen_cred cred;
	uint32_t group[FC_XEN_GROUPS + 1];
} in;
static struct fc_cred out;
static char comm[16];

static int take(uint32_t groups)
{
	in.cred.groups = groups;
	return fc_xen_cred_take(&in, sizeof in.cred + groups * 4, &out, comm);
}

Test(xen_cred, good)
{
	in.cred = (struct fc_xen_cred){ .ruid = 1, .fsuid = 2, .rgid = 3, .fsgid = 4, .caps = ~0ull };
	memset(in.cred.comm, 'x', sizeof in.cred.comm);
	in.group[0] = 27;
	in.group[FC_XEN_GROUPS - 1] = 28;
	cr_assert_eq(take(FC_XEN_GROUPS), 0);
	cr_assert(out.ruid == 1 && out.fsuid == 2 && out.rgid == 3 && out.fsgid == 4);
	cr_assert(out.ngroups == FC_XEN_GROUPS && out.group[0] == 27 && out.group[FC_XEN_GROUPS - 1] == 28);
	cr_assert_eq(out.caps, FC_CAPS_FILES);
	cr_assert_eq(strlen(comm), 15);
	cr_assert(take(0) == 0 && out.ngroups == 0);
}

Test(xen_cred, bad)
{
	in.cred = (struct fc_xen_cred){ .ruid = 1 };
	cr_assert_eq(take(FC_XEN_GROUPS + 1), -E2BIG);
	in.cred.groups = 2;
	cr_assert_eq(fc_xen_cred_take(&in, sizeof in.cred + 4, &out, comm), -EINVAL);
	cr_assert_eq(fc_xen_cred_take(&in, sizeof in.cred + 12, &out, comm), -EINVAL);
	cr_assert_eq(fc_xen_cred_take(&in, sizeof in.cred - 1, &out, comm), -EINVAL);
	in.group[1] = UINT32_MAX;
	cr_assert_eq(take(2), -EINVAL);
	in.cred.fsuid = UINT32_MAX;
	cr_assert_eq(take(0), -EINVAL);
}
