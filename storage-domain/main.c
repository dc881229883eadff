/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - farcall-storaged: options, start and end of a storage domain on this host. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/spin.h"
#include "storage-domain/caps.h"
#include "storage-domain/supervisor/clerk.h"
#include "storage-domain/supervisor/confine.h"
#include "storage-domain/fds.h"
#include "storage-domain/supervisor/listen.h"
#include "storage-domain/supervisor/oom.h"
#include "storage-domain/supervisor/options.h"
#include "storage-domain/supervisor/supervisor.h"
#include "storage-domain/shadow/transport.h"
#include "storage-domain/supervisor/lookout.h"
#include "storage-domain/supervisor/mounts.h"
#include "storage-domain/xen/xen.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.1"
#endif

#define FC_EXIT_USAGE 2
#define FC_FILES_LEAST (FC_DOMAIN_FD_FIRST + 96u) /* open files: three for each session, and the clients' */

#ifdef __SANITIZE_ADDRESS__
/* the leak checker reads /proc, which is not in the domain's tree */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
#endif
#ifdef __SANITIZE_THREAD__
/* a shadow forks while its workers run, and the child starts workers of its own; when it ends, it ends */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0:atexit_sleep_ms=0";
}
#endif

static const char help[] =
	"Usage: farcall-storaged --socket PATH | --xen  -v DIR:PREFIX[:ro][:nomap][:nocache][:sync] [-v ...] "
	"[OPTION...]\n"
	"Run a storage domain: serve each DIR to programs under `farcall run`, which see it at PREFIX.\n"
	"\n"
	"  -v, --volume DIR:PREFIX[:ro]  serve DIR at PREFIX (absolute), read-only with :ro, without handing over "
	"files\n"
	"                                with :nomap, without delegating them with :nocache, without posting writes\n"
	"                                with :sync\n"
	"      --socket PATH             where programs find the domain; a dead domain's socket is replaced\n"
	"      --xen                     serve the programs of other Xen domains, which find this one through Xen\n"
	"      --mode MODE               file mode of the socket, octal (default: 0666 as root, else 0600)\n"
	"      --spin POLICY             adaptive (default); for measurements always (a worker of each session never\n"
	"                                sleeps) or never (every request wakes one)\n"
	"      --user USER               run as this user, by name or number, if started by root (default: farcall if "
	"there\n"
	"                                is such a user, else a number that nobody has); nothing else should run as "
	"it\n"
	"      --any-root                also serve programs in other mount namespaces or chroots: they reach the "
	"exports\n"
	"                                whatever their own root shows them\n"
	"      --ready-fd N              write a line to descriptor N when programs can connect\n"
	"      --die-with-parent         end when the process that started this one ends\n"
	"      --log-level LEVEL         error, warning (default), info or debug; the log goes to stderr\n"
	"      --help                    print this and exit\n"
	"      --version                 print the version and exit\n"
	"\n"
	"As root it serves every user with that user's rights; else it serves only the user who runs it.\n"
	"SIGTERM and SIGINT end it.\n";

/* Everything but stdio and the ready descriptor is closed, and the numbers of fds.h are taken, so that none of them
 * comes up by chance. Returns 0 or -errno. */
static int arrange_fds(int ready_fd)
{
	int null;

	if (ready_fd >= 0 && ready_fd != FC_FD_READY && dup3(ready_fd, FC_FD_READY, O_CLOEXEC) < 0)
		return -errno;
	if (ready_fd < 0)
		close(FC_FD_READY);
	else if (fcntl(FC_FD_READY, F_SETFD, FD_CLOEXEC))
		return -errno;
	close_range(3, FC_FD_READY - 1, 0);
	close_range(FC_FD_READY + 1, ~0u, 0);
	null = open("/dev/null", O_PATH | O_CLOEXEC);
	if (null < 0)
		return -errno;
	if (null != FC_FD_NULL && dup3(null, FC_FD_NULL, O_CLOEXEC) < 0)
		return -errno;
	for (int fd = 0; fd < FC_DOMAIN_FD_FIRST; fd++)
		if (fcntl(fd, F_GETFD) < 0 && dup3(FC_FD_NULL, fd, O_CLOEXEC) < 0)
			return -errno;
	return 0;
}

