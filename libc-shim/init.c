/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * init.c - the shim's constructor: read what `farcall` left in the runtime directory, take over what an exec left, hook the C
 * library. Without a runtime directory it does nothing at all. FARCALL_DIR in the environment names it; if it does not, a
 * relinked program looks into /etc/farcall.conf.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "common/rawcall.h"
#include "common/spin.h"
#include "libc-shim/calls/handlers.h"
#include "libc-shim/hook.h"
#include "libc-shim/process/beyond.h"
#include "libc-shim/process/inherit.h"
#include "libc-shim/process/libraries.h"
#include "libc-shim/process/process.h"
#include "libc-shim/request/request.h"
#include "libc-shim/session/session.h"
#include "libc-shim/shim.h"
#include "libc-shim/text.h"
#include "libc-shim/vdso.h"

#define HIDDEN_ROOM 32
#define HIDDEN_LOW 1024
#define AUXV_MAX 64
#define ARGUMENTS_MAX (1 << 20)
#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif

static const char *variable(char **envp, const char *name)
{
	size_t n = strlen(name);

	for (; envp && *envp; envp++)
		if (shim_starts_with(*envp, name) && (*envp)[n] == '=')
			return *envp + n + 1;
	return NULL;
}

static void remove_variable(char **envp, const char *name)
{
	size_t n = strlen(name);
	char **to = envp;

	for (; *envp; envp++)
		if (!(shim_starts_with(*envp, name) && (*envp)[n] == '='))
			*to++ = *envp;
	*to = NULL;
}

static bool is_set(char **envp, const char *name)
{
	const char *v = variable(envp, name);

	return v && *v && shim_strcmp(v, "0");
}

/* What the kernel has told this program about itself (getauxval(3)); `otherwise` if that cannot be had. */
static unsigned long auxiliary(unsigned long type, unsigned long otherwise)
{
	Elf64_auxv_t aux[AUXV_MAX];
	long n = fc_call(SYS_prctl, PR_GET_AUXV, aux, sizeof aux, 0, 0), fd;

	if (n < 0) { /* before Linux 6.4 */
		fd = fc_call(SYS_openat, AT_FDCWD, "/proc/self/auxv", O_RDONLY | O_CLOEXEC, 0);
		if (fd < 0)
			return otherwise;
		n = fc_call(SYS_read, fd, aux, sizeof aux);
		fc_call(SYS_close, fd);
	}
	for (long i = 0; i < n / (long)sizeof aux[0] && i < AUXV_MAX; i++)
		if (aux[i].a_type == type)
			return aux[i].a_un.a_val;
	return otherwise;
}

/* How many arguments are before the environment, if that is still where the kernel has put it; 0: it is not. */
static long count_arguments(char **envp)
{
	uintptr_t word;

	for (long n = 0; n < ARGUMENTS_MAX && !fc_copy_from_user(&word, envp - 2 - n, sizeof word); n++)
		if (word == (uintptr_t)n)
			return n;
	return 0;
}

/* The program is the interpreter of what was executed by a descriptor, `by`, and has been told to look there: execve has left it open. */
static void name_script(char **envp, const char *by, const char *path)
{
	static const char base[] = "/dev/fd/";
	const long n = count_arguments(envp);
	int fd = 0;

	if (!n || !shim_starts_with(by, base))
		return;
	for (const char *p = by + sizeof base - 1; *p >= '0' && *p <= '9' && fd < SHIM_FDS; p++)
		fd = fd * 10 + (*p - '0');
	if (fc_call(SYS_fcntl, fd, F_GETFD) < 0)
		return;
	for (char **argument = envp - n; *argument; argument++)
		if (shim_strcmp(*argument, by) == 0) {
			*argument = (char *)path;
			fc_call(SYS_close, fd);
			return;
		}
}

/*
 * The program was executed by a descriptor: put the name that it was run by where it looks for one. The auxiliary vector lies behind the
 * environment, if that is still the one that the kernel has made.
 */
