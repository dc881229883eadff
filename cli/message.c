/* SPDX-License-Identifier: GPL-2.0-or-later */
/* message.c - what the command says about itself: errors on stderr, one line each. Results are printed elsewhere. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "farcall/abi.h"

/* One write, so that lines of several processes do not mix; and one line, whatever is in a path. */
static void say(const char *format, va_list args)
{
	char *text;

	if (vasprintf(&text, format, args) < 0)
		return;
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = '?';
	fprintf(stderr, "farcall: %s\n", text);
	free(text);
}

void fc_say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void fc_die(int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
	exit(status);
}

void fc_die_usage(const char *noun, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		exit(FC_EXIT_USAGE);
	va_end(args);
	fc_die(FC_EXIT_USAGE, "%s (see `farcall%s%s --help`)", text, *noun ? " " : "", noun);
}

void fc_die_option(const char *noun, int got, char **argv)
{
	const char *word = argv[optind - 1];

	if (optopt && word[0] == '-' && word[1] != '-')
		fc_die_usage(noun, got == ':' ? "option -%c needs an argument" : "unknown option -%c", optopt);
	fc_die_usage(noun, got == ':' ? "option %s needs an argument" : "unknown option %s", word);
}

void fc_print_version(void)
{
	printf("farcall %s (ABI %d.%d)\n", PACKAGE_VERSION, FC_ABI_MAJOR, FC_ABI_MINOR);
}
