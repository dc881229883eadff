/* SPDX-License-Identifier: GPL-2.0-or-later */
/* launch.c - runs a command with its domains (launch.h). Whatever way it ends, what it made is removed by at_end(). */
#define _GNU_SOURCE
#include "cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/config.h"
#include "cli/domain.h"
#include "cli/forward.h"
#include "cli/libc.h"
#include "cli/locate.h"
#include "cli/program.h"
#include "cli/runtime.h"
#include "cli/standing.h"
#include "common/libraries.h"

#define LINGER_MS 1000 /* for processes that the command has left behind */

/* What exists so far; one run per process. */
static struct {
	struct fc_runtime runtime;
	struct fc_forward forward;
	struct fc_domain domains[FC_CONFIG_DOMAINS];
	unsigned ndomains;
	pid_t owner, daemon, child;
} run = { .runtime = { .dir = -1, .lock = -1 } };

static void at_end(void)
{
	if (getpid() != run.owner)
		return;
	if (run.daemon > 0)
		fc_domain_stop(run.daemon);
	fc_runtime_remove(&run.runtime);
}

void fc_launch_add_export(struct fc_launch *launch, const char *noun, char *text)
{
	struct fc_export_spec spec, other;
	const char *wrong = fc_export_parse(&spec, text);

	if (wrong)
		fc_die_usage(noun, "-v %s: %s", text, wrong);
	if (launch->nexports == FC_EXPORTS_MAX)
		fc_die_usage(noun, "more than %d exports", FC_EXPORTS_MAX);
	for (unsigned i = 0; i < launch->nexports; i++) {
		fc_export_parse(&other, launch->exports[i]);
		if (!strcmp(spec.prefix, other.prefix))
			fc_die_usage(noun, "-v %s and -v %s: the same prefix", launch->exports[i], text);
	}
	launch->exports[launch->nexports++] = text;
	launch->exports[launch->nexports] = NULL;
}

void fc_launch_add_domain(struct fc_launch *launch, const char *noun, char *path)
{
	if (launch->ndomains == FC_CONFIG_DOMAINS - 1) /* one is kept for -v */
		fc_die_usage(noun, "more than %d domains", FC_CONFIG_DOMAINS - 1);
	if (strchr(path, '\n'))
		fc_die_usage(noun, "a newline in a path is not supported");
	launch->domains[launch->ndomains++] = path;
}

/* End like somebody whom `signo` has killed, as shells expect it; without a core dump, which would be ours. */
static void die_of(int signo) __attribute__((noreturn));
static void die_of(int signo)
{
	struct rlimit none = { 0, 0 };
	sigset_t set;

	at_end();
	setrlimit(RLIMIT_CORE, &none);
	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	raise(signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + signo);
}

/* ---- preparation ---- */

static void die_export_missing(const struct fc_launch *launch)
{
	struct fc_export_spec spec;
	struct stat st;

	for (unsigned i = 0; i < launch->nexports; i++) {
		fc_export_parse(&spec, launch->exports[i]);
		if (stat(spec.dir, &st))
			fc_die(FC_EXIT_OWN, "-v %s: %s: %s; make the directory first", launch->exports[i], spec.dir,
			       strerror(errno));
		if (!S_ISDIR(st.st_mode))
			fc_die(FC_EXIT_OWN, "-v %s: %s is not a directory", launch->exports[i], spec.dir);
	}
}

/* Learn a domain's exports; its prefixes must not overlap those before it. */
static void add_domain(const char *path, bool trusted)
{
	struct fc_domain *domain = &run.domains[run.ndomains];
	const char *wrong;

	wrong = fc_domain_address(domain, path);
	if (wrong)
		fc_die(FC_EXIT_OWN, "%s", wrong);
	domain->trusted = trusted;
	wrong = fc_domain_ask(domain);
	if (wrong)
		fc_die(FC_EXIT_OWN, "%s", wrong);
	for (unsigned d = 0; d < run.ndomains; d++)
		for (unsigned i = 0; i < run.domains[d].nexports; i++)
			for (unsigned j = 0; j < domain->nexports; j++)
				if (fc_prefix_overlap(run.domains[d].export[i].prefix, domain->export[j].prefix))
					fc_die(FC_EXIT_USAGE,
					       "%s serves %s and %s serves %s: prefixes must not overlap",
					       run.domains[d].address, run.domains[d].export[i].prefix, path,
					       domain->export[j].prefix);
	run.ndomains++;
}

