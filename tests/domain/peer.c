/* SPDX-License-Identifier: GPL-2.0-or-later */
/* peer.c - a bare client of a real farcall-storaged, see peer.h. */
#define _GNU_SOURCE
#include "tests/domain/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "common/queue.h"

/* ---- the daemon ---- */

void become(uid_t uid)
{
	if (uid == (uid_t)-1)
		return;
	CHECK(!setgroups(0, NULL) && !setresgid(uid, uid, uid) && !setresuid(uid, uid, uid));
	CHECK(!prctl(PR_SET_DUMPABLE, 1)); /* as after an execve: an ordinary user's domain could not look at us */
}

void daemon_start(struct daemon *d, const char *path, const char *const *extra)
{
	strcpy(d->directory, "/tmp/farcall-test-XXXXXX");
	CHECK(mkdtemp(d->directory));
	CHECK(!chmod(d->directory, 0755) && !chown(d->directory, d->uid, d->uid));
	snprintf(d->export, sizeof d->export, "%s/export", d->directory);
	snprintf(d->socket, sizeof d->socket, "%s/socket", d->directory);
	CHECK(!mkdir(d->export, 0777) && !chmod(d->export, 0777) && !chown(d->export, d->uid, d->uid));
	daemon_again(d, path, extra);
}

void daemon_again(struct daemon *d, const char *path, const char *const *extra)
{
	const char *argv[24] = { path, "--socket", d->socket, "--ready-fd", "9", "-v" };
	char volume[128], byte;
	int ready[2], n = 7;
	ssize_t got;
	pid_t pid;

	snprintf(volume, sizeof volume, "%s:/data", d->export);
	argv[6] = volume;
	while (extra && *extra)
		argv[n++] = *extra++;
	CHECK(!pipe(ready));
	pid = fork();
	if (!pid) {
		dup2(ready[1], 9);
		become(d->uid);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* after the ids: a change disarms it */
		execv(path, (char *const *)argv);
		_exit(127);
	}
	d->pid = pid;
	close(ready[1]);
	do
		got = read(ready[0], &byte, 1);
	while (got < 0 && errno == EINTR);
	CHECK(got == 1);
	close(ready[0]);
}