static void name_program(char **envp, const char *path)
{
	const unsigned long was = auxiliary(AT_EXECFN, (unsigned long)"");
	const char *last = path;
	Elf64_auxv_t *aux, one;

	name_script(envp, (const char *)was, path);
	while (*envp)
		envp++;
	aux = (Elf64_auxv_t *)(envp + 1);
	for (int i = 0; i < AUXV_MAX && !fc_copy_from_user(&one, &aux[i], sizeof one) && one.a_type; i++)
		if (one.a_type == AT_EXECFN && one.a_un.a_val == was)
			aux[i].a_un.a_val = (unsigned long)path;
	if (shim_starts_with(path, "/dev/fd/"))
		return; /* the kernel has found a better name */
	for (const char *p = path; *p; p++)
		if (*p == '/')
			last = p + 1;
	fc_call(SYS_prctl, PR_SET_NAME, last, 0, 0, 0);
}

/* Has executing this program given it rights? Then its environment must not say where its files are. glibc does not even
 * load a preload object then, but a relinked program has the shim in it. */
static bool gained_rights(void)
{
	return auxiliary(AT_SECURE,
			 fc_call(SYS_getuid) != fc_call(SYS_geteuid) || fc_call(SYS_getgid) != fc_call(SYS_getegid));
}

/* Where our own descriptors go: behind all that the application can have. But the kernel's table is as long as the highest number, and
 * copied by every fork: not far. */
