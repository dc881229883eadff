/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_mmap.c - private mappings of a file hold its bytes; shared ones are everybody's, and the descriptor's rights are theirs. Of a file
 * that is not handed over (FC_NOMAP) private ones are copies, and shared ones have no end behind which they cannot be touched.
 */
#include "e2e.h"

#include <setjmp.h>
#include <sys/syscall.h>

static sigjmp_buf beyond;

static void on_bus(int signo)
{
	siglongjmp(beyond, signo);
}

static int touch(volatile unsigned char *p)
{
	int signo = sigsetjmp(beyond, 1);

	return signo ? signo : (*p, 0);
}

/* What one writes, the other one reads: the file, the mapping, another process, another open file. */
static void shared(int fd)
{
	unsigned char *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *q, back[16] = { 0 };
	int again = open(in_dir("mapped"), O_RDWR), status;
	pid_t child;

	CHECK(p != MAP_FAILED && again >= 0);
	if (p == MAP_FAILED)
		return;
	EQUAL(pwrite(again, "by write", 8, 5000), 8);
	CHECK(!memcmp(p + 5000, "by write", 8));
	memcpy(p + 6000, "by store", 8);
	EQUAL(pread(again, back, 8, 6000), 8);
	CHECK(!memcmp(back, "by store", 8));
	EQUAL(msync(p, 16384, MS_SYNC), 0);
	child = fork();
	if (!child) {
		memcpy(p + 7000, "by child", 8);
		unsigned char *own =
			mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, open(in_dir("mapped"), O_RDWR), 4096);
		memcpy(own + 4000, "by own", 6);
		_exit(own == MAP_FAILED);
	}
	waitpid(child, &status, 0);
	EQUAL(status, 0);
	CHECK(!memcmp(p + 7000, "by child", 8) && !memcmp(p + 8096, "by own", 6));
	EQUAL(mprotect(p, 4096, PROT_READ), 0);
	EQUAL(mprotect(p, 4096, PROT_READ | PROT_WRITE), 0);
	q = mremap(p, 16384, 65536, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED && !memcmp(q + 6000, "by store", 8));
	EQUAL(madvise(q + 4096, 4096, MADV_DONTNEED), 0);
	CHECK(!memcmp(q + 6000, "by store", 8));
	signal(SIGBUS, on_bus);
	EQUAL(touch(q + 20000), 0);
	EQUAL(ftruncate(fd, 5), 0);
	if (!e2e_remote || !getenv("FC_NOMAP")) {
		EQUAL(touch(q + 20000), SIGBUS);
		FAILS(pwrite(again, q + 20000, 8, 0), EFAULT);
	}
	EQUAL(touch(q + 4), 0);
	EQUAL(ftruncate(fd, 65536), 0);
	EQUAL(touch(q + 20000), 0);
	EQUAL(q[20000], 0);
	EQUAL(munmap(q, 65536), 0);
	close(again);
	close(fd);

	again = open(in_dir("mapped"), O_RDONLY);
	FAILS(syscall(SYS_mmap, 0L, 4096L, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0L), EACCES);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, again, 0);
	CHECK(p != MAP_FAILED);
	FAILS(mprotect(p, 4096, PROT_READ | PROT_WRITE), EACCES);
	EQUAL(close(again), 0);
	CHECK(touch(p) == 0); /* the mapping outlives its descriptor */
	EQUAL(unlink(in_dir("mapped")), 0);
	CHECK(touch(p) == 0);
	EQUAL(munmap(p, 4096), 0);
}

int main(int argc, char **argv)
{
	static unsigned char data[100001], back[100001];
	unsigned char *p;
	int fd, path_only;

	e2e_init(argc, argv);
	for (size_t i = 0; i < sizeof data; i++)
		data[i] = pattern(i, 1);
	make_file("mapped", data, sizeof data);
	fd = open(in_dir("mapped"), O_RDWR);

	p = mmap(NULL, sizeof data, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED && !memcmp(p, data, sizeof data));
	for (size_t i = sizeof data; p != MAP_FAILED && i < 102400; i++)
		CHECK(p[i] == 0);
	EQUAL(munmap(p, sizeof data), 0);

	p = mmap(NULL, 5000, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 8192);
	CHECK(p != MAP_FAILED && !memcmp(p, data + 8192, 5000));
	if (p != MAP_FAILED) {
		memset(p, 0, 5000);
		EQUAL(munmap(p, 5000), 0);
	}
	EQUAL(pread(fd, back, sizeof back, 0), sizeof back);
	CHECK(!memcmp(data, back, sizeof data)); /* a private write stays private */

	p = mmap(NULL, 16384, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(mmap(p, 4096, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 4096) == p);
	CHECK(!memcmp(p, data + 4096, 4096));
	EQUAL(munmap(p, 16384), 0);

	FAILS(syscall(SYS_mmap, 0L, 4096L, PROT_READ, MAP_PRIVATE, fd, 100L), EINVAL);
	FAILS(syscall(SYS_mmap, 0L, 0L, PROT_READ, MAP_PRIVATE, fd, 0L), EINVAL);
	path_only = open(in_dir("mapped"), O_PATH);
	FAILS(syscall(SYS_mmap, 0L, 4096L, PROT_READ, MAP_PRIVATE, path_only, 0L), EBADF);
	EQUAL(close(path_only), 0);
	path_only = open(in_dir("mapped"), O_WRONLY);
	FAILS(syscall(SYS_mmap, 0L, 4096L, PROT_READ, MAP_PRIVATE, path_only, 0L), EACCES);
	EQUAL(close(path_only), 0);
	path_only = open(in_dir("."), O_RDONLY | O_DIRECTORY);
	FAILS(syscall(SYS_mmap, 0L, 4096L, PROT_READ, MAP_PRIVATE, path_only, 0L), ENODEV);
	EQUAL(close(path_only), 0);

	EQUAL(lseek(fd, 0, SEEK_CUR), 0);
	shared(fd);
	return e2e_status();
}
