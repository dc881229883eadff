/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xen.h - what the module in the primary domain (front end) and farcall-storaged in the storage domain (back end) say to
 * each other: the Xenbus nodes, the ring for process management, the bells. It owns the format; both ends check what they
 * read. What lies in a session's areas is abi.h's.
 *
 * Xenbus (device type "farcall"; `farcall domain attach` makes the nodes, both ends speak the usual XenbusState)
 *   front end  /local/domain/<primary>/device/farcall/<id>/          back end  /local/domain/<storage>/backend/farcall/<primary>/<id>/
 *     name               of the domain, at most 31 characters            state, frontend, frontend-id
 *     ring-ref           grant of the page with the ring
 *     bells-ref          grant of the page struct fc_xen_bells
 *     event-channel      process management: ring.h's notifications
 *     bells-channel      notifications for sessions
 *     protocol           FC_XEN_VERSION
 *   Initialising: nodes made. Front end: page and channels made, Initialised. Back end: mapped, bound, Connected. Front end
 *   sends HELLO; when it is answered, Connected: the domain is up. Either end leaves with Closing, then Closed.
 *
 * The ring is one of xen/io/ring.h with the structs below; every request gets one response. Messages about one session take
 * effect in the order they stand in the ring; responses come in any order. The front end owns all memory.
 * Text that does not fit into a request stands in up to FC_XEN_TEXT_PAGES pages granted for the time until the response.
 */
#ifndef FARCALL_XEN_H
#define FARCALL_XEN_H

#include "farcall/abi.h"

#define FC_XEN_TYPE "farcall"
#define FC_XEN_VERSION 2
#define FC_XEN_SESSIONS 1024 /* numbers 0.. of sessions of one domain; the front end hands them out */
#define FC_XEN_TEXT_PAGES 5
#define FC_XEN_TEXT_MAX (FC_XEN_TEXT_PAGES * FC_PAGE_SIZE)

#define FC_XEN_REQUEST_PAGES 15 /* of a request area */
#define FC_XEN_DATA_PAGES (FC_DATA_MIN / FC_PAGE_SIZE)
#define FC_XEN_MAP_MAX (FC_DATA_MAX / 2) /* bytes of a shared mapping: as many grants as one text has room for */
#define FC_XEN_MAPS_SINCE 9              /* the minor version of a back end that knows MAP and UNMAP */
#define FC_XEN_LEASES_SINCE 12           /* and LEASE and RETURN */

enum fc_xen_type {
	FC_XEN_HELLO =
		1, /* arg0 = ABI major, arg1 = minor, arg2 = FC_XEN_VERSION. Text out: the exports, as HELLO's in control.h.
			     Response: value0 = generation, value1 = number of exports | ABI minor << 32.
			     -EPROTONOSUPPORT: other major or version. */
	FC_XEN_PING, /* are you there? */
	FC_XEN_ATTACH, /* session (a free number); arg0 = pid, arg1 = umask, arg2 = RLIMIT_FSIZE soft, arg3 = RLIMIT_NOFILE
			     hard, arg4 = RLIMIT_NPROC soft, UINT64_MAX where there is none. Text in: struct fc_xen_cred. */
	FC_XEN_AREAS, /* arg0 = pid of the client, arg1: nonzero = it has executed another program, and what it had mapped (MAP) is
			     gone. Text in: uint32_t grants of the request area's pages, then of the first data segment's. Replaces
			     those it had. */
	FC_XEN_GROW,   /* arg0 = size of the segment, bytes. Text in: uint32_t grants of its pages. */
	FC_XEN_SHRINK, /* arg0 = new length of the data area. Response: the pages behind it are unmapped. */
	FC_XEN_FORK,   /* arg0 = the child's session number, a free one. Response: the child has its copy. */
	FC_XEN_FORKED, /* session = the child's; arg0 = pid */
	FC_XEN_RLIMIT, /* arg2, arg3, arg4 = as for ATTACH; arg0 = arg2 */
	FC_XEN_CRED,   /* Text in: struct fc_xen_cred. Response: later requests run with it. */
	FC_XEN_DETACH, /* Response: the session's process is dead, its locks, descriptors and mappings are gone, the number is
			     free. Also for a session that the back end has already lost (FC bell `dead`): its number is free
			     only after this. */
	FC_XEN_STAT, /* arg0 = uid that asks, UINT64_MAX: the administrator. Text out: struct fc_stat_domain and the asker's
			     sessions (the module leaves out others itself), cut off at the room there is. Response:
			     value0 = bytes, had there been room. */
	FC_XEN_MAP, /* Memory for a shared mapping, which a child from FORK has, too: arg0 = its size, bytes. Text in: uint32_t grants
			     of its pages. Response: value0 = its number in this session (FC_NR_MAP of abi.h). */
	FC_XEN_UNMAP, /* arg0 = such a number. Response: this session has unmapped it; -EBUSY: FC_NR_UNMAP has not come before. */
	FC_XEN_LEASE, /* arg0, arg1 as LEASE's of control.h. Response: value0, value1 = arg1, arg2 of its answer; the lower bits of arg1 are
			     arg0 (FC_LEASES). */
	FC_XEN_RETURN, /* arg0, arg1 as RETURN's of control.h */
	FC_XEN_TYPES
};

