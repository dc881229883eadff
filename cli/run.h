/* SPDX-License-Identifier: GPL-2.0-or-later */
/* run.h - the options of `farcall run`, for `farcall trace` too. */
#ifndef FC_CLI_RUN_H
#define FC_CLI_RUN_H

#include "cli/launch.h"

/* Read the options into *launch; `output` null: there is no -o. Wrong usage, --help and --version end the command. */
void fc_run_parse(struct fc_launch *launch, const char *noun, const char **output, int argc, char **argv);

#endif
