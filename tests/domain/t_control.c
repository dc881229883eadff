/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_control.c - every control message against a real farcall-storaged, from clients that keep to the protocol; and all deaths: of
 * shadows, clients, and the domain. Arguments: see suite.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "farcall/wire.h"
#include "tests/domain/suite.h"

/* ---- HELLO ---- */

static void hello(void)
{
	int sock = peer_connect(&suite_domain);
	struct fc_domain_page *page;
	struct fc_packet p;

	CHECK_IS(peer_ask(sock, FC_MSG_HELLO, FC_ABI_MAJOR, FC_ABI_MINOR, &p), 0);
	CHECK_IS(p.head.arg[0], FC_ABI_MAJOR);
	CHECK_IS(p.head.arg[3], 1);
	CHECK_IS(p.head.size, sizeof "rw /data");
	CHECK(!strcmp(p.text, "rw /data"));
	CHECK_IS(p.nfds, 1);
	CHECK(mmap(NULL, FC_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd[0], 0) == MAP_FAILED);
	CHECK(pwrite(p.fd[0], "x", 1, 0) < 0 && ftruncate(p.fd[0], 0) < 0);
	CHECK(fallocate(p.fd[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, FC_PAGE_SIZE) < 0);
	page = mmap(NULL, FC_PAGE_SIZE, PROT_READ, MAP_SHARED, p.fd[0], 0);
	CHECK(page != MAP_FAILED);
	CHECK(page->magic == FC_ABI_MAGIC && page->state == FC_DOMAIN_UP && page->generation == p.head.arg[2]);
	munmap(page, FC_PAGE_SIZE);
	fc_packet_drop(&p);
	CHECK_IS(peer_ask(sock, FC_MSG_HELLO, FC_ABI_MAJOR + 1, 0, NULL), -EPROTONOSUPPORT);
	close(sock);
}

/* ---- a session and its memory ---- */

static void session(void)
{
	struct session s;
	int64_t fd;
	struct stat st;
	char name[128];

	session_open(&s, &suite_domain);
	CHECK_IS(CALL(&s, FC_NR_NOP, 0), 0);
	CHECK_IS(CALL(&s, SYS_umask, 022), 022);
	fd = suite_open(&s, "/data/file", O_CREAT | O_RDWR);
	CHECK_IS(fd, FC_DOMAIN_FD_FIRST);
	CHECK_IS(CALL(&s, SYS_write, fd, session_put(&s, 8192, "hello"), 5), 5);
	CHECK_IS(suite_open(&s, "/data/file", O_RDONLY), FC_DOMAIN_FD_FIRST + 1);
	for (int reserved = -5; reserved < FC_DOMAIN_FD_FIRST; reserved++)
		CHECK_IS(CALL(&s, SYS_write, (uint64_t)reserved, 8192, 5), -EBADF);
	snprintf(name, sizeof name, "%s/file", suite_domain.export);
	CHECK(!stat(name, &st) && st.st_size == 5 && st.st_uid == geteuid() && (st.st_mode & 07777) == 0644);
	/* nothing but the export is there */
	CHECK(suite_open(&s, "/proc", O_RDONLY) < 0);
	CHECK(suite_open(&s, "/etc/passwd", O_RDONLY) < 0);
	CHECK(CALL(&s, SYS_mkdirat, (uint64_t)AT_FDCWD, session_put(&s, 0, "/new"), 0777) < 0);
	/* a second time: the old areas are replaced, the descriptors stay */
	munmap(s.area, sizeof *s.area);
	munmap(s.data, FC_DATA_MAX);
	CHECK_IS(session_areas(&s), 0);
	CHECK_IS(CALL(&s, SYS_write, fd, session_put(&s, 8192, "again"), 5), 5);
	session_close(&s);
}

static void memory(void)
{
	struct session s;

	session_open(&s, &suite_domain);
	for (int i = 1; i < FC_SEGMENTS_MAX; i++) {
		CHECK_IS(session_grow(&s), 0);
		CHECK_IS(CALL(&s, SYS_mkdirat, (uint64_t)AT_FDCWD, session_put(&s, s.length - FC_PATH_MAX, "/data"), 0),
			 -EEXIST);
	}
	CHECK_IS(s.length, FC_DATA_MAX);
	peer_tell(s.sock, FC_MSG_SHRINK, 2 * FC_DATA_MIN, 0);
	CHECK_IS(peer_ask(s.sock, FC_MSG_RLIMIT, 3, -1ull, NULL), 0);
	s.length = 2 * FC_DATA_MIN;
	CHECK_IS(session_grow(&s), 0);
	CHECK_IS(CALL(&s, SYS_mkdirat, (uint64_t)AT_FDCWD, session_put(&s, s.length - FC_PATH_MAX, "/data"), 0),
		 -EEXIST);

	int64_t fd = suite_open(&s, "/data/limited", O_CREAT | O_RDWR);
	CHECK_IS(CALL(&s, SYS_write, fd, session_put(&s, 8192, "hello"), 5), 3);
	CHECK_IS(CALL(&s, SYS_write, fd, 8192, 5), -EFBIG);
	CHECK_IS(peer_ask(s.sock, FC_MSG_RLIMIT, -1ull, -1ull, NULL), 0);
	CHECK_IS(CALL(&s, SYS_write, fd, 8192, 5), 5);
	session_close(&s);
}

/* ---- files that are handed over, and calls on what the client hands over ---- */

/* A HAND that must work. Returns the descriptor. */
static int handed(const struct session *s, int64_t number)
{
	struct fc_packet p;

	CHECK_IS(peer_ask(s->sock, FC_MSG_HAND, number, 0, &p), 0);
	CHECK_IS(p.nfds, 1);
	const int fd = p.fd[0];
	CHECK_IS(fc_control_recv(s->sock, &p, 0), 0); /* it has let go of it */
	CHECK_IS(p.head.type, FC_MSG_HAND);
	CHECK_IS(p.head.status, 0);
	CHECK_IS(p.nfds, 0);
	return fd;
}

static void hands(void)
{
	struct session s;
	struct stat st;
	char name[128], text[8] = { 0 };
	int64_t file, directory;
	int fd;

	session_open(&s, &suite_domain);
	file = suite_open(&s, "/data/handed", O_CREAT | O_RDONLY);
	snprintf(name, sizeof name, "%s/handed", suite_domain.export);
	fd = handed(&s, file);
	struct stat here;
	CHECK(!stat(name, &here) && !fstat(fd, &st) && st.st_ino == here.st_ino && st.st_dev == here.st_dev);
	CHECK(write(fd, "x", 1) < 0 && errno == EBADF); /* what its descriptor may, no more */
	close(fd);
	CHECK(!mkfifo((snprintf(name, sizeof name, "%s/fifo", suite_domain.export), name), 0600));
	CHECK(!chown(name, geteuid(), -1) && !chmod(name, 0666));
	int64_t fifo = suite_open(&s, "/data/fifo", O_RDWR);
	CHECK(fifo >= FC_DOMAIN_FD_FIRST && fifo < FC_DOMAIN_FD_MAX); /* FC_OPENED_PIPE is for those who ask for it */
	fd = handed(&s, fifo);
	CHECK(write(fd, "pipe", 4) == 4 && read(fd, text, 8) == 4);
	close(fd);
	unlink(name);

	directory = suite_open(&s, "/data", O_RDONLY | O_DIRECTORY);
	CHECK_IS(peer_ask(s.sock, FC_MSG_HAND, directory, 0, NULL), -ENODEV);
	CHECK_IS(peer_ask(s.sock, FC_MSG_HAND, suite_open(&s, "/data", O_PATH), 0, NULL), -ENODEV);
	for (int64_t own = -2; own < FC_DOMAIN_FD_FIRST; own++)
		CHECK_IS(peer_ask(s.sock, FC_MSG_HAND, (uint64_t)own, 0, NULL), -EBADF);
	CHECK_IS(peer_ask(s.sock, FC_MSG_HAND, 999, 0, NULL), -EBADF);
	CHECK_IS(peer_ask(s.sock, FC_MSG_HAND, FC_DOMAIN_FD_MAX, 0, NULL), -EBADF);
	session_close(&s);
}

/* ---- delegations ---- */

/* Does whoever opens the file to write have to wait? */
static bool is_leased(const char *path)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK);

	CHECK(fd >= 0 || errno == EWOULDBLOCK);
	if (fd >= 0)
		close(fd);
	return fd < 0;
}

