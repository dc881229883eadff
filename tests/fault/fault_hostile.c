/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault_hostile.c - hostile clients of a real domain: each attack runs again and again, beside honest clients that must not
 * notice. It alone is cut off: the domain stays up, serves the honest ones correctly and without delay, gives away nothing
 * that was never opened, and afterwards has as many processes and descriptors as before.
 *
 *   fault_hostile [SECONDS]       default: FC_STRESS_SECONDS, or 20
 *
 * As root the attackers are other users than the daemon's, and are kept from its processes. FARCALL_STORAGED names the
 * daemon, FARCALL the command that runs the honest client (default: those of FC_BUILD).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "common/queue.h"
#include "farcall/wire.h"
#include "tests/domain/peer.h"

static struct daemon daemon_;
static double end_time;
static uint64_t seed;
static uid_t attacker = (uid_t)-1;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static bool more(void)
{
	return now() < end_time;
}

static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	return seed ^= seed << 17;
}

/* numbers that are likelier to hurt than others */
static uint64_t nasty(void)
{
	static const uint64_t list[] = { 0,
					 1,
					 ~0ull,
					 ~0ull - 1,
					 1ull << 63,
					 (1ull << 63) - 1,
					 1ull << 31,
					 (1ull << 32) - 1,
					 1ull << 32,
					 FC_DATA_MIN,
					 FC_DATA_MIN - 1,
					 FC_DATA_MAX,
					 FC_DATA_MAX - 4096,
					 FC_PATH_MAX,
					 0x7fffffff,
					 (uint64_t)-100,
					 4096,
					 65536,
					 16,
					 17,
					 0x41414141 };

	switch (any() % 4) {
	case 0:
		return any();
	case 1:
		return any() % (2 * FC_DATA_MIN);
	default:
		return list[any() % (sizeof list / sizeof list[0])];
	}
}

/* a number that has a row: the others end the session before anything gets interesting */
static unsigned known_call(void)
{
	for (;;) {
		unsigned nr = (unsigned)any() % 450;

		if (fc_row_by_nr(nr))
			return nr;
	}
}

/* ---- the honest client: a program under `farcall run` ---- */

static int honest(const char *dir)
{
	static unsigned char data[200000], back[200000];
	double worst = 0;
	unsigned long rounds = 0;
	char path[200];

	while (more()) {
		size_t n = rounds % 5 ? 4096 : sizeof data;
		double began = now();
		struct stat st;
		int fd;

		snprintf(path, sizeof path, "%s/honest%d.%lu", dir, getpid(), rounds % 7);
		memset(data, (int)rounds, n);
		fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
		CHECK(fd >= 0);
		CHECK_IS(write(fd, data, n), n);
		CHECK(!fstat(fd, &st));
		CHECK_IS(st.st_size, n);
		CHECK_IS(pread(fd, back, n, 0), n);
		CHECK(!memcmp(data, back, n));
		CHECK(!close(fd));
		if (rounds % 7 == 6)
			CHECK(!unlink(path));
		if (now() - began > worst)
			worst = now() - began;
		rounds++;
	}
	printf("honest: %lu rounds, the slowest took %.0f ms\n", rounds, worst * 1000);
	CHECK(rounds > 10);
	CHECK(worst < 5);
	return 0;
}

/* ---- sessions that do not trust their luck ---- */

static bool lost(const struct session *s)
{
	struct pollfd p = { .fd = s->sock };

	return __atomic_load_n(&s->area->header.poisoned, __ATOMIC_RELAXED) ||
	       (poll(&p, 1, 0) == 1 && (p.revents & POLLHUP));
}

