/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease.c - delegations: files whose length nobody but the client changes. The kernel's own leases (fcntl(2), F_SETLEASE) see to it, and so hold against
 * everybody, also those who have never heard of farcall: who wants to open the file to write, or cut it, waits until the lease is given back, which is done
 * without the client's help.
 *
 * A descriptor that is open for reading alone has a read lease, on an open file of the domain's own, for what is handed over is the client's to do with as
 * it likes; one that writes has a write lease on itself, and only if the client could have one natively. Where nothing is handed over the client gets the word
 * alone, posts writes, and keeps what it has read. All this is in the descriptor table of
 * the thread that hands over (hand.c), which their watch (lease_watch.h) shares.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "common/ring.h"
#include "storage-domain/caps.h"
#include "storage-domain/exec/post.h"
#include "storage-domain/fds.h"
#include "storage-domain/lease_watch.h"
#include "storage-domain/roster.h"
#include "storage-domain/shadow/shadow_main.h"

#define PATIENCE_S 1 /* for the thread that closes files */
#define LINK 32      /* bytes of a name in /proc */
#define LOOK_NS 1000000000ull
#define INDEX_BITS 9 /* of a word; above it is a number that is never used again */
_Static_assert(FC_LEASES <= 1 << INDEX_BITS, "an index is so many bits");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all this, and of the area's words */
static pthread_cond_t looked = PTHREAD_COND_INITIALIZER;
static struct {
	int fd; /* 0 = none */
	int type;
	uint64_t word;  /* 0 = it does not hold any more */
	uint64_t name;  /* the word, until it is closed */
	bool kept;      /* the client keeps what it has read, of a file like this: */
	struct stat st; /* since it has the lease */
} held[FC_LEASES];
static unsigned held_end; /* none from there on is in use, or has been: most sessions leave the memory untouched */
static uint64_t serial;
static bool posting;

static bool any_kept(void);

static uint64_t look(void *s)
{
	fc_leases_look(s);
	return any_kept() ? LOOK_NS : FC_LOOK_WHEN_TOLD;
}

static struct fc_lease_watch watch = { .look = look };

void fc_leases_nudge(void)
{
	fc_lease_watch_nudge(&watch);
}

void fc_leases_begin(void)
{
	pthread_mutex_init(&lock, NULL);
	pthread_cond_init(&looked, NULL);
	memset(held, 0, held_end * sizeof held[0]);
	held_end = 0;
	watch.thread = 0;
	posting = false;
}

/* The client must see that it is over before anybody else's open goes on. */
static void take_back(struct fc_shadow *s, unsigned i)
{
	if (held[i].word)
		fc_ring_revoke(&s->area->header.lease[i]);
	held[i].word = 0;
}

/* The client may have the same open file, and with it the lease; which may be a mapping's by now. */
static void let_go(int fd)
{
	if (!fc_lease_is_others(&watch, fd))
		fc_lease_give(fd);
	fc_call(SYS_close, fd);
}

/* What has been posted before the client could see it is written before it is given back. */
static void end(struct fc_shadow *s, unsigned i)
{
	take_back(s, i);
	if (posting)
		fc_posts_flush(s);
	pthread_mutex_lock(&s->posts.lock);
	let_go(held[i].fd);
	held[i].fd = 0;
	fc_posts_stored_end(s, held[i].name);
	held[i].name = 0;
	pthread_mutex_unlock(&s->posts.lock);
	fc_budget_give(s->slot, FC_FILES, 1);
}

static void void_all(struct fc_shadow *s)
{
	for (unsigned i = 0; i < held_end; i++)
		take_back(s, i);
}

static bool any(void)
{
	for (unsigned i = 0; i < held_end; i++)
		if (held[i].fd)
			return true;
	return false;
}

