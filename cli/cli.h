/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli.h - what the parts of the `farcall` command share: exit statuses, messages, and the subcommands' entry points.
 */
#ifndef FC_CLI_CLI_H
#define FC_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>

#define FC_EXIT_USAGE 2 /* wrong usage, or a program the shim cannot get into */
#define FC_EXIT_OWN 125 /* farcall itself failed; the command did not run */
#define FC_EXIT_NOT_RUNNABLE 126
#define FC_EXIT_NOT_FOUND 127

/* message.c: one line on stderr, "farcall: ..." */
void fc_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, and exit(status). */
void fc_die(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
/* Wrong usage of `farcall <noun>`: the line, where help is, exit 2. */
void fc_die_usage(const char *noun, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
/* For getopt's '?' and ':' with opterr = 0 and a leading ':' in the short options: name the option at fault, exit 2. */
void fc_die_option(const char *noun, int got, char **argv) __attribute__((noreturn));
/* --version. */
void fc_print_version(void);

/* Subcommands: argv[0] is the subcommand's name. They return the exit status. */
int fc_cmd_run(int argc, char **argv);
int fc_cmd_config(int argc, char **argv);
int fc_cmd_trace(int argc, char **argv);
int fc_cmd_serve(int argc, char **argv);
int fc_cmd_stat(int argc, char **argv);
int fc_cmd_domain(int argc, char **argv);

#endif
