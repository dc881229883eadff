/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check.c - see check.h. */
#include "storage-domain/xen/check.h"

#include <errno.h>
#include <string.h>

#include "storage-domain/caps.h"

bool fc_xen_request_of_session(const struct fc_xen_request *q)
{
	return q->type != FC_XEN_HELLO && q->type != FC_XEN_PING && q->type != FC_XEN_STAT;
}

bool fc_xen_request_concerns(const struct fc_xen_request *q, uint32_t number)
{
	return fc_xen_request_of_session(q) &&
	       (q->session == number || (q->type == FC_XEN_FORK && q->arg[0] == number));
}

/* A segment that may follow the first one: as large as all before it. */
static bool segment_ok(uint64_t size)
{
	return size >= FC_DATA_MIN && size <= FC_DATA_MAX / 2 && (size & (size - 1)) == 0;
}

static bool map_ok(uint64_t size)
{
	return size && size <= FC_XEN_MAP_MAX && size % FC_PAGE_SIZE == 0;
}

static bool text_ok(const struct fc_xen_request *q)
{
	switch (q->type) {
	case FC_XEN_HELLO:
	case FC_XEN_STAT:
		return true;
	case FC_XEN_ATTACH:
	case FC_XEN_CRED:
		return q->text_size >= sizeof(struct fc_xen_cred);
	case FC_XEN_AREAS:
		return q->text_size == (FC_XEN_REQUEST_PAGES + FC_XEN_DATA_PAGES) * sizeof(uint32_t);
	case FC_XEN_GROW:
		return segment_ok(q->arg[0]) && q->text_size == q->arg[0] / FC_PAGE_SIZE * sizeof(uint32_t);
	case FC_XEN_MAP:
		return map_ok(q->arg[0]) && q->text_size == q->arg[0] / FC_PAGE_SIZE * sizeof(uint32_t);
	default:
		return !q->text_size;
	}
}

bool fc_xen_request_ok(const struct fc_xen_request *q)
{
	if (q->type < FC_XEN_HELLO || q->type >= FC_XEN_TYPES || q->text_size > FC_XEN_TEXT_MAX)
		return false;
	if (fc_xen_request_of_session(q) && q->session >= FC_XEN_SESSIONS)
		return false;
	if (q->type == FC_XEN_FORK && (q->arg[0] >= FC_XEN_SESSIONS || q->arg[0] == q->session))
		return false;
	return text_ok(q);
}

int fc_xen_cred_take(const void *text, size_t size, struct fc_cred *cred, char comm[16])
{
	struct fc_xen_cred c;

	if (size < sizeof c)
		return -EINVAL;
	memcpy(&c, text, sizeof c);
	if (c.groups > FC_XEN_GROUPS)
		return -E2BIG;
	if (size != sizeof c + c.groups * sizeof cred->group[0])
		return -EINVAL;
	/* -1 is nobody's id: where an id is set, it means to leave the old one */
	if (c.ruid == UINT32_MAX || c.fsuid == UINT32_MAX || c.rgid == UINT32_MAX || c.fsgid == UINT32_MAX)
		return -EINVAL;
	cred->ruid = c.ruid;
	cred->payer = c.ruid;
	cred->fsuid = c.fsuid;
	cred->rgid = c.rgid;
	cred->fsgid = c.fsgid;
	cred->caps = c.caps & FC_CAPS_FILES;
	cred->ngroups = (int)c.groups;
	memcpy(cred->group, (const char *)text + sizeof c, c.groups * sizeof cred->group[0]);
	for (uint32_t i = 0; i < c.groups; i++)
		if (cred->group[i] == UINT32_MAX)
			return -EINVAL;
	memcpy(comm, c.comm, sizeof c.comm);
	comm[sizeof c.comm - 1] = '\0';
	return 0;
}