static bool soon_over(const uint64_t *word)
{
	for (int i = 0; i < 2000 && __atomic_load_n(word, __ATOMIC_ACQUIRE); i++)
		suite_sleep_ms(1);
	return !__atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/* After the word is gone, the lease goes, too. */
static bool soon_free(const char *path)
{
	for (int i = 0; i < 300 && is_leased(path); i++)
		suite_sleep_ms(10);
	return !is_leased(path);
}

/* A word says that nobody else writes: whatever else the client asks for, it does not, or the word is gone. */
static void leases(void)
{
	struct fc_packet p;
	struct session s;
	char path[128];
	int64_t fd, dup;

	snprintf(path, sizeof path, "%s/leased", suite_domain.export);
	session_open(&s, &suite_domain);
	fd = suite_open(&s, "/data/leased", O_CREAT | O_RDWR);
	CHECK_IS(CALL(&s, SYS_write, fd, session_put(&s, 8192, "hello"), 5), 5);
	dup = CALL(&s, SYS_dup, fd);
	CHECK(dup > fd);
	CHECK_IS(peer_ask(s.sock, FC_MSG_LEASE, fd, 0, &p), 0);
	const uint64_t index = p.head.arg[0], name = p.head.arg[1], *word = &s.area->header.lease[index];
	fc_packet_drop(&p);
	CHECK(index < FC_LEASES && *word == name);
	/* once more, by another number too */
	CHECK_IS(peer_ask(s.sock, FC_MSG_LEASE, fd, 0, NULL), -EAGAIN);
	CHECK_IS(peer_ask(s.sock, FC_MSG_LEASE, dup, 0, NULL), -EAGAIN);
	CHECK_IS(peer_ask(s.sock, FC_MSG_RETURN, index, name + 1, NULL), 0);
	CHECK_IS(peer_ask(s.sock, FC_MSG_RETURN, (index + 1) % FC_LEASES, name, NULL), 0);
	CHECK_IS(*word, name);
	CHECK(is_leased(path) && soon_over(word) && soon_free(path));
	/* again; a refusal does not give it up, nor does another's end */
	CHECK_IS(peer_ask(s.sock, FC_MSG_LEASE, fd, 0, &p), 0);
	fc_packet_drop(&p);
	const uint64_t next = p.head.arg[0], second = p.head.arg[1];
	CHECK(second != name && s.area->header.lease[next] == second);
	CHECK_IS(peer_ask(s.sock, FC_MSG_LEASE, dup, 0, NULL), -EAGAIN);
	CHECK_IS(peer_ask(s.sock, FC_MSG_RETURN, index, name, NULL), 0);
	CHECK(s.area->header.lease[next] == second && is_leased(path));
	CHECK(soon_over(&s.area->header.lease[next]) && soon_free(path));
	session_close(&s);
}

/* Whoever does what is posted sleeps where the client rings: a client that has him sleep elsewhere does not keep the file. */
static void leases_in_spite(void)
{
	struct fc_packet p;
	struct session s;
	char path[128];
	int64_t fd;

	snprintf(path, sizeof path, "%s/posted", suite_domain.export);
	for (int way = 0; way < 2; way++) {
		session_open(&s, &suite_domain);
		struct fc_ring *ring = (struct fc_ring *)(void *)s.data;
		fd = suite_open(&s, "/data/posted", O_CREAT | O_RDWR);
		memset(s.data, 0, FC_RING_SIZE);
		CHECK_IS(CALL(&s, FC_NR_POSTS, 0), 0);
		CHECK_IS(peer_ask(s.sock, FC_MSG_LEASE, fd, FC_LEASE_POSTS, &p), 0);
		fc_packet_drop(&p);
		CHECK(p.head.arg[2] & FC_LEASE_POSTS);
		suite_sleep_ms(300); /* he sleeps until he is woken */
		if (way)
			CHECK(syscall(SYS_futex, &ring->bell, 3 /* FUTEX_REQUEUE */, 0, 100, &ring->post[0].pad) >= 0);
		else
			CHECK_IS(CALL(&s, FC_NR_POSTS, FC_NULL), 0);
		CHECK(is_leased(path) && soon_over(&s.area->header.lease[p.head.arg[0]]) && soon_free(path));
		session_close(&s);
	}
}

/* Of a file that is only read the client gets its own open file. By the one that has the lease it could keep the lease, or have others told of its end. */
static void leases_are_ours(void)
{
	struct fc_packet p;
	struct session s;
	char path[128];
	int64_t fd;

	snprintf(path, sizeof path, "%s/read", suite_domain.export);
	session_open(&s, &suite_domain);
	fd = suite_open(&s, "/data/read", O_CREAT | O_RDWR);
	CHECK_IS(CALL(&s, SYS_write, fd, session_put(&s, 8192, "hello"), 5), 5);
	CHECK_IS(CALL(&s, SYS_close, fd), 0);
	fd = suite_open(&s, "/data/read", O_RDONLY);
	CHECK_IS(peer_ask(s.sock, FC_MSG_LEASE, fd, 0, &p), 0);
	CHECK(p.nfds == 1);
	CHECK_IS(fcntl(p.fd[0], F_GETLEASE), F_UNLCK);
	CHECK_IS(fcntl(p.fd[0], F_SETOWN, 0), 0);
	CHECK(is_leased(path) && soon_over(&s.area->header.lease[p.head.arg[0]]) && soon_free(path));
	fc_packet_drop(&p);
	session_close(&s);
}

/* Who posts to what can keep the writer waiting does not keep those waiting who want a file back. */
static void posts_to_files_only(void)
{
	struct fc_packet p;
	struct session s;
	char path[128], pipe[128];
	int64_t fd, fifo;

	snprintf(path, sizeof path, "%s/kept", suite_domain.export);
	snprintf(pipe, sizeof pipe, "%s/pipe", suite_domain.export);
	CHECK(!mkfifo(pipe, 0666) || errno == EEXIST);
	session_open(&s, &suite_domain);
	struct fc_ring *ring = (struct fc_ring *)(void *)s.data;
	fd = suite_open(&s, "/data/kept", O_CREAT | O_RDWR);
	fifo = suite_open(&s, "/data/pipe", O_RDWR);
	memset(s.data, 0, FC_RING_SIZE);
	CHECK_IS(CALL(&s, FC_NR_POSTS, 0), 0);
	CHECK_IS(peer_ask(s.sock, FC_MSG_LEASE, fd, FC_LEASE_POSTS, &p), 0);
	fc_packet_drop(&p);
	for (unsigned i = 0; i < 20; i++) /* more than there is room for in a pipe */
		ring->post[i] = (struct fc_post){
			.word = (1ull << 40) + 5, .position = FC_NULL, .descriptor = (uint32_t)fifo, .length = 4096
		};
	__atomic_store_n(&ring->tail, 20, __ATOMIC_RELEASE);
	s.area->entry[0].flags = FC_REQ_AFTER;
	CHECK_IS(CALL(&s, SYS_lseek, fd, 0, SEEK_CUR), 0);
	CHECK(ring->errors > 0);
	CHECK(is_leased(path) && soon_over(&s.area->header.lease[p.head.arg[0]]) && soon_free(path));
	session_close(&s);
	unlink(pipe);
}

/* ---- mappings of what is not handed over ---- */

#define MAP_BYTES (4ull * FC_PAGE_SIZE)

/* Memory for one, also mapped here. Its number or -errno; may be made differently from how it must be. */
static int64_t offered(const struct session *s, uint64_t said, int fd, char **at)
{
	struct fc_packet p;
	int r;

	if (at) {
		*at = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		CHECK(*at != MAP_FAILED);
	}
	r = peer_ask_fds(s->sock, FC_MSG_MAP, said, &fd, 1, &p);
	CHECK(r < 0 || fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, FC_PAGE_SIZE) < 0);
	CHECK(ftruncate(fd, 0) < 0 || r < 0);
	close(fd);
	return r < 0 ? r : (int64_t)p.head.arg[0];
}