#define ELSEWHERE "where it is started, or start it elsewhere with `farcall serve` and use it with --domain"

static void raise_limit(int resource, rlim_t most)
{
	struct rlimit limit = { most, most };

	if (setrlimit(resource, &limit) && !getrlimit(resource, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(resource, &limit);
	}
}

/* The limits of whoever starts the domain are not its clients', as far as that is ours to say. As many descriptors as may be; as many
 * threads, once the domain's user is one with a limit; files of any size, each session has a limit of its own. Returns 0, or -1 after
 * logging. */
static int raise_limits(void)
{
	struct rlimit files, size;

	raise_limit(RLIMIT_NPROC, RLIM_INFINITY);
	raise_limit(RLIMIT_FSIZE, RLIM_INFINITY);
	raise_limit(RLIMIT_NOFILE, FC_DOMAIN_FD_MAX);
	if (getrlimit(RLIMIT_NOFILE, &files) || getrlimit(RLIMIT_FSIZE, &size))
		return -1;
	if (files.rlim_cur < FC_FILES_LEAST)
		fc_log(FC_LOG_ERROR,
		       "this storage domain may have %llu files open and needs %u: raise the hard limit (ulimit "
		       "-Hn) " ELSEWHERE,
		       (unsigned long long)files.rlim_cur, FC_FILES_LEAST);
	else if (size.rlim_cur < FC_DATA_MIN)
		fc_log(FC_LOG_ERROR,
		       "files of this storage domain may have %llu bytes, and memory is shared by files of %u: raise "
		       "the hard "
		       "limit (ulimit -Hf) " ELSEWHERE,
		       (unsigned long long)size.rlim_cur, FC_DATA_MIN);
	else
		return 0;
	return -1;
}

static void tell_ready(void)
{
	if (write(FC_FD_READY, "ready\n", 6) != 6)
		fc_log(FC_LOG_DEBUG, "nobody was waiting for the domain to be ready");
	dup3(FC_FD_NULL, FC_FD_READY, O_CLOEXEC);
}

/* Until the loop takes them: whoever ends us while we start finds no socket left behind. */
static void hold_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static mode_t socket_mode(const struct fc_options *o, bool privileged)
{
	mode_t mode = o->mode != (mode_t)-1 ? o->mode : privileged ? 0666 : 0600;

	/* a user namespace shows every foreign user as the overflow uid: if that is who we are, only the socket's mode
	 * can tell others from us */
	if (!privileged && geteuid() == 65534)
		mode &= 0700;
	return mode;
}

static int check_parent(const struct fc_options *o, pid_t parent)
{
	if (!o->die_with_parent)
		return 0;
	if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0))
		return -1;
	return getppid() == parent ? 0 : -1;
}

/* What the domain's processes may have from here on: what requests run with, and what it takes to become a client. */
static int become_ourselves(const struct fc_identity *id)
{
	int r = fc_identity_take(id, FC_CAPS_FILES | FC_CAPS_IDENTITY);

	if (r < 0)
		fc_log(FC_LOG_ERROR, "cannot give up the rights it was started with: %s", strerror(-r));
	return r;
}

/* Confined, with `start` to find clients and `leave` to tell them of the end, where the loop alone does not. Returns the exit
 * status. */
