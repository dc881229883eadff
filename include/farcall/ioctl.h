/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ioctl.h - /dev/syscall, the way from a process of the primary domain to a storage domain that is another Xen virtual
 * machine. It owns the numbers and structs that the shim, the `farcall` command and the module (frontend-kmod/) agree
 * on; what lies in the memory is abi.h's.
 *
 * One open file is one session: open; ATTACH; AREAS; mmap the two areas and initialise them; OFFER; requests go through
 * memory, RING and WAIT are for when somebody sleeps. The last close ends the session, whatever is in flight. The file of a forked child comes from FORK.
 *
 *   - Each struct starts with its own size, set by the caller: larger than the module's is fine if the rest is zero (else
 *     E2BIG), smaller is EINVAL. Reserved fields are zero.
 *   - A session belongs to one process, the one that attached or (after FORK) the first other one that uses the file:
 *     anybody else gets EPERM, but for a vfork child that still runs in its memory. And to one user: whose real uid is neither
 *     root's nor the one that the domain was told (nor, for a second, the one before that) gets EPERM from everything but CRED and
 *     WAIT, mmap included. A child's file is taken up by a process of that user, or by a child of the one it was made by, with CRED.
 *   - Errors common to all: ENODEV or EIO (the domain is gone; for a session: it is over), ENOTCONN (no ATTACH yet), EBUSY.
 *   - The identity of the caller, its pid and its limits are never arguments: the module takes them from the task.
 */
#ifndef FARCALL_IOCTL_H
#define FARCALL_IOCTL_H

#ifdef __KERNEL__
#include <linux/ioctl.h>
#include <linux/types.h>
#else
#include <stdint.h>
#include <sys/ioctl.h>
#endif

#define FC_DEVICE "/dev/syscall"
#define FC_IOC_VERSION 1
#define FC_IOC_NAME_MAX 32   /* of a domain, with NUL */
#define FC_IOC_TEXT_MAX 4096 /* of the exports: as HELLO's in control.h */

/* mmap: shared, exactly these places and lengths. The data area grows: map what GROW has added, at FC_MAP_DATA + its
 * offset. Mappings are not inherited by fork, and cannot be made executable or larger. */
#define FC_MAP_PAGE 0x0ull          /* the domain page, one page, PROT_READ only */
#define FC_MAP_REQUESTS 0x100000ull /* the request area: sizeof(struct fc_request_area) */
#define FC_MAP_DATA 0x10000000ull   /* + offset: whole segments of the data area */

/* LIST: the domain number `index` (0, 1, ...); ENOENT behind the last one. On a file without session. */
struct fc_ioc_list {
	uint32_t size;
	uint32_t index;      /* in */
	uint32_t domid;      /* out: Xen's number */
	uint32_t state;      /* out: FC_DOMAIN_* of abi.h */
	uint64_t generation; /* out */
	uint32_t sessions;   /* out: of all processes of the primary */
	uint32_t exports;    /* out: in `text` */
	uint32_t version;    /* out: FC_IOC_VERSION of the module */
	uint32_t text_size;  /* out: bytes used of it */
	char name[FC_IOC_NAME_MAX];
	uint64_t
		text; /* in: where FC_IOC_TEXT_MAX bytes of exports go: "rw PREFIX" NUL "ro PREFIX" NUL...; 0: nowhere */
};

/* ATTACH: become a session with the domain of this name. Does not wait for the domain: if it refuses, the session ends,
 * and everything fails with EIO. EAGAIN: too many sessions of this user or in all; ENOENT: no such domain; EPERM: the caller has another
 * mount namespace or root directory than the first process (see the module's parameter any_root). */
struct fc_ioc_attach {
	uint32_t size;
	uint32_t umask;
	char name[FC_IOC_NAME_MAX];
	uint32_t session; /* out: its number */
	uint32_t minor;   /* in: 0; out: of the ABI that the domain speaks (a module from before there was this: 0) */
};

/* AREAS: a request area and the first data segment, all zeroes, which mmap then finds; instead of those the session had, which the
 * domain is told to let go of by the next OFFER. ENOSPC: out of grants; ENOMEM. */
