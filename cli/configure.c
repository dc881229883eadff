/* SPDX-License-Identifier: GPL-2.0-or-later */
/* configure.c - `farcall config`: a runtime directory that stays, for relinked programs that nobody starts with `farcall run`. */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/launch.h"

enum { OPT_DOMAIN = 256, OPT_TRUST, OPT_CACHE, OPT_VERSION };

static const struct option options[] = {
	{ "domain", required_argument, NULL, OPT_DOMAIN }, { "trust-domain", no_argument, NULL, OPT_TRUST },
	{ "cache", required_argument, NULL, OPT_CACHE },   { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },     { NULL, 0, NULL, 0 },
};

static void print_help(void)
{
	printf("Usage: farcall config --domain DOMAIN [--domain ...] [--trust-domain] [--cache SIZE] DIR\n"
	       "Asks running domains what they serve and writes it into the directory DIR, an absolute path, which is "
	       "made if\n"
	       "need be. Programs relinked with farcall's uClibc-ng or musl use it if " FC_CONFIG_SYSTEM
	       " or the variable\n"
	       "FARCALL_DIR names it.\n\n"
	       "      --domain DOMAIN     the socket of a `farcall serve`, or the name of an attached Xen domain; "
	       "repeatable\n"
	       "      --trust-domain      use them even if neither root nor the program's user runs them\n"
	       "      --cache SIZE        keep so much of what is read of delegated files (64M), where they are not "
	       "handed "
	       "over\n"
	       "      --help, --version\n\n"
	       "Exit status: 0, 2 for wrong usage, 125 if it cannot be done.\n");
}

int fc_cmd_config(int argc, char **argv)
{
	struct fc_launch launch = { .trace_fd = -1 };
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		switch (got) {
		case OPT_DOMAIN:
			fc_launch_add_domain(&launch, "config", optarg);
			break;
		case OPT_TRUST:
			launch.trust = true;
			break;
		case OPT_CACHE:
			fc_launch_set_cache(&launch, "config", optarg);
			break;
		case 'h':
			print_help();
			return 0;
		case OPT_VERSION:
			fc_print_version();
			return 0;
		default:
			fc_die_option("config", got, argv);
		}
	}
	if (!launch.ndomains)
		fc_die_usage("config", "which domains? give --domain DOMAIN");
	if (argc - optind != 1 || argv[optind][0] != '/')
		fc_die_usage("config", "expected one directory, an absolute path");
	return fc_launch_config(&launch, argv[optind]);
}