static int run(struct fc_supervisor *v, const struct fc_options *o, pid_t parent, int (*start)(struct fc_supervisor *),
	       void (*leave)(struct fc_supervisor *))
{
	int status = 1;

	if (fc_fence_build(v->transport->ioctls, v->transport->ioctl_count) || fc_lookout_start(&v->identity) ||
	    (!v->privileged && !(v->clerk = fc_clerk_start(&v->identity))) ||
	    fc_confine_tree(o->export, o->exports, v->privileged, &v->exports))
		return 1;
	fc_mounts_start(&v->identity, &v->exports);
	/* after namespaces and ids: a change of either disarms the signal */
	if (become_ourselves(&v->identity) || check_parent(o, parent))
		return 1;
	fc_peer_init(v->privileged);
	if (!fc_supervisor_init(v) && !(start && start(v))) {
		tell_ready();
		fc_supervisor_run(v);
		if (leave)
			leave(v);
		status = 0;
	}
	fc_supervisor_fini(v);
	return status;
}

#ifdef HAVE_XEN
static int serve_xen(struct fc_supervisor *v, const struct fc_options *o, pid_t parent)
{
	int status;

	if (!v->privileged) {
		fc_log(FC_LOG_ERROR,
		       "--xen: a storage domain for other Xen domains serves all their users: run it as root");
		return 1;
	}
	v->transport = &fc_transport_xen;
	v->listen_fd = -1;
	if (fc_xen_open(v))
		return 1;
	status = run(v, o, parent, fc_xen_start, fc_xen_leave);
	fc_xen_close(v);
	return status;
}
#else
static int serve_xen(struct fc_supervisor *v, const struct fc_options *o, pid_t parent)
{
	(void)v;
	(void)o;
	(void)parent;
	fc_log(FC_LOG_ERROR, "--xen: farcall was built without the Xen libraries (libxen-dev)");
	return FC_EXIT_USAGE;
}
#endif

/* Is there an export from which nothing is handed over? */
static bool keeps_all(const struct fc_options *o)
{
	for (unsigned i = 0; i < o->exports; i++)
		if (o->export[i].nomap)
			return true;
	return false;
}

static int serve_local(struct fc_supervisor *v, const struct fc_options *o, pid_t parent)
{
	struct fc_listen listener;
	int status;

	v->transport = &fc_transport_local;
	if (fc_listen_open(&listener, o->socket, socket_mode(o, v->privileged)))
		return 1;
	if (keeps_all(o) && fc_listen_sockets(&listener, v->privileged)) {
		fc_listen_close(&listener);
		return 1;
	}
	v->listen_fd = listener.fd;
	status = run(v, o, parent, NULL, NULL);
	/* the name may be in root's directory */
	fc_caps_set(fc_caps_permitted(), fc_caps_permitted());
	fc_listen_close(&listener);
	return status;
}

static int serve(const struct fc_options *o, pid_t parent)
{
	static struct fc_supervisor v;

	/* else the first allocation of each thread reserves address space: several calls, in every session */
	mallopt(M_ARENA_MAX, 1);
	fc_tsc_calibrate(); /* once for all shadows */
	hold_signals();
	v.privileged = fc_confine_privileged();
	v.any_root = o->any_root;
	if (v.privileged && fc_identity_find(&v.identity, o->user))
		return 1;
	fc_capacity_measure(&v.capacity);
	fc_oom_open();
	return o->xen ? serve_xen(&v, o, parent) : serve_local(&v, o, parent);
}

int main(int argc, char **argv)
{
	struct fc_options options;
	pid_t parent = getppid();
	char wrong[512];
	int r;

	if (fc_options_parse(&options, argc, argv, wrong, sizeof wrong)) {
		fc_log(FC_LOG_ERROR, "%s (see farcall-storaged --help)", wrong);
		return FC_EXIT_USAGE;
	}
	if (options.help || options.version) {
		fputs(options.help ? help : "farcall-storaged " PACKAGE_VERSION "\n", stdout);
		return 0;
	}
	fc_log_limit(options.log);
	fc_spin_policy = options.spin;
	if (raise_limits())
		return 1;
	r = arrange_fds(options.ready_fd);
	if (r < 0) {
		fc_log(FC_LOG_ERROR, "--ready-fd %d: %s", options.ready_fd, strerror(-r));
		return FC_EXIT_USAGE;
	}
	return serve(&options, parent);
}
