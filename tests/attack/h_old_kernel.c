/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * h_old_kernel.c - executes the program in FARCALL_STORAGED on a kernel that answers like Linux 6.1: it knows no
 * SO_PASSRIGHTS, with which a socket refuses descriptors, and no SO_PEERPIDFD.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define PASSRIGHTS 83
#define PEERPIDFD 77

static int refuse(scmp_filter_ctx ctx, int call, unsigned option)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOPROTOOPT), call, 2, SCMP_A1(SCMP_CMP_EQ, SOL_SOCKET),
				SCMP_A2(SCMP_CMP_EQ, option));
}

int main(int argc, char **argv)
{
	const char *program = getenv("FARCALL_STORAGED");
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	if (!program || argc < 1 || !ctx) {
		fprintf(stderr, "h_old_kernel: FARCALL_STORAGED is not set\n");
		return 2;
	}
	/* root needs no no_new_privs for a filter, and the daemon is to set that itself */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0) || refuse(ctx, SCMP_SYS(setsockopt), PASSRIGHTS) ||
	    refuse(ctx, SCMP_SYS(getsockopt), PASSRIGHTS) || refuse(ctx, SCMP_SYS(getsockopt), PEERPIDFD) ||
	    seccomp_load(ctx)) {
		fprintf(stderr, "h_old_kernel: cannot load the filter\n");
		return 2;
	}
	seccomp_release(ctx);
	execv(program, argv);
	perror(program);
	return 127;
}