struct fc_ioc_areas {
	uint32_t size;
	uint32_t reserved;
};

/* GROW: another data segment, as large as all before it. Returns when the domain has mapped it. ENOMEM at FC_DATA_MAX. */
/* SHRINK: back to `length`, a segment boundary. The pages go when the domain has let go of them: unmap them first. */
struct fc_ioc_length {
	uint32_t size;
	uint32_t reserved;
	uint64_t length; /* GROW: out, SHRINK: in: bytes of the data area */
};

/* FORK: a shadow for a child: with this session's descriptors, directory and credentials, as they are now. */
struct fc_ioc_fork {
	uint32_t size;
	int32_t fd;       /* out: the child's file, close-on-exec */
	uint32_t session; /* out */
	uint32_t reserved;
};

/* FORKED: the parent names the process that the child's file (by session number) is for. EPERM: not a child of it. */
struct fc_ioc_forked {
	uint32_t size;
	uint32_t session;
	int32_t pid; /* as the caller sees it */
	uint32_t reserved;
};

/* OFFER: the caller has initialised the areas of the last AREAS as abi.h says: the domain maps them. Does not wait for it. */
struct fc_ioc_offer {
	uint32_t size;
	uint32_t fresh; /* 1: what a program before this one had mapped (MAP) is gone */
};

/* MAP: memory for a shared mapping, which the domain has, too. `fd`: a file in memory, as memfd_create(2) makes them, sealed against growing and
 * shrinking, whose pages are those of the domain for as long as this session or one that has been forked from it is there and has not said UNMAP;
 * whoever has it mapped keeps it. EINVAL: not whole pages; ENOMEM: more than FC_XEN_MAP_MAX, or the domain has no room; ENOSPC: no grants;
 * EOPNOTSUPP: the domain is too old. */
struct fc_ioc_map {
	uint32_t size;
	int32_t fd;      /* out: close-on-exec */
	uint64_t length; /* in, bytes */
	uint32_t number; /* out: the domain's, for FC_NR_MAP */
	uint32_t reserved;
};

/* UNMAP: the domain has been told (FC_NR_UNMAP), and this session needs that memory no more. ENOENT: it has none of that number; EBUSY: the
 * domain still has it mapped: it stays until the session is over. */
struct fc_ioc_unmap {
	uint32_t size;
	uint32_t number;
};

/* LEASE: a delegation of what is open as domain descriptor `descriptor` (control.h). `wants`, `word`, `bytes`: arg1 of the question, arg1 and arg2 of
 * the answer. RETURN: `which`, `word` as its arg0 and arg1. Errors as there; EOPNOTSUPP: or the domain is too old. */
struct fc_ioc_lease {
	uint32_t size;
	uint32_t reserved;
	uint64_t descriptor;
	uint64_t wants;
	uint64_t word;  /* out */
	uint64_t bytes; /* out */
};

struct fc_ioc_return {
	uint32_t size;
	uint32_t reserved;
	uint64_t which;
	uint64_t word;
};

/* CRED: the caller's identity has changed; returns when every later request runs with the one it has now. */
/* RLIMIT: the same for its RLIMIT_FSIZE, RLIMIT_NOFILE and RLIMIT_NPROC. */
/* BYE: returns when the session's descriptors and locks are gone; the session is over. */
/* RING: wake the domain's workers; a word in the areas says why. */
struct fc_ioc_none {
	uint32_t size;
	uint32_t reserved;
};

/* GONE: the caller has reaped `pid`: returns when the domain holds nothing of its sessions any more. EBUSY: it lives. Sessions of
 * other users count only if `pid` was the caller's child, or for root. On any file, also one without session. */
struct fc_ioc_gone {
	uint32_t size;
	int32_t pid; /* as the caller sees it */
};

/* WAIT: sleep while the 32-bit word at `offset` of the request area is `seen`. 0: it differs (or might); ETIMEDOUT; EINTR
 * for a signal whose handler has no SA_RESTART (with it, the wait goes on by itself); EIO: the session is over. */
