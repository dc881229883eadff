/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shim.h - what the files of the shim's core share: the process, its sessions, a call in progress.
 *
 * Rules for everything in this folder: no errno, no stdio, no malloc, no call into libc, no SIMD (the code runs at raw
 * system call sites whose callers expect every vector register back), async-signal-safe, re-entrant. Locks are taken
 * with all signals blocked, so that neither a handler nor a cancellation can run, or leave, while one is held.
 *
 * Layers, which call downwards only:
 *   dispatch.c                 which handler gets a call
 *   path_calls.c rw.c fd_calls.c ioctl.c listing.c copy.c map.c fork.c kin.c exec.c ids.c local.c     the families
 *   route.c                    where a path leads
 *   remote.c                   one row of syscalls.def as a request: marshal, submit, wait, unmarshal
 *   session.c areas.c data.c           a domain's state, memory, buffers
 *   request/                           one request: slots, submission, waiting
 *   transport_local.c transport_xen.c  how a domain is reached
 *   process.c thread.c         descriptor table, per-thread record
 *   beyond.c                   calls of our own that the application's limits do not hold for
 */
#ifndef FC_SHIM_SHIM_H
#define FC_SHIM_SHIM_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/atomic.h"
#include "common/control.h"
#include "common/doorbell.h"
#include "common/rawcall.h"
#include "common/spin.h"
#include "farcall/abi.h"
#include "farcall/wire.h"
#include "libc-shim/config.h"
#include "libc-shim/hook.h"
#include "libc-shim/request/request.h"

#define SHIM_DOMAINS 8
#define SHIM_FDS (1 << 20) /* application descriptors the table has room for */
#define SHIM_DEPTH_MAX 16  /* dispatches nested through signal handlers, per thread */
#define SHIM_HIDDEN 24
#define SHIM_SPARES 10 /* of these */
#define SHIM_KIN 64
#define SHIM_SLOTS_SIZE (FC_ENTRIES * sizeof(struct shim_slot))
#define SHIM_CHUNKS (FC_DATA_MAX / FC_CHUNK)

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- lock.c: a futex lock for rare control operations; blocks all signals while held ---- */

struct shim_lock {
	uint32_t word;
};
struct shim_lock_state {
	uint64_t mask;
};
void shim_lock(struct shim_lock *l, struct shim_lock_state *saved);
void shim_unlock(struct shim_lock *l, const struct shim_lock_state *saved);

/* ---- sessions ---- */

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
	uint32_t ruid;           /* real user id of the process, as far as the domain knows */
	uint32_t serial;         /* of the last control request */
	uint32_t owed;           /* answers to earlier ones that have not come in time */
	bool told;               /* something has been said since the last answer */
	struct shim_lock lock;   /* attach, grow, fork: whatever uses `sock` and `packet` */
	struct fc_packet packet; /* the answer to the last control message */

	struct shim_requests requests;
	char *data;
	uint32_t chunks;                   /* usable data chunks */
	uint32_t peak;                     /* the highest chunk in use since the last look at shrinking */
	uint32_t naps;                     /* sleeps since then */
	uint16_t chunk_owner[SHIM_CHUNKS]; /* slot + 1, 0 = free */
};

static inline struct shim_session *shim_session_of(struct shim_requests *q)
{
	return (struct shim_session *)((char *)q - offsetof(struct shim_session, requests));
}

/* ---- the process ---- */

/* a descriptor table word: 0 = not remote */
#define SHIM_FD_REMOTE (1ull << 63)
#define SHIM_FD_DIRECT (1ull << 62) /* opened with O_DIRECT: keep the caller's buffer alignment */
#define shim_fd_word(domain, dfd, flags) (SHIM_FD_REMOTE | (flags) | ((uint64_t)(domain) << 32) | (uint32_t)(dfd))
#define shim_fd_domain(w) ((unsigned)((w) >> 32) & 0xff)
#define shim_fd_number(w) ((int)(uint32_t)(w))