void fc_leases_void(struct fc_shadow *s)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&lock);
	void_all(s);
	if (any()) {
		pthread_mutex_unlock(&lock);
		fc_hand_tidy();
		pthread_mutex_lock(&lock);
	}
	while (any() && pthread_cond_timedwait(&looked, &lock, &until) == 0)
		;
	pthread_mutex_unlock(&lock);
}

int fc_lease_file(const struct fc_post *p)
{
	const unsigned i = (unsigned)fc_post_index(p->word);

	return p->word && fc_load_acquire(&held[i].name) == p->word ? held[i].fd : -1;
}

static bool any_kept(void)
{
	bool any = false;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < held_end && !any; i++)
		any = held[i].fd && held[i].kept;
	pthread_mutex_unlock(&lock);
	return any;
}

/* An open for reading alone that cuts it breaks no lease for reading. Where the client has the file it sees that. */
static bool was_cut(unsigned i)
{
	const struct stat *was = &held[i].st;
	struct stat st;

	return held[i].kept && (fc_call(SYS_fstat, held[i].fd, &st) < 0 || st.st_size != was->st_size ||
				st.st_mtim.tv_sec != was->st_mtim.tv_sec || st.st_mtim.tv_nsec != was->st_mtim.tv_nsec);
}

/* Withdrawn: its client has been told already. */
static bool is_over(const struct fc_shadow *s, unsigned i)
{
	return !held[i].word || fc_load(&s->area->header.lease[i]) != held[i].word ||
	       !fc_lease_stands(held[i].fd, held[i].type) || was_cut(i);
}

/* Those that somebody waits for, and those that do not hold any more. One signal may stand for many. */
void fc_leases_look(struct fc_shadow *s)
{
	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < held_end; i++) {
		if (!held[i].fd || !is_over(s, i))
			continue;
		fc_faa(&s->slot->count.leases_broken, (uint64_t)!fc_lease_stands(held[i].fd, held[i].type));
		end(s, i);
	}
	pthread_cond_broadcast(&looked);
	pthread_mutex_unlock(&lock);
}

/* Before the first lease: whoever the file belongs to, and may read it that the client has open. */
static int watch_begin(struct fc_shadow *s)
{
	const uint64_t may = fc_caps_permitted();

	if (fc_load(&watch.thread))
		return 0;
	fc_caps_set(may & (FC_CAP(LEASE) | FC_CAP(DAC_READ_SEARCH)), may);
	watch.arg = s;
	return fc_lease_watch_begin(&watch);
}

/* Could the client have a lease on what belongs to `owner`? */
static bool client_may(struct fc_shadow *s, uid_t owner)
{
	struct fc_cred cred;

	fc_cred_get(s, &cred);
	return cred.fsuid == owner || (cred.caps & FC_CAP(LEASE));
}

static const char *link_to(char to[LINK], int fd)
{
	snprintf(to, LINK, "thread-self/fd/%d", fd);
	return to;
}

/* What is to be delegated, and how. */
struct candidate {
	int flags, type;
	bool posts;          /* the client would post writes to it */
	bool bare;           /* it does not get the file, */
	int given;           /* or this one, which is its own; -1: none */
	uint32_t descriptor; /* what the client knows it by */
	struct stat st;
};

/* Can it be delegated to who wants FC_LEASE_*? */
static int judge(struct fc_shadow *s, int fd, uint64_t wants, struct candidate *c)
{
	const int r = fc_hand_judge(s->exports, fd);
	const struct fc_export *in;
	char link[LINK];

	in = fc_export_at(s->exports, link_to(link, fd));
	if (!in || in->nocache)
		return -EOPNOTSUPP;
	c->posts = (wants & FC_LEASE_POSTS) && !in->sync;
	c->bare = r == -EOPNOTSUPP || (r == 0 && s->foreign);
	c->flags = (int)fc_call(SYS_fcntl, fd, F_GETFL);
	c->type = (c->flags & O_ACCMODE) == O_RDONLY ? F_RDLCK : F_WRLCK;
	if ((r < 0 && !c->bare) || (c->bare && !(wants & FC_LEASE_BARE)))
		return -EOPNOTSUPP;
	if (c->flags < 0 || (c->flags & (O_PATH | O_DIRECT)) || (!c->posts && (c->flags & O_ACCMODE) == O_WRONLY))
		return -EOPNOTSUPP;
	if (fc_call(SYS_fstat, fd, &c->st) < 0 || !S_ISREG(c->st.st_mode))
		return -EOPNOTSUPP;
	return c->type == F_WRLCK && !client_may(s, c->st.st_uid) ? -EOPNOTSUPP : 0;
}

