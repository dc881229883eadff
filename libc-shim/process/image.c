/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image.c - see image.h. The file of a program that lives in a mount is handed over by its domain (session/hand.c), or where that cannot be,
 * copied into a memfd. A remote script becomes its interpreter, as the kernel would have it. A program the shim cannot get into is named
 * on stderr.
 */
#define _GNU_SOURCE
#include "libc-shim/process/image.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/elfkind.h"
#include "common/libraries.h"
#include "common/rawcall.h"
#include "libc-shim/calls/handed.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/calls/remote.h"
#include "libc-shim/hook.h"
#include "libc-shim/native.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/libraries.h"
#include "libc-shim/process/process.h"
#include "libc-shim/process/thread.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000 /* Linux 6.14 */
#endif

bool shim_user_starts_with(const char *user, const char *prefix)
{
	char head[32];
	size_t n = strlen(prefix);

	return !fc_copy_from_user(head, user, n) && (head[n] = 0, shim_starts_with(head, prefix));
}

/* The name that a remote program is run by, which the kernel is not going to see: as AT_EXECFN is natively (getauxval(3)). */
static void name_program(struct shim_exec *m, const struct shim_image *im)
{
	char *p = shim_append(m->program_var, END(m->program_var), SHIM_PROGRAM_VARIABLE), digits[24], first = 0;

	fc_copy_from_user(&first, im->path, 1);
	if (im->dirfd != AT_FDCWD && first != '/') {
		digits[sizeof digits - 1] = 0;
		p = shim_append(p, END(m->program_var), "/dev/fd/");
		p = shim_append(p, END(m->program_var), shim_format_number(END(digits) - 1, (uint32_t)im->dirfd));
		if (first)
			p = shim_append(p, END(m->program_var), "/");
	}
	if (first && fc_strncpy_from_user(p, im->path, (size_t)(END(m->program_var) - p)) < 0)
		*m->program_var = 0;
}

static long open_local(const struct shim_image *im)
{
	if (im->flags & AT_EMPTY_PATH)
		return shim_make_fd(shim_process(), SYS_dup, im->dirfd, 0, 0, 0);
	return shim_make_fd(shim_process(), SYS_openat, im->dirfd, (long)im->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK,
			    0);
}

/* Must the shim be there before the program's libraries are? Then an audit object brings it to life, as far as there is one. */
static void look_for_libraries(struct shim_image *im, struct shim_exec *m, int fd, bool remote)
{
	im->libraries = *m->audit && !im->relinked &&
			(im->linker || shim_libraries_remote(fd, remote, m->given, m->ngiven)) &&
			fc_call(SYS_faccessat, AT_FDCWD, m->audit, R_OK) == 0;
}

static bool is_set_id(const struct stat *st, long euid)
{
	return (st->st_mode & S_ISUID || (st->st_mode & S_ISGID && st->st_mode & S_IXGRP)) && S_ISREG(st->st_mode) &&
	       (st->st_uid != (uint32_t)euid || st->st_mode & S_ISGID);
}

/* Does executing it give rights that the caller does not have? Then the dynamic linker does not load the shim. */
static const char *gains_rights(long fd)
{
	const long euid = fc_call(SYS_geteuid);
	struct stat st;

	if (fc_call(SYS_fstat, fd, &st) == 0 && is_set_id(&st, euid))
		return " is setuid or setgid: it runs locally, without the remote files";
	if (euid && fc_call(SYS_fgetxattr, fd, "security.capability", 0, 0) > 0)
		return " has file capabilities: it runs locally, without the remote files";
	return NULL;
}