/* The call's result, or INT64_MIN if the session has been cut off or half a second has passed. */
static int64_t try_call(struct session *s, unsigned index, unsigned nr, const uint64_t arg[6])
{
	struct fc_entry *e = &s->area->entry[index];
	double began = now();

	e->nr = (uint16_t)nr;
	e->flags = 0;
	e->nonce++;
	e->thread = 0;
	memcpy(e->arg, arg, sizeof e->arg);
	__atomic_store_n(&e->state, FC_QUEUED, __ATOMIC_RELEASE);
	if (fc_queue_enqueue(&s->area->queue, index))
		return INT64_MIN;
	fc_bell_ring(&fc_bell_local, &s->area->header);
	while (__atomic_load_n(&e->state, __ATOMIC_ACQUIRE) != FC_DONE) {
		if (lost(s) || now() - began > 0.5)
			return INT64_MIN;
		sched_yield();
	}
	return e->result;
}

#define TRY(s, nr, ...) try_call(s, 0, nr, (const uint64_t[6]){ __VA_ARGS__ })

static bool open_session(struct session *s)
{
	struct fc_packet answer;

	memset(s, 0, sizeof *s);
	s->sock = fc_control_connect(daemon_.socket);
	if (s->sock < 0)
		return false;
	if (peer_ask(s->sock, FC_MSG_HELLO, FC_ABI_MAJOR, FC_ABI_MINOR, &answer)) {
		close(s->sock);
		return false;
	}
	fc_packet_drop(&answer);
	if (peer_ask(s->sock, FC_MSG_ATTACH, 022, 64 << 20, &answer) || session_areas(s)) {
		close(s->sock);
		return false;
	}
	return true;
}

static void must_open(struct session *s)
{
	for (int i = 0; i < 50; i++) {
		if (open_session(s))
			return;
		usleep(100000); /* a flood beside us may have every place */
	}
	CHECK(!"a session can be had");
}

/* ---- random bytes all over the shared areas, and requests of random contents ---- */

static void scribble_once(struct session *s)
{
	uint8_t *area = (uint8_t *)s->area;
	size_t at;

	switch (any() % 8) {
	case 0: /* anywhere */
		at = any() % (sizeof *s->area - 8);
		*(uint64_t *)(area + (at & ~7ul)) = any();
		break;
	case 1: /* the queue's own words */
		((uint64_t *)&s->area->queue)[8 * (any() % 3)] += any() % 3 ? 1 : any();
		break;
	case 2: /* its slots */
		s->area->queue.slot[any() % FC_QUEUE_SLOTS] = any() % 2 ? any() : any() % 1024;
		break;
	case 3: /* an entry, whatever its state */
		((uint64_t *)&s->area->entry[any() % FC_ENTRIES])[any() % 8] = nasty();
		break;
	case 4: /* a stream's progress */
		((uint32_t *)&s->area->stream[any() % FC_ENTRIES])[any() % 32] = (uint32_t)nasty();
		break;
	case 5:
		((uint32_t *)&s->area->header)[any() % 64] = (uint32_t)nasty();
		break;
	default:
		*(uint64_t *)(s->data + (any() % (s->length - 8) & ~7ul)) = nasty();
	}
}

/* A request that may be right in everything but what its numbers mean. Memory that it names holds iovecs, paths, structures
 * of nasty numbers. */
static void random_request(struct session *s, unsigned index)
{
	static const unsigned own[] = { FC_NR_INTERRUPT,
					FC_NR_STREAM_READ,
					FC_NR_STREAM_WRITE,
					FC_NR_NOP,
					FC_NR_MAP,
					FC_NR_UNMAP,
					FC_NR_MAP_SYNC,
					1500,
					65535 };
	struct fc_entry *e = &s->area->entry[index];

	e->nr = (uint16_t)(any() % 5   ? known_call()
			   : any() % 4 ? own[any() % 7]
			   : any() % 2 ? any() % 440
				       : own[any() % 9]);
	e->flags = (uint16_t)(any() % 3 ? 0 : any());
	e->nonce++;
	for (int i = 0; i < 6; i++)
		e->arg[i] = any() % 3 ? nasty() : any() % 40;
	if (any() % 2)
		e->arg[0] = 16 + any() % 4; /* the first descriptors it has */
	__atomic_store_n(&e->state, any() % 20 ? FC_QUEUED : (uint32_t)any(), __ATOMIC_RELEASE);
	fc_queue_enqueue(&s->area->queue, any() % 50 ? index : (uint32_t)any() % FC_ENTRIES);
	fc_bell_ring(&fc_bell_local, &s->area->header);
}