/* There contents change by themselves, or by their server, and no lease tells. */
static bool is_moody(int fd)
{
	struct statfs fs;

	return fc_call(SYS_fstatfs, fd, &fs) < 0 || fs.f_type == FUSE_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
	       fs.f_type == PROC_SUPER_MAGIC;
}

/* How much of it can be read for what it is. Where it has holes, a look at them in a mapping would fill them. */
static uint64_t readable(int fd, const struct candidate *c)
{
	const struct stat *st = &c->st;

	if ((c->flags & O_ACCMODE) == O_WRONLY || (!c->bare && st->st_blocks < st->st_size / 512) ||
	    (c->bare && is_moody(fd)))
		return 0;
	return (uint64_t)st->st_size;
}

/* Is what is written to be on the disk at once, by the file system's word or by chattr(1)'s? */
static bool is_synchronous(int fd)
{
	struct statfs fs;
	int flags = 0;

	return fc_call(SYS_fstatfs, fd, &fs) < 0 || fs.f_flags & ST_SYNCHRONOUS ||
	       (fc_call(SYS_ioctl, fd, FS_IOC_GETFLAGS, &flags) == 0 && flags & FS_SYNC_FL);
}

/* May the client post writes to it? Not where they would have to be on the disk, or might fail; nor what the first of them takes a bit of the mode away from. */
static bool may_post(struct fc_shadow *s, int fd, const struct candidate *c)
{
	if (!c->posts || (c->flags & O_ACCMODE) == O_RDONLY || (c->flags & O_DSYNC) ||
	    (c->st.st_mode & (S_ISUID | S_ISGID)) || is_synchronous(fd) || fc_post_is_tight(fd))
		return false;
	if (!posting)
		posting = fc_poster_begin(s);
	return posting;
}