static void add_shared_domains(const struct fc_launch *launch)
{
	for (unsigned i = 0; i < launch->ndomains; i++)
		add_domain(launch->domains[i], launch->trust);
}

static void add_private_domain(const struct fc_launch *launch)
{
	pid_t pid = fc_domain_start(launch->exports, run.runtime.socket, launch->any_root, &run.forward);

	if (pid < 0)
		die_of(-pid);
	if (!pid)
		exit(FC_EXIT_OWN);
	run.daemon = pid;
	add_domain(run.runtime.socket, false);
}

static void check_mounts(void)
{
	unsigned mounts = 0;

	for (unsigned d = 0; d < run.ndomains; d++)
		mounts += run.domains[d].nexports;
	if (mounts > FC_CONFIG_MOUNTS)
		fc_die(FC_EXIT_USAGE, "the domains have %u exports together, more than %d", mounts, FC_CONFIG_MOUNTS);
}

/* The directory with the site tables: the cache, or, where there is none to be had, the runtime directory. */
static const char *prepare_sites(void)
{
	static char own[sizeof(run.runtime.path) + sizeof(FC_RUNTIME_SITES) + 1];
	const char *cache = fc_locate_cache(), *file;
	int err = cache ? fc_libc_tables(cache, &file) : -ENOENT;

	if (!err)
		return cache;
	snprintf(own, sizeof(own), "%s/" FC_RUNTIME_SITES, run.runtime.path);
	if ((mkdir(own, 0755) && errno != EEXIST) || chmod(own, 0755))
		fc_die(FC_EXIT_OWN, "%s: %s", own, strerror(errno));
	err = fc_libc_tables(own, &file);
	if (err)
		fc_die(FC_EXIT_OWN, "%s: cannot make its table of system call sites: %s", file, strerror(-err));
	return own;
}

static bool is_preloadable(const char *shim)
{
	return !strpbrk(shim, " :\t\n");
}

/* A symbolic link in the runtime directory, which replaces that of an earlier time in one step. */
static void link_object(const char *to, const char *name)
{
	char draft[sizeof(FC_RUNTIME_AUDIT) + 16];

	snprintf(draft, sizeof(draft), "%s.%d", name, (int)getpid());
	unlinkat(run.runtime.dir, draft, 0);
	if (symlinkat(to, run.runtime.dir, draft) || renameat(run.runtime.dir, draft, run.runtime.dir, name))
		fc_die(FC_EXIT_OWN, "%s/%s: %s", run.runtime.path, name, strerror(errno));
}

/* The shim's audit object, beside it; or at the same place as a link to it. Null: there is none. */
static const char *audit_object(const char *shim)
{
	static char path[PATH_MAX + sizeof(FC_RUNTIME_AUDIT)];
	const char *slash = strrchr(shim, '/');

	if (!slash)
		return NULL;
	snprintf(path, sizeof(path), "%.*s/" FC_RUNTIME_AUDIT, (int)(slash - shim), shim);
	return access(path, R_OK) ? NULL : path;
}

/* LD_PRELOAD knows no quoting: a path with a space or a colon goes in by a symbolic link. */
static const char *preloadable_shim(void)
{
	static char link[sizeof(run.runtime.path) + sizeof(FC_RUNTIME_SHIM) + 1];
	const char *shim = fc_locate_shim(), *audit = audit_object(shim);

	if (is_preloadable(shim))
		return shim;
	snprintf(link, sizeof(link), "%s/" FC_RUNTIME_SHIM, run.runtime.path);
	link_object(shim, FC_RUNTIME_SHIM);
	if (audit)
		link_object(audit, FC_RUNTIME_AUDIT);
	return link;
}