static char *stored_as(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", suite_domain.export, name);
	return path;
}

static void maps_refused(void)
{
	const uint64_t wrong[][2] = { { MAP_BYTES, 0 },
				      { MAP_BYTES, MAP_BYTES - 1 },
				      { MAP_BYTES, FC_PAGE_SIZE },
				      { MAP_BYTES, 2 * MAP_BYTES },
				      { MAP_BYTES, FC_MAP_MAX + FC_PAGE_SIZE },
				      { MAP_BYTES, ~0ull } };
	struct session s;
	int fd;

	for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		session_open(&s, &suite_domain);
		fd = peer_memfd(wrong[i][0]);
		CHECK(peer_ask_fds(s.sock, FC_MSG_MAP, wrong[i][1], &fd, 1, NULL) < 0 && peer_hangs_up(s.sock, 2000));
		close(fd);
		session_close(&s);
	}
	session_open(&s, &suite_domain); /* what is its own anyway it need not have back */
	CHECK(peer_ask(s.sock, FC_MSG_UNMAP, 0, 0, NULL) < 0 && peer_hangs_up(s.sock, 2000));
	session_close(&s);
	for (int kind = 0; kind < 3; kind++) { /* not sealed; not memory; not there */
		session_open(&s, &suite_domain);
		fd = kind == 0 ? memfd_create("loose", MFD_ALLOW_SEALING)
			       : open(stored_as("loose"), O_CREAT | O_RDWR, 0600);
		CHECK(fd >= 0 && !ftruncate(fd, MAP_BYTES));
		CHECK(peer_ask_fds(s.sock, FC_MSG_MAP, MAP_BYTES, &fd, kind < 2, NULL) < 0 &&
		      peer_hangs_up(s.sock, 2000));
		close(fd);
		session_close(&s);
	}
}

