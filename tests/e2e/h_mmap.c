/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_mmap.c - private mappings of a file hold its bytes; shared ones are made natively and refused, with ENODEV, remotely. */
#include "e2e.h"

#include <sys/syscall.h>

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

	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (e2e_remote)
		CHECK(p == MAP_FAILED && errno == ENODEV);
	else
		CHECK(p != MAP_FAILED);
	EQUAL(lseek(fd, 0, SEEK_CUR), 0);
	return e2e_status();
}