/* Put `object` in front of the list in the variable `name`, unless it is there. */
static void prepend_object(const char *name, const char *object)
{
	const char *old = getenv(name);
	const size_t n = strlen(object);
	char *list;

	if (!old || !*old) {
		setenv(name, object, 1);
	} else if (strncmp(old, object, n) || (old[n] && old[n] != ':')) {
		if (asprintf(&list, "%s:%s", object, old) < 0)
			fc_die(FC_EXIT_OWN, "out of memory");
		setenv(name, list, 1);
		free(list);
	}
}

static bool is_on_export(const void *launch, const char *path);

/* Must the shim be in the command before its libraries are (libc-shim/glibc/audit.c)? */
static bool needs_remote_libraries(const struct fc_launch *launch, const struct fc_program *program)
{
	const struct fc_libraries l = { .library_path = getenv("LD_LIBRARY_PATH"),
					.preload = getenv("LD_PRELOAD"),
					.is_remote = is_on_export,
					.arg = launch };
	int fd = open(program->binary, O_RDONLY | O_CLOEXEC);
	bool needs = fd >= 0 && fc_libraries_remote(&l, fd);

	if (fd >= 0)
		close(fd);
	return needs;
}

static void prepare_environment(const struct fc_launch *launch, const struct fc_program *program, const char *shim)
{
	const char *audit = audit_object(shim);
	char number[16];

	if (!program->relinked) { /* or there is nothing to load; what it starts gets it from the shim */
		if (audit && needs_remote_libraries(launch, program)) {
			prepend_object("LD_AUDIT", audit);
			prepend_object("GLIBC_TUNABLES", FC_CONFIG_TUNABLES);
		}
		prepend_object("LD_PRELOAD", shim);
	}
	setenv("FARCALL_DIR", run.runtime.path, 1);
	unsetenv("FARCALL_TRACE");
	unsetenv("FARCALL_TRACE_PATHS");
	if (launch->trace_paths)
		setenv("FARCALL_TRACE_PATHS", "1", 1);
	if (launch->trace_fd >= 0) {
		snprintf(number, sizeof(number), "%d", launch->trace_fd);
		setenv("FARCALL_TRACE", number, 1);
	}
}

/* ---- the command itself ---- */

static bool is_below(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);

	return !strncmp(name, prefix, length) && (!name[length] || name[length] == '/');
}

/* Is the command on one of our prefixes? Then it is not here to be looked into. */
static bool is_remote(const struct fc_launch *launch, const char *name)
{
	struct fc_export_spec spec;

	for (unsigned i = 0; i < launch->nexports; i++)
		if (!fc_export_parse(&spec, launch->exports[i]) && is_below(name, spec.prefix))
			return true;
	for (unsigned d = 0; d < run.ndomains; d++)
		for (unsigned i = 0; i < run.domains[d].nexports; i++)
			if (is_below(name, run.domains[d].export[i].prefix))
				return true;
	return false;
}

/* The same of any path, as this process would take it. */
static bool is_on_export(const void *launch, const char *path)
{
	char cwd[PATH_MAX], whole[2 * PATH_MAX];

	if (*path == '/')
		return is_remote(launch, path);
	if (!getcwd(cwd, sizeof(cwd)))
		return false;
	snprintf(whole, sizeof(whole), "%s/%s", cwd, path);
	return is_remote(launch, whole);
}

/* argv with `before` in front of it. */
static char **prepend(const char *const *before, char **argv)
{
	size_t nbefore = 0, n = 0;
	char **all;

	while (before[nbefore])
		nbefore++;
	while (argv[n])
		n++;
	all = calloc(nbefore + n + 1, sizeof(*all));
	if (!all)
		fc_die(FC_EXIT_OWN, "out of memory");
	memcpy(all, before, nbefore * sizeof(*all));
	memcpy(all + nbefore, argv, n * sizeof(*all));
	return all;
}

/* Find the command. A remote one is left to a shell that runs under the shim. Returns the arguments to execute it with. */
static char **find_command(const struct fc_launch *launch, struct fc_program *program)
{
	static const char *const shell[] = { "sh", "-c", "exec \"$@\"", "farcall", NULL };
	char **argv = launch->argv;

	if (is_remote(launch, argv[0])) {
		argv = prepend(shell, argv);
		fc_program_find(program, "/bin/sh");
	} else {
		fc_program_find(program, argv[0]);
	}
	return argv;
}

