/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * standing.h - the runtime directory of runs that have no domain of their own. It depends on nothing but which domains they use and where things
 * are installed, so one is made for all of them, and stays: the next run finds it as it is, and need not be there when its
 * command ends.
 */
#ifndef FC_CLI_STANDING_H
#define FC_CLI_STANDING_H

#include <stdbool.h>

#include "cli/domain.h"
#include "cli/runtime.h"

/* What the directory's contents depend on, as text. */
struct fc_standing {
	char key[4096];
	struct fc_runtime runtime;
};

/* For these domains, whose exports need not be known yet. False: there can be none. */
bool fc_standing_init(struct fc_standing *s, const struct fc_domain *domains, unsigned ndomains, const char *sites,
		      const char *shim, const char *cache);

/* Is there one, up to date, whose domains are there? Then s->runtime is it, and the domains' exports are filled in. */
bool fc_standing_find(struct fc_standing *s, struct fc_domain *domains, unsigned ndomains);

/* Make it, the domains' exports being known and the tables made. False: it cannot be made. */
bool fc_standing_make(struct fc_standing *s, const struct fc_domain *domains, unsigned ndomains, const char *sites,
		      const char *shim, const char *cache);

#endif
