/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * launch.h - a run: a command with its domains, from start to end. It owns the order in which things are made and undone;
 * the options come from run.c and trace.c.
 */
#ifndef FC_CLI_LAUNCH_H
#define FC_CLI_LAUNCH_H

#include <stdbool.h>

#include "farcall/abi.h"
#include "libc-shim/config.h"

struct fc_launch {
	char *exports[FC_EXPORTS_MAX + 1]; /* texts of -v, checked, ended by null */
	unsigned nexports;
	char *domains[FC_CONFIG_DOMAINS]; /* arguments of --domain */
	unsigned ndomains;
	bool trust;     /* --trust-domain: them, whoever runs them */
	bool any_root;  /* --any-root: the private domain serves programs in other mount namespaces, too */
	char cache[24]; /* --cache: bytes; "" = as usual */
	int trace_fd;   /* inherited by the command; -1 = no trace */
	bool trace_paths;
	char **argv; /* the command, ended by null */
};

/* Add the argument of -v or --domain; here and below, wrong ones end the command with exit 2. */
void fc_launch_add_export(struct fc_launch *launch, const char *noun, char *text);
void fc_launch_add_domain(struct fc_launch *launch, const char *noun, char *path);
/* The argument of --cache. */
void fc_launch_set_cache(struct fc_launch *launch, const char *noun, const char *text);

/* Do it all. Returns the command's exit status; if a signal killed it, dies of the same signal. */
int fc_launch(struct fc_launch *launch);

/* Only make what a run would find in its runtime directory, in `dir`, and leave it there. Returns an exit status. */
int fc_launch_config(const struct fc_launch *launch, const char *dir);

#endif
