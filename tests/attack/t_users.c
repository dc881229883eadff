/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_users.c - whose the domain's processes are: no thread of a domain that root has started is root's, or any client's,
 * by its real, effective or saved ids, whomever it serves: `ps -eo user,comm` shows none of root. With --user it is
 * that user's, who is no client.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"

#define USER 61999u

static bool with_user; /* --user has been given */

static bool is_nobody_here(const unsigned id[3])
{
	for (int i = 0; i < 3; i++)
		if (!id[i] || (with_user && id[i] != USER) || id[i] == ATTACKER || id[i] == NEIGHBOUR)
			return false;
	return true;
}

static void look_at(pid_t process, const char *task)
{
	char path[96], text[4096], name[32] = "?", *uids, *gids;
	unsigned uid[3], gid[3];
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/task/%s/status", process, task);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return; /* it has ended */
	text[n] = 0;
	sscanf(text, "Name:\t%31s", name);
	uids = strstr(text, "\nUid:");
	gids = strstr(text, "\nGid:");
	CHECK(uids && gids && sscanf(uids, "\nUid: %u %u %u", &uid[0], &uid[1], &uid[2]) == 3 &&
	      sscanf(gids, "\nGid: %u %u %u", &gid[0], &gid[1], &gid[2]) == 3);
	EXPECT(is_nobody_here(uid) && is_nobody_here(gid), "%s, task %s: real, effective, saved ids %u %u %u, %u %u %u",
	       name, task, uid[0], uid[1], uid[2], gid[0], gid[1], gid[2]);
}

static void look(void)
{
	static pid_t list[4096];
	unsigned n = attack_processes(list, 4096, NULL), tasks = 0;

	for (unsigned i = 0; i < n; i++) {
		char path[64];
		struct dirent *d;
		DIR *dir;

		snprintf(path, sizeof path, "/proc/%d/task", list[i]);
		dir = opendir(path);
		while (dir && (d = readdir(dir)))
			if (*d->d_name != '.') {
				look_at(list[i], d->d_name);
				tasks++;
			}
		if (dir)
			closedir(dir);
	}
	printf("# %u processes, %u threads\n", n, tasks);
	CHECK(n >= 2);
}

static void serving(void)
{
	struct session s, child;

	CHECK_IS(attack_open(&s), 0);
	EXPECT(attack_open_file(&s, "/data/root", O_CREAT | O_RDWR, 0600) >= 0, "root cannot make a file");
	CHECK_IS(attack_fork(&s, &child), 0);
	CHECK_IS(session_areas(&child), 0);
	look();
	session_close(&child);
	session_close(&s);
}

/* Its processes would be this user's to trace and to signal. */
static void itself(void)
{
	struct session s;
	int r = attack_open(&s);

	EXPECT(r == -EPERM, "the domain's own user attaches: %s", r ? strerror(-r) : "admitted");
}

static int with(bool user)
{
	static const char *const options[] = { "--user", "61999", NULL };
	const struct attack_setup setup = { .options = user ? options : NULL };

	with_user = user;
	attack_begin(&setup);
	attack_by(0, "whose the domain's processes are", serving);
	if (user)
		attack_by(USER, "a client that is the domain's user", itself);
	return attack_end();
}

int main(void)
{
	int worst = 0, status;

	for (int user = 0; user < 2 && !worst; user++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid)
			exit(with(user));
		CHECK(waitpid(pid, &status, 0) == pid);
		worst = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	return worst;
}
