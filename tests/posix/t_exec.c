/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_exec.c - programs on the export and scripts, links to programs elsewhere, what refuses to run, what is inherited: descriptors, offsets, the
 * working directory, umask, ignored signals. tests/e2e/h_exec.c has more.
 */
#include "posix.h"

#include <spawn.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

extern char **environ;

static void copy(const char *from, const char *to, mode_t mode)
{
	char text[65536];
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	ssize_t n;

	while ((n = read(in, text, sizeof text)) > 0)
		write(out, text, (size_t)n);
	fchmod(out, mode);
	close(in);
	close(out);
}

static void script(const char *path, const char *text)
{
	int fd = make(path, text);

	fchmod(fd, 0755);
	close(fd);
}

/* Runs it, says why not if not */
static void run(const char *path, char *const *argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		execve(path, argv, environ);
		say("%s: %s", path, strerrorname_np(errno));
		_exit(126);
	}
	ended(pid);
}

static void kinds(void)
{
	char *one[] = { "zero", "one", "two words", NULL };

	part("kinds");
	copy("/bin/echo", "echo", 0755);
	run("echo", one);
	run("./echo", one);
	SAY(symlink("echo", "link"));
	run("link", one);
	SAY(symlink("/bin/echo", "local"));
	run("local", one);
	SAY(symlink("local", "twice"));
	run("twice", one);
	SAY(link("echo", "hard"));
	run("hard", one);
	copy("/bin/echo", "no_x", 0644);
	run("no_x", one);
	copy("/bin/echo", "only_x", 0111);
	run("only_x", one);
	script("script", "#!/bin/sh\necho \"$0\" \"$@\"\n");
	run("script", one);
	run("./script", one);
	script("with_option", "#!/bin/sh -x\necho hello\n");
	run("with_option", one);
	script("own", "#!./echo interpreted by\n");
	run("own", one);
	script("nested", "#!./script\n");
	run("nested", one);
	script("linked", "#!./local\n");
	run("linked", one);
	script("missing", "#!/none/at/all\n");
	run("missing", one);
	script("self", "#!./self\n");
	run("self", one);
	script("no_head", "echo no head\n");
	run("no_head", one);
	script("empty", "");
	run("empty", one);
	script("broken", "\177ELF and nothing");
	run("broken", one);
	script("directory_head", "#!/\n");
	run("directory_head", one);
	run(".", one);
	run("none", one);
	run("echo/x", one);
	run("", one);
	copy("/bin/readlink", "readlink", 0755);
	CHILD(system("./readlink /proc/self/exe | sed 's,.*/,exe is ,'"));
	CHILD(execlp("./no_head", "no_head", NULL));
	CHILD(setenv("PATH", ".:/bin", 1); execlp("script", "script", "by PATH", NULL));
}

/* Only root can: to others their own files are not closed in a user namespace, in which compare.sh's native run is. */
static void execute_as_nobody(const char *path)
{
	if (setgid(65534) || setuid(65534))
		return;
	execl(path, "zero", "one", NULL);
	say("%s", strerrorname_np(errno));
}

/* By whoever may execute it, and not read it: its interpreter cannot open it. */
static void not_readable(void)
{
	part("not readable");
	script("secret", "#!/bin/sh -e\necho read\n");
	script("lost", "#!/no/such/interpreter\n");
	chmod("secret", 0111);
	chmod("lost", 0111);
	CHILD(execute_as_nobody("./secret"));
	CHILD(execute_as_nobody("./lost"));
	chmod("secret", 0755);
	chmod("lost", 0755);
}

static void by_descriptor(void)
{
	char *one[] = { "zero", "fexecve", NULL };
	int fd;

	part("by descriptor");
	fd = open("echo", O_RDONLY);
	CHILD(fexecve(fd, one, environ); say("%s", strerrorname_np(errno)));
	close(fd);
	fd = open("echo", O_PATH | O_CLOEXEC);
	CHILD(fexecve(fd, one, environ); say("%s", strerrorname_np(errno)));
	CHILD(SAY(syscall(SYS_execveat, fd, "", one, environ, 0)));
	close(fd);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	CHILD(syscall(SYS_execveat, fd, "echo", one, environ, 0); say("%s", strerrorname_np(errno)));
	CHILD(SAY(syscall(SYS_execveat, fd, "link", one, environ, AT_SYMLINK_NOFOLLOW)));
	CHILD(SAY(syscall(SYS_execveat, fd, "none", one, environ, 0)));
	close(fd);
	fd = open("echo", O_RDWR);
	CHILD(SAY(execv("echo", one)));
	close(fd);
}

static void inherited(void)
{
	char *sh[] = { "sh", "-c",
		       "read a; echo \"$a\"; umask; pwd | sed 's,.*/,,'; echo kept >&7; ls -l /proc/self/fd/8 2>&1 | "
		       "grep -c cannot;"
		       " trap | cat; kill -USR1 $$; echo survived",
		       NULL };
	posix_spawn_file_actions_t actions;
	int in = make("in", "first\nsecond\nthird\n"), out = make("out", ""), other = make("other", "");
	char text[16] = { 0 };
	pid_t pid;

	part("inherited");
	SAY(mkdir("dir", 0755));
	pid = fork();
	if (pid == 0) {
		dup2(in, 0);
		dup2(out, 7);
		dup3(other, 8, O_CLOEXEC);
		signal(SIGUSR1, SIG_IGN);
		chdir("dir");
		umask(027);
		execv("/bin/sh", sh);
	}
	ended(pid);
	contents("out");
	SAY(read(in, text, 6)); /* the shell reads byte by byte: the offset is shared */
	say("%.6s", text);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "in", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "spawned", O_WRONLY | O_CREAT, 0640);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
#ifndef FC_NO_ADDCHDIR
	posix_spawn_file_actions_addchdir_np(&actions, "dir");
#endif
	SAY(posix_spawn(&pid, "/bin/sh", &actions, NULL,
			(char *[]){ "sh", "-c", "cat; echo; basename \"$PWD\"; ls none", NULL }, environ));
	ended(pid);
	contents("spawned");
	SAY(posix_spawn(&pid, "./none", NULL, NULL, sh, environ));
	SAY(posix_spawn(&pid, "./no_x", NULL, NULL, sh, environ));
	int r = posix_spawn(&pid, "./script", NULL, NULL, sh, environ);
	ended(pid);
	say("%d", r);
	pid = vfork();
	if (pid == 0) {
		execl("./echo", "echo", "vforked", NULL);
		_exit(9);
	}
	ended(pid);
	SAY(system("cat in | wc -l; exec ./script from system"));
	CHILD(SAY(system("cat in | wc -l; exec ./script from a system in a child")));
	CHILD(run("./script", (char *[]){ "script", "a grandchild", NULL }));
	FILE *p = popen("./script popen >popened; cat >>popened", "w");
	SAY(fputs("to a pipe\n", p) >= 0);
	SAY(pclose(p));
	contents("popened");
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	kinds();
	not_readable();
	by_descriptor();
	inherited();
	return 0;
}
