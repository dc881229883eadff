/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_usercopy.c - user copies at every edge: holes before and behind every length at every alignment, on either side,
 * memory-mapped files that end early, and the slow way that is taken when faults cannot be repaired.
 */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/rawcall.h"
#include "libc-shim/hook/usercopy.h"
#include "libc-shim/hook.h"

#define PAGE 4096
#define MAX 700

/* the hook's own calls end here; nothing is patched in this program */
long fc_dispatch(long nr, long a[6])
{
	return fc_raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void fc_thread_ends(void)
{
}

void fc_thread_storage(char *tls)
{
	(void)tls;
}

int fc_clone_prepare(uint64_t flags, uint64_t stack)
{
	(void)flags, (void)stack;
	return 0;
}

void fc_clone_done(long r)
{
	(void)r;
}

long fc_dispatch_cancellable(long nr, long a[6], const volatile int *cancelled)
{
	(void)cancelled;
	return fc_dispatch(nr, a);
}

bool fc_fd_is_remote(int fd)
{
	(void)fd;
	return false;
}

bool fc_path_is_remote(int dirfd, const char *path)
{
	(void)dirfd;
	(void)path;
	return false;
}

/* two pages, with a hole on either side */
static char *island(void)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert(p != MAP_FAILED);
	cr_assert(!munmap(p, PAGE) && !munmap(p + 3 * PAGE, PAGE));
	return p + PAGE;
}

static void fill(char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (char)(i * 7 + 1);
}

/* n bytes of which only `there` are accessible, from a page's end */
static void check_edge(size_t n, size_t there)
{
	char *page = island(), *user = page + 2 * PAGE - there, ours[MAX + 2];

	fill(user, there);
	memset(ours, 0, sizeof(ours));
	cr_expect_eq(fc_copy_from_user(ours + 1, user, n), n - there, "from: %zu of %zu", there, n);
	cr_expect(!memcmp(ours + 1, user, there), "from: %zu of %zu", there, n);
	cr_expect(!ours[0] && !ours[n + 1]);
	fill(ours, n);
	cr_expect_eq(fc_copy_to_user(user, ours, n), n - there, "to: %zu of %zu", there, n);
	cr_expect(!memcmp(user, ours, there), "to: %zu of %zu", there, n);
	munmap(page, 2 * PAGE);
}

static void check_edges(void)
{
	static const size_t large[] = { 150, 191, 192, 193, 255, 256, 400, 511, 512, 513, MAX };

	for (size_t n = 0; n <= 140; n++)
		for (size_t there = 0; there <= n; there++)
			check_edge(n, there);
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		for (size_t there = 0; there <= large[i]; there += 5)
			check_edge(large[i], there);
}

Test(usercopy, edges)
{
	cr_assert(!fc_signal_init());
	cr_assert(fc_faults_repaired);
	check_edges();
}

Test(usercopy, edges_by_kernel)
{
	fc_vfork_depth = 1; /* a vfork child may not install anything */
	check_edges();
	cr_expect(!fc_faults_repaired);
}

Test(usercopy, alignments)
{
	char *page = island(), *other = island();

	for (size_t n = 0; n <= 300; n++) {
		for (size_t a = 0; a < 9; a++) {
			memset(other, 0, PAGE);
			fill(page + a, n);
			cr_expect_eq(fc_copy_from_user(other + 8 - a + 1, page + a, n), 0);
			cr_expect(!memcmp(other + 8 - a + 1, page + a, n));
			cr_expect(!other[8 - a] && !other[8 - a + 1 + n], "n %zu a %zu", n, a);
		}
	}
}

Test(usercopy, pointers_to_nowhere)
{
	static const uintptr_t bad[] = { 0,         1,    4095, 0x7fffffffffff, 0x800000000000, 0xffff800000000000,
					 ~0ull - 7, ~0ull };
	char ours[PAGE];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (size_t n = 1; n <= 300; n++) {
			cr_expect_eq(fc_copy_from_user(ours, (void *)bad[i], n), n, "%#zx %zu", bad[i], n);
			cr_expect_eq(fc_copy_to_user((void *)bad[i], ours, n), n);
		}
		cr_expect_eq(fc_strncpy_from_user(ours, (char *)bad[i], PAGE), -EFAULT);
	}
	cr_expect_eq(fc_copy_from_user(ours, NULL, 0), 0);
}

