/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config.h - what the `farcall` command tells the shim: which domains there are and what they serve where. It owns the
 * format of the file `config` in the runtime directory (environment: FARCALL_DIR) and its reader; cli/run.c writes it.
 *
 *      farcall-config 1
 *      domain <path of a domain's socket>
 *      xen <name of a domain that /dev/syscall leads to>
 *      trust <index of a domain line>
 *      mount <index of a domain or xen line, from 0> <rw|ro> <prefix>
 *      sites <directory with the site tables>
 *      preload <path of libfarcall.so, for LD_PRELOAD>
 *      covers local files
 *      cache <bytes>
 *
 * One item a line; a path goes from the one space before it to the end of its line, so it may hold anything but a
 * newline. The first line comes first; a mount and a trust come after their domain; the rest in any order, `trust` if a domain
 * is to be used whoever runs it (else only root and the process' own user), `sites` exactly once, `preload` at
 * most once (without it no program for glibc that this one starts gets the shim), `covers` if
 * something exists locally where a prefix is: no local call can then be trusted to fail when it walks into a mount; `cache` at most once: how much of
 * delegated files a process keeps, in place of FC_CONFIG_CACHE, at most FC_CONFIG_CACHE_MAX.
 * Prefixes are absolute, in normal form (no `.`, `..`, double or trailing slash), not "/", and none lies in another.
 *
 * Beside `config` the runtime directory holds `placeholder`, an empty directory (0555) whose descriptors stand for remote
 * ones.
 */
#ifndef FC_SHIM_CONFIG_H
#define FC_SHIM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/export_spec.h"
#include "farcall/abi.h"

/* What LD_AUDIT takes with it: all libraries' static thread-local storage comes out of the linker's surplus then, and there is little. */
#define FC_CONFIG_TUNABLES "glibc.rtld.optional_static_tls=65536"
#define FC_CONFIG_DOMAINS 8
#define FC_CONFIG_MOUNTS 16
#define FC_CONFIG_FILE "config"
#define FC_CONFIG_PLACEHOLDER "placeholder"
#define FC_CONFIG_FIRST_LINE "farcall-config 1"
#define FC_CONFIG_CACHE (64ull << 20)
#define FC_CONFIG_CACHE_MAX (64ull << 30)
#define FC_CONFIG_SYSTEM "/etc/farcall.conf"

struct fc_config {
	unsigned ndomains;
	struct {
		bool xen;
		bool trusted;      /* whoever runs it */
		char address[108]; /* path of a socket; with `xen`, a name */
	} domain[FC_CONFIG_DOMAINS];
	bool covers;
	uint64_t cache;
	unsigned nmounts;
	struct {
		unsigned domain; /* index above */
		bool read_only;
		unsigned length; /* of prefix, without NUL */
		char prefix[FC_PREFIX_MAX + 1];
	} mount[FC_CONFIG_MOUNTS];
	char sites[FC_PATH_MAX];
	char preload[FC_PATH_MAX]; /* "" = none */
	char dir[FC_PATH_MAX];     /* the runtime directory itself, as given */
};

/* Read `dir`/config into *c. Returns 0, or -errno: what open or read said, -EPROTONOSUPPORT for another version of the
 * format (shim and command are from different builds), -EINVAL for a line it does not understand, -ENAMETOOLONG.
 * Raw system calls only, no malloc, no stdio; logs nothing; not for signal handlers (16 KiB of stack). */
int fc_config_load(struct fc_config *c, const char *dir);

/* The runtime directory of relinked programs that nobody has given one in the environment: the first line of the file
 * `path` (FC_CONFIG_SYSTEM) that is neither empty nor a comment (#). Returns its length, 0 if there is no such line, or
 * -errno. As fc_config_load. */
int fc_config_system(const char *path, char *dir, size_t size);

#endif