/* In place of a descriptor that only reads one of the domain's own. */
static int open_again(int fd)
{
	char link[LINK];

	return (int)fc_call(SYS_openat, FC_FD_PROC, link_to(link, fd), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/*
 * The descriptor that is to have the lease, in place of `fd`. What the client gets is its own open file: with the one that has the lease it could keep
 * that, or have others told when it is broken. Where it may have a lease itself it is the same.
 */
static int one_to_lease(int fd, struct candidate *c)
{
	c->given = fd;
	return c->type == F_WRLCK ? fd : open_again(fd);
}

/* It has been passed on, or is not going to be. */
static void drop_given(const struct candidate *c, int leased)
{
	if (c->given >= 0 && c->given != leased)
		fc_call(SYS_close, c->given);
}

/* What arg2 of the answer says. 0: it is of no use. */
static uint64_t worth(struct fc_shadow *s, int fd, const struct candidate *c)
{
	const uint64_t bytes = readable(fd, c) | (may_post(s, fd, c) ? FC_LEASE_POSTS : 0);

	return bytes && c->bare ? bytes | FC_LEASE_BARE : bytes;
}

/* An open file that can be leased, in place of `fd`, or -errno. */
static int prepare(struct fc_shadow *s, int fd, uint64_t wants, struct candidate *c)
{
	int r = watch_begin(s);

	if (r == 0)
		r = judge(s, fd, wants, c);
	if (r == 0)
		return one_to_lease(fd, c);
	fc_call(SYS_close, fd);
	return r;
}

/* Does a word rest on the same open file's lease? Who gives that up would give up both. A file has one lease for writing. */
static bool is_delegated(const struct candidate *c)
{
	for (unsigned i = 0; c->type == F_WRLCK && i < held_end; i++)
		if (held[i].fd && held[i].type == F_WRLCK && held[i].st.st_ino == c->st.st_ino &&
		    held[i].st.st_dev == c->st.st_dev)
			return true;
	return false;
}

/* A word for the lease that `fd` has. -ENFILE if there is none. */
static int note(struct fc_shadow *s, int fd, const struct candidate *c, uint64_t arg[3])
{
	unsigned i = 0;

	while (i < held_end && held[i].fd)
		i++;
	if (i == FC_LEASES || !s->area || !fc_budget_take(s->shared, s->slot, FC_FILES, 1))
		return -ENFILE;
	if (i == held_end)
		held_end++;
	held[i].fd = fd;
	held[i].type = c->type;
	held[i].kept = c->bare && c->type == F_RDLCK;
	held[i].st = c->st;
	held[i].word = ++serial << INDEX_BITS | i;
	fc_store_release(&held[i].name, held[i].word);
	if (arg[2] & FC_LEASE_POSTS && !c->bare)
		fc_posts_stored_begin(s, held[i].word, c->descriptor, &c->st);
	fc_store_release(&s->area->header.lease[i], held[i].word);
	fc_faa(&s->slot->count.leases, 1ull);
	arg[0] = i;
	arg[1] = held[i].word;
	return 0;
}

/* Locked, from before there is a lease until there is a word for it: what ends meanwhile is another one. `fd` is taken, whatever is returned. */
static int delegate(struct fc_shadow *s, int fd, struct candidate *c, uint64_t arg[3])
{
	int r = is_delegated(c) || fc_lease_is_others(&watch, fd) ? -EAGAIN : fc_lease_take(&watch, fd, c->type);

	if (r < 0) { /* if it has one, that is not this one's to give up */
		fc_call(SYS_close, fd);
		return r == -EAGAIN ? r : -EOPNOTSUPP;
	}
	if (fc_call(SYS_fstat, fd, &c->st) == 0)
		arg[2] = worth(s, fd, c);
	r = arg[2] ? note(s, fd, c, arg) : -EOPNOTSUPP;
	if (r < 0)
		let_go(fd);
	return r;
}

void fc_lease(struct fc_shadow *s, struct fc_packet *request)
{
	uint64_t arg[3] = { 0 };
	struct candidate c = { .type = F_RDLCK, .given = -1, .descriptor = (uint32_t)request->head.arg[0] };
	int fd = prepare(s, request->fd[0], request->head.arg[1], &c), r = fd < 0 ? -EOPNOTSUPP : 0;

	pthread_mutex_lock(&lock); /* until it has been passed on it is not closed, whoever breaks it */
	if (r == 0)
		r = delegate(s, fd, &c, arg);
	fc_shadow_answer(s, request, r, arg, r < 0 || arg[2] & FC_LEASE_BARE ? -1 : c.given);
	drop_given(&c, fd);
	pthread_mutex_unlock(&lock);
	fc_leases_look(s); /* broken between having it and noting it */
	if (r == 0 && c.bare)
		fc_leases_nudge(); /* so that it looks at this one, too */
}

void fc_lease_return(struct fc_shadow *s, const struct fc_packet *request)
{
	const uint64_t i = request->head.arg[0];

	pthread_mutex_lock(&lock);
	if (i == FC_LEASES_ALL)
		void_all(s);
	else if (i < held_end && held[i].fd && held[i].word && held[i].word == request->head.arg[1])
		end(s, (unsigned)i);
	pthread_mutex_unlock(&lock);
	if (i == FC_LEASES_ALL)
		fc_leases_look(s);
	fc_shadow_answer(s, request, 0, NULL, -1);
}
