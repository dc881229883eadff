/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shadow.h - the state of one shadow process: what stands in the domain for one client process.
 *
 * The seam between the process side (supervisor.c, reserve.c, shadow_main.c, cred.c, confine.c, roster.c: who exists, as whom,
 * confined how) and the execution side (worker.c, execute.c, path.c, ...: what a request does). The process side fills
 * the struct in and maps the areas; the execution side starts workers on it. Neither knows the transport.
 */
#ifndef FC_DOMAIN_SHADOW_H
#define FC_DOMAIN_SHADOW_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/doorbell.h"
#include "common/spin.h"
#include "farcall/abi.h"
#include "farcall/farcall.h"
#include "storage-domain/budget.h"
#include "storage-domain/clerk.h"

/* The identity requests run with. Vouched for by the kernel of the client's machine, never by the client. */
struct fc_cred {
	uid_t ruid, fsuid; /* real (for access(2)) and file-system user */
	gid_t rgid, fsgid;
	uid_t payer;       /* whose budget it is (budget.h); the supervisor's business alone, as is: */
	bool traces;       /* the client may look into others' processes */
	uint64_t caps;     /* the client's effective capabilities, already cut to the file-system ones */
	int ngroups;       /* -1: the daemon's own groups (a domain in a user namespace cannot change them) */
	gid_t group[1024]; /* NGROUPS_MAX is 65536: a client with more than 1024 is refused */
};

/* One export, mounted at `prefix` inside the domain's root. */
struct fc_export {
	char *prefix; /* absolute, normal form, no trailing slash */
	bool read_only;
	bool nomap;        /* nothing of it is handed over (control.h, HAND) */
	bool nocache;      /* nothing of it is delegated (control.h, LEASE) */
	bool sync;         /* no writes to it are posted (abi.h, struct fc_ring) */
	int root_fd;       /* O_PATH on the mount's root, below FC_DOMAIN_FD_FIRST: not a client's */
	uint64_t mount_id; /* statx STATX_MNT_ID */
	uint64_t dev, ino; /* of the root */
};

struct fc_exports {
	unsigned count;
	uint64_t skeleton_dev; /* st_dev of the read-only tmpfs that holds the mount points: an object on it is no
				  object of an export, so a walk that ended there has left the domain */
	struct fc_export export[FC_EXPORTS_MAX];
};

/* The one signal that a shadow may send: to make a worker's blocking call return, or its own lease_watch.h look. Not a real-time signal: those queue
 * up, and a burst of them would reach into later calls. Ignored by default, so that a stray one does nothing. */
#define FC_WORKER_SIGNAL SIGURG

/* A session's line in the roster: shared by all processes of the domain, seen by no client. The supervisor writes who it is
 * before the shadow gets the session; the shadow writes the rest. Read for statistics and for F_GETLK's pids. */
struct fc_roster_slot {
	uint32_t id; /* 0 = free */
	uint32_t client_pid;
	uint32_t shadow_pid;
	uint32_t uid;             /* file-system uid, for show */
	uint32_t owner;           /* who pays (budget.h): the client's real uid */
	uint32_t tasks_max;       /* the client's RLIMIT_NPROC allows its user so many threads here */
	uint32_t descriptors_max; /* its RLIMIT_NOFILE: no descriptor from here on */
	uint32_t workers;
	uint32_t awake;
	uint32_t queue_depth; /* when the supervisor last asked for a sample */
	uint32_t descriptors; /* the same */
	uint32_t forked;      /* futex word: the forked child counts it up when it has set itself up, or failed */
	uint32_t rung;        /* futex words of a domain whose clients cannot wake anybody here (xen/bell.c): workers */
	uint32_t stream_bell; /* ... and those in the middle of a stream, and who looks for posted writes */
	uint32_t streaming;   /* how many may sleep on `stream_bell` */
	uint32_t rings;       /* nonzero: the supervisor is to ring this session's client */
	uint64_t data_bytes;
	uint64_t started_ns;
	char comm[16];
	uint64_t held[FC_GOODS]; /* of the domain, see budget.h */
	uint32_t mapped, posts;  /* it has mappings to write back, or may have posted writes: it is not simply killed */
	uint64_t pipe_bytes;     /* the part of FC_BYTES that is pipes' */
	uint64_t heir;           /* FC_HEIR_*: of the session that it is to be, while there is no client */
	uint64_t next;           /* FC_NEXT_*: its own heir; the lower half is a futex word */
	struct fc_stat_counters count __attribute__((aligned(64)));
} __attribute__((aligned(64)));

