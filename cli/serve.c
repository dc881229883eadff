/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.c - `farcall serve`: checks its arguments and becomes the daemon. Serving is storage-domain's. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/launch.h"
#include "cli/locate.h"

enum { OPT_SOCKET = 256, OPT_MODE, OPT_USER, OPT_ANY_ROOT, OPT_VERSION };

/* What the daemon is started with besides its exports; null: not given. */
struct serve {
	const char *socket, *mode, *user;
	bool any_root;
};

static const struct option options[] = {
	{ "volume", required_argument, NULL, 'v' },      { "socket", required_argument, NULL, OPT_SOCKET },
	{ "mode", required_argument, NULL, OPT_MODE },   { "user", required_argument, NULL, OPT_USER },
	{ "any-root", no_argument, NULL, OPT_ANY_ROOT }, { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },   { NULL, 0, NULL, 0 },
};

static void print_help(void)
{
	printf("Usage: farcall serve -v DIR:PREFIX[:ro][:nomap][:nocache][:sync] [-v ...] --socket PATH [--mode OCTAL] "
	       "[--user USER]\n"
	       "                     [--any-root]\n"
	       "Runs a storage domain in the foreground, for any number of `farcall run --domain PATH`.\n\n"
	       "  -v, --volume DIR:PREFIX[:ro]  serve DIR at PREFIX; with :ro, read-only; with :nomap, without "
	       "handing\n"
	       "                                over files, with :nocache without delegating them, with\n"
	       "                                :sync without posting writes (farcall(7))\n"
	       "      --socket PATH             listen here\n"
	       "      --mode OCTAL              mode of the socket: who may connect (default: 0666 as root, else "
	       "0600)\n"
	       "      --user USER               as root: serve as this user, which nothing else should use (default: "
	       "farcall, "
	       "if there\n"
	       "                                is such a user, else a number that nobody has)\n"
	       "      --any-root                also serve programs in other mount namespaces or chroots\n"
	       "      --help, --version\n\n"
	       "Ends on SIGTERM or SIGINT. Exit status: 0, 2 for wrong usage, 1 if it cannot serve.\n");
}

static void check_mode(const char *text)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (!*text || *end || mode > 0777 || text[0] == '-')
		fc_die_usage("serve", "--mode %s: expected an octal number up to 0777", text);
}

static void become_daemon(const struct fc_launch *launch, const struct serve *serve)
{
	const char *daemon = fc_locate_daemon();
	const char *argv[2 * FC_EXPORTS_MAX + 9];
	int n = 0;

	argv[n++] = "farcall-storaged";
	argv[n++] = "--socket";
	argv[n++] = serve->socket;
	if (serve->mode) {
		argv[n++] = "--mode";
		argv[n++] = serve->mode;
	}
	if (serve->user) {
		argv[n++] = "--user";
		argv[n++] = serve->user;
	}
	if (serve->any_root)
		argv[n++] = "--any-root";
	for (unsigned i = 0; i < launch->nexports; i++) {
		argv[n++] = "-v";
		argv[n++] = launch->exports[i];
	}
	argv[n] = NULL;
	execv(daemon, (char **)argv);
	fc_die(FC_EXIT_OWN, "cannot start %s: %s", daemon, strerror(errno));
}

int fc_cmd_serve(int argc, char **argv)
{
	struct fc_launch launch = { .trace_fd = -1 };
	struct serve serve = { 0 };
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, "+:v:h", options, NULL)) != -1) {
		switch (got) {
		case 'v':
			fc_launch_add_export(&launch, "serve", optarg);
			break;
		case OPT_SOCKET:
			serve.socket = optarg;
			break;
		case OPT_MODE:
			check_mode(optarg);
			serve.mode = optarg;
			break;
		case OPT_USER:
			serve.user = optarg;
			break;
		case OPT_ANY_ROOT:
			serve.any_root = true;
			break;
		case 'h':
			print_help();
			return 0;
		case OPT_VERSION:
			fc_print_version();
			return 0;
		default:
			fc_die_option("serve", got, argv);
		}
	}
	if (optind < argc)
		fc_die_usage("serve", "unexpected argument %s", argv[optind]);
	if (!launch.nexports)
		fc_die_usage("serve", "nothing to serve: give -v DIR:PREFIX");
	if (!serve.socket)
		fc_die_usage("serve", "--socket PATH is missing");
	become_daemon(&launch, &serve);
	return FC_EXIT_OWN;
}
