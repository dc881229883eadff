/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_copy_once.c - arguments that change while they are used: paths, vectors, structures in the shared areas. Whatever is checked is a
 * copy, and the copy is what is used: nothing outside is opened, nothing beside a buffer is touched, no shadow dies of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define SECONDS 2.0
#define INSIDE "inside"

enum { PATH = 0, HOW = 8192, VECTOR = 12288, LOCK = 20480, BUFFER = 65536, BUFFER_BYTES = 4096 };

static struct session s;
static _Atomic bool stop;

/* ---- the changes ---- */

static void flip(uint64_t offset, const void *a, const void *b, size_t size)
{
	memcpy(s.data + offset, a, size);
	atomic_signal_fence(memory_order_seq_cst);
	memcpy(s.data + offset, b, size);
	atomic_signal_fence(memory_order_seq_cst);
}

/* As long as each other, so that every mixture is a path too. */
static const char good_path[] = "/data/directory/../directory/./file";
static const char bad_path[] = "/data/directory/../../outside//file";

static void *flip_paths(void *arg)
{
	_Static_assert(sizeof good_path == sizeof bad_path, "no byte more");
	while (!atomic_load(&stop))
		flip(PATH, good_path, bad_path, sizeof good_path);
	return arg;
}

static void *flip_structures(void *arg)
{
	static const uint64_t lengths[] = { 16, UINT64_MAX, 1ull << 40, BUFFER_BYTES, 1ull << 63, FC_DATA_MIN };
	static const uint64_t offsets[] = {
		BUFFER, UINT64_MAX - 4096, FC_DATA_MIN - 8, FC_DATA_MAX, 1ull << 47, BUFFER
	};
	struct open_how inside = { .flags = O_RDONLY, .resolve = RESOLVE_BENEATH }, outside = { .flags = O_RDWR };
	struct flock lock = { .l_type = F_RDLCK }, none = { .l_type = 99, .l_whence = 99, .l_len = -1 };

	for (unsigned i = 0; !atomic_load(&stop); i++) {
		struct fc_iovec one = { BUFFER, 16 }, other = { offsets[i % 6], lengths[i / 6 % 6] };

		flip(VECTOR + i % 4 * sizeof one, &one, &other, sizeof one);
		flip(HOW, &inside, &outside, sizeof inside);
		flip(LOCK, &lock, &none, sizeof lock);
	}
	return arg;
}

static void *flip_entries(void *arg)
{
	for (unsigned i = 0; !atomic_load(&stop); i++) {
		struct fc_entry *e = &s.area->entry[0];

		__atomic_store_n(&e->arg[i % 6], i % 3 ? BUFFER : UINT64_MAX - i, __ATOMIC_RELAXED);
		__atomic_store_n(&e->nr, i % 2 ? SYS_pread64 : SYS_getdents64, __ATOMIC_RELAXED);
	}
	return arg;
}

/* ---- the requests ---- */

static void expect_inside(int64_t fd)
{
	char text[sizeof INSIDE] = "";

	if (fd < 0)
		return;
	if (ATTEMPT(&s, SYS_pread64, fd, BUFFER, sizeof text - 1, 0) == (int64_t)sizeof text - 1)
		memcpy(text, s.data + BUFFER, sizeof text - 1);
	EXPECT(!strcmp(text, INSIDE), "a file has been opened that is not inside: %s", text);
	ATTEMPT(&s, SYS_close, fd);
}

static void ask_paths(int64_t fd)
{
	(void)fd;
	expect_inside(ATTEMPT(&s, SYS_openat, (uint64_t)AT_FDCWD, PATH, O_RDONLY));
	ATTEMPT(&s, SYS_newfstatat, (uint64_t)AT_FDCWD, PATH, BUFFER, 0);
}

static void ask_structures(int64_t fd)
{
	session_put(&s, PATH, "file");
	ATTEMPT(&s, SYS_preadv2, fd, VECTOR, 4, 0, 0, 0);
	ATTEMPT(&s, SYS_pwritev2, fd, VECTOR, 4, 0, 0, 0);
	ATTEMPT(&s, SYS_fcntl, fd, F_SETLK, LOCK);
	ATTEMPT(&s, SYS_close, ATTEMPT(&s, SYS_openat2, fd, PATH, HOW, sizeof(struct open_how)));
}

/* Whatever comes of it may break the session, for the client's own entry is nonsense; not more. */
static void ask_entries(int64_t fd)
{
	for (int i = 0; i < 8; i++)
		ATTEMPT(&s, SYS_pread64, fd, BUFFER, 16, 0);
}

static void race(void *(*change)(void *), void (*ask)(int64_t), const char *what, bool may_break)
{
	double end = attack_now() + SECONDS;
	unsigned rounds = 0;
	pthread_t thread;
	int64_t fd;

	CHECK_IS(attack_open(&s), 0);
	fd = attack_open_file(&s, "/data/own", O_CREAT | O_RDWR, 0600);
	CHECK(fd >= 0);
	atomic_store(&stop, false);
	CHECK(!pthread_create(&thread, NULL, change, NULL));
	for (; attack_now() < end && !attack_lost(&s); rounds++)
		ask(fd);
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	printf("# %s: %u rounds\n", what, rounds);
	EXPECT(!attack_lost(&s) || may_break, "%s: the session is over", what);
	session_close(&s);
}

static void paths(void)
{
	race(flip_paths, ask_paths, "paths", false);
}

static void structures(void)
{
	race(flip_structures, ask_structures, "structures", false);
}

static void entries(void)
{
	race(flip_entries, ask_entries, "entries", true);
}

static void make_tree(void)
{
	char path[128];
	int fd;

	CHECK(!mkdir(attack_file("directory"), 0755));
	attack_make_file("directory/file", INSIDE, 0, 0644);
	snprintf(path, sizeof path, "%s/outside", attack_domain.directory);
	CHECK(!mkdir(path, 0755));
	strcat(path, "/file");
	fd = open(path, O_CREAT | O_WRONLY, 0644);
	CHECK(fd >= 0 && write(fd, "outsid", 6) == 6);
	close(fd);
}

int main(void)
{
	attack_begin(NULL);
	make_tree();
	attack_by(ATTACKER, "paths that change", paths);
	attack_by(ATTACKER, "structures that change", structures);
	attack_by(ATTACKER, "requests that change", entries);
	return attack_end();
}
