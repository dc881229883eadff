/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c - what a process has of descriptors: the table that says which are remote, the placeholders that stand for
 * them in the kernel's own table, and the shim's own descriptors, which the application must neither see nor hit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/atomic.h"
#include "common/rawcall.h"
#include "libc-shim/native.h"
#include "libc-shim/hook.h"
#include "libc-shim/lock.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/fork.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/shim.h"

struct shim_globals shim;

struct shim_process *shim_process_sought(void)
{
	if (unlikely(fc_vfork_depth) && fc_in_vfork_child()) {
		struct shim_process *p = shim_vfork_view(shim_self());

		if (p)
			return p;
	}
	return likely(!fc_load(&shim.crowded)) ? &shim.process : shim_base(shim_self());
}

struct shim_process *shim_process_own(void)
{
	struct shim_process *p;
	struct shim_thread *t;

	if (likely(!fc_vfork_depth) || !fc_in_vfork_child())
		return shim_process();
	t = shim_self();
	p = shim_vfork_process(t);
	return p || shim_vfork_copy(t, &p) == 0 ? p : NULL;
}

bool shim_process_first(const struct shim_process *p)
{
	return p == &shim.process && !fc_in_vfork_child();
}

bool shim_ending(void)
{
	uint32_t pid = fc_load(&shim.ending);

	return unlikely(pid) && pid == (uint32_t)fc_call(SYS_getpid);
}

static void reach(struct shim_process *p, int fd)
{
	uint32_t top;

	while (unlikely((top = fc_load(&p->fd_top)) <= (uint32_t)fd))
		if (fc_cas(&p->fd_top, top, (uint32_t)fd + 1))
			break;
}

uint64_t shim_fd_set(struct shim_process *p, int fd, uint64_t word)
{
	uint64_t old;

	/* a jump in between makes the count too high, which costs a look, never too low */
	if (word)
		fc_faa(&p->fd_count, 1u);
	old = fc_xchg(&p->fd[fd], word);
	if (old && !shim_fd_is_coming(old)) {
		fc_faa(&p->fd_count, -1u);
		shim_file_drop(p, old);
	}
	if (word)
		reach(p, fd);
	return old;
}

/* Nobody else has anything to do with this number. */
void shim_fd_reserve(struct shim_process *p, int fd, unsigned domain)
{
	if (fd >= SHIM_FDS)
		return;
	fc_store(&p->fd[fd], shim_fd_coming_word(domain));
	reach(p, fd);
}

void shim_fd_give_back(struct shim_process *p, int fd)
{
	if (fd < SHIM_FDS)
		fc_store(&p->fd[fd], (uint64_t)0);
}

void shim_fd_forked(struct shim_process *p)
{
	for (uint32_t fd = 0; fd < p->fd_top; fd++)
		if (shim_fd_is_coming(p->fd[fd])) {
			p->fd[fd] = 0;
			if (shim_is_placeholder((int)fd)) /* a vfork child may have got another one since */
				fc_call(SYS_close, fd);
		}
}

int shim_hidden_add(struct shim_process *p, int fd)
{
	for (int i = 0; i < SHIM_HIDDEN; i++)
		if (fc_cas(&p->hidden[i], -1, fd))
			return fd;
	fc_call(SYS_close, fd);
	return -EMFILE;
}

long shim_copy_away(struct shim_process *p, int fd, int command)
{
	long a[6] = { fd, command, shim.hidden_base }, r = shim_make_fd(p, SYS_fcntl, a[0], a[1], a[2], 0);
	struct rlimit64 limit;

	if (r != -EINVAL || fc_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit) < 0)
		return r;
	a[2] = (long)limit.rlim_cur; /* it is lower by now */
	return shim_beyond(p, SYS_fcntl, a);
}

int shim_hide_fd(struct shim_process *p, int fd)
{
	long now = fd < shim.hidden_base ? shim_copy_away(p, fd, F_DUPFD_CLOEXEC) : -EMFILE;

	if (now < 0) /* as good a place as any */
		now = fc_call(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC) < 0 && !fc_guard ? now : fd;
	if (now < 0)
		return (int)now;
	if (now != fd)
		fc_call(SYS_close, fd);
	return shim_hidden_add(p, (int)now);
}

bool shim_fd_hidden(const struct shim_process *p, long fd)
{
	if ((int)fd < 0)
		return false;
	for (int i = 0; i < SHIM_HIDDEN; i++)
		if (fc_load(&p->hidden[i]) == (int)fd)
			return true;
	return false;
}

void shim_hidden_close(struct shim_process *p, int fd)
{
	for (int i = 0; i < SHIM_HIDDEN; i++)
		if (fc_cas(&p->hidden[i], fd, -1))
			fc_call(SYS_close, fd);
}

