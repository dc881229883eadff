/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * offspring.c - the shadow of a client's child: a fork of its parent's shadow, so that descriptors, offsets, directory, umask
 * and credentials come out as fork(2) makes them.
 *
 * The child makes its own sockets, while it is alone in its process: in the parent a worker could be told to use
 * the descriptor that one has just become. It introduces itself to the supervisor over its parent's link, is answered
 * on its own, and answers the client on the parent's connection; meanwhile the parent's control thread sleeps. Then
 * both go on in the loop they came from.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/doorbell.h"
#include "storage-domain/exec/post.h"
#include "storage-domain/fds.h"
#include "storage-domain/shadow/link.h"
#include "storage-domain/log.h"
#include "storage-domain/roster.h"
#include "storage-domain/shadow/shadow_main.h"
#include "storage-domain/shadow/transport.h"
#include "storage-domain/table.h"

#define FC_FORK_CHECK_NS 100000000ull /* how often the parent looks whether the child still lives */

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* ---- in the child ---- */

/* Get id, token and slot from the supervisor. `pair` are the two ends of the child's link. Returns 0 or -errno. */
static int introduce(int pair[2], struct fc_packet *answer)
{
	struct fc_msg m = { .type = FC_LINK_FORK };
	int r = fc_control_send(FC_FD_LINK, &m, NULL, &pair[0], 1, 0);

	close(pair[0]); /* if the supervisor goes, it must be seen */
	if (r == 0)
		r = fc_control_recv(pair[1], answer, 0);
	if (r == 0 && (answer->head.type != FC_LINK_FORK || answer->head.arg[3] >= FC_SESSIONS_MAX))
		r = -EPROTO;
	return r < 0 ? r : answer->head.status;
}

static void become(struct fc_shadow *s, uint32_t index)
{
	s->slot = &s->shared->slot[index];
	fc_roster_adopt(index);
	/* its threads and their areas did not come along, and one of them may have held the lock */
	pthread_mutex_init(&s->cred_lock, NULL);
	pthread_mutex_init(&s->pipe_lock, NULL);
	pthread_mutex_init(&s->place_lock, NULL);
	for (int i = 0; i < FC_CLERK_BOXES; i++)
		if (s->clerk_fd[i] >= 0)
			close(s->clerk_fd[i]);
	fc_shadow_clerk_init(s);
	fc_posts_init(s);
	fc_workers_forget(s);
	fc_areas_forget(s);
	fc_table_begin(s);
}

static void wake_parent(struct fc_roster_slot *parent)
{
	fc_faa(&parent->forked, 1);
	fc_futex_wake(&parent->forked, 1);
}

/*
 * Numbers below FC_DOMAIN_FD_FIRST that are good for nothing in a shadow: the child's sockets come to be there for a moment, for the
 * client may have all others in use. Alone in its process it may do without them, and without those of the hand-over, which it makes anew.
 */
static void idle_free(void)
{
	static const int idle[] = { STDIN_FILENO, STDOUT_FILENO, FC_FD_HAND, FC_FD_HANDED };

	for (unsigned i = 0; i < sizeof idle / sizeof idle[0]; i++)
		close(idle[i]);
}

static int idle_take(void)
{
	if (dup3(FC_FD_NULL, STDIN_FILENO, O_CLOEXEC) < 0 || dup3(FC_FD_NULL, STDOUT_FILENO, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/* Returns 0: this is a shadow with a session of its own; or -errno, of which the client has not been told. */
static int child(struct fc_shadow *s, const struct fc_packet *request, struct fc_roster_slot *parent)
{
	int link[2], client[2], on = 1, r;
	struct fc_packet answer;

	idle_free();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, client) ||
	    (!s->foreign && setsockopt(client[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on)))
		return -errno;
	r = introduce(link, &answer);
	if (r < 0)
		return r;
	become(s, (uint32_t)answer.head.arg[3]);
	r = s->transport->forked(s, request);
	if (r == 0)
		r = fc_maps_adopt(s);
	if (r < 0)
		return r;
	fc_shadow_answer(s, request, 0, answer.head.arg, client[0]);
	if (dup3(client[1], FC_FD_CLIENT, O_CLOEXEC) < 0)
		_exit(1);
	wake_parent(parent);
	/* last: as long as its link is open somewhere, the parent's session is not over and its slot is nobody else's */
	if (dup3(link[1], FC_FD_LINK, O_CLOEXEC) < 0)
		_exit(1);
	close(client[0]); /* for the sockets that come now */
	close(client[1]);
	close(link[1]);
	if (fc_hand_begin() < 0 || (!s->foreign && fc_heir_begin(s) < 0) || idle_take() < 0)
		_exit(1);
	return 0;
}

/* ---- in the parent ---- */

/* The sanitizers' allocators, unlike the C library's, do not take their locks for a fork, and a child whose parent's other thread held one
 * never comes back: let threads that have just been started get past their first allocations. */
static void settle(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
#endif
}

/* Sleep until the child has answered the client. Returns 0, or -EAGAIN if it has died without a word. */
static int await(pid_t pid, const uint32_t *forked, uint32_t before)
{
	while (fc_load_acquire(forked) == before) {
		fc_futex_wait(forked, before, now_ns() + FC_FORK_CHECK_NS);
		/* children are not waited for (SIGCHLD is ignored), so a dead one is simply not there */
		if (waitpid(pid, NULL, WNOHANG) < 0 && fc_load_acquire(forked) == before)
			return -EAGAIN;
	}
	return 0;
}

int fc_offspring_make(struct fc_shadow *s, const struct fc_packet *request)
{
	struct fc_roster_slot *parent = s->slot;
	uint32_t before = fc_load(&parent->forked);
	pid_t pid;
	int r;

	settle();
	fc_maps_fork();
	pid = fork();
	r = -errno;
	if (pid)
		fc_maps_forked_parent();
	else
		fc_maps_forked_child();
	if (pid < 0)
		return r;
	if (pid > 0)
		return await(pid, &parent->forked, before);
	r = child(s, request, parent);
	if (r == 0)
		return 0;
	/* the parent's own answer would lose the reason */
	s->slot = parent;
	s->area = NULL; /* has not come along */
	fc_shadow_answer(s, request, r, NULL, -1);
	wake_parent(parent);
	_exit(1);
}