static void maps(void)
{
	struct session s;
	struct stat st;
	char *at, text[8] = { 0 };
	int fd;

	session_open(&s, &suite_domain);
	int64_t file = suite_open(&s, "/data/mapped", O_CREAT | O_RDWR), directory = suite_open(&s, "/data", O_RDONLY);
	CHECK_IS(CALL(&s, SYS_ftruncate, file, 10000), 0);
	int64_t n = offered(&s, MAP_BYTES, peer_memfd(MAP_BYTES), &at);
	CHECK(n >= 0 && n < FC_MAPS_MAX);
	CHECK_IS(CALL(&s, FC_NR_MAP, file, FC_MAPS_MAX, 0, 0), -EINVAL);
	CHECK_IS(CALL(&s, FC_NR_MAP, file, (uint64_t)-1, 0, 0), -EINVAL);
	CHECK_IS(CALL(&s, FC_NR_MAP, file, (uint64_t)n + 1, 0, 0), -EINVAL);
	CHECK_IS(CALL(&s, FC_NR_MAP_SYNC, (uint64_t)n, 1), -EINVAL);
	CHECK_IS(CALL(&s, FC_NR_UNMAP, FC_MAPS_MAX), -EINVAL);
	CHECK_IS(CALL(&s, FC_NR_MAP, file, (uint64_t)n, 0, 0), 0);
	CHECK_IS(CALL(&s, FC_NR_MAP, file, (uint64_t)n, 0, 0), -EINVAL);
	memcpy(at + 9990, "0123456789abcdef", 16);
	fd = open(stored_as("mapped"), O_RDWR);
	CHECK(fd >= 0 && !fstat(fd, &st) && st.st_size == 10000 && pread(fd, text, 5, 9995) == 5);
	CHECK(!memcmp(text, "56789", 5));
	close(fd);
	/* what does not go: the memory is forgotten */
	const uint64_t bad[][3] = { { (uint64_t)directory, 0, 0 },
				    { (uint64_t)file, 1, 0 },
				    { (uint64_t)file, 1ull << 63, 0 },
				    { 3, 0, 0 },
				    { 999, 0, 0 },
				    { (uint64_t)file, INT64_MAX & ~4095ull, 0 },
				    { (uint64_t)file, FC_PAGE_SIZE, 0 },
				    { (uint64_t)file, 0, FC_MAPS_MAX },
				    { (uint64_t)file, 0, FC_MAPS_MAX + 1 } };
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
		int64_t m = offered(&s, MAP_BYTES, peer_memfd(MAP_BYTES), NULL);

		CHECK(m >= 0 && CALL(&s, FC_NR_MAP, bad[i][0], (uint64_t)m, bad[i][1], bad[i][2]) < 0);
		CALL(&s, FC_NR_UNMAP, (uint64_t)m);
	}
	CHECK_IS(CALL(&s, FC_NR_UNMAP, (uint64_t)n), 0);
	CHECK_IS(CALL(&s, FC_NR_UNMAP, (uint64_t)n), -EINVAL);
	for (unsigned i = 0; i < FC_MAPS_MAX; i++)
		CHECK(offered(&s, MAP_BYTES, peer_memfd(MAP_BYTES), NULL) >= 0);
	CHECK_IS(offered(&s, MAP_BYTES, peer_memfd(MAP_BYTES), NULL), -ENOMEM);
	munmap(at, MAP_BYTES);
	session_close(&s);
}

static void *restless(void *at)
{
	for (unsigned i = 0;; i++)
		((volatile char *)at)[i * 2 % MAP_BYTES] = (char)i;
	return NULL;
}

/* Whoever opens a file that is mapped does not wait for long, whatever its client does meanwhile; and what he cuts off does not come back. */
static void maps_in_the_way(void)
{
	struct timespec begun, got;
	struct stat st;
	pid_t pid;
	int fd;

	fd = open(stored_as("wanted"), O_CREAT | O_RDWR, 0666);
	CHECK(fd >= 0 && !ftruncate(fd, MAP_BYTES) && !fchmod(fd, 0666));
	close(fd);
	pid = fork();
	if (!pid) {
		struct session s;
		pthread_t thread;
		char *at;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		session_open(&s, &suite_domain);
		int64_t file = suite_open(&s, "/data/wanted", O_RDWR);
		int64_t n = offered(&s, MAP_BYTES, peer_memfd(MAP_BYTES), &at);
		CHECK_IS(CALL(&s, FC_NR_MAP, file, (uint64_t)n, 0, 0), 0);
		CHECK(!pthread_create(&thread, NULL, restless, at));
		for (;;)
			CALL(&s, SYS_pread64, file, 8192, 1, 0);
	}
	suite_sleep_ms(300);
	for (int i = 0; i < 5; i++) {
		clock_gettime(CLOCK_MONOTONIC, &begun);
		fd = open(stored_as("wanted"), O_RDWR);
		clock_gettime(CLOCK_MONOTONIC, &got);
		CHECK(fd >= 0 && got.tv_sec - begun.tv_sec < 4);
		CHECK(!ftruncate(fd, 5000 - i));
		suite_sleep_ms(100);
		CHECK(!fstat(fd, &st) && st.st_size == 5000 - i);
		close(fd);
		suite_sleep_ms(100);
	}
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, NULL, 0) == pid);
	suite_sleep_ms(200);
	CHECK(!stat(stored_as("wanted"), &st) && st.st_size == 4996);
}

