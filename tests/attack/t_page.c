/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_page.c - what the domain gives away to be looked at: its page, by which everybody sees whether it lives, and the
 * figures. No client can write to either, by whatever way, cut it short or take its pages.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/attack/attack.h"

static void try_mapping(int fd, size_t size, const char *what)
{
	void *m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	EXPECT(m == MAP_FAILED, "%s can be mapped to be written", what);
	m = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (m == MAP_FAILED)
		return;
	EXPECT(mprotect(m, size, PROT_READ | PROT_WRITE) < 0, "%s can be made writable", what);
	EXPECT(madvise(m, size, MADV_REMOVE) < 0, "the pages of %s can be taken away", what);
	munmap(m, size);
}

static void try_all(int fd, const char *what)
{
	struct stat st;

	CHECK(!fstat(fd, &st));
	EXPECT(pwrite(fd, "x", 1, 0) < 0, "%s is written", what);
	EXPECT(ftruncate(fd, 0) < 0, "%s is cut short", what);
	EXPECT(ftruncate(fd, 2 * st.st_size) < 0, "%s is made longer", what);
	EXPECT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, st.st_size) < 0, "%s gets a hole", what);
	try_mapping(fd, (size_t)st.st_size, what);
}

/* With the descriptor that came, and with others of the same object. */
static void try_object(int fd, const char *what)
{
	static const int flags[] = { O_RDWR, O_WRONLY, O_RDWR | O_TRUNC };
	char path[64], other[128];

	try_all(fd, what);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		int again = open(path, flags[i]);

		if (again < 0)
			continue;
		snprintf(other, sizeof other, "%s, opened again with flags %x,", what, (unsigned)flags[i]);
		try_all(again, other);
		close(again);
	}
	EXPECT(fchmod(fd, 0777) < 0 || geteuid() == 0, "%s is ours to chmod", what);
}

static void try_page(void)
{
	struct fc_domain_page *page;
	struct fc_packet p;
	int sock = attack_connect();

	CHECK(sock >= 0);
	CHECK_IS(attack_ask(sock, FC_MSG_HELLO, FC_ABI_MAJOR, FC_ABI_MINOR, NULL, 0, &p), 0);
	CHECK_IS(p.nfds, 1);
	try_object(p.fd[0], "the domain page");
	page = mmap(NULL, FC_PAGE_SIZE, PROT_READ, MAP_SHARED, p.fd[0], 0);
	CHECK(page != MAP_FAILED);
	EXPECT(page->magic == FC_ABI_MAGIC && page->state == FC_DOMAIN_UP, "the domain page has changed");
	munmap(page, FC_PAGE_SIZE);
	fc_packet_drop(&p);
	close(sock);
}

static void try_figures(void)
{
	struct fc_packet p;
	int sock = attack_connect();

	CHECK(sock >= 0);
	CHECK_IS(attack_ask(sock, FC_MSG_STAT, 0, 0, NULL, 0, &p), 0);
	CHECK_IS(p.nfds, 1);
	try_object(p.fd[0], "the memory of the figures");
	fc_packet_drop(&p);
	close(sock);
}

static void both(void)
{
	try_page();
	try_figures();
}

int main(void)
{
	attack_begin(NULL);
	attack_by(ATTACKER, "the domain page and the figures, by a user", both);
	attack_by(0, "the domain page and the figures, by root", both);
	return attack_end();
}
