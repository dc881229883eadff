/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.h - a session: one process attached to one domain. session.c has its state, areas.c its memory; data.h has what is in it.
 */
#ifndef FC_SHIM_SESSION_H
#define FC_SHIM_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/control.h"
#include "farcall/abi.h"
#include "libc-shim/lock.h"
#include "libc-shim/request/request.h"
#include "libc-shim/session/post.h"

struct shim_process;

#define SHIM_DOMAINS 8
#define SHIM_SLOTS_SIZE (FC_ENTRIES * sizeof(struct shim_slot))
#define SHIM_CHUNKS (FC_DATA_MAX / FC_CHUNK)

#define SHIM_PARTS (FC_SEGMENTS_MAX + 1)

struct shim_part {
	int fd;
	uint32_t size;
};

enum shim_session_state {
	SHIM_SESSION_NONE = 0, /* not attached: attach at the first remote call */
	SHIM_SESSION_BARE,     /* a connection, but no areas yet: after fork or exec */
	SHIM_SESSION_READY,
	SHIM_SESSION_DEAD, /* the domain or the shadow is gone: every call is EIO */
};

struct shim_session {
	uint32_t state; /* enum shim_session_state */
	unsigned domain;
	int sock; /* the connection (Xen: /dev/syscall), a hidden descriptor */
	uint64_t token[2];
	uint32_t ruid; /* real user id of the process, as far as the domain knows */
	int32_t taken_from; /* the process that has the domain's descriptors, if they may be had without asking; -1: they may not; 0: not known */
	uint64_t taken_ino;    /* which process that is, of all that ever have that number: its pidfd's inode */
	bool taken_sure;       /* it has answered since it has been looked at */
	uint32_t serial;       /* of the last control request */
	uint32_t owed;         /* answers to earlier ones that have not come in time */
	uint32_t leaving;      /* the thread whose exec hands it on: nobody else says anything until that has failed */
	bool told;             /* something has been said since the last answer */
	struct shim_lock lock; /* attach, grow, fork: whatever uses `sock` and `packet` */
	struct fc_packet packet; /* the answer to the last control message */

	struct shim_requests requests;
	struct shim_posts posts;
	char *data;
	uint32_t chunks; /* usable data chunks */
	uint32_t peak;   /* the highest chunk in use since the last look at shrinking */
	uint32_t naps;   /* sleeps since then */
	bool fresh; /* inherited by exec, and the domain has not been told so: what the image before had mapped is gone */
	bool keep;     /* what the memory is made of is kept, for a next image that can make none: */
	uint32_t kept; /* parts, the request area first */
	struct shim_part part[SHIM_PARTS]; /* hidden descriptors */
	bool divided;                      /* into rooms, of which this one is ours: */
	bool deaf;                         /* its connection is only there to end */
	bool lent;                         /* there is, or has been, somebody else in it */
	uint32_t room;
	uint16_t chunk_owner[SHIM_CHUNKS]; /* slot + 1, 0 = free */
};

static inline struct shim_session *shim_session_of(struct shim_requests *q)
{
	return (struct shim_session *)((char *)q - offsetof(struct shim_session, requests));
}

/* The session of a domain, attached and with areas. *s is null on error. Returns 0, -EIO (dead), or why attaching failed. */
int shim_session_get(struct shim_process *p, unsigned domain, struct shim_session **s);
bool shim_is_attached(const struct shim_session *s);
/* Is the other end still there? Marks the session dead if not. */
bool shim_session_alive(struct shim_session *s);
void shim_session_fail(struct shim_session *s, const char *why);
void shim_session_reset(struct shim_session *s, unsigned domain); /* to NONE, forgetting everything; unmaps nothing */
/* Lock one session, or all that a process has, to send control messages. The domain takes none from anybody whose real user id is not
 * the session's (nor 0). A thread may have another one, while the C library changes them in one thread after the other, by a
 * signal: it is waited for. */
