/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel.c - the model below the execution side, see kernel.h.
 *
 * An address must lie in the data area as a whole, or be private memory that holds as much. Paths and whatever holds lengths,
 * pointers or descriptors must be private. Descriptors below FC_DOMAIN_FD_FIRST are seen only as the start of a walk. Output is
 * written to its end. Here are the calls that are looked at more closely than a table can say.
 */
#define _GNU_SOURCE
#include "tests/fuzz/kernel_parts.h"

#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "storage-domain/fds.h"
#include "tests/fuzz/client.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seam.h"

#undef fc_raw

static uint32_t fsuid, fsgid;
static uint64_t caps;
static void (*handler)(int);

static void check_identity(long nr)
{
	const struct fc_cred *c = &kernel_worker->exec.cred;
	bool as_real = nr == SYS_faccessat2 && fsuid == c->ruid && fsgid == c->rgid;

	if (!as_real && (fsuid != c->fsuid || fsgid != c->fsgid || (caps & ~c->caps)))
		fuzz_fail("call %ld runs as user %u, not %u", nr, fsuid, c->fsuid);
}

/* ---- calls of a kind of their own ---- */

static long do_close(int fd)
{
	int i = kernel_own(fd);

	if (i >= 0) {
		kernel_opened[i] = kernel_opened[--kernel_opened_count];
	} else {
		if (kernel_worker->exec.e.nr != SYS_close)
			fuzz_fail("closes %d, which is not this request's", fd);
		if (kernel_check_fd(fd, "close"))
			return -EBADF;
	}
	return kernel_weather();
}

/* The session's directory is kept, as nothing that the client has open. */
static long do_dup3(int from, int to, int flags)
{
	if (to != FC_FD_CWD || flags != O_CLOEXEC || kernel_own(from) < 0)
		fuzz_fail("dup3(%d, %d, %#x)", from, to, flags);
	return to;
}

static long do_openat(int dirfd, const char *path, unsigned flags)
{
	long r;

	kernel_check_path(path);
	if (strchr(path, '/') || !(flags & O_PATH) || !(flags & O_CLOEXEC) ||
	    (!(flags & O_NOFOLLOW) && strcmp(path, ".")))
		fuzz_fail("a walk opens \"%s\" with flags %#x", path, flags);
	r = kernel_check_dirfd(dirfd, path, true, "openat");
	if (!r)
		r = kernel_weather();
	return r ? r : kernel_new_fd(true);
}

static long do_openat2(int dirfd, const char *path, const struct open_how *how, size_t size)
{
	size_t n = strcspn(kernel_check_path(path), "/");
	long r;

	kernel_check_private(how, size, "open_how");
	if (size != sizeof *how)
		fuzz_fail("an open_how of %zu bytes", size);
	r = kernel_check_dirfd(dirfd, path, true, "openat2");
	if (dirfd != FC_FD_PROC) {
		if (!(how->resolve & RESOLVE_NO_MAGICLINKS))
			fuzz_fail("\"%s\" is kernel_opened through magic links", path);
		/* nothing keeps it in the export: then it must be one component that is no link */
		if (!(how->resolve & (RESOLVE_NO_XDEV | RESOLVE_BENEATH | RESOLVE_IN_ROOT)) &&
		    (!(how->resolve & RESOLVE_NO_SYMLINKS) || path[n + strspn(path + n, "/")]))
			fuzz_fail("\"%s\" is kernel_opened without bounds", path);
	}
	if (!r)
		r = kernel_weather();
	return r ? r : kernel_new_fd(true);
}

static long do_fcntl(int fd, int cmd, long arg)
{
	void *p = (void *)arg;
	size_t n = 0;
	/* a number is looked for beforehand with what is good for nothing else */
	long r = fd == FC_FD_NULL && cmd == F_DUPFD_CLOEXEC ? 0 : kernel_check_fd(fd, "fcntl");

	switch (cmd) {
	case F_DUPFD_CLOEXEC:
		if (arg != FC_DOMAIN_FD_FIRST)
			fuzz_fail("a duplicate at %ld", arg);
		r = r ? r : kernel_weather();
		return r ? r : kernel_new_fd(false);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		if (p)
			kernel_check_private(p, sizeof(struct flock), "flock");
		n = cmd == F_GETLK || cmd == F_OFD_GETLK ? sizeof(struct flock) : 0;
		break;
	case F_GETOWN_EX:
	case F_GETOWNER_UIDS:
	case F_GET_RW_HINT:
		n = 8;
		break;
	case F_SET_RW_HINT:
		if (p)
			kernel_check(p, 8, "fcntl");
		break;
	case F_GETFL:
	case F_SETFL:
	case F_GETLEASE:
	case F_GETOWN:
	case F_GETSIG:
	case F_SETSIG:
	case F_CREATED_QUERY:
	case F_GETPIPE_SZ:
	case F_SETPIPE_SZ:
	case F_ADD_SEALS:
	case F_GET_SEALS:
		break;
	case 0x7fffffff:
		return -EINVAL;
	default:
		fuzz_fail("fcntl command %d", cmd);
	}
	if (!r)
		r = kernel_weather();
	if (!r && n && !p)
		r = -EFAULT;
	if (!r && n)
		kernel_fill(p, n, "fcntl");
	return r ? r : cmd == F_GETFL ? (long)(fuzz_back(2) & (O_ACCMODE | O_APPEND | O_NONBLOCK)) : 0;
}