/* As execvp. Returns errno. */
static int exec_program(const struct fc_program *program, char **argv)
{
	execv(program->path, argv);
	if (errno == ENOEXEC) {
		const char *const shell[] = { "/bin/sh", program->path, NULL };

		execv("/bin/sh", prepend(shell, argv + 1));
	}
	return errno;
}

static void exec_command(const struct fc_program *program, char **argv, int report)
{
	pid_t parent = run.owner;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* its storage is gone when we are */
	if (getppid() != parent)
		_exit(FC_EXIT_OWN);
	fc_forward_undo(&run.forward);
	err = exec_program(program, argv);
	(void)!write(report, &err, sizeof(err));
	_exit(FC_EXIT_NOT_RUNNABLE);
}

static void start_command(const struct fc_program *program, char **argv)
{
	int report[2], err = 0;

	if (pipe2(report, O_CLOEXEC))
		fc_die(FC_EXIT_OWN, "pipe: %s", strerror(errno));
	run.child = fork();
	if (run.child < 0)
		fc_die(FC_EXIT_OWN, "fork: %s", strerror(errno));
	if (!run.child)
		exec_command(program, argv, report[1]);
	close(report[1]);
	while (read(report[0], &err, sizeof(err)) < 0 && errno == EINTR)
		;
	close(report[0]);
	if (err) {
		waitpid(run.child, NULL, 0);
		fc_die(err == ENOENT ? FC_EXIT_NOT_FOUND : FC_EXIT_NOT_RUNNABLE, "%s: %s", argv[0], strerror(err));
	}
}

static void say_daemon_died(int status)
{
	if (WIFSIGNALED(status))
		fc_say("the storage domain was killed by signal %d (%s); calls on its paths fail with EIO from now on",
		       WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		fc_say("the storage domain ended with status %d; calls on its paths fail with EIO from now on",
		       WEXITSTATUS(status));
}

/* Look at every child that has changed. True when the command has ended; its wait status is in *status. */
static bool reap(int *status)
{
	pid_t pid;
	int s;

	while ((pid = waitpid(-1, &s, WNOHANG | WUNTRACED)) > 0) {
		if (pid == run.child && WIFSTOPPED(s)) {
			kill(getpid(),
			     SIGSTOP); /* our parent's job control sees us only; SIGCONT to the group wakes both */
		} else if (pid == run.child) {
			*status = s;
			return true;
		} else if (pid == run.daemon && !WIFSTOPPED(s)) {
			say_daemon_died(s);
			run.daemon = 0;
		}
	}
	return false;
}

static int wait_for_command(void)
{
	struct pollfd p = { .fd = run.forward.signals, .events = POLLIN };
	int status;

	while (!reap(&status)) {
		if (poll(&p, 1, -1) < 0)
			continue;
		while (fc_forward_next(&run.forward, run.child))
			;
	}
	return status;
}

/* Are there children but the domain and the witness? Orphaned descendants of the command become ours (subreaper). */
static bool has_orphans(void)
{
	char path[64];
	bool found = false;
	FILE *f;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "re");
	if (!f)
		return false;
	while (!found && fscanf(f, "%d", &pid) == 1)
		found = pid != run.daemon && pid != run.forward.witness;
	fclose(f);
	return found;
}

/* Processes that the command has started and not waited for (`cmd > >(tee /data/log)`) get a moment to finish. */
static void linger(void)
{
	struct timespec step = { .tv_nsec = 10 * 1000 * 1000 };
	int left, status;

	for (int ms = 0; run.daemon > 0 && has_orphans(); ms += 10) {
		if (ms >= LINGER_MS) {
			left = fc_domain_sessions(run.runtime.socket);
			if (left > 0)
				fc_say("%d process%s of the command still use%s the storage domain, which ends now",
				       left, left == 1 ? "" : "es", left == 1 ? "s" : "");
			return;
		}
		nanosleep(&step, NULL);
		reap(&status);
	}
}

