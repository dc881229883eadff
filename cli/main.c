/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - the `farcall` command: picks the subcommand. What a subcommand does is in the file of its name. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

static const struct {
	const char *name, *purpose;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "run", "run a command with some paths served by a storage domain", fc_cmd_run },
	{ "serve", "run a storage domain that several commands share", fc_cmd_serve },
	{ "stat", "show sessions, calls and queues of running domains", fc_cmd_stat },
	{ "domain", "attach and detach storage domains that are Xen virtual machines", fc_cmd_domain },
	{ "config", "write a runtime directory for programs that no `farcall run` starts", fc_cmd_config },
	{ "trace", "run a command and print its remote system calls", fc_cmd_trace },
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	printf("Usage: farcall COMMAND [OPTION...] [ARGUMENT...]\n"
	       "Runs storage system calls of unmodified programs in a storage domain.\n\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		printf("  farcall %-6s  %s\n", commands[i].name, commands[i].purpose);
	printf("\n  --help      this text; after a COMMAND: that command's options\n"
	       "  --version   version of the program and of its ABI\n\n"
	       "Example: farcall run -v /srv/data:/data -- ls -l /data\n"
	       "Manual:  man farcall, man farcall-run, ...; man 7 farcall for what is and what is not remote\n");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		fc_die_usage("", "which command? run, serve, stat, domain, config or trace");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
		return print_help();
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		fc_print_version();
		return 0;
	}
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	fc_die_usage("", "unknown %s %s", argv[1][0] == '-' ? "option" : "command", argv[1]);
}
