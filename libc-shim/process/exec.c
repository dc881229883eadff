/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exec.c - execve: what is to be run (image.h) gets its arguments, an environment with the shim in it, and what is remote to inherit
 * (inherit.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/native.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/fork.h"
#include "libc-shim/process/image.h"
#include "libc-shim/process/inherit.h"
#include "libc-shim/process/kin.h"
#include "libc-shim/process/libraries.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#define ARGS_MAX (1u << 17) /* pointers in one argument or environment list */

/* ---- the new image's arguments ---- */

static long count_pointers(const char *const *list)
{
	for (long n = 0; n < ARGS_MAX; n++) {
		const char *s;

		if (!list)
			return 0;
		if (fc_copy_from_user(&s, &list[n], sizeof s))
			return -EFAULT;
		if (!s)
			return n;
	}
	return -E2BIG;
}

/* A list of objects to load as the new image is to see it, `old` being the application's variable: `ours` comes first if it is
 * wanted, and not a second time. False: no such variable. */
static bool make_list(char var[2 * FC_PATH_MAX], const char *name, const char *ours, bool wanted, const char *old)
{
	char *end = var + 2 * FC_PATH_MAX;
	char *value = shim_append(var, end, name), *p = value;
	size_t n = strlen(ours);

	if (*ours && wanted) {
		p = shim_append(value, end, ours);
		*p++ = ':';
	}
	*p = 0;
	if (old && fc_strncpy_from_user(p, old + strlen(name), (size_t)(end - p)) < 0)
		*p = 0;
	if (*ours && shim_starts_with(p, ours) && (!p[n] || p[n] == ':' || p[n] == ' ')) {
		char *from = p + n + (p[n] != 0);
		char *to = p;

		while ((*to++ = *from++))
			;
	}
	if (!*p && p > value)
		*--p = 0;
	return *value || (old && !*ours);
}

static const char *descriptor_variable(char *to, size_t size, const char *name, int fd)
{
	char digits[24];

	digits[sizeof digits - 1] = 0;
	shim_append(shim_append(to, to + size, name), to + size,
		    shim_format_number(digits + sizeof digits - 1, (uint64_t)(unsigned)fd));
	return to;
}

/* The environment as given, with our variables as they must be. */
static void make_environment(struct shim_exec *m, int state_fd, const struct shim_image *im)
{
	const char **out = m->envp, *old_preload = NULL, *old_audit = NULL, *old_tunables = NULL;
	char *p;

	for (long i = 0; i < m->ngiven; i++) {
		const char *s;

		if (fc_copy_from_user(&s, &m->given[i], sizeof s))
			continue;
		if (shim_user_starts_with(s, "LD_PRELOAD="))
			old_preload = s;
		else if (*m->audit && shim_user_starts_with(s, "LD_AUDIT="))
			old_audit = s;
		else if (*m->audit && shim_user_starts_with(s, "GLIBC_TUNABLES="))
			old_tunables = s;
		else if (!shim_user_starts_with(s, "FARCALL_DIR=") && !shim_user_starts_with(s, "FARCALL_EXEC=") &&
			 !shim_user_starts_with(s, SHIM_PROGRAM_VARIABLE) &&
			 !shim_user_starts_with(s, "FARCALL_TRACE="))
			*out++ = s;
	}
	/* a relinked program has the shim in it already */
	if (make_list(m->preload_var, "LD_PRELOAD=", shim.config.preload, !im->relinked, old_preload))
		*out++ = m->preload_var;
	if (*m->audit && make_list(m->audit_var, "LD_AUDIT=", m->audit, im->libraries, old_audit))
		*out++ = m->audit_var;
	if (*m->audit && make_list(m->tunables_var, "GLIBC_TUNABLES=", FC_CONFIG_TUNABLES, im->libraries, old_tunables))
		*out++ = m->tunables_var;
	p = shim_append(m->dir_var, m->dir_var + sizeof m->dir_var, "FARCALL_DIR=");
	shim_append(p, m->dir_var + sizeof m->dir_var, shim.config.dir);
	*out++ = m->dir_var;
	if (*m->program_var)
		*out++ = m->program_var;
	if (state_fd >= 0)
		*out++ = descriptor_variable(m->exec_var, sizeof m->exec_var, "FARCALL_EXEC=", state_fd);
	if (shim.trace_fd >= 0)
		*out++ = descriptor_variable(m->trace_var, sizeof m->trace_var, "FARCALL_TRACE=", shim.trace_fd);
	*out = NULL;
}

static struct shim_exec *memory_get(long nargs, long nenv)
{
	size_t size = sizeof(struct shim_exec) + (size_t)(nargs + nenv + 2 * SHIM_SCRIPT_DEPTH + 12) * sizeof(char *);
	long at = fc_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (at < 0 && at > -4096)
		return NULL;
	struct shim_exec *m = (struct shim_exec *)at;
	m->size = size;
	m->argv = m->pointers;
	m->envp = m->pointers + nargs + 2 * SHIM_SCRIPT_DEPTH +
		  6; /* room for each script's interpreter and its argument in front */
	shim_kin_leaves(m, size);
	if (fc_in_vfork_child()) {
		struct shim_thread *t = shim_self();

		if (t->exec_memory)
			fc_call(SYS_munmap, t->exec_memory, t->exec_size);
		t->exec_memory = m;
		t->exec_size = size;
	}
	return m;
}

static void memory_put(struct shim_exec *m)
{
	shim_kin_leaves(NULL, 0);
	if (fc_in_vfork_child())
		shim_self()->exec_memory = NULL;
	fc_call(SYS_munmap, m, m->size);
}

/* The new image's view: the kernel gives it descriptors of its own, and a session is handed on to it alone. What the kernel is not going to
 * execute is no reason to part. */
static struct shim_process *own_for_exec(const struct shim_image *im)
{
	struct shim_process *p = shim_process_own();

	if (!p || !shim_kin_share_files(p))
		return p;
	if (im->fd < 0 && !(im->flags & AT_EMPTY_PATH) && fc_call(SYS_faccessat, im->dirfd, im->path, X_OK) < 0)
		return p;
	return shim_kin_part();
}

/*
 * A script that may be executed only, or what else the kernel alone knows an interpreter for, is found by that as /dev/fd/N, which must be open then
 * (ENOENT). It gets the name in its place before it begins, and N is closed (init.c).
 */
static long execute_file(struct shim_process *p, const struct shim_image *im, const struct shim_exec *m)
{
	long r = fc_call(SYS_execveat, im->fd, "", m->argv, m->envp, AT_EMPTY_PATH);
	int open = r == -ENOENT ? (int)shim_copy_away(p, im->fd, F_DUPFD) : -1;

	if (open < 0)
		return r;
	r = fc_call(SYS_execveat, open, "", m->argv, m->envp, AT_EMPTY_PATH);
	shim_done_with(p, open);
	return r;
}

static long execute(struct shim_process *p, const struct shim_image *im, const struct shim_exec *m)
{
	long r;

	fc_signal_before_exec();
	if (im->fd >= 0)
		r = execute_file(p, im, m);
	else if (im->dirfd == AT_FDCWD && !im->flags)
		r = fc_call(SYS_execve, im->path, m->argv, m->envp);
	else
		r = fc_call(SYS_execveat, im->dirfd, im->path, m->argv, m->envp, im->flags);
	fc_signal_after_failed_exec();
	return r;
}

/* What has been found is run: with the shim in it, and what is remote to inherit, as far as that can be. */
static long run(const struct shim_image *im, struct shim_exec *m)
{
	struct shim_process *p = shim_process();
	int state = -1;
	long r;

	if (im->hooked && shim_has_inheritance(p)) {
		if (!(p = own_for_exec(im)) || (state = shim_inherit_save(p)) < 0)
			return p ? state : -ENOMEM;
		shim_inherit_pass(p, true);
	}
	if (im->hooked && shim.trace_fd >= 0)
		fc_call(SYS_fcntl, shim.trace_fd, F_SETFD, 0);
	if (!im->hooked)
		*m->program_var = 0;
	make_environment(m, state, im);
	r = execute(p, im, m);
	if (state >= 0) {
		shim_done_with(p, state);
		shim_inherit_pass(p, false);
	}
	if (shim.trace_fd >= 0)
		fc_call(SYS_fcntl, shim.trace_fd, F_SETFD, FD_CLOEXEC);
	return r;
}

long shim_do_execve(long nr, long a[6])
{
	bool at = nr == SYS_execveat;
	const char *const *argv = (const char *const *)(at ? a[2] : a[1]);
	const char *const *envp = (const char *const *)(at ? a[3] : a[2]);
	struct shim_image im = { .dirfd = at ? (int)a[0] : AT_FDCWD,
				 .path = (const char *)(at ? a[1] : a[0]),
				 .flags = at ? (int)a[4] : 0,
				 .fd = -1,
				 .loaded = -1 };
	long nenv = count_pointers(envp);
	char byte;

	if (unlikely(fc_load(&shim.posting)))
		shim_posts_wait();
	if (!fc_in_vfork_child())
		shim_posts_note(&shim.process);
	im.nargs = count_pointers(argv);
	if (nenv < 0 || im.nargs < 0 || fc_copy_from_user(&byte, im.path, 1))
		return shim_native(nr, a); /* let the kernel say what is wrong */
	if (byte)
		im.flags &= ~AT_EMPTY_PATH;
	if (im.flags &
	    ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) /* the check without execution of newer kernels among them */
		return shim_image_is_remote(&im) ? -EINVAL : shim_native(nr, a);
	struct shim_exec *m = memory_get(im.nargs, nenv);
	if (!m)
		return -ENOMEM;
	if (argv)
		fc_copy_from_user(m->argv, argv, (size_t)im.nargs * sizeof *argv);
	m->argv[im.nargs] = NULL;
	m->given = envp;
	m->ngiven = nenv;
	if (!shim_audit_path(m->audit, sizeof m->audit, shim.config.preload))
		*m->audit = 0;
	long r = shim_image_resolve(&im, m);
	if (r == 0)
		r = run(&im, m);
	shim_image_put(&im);
	memory_put(m);
	return r;
}
