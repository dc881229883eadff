/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config.h - writer of the file that tells the shim about domains and prefixes; libc-shim/config.h has the format. */
#ifndef FC_CLI_CONFIG_H
#define FC_CLI_CONFIG_H

#include "cli/domain.h"
#include "cli/runtime.h"

/* Write RUNTIME/config for these domains, with the site tables in `sites`, the shim `preload`, and a cache of so many bytes ("" = as usual). One that is there is replaced in one step: who
 * reads it meanwhile gets all of the old or all of the new. Returns 0 or -errno. */
int fc_config_write(const struct fc_runtime *rt, const struct fc_domain *domains, unsigned ndomains, const char *sites,
		    const char *preload, const char *cache);

/* Do the domains' prefixes hide something that is there? It is in the configuration. */
bool fc_config_covers(const struct fc_domain *domains, unsigned ndomains);

#endif
