/* SPDX-License-Identifier: GPL-2.0-or-later */
/* mounts.c - the process that follows what is mounted below the exports, see mounts.h. */
#define _GNU_SOURCE
#include "storage-domain/supervisor/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage-domain/caps.h"
#include "storage-domain/fds.h"
#include "storage-domain/fence.h"
#include "storage-domain/log.h"
#include "storage-domain/supervisor/helper.h"
#include "storage-domain/supervisor/mountinfo.h"

/* An exported directory, as the host calls it. */
struct exported {
	char dir[PATH_MAX];
	int mount; /* that it is on */
	int there; /* the same in the domain */
	const char *prefix;
	bool read_only;
};

/* What is mounted below one, parents before children. */
struct known {
	int id, parent;
	unsigned major, minor;
	char *path;
	unsigned export;
	int there; /* its id in the domain; 0: it is not there; GIVEN_UP */
};

#define GIVEN_UP (-1)
#define PATIENCE_MS 2000 /* for the file servers below which something is mounted */

static struct exported exported[FC_EXPORTS_MAX];
static unsigned exports_count;
static struct known *known;
static size_t known_count;
static int list = -1, host = -1, host_root = -1,
	   domain = -1; /* the host's mounts, its namespace and root; the domain's namespace */

/* ---- what there is ---- */

static const struct known *find_known(unsigned export, int id)
{
	for (size_t i = 0; i < known_count; i++)
		if (known[i].export == export && known[i].id == id)
			return &known[i];
	return NULL;
}

/* What follows the exported directory in the path of something below it, with its slash; null: it is not below. */
static const char *rest_of(const struct exported *e, const char *path)
{
	size_t n = strcmp(e->dir, "/") ? strlen(e->dir) : 0;

	return !strncmp(path, e->dir, n) && path[n] == '/' && path[n + 1] ? path + n : NULL;
}

/* A procfs would show the domain's own processes, and is not followed anywhere. */
static bool is_wanted(unsigned export, const struct fc_mount *m)
{
	const struct exported *e = &exported[export];

	return rest_of(e, m->path) && strcmp(m->type, "proc") && !find_known(export, m->id) &&
	       (m->parent == e->mount || find_known(export, m->parent));
}

static int know(unsigned export, const struct fc_mount *m)
{
	struct known *more = realloc(known, (known_count + 1) * sizeof *known);
	char *path = strdup(m->path);

	if (more)
		known = more;
	if (!more || !path) {
		free(path);
		errno = ENOMEM;
		return -1;
	}
	known[known_count++] = (struct known){
		.id = m->id, .parent = m->parent, .major = m->major, .minor = m->minor, .path = path, .export = export
	};
	return 0;
}

/* The list is in no order: again until there is nothing new. */
static int know_all(const struct fc_mountinfo *info)
{
	size_t before;

	do {
		before = known_count;
		for (unsigned x = 0; x < exports_count; x++)
			for (size_t i = 0; i < info->count; i++)
				if (is_wanted(x, &info->mount[i]) && know(x, &info->mount[i]))
					return -1;
	} while (known_count != before);
	return 0;
}

static void forget(size_t i)
{
	free(known[i].path);
	memmove(&known[i], &known[i + 1], (--known_count - i) * sizeof *known);
}

static void forget_all(void)
{
	while (known_count)
		forget(known_count - 1);
}

/* A new mount in the place of an old one has its number, too, if we have not looked in between; but not its device, as long as the old one is in the domain. */
static bool is_listed(const struct fc_mountinfo *info, const struct known *k)
{
	for (size_t i = 0; i < info->count; i++)
		if (info->mount[i].id == k->id && info->mount[i].parent == k->parent &&
		    info->mount[i].major == k->major && info->mount[i].minor == k->minor &&
		    !strcmp(info->mount[i].path, k->path))
			return true;
	return false;
}

/* ---- places ---- */

/* Which mount a descriptor is on; without asking a file server. */
static int mount_of(int fd)
{
	struct statx st;

	return statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &st) ? -1 : (int)st.stx_mnt_id;
}