struct fc_xen_request {
	uint16_t id; /* front end's, echoed */
	uint16_t type;
	uint32_t session; /* 0 where there is none */
	uint64_t arg[5];
	uint32_t text_size;               /* in: bytes of text; out: room */
	uint32_t text[FC_XEN_TEXT_PAGES]; /* grants, as many as text_size needs; read-only for "text in" */
};

struct fc_xen_response {
	uint16_t id;
	uint16_t type;
	int32_t status; /* 0 or -errno */
	uint64_t value[2];
};

/* Identity of a client, from its kernel. */
struct fc_xen_cred {
	uint32_t ruid, fsuid, rgid, fsgid;
	uint64_t caps;   /* effective, if in the primary's initial user namespace, else 0 */
	uint32_t groups; /* -E2BIG is the module's answer to more than FC_XEN_GROUPS */
	uint32_t reserved;
	char comm[16];    /* of the process, for statistics */
	uint32_t group[]; /* `groups` of them */
};

#define FC_XEN_GROUPS 1024

/*
 * Who is rung. Each bit is a session's; a ringer sets it, then notifies the bells channel if it was not set; the other end
 * takes whole words (exchange with 0) after each event, and then wakes whoever sleeps in those sessions to look at their own
 * words. A bit too many costs a look and nothing else.
 */
struct fc_xen_bells {
	uint64_t to_back[FC_XEN_SESSIONS / 64];  /* front end sets, back end takes: workers */
	uint64_t to_front[FC_XEN_SESSIONS / 64]; /* back end sets, front end takes: clients */
	uint64_t dead[FC_XEN_SESSIONS / 64];     /* the same: sessions that ended in the storage domain */
	uint8_t up; /* back end: 1 while it is connected; its kernel clears it, and notifies the bells channel, when the
		       process that did so is gone, whatever it died of */
	uint8_t pad0[7];
	uint64_t pad[463];
};

#ifndef __cplusplus
FC_ASSERT_LAYOUT(sizeof(struct fc_xen_request) == 72); /* 32 of them in a ring */
FC_ASSERT_LAYOUT(sizeof(struct fc_xen_response) == 24);
FC_ASSERT_LAYOUT(sizeof(struct fc_xen_bells) == FC_PAGE_SIZE);
FC_ASSERT_LAYOUT(sizeof(struct fc_xen_cred) == 48);
FC_ASSERT_LAYOUT(FC_XEN_REQUEST_PAGES *FC_PAGE_SIZE == sizeof(struct fc_request_area));
/* the largest lists: groups; the grants of the last segment, and of a mapping */
FC_ASSERT_LAYOUT(sizeof(struct fc_xen_cred) + 4 * FC_XEN_GROUPS <= FC_XEN_TEXT_MAX);
FC_ASSERT_LAYOUT(FC_DATA_MAX / 2 / FC_PAGE_SIZE * 4 <= FC_XEN_TEXT_MAX);
FC_ASSERT_LAYOUT(FC_XEN_MAP_MAX / FC_PAGE_SIZE * 4 <= FC_XEN_TEXT_MAX && FC_XEN_MAP_MAX <= FC_MAP_MAX);
#endif

#endif