/* Whatever of ours has been `old` is `now`. */
static void renumber(struct shim_process *p, int old, int now)
{
	struct shim_lock_state saved;

	if (p->placeholder == old)
		fc_store(&p->placeholder, now);
	if (shim.trace_fd == old)
		shim.trace_fd = now;
	shim_lock(&shim.aio_lock, &saved);
	if (p->sink == old)
		fc_store(&p->sink, now);
	shim_unlock(&shim.aio_lock, &saved);
	for (unsigned d = 0; d < shim.config.ndomains; d++) {
		shim_lock(&p->session[d].lock, &saved);
		if (p->session[d].sock == old)
			fc_store(&p->session[d].sock, now);
		for (unsigned i = 0; i < p->session[d].kept; i++)
			if (p->session[d].part[i].fd == old)
				p->session[d].part[i].fd = now;
		shim_unlock(&p->session[d].lock, &saved);
	}
}

static int move_away(struct shim_process *p, int *hidden, int fd)
{
	long now = shim_copy_away(p, fd, F_DUPFD_CLOEXEC);

	if (now < 0)
		return (int)now;
	if (!fc_cas(hidden, fd, (int)now)) { /* another thread was faster */
		fc_call(SYS_close, now);
		return 0;
	}
	renumber(p, fd, (int)now);
	fc_call(SYS_close, fd);
	return 0;
}

int shim_hidden_make_room(struct shim_process *p, int fd)
{
	for (int i = 0; i < SHIM_SPARES; i++)
		if (fc_cas(&p->spare[i], fd, -1)) {
			shim_hidden_close(p, fd);
			return 0;
		}
	for (int i = 0; i < SHIM_HIDDEN; i++)
		if (fc_load(&p->hidden[i]) == fd)
			return move_away(p, &p->hidden[i], fd);
	return 0;
}

bool shim_hidden_rise(struct shim_process *p)
{
	struct rlimit64 limit;
	bool moved = false;

	if (p->bounded || p->shared || fc_in_vfork_child() || fc_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit) < 0 ||
	    limit.rlim_cur >= SHIM_FDS)
		return false;
	for (int i = 0; i < SHIM_HIDDEN; i++) {
		int fd = fc_load(&p->hidden[i]);

		if (fd < 0 || fd >= (int)limit.rlim_cur)
			continue;
		shim.hidden_base = (int)limit.rlim_cur;
		moved |= move_away(p, &p->hidden[i], fd) == 0;
	}
	return moved;
}

long shim_native_again(long nr, const long a[6])
{
	return shim_hidden_rise(shim_process()) ? shim_native(nr, a) : -EMFILE;
}

/* By an fcntl, or what else a sandbox has left of such calls. */
static long copy_placeholder(const long a[6])
{
	const int flags = a[1] == F_DUPFD_CLOEXEC ? O_CLOEXEC : 0;
	long fd = fc_call(SYS_fcntl, a[0], a[1], a[2]);

	if (unlikely(fd == -EMFILE))
		return shim_native_again(SYS_fcntl, a);
	if (unlikely(fd == -EPERM) && !a[2])
		fd = fc_call(SYS_openat, a[0], ".", O_RDONLY | flags, 0);
	return fd;
}

int shim_placeholder(struct shim_process *p, bool cloexec, int min)
{
	for (;;) {
		int from = fc_load(&p->placeholder);
		long a[6] = { from, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, min };
		long fd = copy_placeholder(a);

		if (unlikely(fd == -EMFILE) && shim_self()->for_us)
			fd = shim_beyond(p, SYS_fcntl, a);
		if (likely(fc_load(&p->placeholder) == from))
			return (int)fd;
		if (fd >= 0) /* it has been moved, and what this is nobody knows */
			fc_call(SYS_close, fd);
	}
}

int shim_placeholder_path(struct shim_process *p, bool cloexec)
{
	long a[6] = { p->placeholder, (long)".", O_PATH | O_DIRECTORY | O_NOFOLLOW | (cloexec ? O_CLOEXEC : 0) };
	long fd = fc_call(SYS_openat, a[0], a[1], a[2], 0);

	if (unlikely(fd == -EMFILE))
		fd = shim_native_again(SYS_openat, a);
	return fd >= 0 || (fd == -EMFILE && !shim_self()->for_us) ? (int)fd : shim_placeholder(p, cloexec, 0);
}

bool shim_is_placeholder(int fd)
{
	struct stat st;

	return fc_call(SYS_fstat, fd, &st) == 0 && st.st_dev == shim.placeholder_dev &&
	       st.st_ino == shim.placeholder_ino;
}

bool shim_may_be_nowhere(uint64_t dev, uint64_t ino, uint32_t mode, uint64_t links)
{
	return dev == shim.placeholder_dev && S_ISDIR(mode) && (ino == shim.placeholder_ino || links == 0);
}

bool fc_fd_is_remote(int fd)
{
	return shim.ready && fd >= 0 && shim_fd_get(shim_process(), fd);
}