static int open_place(int dir, const char *path, int flags)
{
	const struct open_how how = { .flags = (uint64_t)(O_PATH | O_NOFOLLOW | O_CLOEXEC | flags),
				      .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

	return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

/* The directory that `path`, an absolute one, is in. */
static int open_parent(int root, const char *path)
{
	char parent[PATH_MAX];
	size_t n = (size_t)(strrchr(path, '/') - path);

	if (n >= sizeof parent) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(parent, path, n);
	parent[n] = '\0';
	return open_place(root, n > 1 ? parent + 1 : ".", O_DIRECTORY);
}

static bool same_directory(int fd, const struct statx *other)
{
	struct statx st;

	return !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, &st) && (st.stx_mask & STATX_INO) &&
	       st.stx_ino == other->stx_ino && st.stx_dev_major == other->stx_dev_major &&
	       st.stx_dev_minor == other->stx_dev_minor;
}

/* ---- from one namespace to the other ---- */

static void enter(int ns)
{
#ifdef FC_FENCE_SANITIZED
	unshare(CLONE_FS); /* the runtime's own thread shares the working directory */
#endif
	if (setns(ns, CLONE_NEWNS)) {
		fc_log(FC_LOG_ERROR,
		       "cannot go from one mount namespace to another: %s: later mounts are not followed any more",
		       strerror(errno));
		_exit(1);
	}
}

/* Something below it that is not to be seen? */
static bool hides_proc(const struct fc_mountinfo *info, const char *path)
{
	size_t n = strlen(path);

	for (size_t i = 0; i < info->count; i++)
		if (!strcmp(info->mount[i].type, "proc") && !strncmp(info->mount[i].path, path, n) &&
		    info->mount[i].path[n] == '/')
			return true;
	return false;
}

/* A tree of its own, hanging nowhere yet. What comes from outside of a user namespace can be had with all that is mounted in it only. */
static int clone_mount(int top, const struct known *k, const struct fc_mountinfo *info)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, .propagation = MS_PRIVATE };
	int tree = open_tree(top, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);

	if (tree < 0 && errno == EINVAL && !hides_proc(info, k->path))
		tree = open_tree(top, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (exported[k->export].read_only)
		attr.attr_set |= MOUNT_ATTR_RDONLY;
	if (tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr)) {
		close(tree);
		return -1;
	}
	return tree;
}

/* The mount as a tree, and the directory that it has its place in. -1: it is not what its path leads to, or cannot be had. */
static int take_from_host(const struct known *k, const struct fc_mountinfo *info, struct statx *in)
{
	int dir = open_parent(host_root, k->path), top = -1, tree = -1;

	if (dir >= 0)
		top = open_place(dir, strrchr(k->path, '/') + 1, 0);
	if (top >= 0 && mount_of(top) == k->id && !statx(dir, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_INO, in) &&
	    (in->stx_mask & STATX_INO))
		tree = clone_mount(top, k, info);
	if (top >= 0)
		close(top);
	if (dir >= 0)
		close(dir);
	return tree;
}

/* Only in the very directory: names may have been given to others meanwhile. */
static int put_into_domain(const struct known *k, int tree, const struct statx *in)
{
	char path[FC_PREFIX_MAX + PATH_MAX];
	int root, dir = -1, place = -1, r = -1;

	snprintf(path, sizeof path, "%s%s", exported[k->export].prefix, rest_of(&exported[k->export], k->path));
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root >= 0)
		dir = open_parent(root, path);
	if (dir >= 0 && same_directory(dir, in))
		place = open_place(dir, strrchr(path, '/') + 1, 0);
	if (place >= 0)
		r = move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	close(place);
	close(dir);
	close(root);
	return r ? 0 : mount_of(tree);
}

/* Returns what `there` is to be. */
static int bring(const struct known *k, const struct fc_mountinfo *info)
{
	struct statx in;
	int tree = take_from_host(k, info, &in), there;

	if (tree < 0) {
		fc_log(FC_LOG_DEBUG, "cannot have what is mounted at %s: %s", k->path, strerror(errno));
		return 0;
	}
	enter(domain);
	there = put_into_domain(k, tree, &in);
	if (there <= 0)
		fc_log(FC_LOG_DEBUG, "there is no place for what is mounted at %s", k->path);
	return there > 0 ? there : 0;
}