struct shim_process {
	uint64_t *fd;      /* SHIM_FDS words */
	uint32_t fd_top;   /* one more than the highest descriptor that was ever remote */
	uint32_t fd_count; /* remote descriptors now, at most */
	int cwd_domain;    /* domain that holds the current directory, -1 = local */
	int placeholder;   /* descriptor of the empty directory, one of the hidden ones */
	uint32_t umask;
	int hidden[SHIM_HIDDEN]; /* the shim's own descriptors, -1 = none */
	bool bounded;            /* there are no numbers beyond RLIMIT_NOFILE: */
	int spare[SHIM_SPARES];  /* of the hidden ones those that keep a number for later, -1 = none */
	struct shim_lock beyond; /* to give them up */
	int pid;                 /* whose sessions they are */
	bool shared;             /* with a process that has not our memory: kin.h */
	struct {
		int pid;    /* 0 = none */
		bool files; /* it shares our descriptors */
		bool odd;   /* it shares one of descriptors and current directory */
	} kin[SHIM_KIN];
	struct shim_session session[SHIM_DOMAINS];
} __attribute__((aligned(4096)));

struct shim_globals {
	bool ready;
	struct fc_config config;
	uint64_t placeholder_dev, placeholder_ino;
	int hidden_base; /* our own descriptors are moved to this number or higher */
	bool strict, check, no_stream;
	bool ending; /* the process is: no remote call returns any more */
	uint32_t
		crowded; /* there are, or have been, processes that share our memory and do not wait for one another: kin.h */
	int trace_fd; /* -1 = no trace */
	struct shim_process process;
};
extern struct shim_globals shim;

/* The calling thread's process: the real one, or in a vfork child its own copy once it has one. For looking only. */
struct shim_process *shim_process(void);
/* The same for changing or for remote calls: makes the vfork child's copy first. Null if that failed. */
struct shim_process *shim_process_own(void);

static inline uint64_t shim_fd_get(const struct shim_process *p, long fd)
{
	return (unsigned long)(uint32_t)fd < SHIM_FDS ? fc_load(&p->fd[(uint32_t)fd]) : 0;
}
/* Replace a descriptor's word; returns the old one. */
uint64_t shim_fd_set(struct shim_process *p, int fd, uint64_t word);

/* process.c: the shim's own descriptors */
int shim_hide_fd(struct shim_process *p, int fd);           /* move it out of the way; returns the new number */
int shim_hidden_add(struct shim_process *p, int fd);        /* leave it where it is */
bool shim_fd_hidden(const struct shim_process *p, long fd); /* is it one of ours? */
void shim_hidden_close(struct shim_process *p, int fd);
int shim_hidden_make_room(struct shim_process *p, int fd); /* the application wants this very number: move ours away */
/* The application has no descriptors left: have ours behind its limit. True if that has made room. */
bool shim_hidden_rise(struct shim_process *p);
/* A new placeholder at the lowest free number >= min, or -errno. */
int shim_placeholder(struct shim_process *p, bool cloexec, int min);
/* The same for an O_PATH descriptor, at the lowest free number: O_PATH too, so that the kernel answers for it what it answers for one. */
int shim_placeholder_path(struct shim_process *p, bool cloexec);
bool shim_is_placeholder(int fd);

/* ---- beyond.c ---- */

/* A system call of ours to which neither RLIMIT_NOFILE nor RLIMIT_FSIZE applies (only ftruncate is about the latter), as far as can be;
 * other threads do not see them lifted. For errors only: it can cost a process. Kernel results; -EFBIG instead of a SIGXFSZ. */
long shim_beyond(struct shim_process *p, long nr, const long a[6]);
/* A call that makes a descriptor, beyond the limit if that is reached. */
long shim_make_fd(struct shim_process *p, long nr, long a0, long a1, long a2, long a3);
/* ftruncate of a file of ours. */
long shim_set_size(struct shim_process *p, int fd, size_t size);
/* Descriptors whose numbers are kept, if there are none beyond the limit: have as many as there should be. */
void shim_spares_fit(struct shim_process *p);
/* Close a descriptor of ours that came of the calls above. */
void shim_done_with(struct shim_process *p, int fd);
void shim_limits_look(struct shim_process *p); /* RLIMIT_NOFILE is new: which is it? */

/* ---- thread.c ---- */