/* exec/post.h: what the client has posted. */
struct fc_posts {
	pthread_mutex_t lock;            /* of all this */
	uint32_t waiting;                /* so many with a request to make want it */
	uint64_t at;                     /* one more than where the ring is in the data area; 0 = there is none */
	uint64_t done;                   /* as in the ring, which is the client's memory */
	uint64_t written[FC_POSTS / 64]; /* of those behind */
	uint64_t bad[FC_LEASES];         /* words of delegations for which a write has failed */
	struct {
		uint64_t word; /* 0 = none */
		uint64_t device, inode;
		uint32_t descriptor; /* the client's first one for it, if that has not been closed */
	} stored[FC_STORED];         /* delegations whose files the client may write to by itself */
	uint32_t stores;             /* such writes, as far as they are counted */
	uint32_t passes;             /* as in the ring */
	uint32_t rung;               /* the client's bell when who looks for them last did */
	uint64_t unlooked;           /* bytes written since the last look at how much room there is */
	uint32_t generation;         /* futex word: whoever sleeps is to look */
	uint32_t wanted, served; /* futex word: so many times somebody has waited for that, and has been waited for */
	uint32_t errors;
	bool withdrawn;
};
/* An heir until it has got its client; 0: it is none (any more), or was withdrawn. The heir itself, or the supervisor, changes it, once. */
#define FC_HEIR_WAITS(id) ((uint64_t)(id) << 1)
#define FC_HEIR_ANSWERED(id) ((uint64_t)(id) << 1 | 1)

/* Whom a session's next child will have: nobody; the supervisor is about to say; the heir in that slot, with that id. */
#define FC_NEXT_NONE 0u
#define FC_NEXT_COMING 1u
#define FC_NEXT(id, slot) ((uint64_t)(id) << 32 | ((slot) + 2))

struct fc_domain_shared; /* roster.h: the roster, the spinner count, the generation */

struct fc_shadow {
	/* memory; null until AREAS */
	struct fc_request_area *area;
	char *segment[FC_SEGMENTS_MAX];  /* where each data segment is mapped; those behind data_length: nothing */
	uint64_t data_length;            /* mapped bytes: the bound of every offset */
	uint64_t bytes_kept;             /* of the data area what counts as the domain's own (areas.c) */
	const struct fc_memory *memory;  /* how they come here: memory.h */
	const struct fc_spin_cost *cost; /* of waiting for the client */
	const struct fc_bell *bell;      /* the domain's end of the session's doorbell */
	const struct fc_transport *transport;
	bool foreign; /* as transport.h says: what is known of the client's CPU and process is no use here */

	/* identity: cred_generation changes with cred, both under the lock; a worker that has seen another generation takes
	 * the new identity before its next request */
	pthread_mutex_t cred_lock;
	struct fc_cred cred;
	uint32_t cred_generation;

	const struct fc_exports *exports;
	struct fc_domain_shared *shared;
	struct fc_roster_slot *slot;
	struct fc_clerk_box *clerk; /* clerk.h; null: there is none, for this domain knows all ids */

	uint32_t descriptors_end; /* the first descriptor number that has not been paid for; workers change it */
	bool table_long;          /* table.h: it has been made as long as it gets */
	uint32_t descriptors_top; /* the first that the client has not had yet; workers change it */
	/* for each descriptor of the client's one more than what it has said that it calls it, 0 = not known; FC_DOMAIN_FD_MAX of them, which
	 * the workers change. Null: nobody asks. */
	uint32_t *numbers;
	pthread_mutex_t pipe_lock;  /* of closes, while the client has pipes */
	pthread_mutex_t place_lock; /* of the process' directory and umask, and of what is known of them: */
	uint32_t umask;
	enum fc_place {
		FC_PLACE_FIRST,
		FC_PLACE_KEPT,
		FC_PLACE_LOST
	} place;                                    /* where it has always been; FC_FD_CWD; not known */
	pthread_mutex_t clerk_lock[FC_CLERK_BOXES]; /* of the session's boxes (clerk.h), and of: */
	int clerk_fd
		[FC_CLERK_BOXES]; /* the file that there is a question about, if it is not the client's descriptor; -1 */
	uint32_t mapped;          /* shared mappings of its client, and files that they are of (exec/map.c) */
	bool cut_off;             /* no request of the client's runs any more: it has broken the protocol */

	struct fc_posts posts;
	struct fc_workers *workers; /* workers.c's own; null while none run */