static void prepare_data(struct session *s)
{
	for (size_t i = 0; i < s->length / 8; i++)
		((uint64_t *)s->data)[i] = nasty();
	strcpy(s->data, "/data/victim");
	strcpy(s->data + 4096, "../../../../etc/passwd");
	strcpy(s->data + 8192, "/proc/self/fd/3");
}

static int attack_scribble(void)
{
	unsigned long cuts = 0, sessions = 0;

	while (more()) {
		struct session s;
		int budget = 2000;

		must_open(&s);
		sessions++;
		prepare_data(&s);
		TRY(&s, SYS_openat, (uint64_t)AT_FDCWD, 0, O_RDWR | O_CREAT, 0666);
		while (budget-- && more() && !lost(&s)) {
			if (any() % 3 == 0)
				scribble_once(&s);
			else
				random_request(&s, (unsigned)any() % FC_ENTRIES);
			if (any() % 64 == 0)
				usleep(1000);
		}
		cuts += lost(&s);
		session_close(&s);
	}
	printf("scribble: %lu sessions, %lu of them cut off\n", sessions, cuts);
	return 0;
}

/* Well-formed requests with random arguments only: the domain validates, and need not cut anybody off. A thread-like second
 * writer keeps changing the data and the entries meanwhile. */
static int attack_races(void)
{
	while (more()) {
		struct session s;
		pid_t pid;

		must_open(&s);
		prepare_data(&s);
		pid = fork(); /* shares the memory */
		if (pid == 0) {
			while (more()) {
				struct fc_entry *e = &s.area->entry[0];

				e->arg[any() % 6] = nasty();
				*(uint64_t *)(s.data + (any() % 20000 & ~7ul)) = nasty();
				s.data[any() % 60] = (char)any();
			}
			_exit(0);
		}
		for (int i = 0; i < 3000 && more() && !lost(&s); i++) {
			strcpy(s.data, "/data/victim");
			TRY(&s, known_call(), any() % 40, any() % 20000, any() % 5000, any() % 100, any() % 5000, 0);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		session_close(&s);
	}
	return 0;
}

/* ---- every descriptor number that was never opened ---- */

static void probe(struct session *s, int64_t fd, int except)
{
	static const unsigned calls[] = { SYS_fstat,      SYS_read,  SYS_pread64, SYS_write,  SYS_lseek,
					  SYS_fsync,      SYS_close, SYS_dup,     SYS_fchdir, SYS_ftruncate,
					  SYS_getdents64, SYS_flock, SYS_fstatfs };

	if (fd == except)
		return;
	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		int64_t r = TRY(s, calls[i], (uint64_t)fd, calls[i] == SYS_flock ? 1 : 4096, 8, 0, 0, 0);

		if (r != -EBADF && calls[i] != SYS_ftruncate) {
			printf("descriptor %lld: call %u gives %lld, not EBADF\n", (long long)fd, calls[i],
			       (long long)r);
			exit(1);
		}
		CHECK(r < 0);
	}
	CHECK_IS(TRY(s, SYS_fcntl, (uint64_t)fd, F_GETFL, 0, 0, 0, 0), -EBADF);
	strcpy(s->data, "x");
	CHECK_IS(TRY(s, SYS_openat, (uint64_t)fd, 0, O_RDONLY, 0, 0, 0), -EBADF);
	CHECK_IS(TRY(s, SYS_newfstatat, (uint64_t)fd, 0, 8192, 0, 0, 0), -EBADF);
	CHECK_IS(TRY(s, SYS_sendfile, (uint64_t)except, (uint64_t)fd, FC_DATA_MIN * 0ull - 1, 10, 0, 0), -EBADF);
}

