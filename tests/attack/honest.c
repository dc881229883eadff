/* SPDX-License-Identifier: GPL-2.0-or-later */
/* honest.c - a program that uses the domain as it should, see honest.h. */
#define _GNU_SOURCE
#include "tests/attack/honest.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define SAID_MAX 5     /* errors to be told of */
#define ROUND_CALLS 4  /* rounds of calls in each session */
#define PAUSE_MS 4     /* between two sessions */
#define START_MS 15000 /* how long it may take to come to a session, or to let go of it */

static void error_seen(struct honest *h, const char *what, long long r)
{
	if (atomic_fetch_add(&h->errors, 1) < SAID_MAX)
		printf("# honest program of user %u: %s: %s\n", h->uid, what,
		       r == ATTACK_LOST ? "lost, or no answer in time" : strerror(r < 0 ? (int)-r : 0));
	attack_sleep_ms(50);
}

static void sample(_Atomic unsigned *count, uint32_t *to, double began)
{
	unsigned n = atomic_load(count);

	if (n < HONEST_SAMPLES)
		to[n] = (uint32_t)((attack_now() - began) * 1e6);
	atomic_store(count, n < HONEST_SAMPLES ? n + 1 : n);
}

static bool over_budget(const struct honest *h, int64_t r)
{
	return h->greedy && (r == -EAGAIN || r == -EMFILE || r == -ENFILE || r == -ENOMEM);
}

/* ---- work ---- */

static int64_t timed_call(struct honest *h, struct session *s, unsigned nr, const uint64_t arg[6])
{
	double began = attack_now();
	int64_t r = attack_call(s, nr, arg);

	sample(&h->calls, h->call_us, began);
	return r;
}

#define TIMED(h, s, nr, ...) timed_call(h, s, nr, (const uint64_t[6]){ __VA_ARGS__ })

/* open, pwrite, pread, stat, close. False: something went wrong, and has been told. */
static bool calls(struct honest *h, struct session *s)
{
	char name[64];
	int64_t fd, r;

	snprintf(name, sizeof name, "/data/honest.%u", h->uid);
	fd = TIMED(h, s, SYS_openat, (uint64_t)AT_FDCWD, session_put(s, 0, name), O_CREAT | O_RDWR, 0600);
	if (fd < 0) {
		if (over_budget(h, fd)) {
			atomic_fetch_add(&h->refused, 1);
			return true;
		}
		error_seen(h, "open", fd);
		return false;
	}
	memset(s->data + 8192, 'h', 4096);
	r = TIMED(h, s, SYS_pwrite64, fd, 8192, 4096, 0);
	if (r == 4096)
		r = TIMED(h, s, SYS_pread64, fd, 16384, 4096, 0);
	if (r == 4096 && memcmp(s->data + 8192, s->data + 16384, 4096))
		r = -EBADMSG;
	if (r == 4096)
		r = TIMED(h, s, SYS_newfstatat, (uint64_t)AT_FDCWD, 0, 32768, 0);
	if (r == 0)
		r = TIMED(h, s, SYS_close, fd);
	if (r)
		error_seen(h, "pwrite, pread, stat or close", r);
	return !r;
}

static int attach(struct honest *h, struct session *s)
{
	double began = attack_now();
	int r = attack_open(s);

	if (!r)
		sample(&h->attaches, h->attach_us, began);
	else if ((over_budget(h, r) || (h->greedy && r == -EPIPE)) && attack_now() - began < 1)
		atomic_fetch_add(&h->refused, 1);
	else
		error_seen(h, "attach", r);
	return r;
}

static void work(struct honest *h)
{
	struct session kept, s;
	bool have = !attach(h, &kept);

	atomic_store(&h->busy, true);
	while (atomic_load(&h->wanted)) {
		if (have && !calls(h, &kept)) {
			session_close(&kept);
			have = !attach(h, &kept);
		}
		if (!attach(h, &s)) {
			for (int i = 0; i < ROUND_CALLS && calls(h, &s); i++)
				;
			session_close(&s);
		}
		attack_sleep_ms(PAUSE_MS);
	}
	if (have)
		session_close(&kept);
	atomic_store(&h->busy, false);
}

/* ---- seen from outside ---- */

struct honest *honest_begin(uid_t uid, bool greedy)
{
	struct honest *h = mmap(NULL, sizeof *h, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	CHECK(h != MAP_FAILED);
	h->uid = uid;
	h->greedy = greedy;
	pid = fork();
	CHECK(pid >= 0);
	if (!pid) {
		become(uid);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			if (atomic_load(&h->wanted))
				work(h);
			attack_sleep_ms(1);
		}
	}
	h->pid = pid;
	return h;
}

static bool wait_for(const struct honest *h, bool busy)
{
	double end = attack_now() + START_MS / 1000.0;

	while (atomic_load(&h->busy) != busy) {
		if (attack_now() > end || waitpid(h->pid, NULL, WNOHANG))
			return false;
		attack_sleep_ms(1);
	}
	return true;
}

bool honest_start(struct honest *h)
{
	h->errors = h->refused = h->attaches = h->calls = 0;
	atomic_store(&h->wanted, true);
	return wait_for(h, true);
}

bool honest_stop(struct honest *h)
{
	atomic_store(&h->wanted, false);
	return wait_for(h, false);
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double percentile_ms(uint32_t *us, unsigned n)
{
	if (!n)
		return 0;
	qsort(us, n, sizeof *us, by_size);
	return us[n - 1 - (n >= 100 ? n / 100 : n >= 20)] / 1000.0;
}

struct honest_speed honest_speed(struct honest *h)
{
	return (struct honest_speed){
		.attaches = h->attaches,
		.calls = h->calls,
		.attach_ms = percentile_ms(h->attach_us, h->attaches),
		.call_ms = percentile_ms(h->call_us, h->calls),
	};
}

void honest_end(struct honest *h)
{
	kill(h->pid, SIGKILL);
	waitpid(h->pid, NULL, 0);
	munmap(h, sizeof *h);
}
