/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_fuzz.c SECONDS SEED DOMAIN - an ordinary user who is up to no good with /dev/syscall: open, mmap, fork, kill, every ioctl with
 * half-sensible and with random arguments, several processes at once, some with threads on the same files, scribbling over everything that
 * is mapped. It proves little by itself: whoever runs it looks at the kernel's log and at the module's counters afterwards. Exit status
 * 0 unless it cannot begin, or has attached from another mount namespace.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "farcall/abi.h"
#include "farcall/ioctl.h"

#define WORKERS 6
#define FILES 8
#define MAPS 8

static const char *domain;
static __thread uint64_t state; /* of the numbers; threads have other ones */
static int file[FILES];
static struct {
	char *at;
	size_t size;
} map[MAPS];
static unsigned long calls, successes;
static bool elsewhere;         /* in a tree of our own, where nobody is to attach */
static volatile bool *escaped; /* somebody has; of all processes */

static uint64_t any(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t below(uint64_t n)
{
	return any() % n;
}

/* A number that some check might get wrong. */
static uint64_t odd_number(void)
{
	static const uint64_t number[] = { 0,
					   1,
					   4,
					   63,
					   64,
					   4095,
					   4096,
					   FC_DATA_MIN,
					   FC_DATA_MIN - 1,
					   2 * FC_DATA_MIN,
					   FC_DATA_MAX,
					   2ull * FC_DATA_MAX,
					   61440,
					   61436,
					   1 << 20,
					   INT32_MAX,
					   UINT32_MAX,
					   1ull << 32,
					   INT64_MAX,
					   UINT64_MAX };

	return below(3) ? number[below(sizeof number / sizeof *number)] : any();
}

static void own_name(char *name)
{
	memset(name, 0, FC_IOC_NAME_MAX);
	if (below(8))
		strcpy(name, domain);
	else
		for (int i = 0; i < FC_IOC_NAME_MAX; i++)
			name[i] = (char)any();
}

static int send_ioctl(int fd, unsigned long request, void *argument)
{
	int r = ioctl(fd, request, argument);

	calls++;
	successes += r >= 0;
	return r;
}

/* ---- what a client does, more or less ---- */

static void attach(int fd)
{
	struct fc_ioc_attach a = { .size = sizeof a, .umask = (uint32_t)any() };

	own_name(a.name);
	if (!send_ioctl(fd, FC_IOC_ATTACH, &a) && elsewhere)
		*escaped = true;
}

static void none(int fd, unsigned long request)
{
	struct fc_ioc_none a = { .size = sizeof a };

	send_ioctl(fd, request, &a);
}

static void areas(int fd)
{
	struct fc_ioc_areas a = { .size = sizeof a };

	send_ioctl(fd, FC_IOC_AREAS, &a);
}

static void map_something(int fd)
{
	static const uint64_t offset[] = { FC_MAP_PAGE, FC_MAP_REQUESTS, FC_MAP_DATA, FC_MAP_DATA + FC_DATA_MIN,
					   FC_MAP_DATA + FC_DATA_MAX / 2 };
	static const size_t size[] = {
		4096, sizeof(struct fc_request_area), FC_DATA_MIN, 2 * FC_DATA_MIN, 8192, 1 << 30
	};
	unsigned i = below(MAPS);
	uint64_t from = below(8) ? offset[below(5)] : odd_number() & ~4095ull;
	size_t n = size[below(6)];
	int flags = below(10) ? MAP_SHARED : MAP_PRIVATE;
	void *at = mmap(NULL, n, below(10) ? PROT_READ | (below(3) ? PROT_WRITE : 0) : PROT_READ | PROT_EXEC, flags, fd,
			(off_t)from);

	calls++;
	if (at == MAP_FAILED)
		return;
	successes++;
	if (map[i].at)
		munmap(map[i].at, map[i].size);
	map[i].at = at;
	map[i].size = n;
	if (!below(6))
		madvise(at, n, below(2) ? MADV_DONTNEED : MADV_DOFORK);
	if (!below(6))
		mprotect(at, n, (int)below(8));
	if (!below(10))
		mremap(at, n, n * 2, MREMAP_MAYMOVE);
}

/* A request area as it must be, or nearly. */
static void dress(struct fc_request_area *area)
{
	area->header.magic = FC_ABI_MAGIC;
	area->header.major = FC_ABI_MAJOR;
	area->header.minor = FC_ABI_MINOR;
	area->header.entries = FC_ENTRIES;
	area->header.size = sizeof *area;
	if (!below(4))
		((uint32_t *)area)[below(1024)] = (uint32_t)any();
}

static __thread sigjmp_buf out;
static __thread bool can_jump;

static void jump(int sig)
{
	if (!can_jump)
		_exit(1); /* another thread has taken the ground away */
	can_jump = false;
	siglongjmp(out, sig);
}

static void scribble(void)
{
	unsigned i = below(MAPS);
	char *at = map[i].at;
	size_t size = map[i].size;

	if (!at || sigsetjmp(out, 1))
		return;
	can_jump = true;
	if (size == sizeof(struct fc_request_area) && below(2))
		dress((struct fc_request_area *)at);
	for (int n = 0; n < 50; n++)
		((volatile uint32_t *)at)[below(size / 4)] = (uint32_t)odd_number();
	can_jump = false;
}

static void wait_a_little(int fd)
{
	struct timespec now;
	struct fc_ioc_wait a = { .size = sizeof a, .offset = (uint32_t)(below(2) ? odd_number() : below(15360) * 4) };

	clock_gettime(CLOCK_MONOTONIC, &now);
	a.deadline_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec + below(2000000);
	a.seen = below(2) ? 0 : (uint32_t)any();
	send_ioctl(fd, FC_IOC_WAIT, &a);
}

static void shrink(int fd)
{
	struct fc_ioc_length a = { .size = sizeof a, .length = odd_number() };

	send_ioctl(fd, FC_IOC_SHRINK, &a);
}

static void grow(int fd)
{
	struct fc_ioc_length a = { .size = sizeof a };

	send_ioctl(fd, FC_IOC_GROW, &a);
}

/* Memory for a mapping, and what is done to it past its sessions. */
static void memory(int fd)
{
	struct fc_ioc_map a = { .size = sizeof a, .length = below(4) ? (1 + below(64)) * 4096 : odd_number() };
	unsigned i = below(MAPS);
	void *at;

	if (send_ioctl(fd, FC_IOC_MAP, &a))
		return;
	at = a.length <= 64 * 4096 ? mmap(NULL, a.length, PROT_READ | PROT_WRITE, MAP_SHARED, a.fd, 0) : MAP_FAILED;
	if (below(2) && ftruncate(a.fd, (off_t)odd_number()))
		calls++;
	if (below(2) && fallocate(a.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096 * below(64)))
		calls++;
	close(a.fd);
	if (at == MAP_FAILED)
		return;
	if (map[i].at)
		munmap(map[i].at, map[i].size);
	map[i].at = at;
	map[i].size = a.length;
}

static void unmap(int fd)
{
	struct fc_ioc_unmap a = { .size = sizeof a, .number = below(4) ? below(4) : (uint32_t)odd_number() };

	send_ioctl(fd, FC_IOC_UNMAP, &a);
}

static void lease(int fd)
{
	struct fc_ioc_lease a = { .size = sizeof a, .descriptor = below(100), .wants = odd_number() };
	struct fc_ioc_return b = { .size = sizeof b, .which = below(4), .word = below(1 << 14) };

	if (below(2))
		send_ioctl(fd, FC_IOC_LEASE, &a);
	if (!below(4))
		b = (struct fc_ioc_return){ .size = sizeof b, .which = odd_number(), .word = odd_number() };
	send_ioctl(fd, FC_IOC_RETURN, &b);
}

static void offer(int fd)
{
	struct fc_ioc_offer a = { .size = sizeof a, .fresh = below(8) ? below(2) : (uint32_t)odd_number() };

	send_ioctl(fd, FC_IOC_OFFER, &a);
}

static void fork_session(int fd)
{
	struct fc_ioc_fork a = { .size = sizeof a };
	struct fc_ioc_forked f = { .size = sizeof f };
	unsigned i = below(FILES);

	if (send_ioctl(fd, FC_IOC_FORK, &a))
		return;
	f.session = below(4) ? a.session : (uint32_t)odd_number();
	f.pid = below(2) ? getpid() : (int32_t)odd_number();
	send_ioctl(fd, FC_IOC_FORKED, &f);
	if (file[i] >= 0)
		close(file[i]);
	file[i] = a.fd;
}

static void gone(int fd)
{
	struct fc_ioc_gone a = { .size = sizeof a, .pid = below(2) ? getppid() : (int32_t)odd_number() };

	send_ioctl(fd, FC_IOC_GONE, &a);
}

static void list_and_stat(int fd)
{
	static char text[FC_IOC_TEXT_MAX];
	struct fc_ioc_list l = { .size = sizeof l,
				 .index = (uint32_t)below(3),
				 .text = (uintptr_t)(below(8) ? text : NULL) };
	struct fc_ioc_stat s = { .size = sizeof s, .buffer = (uintptr_t)text, .length = below(4) ? sizeof text : 0 };

	if (!below(8))
		l.text = odd_number();
	send_ioctl(fd, FC_IOC_LIST, &l);
	own_name(s.name);
	send_ioctl(fd, FC_IOC_STAT, &s);
}

static void noise(int fd)
{
	static uint64_t garbage[64];
	uint32_t size = (uint32_t)below(128);

	for (int i = 0; i < 64; i++)
		garbage[i] = odd_number();
	if (below(2))
		memcpy(garbage, &size, sizeof size);
	send_ioctl(fd, below(4) ? _IOC(below(4), FC_IOC_MAGIC, below(18), below(120)) : any(),
		   below(8) ? (void *)garbage : (void *)odd_number());
}

/* Give a file to somebody else: through a socket, to a child, and into a close. */
static void pass_on(int fd)
{
	char control[CMSG_SPACE(sizeof fd)] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		return;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(c), &fd, sizeof fd);
	sendmsg(pair[0], &m, MSG_DONTWAIT);
	close(pair[0]);
	close(pair[1]);
}

