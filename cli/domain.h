/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * domain.h - a storage domain as the command sees it: a process it has started, or a socket somebody else's listens on, and
 * the exports it announces. The protocol's framing is common/control.c's.
 */
#ifndef FC_CLI_DOMAIN_H
#define FC_CLI_DOMAIN_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli/forward.h"
#include "common/export_spec.h"
#include "farcall/abi.h"

struct fc_domain {
	bool xen;
	bool trusted;      /* set by the caller: whoever runs it, if neither root nor we do */
	char address[108]; /* of a socket the path, of a Xen domain the name */
	unsigned nexports;
	struct {
		bool read_only;
		char prefix[FC_PREFIX_MAX + 1];
	} export[FC_EXPORTS_MAX];
};

/* Start a private daemon that serves `exports` (the texts of -v, ended by null) on `socket` and dies with us. Waits until
 * it is ready or a fatal signal comes in. Returns its pid, the negated signal number, or 0 if it did not start (it has
 * said why on stderr). */
pid_t fc_domain_start(char *const *exports, const char *socket, bool any_root, struct fc_forward *forward);

/* End a daemon of ours and wait for it; SIGKILL after three seconds. */
void fc_domain_stop(pid_t pid);

/* Fill in which domain the user means by `text`: the path of a socket, or the name of a Xen domain (a word without slash that is
 * no file here, or xen:NAME). Returns null, or in static memory what is wrong. */
const char *fc_domain_address(struct fc_domain *domain, const char *text);

/* Ask the domain for its exports. Returns null, or in static memory what is wrong and what to do. */
const char *fc_domain_ask(struct fc_domain *domain);

/* Is the domain, whose exports are known, there still, and to be used? A cheaper question. */
bool fc_domain_is_there(const struct fc_domain *domain);

/* Number of sessions a domain has now, or -errno. */
int fc_domain_sessions(const char *socket);

#endif