/* One number is a file and a directory in turn while it is asked for: never the directory is what comes. */
static void hands_race(void)
{
	struct session s;
	struct stat st;
	pid_t pid;

	session_open(&s, &suite_domain);
	int64_t file = suite_open(&s, "/data/handed", O_CREAT | O_RDONLY);
	pid = fork();
	if (!pid) {
		for (;;) { /* the session's areas are shared memory, and this is its only caller */
			CALL(&s, SYS_close, file);
			CALL(&s, SYS_openat, (uint64_t)AT_FDCWD, session_put(&s, 0, "/data"), O_RDONLY | O_DIRECTORY,
			     0);
			CALL(&s, SYS_close, file);
			CALL(&s, SYS_openat, (uint64_t)AT_FDCWD, session_put(&s, 0, "/data/handed"), O_RDONLY, 0);
		}
	}
	int files = 0, refused = 0;
	for (int i = 0; i < 3000; i++) {
		struct fc_packet p;
		int r = peer_ask(s.sock, FC_MSG_HAND, file, 0, &p);

		CHECK(r == 0 || r == -ENODEV || r == -EBADF);
		refused += r < 0;
		if (r == 0) {
			CHECK(p.nfds == 1 && !fstat(p.fd[0], &st) && S_ISREG(st.st_mode));
			files++;
			close(p.fd[0]);
			CHECK_IS(fc_control_recv(s.sock, &p, 0), 0);
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK(files && refused);
	session_close(&s);
}

static int errand(const struct session *s, unsigned type, int fd, uint64_t arg, uint64_t mask, const char *text,
		  struct fc_packet *answer)
{
	struct fc_msg m = { .type = (uint16_t)type, .size = text ? (uint16_t)strlen(text) : 0, .arg = { arg, mask } };
	int r = fc_control_send(s->sock, &m, text, &fd, fd >= 0, 0);

	CHECK_IS(r, 0);
	r = fc_control_recv(s->sock, answer, 0);
	return r < 0 ? r : answer->head.status;
}

static void errands(void)
{
	struct session s;
	struct fc_packet p;
	struct stat st;
	char name[128];
	int sock = socket(AF_UNIX, SOCK_STREAM, 0), watcher = inotify_init1(IN_NONBLOCK),
	    zero = open("/dev/zero", O_RDWR);

	session_open(&s, &suite_domain);
	CHECK_IS(CALL(&s, SYS_umask, 027), 022);
	CHECK_IS(errand(&s, FC_MSG_BIND, sock, 0, 0, "/data/sock", &p), 0);
	snprintf(name, sizeof name, "%s/sock", suite_domain.export);
	CHECK(!lstat(name, &st) && S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0750 && st.st_uid == geteuid());
	CHECK_IS(errand(&s, FC_MSG_BIND, sock, 0, 0, "/data/again", &p), -EINVAL);
	CHECK_IS(errand(&s, FC_MSG_BIND, zero, 0, 0, "/data/zero", &p), -ENOTSOCK);
	int other = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK_IS(errand(&s, FC_MSG_BIND, other, 0, 0, "/data/sock", &p), -EADDRINUSE);
	CHECK(errand(&s, FC_MSG_BIND, other, 0, 0, "/outside", &p) <
	      0); /* the domain's root is read-only, and holds nothing */
	CHECK_IS(errand(&s, FC_MSG_BIND, other, 0, 0, NULL, &p), -EINVAL);
	static char longer[200];
	memset(longer, 'x', sizeof longer - 1);
	CHECK_IS(errand(&s, FC_MSG_BIND, other, 0, 0, longer, &p), -EINVAL);
	unlink(name);

	int64_t directory = suite_open(&s, "/data", O_PATH);
	CHECK_IS(errand(&s, FC_MSG_WATCH, watcher, directory, IN_CREATE, NULL, &p), 0);
	CHECK(p.head.arg[0] > 0);
	CHECK(suite_open(&s, "/data/watched", O_CREAT | O_RDWR) > 0);
	char event[512];
	CHECK(read(watcher, event, sizeof event) > 0);
	CHECK_IS(errand(&s, FC_MSG_WATCH, zero, directory, IN_CREATE, NULL, &p), -EINVAL);
	for (int own = 0; own < FC_DOMAIN_FD_FIRST; own++)
		CHECK_IS(errand(&s, FC_MSG_WATCH, watcher, own, IN_CREATE, NULL, &p), -EBADF);
	CHECK_IS(errand(&s, FC_MSG_WATCH, watcher, 999, IN_CREATE, NULL, &p), -ENOENT);
	/* still in the directory where it was */
	CHECK_IS(CALL(&s, SYS_chdir, session_put(&s, 0, "/data")), 0);
	CHECK_IS(errand(&s, FC_MSG_WATCH, watcher, directory, IN_CREATE, NULL, &p), 0);
	CHECK_IS(suite_open(&s, "watched", O_RDWR) > 0, true);
	CHECK_IS(errand(&s, FC_MSG_WATCH, -1, directory, IN_CREATE, NULL, &p), -EPIPE); /* without a descriptor */
	session_close(&s);
}

/* PASS: a ticket, if there is to be one, or what is said. */
static int pass(const struct session *s, int64_t descriptor, pid_t to, pid_t self, int *ticket)
{
	struct fc_msg m = { .type = FC_MSG_PASS, .arg = { (uint64_t)descriptor, (uint64_t)to, (uint64_t)self } };
	struct fc_packet p;
	struct stat st;

	CHECK_IS(fc_control_send(s->sock, &m, NULL, NULL, 0, 0), 0);
	CHECK_IS(fc_control_recv(s->sock, &p, 0), 0);
	CHECK(p.nfds == (p.head.status == 0));
	if (p.nfds) { /* never what it stands for */
		CHECK(!fstat(p.fd[0], &st) && S_ISSOCK(st.st_mode));
		*ticket = p.fd[0];
	}
	return p.head.status;
}

/* A directory on its way to another client: who has its ticket gets it, and nobody else; nothing but a directory or what is open for its
 * place goes, and to no process that is not known here. */
static void tickets(void)
{
	struct session s, other;
	struct fc_packet p;
	pid_t self = getpid(), stranger = fork();
	int ticket = -1, more, pair[2], listener = socket(AF_UNIX, SOCK_STREAM, 0), zero = open("/dev/zero", O_RDWR);

	if (!stranger) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	session_open(&s, &suite_domain);
	session_open(&other, &suite_domain);
	CHECK(suite_open(&s, "/data/in", O_CREAT | O_RDWR) > 0);
	int64_t directory = suite_open(&s, "/data", O_RDONLY | O_DIRECTORY), file = suite_open(&s, "/data/in", O_RDWR);

	CHECK_IS(pass(&s, file, self, self, &more), -EOPNOTSUPP);
	CHECK_IS(pass(&s, directory, stranger, self, &more), -EOPNOTSUPP);
	CHECK_IS(pass(&s, directory, 0, self, &more), -EOPNOTSUPP);
	CHECK_IS(pass(&s, directory, -1, self, &more), -EOPNOTSUPP);
	CHECK_IS(pass(&s, directory, self, stranger, &more), -EOPNOTSUPP);
	for (int64_t own = -2; own < FC_DOMAIN_FD_FIRST; own++)
		CHECK_IS(pass(&s, own, self, self, &more), -EBADF);
	CHECK_IS(pass(&s, FC_DOMAIN_FD_MAX, self, self, &more), -EBADF);
	CHECK_IS(pass(&s, directory, self, self, &ticket), 0);
	CHECK_IS(CALL(&s, SYS_close, directory), 0); /* it is under way */

	const int none[] = { zero, listener, pair[0], s.sock, other.sock };
	for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++)
		CHECK_IS(errand(&other, FC_MSG_CLAIM, none[i], 0, 0, NULL, &p), -ENOENT);
	CHECK(send(ticket, "x", 1, MSG_NOSIGNAL) < 0); /* nothing can be said to its other end */
	for (int i = 0; i < 2; i++) {                  /* as often as it is shown */
		CHECK_IS(errand(&other, FC_MSG_CLAIM, ticket, 0, 0, NULL, &p), 0);
		CHECK(p.nfds == 0 && p.head.arg[0] >= FC_DOMAIN_FD_FIRST && (p.head.arg[1] & O_DIRECTORY));
		CHECK(CALL(&other, SYS_openat, p.head.arg[0], session_put(&other, 0, "in"), O_RDONLY, 0) >= 0);
		CHECK_IS(CALL(&other, SYS_close, p.head.arg[0]), 0);
	}
	close(ticket);

	/* as many as may be, until they are closed */
	int held[1000], n = 0;
	directory = suite_open(&s, "/data", O_PATH);
	while (n < 1000 && !pass(&s, directory, self, self, &held[n]))
		n++;
	CHECK(n > 16 && n < 1000);
	CHECK_IS(pass(&s, directory, self, self, &more), -ETOOMANYREFS);
	CHECK_IS(errand(&other, FC_MSG_CLAIM, held[n - 1], 0, 0, NULL, &p), 0);
	for (int i = 0; i < n; i++)
		close(held[i]);
	CHECK_IS(pass(&s, directory, self, self, &more), 0);
	CHECK_IS(errand(&other, FC_MSG_CLAIM, -1, 0, 0, NULL, &p), -EPIPE); /* without one */
	session_close(&s);
	CHECK_IS(fc_control_send(more, &(struct fc_msg){ .type = FC_MSG_HELLO }, NULL, NULL, 0, MSG_NOSIGNAL) < 0,
		 true);
	kill(stranger, SIGKILL);
	waitpid(stranger, NULL, 0);
}

/* ---- fork ---- */

static void family(void)
{
	struct session parent, child = { 0 };
	struct fc_packet p;
	int64_t fd, lock;
	int hold[2], go[2];
	pid_t pid;
	char byte;

	CHECK(!pipe(hold) && !pipe(go));
	session_open(&parent, &suite_domain);
	fd = suite_open(&parent, "/data/shared", O_CREAT | O_RDWR | O_TRUNC);
	CHECK_IS(CALL(&parent, SYS_write, fd, session_put(&parent, 8192, "one"), 3), 3);
	CHECK_IS(peer_ask(parent.sock, FC_MSG_FORK, 0, 0, &p), 0);
	CHECK_IS(p.nfds, 1);
	child.sock = p.fd[0];
	child.id = p.head.arg[2];
	CHECK(child.id != parent.id && p.head.arg[0] != parent.token[0]);
	pid = fork();
	if (!pid) {
		CHECK_IS(session_areas(&child), 0);
		/* one offset, as with fork(2) */
		CHECK_IS(CALL(&child, SYS_lseek, fd, 0, SEEK_CUR), 3);
		CHECK_IS(CALL(&child, SYS_write, fd, session_put(&child, 8192, "two"), 3), 3);
		lock = suite_open(&child, "/data/locked", O_CREAT | O_RDWR);
		CHECK_IS(CALL(&child, SYS_flock, lock, LOCK_EX), 0);
		CHECK(write(hold[1], "", 1) == 1);
		CHECK(read(go[0], &byte, 1) == 1);
		_exit(0);
	}
	peer_tell(parent.sock, FC_MSG_FORKED, child.id, pid);
	close(child.sock);
	CHECK(read(hold[0], &byte, 1) == 1);
	CHECK_IS(CALL(&parent, SYS_lseek, fd, 0, SEEK_CUR), 6);
	CHECK_IS(CALL(&parent, SYS_close, fd), 0);
	lock = suite_open(&parent, "/data/locked", O_RDWR);
	CHECK_IS(CALL(&parent, SYS_flock, lock, LOCK_EX | LOCK_NB), -EAGAIN);
	CHECK_IS(peer_ask(parent.sock, FC_MSG_GONE, pid, 0, NULL), -EBUSY);
	if (geteuid() == 0 || getpid() % 2)
		CHECK(!kill(pid, SIGKILL));
	else
		CHECK(write(go[1], "", 1) == 1);
	CHECK(waitpid(pid, NULL, 0) == pid);
	CHECK_IS(peer_ask(parent.sock, FC_MSG_GONE, pid, 0, NULL), 0);
	CHECK_IS(CALL(&parent, SYS_flock, lock, LOCK_EX | LOCK_NB), 0);
	CHECK_IS(peer_ask(parent.sock, FC_MSG_GONE, 0, 0, NULL), -EINVAL);
	session_close(&parent);
	for (int i = 0; i < 2; i++) {
		close(hold[i]);
		close(go[i]);
	}
}

/* A chain of forks, each from the one before, all alive at once; and one that never shows up. */
static void chain(void)
{
	struct session s[20] = { 0 };
	struct fc_packet p;

	session_open(&s[0], &suite_domain);
	for (int i = 1; i < 20; i++) {
		CHECK_IS(peer_ask(s[i - 1].sock, FC_MSG_FORK, 0, 0, &p), 0);
		s[i].sock = p.fd[0];
		if (i % 2)
			CHECK_IS(session_areas(&s[i]), 0);
	}
	CHECK_IS(CALL(&s[19], FC_NR_NOP, 0), 0);
	for (int i = 0; i < 20; i++)
		session_close(&s[i]);
}

/* ---- the end ---- */

static void bye(void)
{
	struct session one, two;
	int64_t a, b;

	session_open(&one, &suite_domain);
	session_open(&two, &suite_domain);
	a = suite_open(&one, "/data/bye", O_CREAT | O_RDWR);
	b = suite_open(&two, "/data/bye", O_CREAT | O_RDWR);
	CHECK_IS(CALL(&one, SYS_flock, a, LOCK_EX), 0);
	CHECK_IS(CALL(&two, SYS_flock, b, LOCK_EX | LOCK_NB), -EAGAIN);
	CHECK_IS(peer_ask(one.sock, FC_MSG_BYE, 0, 0, NULL), 0);
	CHECK_IS(CALL(&two, SYS_flock, b, LOCK_EX | LOCK_NB), 0);
	CHECK(peer_hangs_up(one.sock, 1000));
	session_close(&one);
	session_close(&two);
}

static void figures(void)
{
	const struct fc_stat_domain *d;
	const struct fc_stat_session *f;
	struct session s;
	uint64_t calls;
	int64_t fd[5];

	session_open(&s, &suite_domain);
	for (int i = 0; i < 5; i++)
		fd[i] = suite_open(&s, "/data/counted", O_CREAT | O_RDWR);
	for (int i = 0; i < 2; i++)
		CHECK_IS(CALL(&s, SYS_close, fd[i]), 0);
	for (int i = 0; i < 3; i++)
		CHECK_IS(CALL(&s, FC_NR_NOP, 0), 0);
	d = suite_stat();
	CHECK_IS(d->pid, suite_domain.pid);
	f = suite_stat_find(d, s.id);
	CHECK(f && f->client_pid == (uint32_t)getpid() && f->uid == geteuid() && f->data_bytes == FC_DATA_MIN);
	CHECK_IS(f->descriptors, 3);
	CHECK(f->workers && !strncmp(f->comm, "t_control", 9) && f->queue_depth == 0);
	/* workers publish their counts when they find time */
	for (int i = 0; i < 200 && f->count.calls < 10; i++) {
		suite_stat_free(d);
		suite_sleep_ms(10);
		d = suite_stat();
		f = suite_stat_find(d, s.id);
		CHECK(f);
	}
	CHECK(f->count.calls == 10 && d->total.calls >= 10);
	calls = d->total.calls;
	suite_stat_free(d);
	CHECK_IS(peer_ask(s.sock, FC_MSG_BYE, 0, 0, NULL), 0);
	for (int i = 0; i < 100 && suite_shadow(s.id); i++)
		suite_sleep_ms(10);
	d = suite_stat();
	CHECK(!suite_stat_find(d, s.id) && d->total.calls >= calls);
	suite_stat_free(d);
	session_close(&s);
}

/* ---- deaths ---- */

static void deaths(void)
{
	struct session s;
	pid_t shadow, client;
	int64_t fd;
	int hold[2];
	char byte;

	/* of a shadow (whose processes only its own user can kill) */
	session_open(&s, &suite_domain);
	shadow = suite_shadow(s.id);
	CHECK(shadow > 0 && !kill(shadow, SIGKILL));
	CHECK(peer_hangs_up(s.sock, 1000));
	session_close(&s);

	/* of a client */
	CHECK(!pipe(hold));
	client = fork();
	if (!client) {
		struct session mine;

		session_open(&mine, &suite_domain);
		fd = suite_open(&mine, "/data/deaths", O_CREAT | O_RDWR);
		CHECK_IS(CALL(&mine, SYS_flock, fd, LOCK_EX), 0);
		if (fork() == 0) { /* holds the connection open, and must not hold the session */
			suite_sleep_ms(3000);
			_exit(0);
		}
		CHECK(write(hold[1], "", 1) == 1);
		for (;;)
			pause();
	}
	CHECK(read(hold[0], &byte, 1) == 1);
	session_open(&s, &suite_domain);
	fd = suite_open(&s, "/data/deaths", O_CREAT | O_RDWR);
	CHECK_IS(CALL(&s, SYS_flock, fd, LOCK_EX | LOCK_NB), -EAGAIN);
	kill(client, SIGKILL);
	CHECK(waitpid(client, NULL, 0) == client);
	int sock = peer_connect(&suite_domain);
	CHECK_IS(peer_ask(sock, FC_MSG_GONE, client, 0, NULL), 0);
	CHECK_IS(CALL(&s, SYS_flock, fd, LOCK_EX | LOCK_NB), 0);
	close(sock);
	session_close(&s);
	close(hold[0]);
	close(hold[1]);
}

/* What a client may be in the middle of when it is killed. Never returns. */
static void busy_client(void)
{
	struct session s, child = { 0 };
	struct fc_packet p;

	for (int round = 0;; round++) {
		session_open(&s, &suite_domain);
		int64_t fd = suite_open(&s, "/data/storm", O_CREAT | O_RDWR);
		CALL(&s, SYS_flock, fd, LOCK_EX);
		if (peer_ask(s.sock, FC_MSG_FORK, 0, 0, &p) == 0) {
			child.sock = p.fd[0];
			session_areas(&child);
			suite_open(&child, "/data/storm", O_RDWR);
			session_close(&child);
		}
		session_grow(&s);
		CALL(&s, SYS_flock, fd, LOCK_UN);
		if (round % 2)
			peer_ask(s.sock, FC_MSG_BYE, 0, 0, NULL);
		session_close(&s);
	}
}

/* Clients killed at any moment leave nothing: no session, no lock. */
static void storm(void)
{
	const struct fc_stat_domain *d;
	uint32_t left = 1;
	struct session s;
	int64_t fd;

	srand(1);
	for (int round = 0; round < 50; round++) {
		pid_t pid[4];

		for (int i = 0; i < 4; i++) {
			pid[i] = fork();
			if (!pid[i])
				busy_client();
		}
		suite_sleep_ms(rand() % 40);
		for (int i = 0; i < 4; i++) {
			kill(pid[i], SIGKILL);
			CHECK(waitpid(pid[i], NULL, 0) == pid[i]);
		}
	}
	for (int i = 0; i < 300 && left; i++) {
		d = suite_stat();
		left = d->sessions;
		suite_stat_free(d);
		suite_sleep_ms(10);
	}
	CHECK_IS(left, 0);
	session_open(&s, &suite_domain);
	fd = suite_open(&s, "/data/storm", O_CREAT | O_RDWR);
	CHECK_IS(CALL(&s, SYS_flock, fd, LOCK_EX | LOCK_NB), 0);
	session_close(&s);
}

/* A private domain ends in order when whoever started it ends in any way. */
static void orphan(void)
{
	const char *extra[] = { "--die-with-parent", NULL };
	static struct daemon *d;
	pid_t pid;

	d = mmap(NULL, sizeof *d, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(d != MAP_FAILED);
	d->uid = -1;
	pid = fork();
	if (!pid) {
		daemon_start(d, suite_daemon, extra);
		_exit(0);
	}
	CHECK(waitpid(pid, NULL, 0) == pid && d->pid > 0);
	for (int i = 0; i < 200 && access(d->socket, F_OK) == 0; i++)
		suite_sleep_ms(10);
	CHECK(access(d->socket, F_OK) < 0);
	CHECK(!rmdir(d->export) && !rmdir(d->directory));
}

/* Inherited when its parent has ended, see suite.h, if there is a status to wait for. */
static bool ends(pid_t pid)
{
	for (int i = 0; i < 100 && kill(pid, 0) == 0; i++)
		suite_sleep_ms(waitpid(pid, NULL, WNOHANG) == pid ? 0 : 10);
	return kill(pid, 0) < 0;
}

/* A dead domain's processes end with it, and its socket does not keep the next one from starting. */
static void lives(void)
{
	const char *extra[] = { "--log-level", "error", NULL };
	struct session last;
	struct fc_packet p;
	pid_t pid, child;

	session_open(&last, &suite_domain);
	CHECK_IS(peer_ask(last.sock, FC_MSG_FORK, 0, 0, &p), 0);
	pid = suite_shadow(last.id);
	child = suite_shadow(p.head.arg[2]);
	CHECK(pid > 0 && child > 0 && !kill(suite_domain.pid, SIGKILL));
	CHECK(waitpid(suite_domain.pid, NULL, 0) == suite_domain.pid);
	CHECK(peer_hangs_up(last.sock, 1000) && peer_hangs_up(p.fd[0], 1000));
	CHECK(ends(pid) && ends(child));
	session_close(&last);
	daemon_again(&suite_domain, suite_daemon, extra);
	session_open(&last, &suite_domain);
	CHECK_IS(daemon_stop(&suite_domain), 0);
	CHECK(peer_hangs_up(last.sock, 1000));
	CHECK(access(suite_domain.socket, F_OK) < 0);
	session_close(&last);
}

int main(int argc, char **argv)
{
	static const struct suite_test test[] = {
		{ hello, "hello" },
		{ session, "session" },
		{ memory, "memory" },
		{ hands, "hands" },
		{ hands_race, "hands_race" },
		{ leases, "leases" },
		{ leases_in_spite, "leases_in_spite" },
		{ leases_are_ours, "leases_are_ours" },
		{ posts_to_files_only, "posts_to_files_only" },
		{ maps, "maps" },
		{ maps_refused, "maps_refused" },
		{ maps_in_the_way, "maps_in_the_way" },
		{ errands, "errands" },
		{ tickets, "tickets" },
		{ family, "family" },
		{ chain, "chain" },
		{ bye, "bye" },
		{ figures, "figures" },
		{ deaths, "deaths" },
		{ storm, "storm" },
		{ orphan, "orphan" },
		{ NULL, NULL },
	};
	static const struct suite suite = { .test = test, .last = lives };

	return suite_main(&suite, argc, argv);
}