static int attack_descriptors(void)
{
	struct session s;
	int64_t mine;

	must_open(&s);
	strcpy(s.data, "/data/victim");
	mine = TRY(&s, SYS_openat, (uint64_t)AT_FDCWD, 0, O_RDWR | O_CREAT, 0666);
	CHECK(mine >= FC_DOMAIN_FD_FIRST);
	for (int64_t fd = 0; fd < 300; fd++)
		probe(&s, fd, (int)mine);
	for (int64_t fd = 300; fd < 70000 && more(); fd++)
		if (fd != mine)
			CHECK_IS(TRY(&s, SYS_fstat, (uint64_t)fd, 4096, 0, 0, 0, 0), -EBADF);
	while (more()) {
		probe(&s, (int64_t)(any() % (FC_DOMAIN_FD_MAX * 2)), (int)mine);
		probe(&s, -1 - (int64_t)(any() % 99), (int)mine); /* not AT_FDCWD */
		probe(&s, (int64_t)(any() | 1ull << 40) & ~0xffffffffll, (int)mine);
	}
	CHECK(TRY(&s, SYS_fstat, (uint64_t)mine, 4096, 0, 0, 0, 0) == 0);
	CHECK(!lost(&s));
	session_close(&s);
	return 0;
}

/* ---- signals, renice, ptrace and the rest, at every process of the domain ---- */

static unsigned descendants(pid_t root, pid_t *list, unsigned max)
{
	unsigned n = 0, before;
	struct dirent *d;

	list[n++] = root;
	do {
		DIR *proc = opendir("/proc");

		before = n;
		while (proc && (d = readdir(proc))) {
			char path[64], text[512] = "", *p;
			pid_t pid = (pid_t)atoi(d->d_name), parent;
			int fd;

			if (pid <= 0)
				continue;
			snprintf(path, sizeof path, "/proc/%d/stat", pid);
			fd = open(path, O_RDONLY);
			if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
				text[0] = 0;
			close(fd);
			p = strrchr(text, ')');
			if (!p || sscanf(p + 1, " %*c %d", &parent) != 1)
				continue;
			for (unsigned i = 0; i < n; i++) {
				if (list[i] != parent)
					continue;
				for (i = 0; i < n && list[i] != pid; i++)
					;
				if (i == n && n < max)
					list[n++] = pid;
				break;
			}
		}
		if (proc)
			closedir(proc);
	} while (n != before);
	return n;
}

