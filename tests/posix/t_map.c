/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * t_map.c - mmap of files: which protections go with which descriptors, coherence with read and write and between processes, what lies beyond the
 * end, mremap, msync, mprotect, mincore, what outlives the descriptor. tests/e2e/h_mmap.c has the rest.
 */
#include "posix.h"

#include <setjmp.h>
#include <sys/mman.h>

#define PAGE 4096

static sigjmp_buf out;

static void on_fault(int sig)
{
	siglongjmp(out, sig);
}

/* Touches an address: the signal it gets, or 0 */
static int touch(volatile char *at, bool writing)
{
	struct sigaction sa = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	int sig;

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	if ((sig = sigsetjmp(out, 1)))
		return sig == SIGBUS ? 1 : 2;
	if (writing)
		*at = 'W';
	else
		(void)*at;
	return 0;
}

static void protections(void)
{
	static const int ways[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_APPEND, O_PATH };

	part("protections");
	close(make("p", "text"));
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		for (int prot = 0; prot <= (PROT_READ | PROT_WRITE | PROT_EXEC); prot++)
			for (int type = MAP_SHARED; type <= MAP_SHARED_VALIDATE; type++) {
				int fd = open("p", ways[i]);
				void *m = mmap(NULL, PAGE, prot, type, fd, 0);

				say("%x %x %x: %s", ways[i], prot, type,
				    m == MAP_FAILED ? strerrorname_np(errno) : "ok");
				if (m != MAP_FAILED)
					munmap(m, PAGE);
				close(fd);
			}
}

static void arguments(void)
{
	int fd = make("a", "text"), dir = open(".", O_RDONLY);
	char *m;

	part("arguments");
	SAY(mmap(NULL, 0, PROT_READ, MAP_SHARED, fd, 0));
	SAY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 1));
	SAY(mmap(NULL, PAGE, PROT_READ, 0, fd, 0));
	SAY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, -1, 0));
	SAY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, 99, 0));
	SAY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0));
	SAY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0));
	SAY(mmap((void *)1, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	SAY(mmap(NULL, SIZE_MAX, PROT_READ, MAP_SHARED, fd, 0));
	TRY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | (1 << 28), fd, 0));
	m = mmap(NULL, PAGE * 4, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	SAY(mmap(m + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == m + PAGE);
	SAY(mmap(m + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0));
	say("%.4s", m + PAGE);
	m[PAGE] = 'T';
	contents("a");
	SAY(munmap(m, PAGE * 4));
	m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	close(fd);
	say("%.4s", m);
	SAY(mprotect(m, PAGE, PROT_READ | PROT_WRITE));
	SAY(unlink("a"));
	say("%.4s", m);
	SAY(msync(m, PAGE, MS_SYNC));
	SAY(msync(m, PAGE, MS_SYNC | MS_ASYNC));
	munmap(m, PAGE);
	SAY(msync(m, PAGE, MS_SYNC));
	fd = open("p", O_RDONLY);
	m = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	SAY(mprotect(m, PAGE, PROT_READ | PROT_WRITE));
	munmap(m, PAGE);
	close(fd);
	close(dir);
}

static void coherence(void)
{
	int fd = make("c", "0123456789"), p[2], q[2];
	char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *again, *private, c,
	     text[16] = { 0 };
	pid_t pid;

	part("coherence");
	private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	SAY(pwrite(fd, "AB", 2, 0));
	say("%.10s %.10s", shared, private);
	private[1] = 'p';
	SAY(pwrite(fd, "CD", 2, 0));
	say("%.10s %.10s", shared, private);
	shared[5] = 's';
	SAY(pread(fd, text, 10, 0));
	say("%s %.10s", text, private);
	again = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, open("c", O_RDONLY), 0);
	shared[6] = 't';
	say("%.10s", again);
	pipe(p);
	pipe(q);
	pid = fork();
	if (pid == 0) {
		int other = open("c", O_RDWR);
		char *theirs = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0);

		read(p[0], &c, 1);
		say("child: %.10s %.10s", theirs, private);
		theirs[9] = '!';
		shared[8] = '?';
		private[2] = 'x';
		write(q[1], "x", 1);
		_exit(0);
	}
	shared[7] = 'u';
	write(p[1], "x", 1);
	read(q[0], &c, 1);
	say("%.10s %.10s", shared, private);
	ended(pid);
	SAY(ftruncate(fd, 0));
	say("%d %d", touch(shared, false), touch(private, false));
	SAY(ftruncate(fd, 10));
	say("%d %d", touch(shared, false), shared[0]);
	SAY(madvise(private, PAGE, MADV_DONTNEED));
	say("%d %d", touch(private, false), private[2]);
	/* what lies in the last page behind the end is zero, and is never written */
	SAY(pwrite(fd, "0123456789", 10, 0));
	shared[20] = 'z';
	SAY(msync(shared, PAGE, MS_SYNC));
	what("c");
	SAY(ftruncate(fd, 5));
	SAY(ftruncate(fd, 10));
	contents("c");
	close(fd);
	munmap(shared, PAGE);
}

static void ends(void)
{
	int fd = make("e", "x");
	char *m = mmap(NULL, PAGE * 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *n, *pm;
	unsigned char in[4];

	part("ends");
	say("%d %d %d", touch(m, true), touch(m + PAGE - 1, false), touch(m + PAGE, false));
	SAY(ftruncate(fd, PAGE * 3));
	say("%d %d", touch(m + PAGE * 2, true), touch(m + PAGE * 3, true));
	SAY(ftruncate(fd, PAGE));
	say("%d %d", touch(m, true), touch(m + PAGE, true));
	pm = mmap(NULL, PAGE * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	say("%d %d", touch(pm, true), touch(pm + PAGE, true));
	/* a read that would fill what is not there */
	SAY(pread(fd, m + PAGE, 10, 0));
	SAY(pwrite(fd, m + PAGE, 10, 0));
	SAY(pread(fd, m, 10, 0));
	SAY(ftruncate(fd, PAGE * 8));
	n = mremap(m, PAGE * 4, PAGE * 8, MREMAP_MAYMOVE);
	SAY(n == MAP_FAILED);
	say("%d %c", touch(n + PAGE * 7, true), n[PAGE * 7]);
	SAY(mincore(n, PAGE * 4, in));
	SAY(madvise(n, PAGE * 8, MADV_SEQUENTIAL));
	SAY(mlock(n, PAGE));
	SAY(munlock(n, PAGE));
	SAY(madvise(n + PAGE, PAGE, MADV_REMOVE));
	say("%d", n[PAGE]);
	CHILD(SAY(madvise(n, PAGE, MADV_DONTFORK)); CHILD(say("%d", touch(n, false))));
	SAY(munmap(n + PAGE, PAGE));
	say("%d %d %d", touch(n, false), touch(n + PAGE, false), touch(n + PAGE * 2, false));
	close(fd);
	say("%d", touch(n, true));
	what("e");
	munmap(n, PAGE * 8);
}

int main(int argc, char **argv)
{
	posix_begin(argc, argv);
	protections();
	arguments();
	coherence();
	ends();
	return 0;
}