Test(usercopy, read_only_memory)
{
	char *page = island(), ours[16] = "0123456789abcde";

	cr_assert(!mprotect(page + PAGE, PAGE, PROT_READ));
	cr_expect_eq(fc_copy_to_user(page + PAGE - 6, ours, 16), 10);
	cr_expect(!memcmp(page + PAGE - 6, ours, 6));
	cr_assert(!mprotect(page + PAGE, PAGE, PROT_NONE));
	cr_expect_eq(fc_copy_from_user(ours, page + PAGE - 6, 16), 10);
}

/* SIGBUS */
Test(usercopy, file_that_ends_early)
{
	int fd = memfd_create("short", MFD_CLOEXEC);
	char *p, ours[PAGE * 2];

	cr_assert(fd >= 0 && !ftruncate(fd, 2 * PAGE));
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert(p != MAP_FAILED && !ftruncate(fd, PAGE));
	cr_expect_eq(fc_copy_from_user(ours, p, 2 * PAGE), PAGE);
	cr_expect_eq(fc_copy_to_user(p + PAGE - 3, ours, 8), 5);
	cr_expect_eq(fc_strncpy_from_user(ours, p + PAGE, PAGE), -EFAULT);
}

static void check_strings(void)
{
	char *page = island(), ours[128];

	for (size_t length = 0; length < 80; length++) {
		for (size_t slack = 0; slack < 17; slack++) {
			char *user = page + 2 * PAGE - 1 - length - slack;

			memset(page, 'y', 2 * PAGE);
			memset(user, 'x', length);
			user[length] = '\0';
			memset(ours, 'z', sizeof(ours));
			cr_expect_eq(fc_strncpy_from_user(ours, user, 100), (long)length);
			cr_expect(!memcmp(ours, user, length + 1), "%zu %zu", length, slack);
			cr_expect_eq(ours[100], 'z');
			for (size_t max = 0; max <= length; max++)
				cr_expect_eq(fc_strncpy_from_user(ours, user, max), -ENAMETOOLONG, "%zu %zu", length,
					     max);
			cr_expect_eq(fc_strncpy_from_user(ours, user, length + 1), (long)length);
		}
		memset(page, 'y', 2 * PAGE);
		cr_expect_eq(fc_strncpy_from_user(ours, page + 2 * PAGE - length, 100), -EFAULT);
		cr_expect_eq(fc_strncpy_from_user(ours, page + 2 * PAGE - length, length), -ENAMETOOLONG);
	}
}

Test(usercopy, strings)
{
	check_strings();
}

Test(usercopy, strings_by_kernel)
{
	fc_vfork_depth = 1;
	check_strings();
}

Test(usercopy, bytes_behind_the_string_stay_private)
{
	char user[64] = "path\0secret", ours[64] = "";

	cr_expect_eq(fc_strncpy_from_user(ours, user, sizeof(ours)), 4);
	for (size_t i = 4; i < sizeof(ours); i++)
		cr_expect_eq(ours[i], 0);
}

static volatile sig_atomic_t faults;

static void handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	faults++;
	uc->uc_mcontext.gregs[REG_RIP] += 3; /* over `movb $1, (%rax)` */
}

/* a fault of the program's own still reaches its handler, and the shim's do not */
Test(usercopy, faults_of_others)
{
	struct sigaction sa = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	char ours[64];

	cr_assert(!sigaction(SIGSEGV, &sa, NULL));
	cr_assert(!fc_signal_init());
	cr_expect_eq(fc_copy_from_user(ours, NULL, 64), 64);
	cr_expect_eq(faults, 0);
	__asm__ volatile("movb $1, (%0)" : : "a"(0ul) : "memory");
	cr_expect_eq(faults, 1);
	cr_expect_eq(fc_copy_from_user(ours, NULL, 64), 64);
	cr_expect_eq(faults, 1);
}

Test(usercopy, faults_of_others_kill, .signal = SIGSEGV)
{
	char ours[8];

	signal(SIGSEGV, SIG_DFL); /* a sanitizer may have a handler */
	cr_expect_eq(fc_copy_from_user(ours, NULL, 8), 8);
	__asm__ volatile("movb $1, (%0)" : : "a"(0ul) : "memory");
}