/* Can the shim get into this local program? If not: say so, or refuse under FARCALL_STRICT. */
static int look_into(struct shim_image *im, struct shim_exec *m, long fd)
{
	const char *why = gains_rights(fd);
	int kind = fc_elf_kind((int)fd);

	im->hooked = true;
	im->relinked = kind == FC_ELF_RELINKED;
	im->linker = kind == FC_ELF_STATIC && fc_libraries_is_linker((int)fd);
	if (kind == FC_ELF_STATIC && !im->linker)
		why = " is statically linked: it runs locally, without the remote files";
	else if (kind == FC_ELF_FOREIGN)
		why = " is not an x86-64 glibc program: it runs locally, without the remote files";
	else if (!why)
		look_for_libraries(im, m, (int)fd, false);
	if (!why)
		return 0;
	im->hooked = false;
	shim_say(im->path, why, shim.strict ? " (refused: FARCALL_STRICT)" : NULL);
	return shim.strict ? -EACCES : 0;
}

static int look_local(struct shim_image *im, struct shim_exec *m)
{
	long fd = open_local(im);
	int r = 0;

	im->hooked = true;
	if (fd < 0) /* missing, or executable but not readable: the kernel will say */
		return 0;
	r = look_into(im, m, fd);
	shim_done_with(shim_process(), (int)fd);
	return r;
}

/* The program, to be read from its start; O_PATH if it may be executed only. A descriptor is opened once more, for it may be O_PATH; if
 * that cannot be, it serves itself. */
static long remote_open(const struct shim_image *im)
{
	char path[SHIM_FD_PATH];
	long d[6] = { im->dirfd, F_DUPFD_CLOEXEC, 0 }, fd;
	long a[6] = { im->dirfd, (long)im->path,
		      O_RDONLY | O_CLOEXEC | O_NONBLOCK | (im->flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0), 0 };

	if (!(im->flags & AT_EMPTY_PATH)) {
		fd = shim_dispatch_for_us(SYS_openat, a);
		if (fd == -EACCES) {
			a[2] = (a[2] & ~O_NONBLOCK) | O_PATH;
			fd = shim_dispatch_for_us(SYS_openat, a);
		}
		return fd;
	}
	a[1] = (long)shim_fd_path(path, im->dirfd);
	a[2] &= ~O_NOFOLLOW;
	fd = shim_dispatch_for_us(SYS_openat, a);
	return fd < 0 ? shim_dispatch_for_us(SYS_fcntl, d) : fd;
}

static int may_execute(long fd, const struct shim_image *im, struct stat *st)
{
	long s[6] = { fd, (long)st };
	long x[6] = { im->dirfd, (long)im->path, X_OK, 0 };
	long r = shim_dispatch(SYS_fstat, s);

	if (r < 0)
		return (int)r;
	if (!S_ISREG(st->st_mode))
		return -EACCES;
	return im->flags & AT_EMPTY_PATH ? (st->st_mode & 0111 ? 0 : -EACCES) : (int)shim_dispatch(SYS_faccessat, x);
}

static int read_program(long fd, char *to, size_t size)
{
	for (size_t at = 0; at < size;) {
		long a[6] = { fd, (long)(to + at), (long)(size - at), (long)at };
		long n = shim_dispatch(SYS_pread64, a);

		if (n == -EBADF)
			return -EACCES; /* O_PATH: it may be executed, not copied */
		if (n <= 0)
			return n ? (int)n : -EIO; /* it gets shorter while we look */
		at += (size_t)n;
	}
	return 0;
}

