/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_domain_options.c - farcall-storaged's command line; and two other parsers of its: /proc/PID/status, segment sizes. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <linux/capability.h>
#include <string.h>

#include "storage-domain/caps.h"
#include "storage-domain/supervisor/options.h"
#include "storage-domain/supervisor/peer.h"

static char wrong[512];
static struct fc_options o;

/* Parse up to ten words; returns as fc_options_parse. */
static int parse(const char *const *word)
{
	char *argv[12] = { (char *)"farcall-storaged" };
	int argc = 1;

	while (*word)
		argv[argc++] = (char *)*word++;
	wrong[0] = '\0';
	return fc_options_parse(&o, argc, argv, wrong, sizeof wrong);
}
#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })

Test(domain_options, good)
{
	cr_assert_eq(PARSE("--socket", "s", "-v", "/a:b:/x//y/:ro", "--volume=dir:/z", "--ready-fd", "9"), 0);
	cr_assert_str_eq(o.socket, "s");
	cr_assert(o.exports == 2 && o.ready_fd == 9 && o.mode == (mode_t)-1 && o.log == FC_LOG_WARNING);
	cr_assert_str_eq(o.export[0].dir, "/a:b");
	cr_assert_str_eq(o.export[0].prefix, "/x/y");
	cr_assert(o.export[0].read_only && !o.export[1].read_only);
	cr_assert_eq(
		PARSE("--socket", "s", "-v", "d:/x", "--mode", "0660", "--log-level", "debug", "--die-with-parent"), 0);
	cr_assert(o.mode == 0660 && o.log == FC_LOG_DEBUG && o.die_with_parent);
	cr_assert(o.spin == FC_SPIN_ADAPTIVE && !o.xen && !o.user && !o.any_root);
	cr_assert_eq(PARSE("--socket", "s", "-v", "d:/x", "--user", "somebody", "--any-root"), 0);
	cr_assert_str_eq(o.user, "somebody");
	cr_assert(o.any_root);
	cr_assert(PARSE("--xen", "-v", "d:/x", "--spin", "always") == 0 && o.xen && !o.socket &&
		  o.spin == FC_SPIN_ALWAYS);
	cr_assert(PARSE("--help") == 0 && o.help);
	cr_assert(PARSE("--version") == 0 && o.version);
}

Test(domain_options, bad)
{
	const char *const bad[][8] = {
		{ "--socket", "s" },
		{ "-v", "d:/x" },
		{ "--socket", "", "-v", "d:/x" },
		{ "--socket", "s", "-v", "d:x" },
		{ "--socket", "s", "-v", "d" },
		{ "--socket", "s", "-v", "d:/" },
		{ "--socket", "s", "-v", "d:/x/../y" },
		{ "--socket", "s", "-v", "d:/x", "extra" },
		{ "--xen", "--socket", "s", "-v", "d:/x" },
		{ "--xen", "--mode", "0600", "-v", "d:/x" },
		{ "--xen" },
		{ "--socket", "s", "-v", "d:/x", "--spin", "sometimes" },
		{ "--socket", "s", "-v", "d:/x", "-v", "e:/x/" },
		{ "--socket", "s", "-v", "d:/x", "--mode" },
		{ "--socket", "s", "-v", "d:/x", "--mode=888" },
		{ "--socket", "s", "-v", "d:/x", "--mode=-1" },
		{ "--socket", "s", "-v", "d:/x", "--ready-fd=x" },
		{ "--socket", "s", "-v", "d:/x", "--ready-fd=-1" },
		{ "--socket", "s", "-v", "d:/x", "--log-level=loud" },
		{ "--socket", "s", "-v", "d:/x", "--bogus" },
		{ "--socket", "s", "-v", "d:/x", "-q" },
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		cr_assert_eq(parse(bad[i]), -1, "%zu", i);
		cr_assert(wrong[0] && !strchr(wrong, '\n'), "%zu: %s", i, wrong);
	}
	cr_assert_eq(PARSE("--socket", "s", "-v", "d:/xy", "-v", "d:/x"), 0, "%s", wrong);
	cr_assert_eq(PARSE("--socket", "s", "-v", "d:/x/y", "-v", "d:/x/"), 0, "%s", wrong);
}

#define STATUS(uid, gid, eff, amb) \
	"Name:\tsome name\nUmask:\t0022\nUid:\t" uid "\nGid:\t" gid "\nCapEff:\t" eff "\nCapBnd:\t0\nCapAmb:\t" amb "\n"

Test(peer, status)
{
	struct fc_peer p;

	cr_assert_eq(fc_status_parse(STATUS("1\t2\t3\t4", "5\t6\t7\t8", "00000000000000ff", "0000000000000000"), &p),
		     0);
	cr_assert(p.ruid == 1 && p.euid == 2 && p.suid == 3 && p.fsuid == 4);
	cr_assert(p.rgid == 5 && p.egid == 6 && p.sgid == 7 && p.fsgid == 8);
	cr_assert_str_eq(p.comm, "some name");
	/* a capability of a user who is not root may be a setuid or privileged program's: only ambient ones are surely its own */
	cr_assert_eq(p.caps, 0);
	cr_assert_eq(fc_status_parse(STATUS("1\t2\t3\t4", "5\t6\t7\t8", "00000000000000ff", "0000000000000006"), &p),
		     0);
	cr_assert_eq(p.caps, 6);
	cr_assert_eq(fc_status_parse(STATUS("1\t0\t3\t4", "5\t6\t7\t8", "000001ffffffffff", "0000000000000000"), &p),
		     0);
	cr_assert_eq(p.caps, 0x1ffffffffff);
	cr_assert(fc_status_parse("", &p) < 0);
	cr_assert(fc_status_parse("Name:\tx\nUid:\t1\n", &p) < 0);
}

#define LIMITS(files, processes)                                                           \
	"Limit                     Soft Limit           Hard Limit           Units     \n" \
	"Max file size             unlimited            unlimited            bytes     \n" \
	"Max processes             " processes "            processes \n"                  \
	"Max open files            " files "              files     \n"

Test(peer, limits_hard_for_files_soft_for_processes)
{
	struct fc_peer p;

	cr_assert_eq(fc_limits_parse(LIMITS("1024    4096", "20    30"), &p), 0);
	cr_assert(p.files == 4096 && p.threads == 20);
	cr_assert_eq(fc_limits_parse(LIMITS("64    unlimited", "unlimited    unlimited"), &p), 0);
	cr_assert(p.files == UINT64_MAX && p.threads == UINT64_MAX);
	cr_assert(fc_limits_parse("", &p) < 0);
	cr_assert(fc_limits_parse("Max open files            64\n", &p) < 0);
	cr_assert(fc_limits_parse(LIMITS("64    many", "20    30"), &p) < 0);
}

Test(caps, none_that_opens_the_machine)
{
	uint64_t all = FC_CAPS_FILES | FC_CAPS_IDENTITY;

	cr_assert_not(all &
		      (FC_CAP(SYS_ADMIN) | FC_CAP(SYS_RAWIO) | FC_CAP(SYS_MODULE) | FC_CAP(SYS_PTRACE) | FC_CAP(KILL)));
	cr_assert_not(FC_CAPS_FILES & FC_CAPS_IDENTITY);
}
