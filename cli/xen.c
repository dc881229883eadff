/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xen.c - `farcall domain`: the storage domains that are Xen virtual machines. How one is attached is attach.c's, what the module
 * knows of them device.c's. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/attach.h"
#include "cli/cli.h"
#include "cli/device.h"
#include "farcall/abi.h"

#define WAIT_SECONDS 30

enum { OPT_TIMEOUT = 256, OPT_FORCE, OPT_VERSION };

static const struct option options[] = {
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

struct arguments {
	int timeout;
	bool force;
	char **operand;
	int count;
};

static void print_help(void)
{
	printf("Usage: farcall domain attach NAME | detach NAME | list | restart NAME CONFIG | cleanup NAME\n"
	       "Storage domains that are Xen virtual machines (man farcall-domain). NAME is the domain's in `xl "
	       "list`.\n\n"
	       "  attach NAME          connect to the running domain NAME, which runs farcall-storaged --xen\n"
	       "  detach NAME          the other way; refused while processes use it, unless --force\n"
	       "  list                 what is attached, and what it serves\n"
	       "  restart NAME CONFIG  give NAME up, destroy it, create it again with `xl create CONFIG`, attach\n"
	       "  cleanup NAME         give up a domain that is dead or hangs: its files fail with EIO, its memory is "
	       "freed\n\n"
	       "      --timeout SECONDS  how long attach and detach wait (%d)\n"
	       "      --force            detach: whoever uses it gets EIO\n"
	       "      --help, --version\n\n"
	       "Then: farcall run --domain NAME -- COMMAND\n",
	       WAIT_SECONDS);
}

static void print_exports(const char *text, unsigned size)
{
	const char *end = text + size;

	while (text < end) {
		printf(" %s%s", text + 3, text[1] == 'o' ? ":ro" : "");
		text += strlen(text) + 1;
	}
}

static int list(const struct arguments *a)
{
	static const char *const states[] = { "starting", "up", "dead" };
	char text[FC_IOC_TEXT_MAX + 1];
	struct fc_ioc_list entry;
	int r;

	(void)a;
	for (unsigned i = 0; (r = fc_device_list(i, &entry, text)) == 0; i++) {
		if (!i)
			printf("%-24s %6s %-8s %8s  %s\n", "NAME", "DOMID", "STATE", "SESSIONS", "SERVES");
		text[entry.text_size] = '\0';
		printf("%-24s %6u %-8s %8u ", entry.name, entry.domid,
		       entry.state <= FC_DOMAIN_DEAD ? states[entry.state] : "?", entry.sessions);
		print_exports(text, entry.text_size);
		putchar('\n');
	}
	if (r == -ENOENT)
		return 0;
	fc_say("%s", fc_device_problem("farcall domain list", r));
	return 1;
}

static int attach(const struct arguments *a)
{
	return fc_attach(a->operand[0], a->timeout) ? 1 : 0;
}

static int detach(const struct arguments *a)
{
	const char *name = a->operand[0];
	struct fc_ioc_list entry;

	if (!a->force && fc_device_find(name, &entry, NULL) == 0 && entry.state == FC_DOMAIN_UP && entry.sessions) {
		fc_say("%s: %u process%s of this machine use%s it; end them, or give --force", name, entry.sessions,
		       entry.sessions == 1 ? "" : "es", entry.sessions == 1 ? "s" : "");
		return 1;
	}
	return fc_detach(name, false, a->timeout) ? 1 : 0;
}

static int cleanup(const struct arguments *a)
{
	const char *name = a->operand[0];
	long pages = fc_device_cleanup(name);

	if (pages < 0 && pages != -ENOENT) {
		fc_say("%s", fc_device_problem(name, (int)pages));
		return 1;
	}
	if (fc_detach(name, true, a->timeout))
		return 1;
	if (pages > 0)
		printf("%ld pages are set aside until Xen lets go of them\n", pages);
	return 0;
}

static int run_xl(const char *verb, const char *argument)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execlp("xl", "xl", verb, argument, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What was there may be dead in any way: nothing of it matters but that the new one comes up. */
static int restart(const struct arguments *a)
{
	const char *name = a->operand[0], *config = a->operand[1];
	struct fc_ioc_list entry;

	if (fc_device_find(name, &entry, NULL) == 0) {
		fc_device_cleanup(name);
		fc_detach(name, true, a->timeout);
	}
	if (fc_xen_exists(name))
		run_xl("destroy", name);
	if (run_xl("create", config)) {
		fc_say("%s: `xl create %s` failed", name, config);
		return 1;
	}
	return attach(a);
}

static const struct {
	const char *name;
	int operands;
	int (*run)(const struct arguments *);
} verbs[] = {
	{ "attach", 1, attach },   { "detach", 1, detach },   { "list", 0, list },
	{ "restart", 2, restart }, { "cleanup", 1, cleanup },
};

static int parse_seconds(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (!*text || *end || n < 1 || n > 3600)
		fc_die_usage("domain", "--timeout %s: expected seconds, 1 to 3600", text);
	return (int)n;
}

int fc_cmd_domain(int argc, char **argv)
{
	struct arguments a = { .timeout = WAIT_SECONDS };
	const char *verb;
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		switch (got) {
		case OPT_TIMEOUT:
			a.timeout = parse_seconds(optarg);
			break;
		case OPT_FORCE:
			a.force = true;
			break;
		case 'h':
			print_help();
			return 0;
		case OPT_VERSION:
			fc_print_version();
			return 0;
		default:
			fc_die_option("domain", got, argv);
		}
	}
	if (optind == argc)
		fc_die_usage("domain", "attach, detach, list, restart or cleanup?");
	verb = argv[optind];
	a.operand = argv + optind + 1;
	a.count = argc - optind - 1;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verb, verbs[i].name))
			continue;
		if (a.count != verbs[i].operands)
			fc_die_usage("domain", "%s takes %d argument%s", verb, verbs[i].operands,
				     verbs[i].operands == 1 ? "" : "s");
		if (a.count && !fc_device_name_ok(a.operand[0]))
			fc_die_usage("domain", "%s cannot be a domain's name", a.operand[0]);
		return verbs[i].run(&a);
	}
	fc_die_usage("domain", "unknown verb %s", verb);
}
