/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.c - `farcall run` and the options that `farcall trace` shares with it. The run itself is launch.c's. */
#define _GNU_SOURCE
#include "cli/run.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

enum { OPT_DOMAIN = 256, OPT_TRUST, OPT_ANY_ROOT, OPT_CACHE, OPT_VERSION };

static const struct option options[] = {
	{ "volume", required_argument, NULL, 'v' },
	{ "domain", required_argument, NULL, OPT_DOMAIN },
	{ "trust-domain", no_argument, NULL, OPT_TRUST },
	{ "any-root", no_argument, NULL, OPT_ANY_ROOT },
	{ "cache", required_argument, NULL, OPT_CACHE },
	{ "output", required_argument, NULL, 'o' },
	{ "paths", no_argument, NULL, 'y' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 },
};

static void print_help(const char *noun, bool trace)
{
	printf("Usage: farcall %s -v DIR:PREFIX[:ro][:nomap][:nocache][:sync] [-v ...] [--domain DOMAIN ...] "
	       "[--trust-domain] "
	       "[--] "
	       "COMMAND "
	       "[ARGUMENT...]\n",
	       noun);
	if (trace)
		printf("Runs COMMAND as `farcall run` does, and prints its remote system calls.\n\n");
	else
		printf("Runs COMMAND with PREFIX served by a storage domain; all other paths stay local.\n\n");
	printf("  -v, --volume DIR:PREFIX[:ro]  start a private domain that serves DIR at PREFIX; with :ro, "
	       "read-only;\n"
	       "                                with :nomap, without handing over files, with :nocache without "
	       "delegating\n"
	       "                                them, with :sync without posting writes (farcall(7))\n"
	       "      --domain DOMAIN           use this one: the socket of a `farcall serve`, or the name of a Xen "
	       "domain that\n"
	       "                                `farcall domain attach` has attached; repeatable\n"
	       "      --trust-domain            use them even if neither root nor you run them\n"
	       "      --cache SIZE              keep so much of what is read of delegated files (64M), where they are "
	       "not "
	       "handed over\n"
	       "      --any-root                have -v's domain serve programs in other mount namespaces or chroots, "
	       "too\n");
	if (trace)
		printf("  -o, --output FILE             print to FILE, not to standard error\n"
		       "  -y, --paths                   show with each descriptor the path that it was opened as\n");
	printf("      --help, --version\n\n"
	       "Exit status: COMMAND's; 2 wrong usage, or a setuid or static COMMAND; 125 farcall itself failed;\n"
	       "126 COMMAND cannot be executed; 127 COMMAND not found.\n");
}

void fc_run_parse(struct fc_launch *launch, const char *noun, const char **output, int argc, char **argv)
{
	const char *letters = output ? "+:v:o:yh" : "+:v:h";
	int got;

	opterr = 0;
	while ((got = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		switch (got) {
		case 'v':
			fc_launch_add_export(launch, noun, optarg);
			break;
		case OPT_DOMAIN:
			fc_launch_add_domain(launch, noun, optarg);
			break;
		case OPT_TRUST:
			launch->trust = true;
			break;
		case OPT_CACHE:
			fc_launch_set_cache(launch, noun, optarg);
			break;
		case OPT_ANY_ROOT:
			launch->any_root = true;
			break;
		case 'o':
			if (!output)
				fc_die_usage(noun, "unknown option --output");
			*output = optarg;
			break;
		case 'y':
			if (!output)
				fc_die_usage(noun, "unknown option --paths");
			launch->trace_paths = true;
			break;
		case 'h':
			print_help(noun, output != NULL);
			exit(0);
		case OPT_VERSION:
			fc_print_version();
			exit(0);
		default:
			fc_die_option(noun, got, argv);
		}
	}
	if (!launch->nexports && !launch->ndomains)
		fc_die_usage(noun, "nothing to serve: give -v DIR:PREFIX or --domain DOMAIN");
	if (optind == argc)
		fc_die_usage(noun, "no command to run");
	launch->argv = argv + optind;
}

int fc_cmd_run(int argc, char **argv)
{
	struct fc_launch launch = { .trace_fd = -1 };

	fc_run_parse(&launch, "run", NULL, argc, argv);
	return fc_launch(&launch);
}