/* The domain's list, in its namespace. */
static int list_domain(struct fc_mountinfo *info)
{
	int fd = openat(FC_FD_PROC, "self/mountinfo", O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -1 : fc_mountinfo_read(fd, info);

	if (fd >= 0)
		close(fd);
	return r;
}

/* What it lies under stays, and so does what the kernel has locked: what an ordinary user's domain has found at its start. */
static int take_off(const struct known *k, const struct fc_mountinfo *unused)
{
	struct fc_mountinfo info;
	int fd;

	(void)unused;
	enter(domain);
	if (list_domain(&info))
		return 0;
	for (size_t i = 0; i < info.count; i++) {
		if (info.mount[i].id != k->there)
			continue;
		fd = open_place(AT_FDCWD, info.mount[i].path, 0);
		if (fd >= 0 && mount_of(fd) == k->there && umount2(info.mount[i].path, MNT_DETACH | UMOUNT_NOFOLLOW))
			fc_log(FC_LOG_DEBUG, "cannot unmount %s in the domain: %s", info.mount[i].path,
			       strerror(errno));
	}
	return 0; /* this process ends */
}

/*
 * In a process of its own, which goes to the domain's namespace and does not come back. On the way to a mount there may be a file server that
 * never answers: then it is that process that is given up.
 */
static int apart(int (*work)(const struct known *, const struct fc_mountinfo *), const struct known *k,
		 const struct fc_mountinfo *info)
{
	struct pollfd p = { .events = POLLIN };
	int end[2], r = 0;
	pid_t pid;

	if (pipe2(end, O_CLOEXEC))
		return 0;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		r = work(k, info);
		_exit(write(end[1], &r, sizeof r) != sizeof r);
	}
	close(end[1]);
	p.fd = end[0];
	if (pid > 0 && poll(&p, 1, PATIENCE_MS) == 0) {
		kill(pid, SIGKILL);
		r = GIVEN_UP;
	} else if (pid > 0 && read(end[0], &r, sizeof r) != sizeof r) {
		r = 0;
	}
	close(end[0]);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return r;
}

/* ---- the process ---- */

static void look(void)
{
	struct fc_mountinfo info;

	if (fc_mountinfo_read(list, &info))
		return; /* for want of memory: at the next change, then */
	for (size_t i = known_count; i-- > 0;) {
		if (is_listed(&info, &known[i]))
			continue;
		if (known[i].there > 0)
			apart(take_off, &known[i], NULL);
		forget(i);
	}
	know_all(&info);
	for (size_t i = 0; i < known_count; i++)
		if (!known[i].there)
			known[i].there = apart(bring, &known[i], &info);
	fc_mountinfo_free(&info);
}

static int there_of(unsigned export, int id)
{
	const struct known *k = find_known(export, id);

	return id == exported[export].mount ? exported[export].there : k ? k->there : 0;
}

/* What came with the exports is in the domain's tree at the same places. */
static void recognize(struct known *k, const struct fc_mountinfo *info)
{
	char path[FC_PREFIX_MAX + PATH_MAX];
	int above = there_of(k->export, k->parent);

	snprintf(path, sizeof path, "%s%s", exported[k->export].prefix, rest_of(&exported[k->export], k->path));
	for (size_t i = 0; i < info->count && above; i++)
		if (info->mount[i].parent == above && !strcmp(info->mount[i].path, path))
			k->there = info->mount[i].id;
}

static int enter_fence(void)
{
	static const int allowed[] = {
		SCMP_SYS(pread64),
		SCMP_SYS(read),
		SCMP_SYS(write),
		SCMP_SYS(openat),
		SCMP_SYS(openat2),
		SCMP_SYS(close),
		SCMP_SYS(statx),
		SCMP_SYS(poll),
		SCMP_SYS(restart_syscall), /* poll's, of a process that was stopped meanwhile */
		SCMP_SYS(pipe2),
		SCMP_SYS(exit_group),
		/* mounts */
		SCMP_SYS(setns),
		SCMP_SYS(open_tree),
		SCMP_SYS(mount_setattr),
		SCMP_SYS(move_mount),
		SCMP_SYS(umount2),
		/* processes */
		SCMP_SYS(clone),
		SCMP_SYS(set_robust_list),
		SCMP_SYS(rseq),
		SCMP_SYS(rt_sigprocmask),
		SCMP_SYS(prctl),
		SCMP_SYS(kill),
		SCMP_SYS(wait4),
		/* memory */
		SCMP_SYS(brk),
		SCMP_SYS(munmap),
		SCMP_SYS(mremap),
#ifdef FC_FENCE_SANITIZED
		SCMP_SYS(madvise),
		SCMP_SYS(mmap),
		SCMP_SYS(mprotect),
		SCMP_SYS(futex),
		SCMP_SYS(gettid),
		SCMP_SYS(sigaltstack),
		SCMP_SYS(clock_nanosleep),
		SCMP_SYS(nanosleep),
		SCMP_SYS(sched_yield),
		SCMP_SYS(prlimit64),
		SCMP_SYS(exit),
		SCMP_SYS(unshare),
#endif
	};
	scmp_filter_ctx ctx = seccomp_init(FC_FENCE_OTHERS);
	int r = ctx ? 0 : -1;

	for (unsigned i = 0; i < sizeof allowed / sizeof allowed[0] && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, allowed[i], 0);
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r;
}

