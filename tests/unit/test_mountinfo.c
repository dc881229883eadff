/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_mountinfo.c - the kernel's list of mounts: names with blanks, lines that are none, more than fits at once. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "storage-domain/supervisor/mountinfo.h"

static int list_of(const char *text)
{
	int fd = memfd_create("mountinfo", 0);

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	return fd;
}

Test(mountinfo, lines)
{
	struct fc_mountinfo info;
	int fd = list_of("22 1 0:2 / / rw - ext4 /dev/a rw\n"
			 "no line\n"
			 "30 22 0:20 /sub /a\\040b\\134c\\011 rw,nosuid shared:5 master:1 - proc none rw\n"
			 "31 22 0:20 / /tail rw shared:7 -\n"
			 "\n"
			 "32 30 0:21 / /a\\040b\\134c\\011/d rw - fuse.x - rw");

	cr_assert_eq(fc_mountinfo_read(fd, &info), 0);
	cr_assert_eq(info.count, 3);
	cr_assert(info.mount[0].id == 22 && info.mount[0].parent == 1);
	cr_assert(info.mount[0].major == 0 && info.mount[0].minor == 2);
	cr_assert_str_eq(info.mount[0].path, "/");
	cr_assert_str_eq(info.mount[0].type, "ext4");
	cr_assert(info.mount[1].id == 30 && info.mount[1].parent == 22);
	cr_assert_str_eq(info.mount[1].path, "/a b\\c\t");
	cr_assert_str_eq(info.mount[1].type, "proc");
	cr_assert_str_eq(info.mount[2].path, "/a b\\c\t/d");
	cr_assert_str_eq(info.mount[2].type, "fuse.x");
	fc_mountinfo_free(&info);
	cr_assert_eq(fc_mountinfo_read(fd, &info), 0); /* from its beginning */
	cr_assert_eq(info.count, 3);
	fc_mountinfo_free(&info);
	close(fd);
}

Test(mountinfo, long_list)
{
	static char text[5000 * 80];
	struct fc_mountinfo info;
	size_t n = 0;

	for (int i = 0; i < 5000; i++)
		n += (size_t)sprintf(text + n, "%d 1 0:2 / /some/where/%d rw - tmpfs none rw\n", i, i);
	cr_assert_eq(fc_mountinfo_read(list_of(text), &info), 0);
	cr_assert_eq(info.count, 5000);
	for (int i = 0; i < 5000; i++)
		cr_assert_eq(info.mount[i].id, i);
	cr_assert_str_eq(info.mount[4999].path, "/some/where/4999");
	fc_mountinfo_free(&info);
}

Test(mountinfo, nothing)
{
	struct fc_mountinfo info;

	cr_assert_eq(fc_mountinfo_read(list_of(""), &info), 0);
	cr_assert_eq(info.count, 0);
	fc_mountinfo_free(&info);
	cr_assert_eq(fc_mountinfo_read(-1, &info), -1);
}