/* The kernel writes as many extents as there is room for, or says how many there are. */
static long do_fiemap(struct fiemap *map)
{
	struct fiemap head;

	kernel_check_private(map, sizeof *map, "fiemap");
	head = *map;
	if (head.fm_extent_count > FC_FIEMAP_EXTENTS_MAX)
		fuzz_fail("fiemap with %u extents", head.fm_extent_count);
	kernel_check_private(map, sizeof *map + head.fm_extent_count * sizeof map->fm_extents[0], "fiemap");
	kernel_fill(map + 1, head.fm_extent_count * sizeof map->fm_extents[0], "fiemap");
	map->fm_mapped_extents = head.fm_extent_count ? fuzz_back(2) % (head.fm_extent_count + 1) : fuzz_back(4);
	return 0;
}

/* A page of it at most, with the client's own descriptors in it or none. */
static long do_dedupe(struct file_dedupe_range *d)
{
	const size_t one = sizeof d->info[0];

	kernel_check_private(d, sizeof *d, "FIDEDUPERANGE");
	if (sizeof *d + d->dest_count * one > FC_PAGE_SIZE)
		fuzz_fail("FIDEDUPERANGE with %u destinations", d->dest_count);
	kernel_check_private(d, sizeof *d + d->dest_count * one, "FIDEDUPERANGE");
	for (unsigned i = 0; i < d->dest_count; i++) {
		if ((int)d->info[i].dest_fd != -1)
			kernel_check_fd((int)d->info[i].dest_fd, "FIDEDUPERANGE");
		d->info[i].status = (int)fuzz_back(1);
	}
	return 0;
}

static long do_ioctl(int fd, unsigned request, long arg)
{
	void *p = (void *)arg;
	size_t n = _IOC_SIZE(request);
	long r = kernel_check_fd(fd, "ioctl");

	switch (request) {
	case FICLONE:
		if ((int)arg != -1)
			kernel_check_fd((int)arg, "FICLONE");
		r = r ? r : kernel_weather();
		return r;
	case FICLONERANGE:
		if (p)
			kernel_check_private(p, n, "FICLONERANGE");
		if (p && (int)((struct file_clone_range *)p)->src_fd != -1)
			kernel_check_fd((int)((struct file_clone_range *)p)->src_fd, "FICLONERANGE");
		r = r ? r : kernel_weather();
		return r ? r : p ? 0 : -EFAULT;
	case FS_IOC_FIEMAP:
		r = r ? r : p ? do_fiemap(p) : -EFAULT;
		return r ? r : kernel_weather();
	case FIDEDUPERANGE:
		r = r ? r : p ? do_dedupe(p) : -EFAULT;
		return r ? r : kernel_weather();
	case FIOQSIZE:
		n = sizeof(int64_t);
		break;
	case FIONREAD:
	case FIONBIO:
	case FIOASYNC:
	case FIGETBSZ:
	case FS_IOC_GETFLAGS: /* declared as long, written as int */
	case FS_IOC_SETFLAGS:
	case FS_IOC_GETVERSION:
		n = sizeof(int);
		break;
	case FS_IOC_FSGETXATTR:
	case FS_IOC_FSSETXATTR:
	case FS_IOC_RESVSP:
	case FS_IOC_UNRESVSP:
	case FS_IOC_RESVSP64:
	case FS_IOC_UNRESVSP64:
	case FS_IOC_ZERO_RANGE:
	case FS_IOC_GETFSUUID:
	case FS_IOC_GETFSSYSFSPATH:
		break;
	default:
		fuzz_fail("ioctl %#x", request);
	}
	if (p)
		kernel_check_private(p, n, "ioctl");
	if (!r)
		r = kernel_weather();
	if (!r && !p)
		r = -EFAULT;
	if (!r)
		kernel_fill(p, n, "ioctl");
	return r;
}