struct shim_frame {
	struct shim_request request; /* slot -1 = none */
	uintptr_t sp;
	int placeholder; /* of a descriptor that is not there yet, -1 = none */
	int16_t scratch; /* -1 = none */
	bool alternate;  /* on the signal stack */
	bool asleep;     /* it waits for its request */
};

struct shim_thread {
	int tid;
	uint32_t depth;
	bool dropped; /* frames have been dropped: there may be more that this thread has no use for */
	struct shim_frame frame[SHIM_DEPTH_MAX];
	struct fc_spin spin[2];             /* for domains on this machine, and for those apart (transport.h) */
	uint16_t hint;                      /* the entry used last */
	struct shim_process *vfork_process; /* the copy that the last vfork child made, and whose it is */
	int vfork_pid;
	struct shim_process *process; /* this thread's view; null: the first one's, as nearly always */
	struct kin *clone;            /* the one that it is making */
	int clone_error;              /* why it is not made */
	bool for_us;                  /* the descriptors that are made now are none of the application's */
	void *exec_memory;            /* what a vfork child's execve left behind */
	size_t exec_size;
};
struct shim_thread *shim_self(void);
void shim_thread_reset_after_fork(struct shim_thread *was);
static inline struct shim_process *shim_base(const struct shim_thread *t)
{
	return t->process ? t->process : &shim.process;
}

/* Take back what calls still hold that siglongjmp or a cancellation has left behind, and interrupt them. At the
 * start of every dispatch, remote or not: glibc makes one more when a cancelled thread ends. */
void shim_frames_check(void);
/* The same for all calls of a thread that ends: musl's go without unwinding. */
void shim_thread_end(void);

/* Begin and end a call that uses an entry or scratch memory. Null: nested too deep. */
struct shim_frame *shim_frame_begin(void);
void shim_frame_interrupt(void); /* it is to end: interrupt what it waits for */
void shim_frame_end(struct shim_frame *f);

/* Scratch: 5 pages of private memory for the duration of a frame. */
#define SHIM_SCRATCH_SIZE (5 * 4096)
char *shim_scratch(struct shim_frame *f);

/* ---- session.c ---- */

/* The session of a domain, attached and with areas. *s is null on error. Returns 0, -EIO (dead), or why attaching failed. */
int shim_session_get(struct shim_process *p, unsigned domain, struct shim_session **s);
/* Is the other end still there? Marks the session dead if not. */
bool shim_session_alive(struct shim_session *s);
void shim_session_fail(struct shim_session *s, const char *why);
void shim_session_reset(struct shim_session *s, unsigned domain); /* to NONE, forgetting everything; unmaps nothing */
/* Lock one session, or all that a process has, to send control messages. The domain takes none from anybody whose real user id is not
 * the session's (nor 0). A thread may have another one, while the C library changes them in one thread after the other, by a
 * signal: it is waited for. */
void shim_session_lock(struct shim_session *s, struct shim_lock_state *saved);
void shim_sessions_lock(struct shim_process *p, struct shim_lock_state saved[SHIM_DOMAINS]);
void shim_sessions_unlock(struct shim_process *p, const struct shim_lock_state saved[SHIM_DOMAINS]);
bool shim_session_speaks(const struct shim_session *s); /* would it take a message from this thread? */

/* areas.c */
int shim_areas(struct shim_session *s);   /* BARE -> READY: new areas; the session locked */
int shim_grow(struct shim_session *s);    /* add a data segment; -ENOMEM at the limit */
void shim_shrink(struct shim_session *s); /* give the last one back, if nothing is in it */
void shim_areas_unmap(struct shim_session *s);
int shim_borrow(struct shim_session *s,
		size_t size); /* a memfd that the domain has made, of an attached session; or -errno */

/* data.c: chunks of the data area. Take chunks [first, first + count), all or none of them. */
bool shim_chunks_take(struct shim_session *s, uint32_t first, uint32_t count);
/* A thread goes to sleep: a moment to give back what has not been needed for a while. */
void shim_data_nap(struct shim_session *s);
/* The chunk that stays with the entry; -1 if there is none to be had. */
int shim_entry_chunk(struct shim_session *s, int entry);
/* One more chunk for the call in progress, freed with it. */
int shim_entry_extra(struct shim_session *s, int entry);
void shim_extra_free(struct shim_session *s, int entry);
static inline char *shim_chunk_address(struct shim_session *s, int chunk)
{
	return s->data + (size_t)chunk * FC_CHUNK;
}
static inline uint64_t shim_chunk_offset(int chunk)
{
	return (uint64_t)chunk * FC_CHUNK;
}

