/* SPDX-License-Identifier: GPL-2.0-or-later */
/* options.h - the command line of farcall-storaged as data. It opens nothing and looks at no file. */
#ifndef FC_DOMAIN_OPTIONS_H
#define FC_DOMAIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/export_spec.h"
#include "common/spin.h"
#include "farcall/abi.h"
#include "storage-domain/log.h"

struct fc_options {
	const char *socket; /* null: with `xen` */
	bool xen;
	enum fc_spin_policy spin;
	const char *user; /* whom to run as, if root starts it; null: identity.h's choice */
	bool any_root;    /* serve clients in other mount namespaces and under other roots, too */
	int ready_fd;     /* -1: nobody to tell */
	mode_t mode;      /* of the socket file; (mode_t)-1: not given */
	bool die_with_parent;
	bool help, version;
	enum fc_log_level log;
	unsigned exports;
	struct fc_export_spec export[FC_EXPORTS_MAX];
};

/* Take the command line apart. Returns 0, or -1 with one line in `wrong` (`room` bytes) that says what is wrong with it. */
int fc_options_parse(struct fc_options *o, int argc, char **argv, char *wrong, size_t room);

#endif
