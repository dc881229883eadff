/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * process.c - what a process has of descriptors: the table that says which are remote, the placeholders that stand for
 * them in the kernel's own table, and the shim's own descriptors, which the application must neither see nor hit.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "libc-shim/shim.h"

struct shim_globals shim;

struct shim_process *shim_process(void)
{
	if (unlikely(fc_new_stack_fork)) {
		fc_new_stack_fork = 0;
		shim_fork_unannounced();
	}
	if (unlikely(fc_vfork_depth) && fc_in_vfork_child()) {
		struct shim_process *p = shim_vfork_process(shim_self());

		if (p)
			return p;
	}
	return &shim.process;
}

struct shim_process *shim_process_own(void)
{
	struct shim_process *p;
	struct shim_thread *t;

	if (likely(!fc_vfork_depth) || !fc_in_vfork_child())
		return &shim.process;
	t = shim_self();
	p = shim_vfork_process(t);
	return p || shim_vfork_copy(t, &p) == 0 ? p : NULL;
}

uint64_t shim_fd_set(struct shim_process *p, int fd, uint64_t word)
{
	uint64_t old;
	uint32_t top;

	/* a jump in between makes the count too high, which costs a look, never too low */
	if (word)
		fc_faa(&p->fd_count, 1u);
	old = fc_xchg(&p->fd[fd], word);
	if (old)
		fc_faa(&p->fd_count, -1u);
	while (word && (top = fc_load(&p->fd_top)) <= (uint32_t)fd)
		if (fc_cas(&p->fd_top, top, (uint32_t)fd + 1))
			break;
	return old;
}

int shim_hide_fd(struct shim_process *p, int fd)
{
	long now = fc_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, shim.hidden_base);

	if (now < 0)
		now = fc_call(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC) < 0 ? now : fd; /* as good a place as any */
	if (now < 0)
		return (int)now;
	if (now != fd)
		fc_call(SYS_close, fd);
	for (int i = 0; i < SHIM_HIDDEN; i++)
		if (fc_cas(&p->hidden[i], -1, (int)now))
			return (int)now;
	fc_call(SYS_close, now);
	return -EMFILE;
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

void shim_hidden_make_room(struct shim_process *p, int fd)
{
	for (int i = 0; i < SHIM_HIDDEN; i++) {
		if (fc_load(&p->hidden[i]) != fd)
			continue;
		int now = (int)fc_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, shim.hidden_base);
		if (now < 0)
			return;
		if (p->placeholder == fd)
			p->placeholder = now;
		if (shim.trace_fd == fd)
			shim.trace_fd = now;
		for (unsigned d = 0; d < shim.config.ndomains; d++)
			if (p->session[d].sock == fd)
				p->session[d].sock = now;
		fc_store(&p->hidden[i], now);
		fc_call(SYS_close, fd);
		return;
	}
}

int shim_placeholder(struct shim_process *p, bool cloexec, int min)
{
	return (int)fc_call(SYS_fcntl, p->placeholder, cloexec ? F_DUPFD_CLOEXEC : F_DUPFD, min);
}

int shim_placeholder_path(struct shim_process *p, bool cloexec)
{
	int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | (cloexec ? O_CLOEXEC : 0);
	long fd = fc_call(SYS_openat, p->placeholder, ".", flags, 0);

	return fd == -EMFILE || fd >= 0 ? (int)fd : shim_placeholder(p, cloexec, 0);
}

bool shim_is_placeholder(int fd)
{
	struct stat st;

	return fc_call(SYS_fstat, fd, &st) == 0 && st.st_dev == shim.placeholder_dev &&
	       st.st_ino == shim.placeholder_ino;
}

bool fc_fd_is_remote(int fd)
{
	return shim.ready && fd >= 0 && shim_fd_get(shim_process(), fd);
}