/* Can the application's memory at `user` be written? Asks the memory itself: a byte is written back unchanged. */
static inline bool shim_can_write(void *user)
{
	char byte;

	return !fc_copy_from_user(&byte, user, 1) && !fc_copy_to_user(user, &byte, 1);
}

/* ---- remote.c: a row as a request ---- */

struct shim_call {
	const struct fc_row *row;
	struct shim_process *p;
	struct shim_session *s;
	struct shim_frame *frame;
	uint64_t wire[6];
	char *path[2]; /* private copies of the path arguments, in order; null = null pointer */
	int path_arg[2];
	const long *shown; /* the arguments as the application passed them, for the trace */
	bool quiet;        /* the caller traces it, once the result is what the application will see */
	int64_t position;  /* of a directory before the call, -1 = not asked */
	struct
	{ /* the buffer of a struct xattr_args: the application's, where it is in the data area, its size there */
		void *user;
		uint64_t at, room;
	} value;
	char *chunk; /* the entry's chunk, and how much of it is used */
	uint32_t used;
};

/* Attach, claim an entry. 0 or -errno. Pair with shim_call_end. */
int shim_call_begin(struct shim_call *c, const struct fc_row *row, struct shim_process *p, unsigned domain,
		    struct shim_frame *f);
void shim_call_end(struct shim_call *c);
/* n bytes of the entry's chunk, aligned to 8: its data-area offset, FC_NULL if there is no room. */
uint64_t shim_call_room(struct shim_call *c, size_t n);
char *shim_call_at(struct shim_call *c, uint64_t offset);
int64_t shim_call_run(struct shim_call *c, unsigned nr); /* submit c->wire, wait */
/* A small request about the same descriptor (c->wire[0]), in the middle of the call. */
int64_t shim_call_ask(struct shim_call *c, unsigned nr, uint64_t a1, uint64_t a2);
/* The whole of a regular row: marshal a[] (descriptors already domain numbers), run, unmarshal. */
int64_t shim_call_row(struct shim_call *c, const long a[6]);
/* The same for arguments that are all values and descriptors: nothing to copy. */
int64_t shim_call_values(struct shim_call *c, const long a[6]);
/* Run a row that has only values and (domain) descriptors. dup, close and fcntl are not traced. */
long shim_simple(struct shim_process *p, unsigned domain, unsigned nr, long a0, long a1, long a2);
/* The error for a command that no domain runs: -EBADF for an O_PATH descriptor, else `error`. */
long shim_refuse(struct shim_process *p, uint64_t w, int error);
/* No result of any call: what a check that fails turns a result into. shim_result ends the session over it. */
#define SHIM_IMPOSSIBLE (-10000)
/* A result as the application may see it: what no correct domain sends becomes -EIO. */
long shim_result(struct shim_session *s, int64_t r);
/* Register a new domain descriptor under a placeholder. Returns fd or -errno (and closes both on error). */
long shim_install(struct shim_process *p, unsigned domain, int64_t dfd, int placeholder, uint64_t flags);

/* ---- path_text.c: paths by their text alone ---- */

const char *shim_path_next(const char *p);    /* behind slashes and "." components */
size_t shim_path_component(const char *p);    /* length of the one at p */
const char *shim_path_last(const char *path); /* the last one, "." too, and the slashes behind it */
bool shim_path_goes_up(const char *path);     /* has it a `..`? */
/* What follows the prefix in an absolute path that begins with it, component by component; else null. A `..` on the way means:
 * not by the text. */
const char *shim_path_behind(const char *path, const char *prefix);

/* What a call does with the last component of a path: follows a symbolic link there; takes it for what it is (lstat, O_NOFOLLOW), but
 * follows it before a slash; makes, removes or renames what is called so. */
enum shim_last { SHIM_LAST_FOLLOWED, SHIM_LAST_LOOKED_AT, SHIM_LAST_NAMED };