void shim_session_lock(struct shim_session *s, struct shim_lock_state *saved);
/* The same, whoever the domain thinks one is. */
void shim_session_enter(struct shim_session *s, struct shim_lock_state *saved);
/* The caller is about to execute a program that gets its sessions: answers must not come when it is there already. Or the exec has failed. */
void shim_sessions_leave(struct shim_process *p, bool leave);
void shim_sessions_lock(struct shim_process *p, struct shim_lock_state saved[SHIM_DOMAINS]);
void shim_sessions_unlock(struct shim_process *p, const struct shim_lock_state saved[SHIM_DOMAINS]);
bool shim_session_speaks(const struct shim_session *s); /* would it take a message from this thread? */

/* ---- areas.c ---- */

int shim_areas(struct shim_session *s);   /* BARE -> READY: new areas; the session locked */
int shim_grow(struct shim_session *s);    /* add a data segment; -ENOMEM at the limit */
void shim_shrink(struct shim_session *s); /* give the last one back, if nothing is in it */
void shim_areas_unmap(struct shim_session *s);
int shim_areas_keep(struct shim_session *s); /* make them anew, and keep what they are made of; nobody is in a call */
void shim_part_keep(struct shim_session *s, int fd, size_t size); /* a part just made: it is kept, or done with */
void shim_parts_close(struct shim_session *s);
int shim_borrow(struct shim_session *s,
		size_t size); /* a memfd that the domain has made, of an attached session; or -errno */
/* A memfd that is mapped at `at` is mapped for reading only instead, anywhere: no mprotect makes it writable then. The address or -errno; what was at `at` is
 * gone. */
long shim_map_for_reading(int fd, long at, size_t size);

/* ---- guest.c ---- */

/* From `slot` and `chunk` on to their ends, exclusively. */
struct shim_room {
	uint32_t slot, slots_end, chunk, chunks_end;
};
#define SHIM_DIVIDED_CHUNKS 32u

void shim_rooms_divide(struct shim_session *s); /* if its memory is kept, and as large as that: nobody is in a call */
struct shim_room shim_room_own(const struct shim_session *s); /* all there is, if it is not divided */
void shim_room_enter(struct shim_session *s, uint32_t n); /* in the one who lives there, who has nothing in flight */
void shim_guest_arrive(struct shim_process *p, struct shim_session *s, uint32_t n); /* the same in a new one */
void shim_guest_leave(
	struct shim_session *s); /* the only thread of a process is about to exit: it makes no calls any more */
/* For a child that is about to be made; 0 = there is none. */
uint32_t shim_room_for_guest(struct shim_process *p, struct shim_session *s);

/* ---- hand.c ---- */

/* The open file behind a domain descriptor, for this process to have (control.h, HAND): a descriptor for shim_done_with, or -errno.
 * -EOPNOTSUPP: not to be had from this domain, or of this export. */
int shim_hand(struct shim_process *p, unsigned domain, int descriptor);

/* The other way: bind(2) and inotify_add_watch(2) on what this process has, about what is in the domain. As the calls, and -EOPNOTSUPP. */
int shim_hand_bind(struct shim_process *p, unsigned domain, int sock, const char *path);
int shim_hand_watch(struct shim_process *p, unsigned domain, int inotify, int descriptor, uint32_t mask);

/* What is not handed over, on its way to another client: a ticket for it, as shim_hand (`to`, `self`: processes, as we count); and the domain
 * descriptor that there is for a ticket. */
int shim_hand_pass(struct shim_process *p, unsigned domain, int descriptor, int to, int self);
struct shim_other;
int shim_hand_claim(struct shim_process *p, unsigned domain, int ticket, struct shim_other *o);

/* Memory for a shared mapping, which the domain has too: mapped at *at, writable or never to be made so. Returns its number (FC_NR_MAP), or -errno;
 * -EOPNOTSUPP: not with this domain. */
int shim_hand_memory(struct shim_process *p, unsigned domain, size_t size, bool writable, long *at);
/* The domain has been told that it is over (FC_NR_UNMAP); whoever keeps account of the memory is told now. */
void shim_hand_return(struct shim_process *p, unsigned domain, int number);

#endif