	/* the control thread's (heir.c) */
	struct {
		bool told;      /* the supervisor has the end of the way */
		uint32_t given; /* the one that is to answer */
		bool lost;      /* it will not */
		uint32_t asked; /* the serial of what it is to answer */
	} heir;
	bool untouched; /* its client has asked for nothing */
	bool over;      /* the session has ended, the process is one in the reserve again */
};

/* ---- offered by the execution side (workers.c) ---- */

/* Start serving s->area: the first worker, which sees to it that there is a spare when it has something to do. Returns 0 or -errno. */
int fc_workers_start(struct fc_shadow *s);

/* The spare, ahead of need. */
void fc_workers_spare(struct fc_shadow *s);

/* Interrupt whatever runs, wait until no worker touches the areas any more, free all worker state. Only the shadow's
 * control thread calls it. Bounded: after 5 s it gives up and returns -ETIMEDOUT (the caller then ends the process). */
int fc_workers_stop(struct fc_shadow *s);

/* Those that sleep go on sleeping until fc_workers_release. Returns whether others are awake. Only the control thread calls these. */
bool fc_workers_hold(struct fc_shadow *s);
void fc_workers_release(struct fc_shadow *s);

/* In between: does nobody run a call? *begun says how many have been begun. If it is the same at two times when nobody does, none has run in between. */
bool fc_workers_still(const struct fc_shadow *s, uint64_t *begun);

/* The session ends, and the process with it: when this returns 0 all workers sleep for good, or have left, and have said what they have counted.
 * Otherwise as fc_workers_stop. */
int fc_workers_bar(struct fc_shadow *s);

/* In the child of a fork, which has none of its parent's workers: free their state and forget them. */
void fc_workers_forget(struct fc_shadow *s);

/* ---- offered by the execution side (exec/map.c): shared mappings ---- */

/* Memory of the client's for one, mapped here. Its number, or -ENOMEM: it is still the caller's then. */
int fc_maps_offer(struct fc_shadow *s, void *memory, uint64_t size);

/* The client has said before that it needs the one of this number no more. 0: it is not mapped here; -EBUSY. */
int fc_maps_return(uint64_t number);

/* All are written back, and no more. */
void fc_maps_end(void);

/* Around a fork, which they survive on both sides: the child has them when it has its slot. */
void fc_maps_fork(void);
void fc_maps_forked_parent(void);
void fc_maps_forked_child(void);
int fc_maps_adopt(
	struct fc_shadow *s); /* 0, or -errno: the user has not so much of the domain, or the memory is not to be had */

/* ---- offered by the process side ---- */

/* areas.c: memory that fc_maps_offer got is unmapped. Any thread of the workers' table. */
void fc_memory_unmap(struct fc_shadow *s, void *at, uint64_t size);
/* In a forked child: it is where it was, or (*at) elsewhere now. 0 or -errno. */
int fc_memory_again(struct fc_shadow *s, void **at);

/* No delegation holds any more, and nothing is open for one. Any thread of the workers' table. */
void fc_leases_void(struct fc_shadow *s);

/* No question is under way. */
static inline void fc_shadow_clerk_init(struct fc_shadow *s)
{
	for (int i = 0; i < FC_CLERK_BOXES; i++) {
		pthread_mutex_init(&s->clerk_lock[i], NULL);
		s->clerk_fd[i] = -1;
	}
}

/* A copy of the session's identity as it is now. Returns its generation. Any thread. */
static inline uint32_t fc_cred_get(struct fc_shadow *s, struct fc_cred *copy)
{
	uint32_t generation;

	pthread_mutex_lock(&s->cred_lock);
	*copy = s->cred;
	generation = s->cred_generation;
	pthread_mutex_unlock(&s->cred_lock);
	return generation;
}

/* cred.c: give the calling thread an identity: fsuid, fsgid, supplementary groups, effective capabilities; real,
 * effective and saved ids stay the daemon's. Returns 0 or -errno; on an error the thread must not serve requests. */
int fc_cred_apply(const struct fc_cred *cred);

/* shadow_main.c: the peer has broken the protocol. Stops the workers before their next request, marks the session poisoned, logs one
 * line, ends it (does not return). */
void fc_shadow_poison(struct fc_shadow *s, const char *why) __attribute__((noreturn));

/* roster.c: the client's pid for a shadow's pid (F_GETLK); `shadow_pid` itself if unknown. */
pid_t fc_roster_client_pid(struct fc_domain_shared *d, pid_t shadow_pid);

#endif