static void choose_numbers(struct shim_process *p)
{
	struct rlimit64 limit = { HIDDEN_LOW, HIDDEN_LOW };

	shim_limits_look(p);
	fc_call(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
	shim.hidden_base = limit.rlim_cur < HIDDEN_LOW ? (int)limit.rlim_cur : HIDDEN_LOW;
	if (p->bounded || limit.rlim_cur > HIDDEN_LOW)
		shim.hidden_base -= HIDDEN_ROOM;
	if (shim.hidden_base < 3)
		shim.hidden_base = 3;
}

/* In a sandbox, which we do not know yet, there may be nothing but plain reading: O_TMPFILE has the bit of O_DIRECTORY. */
static long open_directory(int at, const char *path, int mode)
{
	long fd = fc_call(SYS_openat, at, path, mode | O_DIRECTORY | O_CLOEXEC, 0);

	return fd >= 0 || fd == -ENOENT ? fd : fc_call(SYS_openat, at, path, O_RDONLY | O_CLOEXEC, 0);
}

static int open_placeholder(struct shim_process *p)
{
	long dir = open_directory(AT_FDCWD, shim.config.dir, O_PATH);

	if (dir < 0)
		return (int)dir;
	long fd = open_directory((int)dir, FC_CONFIG_PLACEHOLDER, O_RDONLY);
	fc_call(SYS_close, dir);
	if (fd < 0)
		return (int)fd;
	p->placeholder = (int)fd;
	return 0;
}

static int settle_placeholder(struct shim_process *p)
{
	struct stat st;
	int r;

	choose_numbers(p);
	p->placeholder = shim_hide_fd(p, p->placeholder);
	shim_limits_look(p);
	if (p->placeholder < 0)
		return p->placeholder;
	r = (int)fc_call(SYS_fstat, p->placeholder, &st);
	if (r < 0)
		return r;
	shim.placeholder_dev = st.st_dev;
	shim.placeholder_ino = st.st_ino;
	return 0;
}

static struct shim_slot slots[SHIM_DOMAINS][FC_ENTRIES] __attribute__((aligned(4096)));

static void no_descriptors(struct shim_process *p)
{
	for (int i = 0; i < SHIM_HIDDEN; i++)
		p->hidden[i] = -1;
	for (int i = 0; i < SHIM_SPARES; i++)
		p->spare[i] = -1;
}

static int process_init(struct shim_process *p)
{
	long table = fc_call(SYS_mmap, 0, (size_t)SHIM_FDS * sizeof(uint64_t), PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	long mask = fc_call(SYS_umask, 077);

	if (mask >= 0)
		fc_call(SYS_umask, mask);
	if (table < 0 && table > -4096)
		return (int)table;
	p->fd = (uint64_t *)table;
	p->umask = mask < 0 ? 077
			    : (uint32_t)mask; /* a sandbox that forbids to ask: the image before may know (inherit.c) */
	p->cwd_domain = -1;
	p->sink = -1;
	shim_files_init(&p->files);
	p->pid = (int)fc_call(SYS_getpid);
	for (unsigned d = 0; d < shim.config.ndomains; d++) { /* the others' memory is never touched */
		p->session[d].requests.slot = slots[d];
		shim_session_reset(&p->session[d], d);
	}
	return open_placeholder(p);
}

static void trace_init(char **envp)
{
	const char *v = variable(envp, "FARCALL_TRACE");
	int n = 0;

	shim.trace_fd = -1;
	while (v && *v >= '0' && *v <= '9' && n < SHIM_FDS)
		n = n * 10 + (*v++ - '0');
	if (v && fc_call(SYS_fcntl, n, F_GETFD) >= 0)
		shim.trace_fd = shim_hide_fd(&shim.process, n);
	shim.trace_paths = is_set(envp, "FARCALL_TRACE_PATHS");
}

/* How it begins: by the constructor alone; before the dynamic linker has looked for libraries; or it could not then. */
static struct {
	bool tried, relinked;
	uintptr_t base;
	void (*settle)(void);
} early;

/* Without an address the linker is the program itself, whose headers are on its first page. */
static uintptr_t find_linker(void)
{
	return auxiliary(AT_BASE, 0) ?: auxiliary(AT_PHDR, 0) & ~4095ul;
}

static int install_hook(void)
{
	if (!early.tried)
		return fc_hook_install(shim.config.sites, shim.check);
	return fc_hook_install_linker(shim.config.sites, shim.check, find_linker(), early.base);
}

static int start(const char *dir, char **envp)
{
	struct shim_numbers beyond;
	int r;

	no_descriptors(&shim.process);
	shim_numbers_begin(&shim.process, &beyond);
	r = fc_config_load(&shim.config, dir);
	if (r == 0)
		r = process_init(&shim.process);
	shim_numbers_end(&shim.process, &beyond);
	if (r == 0)
		r = settle_placeholder(&shim.process);
	if (r < 0) {
		shim_say(dir,
			 r == -ENOENT ? ": the `farcall run` that made this directory is gone, so its files are too"
				      : ": cannot use this runtime directory",
			 NULL);
		return r;
	}
	shim.strict = is_set(envp, "FARCALL_STRICT");
	shim.check = is_set(envp, "FARCALL_CHECK");
	shim.no_stream = is_set(envp, "FARCALL_NO_STREAM");
	shim.io_uring = !shim_strcmp(variable(envp, "FARCALL_IO_URING") ?: "", "local");
	int policy = fc_spin_policy_find(variable(envp, "FARCALL_SPIN") ?: "");
	if (policy >= 0)
		fc_spin_policy = (enum fc_spin_policy)policy;
	trace_init(envp);
	shim_vdso_init(auxiliary(AT_SYSINFO_EHDR, 0));
	shim_handlers_init();
	r = fc_signal_init();
	shim_numbers_begin(&shim.process, &beyond);
	if (r == 0)
		r = install_hook();
	shim_numbers_end(&shim.process, &beyond);
	return r < 0 ? r : 0;
}

static bool is_relinked(void)
{
	return early.tried ? early.relinked : fc_hook_is_relinked();
}

/* What the linker does for a preloaded program it does not for a relinked one that has gained rights. */
static char **trusted(char **envp)
{
	static char *none[] = { NULL };

	return variable(envp, "FARCALL_DIR") && is_relinked() && gained_rights() ? none : envp;
}

/* The runtime directory, or null: then this is an ordinary program. */
static const char *find_directory(char **envp)
{
	const char *dir = variable(envp, "FARCALL_DIR");
	int r;

	if (dir)
		return *dir ? dir : NULL;
	if (!is_relinked())
		return NULL;
	r = fc_config_system(FC_CONFIG_SYSTEM, shim.config.dir, sizeof shim.config.dir);
	if (r < 0 && r != -ENOENT)
		shim_say(FC_CONFIG_SYSTEM, ": cannot use it", NULL);
	return r > 0 ? shim.config.dir : NULL;
}

/*
 * Did the start fail only because the host had nothing to give just now? Who was to have remote files must not work on local ones
 * because of that, or on both with half of its calls hooked. (A runtime directory or a table that is not there, or not for this
 * program, is something else: then it runs locally, as it says.)
 */
static bool is_shortage(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -EAGAIN || error == -EINTR ||
	       error == -EIO;
}

static void give_up(int error, char **envp)
{
	if (is_shortage(error) || is_set(envp, "FARCALL_STRICT"))
		fc_call(SYS_exit_group, 125);
}

/* What execve has put in front of a list of the application's, if anything, is not for it to see. */
static void restore_list(char **envp, const char *name, const char *ours)
{
	const char *list = variable(envp, name);
	size_t n = strlen(ours);

	if (!list || !shim_starts_with(list, ours))
		return;
	if (!list[n])
		remove_variable(envp, name);
	else if (list[n] == ':')
		for (char *to = (char *)list, *from = to + n + 1; (*to++ = *from++);)
			;
}

static void restore_lists(char **envp)
{
	char audit[FC_PATH_MAX];

	if (!shim_audit_path(audit, sizeof audit, shim.config.preload))
		return;
	restore_list(envp, "LD_AUDIT", audit);
	restore_list(envp, "GLIBC_TUNABLES", FC_CONFIG_TUNABLES);
}

/* By the time that the rate is needed this is long enough ago. */
static void measure_from_here(void)
{
	struct timespec now;

	if (fc_tsc_per_us)
		return;
	for (int i = 0; i < 3; i++) {
		uint64_t before = fc_tsc();

		shim_vdso_clock(&now);
		fc_tsc_begin(before, &now);
	}
}

static void begin(const char *dir, char **envp)
{
	const char *inherited = variable(envp, "FARCALL_EXEC"), *program = variable(envp, "FARCALL_PROGRAM");
	int r = start(dir, envp);

	if (r < 0) {
		give_up(r, envp);
		return;
	}
	shim.ready = true;
	if (program) {
		name_program(envp, program);
		remove_variable(envp, "FARCALL_PROGRAM");
	}
	if (inherited) {
		shim_inherit_restore(inherited);
		remove_variable(envp, "FARCALL_EXEC");
	}
	measure_from_here();
	restore_lists(envp);
}

void fc_start_early(char **envp, uintptr_t base, void (*settle)(void), bool relinked)
{
	const char *dir;

	early.tried = true;
	early.relinked = relinked;
	early.base = base;
	early.settle = settle;
	envp = trusted(envp);
	dir = find_directory(envp);
	if (dir)
		begin(dir, envp);
}

void fc_pause_early(void)
{
	if (shim.ready && fc_hook_remove_linker(find_linker()) < 0)
		fc_call(SYS_exit_group, 125);
}

/* The dynamic linker is through with everything: the C library is there to be hooked. */
static void go_on(void)
{
	if (!shim.ready)
		return;
	early.settle();
	struct shim_numbers beyond;
	shim_numbers_begin(&shim.process, &beyond);
	int r = fc_hook_install(shim.config.sites, shim.check);
	shim_numbers_end(&shim.process, &beyond);
	if (r < 0) /* half of its calls would be hooked */
		fc_call(SYS_exit_group, 125);
}

/* glibc passes the environment to constructors, and has not set its variable yet; other libraries do it the other way round. */
extern char **environ __attribute__((weak));

__attribute__((constructor)) static void init(int argc, char **argv, char **envp)
{
	const char *dir;

	(void)argc;
	(void)argv;
	if (&environ && environ)
		envp = environ;
	if (early.tried) {
		go_on();
	} else {
		envp = trusted(envp);
		dir = find_directory(envp);
		if (dir)
			begin(dir, envp);
	}
	if (shim.ready && shim.check)
		fc_check_arm();
}