static void act(void)
{
	unsigned i = below(FILES);
	int fd = file[i];

	if (fd < 0 || !below(40)) {
		if (fd >= 0)
			close(fd);
		file[i] = open(FC_DEVICE, O_RDWR | O_CLOEXEC);
		attach(file[i]);
		return;
	}
	switch (below(24)) {
	case 0:
		attach(fd);
		break;
	case 1:
		areas(fd);
		break;
	case 2:
		areas(fd);
		map_something(fd);
		break;
	case 3:
		offer(fd);
		break;
	case 4:
		none(fd, FC_IOC_RING);
		break;
	case 5:
		none(fd, FC_IOC_CRED);
		break;
	case 6:
		none(fd, FC_IOC_RLIMIT);
		break;
	case 7:
		if (!below(5))
			none(fd, FC_IOC_BYE);
		break;
	case 8:
		grow(fd);
		break;
	case 9:
		shrink(fd);
		break;
	case 10:
		if (!below(3))
			fork_session(fd);
		break;
	case 11:
		if (!below(10))
			gone(fd);
		break;
	case 12:
		wait_a_little(fd);
		break;
	case 13:
		list_and_stat(fd);
		break;
	case 14:
	case 15:
		noise(fd);
		break;
	case 16:
		map_something(fd);
		break;
	case 17:
		pass_on(fd);
		break;
	case 18:
	case 19:
		memory(fd);
		break;
	case 20:
		unmap(fd);
		break;
	case 21:
		lease(fd);
		break;
	default:
		scribble();
	}
}