/* Copy a remote program into a memfd; not by writing, which the limit of file sizes would apply to. */
static int fetch(long fd, size_t size)
{
	struct shim_process *p = shim_process();
	int memfd = (int)shim_make_fd(p, SYS_memfd_create, (long)"farcall-program", MFD_CLOEXEC, 0, 0);
	long r = memfd < 0 ? memfd : shim_set_size(p, memfd, size), at;

	if (r == -EFBIG) {
		shim_done_with(p, memfd);
		memfd = shim_borrow(&p->session[shim_fd_domain(shim_fd_get(p, fd))], size);
		r = memfd < 0 ? memfd : 0;
	}
	if (r == 0 && size) {
		at = fc_call(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
		r = shim_is_error(at) ? at : read_program(fd, (char *)at, size);
		if (!shim_is_error(at))
			fc_call(SYS_munmap, at, size);
	}
	if (r < 0)
		shim_done_with(p, memfd);
	return r < 0 ? (int)r : memfd;
}

/* What to execute: the file itself, or where it is not handed over, a copy. */
static int take_file(long fd)
{
	struct shim_process *p = shim_process();
	uint64_t w = shim_fd_get(p, fd);

	if (!w) /* the path has led out of the export */
		return (int)shim_make_fd(p, SYS_fcntl, fd, F_DUPFD_CLOEXEC, 0, 0);
	return shim_hand(p, shim_fd_domain(w), shim_fd_number(w));
}

static int obtain(long fd, size_t size)
{
	int file = take_file(fd);

	return file == -EOPNOTSUPP ? fetch(fd, size) : file;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip(char *s, const char *end)
{
	while (s < end && is_space(*s))
		s++;
	return s;
}

static char *cut(char *s, const char *end)
{
	while (s < end && *s && !is_space(*s))
		s++;
	return s;
}

/*
 * The interpreter of a script, as binfmt_script reads it, of which a carriage return is part; and its argument, or null. `line` is all of the head, with
 * zeros behind the file's end. Null: the line names none, or is so long that its name is cut off.
 */
static char *read_line(char *line, char **argument)
{
	char *last = line + SHIM_SCRIPT_HEAD - 1, *end = line + 2;

	*argument = NULL;
	while (end < last && *end && *end != '\n')
		end++;
	if (*end != '\n') {
		end = skip(line + 2, last + 1);
		if (end > last || cut(end, last + 1) > last)
			return NULL;
		end = last;
	}
	while (is_space(end[-1]))
		end--;
	char *name = skip(line + 2, end), *p = cut(name, end);
	if (name >= end)
		return NULL;
	*end = 0;
	if (p < end && is_space(*p)) {
		*argument = skip(p, end);
		*p = 0;
	}
	return name;
}

/* Whether somebody has the script open for writing, which its interpreter would not be refused for. Older kernels cannot be asked. */
static bool is_busy(long fd)
{
	int file = take_file(fd);

	if (file < 0)
		return false;
	long r = fc_call(SYS_execveat, file, "", NULL, NULL, AT_EMPTY_PATH | AT_EXECVE_CHECK);
	shim_done_with(shim_process(), file);
	return r == -ETXTBSY;
}

/* The path by which the interpreter of a script finds it. Null: it will not, for the descriptor in it is closed by then. */
static const char *name_of_script(const struct shim_image *im, const struct shim_exec *m)
{
	const char *name = m->program_var + sizeof SHIM_PROGRAM_VARIABLE - 1;

	if (im->dirfd == AT_FDCWD || !shim_starts_with(name, "/dev/fd/"))
		return im->path;
	return fc_call(SYS_fcntl, im->dirfd, F_GETFD) & FD_CLOEXEC ? NULL : name;
}

/* A remote script: run its interpreter with the script's path, as the kernel would. */
static int use_interpreter(struct shim_image *im, struct shim_exec *m)
{
	char *argument, *name = read_line(m->line[m->lines], &argument);

	if (!name)
		return -ENOEXEC;
	if (!*name)
		return -EACCES; /* the working directory, to the kernel */
	const char *script = name_of_script(im, m);
	if (!script)
		return -ENOENT;
	int extra = argument ? 2 : 1;
	for (long i = im->nargs; i > 0; i--)
		m->argv[i + extra] = m->argv[i];
	m->argv[0] = name;
	if (extra == 2)
		m->argv[1] = argument;
	m->argv[extra] = script;
	im->nargs = (im->nargs ? im->nargs : 1) + extra;
	m->argv[im->nargs] = NULL;
	im->path = name;
	im->dirfd = AT_FDCWD;
	im->flags = 0;
	return 0;
}

static void look_into_remote(struct shim_image *im, struct shim_exec *m)
{
	int kind = fc_elf_kind(im->fd);

	im->relinked = kind == FC_ELF_RELINKED;
	im->hooked = kind == FC_ELF_DYNAMIC || im->relinked || kind == -EBADF;
	if (kind == FC_ELF_DYNAMIC)
		look_for_libraries(im, m, im->fd, true);
}

static int look_remote(struct shim_image *im, struct shim_exec *m)
{
	long fd = remote_open(im);
	struct stat st = { 0 };
	int r = fd < 0 ? (int)fd : may_execute(fd, im, &st);

	if (fd < 0)
		return r;
	char *line = m->line[m->lines];
	long a[6] = { fd, (long)line, sizeof m->line[0], 0 };
	long n = r < 0 ? r : shim_dispatch(SYS_pread64, a);
	if (n == -EBADF) /* O_PATH: nobody may look */
		n = 0;
	if (n >= 0) {
		if (n >= 2 && line[0] == '#' && line[1] == '!') {
			r = is_busy(fd) ? -ETXTBSY : use_interpreter(im, m);
		} else {
			r = im->fd = obtain(fd, (size_t)st.st_size);
			if (r >= 0 && fc_fd_is_remote((int)fd))
				look_into_remote(im, m);
			else if (r >= 0)
				r = look_into(im, m, r);
		}
	} else {
		r = (int)n;
	}
	long c[6] = { fd };
	shim_dispatch(SYS_close, c);
	return r < 0 ? r : 0;
}

bool shim_image_is_remote(const struct shim_image *im)
{
	if (im->flags & AT_EMPTY_PATH)
		return fc_fd_is_remote(im->dirfd);
	return fc_path_is_remote(im->dirfd, im->path);
}

/*
 * The dynamic linker is run with a program among its arguments (ld.so(8), ldd(1)) that is remote: it would open it before the shim is there. A
 * program is run itself instead, which comes to the same; what is none, or is only to be verified, it gets as a descriptor. Returns whether
 * it is another program now.
 */
static bool take_from_linker(struct shim_image *im, struct shim_exec *m)
{
	const long i = im->nargs > 2 && shim_user_starts_with(m->argv[1], "--verify") ? 2 : 1;
	struct shim_image program = { .dirfd = AT_FDCWD, .path = im->nargs > i ? m->argv[i] : NULL, .fd = -1 };
	struct stat st = { 0 };

	if (!program.path || shim_user_starts_with(program.path, "-") || !fc_path_is_remote(AT_FDCWD, program.path))
		return false;
	long fd = remote_open(&program);
	bool may_run = fd >= 0 && may_execute(fd, &program, &st) == 0;
	int file = S_ISREG(st.st_mode) ? obtain(fd, (size_t)st.st_size) : -1;
	if (fd >= 0)
		shim_dispatch(SYS_close, (long[6]){ fd });
	if (file < 0)
		return false; /* it will find out why */
	if (i == 1 && may_run && fc_elf_kind(file) == FC_ELF_DYNAMIC) {
		shim_done_with(shim_process(), file);
		m->argv++;
		im->nargs--;
		im->path = program.path;
		im->dirfd = AT_FDCWD;
		im->flags = 0;
		return true;
	}
	fc_call(SYS_fcntl, file, F_SETFD, 0);
	im->loaded = file;
	m->argv[i] = shim_fd_path(m->loaded_path, file);
	return false;
}

void shim_image_put(struct shim_image *im)
{
	shim_done_with(shim_process(), im->fd);
	shim_done_with(shim_process(), im->loaded);
	im->fd = im->loaded = -1;
}

/* Find out what to run: a local program (path), or a remote one (fd). */
int shim_image_resolve(struct shim_image *im, struct shim_exec *m)
{
	if (!shim_image_is_remote(im)) {
		int r = look_local(im, m);

		if (r < 0 || !im->linker || !take_from_linker(im, m))
			return r;
		im->linker = im->libraries = false;
	}
	name_program(m, im);
	for (m->lines = 0; m->lines <= SHIM_SCRIPT_DEPTH; m->lines++) {
		int r = look_remote(im, m);

		if (r < 0 || im->fd >= 0)
			return r;
		if (m->lines < SHIM_SCRIPT_DEPTH && !shim_image_is_remote(im))
			return look_local(im, m);
	}
	return -ELOOP;
}