/* Nothing open but the log, the way to the supervisor, and what is needed here. */
static int keep_only(int way)
{
	int *kept[] = { &way, &list, &host, &host_root, &domain };
	int proc = fcntl(FC_FD_PROC, F_DUPFD_CLOEXEC, FC_DOMAIN_FD_FIRST);

	if (proc < 0)
		return -1;
	for (int fd = 0; fd < FC_DOMAIN_FD_FIRST; fd++)
		if (fd != FC_FD_LOG)
			close(fd);
	if (dup3(proc, FC_FD_PROC, O_CLOEXEC) < 0 || dup3(way, FC_FD_MOUNTS, O_CLOEXEC) < 0)
		return -1;
	way = FC_FD_MOUNTS;
	for (int i = 1; i < 5; i++) {
		if (dup3(*kept[i], FC_FD_EXPORT + i, O_CLOEXEC) < 0)
			return -1;
		*kept[i] = FC_FD_EXPORT + i;
	}
	return close_range(FC_DOMAIN_FD_FIRST, ~0u, 0);
}

static int prepare(const struct fc_identity *id, pid_t supervisor)
{
	const uint64_t need = FC_CAP(SYS_ADMIN) | FC_CAP(SYS_CHROOT) | FC_CAP(DAC_READ_SEARCH);
	struct fc_mountinfo info;

	if (list_domain(&info))
		return -1;
	for (size_t i = 0; i < known_count; i++)
		recognize(&known[i], &info);
	fc_mountinfo_free(&info);
	return fc_helper_settle(id, need & fc_caps_permitted(), supervisor) || enter_fence();
}

static void follow(const struct fc_identity *id, pid_t supervisor) __attribute__((noreturn));
static void follow(const struct fc_identity *id, pid_t supervisor)
{
	struct pollfd p[2] = { { .fd = list, .events = POLLPRI }, { .fd = FC_FD_MOUNTS } };

	if (prepare(id, supervisor))
		_exit(1);
	enter(host);
	while (!p[1].revents) {
		look();
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
	}
	_exit(0);
}

/* ---- the supervisor's side ---- */

static int open_host(void)
{
	if (list >= 0)
		return 0;
	list = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	host = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	host_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return list < 0 || host < 0 || host_root < 0 ? -1 : 0;
}

static int look_at_export(struct exported *e, const struct fc_export_spec *spec)
{
	int fd = open(spec->dir, O_PATH | O_CLOEXEC);

	e->mount = fd < 0 ? -1 : mount_of(fd);
	if (fd >= 0)
		close(fd);
	e->prefix = spec->prefix;
	e->read_only = spec->read_only;
	return e->mount < 0 || !realpath(spec->dir, e->dir) ? -1 : 0;
}

int fc_mounts_note(const struct fc_export_spec *spec, unsigned count)
{
	struct fc_mountinfo info;
	int r;

	forget_all();
	if (open_host())
		return -1;
	exports_count = count;
	for (unsigned i = 0; i < count; i++)
		if (look_at_export(&exported[i], &spec[i]))
			return -1;
	if (fc_mountinfo_read(list, &info))
		return -1;
	r = know_all(&info);
	fc_mountinfo_free(&info);
	return r;
}

bool fc_mounts_stand(void)
{
	size_t before = known_count;
	struct fc_mountinfo info;
	bool stand = true;

	if (fc_mountinfo_read(list, &info))
		return false;
	for (size_t i = 0; i < known_count; i++)
		stand &= is_listed(&info, &known[i]);
	stand &= !know_all(&info) && known_count == before;
	fc_mountinfo_free(&info);
	return stand;
}

static int start(const struct fc_identity *id)
{
	pid_t supervisor = getpid(), pid = -1;
	int end[2];

	if (pipe2(end, O_CLOEXEC))
		return -1;
	domain = openat(FC_FD_PROC, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (domain >= 0)
		pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "farcall-mounts", 0, 0, 0);
		if (keep_only(end[0]))
			_exit(1);
		follow(id, supervisor);
	}
	if (pid > 0 && dup3(end[1], FC_FD_MOUNTS, O_CLOEXEC) < 0)
		pid = -1; /* it ends with the pipe */
	close(end[0]);
	close(end[1]);
	return pid < 0 ? -1 : 0;
}

void fc_mounts_start(const struct fc_identity *id, const struct fc_exports *exports)
{
	for (unsigned i = 0; i < exports->count; i++)
		exported[i].there = (int)exports->export[i].mount_id;
	if (start(id))
		fc_log(FC_LOG_WARNING, "what will be mounted below the exports is not going to be seen: %s",
		       strerror(errno));
	forget_all();
	free(known);
	known = NULL;
	close(list);
	close(host);
	close(host_root);
	if (domain >= 0)
		close(domain);
}