int daemon_run(const char *const *argv, char *said, size_t room)
{
	int out[2], status, length = 0, n;
	pid_t pid;

	CHECK(!pipe(out));
	pid = fork();
	if (!pid) {
		dup2(out[1], 2);
		close(out[0]);
		close(out[1]);
		execv(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(out[1]);
	while ((n = read(out[0], said + length, room - 1 - length)) > 0)
		length += n;
	said[length] = '\0';
	close(out[0]);
	CHECK(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void daemon_remove(struct daemon *d)
{
	nftw(d->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int daemon_stop(struct daemon *d)
{
	int status;

	kill(d->pid, SIGTERM);
	CHECK(waitpid(d->pid, &status, 0) == d->pid);
	daemon_remove(d);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- control messages ---- */

int peer_connect(const struct daemon *d)
{
	int sock = fc_control_connect(d->socket);

	CHECK(sock >= 0);
	return sock;
}

int peer_ask_fds(int sock, unsigned type, uint64_t a, const int *fds, int nfds, struct fc_packet *answer)
{
	struct fc_packet own;
	struct fc_msg m = { .type = type, .serial = 7, .arg = { a } };
	int r = fc_control_ask(sock, &m, NULL, fds, nfds, answer ? answer : &own);

	if (!answer)
		fc_packet_drop(&own);
	return r;
}

int peer_ask(int sock, unsigned type, uint64_t a, uint64_t b, struct fc_packet *answer)
{
	struct fc_packet own, *in = answer ? answer : &own;
	struct fc_msg m = { .type = type, .serial = 42, .arg = { a, b, -1ull, -1ull } };
	int r = fc_control_ask(sock, &m, NULL, NULL, 0, in);

	if (r == 0)
		CHECK_IS(in->head.serial, 42);
	if (!answer)
		fc_packet_drop(&own);
	return r;
}

void peer_tell(int sock, unsigned type, uint64_t a, uint64_t b)
{
	struct fc_msg m = { .type = type, .arg = { a, b } };

	CHECK_IS(fc_control_send(sock, &m, NULL, NULL, 0, 0), 0);
}

bool peer_hangs_up(int sock, int ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	struct fc_packet packet;

	while (poll(&p, 1, ms) == 1) {
		int r = fc_control_recv(sock, &packet, 0);

		if (r == -EPIPE)
			return true;
		CHECK_IS(r, 0);
		fc_packet_drop(&packet);
	}
	return false;
}

/* ---- a session ---- */

int peer_memfd(uint64_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *m;

	CHECK(fd >= 0 && !ftruncate(fd, size) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	if (!size)
		return fd;
	m = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(m != MAP_FAILED);
	memset(m, 0, size);
	munmap(m, size);
	return fd;
}

int session_areas(struct session *s)
{
	int fd[2] = { peer_memfd(sizeof *s->area), peer_memfd(FC_DATA_MIN) }, r;

	s->area = mmap(NULL, sizeof *s->area, PROT_READ | PROT_WRITE, MAP_SHARED, fd[0], 0);
	s->data = mmap(NULL, FC_DATA_MAX, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(s->area != MAP_FAILED && s->data != MAP_FAILED);
	CHECK(mmap(s->data, FC_DATA_MIN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd[1], 0) == s->data);
	s->length = FC_DATA_MIN;
	s->area->header = (struct fc_area_header){
		.magic = FC_ABI_MAGIC,
		.major = FC_ABI_MAJOR,
		.minor = FC_ABI_MINOR,
		.entries = FC_ENTRIES,
		.size = sizeof *s->area,
	};
	fc_queue_init(&s->area->queue);
	r = peer_ask_fds(s->sock, FC_MSG_AREAS, FC_DATA_MIN, fd, 2, NULL);
	close(fd[0]);
	close(fd[1]);
	return r;
}

int session_grow(struct session *s)
{
	int fd = peer_memfd(s->length), r;

	CHECK(mmap(s->data + s->length, s->length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) !=
	      MAP_FAILED);
	r = peer_ask_fds(s->sock, FC_MSG_GROW, s->length, &fd, 1, NULL);
	close(fd);
	if (r == 0)
		s->length *= 2;
	return r;
}

void session_open(struct session *s, const struct daemon *d)
{
	struct fc_packet p;

	s->sock = peer_connect(d);
	CHECK_IS(peer_ask(s->sock, FC_MSG_ATTACH, 022, -1ull, &p), 0);
	CHECK_IS(p.nfds, 0);
	s->token[0] = p.head.arg[0];
	s->token[1] = p.head.arg[1];
	s->id = p.head.arg[2];
	CHECK(s->id && (s->token[0] || s->token[1]));
	CHECK_IS(session_areas(s), 0);
}

void session_close(struct session *s)
{
	close(s->sock);
	if (s->area)
		munmap(s->area, sizeof *s->area);
	if (s->data)
		munmap(s->data, FC_DATA_MAX);
	s->area = NULL;
	s->data = NULL;
}

int64_t session_call(struct session *s, unsigned nr, const uint64_t arg[6])
{
	struct fc_entry *e = &s->area->entry[0];
	struct timespec ts;
	uint64_t deadline;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	deadline = (ts.tv_sec + 10) * 1000000000ull;
	e->nr = nr;
	e->nonce++;
	memcpy(e->arg, arg, sizeof e->arg);
	fc_store_release(&e->state, FC_QUEUED);
	CHECK(!fc_queue_enqueue(&s->area->queue, 0));
	if (fc_bell_needed(&s->area->header, 1))
		fc_bell_ring(&fc_bell_local, &s->area->header);
	while (fc_load_acquire(&e->state) != FC_DONE)
		CHECK(fc_entry_sleep(&fc_bell_local, e, deadline) != -ETIMEDOUT);
	fc_store(&e->state, FC_FREE);
	return e->result;
}

uint64_t session_put(struct session *s, uint64_t offset, const char *text)
{
	strcpy(s->data + offset, text);
	return offset;
}