#define REFUSED(call)                                                                                       \
	do {                                                                                                \
		errno = 0;                                                                                  \
		long r_ = (long)(call);                                                                     \
		if (r_ != -1 || (errno != EPERM && errno != EACCES && errno != ESRCH && errno != ENOENT)) { \
			printf("%s at process %d of the domain: %ld, errno %d\n", #call, pid, r_, errno);   \
			exit(1);                                                                            \
		}                                                                                           \
	} while (0)

static void assault(pid_t pid)
{
	static const int signals[] = { 0, SIGTERM, SIGKILL, SIGSTOP, SIGSEGV, SIGUSR1, SIGUSR2 };
	cpu_set_t one;
	char path[64], byte;
	struct iovec v = { &byte, 1 }, there = { (void *)0x400000, 1 };
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
		REFUSED(kill(pid, signals[i]));
		REFUSED(syscall(SYS_tgkill, pid, pid, signals[i]));
		if (pidfd >= 0)
			REFUSED(syscall(SYS_pidfd_send_signal, pidfd, signals[i], NULL, 0));
	}
	REFUSED(syscall(SYS_rt_sigqueueinfo, pid, SIGTERM, &(siginfo_t){ .si_code = SI_QUEUE }));
	REFUSED(setpriority(PRIO_PROCESS, (id_t)pid, 19));
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	REFUSED(sched_setaffinity(pid, sizeof one, &one));
	REFUSED(syscall(SYS_sched_setscheduler, pid, SCHED_BATCH, &(struct sched_param){ 0 }));
	REFUSED(syscall(SYS_ioprio_set, 1, pid, 3 << 13));
	REFUSED(prlimit(pid, RLIMIT_NOFILE, &(struct rlimit){ 3, 3 }, NULL));
	REFUSED(ptrace(PTRACE_ATTACH, pid, NULL, NULL));
	REFUSED(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	REFUSED(process_vm_readv(pid, &v, 1, &there, 1, 0));
	REFUSED(process_vm_writev(pid, &v, 1, &there, 1, 0));
	if (pidfd >= 0) {
		for (int fd = 0; fd < 40; fd++)
			REFUSED(syscall(SYS_pidfd_getfd, pidfd, fd, 0));
		close(pidfd);
	}
	snprintf(path, sizeof path, "/proc/%d/mem", pid);
	REFUSED(open(path, O_RDWR));
	snprintf(path, sizeof path, "/proc/%d/fd/3", pid);
	REFUSED(open(path, O_RDONLY));
	snprintf(path, sizeof path, "/proc/%d/root/data", pid);
	REFUSED(open(path, O_RDONLY));
	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
	REFUSED(open(path, O_WRONLY));
}

static int attack_processes(void)
{
	unsigned long rounds = 0, processes = 0;
	pid_t list[512];

	if (attacker == (uid_t)-1) {
		printf("processes: not root, the daemon's user is the attacker's: nothing to keep apart\n");
		return 0;
	}
	while (more()) {
		struct session s;
		unsigned n;

		/* a session of our own: its shadow and workers wear our ids, as far as they do */
		must_open(&s);
		strcpy(s.data, "/data/victim");
		TRY(&s, SYS_openat, (uint64_t)AT_FDCWD, 0, O_RDWR | O_CREAT, 0666);
		n = descendants(daemon_.pid, list, 512);
		CHECK(n > 2);
		for (unsigned i = 0; i < n; i++) {
			char path[64];
			struct dirent *d;
			DIR *tasks;

			assault(list[i]);
			processes++;
			snprintf(path, sizeof path, "/proc/%d/task", list[i]);
			tasks = opendir(path);
			while (tasks && (d = readdir(tasks))) {
				pid_t pid = (pid_t)atoi(d->d_name);

				if (pid <= 0)
					continue;
				REFUSED(syscall(SYS_tkill, pid, SIGKILL));
				REFUSED(setpriority(PRIO_PROCESS, (id_t)pid, 19));
				REFUSED(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
			}
			if (tasks)
				closedir(tasks);
		}
		rounds++;
		session_close(&s);
		usleep(50000);
	}
	printf("processes: %lu rounds, %lu processes\n", rounds, processes);
	return 0;
}

/* ---- the memory: unsealed, of the wrong kind, cut, punched, swapped ---- */

static int odd_object(unsigned kind, uint64_t size)
{
	char name[] = "/tmp/fc-hostile-XXXXXX";
	int fd;

	switch (kind % 8) {
	case 0: /* no seals: it could be truncated under the domain */
		fd = memfd_create("unsealed", MFD_ALLOW_SEALING);
		break;
	case 1:
		fd = memfd_create("huge", MFD_HUGETLB | MFD_ALLOW_SEALING);
		break;
	case 2:
		fd = mkstemp(name);
		unlink(name);
		break;
	case 3:
		return open("/dev/zero", O_RDWR);
	case 4:
		return socket(AF_UNIX, SOCK_STREAM, 0);
	case 5:
		fd = memfd_create("half", MFD_ALLOW_SEALING);
		if (fd >= 0 && ftruncate(fd, (off_t)size / 2) == 0)
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
		return fd;
	case 6:
		fd = memfd_create("grows", MFD_ALLOW_SEALING);
		if (fd >= 0 && ftruncate(fd, (off_t)size) == 0)
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
		return fd;
	default:
		return open("/proc/self/mem", O_RDWR);
	}
	if (fd >= 0 && ftruncate(fd, (off_t)size)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void offer_odd(void)
{
	struct session s = { .sock = fc_control_connect(daemon_.socket) };
	unsigned kind = (unsigned)any();
	int fd[2], r;

	if (s.sock < 0 || peer_ask(s.sock, FC_MSG_HELLO, FC_ABI_MAJOR, FC_ABI_MINOR, NULL) ||
	    peer_ask(s.sock, FC_MSG_ATTACH, 022, ~0ull, NULL))
		goto out;
	fd[0] = kind & 64 ? odd_object(kind, sizeof *s.area) : peer_memfd(sizeof *s.area);
	fd[1] = kind & 64 ? peer_memfd(FC_DATA_MIN) : odd_object(kind, FC_DATA_MIN);
	if (fd[0] >= 0 && fd[1] >= 0) {
		r = peer_ask_fds(s.sock, FC_MSG_AREAS, FC_DATA_MIN, fd, 2, NULL);
		if (r >= 0) {
			printf("areas of kind %u are accepted\n", kind % 8);
			exit(1);
		}
	}
	if (fd[0] >= 0)
		close(fd[0]);
	if (fd[1] >= 0)
		close(fd[1]);
out:
	if (s.sock >= 0)
		close(s.sock);
}

static void cut_and_punch(void)
{
	struct session s;
	int fd[2] = { peer_memfd(sizeof *s.area), peer_memfd(FC_DATA_MIN) };

	must_open(&s);
	/* areas of our own whose descriptors we keep */
	munmap(s.area, sizeof *s.area);
	s.area = mmap(NULL, sizeof *s.area, PROT_READ | PROT_WRITE, MAP_SHARED, fd[0], 0);
	munmap(s.data, FC_DATA_MAX);
	s.data = mmap(NULL, FC_DATA_MAX, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(mmap(s.data, FC_DATA_MIN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd[1], 0) == s.data);
	s.area->header = (struct fc_area_header){ .magic = FC_ABI_MAGIC,
						  .major = FC_ABI_MAJOR,
						  .minor = FC_ABI_MINOR,
						  .entries = FC_ENTRIES,
						  .size = sizeof *s.area };
	fc_queue_init(&s.area->queue);
	CHECK_IS(peer_ask_fds(s.sock, FC_MSG_AREAS, FC_DATA_MIN, fd, 2, NULL), 0); /* they replace the others */
	for (int i = 0; i < 200 && !lost(&s); i++) {
		uint64_t at = any() % 60 * 4096;

		strcpy(s.data, "/data/victim");
		TRY(&s, SYS_openat, (uint64_t)AT_FDCWD, 0, O_RDWR | O_CREAT, 0666);
		TRY(&s, SYS_pread64, 16, at, 9000, 0, 0, 0);
		CHECK(ftruncate(fd[1], 4096) == -1); /* the seals hold */
		CHECK(ftruncate(fd[0], FC_DATA_MIN) == -1);
		fallocate(fd[1], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
			  4096 * (1 + (off_t)(any() % 4)));
		if (i % 20 == 19)
			fallocate(fd[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(any() % 15 * 4096), 4096);
		if (i % 50 == 49) {
			int again[2] = { peer_memfd(sizeof *s.area), peer_memfd(FC_DATA_MIN) };

			peer_ask_fds(s.sock, FC_MSG_AREAS, FC_DATA_MIN, any() % 2 ? fd : again, 2, NULL); /* swap */
			close(again[0]);
			close(again[1]);
		}
	}
	close(fd[0]);
	close(fd[1]);
	session_close(&s);
}

static int attack_memory(void)
{
	while (more()) {
		offer_odd();
		if (any() % 8 == 0)
			cut_and_punch();
	}
	return 0;
}

/* ---- the socket: nonsense, floods, silence ---- */

static void send_raw(int sock, size_t size, int fds)
{
	static uint8_t bytes[70000];
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(250 * sizeof(int))];
	} control;
	struct iovec v = { bytes, size };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct fc_msg *head = (struct fc_msg *)bytes;

	for (size_t i = 0; i < 512; i++)
		bytes[i] = (uint8_t)any();
	if (any() % 4) {
		head->magic = FC_MSG_MAGIC;
		head->type = (uint16_t)(any() % (FC_MSG_TYPES + 2));
		if (head->type == FC_MSG_STOP && attacker == (uid_t)-1)
			head->type = 0; /* it may */
		head->size = (uint16_t)(any() % 3 ? size - sizeof *head : any());
	}
	if (fds) {
		memset(&control, 0, sizeof control);
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE((size_t)fds * sizeof(int));
		control.head.cmsg_level = SOL_SOCKET;
		control.head.cmsg_type = SCM_RIGHTS;
		control.head.cmsg_len = CMSG_LEN((size_t)fds * sizeof(int));
		for (int i = 0; i < fds; i++)
			((int *)CMSG_DATA(&control.head))[i] = any() % 2 ? 1 : sock;
	}
	sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int attack_socket(void)
{
	int idle[64], n = 0;
	unsigned long sent = 0;

	while (more()) {
		int sock = fc_control_connect(daemon_.socket);

		if (sock < 0) {
			usleep(10000);
			continue;
		}
		switch (any() % 6) {
		case 0: /* half-open: say nothing, for a while */
			if (n == 64) {
				while (n)
					close(idle[--n]);
			}
			idle[n++] = sock;
			continue;
		case 1: /* attached, then nonsense to the shadow */
			peer_ask(sock, FC_MSG_HELLO, FC_ABI_MAJOR, FC_ABI_MINOR, NULL);
			peer_ask(sock, FC_MSG_ATTACH, any(), nasty(), NULL);
			break;
		case 2: { /* a flood of answers that nobody reads */
			struct fc_msg m = { .type = FC_MSG_HELLO, .arg = { FC_ABI_MAJOR } };

			for (int i = 0; i < 2000; i++)
				if (fc_control_send(sock, &m, NULL, NULL, 0, MSG_DONTWAIT))
					break;
			break;
		}
		case 3: /* tokens nobody gave it; processes it has not reaped */
			for (int i = 0; i < 20; i++) {
				CHECK(peer_ask(sock, FC_MSG_CRED, any(), any(), NULL) != 0);
				close(sock);
				sock = fc_control_connect(daemon_.socket);
				if (sock < 0)
					break;
				peer_ask(sock, FC_MSG_GONE, any() % 2 ? (uint64_t)daemon_.pid : any() % 65536, 0, NULL);
			}
			if (sock >= 0 && attacker != (uid_t)-1)
				CHECK(peer_ask(sock, FC_MSG_STOP, 0, 0, NULL) != 0);
			break;
		}
		for (int i = 0; sock >= 0 && i < 20; i++, sent++) {
			static const size_t sizes[] = { 0, 1, 63, 64, 65, 100, 64 + 4096, 65 + 4096, 9000, 60000 };

			send_raw(sock, sizes[any() % 10], any() % 3 ? 0 : (int)(any() % 5 ? any() % 8 : 250));
		}
		if (sock >= 0)
			close(sock);
	}
	printf("socket: %lu messages of nonsense\n", sent);
	return 0;
}

/* ---- all of it ---- */

static int descriptors_of(pid_t pid)
{
	char path[64];
	struct dirent *d;
	DIR *dir;
	int n = 0;

	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)))
		n += d->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n;
}

static long resident_kb(pid_t pid)
{
	char path[64], line[200];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		if (sscanf(line, "RssAnon: %ld", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb;
}

static pid_t run_attack(int (*attack)(void), unsigned number)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		seed = 88172645463325252ull + number * 7919ull;
		become(attacker);
		exit(attack());
	}
	return pid;
}

static pid_t run_honest(const char *farcall, const char *self, uid_t uid)
{
	pid_t pid = fork();
	char left[32];

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		become(uid);
		snprintf(left, sizeof left, "%f", end_time - now());
		setenv("HOME", daemon_.directory, 1);
		execl(farcall, farcall, "run", "--domain", daemon_.socket, "--", self, "--honest", "/data", left, NULL);
		_exit(127);
	}
	return pid;
}

static const char *program(const char *variable, const char *name, char *room, size_t size)
{
	const char *build = getenv("FC_BUILD"), *given = getenv(variable);

	if (given)
		return given;
	snprintf(room, size, "%s/%s", build ? build : ".", name);
	return room;
}

int main(int argc, char **argv)
{
	static int (*const attacks[])(void) = { attack_scribble,  attack_races,  attack_descriptors,
						attack_processes, attack_memory, attack_socket };
	static const char *const names[] = { "scribble", "races", "descriptors", "processes", "memory", "socket" };
	static const char *const mode[] = { "--mode", "0666", NULL };
	const char *stress = getenv("FC_STRESS_SECONDS"), *only = getenv("FC_ATTACK");
	double seconds = argc > 1 ? atof(argv[1]) : stress ? atof(stress) : 20;
	char self[512], daemon_path[512], farcall_path[512];
	const char *storaged, *farcall;
	pid_t attack[6] = { 0 }, good[2], list[512];
	int failures = 0, status, before_fds, before_processes;
	long before_kb;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 4 && !strcmp(argv[1], "--honest")) {
		end_time = now() + atof(argv[3]);
		return honest(argv[2]);
	}
	storaged = program("FARCALL_STORAGED", "farcall-storaged", daemon_path, sizeof daemon_path);
	farcall = program("FARCALL", "farcall", farcall_path, sizeof farcall_path);
	if (access(storaged, X_OK) || access(farcall, X_OK)) {
		printf("SKIP: no %s or %s\n", storaged, farcall);
		return 77;
	}
	status = (int)readlink("/proc/self/exe", self, sizeof self - 1);
	CHECK(status > 0);
	self[status] = 0;
	if (geteuid() == 0)
		attacker = 54321;
	daemon_.uid = (uid_t)-1;
	daemon_start(&daemon_, storaged, mode);
	chmod(daemon_.export, 01777);
	usleep(500000);
	before_fds = descriptors_of(daemon_.pid);
	before_kb = resident_kb(daemon_.pid);
	before_processes = (int)descendants(daemon_.pid, list, 512);

	end_time = now() + seconds;
	good[0] = run_honest(farcall, self, (uid_t)-1);
	good[1] = run_honest(farcall, self, geteuid() ? (uid_t)-1 : 12345);
	for (unsigned i = 0; i < 6; i++)
		if (!only || strstr(only, names[i]))
			attack[i] = run_attack(attacks[i], i);
	for (unsigned i = 0; i < 6; i++) {
		if (attack[i] && (waitpid(attack[i], &status, 0) != attack[i] || status)) {
			printf("FAIL: attack %s: status %x\n", names[i], status);
			failures++;
		}
	}
	for (int i = 0; i < 2; i++) {
		if (waitpid(good[i], &status, 0) != good[i] || status) {
			printf("FAIL: honest client %d: status %x\n", i, status);
			failures++;
		}
	}
	if (waitpid(daemon_.pid, &status, WNOHANG) != 0) {
		printf("FAIL: the domain has ended: status %x\n", status);
		return 1;
	}
	/* what the attackers left is taken away soon */
	for (int i = 0; i < 100; i++) {
		if (descriptors_of(daemon_.pid) <= before_fds + 2 &&
		    (int)descendants(daemon_.pid, list, 512) <= before_processes + 4)
			break;
		usleep(100000);
	}
	printf("descriptors %d -> %d, processes %d -> %u, memory %ld -> %ld kB\n", before_fds,
	       descriptors_of(daemon_.pid), before_processes, descendants(daemon_.pid, list, 512), before_kb,
	       resident_kb(daemon_.pid));
	if (descriptors_of(daemon_.pid) > before_fds + 2 ||
	    (int)descendants(daemon_.pid, list, 512) > before_processes + 4 ||
	    resident_kb(daemon_.pid) > before_kb + 4096) {
		printf("FAIL: something is left\n");
		failures++;
	}
	end_time = now() + 1;
	good[0] = run_honest(farcall, self, (uid_t)-1);
	if (waitpid(good[0], &status, 0) != good[0] || status) {
		printf("FAIL: an honest client afterwards: status %x\n", status);
		failures++;
	}
	CHECK_IS(daemon_stop(&daemon_), 0);
	printf("%s\n", failures ? "fault_hostile: failed" : "fault_hostile: passed");
	return failures ? 1 : 0;
}