/* The same files, at the same time. */
static void *second_thread(void *seed)
{
	state = (uintptr_t)seed | 1;
	for (;;)
		act();
	return NULL;
}

static void run(uint64_t seed, time_t end)
{
	pthread_t thread;

	state = seed * 0x9e3779b97f4a7c15ull + 1;
	signal(SIGSEGV, jump);
	signal(SIGBUS, jump);
	signal(SIGCHLD, SIG_IGN);
	alarm((unsigned)(end - time(NULL)) + 30);
	for (int i = 0; i < FILES; i++)
		file[i] = -1;
	for (uint64_t n = below(4); n; n--)
		pthread_create(&thread, NULL, second_thread, (void *)(uintptr_t)any());
	while (time(NULL) < end) {
		act();
		if (!below(400)) { /* a child that goes on with what it has inherited, and is killed or ends */
			pid_t pid = fork();

			if (pid == 0) {
				any();
				elsewhere = !below(3) && !unshare(CLONE_NEWUSER | CLONE_NEWNS);
				for (unsigned n = below(200); n; n--)
					act();
				_exit(0);
			}
			if (pid > 0 && below(2))
				kill(pid, SIGKILL);
		}
		if (!below(3000))
			_exit(0); /* its parent makes another */
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 10);
	pid_t worker[WORKERS] = { 0 };
	unsigned long rounds = 0;

	if (argc != 4 || access(FC_DEVICE, R_OK | W_OK)) {
		fprintf(stderr, "usage: h_fuzz SECONDS SEED DOMAIN; " FC_DEVICE " must be there\n");
		return 2;
	}
	domain = argv[3];
	escaped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (escaped == MAP_FAILED)
		return 2;
	srandom((unsigned)seed);
	while (time(NULL) < end) {
		for (int i = 0; i < WORKERS; i++) {
			if (worker[i] && waitpid(worker[i], NULL, WNOHANG) == 0) {
				if (random() % 200 == 0)
					kill(worker[i], SIGKILL);
				continue;
			}
			worker[i] = fork();
			if (!worker[i])
				run(seed * 1000003 + rounds, end);
			rounds++;
		}
		usleep(20000);
	}
	for (int i = 0; i < WORKERS; i++)
		if (worker[i] > 0)
			waitpid(worker[i], NULL, 0);
	if (*escaped)
		fprintf(stderr, "h_fuzz: attached from another mount namespace\n");
	printf("%lu processes\n", rounds);
	return !*escaped && rounds >= WORKERS ? 0 : 1; /* a slow domain may have kept all of them busy to the end */
}
