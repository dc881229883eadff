/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_roots.c - clients whose files are others than the domain's: in another root (chroot) or another mount namespace.
 * What confines them there does not follow them into the domain, so that it does not take them, unless it has been told
 * to with --any-root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/attack/attack.h"

static bool any_root;

/* Attach by a path below the working directory, which may be outside of the root. */
static int attach_below(void)
{
	struct session s;
	int r;

	strcpy(attack_domain.socket, "socket");
	r = attack_open(&s);
	if (r == 0)
		session_close(&s);
	return r;
}

static void expect(int r, const char *where)
{
	if (any_root)
		EXPECT(r == 0, "%s: attach with --any-root: %s", where, strerror(-r));
	else
		EXPECT(r == -EXDEV, "%s: attach: %s", where, r ? strerror(-r) : "admitted");
}

/* The working directory stays where it is. */
static void enter_root(int root)
{
	int here = open(".", O_PATH | O_DIRECTORY);

	CHECK(here >= 0 && !fchdir(root) && !chroot(".") && !fchdir(here));
}

static void enter_jail(void)
{
	char jail[128];

	snprintf(jail, sizeof jail, "%s/jail", attack_domain.directory);
	CHECK(!chdir(attack_domain.directory) && !chroot(jail));
}

static void natively(void)
{
	struct stat st;

	enter_jail();
	become(ATTACKER);
	EXPECT(stat(attack_file("."), &st) < 0 && errno == ENOENT, "a jailed process finds the files: %m");
}

static void jailed(void)
{
	enter_jail();
	become(ATTACKER);
	expect(attach_below(), "a user in another root");
}

/* A root that is called "/" because it hangs nowhere. */
static void detached(void)
{
	char jail[128];
	int tree;

	snprintf(jail, sizeof jail, "%s/jail", attack_domain.directory);
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, jail, OPEN_TREE_CLONE | O_CLOEXEC);
	CHECK(tree >= 0 && !chdir(attack_domain.directory));
	enter_root(tree);
	become(ATTACKER);
	expect(attach_below(), "a user in a root that is mounted nowhere");
}

static void elsewhere(void)
{
	CHECK(!unshare(CLONE_NEWNS) && !chdir(attack_domain.directory));
	become(ATTACKER);
	expect(attach_below(), "a user in another mount namespace");
}

static void root_elsewhere(void)
{
	CHECK(!unshare(CLONE_NEWNS) && !chdir(attack_domain.directory));
	expect(attach_below(), "root in another mount namespace");
}

static void own_namespaces(void)
{
	CHECK(!chdir(attack_domain.directory));
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS)) {
		printf("# users may make no user namespaces on this host\n");
		return;
	}
	expect(attach_below(), "a user in namespaces of its own");
}

static void here(void)
{
	CHECK(!chdir(attack_domain.directory));
	EXPECT(attach_below() == 0, "a client like any other is not admitted");
}

static void prepare(void)
{
	char jail[128];

	snprintf(jail, sizeof jail, "%s/jail", attack_domain.directory);
	CHECK(!mkdir(jail, 0755));
}

static int with(const char *option)
{
	const char *options[] = { option, NULL };
	struct attack_setup setup = { .options = options, .prepare = prepare };

	any_root = option;
	printf("# a domain %s\n", option ? option : "as usual");
	attack_begin(&setup);
	if (!option)
		attack_natively(0, "another root", natively);
	attack_by(ATTACKER, "no other root", here);
	attack_by(0, "another root", jailed);
	attack_by(0, "a root that is mounted nowhere", detached);
	attack_by(0, "another mount namespace", elsewhere);
	attack_by(0, "another mount namespace, as root", root_elsewhere);
	attack_by(ATTACKER, "namespaces of one's own", own_namespaces);
	return attack_end();
}

int main(void)
{
	static const char *const option[] = { NULL, "--any-root" };
	int worst = 0, status;

	for (int i = 0; i < 2 && !worst; i++) {
		pid_t pid = fork();

		CHECK(pid >= 0);
		if (!pid)
			exit(with(option[i]));
		CHECK(waitpid(pid, &status, 0) == pid);
		worst = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
	}
	return worst;
}