static long do_capset(const uint32_t *data)
{
	kernel_check_private(data, 24, "capset");
	caps = data[0] | (uint64_t)data[3] << 32;
	return 0;
}

static long do_capget(uint32_t *data)
{
	kernel_check_private(data, 24, "capget");
	memset(data, 0xff, 24);
	return 0;
}

static long set_id(uint32_t *id, uint32_t to)
{
	uint32_t was = *id;

	if (to != UINT32_MAX)
		*id = to;
	return was;
}

long fuzz_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	const long arg[6] = { a, b, c, d, e, f };

	switch (nr) {
	case SYS_capset:
		return do_capset((void *)b);
	case SYS_capget:
		return do_capget((void *)b);
	case SYS_setgroups:
		if (a)
			kernel_check_private((void *)b, a * sizeof(gid_t), "setgroups");
		return 0;
	case SYS_setfsuid:
		return set_id(&fsuid, a);
	case SYS_setfsgid:
		return set_id(&fsgid, a);
	case SYS_prctl:
		if (a != PR_SET_DUMPABLE || b)
			fuzz_fail("prctl %ld", a);
		return 0;
	}
	check_identity(nr);
	kernel_calls_made++;
	switch (nr) {
	case SYS_close:
		return do_close(a);
	case SYS_dup3:
		return do_dup3(a, b, c);
	case SYS_openat:
		return do_openat(a, (void *)b, c);
	case SYS_openat2:
		return do_openat2(a, (void *)b, (void *)c, d);
	case SYS_fcntl:
		return do_fcntl(a, b, c);
	case SYS_ioctl:
		return do_ioctl(a, b, c);
	}
	return kernel_from_table(nr, arg);
}

/* ---- by the C library's name ---- */

pid_t fuzz_getpid(void);
pid_t fuzz_getpid(void)
{
	return 4242;
}

void *fuzz_mmap(void);
void *fuzz_mmap(void)
{
	fuzz_fail("a worker maps memory");
}

int fuzz_sigaction(int sig, const struct sigaction *sa, struct sigaction *old);
int fuzz_sigaction(int sig, const struct sigaction *sa, struct sigaction *old)
{
	(void)old;
	if (sig != FC_WORKER_SIGNAL)
		fuzz_fail("a handler for signal %d", sig);
	handler = sa->sa_handler;
	return 0;
}

void kernel_signal(void)
{
	if (handler)
		handler(FC_WORKER_SIGNAL);
}

/* ---- requests ---- */

void kernel_begin(struct fc_worker *w)
{
	kernel_worker = w;
	kernel_check_begin();
	fsuid = fsgid = 0;
	caps = UINT64_MAX;
}

void kernel_request(void)
{
	struct fc_exec *x = &kernel_worker->exec;

	client_request();
	kernel_opened_count = kernel_calls_made = 0;
	/* what an earlier request may have left there */
	memset(x->path, 'p', sizeof x->path);
	memset(x->walk.text, 't', sizeof x->walk.text);
	memset(x->walk.scratch, 's', sizeof x->walk.scratch);
	x->path[0][0] = x->path[1][0] = 0;
}

static bool makes_fd(unsigned nr)
{
	return nr == SYS_openat || nr == SYS_openat2 || nr == SYS_dup;
}

static void check_continuation(int arg)
{
	const struct fc_row *row = fc_row_by_nr(kernel_worker->exec.e.nr);
	const char *path;

	if (!row || arg > 5 || (row->arg[arg].kind != FC_KIND_PATH && row->arg[arg].kind != FC_KIND_PATH_OPT))
		fuzz_fail("call %u is continued at argument %d", kernel_worker->exec.e.nr, arg);
	path = client_at(kernel_worker->exec.e.arg[arg]);
	if (!client_raided && (*path != '/' || !memchr(path, 0, FC_PATH_MAX)))
		fuzz_fail("a continuation that is no absolute path");
}

void kernel_result(int64_t r)
{
	unsigned nr = kernel_worker->exec.e.nr;

	if (r <= FC_CONTINUE)
		check_continuation((int)(FC_CONTINUE - r));
	else if (r < -4095)
		fuzz_fail("call %u results in %ld", nr, (long)r);
	if (makes_fd(nr) && r >= 0) {
		if (kernel_opened_count != 1 || kernel_own(r) < 0 || !kernel_for_client(r))
			fuzz_fail("call %u results in descriptor %ld; %d are open", nr, (long)r, kernel_opened_count);
	} else if (kernel_opened_count) {
		fuzz_fail("call %u leaves descriptor %d behind", nr, kernel_opened[0]);
	}
}