void fc_launch_set_cache(struct fc_launch *launch, const char *noun, const char *text)
{
	static const char unit[] = "KMG";
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	const char *u = *end ? strchr(unit, *end) : NULL;
	const unsigned shift = u ? 10 * (unsigned)(u - unit + 1) : 0;

	if (*text < '0' || *text > '9' || (*end && (!u || end[1])) || n > FC_CONFIG_CACHE_MAX >> shift)
		fc_die_usage(noun, "--cache %s: expected a number of bytes, with K, M or G behind it if you like",
			     text);
	snprintf(launch->cache, sizeof(launch->cache), "%llu", n << shift);
}

/*
 * A run that only uses domains of others leaves nothing to do when its command ends, so it becomes the command. Returns if it cannot be one
 * of those.
 */
static void launch_standing(const struct fc_launch *launch)
{
	struct fc_standing standing = { .key = "" };
	const char *sites = fc_locate_cache(), *shim = fc_locate_shim(), *wrong, *file;
	struct fc_program program = { .path = "" };
	char **argv;
	int err;

	if (launch->nexports || launch->trace_fd >= 0 || !sites || !is_preloadable(shim))
		return;
	for (unsigned d = 0; d < launch->ndomains; d++) {
		wrong = fc_domain_address(&run.domains[d], launch->domains[d]);
		if (wrong)
			fc_die(FC_EXIT_OWN, "%s", wrong);
		run.domains[d].trusted = launch->trust;
	}
	if (!fc_standing_init(&standing, run.domains, launch->ndomains, sites, shim, launch->cache))
		return;
	if (fc_standing_find(&standing, run.domains, launch->ndomains)) {
		run.ndomains = launch->ndomains;
	} else {
		add_shared_domains(launch);
		check_mounts();
		if (fc_libc_tables(sites, &file))
			return;
		standing.key[0] = '\0'; /* the tables have changed where they are */
		if (!fc_standing_init(&standing, run.domains, run.ndomains, sites, shim, launch->cache) ||
		    !fc_standing_make(&standing, run.domains, run.ndomains, sites, shim, launch->cache))
			return;
	}
	argv = find_command(launch, &program);
	run.runtime = standing.runtime;
	prepare_environment(launch, &program, shim);
	err = exec_program(&program, argv);
	fc_die(err == ENOENT ? FC_EXIT_NOT_FOUND : FC_EXIT_NOT_RUNNABLE, "%s: %s", argv[0], strerror(err));
}

int fc_launch_config(const struct fc_launch *launch, const char *dir)
{
	const char *sites;
	int err;

	err = fc_runtime_create_at(&run.runtime, dir);
	if (err)
		fc_die(FC_EXIT_OWN, "%s: %s", dir, strerror(-err));
	add_shared_domains(launch);
	check_mounts();
	sites = prepare_sites();
	err = fc_config_write(&run.runtime, run.domains, run.ndomains, sites, preloadable_shim(), launch->cache);
	if (err)
		fc_die(FC_EXIT_OWN, "%s/" FC_CONFIG_FILE ": %s", dir, strerror(-err));
	return 0;
}

int fc_launch(struct fc_launch *launch)
{
	struct fc_program program = { .path = "" };
	const char *sites, *shim;
	char **argv;
	int err, status;

	launch_standing(launch);
	run.ndomains = 0;
	run.owner = getpid();
	die_export_missing(launch);
	err = fc_forward_init(&run.forward);
	if (err)
		fc_die(FC_EXIT_OWN, "cannot handle signals: %s", strerror(-err));
	atexit(at_end);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (fc_runtime_create(&run.runtime))
		return FC_EXIT_OWN;
	add_shared_domains(launch);
	argv = find_command(launch, &program);
	if (launch->nexports)
		add_private_domain(launch);
	check_mounts();
	sites = prepare_sites();
	shim = preloadable_shim();
	err = fc_config_write(&run.runtime, run.domains, run.ndomains, sites, shim, launch->cache);
	if (err)
		fc_die(FC_EXIT_OWN, "%s/config: %s", run.runtime.path, strerror(-err));
	prepare_environment(launch, &program, shim);
	start_command(&program, argv);
	status = wait_for_command();
	linger();
	if (WIFSIGNALED(status))
		die_of(WTERMSIG(status));
	return WEXITSTATUS(status);
}