struct fc_ioc_wait {
	uint32_t size;
	uint32_t offset;
	uint32_t seen;
	uint32_t reserved;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; 0: none */
};

/* STAT: what farcall.h describes, as the domain says it, cut off at the room there is (and at FC_XEN_TEXT_MAX of xen.h); of the sessions
 * only those of the caller's user, but for root. On any file, also one without session. */
struct fc_ioc_stat {
	uint32_t size;
	uint32_t reserved;
	char name[FC_IOC_NAME_MAX];
	uint64_t buffer;
	uint64_t length; /* in: room, out: bytes */
};

/* CLEANUP: give up a domain that is dead or hangs: mark it dead, wake everybody with EIO, let go of what can be let go of.
 * CAP_SYS_ADMIN. `leaked`: pages that the hypervisor still holds for it; the module frees them when it lets go. */
struct fc_ioc_cleanup {
	uint32_t size;
	uint32_t leaked; /* out */
	char name[FC_IOC_NAME_MAX];
};

#define FC_IOC_MAGIC 0xfc
#define FC_IOC_LIST _IOWR(FC_IOC_MAGIC, 0, struct fc_ioc_list)
#define FC_IOC_ATTACH _IOWR(FC_IOC_MAGIC, 1, struct fc_ioc_attach)
#define FC_IOC_AREAS _IOW(FC_IOC_MAGIC, 2, struct fc_ioc_areas)
#define FC_IOC_GROW _IOWR(FC_IOC_MAGIC, 3, struct fc_ioc_length)
#define FC_IOC_SHRINK _IOW(FC_IOC_MAGIC, 4, struct fc_ioc_length)
#define FC_IOC_FORK _IOWR(FC_IOC_MAGIC, 5, struct fc_ioc_fork)
#define FC_IOC_FORKED _IOW(FC_IOC_MAGIC, 6, struct fc_ioc_forked)
#define FC_IOC_CRED _IOW(FC_IOC_MAGIC, 7, struct fc_ioc_none)
#define FC_IOC_RLIMIT _IOW(FC_IOC_MAGIC, 8, struct fc_ioc_none)
#define FC_IOC_BYE _IOW(FC_IOC_MAGIC, 9, struct fc_ioc_none)
#define FC_IOC_GONE _IOW(FC_IOC_MAGIC, 10, struct fc_ioc_gone)
#define FC_IOC_RING _IOW(FC_IOC_MAGIC, 11, struct fc_ioc_none)
#define FC_IOC_WAIT _IOW(FC_IOC_MAGIC, 12, struct fc_ioc_wait)
#define FC_IOC_STAT _IOWR(FC_IOC_MAGIC, 13, struct fc_ioc_stat)
#define FC_IOC_CLEANUP _IOWR(FC_IOC_MAGIC, 14, struct fc_ioc_cleanup)
#define FC_IOC_OFFER _IOW(FC_IOC_MAGIC, 15, struct fc_ioc_offer)
#define FC_IOC_MAP _IOWR(FC_IOC_MAGIC, 16, struct fc_ioc_map)
#define FC_IOC_UNMAP _IOW(FC_IOC_MAGIC, 17, struct fc_ioc_unmap)
#define FC_IOC_LEASE _IOWR(FC_IOC_MAGIC, 18, struct fc_ioc_lease)
#define FC_IOC_RETURN _IOW(FC_IOC_MAGIC, 19, struct fc_ioc_return)

#ifndef __cplusplus
_Static_assert(sizeof(struct fc_ioc_list) == 80, "ioctl.h: layout");
_Static_assert(sizeof(struct fc_ioc_attach) == 48, "ioctl.h: layout");
_Static_assert(sizeof(struct fc_ioc_wait) == 24, "ioctl.h: layout");
_Static_assert(sizeof(struct fc_ioc_stat) == 56, "ioctl.h: layout");
_Static_assert(sizeof(struct fc_ioc_offer) == sizeof(struct fc_ioc_none), "ioctl.h: layout");
_Static_assert(sizeof(struct fc_ioc_map) == 24, "ioctl.h: layout");
#endif

#endif
