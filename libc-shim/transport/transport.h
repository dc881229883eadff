/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transport.h - how a domain is reached: transport/local.c (a Unix socket, memfds, futexes; control.h) or xen.c
 * (/dev/syscall; ioctl.h). Everything else of the shim knows neither.
 *
 * All are called with the session's lock held and signals blocked, and return 0 or -errno unless said otherwise. One that
 * finds the domain gone or not keeping to the protocol says so with shim_session_fail and returns -EIO. One whose answer does not
 * come in time fails, and the session goes on; but for `cred`, after which it must not. -ENOMEM: nothing has been asked, for want of memory.
 */
#ifndef FC_SHIM_TRANSPORT_H
#define FC_SHIM_TRANSPORT_H

#include "common/doorbell.h"
#include "farcall/control.h"
#include "libc-shim/session/lease.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"

/* What a child of this process will inherit of one session. */
struct shim_offspring {
	int sock; /* -1 = nothing: the child attaches by itself when it needs to */
	uint64_t token[2];
	uint64_t id;
	uint32_t room; /* in this very session (guest.c), 0 = none */
};

/* A delegation (lease.h). */
struct shim_grant {
	uint64_t word, bytes;
	bool posts; /* writes may be posted */
	int file;   /* to be mapped; -1: it is not to be had */
};

/* From what a domain has answered (control.h, LEASE), and whether it can be one. */
static inline struct shim_grant shim_grant_of(uint64_t word, uint64_t bytes, uint64_t wants, int file)
{
	return (struct shim_grant){ word, bytes & ~(FC_LEASE_POSTS | FC_LEASE_BARE), wants & bytes & FC_LEASE_POSTS,
				    file };
}

static inline bool shim_grant_ok(const struct shim_grant *g)
{
	return g->word > SHIM_LEASE_ASKED && shim_lease_index(g->word) < FC_LEASES && g->bytes <= INT64_MAX &&
	       (g->bytes || g->posts);
}

/* Something that another process has open. */
struct shim_other {
	int64_t descriptor; /* the domain's, of this session */
	int64_t position;
	int64_t flags;
};

struct shim_transport {
	/* How this end of a session sleeps and wakes. */
	const struct fc_bell_ops *bell;
	/* The domain's workers run on CPUs of their own: whoever spins for them takes nothing away from them. */
	bool apart;
	/* The memory is made of descriptors that another image of the process can map (shim_part_keep). */
	bool keeps;

	/* A connection that is a session without areas: fills s->sock (hidden) and s->token. */
	int (*attach)(struct shim_session *s);

	/* A memfd of `size` bytes (at most FC_DATA_MAX) that the domain makes, for those whose own limits forbid it; or -errno. Null: it
	 * does not. */
	int (*memory)(struct shim_session *s, size_t size);

	/* The open file behind a domain descriptor, as a descriptor of this process, beyond its limit if need be; or -errno, as FC_MSG_HAND.
	 * Null: there is no way for one. */
	int (*hand)(struct shim_session *s, int descriptor);

	/* A delegation of what is open as a domain descriptor. `wants`: FC_LEASE_*. 0 or -errno, as FC_MSG_LEASE. And the end of one, or of
	 * SHIM_LEASE_ALL. Null: there are none. */
	int (*lease)(struct shim_session *s, int descriptor, uint64_t wants, struct shim_grant *g);
	void (*give_back)(struct shim_session *s, uint64_t word);

	/* bind(2) of a socket of this process at a path (at most as long as an address has room for) in the domain; inotify_add_watch(2) of an
	 * instance of this process for a domain descriptor, which returns the watch. As the calls; null: there is no way for them. */
	int (*bind)(struct shim_session *s, int sock, const char *path);
	int (*watch)(struct shim_session *s, int inotify, int descriptor, uint32_t mask);

	/* A ticket for a domain descriptor that is sent to process `to`, as `hand`; a descriptor for a ticket. Not null where `hand` is not. */
	int (*pass)(struct shim_session *s, int descriptor, int to, int self);
	int (*claim)(struct shim_session *s, int ticket, struct shim_other *o);
	/* Memory for a shared mapping, zeroed, at *at; inherited by forks. Returns its number in the domain, or -errno. */
	int (*map)(struct shim_session *s, size_t size, bool writable, long *at);
	/* The domain does not use it any more. Null: and that is all. */
	int (*unmap)(struct shim_session *s, int number);

	/* Map a request area anywhere and the first data segment at s->data, both zeroed and not inherited by forks; let `init`
	 * put into the area what must be there before the domain sees it; hand both to the domain. Fills s->area, also on
	 * an error if it is mapped. */
	int (*areas)(struct shim_session *s, void (*init)(struct fc_request_area *area));

	/* Map one more data segment behind the `length` bytes there are, as large as they; the domain has it too. */
	int (*grow)(struct shim_session *s, size_t length);
	/* The domain is to let go of what lies behind `length`; the caller unmaps it next. On an error it keeps it. */
	int (*shrink)(struct shim_session *s, size_t length);

	/* A copy of the session for a child (-EAGAIN: not in time); and which process that has become. */
	int (*fork)(struct shim_session *s, struct shim_offspring *o);
	void (*forked)(struct shim_session *s, uint64_t id, int pid);

	/* Return when the domain has taken all that has been said in this session: before the ids of the caller change. */
	void (*settle)(struct shim_session *s);
	/* The ids of the caller have changed (fsuid, fsgid: to what, or -1); its RLIMIT_FSIZE has. */
	int (*cred)(struct shim_session *s, uint64_t fsuid, uint64_t fsgid);
	int (*rlimit)(struct shim_session *s, uint64_t soft, uint64_t hard);

	/* Return when the domain holds nothing of the dead process `pid` any more, or has not said so in time. Also for a session that is
	 * not attached. */
	void (*gone)(struct shim_session *s, int pid);
	/* A descriptor of what process `pid` has open as `number` (-1: its directory); `self`: the caller, as whoever gives such numbers
	 * counts. Null: it knows nothing of processes. */
	int (*other)(struct shim_session *s, int pid, int number, int self, struct shim_other *o);
	/* Return when it holds nothing of this session: the process ends. */
	void (*bye)(struct shim_session *s);

	/* There will be no more messages (or there will be, after all): then whether it is over can be seen by reading. Null: it cannot. */
	void (*deafen)(struct shim_session *s, bool deaf);

	/* Null, or why the session is over. Any time, without the lock. */
	const char *(*lost)(struct shim_session *s);
};

extern const struct shim_transport shim_transport_local, shim_transport_xen;

static inline const struct shim_transport *shim_transport(const struct shim_session *s)
{
	return shim.config.domain[s->domain].xen ? &shim_transport_xen : &shim_transport_local;
}

#endif
