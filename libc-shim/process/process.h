/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.h - the process: which descriptors are remote, which are the shim's own, what stands for a remote one.
 */
#ifndef FC_SHIM_PROCESS_H
#define FC_SHIM_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/atomic.h"
#include "libc-shim/lock.h"
#include "libc-shim/process/file.h"
#include "libc-shim/session/session.h"

#define SHIM_FDS (1 << 20) /* application descriptors the table has room for */
#define SHIM_HIDDEN 64
#define SHIM_SPARES 10 /* of these */
#define SHIM_KIN 64

/* a descriptor table word: 0 = not remote */
#define SHIM_FD_REMOTE (1ull << 63)
#define SHIM_FD_DIRECT (1ull << 62) /* opened with O_DIRECT: keep the caller's buffer alignment */
#define SHIM_FD_LENT (1ull << 61)   /* another process has the same domain descriptor (guest.c): it is not closed */
/* the record of the open file (file.h), if there is one */
#define shim_fd_file_bits(n) ((uint64_t)(n) << 40)
#define shim_fd_file(w) ((uint32_t)((w) >> 40) & 0xfffff)
#define SHIM_FD_FILE shim_fd_file_bits(0xfffff)
#define shim_fd_word(domain, dfd, flags) (SHIM_FD_REMOTE | (flags) | ((uint64_t)(domain) << 32) | (uint32_t)(dfd))
#define shim_fd_domain(w) ((unsigned)((w) >> 32) & 0xff)
#define shim_fd_number(w) ((int)(uint32_t)(w))

/* A number that a call of another thread is about to have something under, and to everybody else nothing: no domain has a descriptor of this number. */
#define shim_fd_coming_word(domain) shim_fd_word(domain, 0, 0)
static inline bool shim_fd_is_coming(uint64_t w)
{
	return w && shim_fd_number(w) == 0;
}

struct shim_root {
	uint64_t mount, ino, device;
};

struct shim_process {
	uint64_t *fd;          /* SHIM_FDS words */
	uint32_t fd_top;       /* one more than the highest descriptor that was ever remote */
	uint32_t fd_count;     /* remote descriptors now, at most */
	int cwd_domain;        /* domain that holds the current directory, -1 = local */
	uint64_t cwd_file;     /* its record, as in a word */
	struct shim_root root; /* the first one, if chroot has been tried */
	uint32_t elsewhere;    /* the root is another one now: no path leads to an export */
	struct shim_files files;
	int placeholder; /* descriptor of the empty directory, one of the hidden ones */
	int sink;        /* /dev/zero, one of the hidden ones, under shim.aio_lock; -1 = not needed so far */
	uint32_t umask;
	int hidden[SHIM_HIDDEN]; /* the shim's own descriptors, -1 = none */
	bool bounded;            /* there are no numbers beyond RLIMIT_NOFILE: */
	int spare[SHIM_SPARES];  /* of the hidden ones those that keep a number for later, -1 = none */
	struct shim_lock beyond; /* to give them up */
	struct shim_lock moving; /* of files' offsets (session/offset.h) */
	int pid;                 /* whose sessions they are */
	uint32_t
		leaving; /* it is being handed to another image: what it keeps for a domain is not taken from there again */
	struct shim_process
		*outer; /* of a vfork child's copy: whose else the thread's record has been, its parent being one too */
	unsigned depth; /* ... and how many it is in the middle of */
	bool parted;    /* its threads do not have one current directory (unshare) */
	bool shared;    /* with a process that has not our memory: kin.h */
	struct {
		int pid;    /* 0 = none */
		bool files; /* it shares our descriptors */
		bool odd;   /* it shares one of descriptors and current directory */
	} kin[SHIM_KIN];
	struct shim_session session[SHIM_DOMAINS];
} __attribute__((aligned(4096)));

/* What is known about the file of a word (file.h); null: nothing. It stays as long as somebody holds it. */
static inline struct shim_file *shim_file_of(const struct shim_process *p, uint64_t w)
{
	/* a fork in the middle of another thread's open may have copied the word and not what it names */
	return shim_pool_find(&p->files.records, SHIM_FILE_ORDER, shim_fd_file(w));
}
/* May another process have it, too? */
static inline bool shim_file_shared(const struct shim_process *p, const struct shim_file *f)
{
	return p->shared || f->forks != fc_load(&p->files.forks);
}

/* Is it the first one's, and the caller no vfork child? Such a child may not say a thing on its parent's behalf: the connections have other numbers there. */
bool shim_process_first(const struct shim_process *p);
/* As shim_process() (shim.h), for changing or for remote calls: makes the vfork child's copy first. Null if that failed. */
struct shim_process *shim_process_own(void);

static inline uint64_t shim_fd_get(const struct shim_process *p, long fd)
{
	return (unsigned long)(uint32_t)fd < SHIM_FDS ? fc_load(&p->fd[(uint32_t)fd]) : 0;
}
/* Has the end of the calling process begun? Another one that has our memory goes on. */
bool shim_ending(void);

/* Replace a descriptor's word; returns the old one, whose file has one reference less now. */
uint64_t shim_fd_set(struct shim_process *p, int fd, uint64_t word);

/* A placeholder's number is to be a remote descriptor's, or is not; the former ends with shim_fd_set, too. */
void shim_fd_reserve(struct shim_process *p, int fd, unsigned domain);
void shim_fd_give_back(struct shim_process *p, int fd);
/* A child has nothing of what its parent's other threads are about to have. */
void shim_fd_forked(struct shim_process *p);

/* ---- the shim's own descriptors ---- */

/* A copy, by F_DUPFD or F_DUPFD_CLOEXEC, out of the application's numbers if there are others; or -errno. */
long shim_copy_away(struct shim_process *p, int fd, int command);
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
/* Could that be the placeholder, or what stands for a remote current directory (directory.c)? */
bool shim_may_be_nowhere(uint64_t dev, uint64_t ino, uint32_t mode, uint64_t links);

#endif
