/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_domain.c - a hostile storage domain: it listens, speaks the control protocol and answers every request as it has been told
 * on its command line. It has no files. What it is asked, it prints.
 *
 *      h_domain SOCKET PREFIX [RULE...]
 *
 *      CALL[,PATH]=ANSWER   for a request (the row's name, * for any; with this path only), the first rule that fits:
 *           >TEXT            its first path goes on at TEXT;  >>TEXT  its second;  >N>TEXT  its argument N, be it a path or not
 *           #NUMBER          this result
 *           file, dir, link, socket  a stat's: it is one
 *           entry:NAME       getdents64: a directory with this name in it, each time until nothing is left
 *           record:NUMBER    getdents64: an entry that says to be so long
 *           text:TEXT        the contents of a file, of a link; getcwd's path
 *      key=#NUMBER          of a socket (FC_NR_SOCKET_KEY)
 *      MESSAGE~SECONDS      the first answer to this control message comes late
 *      HAND=WHAT            what is handed over: file, dir, device, socket (one to talk to), named (a socket's inode), pipe, epoll; none; two;
 *                           or how: once (there is no second answer), early (the file comes with the second), both, serial (another's),
 *                           type (another message's), status:NUMBER (a file comes with it)
 *      MESSAGE=status:NUMBER, MESSAGE=arg:NUMBER       of WATCH, BIND, OTHER: this is the answer
 *
 * Without a rule: opens succeed, reads are at the end, and there is nothing of any name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "common/control.h"
#include "common/doorbell.h"
#include "common/queue.h"
#include "farcall/wire.h"

#define A_DESCRIPTOR 40

static const struct {
	const char *name;
	unsigned type;
} messages[] = {
	{ "HELLO", FC_MSG_HELLO },   { "ATTACH", FC_MSG_ATTACH }, { "AREAS", FC_MSG_AREAS },
	{ "GROW", FC_MSG_GROW },     { "FORK", FC_MSG_FORK },     { "RLIMIT", FC_MSG_RLIMIT },
	{ "CRED", FC_MSG_CRED },     { "GONE", FC_MSG_GONE },     { "BYE", FC_MSG_BYE },
	{ "SHRINK", FC_MSG_SHRINK }, { "FORKED", FC_MSG_FORKED }, { "MEMORY", FC_MSG_MEMORY },
	{ "HAND", FC_MSG_HAND },     { "OTHER", FC_MSG_OTHER },   { "BIND", FC_MSG_BIND },
	{ "WATCH", FC_MSG_WATCH },   { "LEASE", FC_MSG_LEASE },
};

struct session {
	int sock;
	struct fc_request_area *area;
	char *data;
	uint64_t length;
	pthread_t worker;
	bool works, stop;
	bool listed; /* the entry of a directory has been given */
};

static const char *listens_at, *prefix;
static char **rules;
static unsigned seconds_late[FC_MSG_TYPES];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- requests ---- */

static char *at(struct session *s, uint64_t offset)
{
	return offset < FC_DATA_MAX ? s->data + offset : NULL;
}

/* The k-th path argument of a row, -1 if it has none. */
static int path_arg(const struct fc_row *row, int k)
{
	for (int i = 0; i < 6; i++)
		if ((row->arg[i].kind == FC_KIND_PATH || row->arg[i].kind == FC_KIND_PATH_OPT) && k-- == 0)
			return i;
	return -1;
}

static const char *path_of(struct session *s, const struct fc_row *row, const struct fc_entry *e, int k)
{
	int i = path_arg(row, k);

	return i < 0 || e->arg[i] == FC_NULL ? NULL : at(s, e->arg[i]);
}

/* The answer that a rule has for this request, or null. */
static const char *find_rule(const struct fc_row *row, const char *path)
{
	for (char **r = rules; *r; r++) {
		size_t n = strcspn(*r, ",="), m;

		if (!(*r)[n] || (strncmp(*r, row->name, n) && strncmp(*r, "*", n)) || (row->name[n] && **r != '*'))
			continue;
		if ((*r)[n] == '=')
			return *r + n + 1;
		m = strcspn(*r + n + 1, "=");
		if (path && strlen(path) == m && !strncmp(*r + n + 1, path, m))
			return *r + n + 1 + m + 1;
	}
	return NULL;
}

static int64_t go_on(struct session *s, const struct fc_row *row, const struct fc_entry *e, const char *to)
{
	int i = path_arg(row, 0);

	if (*to == '>') {
		i = path_arg(row, 1);
		to++;
	} else if (*to >= '0' && *to <= '5' && to[1] == '>') {
		i = *to - '0';
		to += 2;
	}
	if (i >= 0 && path_of(s, row, e, 0) && at(s, e->arg[i]))
		strncpy(at(s, e->arg[i]), to, FC_PATH_MAX); /* without an end, if it is so long */
	return FC_CONTINUE - i;
}

static int64_t put_stat(struct session *s, const struct fc_row *row, const struct fc_entry *e, mode_t mode)
{
	struct stat st = { .st_mode = mode | 0777, .st_nlink = 1, .st_ino = 7, .st_dev = 7, .st_uid = getuid() };
	struct statx stx = { .stx_mode = mode | 0777, .stx_nlink = 1, .stx_ino = 7, .stx_mask = STATX_BASIC_STATS };

	if (row->nr == SYS_statx)
		memcpy(at(s, e->arg[4]), &stx, sizeof stx);
	else
		memcpy(at(s, e->arg[row->nr == SYS_fstat ? 1 : 2]), &st, sizeof st);
	return 0;
}

static int64_t put_entry(struct session *s, const struct fc_entry *e, const char *name, int record)
{
	struct {
		uint64_t inode;
		int64_t offset;
		uint16_t length;
		uint8_t type;
		char name[];
	} *d = (void *)at(s, e->arg[1]);
	size_t n = (19 + strlen(name) + 1 + 7) & ~7ul;

	s->listed = !s->listed;
	if (!s->listed)
		return 0;
	d->inode = 9;
	d->offset = 1;
	d->length = (uint16_t)(record >= 0 ? (size_t)record : n);
	d->type = 8;
	strcpy(d->name, name);
	return n;
}

static int64_t put_text(struct session *s, const struct fc_row *row, const struct fc_entry *e, const char *text)
{
	size_t n = strlen(text);

	if (row->nr == SYS_getcwd) {
		strcpy(at(s, e->arg[0]), text);
		return n + 1;
	}
	memcpy(at(s, e->arg[row->nr == SYS_readlinkat ? 2 : 1]), text, n);
	return n;
}

static int64_t by_default(struct session *s, const struct fc_row *row, const struct fc_entry *e)
{
	switch (row->nr) {
	case SYS_openat:
	case SYS_openat2:
	case SYS_dup:
		return A_DESCRIPTOR;
	case SYS_fstat:
		return put_stat(s, row, e, S_IFDIR);
	case SYS_pread64:
		return (int64_t)e->arg[2];
	case SYS_close:
	case SYS_chdir:
	case SYS_fcntl:
	case SYS_lseek:
	case SYS_read:
	case SYS_getdents64:
	case SYS_umask:
		return 0;
	default:
		return -ENOENT;
	}
}

static int64_t answer(struct session *s, const struct fc_row *row, const struct fc_entry *e)
{
	const char *path = path_of(s, row, e, 0), *rule = find_rule(row, path);

	printf("%s %s%s%s\n", row->name, path ? path : "", rule ? " = " : "", rule ? rule : "");
	if (!rule)
		return by_default(s, row, e);
	if (*rule == '>')
		return go_on(s, row, e, rule + 1);
	if (*rule == '#')
		return strtoll(rule + 1, NULL, 0);
	if (!strncmp(rule, "entry:", 6))
		return put_entry(s, e, rule + 6, -1);
	if (!strncmp(rule, "record:", 7))
		return put_entry(s, e, "name", atoi(rule + 7));
	if (!strncmp(rule, "text:", 5))
		return put_text(s, row, e, rule + 5);
	return put_stat(s, row, e,
			!strcmp(rule, "file")     ? S_IFREG
			: !strcmp(rule, "dir")    ? S_IFDIR
			: !strcmp(rule, "socket") ? S_IFSOCK
						  : S_IFLNK);
}

static int64_t key(void)
{
	for (char **r = rules; *r; r++)
		if (!strncmp(*r, "key=#", 5))
			return strtoll(*r + 5, NULL, 0);
	return 0;
}

/* A large read comes as a stream; what is read does not matter. */
static int64_t stream(struct session *s, const struct fc_entry *e, int i)
{
	struct fc_stream *st = &s->area->stream[i];

	for (uint64_t n = 0; n < e->arg[1] / FC_CHUNK; n++)
		fc_progress_publish(&fc_bell_local, &st->domain, &st->client);
	return (int64_t)e->arg[1];
}

static void serve_request(struct session *s, int i)
{
	struct fc_entry e = s->area->entry[i];
	const struct fc_row *row = fc_row_by_nr(e.nr);
	int64_t result = 0;

	if (row)
		result = answer(s, row, &e);
	else if (e.nr == FC_NR_STREAM_READ)
		result = stream(s, &e, i);
	else if (e.nr == FC_NR_SOCKET_KEY)
		result = key();
	fc_entry_complete(&fc_bell_local, &s->area->entry[i], result);
}

static void *work(void *arg)
{
	struct session *s = arg;

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		int i = fc_queue_dequeue(&s->area->queue);

		if (i >= 0)
			serve_request(s, i);
		else
			usleep(100);
	}
	return NULL;
}

/* ---- control messages ---- */

static void *serve(void *arg);

static void serve_in_thread(int sock)
{
	struct session *s = calloc(1, sizeof *s);
	pthread_t thread;

	if (!s)
		die("calloc");
	s->sock = sock;
	s->data = mmap(NULL, FC_DATA_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->data == MAP_FAILED || pthread_create(&thread, NULL, serve, s))
		die("session");
	pthread_detach(thread);
}

static void stop_working(struct session *s)
{
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	if (s->works)
		pthread_join(s->worker, NULL);
	s->works = s->stop = false;
}

static void segment(struct session *s, int fd, uint64_t size)
{
	if (s->length + size > FC_DATA_MAX ||
	    mmap(s->data + s->length, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		die("segment");
	s->length += size;
}

static void areas(struct session *s, const struct fc_packet *p)
{
	stop_working(s);
	s->length = 0;
	s->area = mmap(NULL, sizeof *s->area, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd[0], 0);
	if (s->area == MAP_FAILED)
		die("area");
	segment(s, p->fd[1], p->head.arg[0]);
	s->works = !pthread_create(&s->worker, NULL, work, s);
}

static int domain_page(void)
{
	struct fc_domain_page page = {
		.magic = FC_ABI_MAGIC, .major = FC_ABI_MAJOR, .minor = FC_ABI_MINOR, .state = FC_DOMAIN_UP
	};
	int fd = memfd_create("page", MFD_CLOEXEC);

	if (fd < 0 || write(fd, &page, sizeof page) != sizeof page)
		die("page");
	return fd;
}

struct letter {
	unsigned seconds;
	int sock, fd, second_fd;
	bool two, again; /* the descriptor goes twice; there is a second answer */
	struct fc_msg m;
	char text[300];
};

static void *post(void *arg)
{
	struct letter *l = arg;

	sleep(l->seconds);
	const int fds[2] = { l->fd, l->fd };
	struct fc_msg second = { .type = l->m.type, .serial = l->m.serial };
	fc_control_send(l->sock, &l->m, l->text, fds, (l->fd >= 0) * (l->two ? 2 : 1), 0);
	if (l->again)
		fc_control_send(l->sock, &second, NULL, &l->second_fd, l->second_fd >= 0, 0);
	if (l->fd >= 0)
		close(l->fd);
	if (l->second_fd >= 0)
		close(l->second_fd);
	close(l->sock);
	free(l);
	return NULL;
}

static const char *message_rule(unsigned type)
{
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
		for (char **r = rules; messages[i].type == type && *r; r++) {
			size_t n = strlen(messages[i].name);

			if (!strncmp(*r, messages[i].name, n) && (*r)[n] == '=')
				return *r + n + 1;
		}
	return "";
}

/* A socket's inode, as the domain hands it over to be connected to. */
static int named_socket(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	snprintf(sa.sun_path, sizeof sa.sun_path, "%s.%d", listens_at, sock);
	if (bind(sock, (struct sockaddr *)&sa, sizeof sa) || listen(sock, 64))
		die("named socket");
	fd = open(sa.sun_path, O_PATH | O_CLOEXEC);
	unlink(sa.sun_path);
	return fd; /* it goes on listening */
}

static int thing(const char *what)
{
	int pair[2];

	if (!strcmp(what, "dir"))
		return open("/", O_RDONLY | O_CLOEXEC);
	if (!strcmp(what, "device"))
		return open("/dev/zero", O_RDWR | O_CLOEXEC);
	if (!strcmp(what, "named"))
		return named_socket();
	if (!strcmp(what, "epoll"))
		return epoll_create1(EPOLL_CLOEXEC);
	if (!strcmp(what, "socket") && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return pair[0];
	if (!strcmp(what, "pipe") && !pipe2(pair, O_CLOEXEC))
		return pair[0];
	pair[0] = memfd_create("file", MFD_CLOEXEC);
	if (pair[0] < 0 || ftruncate(pair[0], FC_PAGE_SIZE))
		die("thing");
	return pair[0];
}

static void hand(struct letter *l, const char *how)
{
	l->again = strcmp(how, "once") != 0;
	l->two = !strcmp(how, "two");
	if (strcmp(how, "none") && strcmp(how, "early"))
		l->fd = thing(how);
	if (!strcmp(how, "early") || !strcmp(how, "both"))
		l->second_fd = thing("file");
	l->m.serial += !strcmp(how, "serial");
	if (!strcmp(how, "type"))
		l->m.type = FC_MSG_GROW;
	if (!strncmp(how, "status:", 7))
		l->again = false;
}

static void say(struct letter *l, const char *how)
{
	if (!strncmp(how, "status:", 7))
		l->m.status = atoi(how + 7);
	if (!strncmp(how, "arg:", 4))
		l->m.arg[0] = strtoull(how + 4, NULL, 0);
}

/* Does what the message asks for; false: there is no answer. */
static bool obey(struct session *s, const struct fc_packet *p, struct letter *l)
{
	int pair[2];

	switch (p->head.type) {
	case FC_MSG_HELLO:
		l->m.arg[0] = FC_ABI_MAJOR;
		l->m.arg[1] = FC_ABI_MINOR;
		l->m.arg[3] = 1;
		l->m.size = (uint16_t)(snprintf(l->text, sizeof l->text, "rw %s", prefix) + 1);
		l->fd = domain_page();
		return true;
	case FC_MSG_AREAS:
		areas(s, p);
		return true;
	case FC_MSG_GROW:
		segment(s, p->fd[0], p->head.arg[0]);
		return true;
	case FC_MSG_SHRINK:
		s->length = p->head.arg[0];
		return false;
	case FC_MSG_FORK:
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
			die("socketpair");
		serve_in_thread(pair[0]);
		l->fd = pair[1];
		return true;
	case FC_MSG_FORKED:
		return false;
	case FC_MSG_LEASE:
		if (!*message_rule(FC_MSG_LEASE))
			l->m.status = -EOPNOTSUPP;
		say(l, message_rule(FC_MSG_LEASE));
		return true;
	case FC_MSG_HAND:
		hand(l, message_rule(FC_MSG_HAND));
		/* fallthrough */
	default:
		say(l, message_rule(p->head.type));
		return true;
	}
}

static void serve_message(struct session *s, struct fc_packet *p)
{
	struct letter *l = calloc(1, sizeof *l);
	pthread_t thread;

	if (!l || p->head.type >= FC_MSG_TYPES)
		die("message");
	for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
		if (messages[i].type == p->head.type)
			printf("%s\n", messages[i].name);
	l->m = (struct fc_msg){ .type = p->head.type, .serial = p->head.serial };
	l->fd = l->second_fd = -1;
	l->sock = dup(s->sock);
	l->seconds = __atomic_exchange_n(&seconds_late[p->head.type], 0, __ATOMIC_RELAXED);
	if (!obey(s, p, l)) {
		close(l->sock);
		free(l);
	} else if (l->seconds && !pthread_create(&thread, NULL, post, l)) {
		pthread_detach(thread);
	} else {
		post(l);
	}
}

static void *serve(void *arg)
{
	struct session *s = arg;
	struct fc_packet *p = malloc(sizeof *p);

	while (p && fc_control_recv(s->sock, p, 0) == 0) {
		serve_message(s, p);
		fc_packet_drop(p);
	}
	stop_working(s);
	shutdown(s->sock, SHUT_RDWR);
	close(s->sock);
	free(p);
	return NULL; /* the rest goes with the process */
}

static void take_lateness(const char *rule)
{
	size_t n = strcspn(rule, "~");

	for (size_t i = 0; rule[n] && i < sizeof messages / sizeof messages[0]; i++)
		if (strlen(messages[i].name) == n && !strncmp(messages[i].name, rule, n))
			seconds_late[messages[i].type] = (unsigned)atoi(rule + n + 1);
}

int main(int argc, char **argv)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), sock;

	if (argc < 3 || strlen(argv[1]) >= sizeof sa.sun_path)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* the shell that has started us is all that the test can end */
	setvbuf(stdout, NULL, _IOLBF, 0);
	listens_at = argv[1];
	prefix = argv[2];
	rules = argv + 3;
	for (char **r = rules; *r; r++)
		if (!strchr(*r, '='))
			take_lateness(*r);
	strcpy(sa.sun_path, argv[1]);
	umask(0);
	if (listener < 0 || bind(listener, (struct sockaddr *)&sa, sizeof sa) || listen(listener, 64))
		die(argv[1]);
	printf("listening\n");
	while ((sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		serve_in_thread(sock);
	die("accept");
}