/* May the domain say that the path `from`, which is in one of its mounts or begins at one of its descriptors, goes on at `to`? A
 * hostile one chooses `to`, and whatever the call does is then done to files of this machine: so it gets no more than it could get
 * natively with a symbolic link (if the call goes through any: `links`) in the place of a component that the call would go through, or
 * with a `..` in the root of an export. */
bool shim_path_may_go_on(const struct fc_config *c, unsigned domain, const char *from, const char *to,
			 enum shim_last last, bool links);

/* ---- route.c ---- */

struct shim_route {
	int domain;  /* -1 = local */
	int dirfd;   /* wire value: domain descriptor or AT_FDCWD */
	bool unsure; /* local by its text; a local symbolic link might still lead into a mount */
};
/* By the text alone. `path` is a private copy, or null. dirfd as the application gave it. */
void shim_route_text(const struct shim_process *p, int dirfd, const char *path, struct shim_route *r);
/* Follow local symbolic links. If the walk enters a mount, `path` (room FC_PATH_MAX) is replaced by the absolute path and r
 * by its route. `scratch` is three pages. 0 or -errno (-ELOOP, -ENAMETOOLONG). */
int shim_route_walk(int dirfd, char *path, bool follow, char *scratch, struct shim_route *r);

/* ---- path_calls.c ---- */

/* Run a row that has paths, wherever they lead. a: the row's own (canonical) arguments; native_nr and native_a: what to do
 * if it is local after all. *domain (may be null): where it ran, -1 = locally. */
long shim_path_run(const struct fc_row *row, const long a[6], long native_nr, const long native_a[6], int *domain);
/* The canonical row of a call, legacy forms rewritten: null if it has none. */
const struct fc_row *shim_canonical(long nr, const long a[6], long out[6]);

/* ---- handlers (long handler(nr, a): the application's number and arguments; kernel results) ---- */

typedef long shim_handler(long nr, long a[6]);
shim_handler shim_do_fd, shim_do_path, shim_do_local; /* what the kinds of a row suggest */
#define PASS
#define REFUSE(error)
#define BY(handler) shim_handler shim_do_##handler;
#define CLIENT(name, handler) BY(handler)
#define LOCAL(nr, name, site, handler, ...) handler
#include "farcall/syscalls.def"
#include "farcall/local.def"
#undef PASS
#undef REFUSE
#undef BY

static inline bool shim_is_error(long r)
{
	return r < 0 && r > -4096;
}

static inline long shim_native(long nr, const long a[6])
{
	if (unlikely(fc_is_cancellable(a)))
		return fc_call_cancellable(nr, a);
	return fc_raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* process.c: the same for a call that may make a descriptor: for the last ones ours have to make room. */
long shim_native_again(long nr, const long a[6]);
static inline long shim_native_fd(long nr, const long a[6])
{
	long r = shim_native(nr, a);

	return likely(r != -EMFILE) ? r : shim_native_again(nr, a);
}

/* dispatch.c: fill the table of handlers */
void shim_handlers_init(void);

/* fork.c, exec.c */
bool shim_holds_state(const struct shim_process *p, unsigned domain);
bool shim_is_attached(const struct shim_session *s);
void shim_vfork_cleanup(struct shim_thread *t);
int shim_vfork_copy(struct shim_thread *t, struct shim_process **out);
struct shim_process *shim_vfork_process(struct shim_thread *t); /* this vfork child's copy, or null */
/* In an exec'ed image: take over the sessions and descriptors that FARCALL_EXEC (its value) describes. */
void shim_exec_restore(const char *value);

/* message.c: one line on stderr: "farcall: " parts... */
void shim_say(const char *a, const char *b, const char *c);
char *shim_format_number(char *end, uint64_t n); /* writes backwards, returns the start */

/* trace.c */
/* One strace-style line about a remote call that is over. */
void shim_trace(const struct fc_row *row, const long a[6], char *const path[2], int64_t result);

/* mem.c: general-register versions; also what the compiler calls for struct copies */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int c, size_t n);
size_t strlen(const char *s);
int shim_strcmp(const char *a, const char *b);
bool shim_starts_with(const char *s, const char *prefix);

#endif
