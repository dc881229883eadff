/* SPDX-License-Identifier: GPL-2.0-or-later */
/* runner.c - runs the unit tests of a build with ThreadSanitizer (criterion.h), one after the other, and writes TAP. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define SKIPPED 77

/* the linker's bounds of the section that the tests are in */
extern const struct fc_unit *const __start_fc_units[];
extern const struct fc_unit *const __stop_fc_units[];

/* in the child */
static const struct fc_unit *suite, *test;
static bool failed;

static void end_test(int status) __attribute__((noreturn));
static void end_test(int status)
{
	void (*fini)(void) = test->fini ? test->fini : suite ? suite->fini : NULL;

	if (fini)
		fini();
	exit(status);
}

void fc_unit_check(bool good, bool fatal, const char *file, int line, const char *condition, const char *format, ...)
{
	va_list args;

	if (good)
		return;
	failed = true;
	fprintf(stderr, "%s:%d: %s::%s: not so: %s", file, line, test->suite, test->name, condition);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	if (fatal)
		end_test(1);
}

void fc_unit_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	end_test(SKIPPED);
}

static void run(void)
{
	void (*init)(void) = test->init ? test->init : suite ? suite->init : NULL;
	double timeout = test->timeout > 0 ? test->timeout : suite ? suite->timeout : 0;

	if (timeout > 0)
		alarm((unsigned)timeout + 1);
	if (init)
		init();
	test->run();
	end_test(failed);
}

static const struct fc_unit *find_suite(const char *name)
{
	for (const struct fc_unit *const *u = __start_fc_units; u < __stop_fc_units; u++)
		if (!(*u)->name && !strcmp((*u)->suite, name))
			return *u;
	return NULL;
}

/* One test in a child; its line goes to `tap`. Returns whether it passed or was skipped. */
static bool run_child(FILE *tap)
{
	int status;
	pid_t pid;
	bool good, skipped;

	fflush(NULL);
	pid = fork();
	if (!pid)
		run();
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("runner");
		exit(2);
	}
	skipped = WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED;
	if (test->signal)
		good = WIFSIGNALED(status) && WTERMSIG(status) == test->signal;
	else
		good = skipped || (WIFEXITED(status) && !WEXITSTATUS(status));
	fprintf(tap, "%sok - %s::%s%s\n", good ? "" : "not ", test->suite, test->name, skipped ? " # SKIP" : "");
	if (!good)
		fprintf(stderr, "%s::%s: wait status %#x\n", test->suite, test->name, (unsigned)status);
	return good;
}

int main(int argc, char **argv)
{
	FILE *tap = stdout;
	unsigned bad = 0;

	if (argc > 1 && !strncmp(argv[1], "--tap=", 6)) {
		tap = fopen(argv[1] + 6, "w");
		if (!tap) {
			perror(argv[1] + 6);
			return 2;
		}
	}
	for (const struct fc_unit *const *u = __start_fc_units; u < __stop_fc_units; u++) {
		test = *u;
		if (!test->name)
			continue;
		suite = find_suite(test->suite);
		bad += !run_child(tap);
	}
	if (fflush(tap))
		return 2;
	return bad > 0;
}
