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

enum { OPT_SOCKET = 256, OPT_MODE, OPT_VERSION };

static const struct option options[] = {
	{ "volume", required_argument, NULL, 'v' },    { "socket", required_argument, NULL, OPT_SOCKET },
	{ "mode", required_argument, NULL, OPT_MODE }, { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION }, { NULL, 0, NULL, 0 },
};

static void print_help(void)
{
	printf("Usage: farcall serve -v DIR:PREFIX[:ro] [-v ...] --socket PATH [--mode OCTAL]\n"
	       "Runs a storage domain in the foreground, for any number of `farcall run --domain PATH`.\n\n"
	       "  -v, --volume DIR:PREFIX[:ro]  serve DIR at PREFIX; with :ro, read-only\n"
	       "      --socket PATH             listen here\n"
	       "      --mode OCTAL              mode of the socket: who may connect (default: 0666 as root, else "
	       "0600)\n"
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

static void become_daemon(const struct fc_launch *launch, const char *socket, const char *mode)
{
	const char *daemon = fc_locate_daemon();
	const char *argv[2 * FC_EXPORTS_MAX + 6];
	int n = 0;

	argv[n++] = "farcall-storaged";
	argv[n++] = "--socket";
	argv[n++] = socket;
	if (mode) {
		argv[n++] = "--mode";
		argv[n++] = mode;
	}
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
	const char *socket = NULL, *mode = NULL;
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, "+:v:h", options, NULL)) != -1) {
		switch (got) {
		case 'v':
			fc_launch_add_export(&launch, "serve", optarg);
			break;
		case OPT_SOCKET:
			socket = optarg;
			break;
		case OPT_MODE:
			check_mode(optarg);
			mode = optarg;
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
	if (!socket)
		fc_die_usage("serve", "--socket PATH is missing");
	become_daemon(&launch, socket, mode);
	return FC_EXIT_OWN;
}
