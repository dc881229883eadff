/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_table.c - the numbers in local.def against the C library's, and that the two halves of the table agree on who has a call. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "farcall/wire.h"

/* What the preprocessor makes of SYS_name: its number, unless this C library does not know it. */
#define TEXT(x) #x
#define EXPANDED(x) TEXT(x)

static const struct {
	unsigned nr;
	const char *name, *number;
} local[] = {
#define LOCAL(nr, name, ...) { nr, #name, EXPANDED(SYS_##name) },
#include "farcall/local.def"
};

static const struct {
	unsigned nr;
	const char *name;
} travels[] = {
#define SYSCALL(name, ...) { SYS_##name, #name },
#include "farcall/syscalls.def"
};

Test(table, numbers_are_those_of_the_library)
{
	unsigned known = 0;

	for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
		if (local[i].number[0] < '0' || local[i].number[0] > '9')
			continue;
		known++;
		cr_expect(atoi(local[i].number) == (int)local[i].nr, "%s is %s, not %u", local[i].name, local[i].number,
			  local[i].nr);
	}
	cr_expect(known > 200, "only %u numbers could be compared", known);
}

Test(table, a_call_has_one_row)
{
	for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
		cr_expect(!fc_row_by_nr(local[i].nr), "%s has two rows", local[i].name);
		cr_assert(fc_local_by_nr(local[i].nr) != NULL);
		cr_expect_str_eq(fc_local_by_nr(local[i].nr)->name, local[i].name);
	}
	for (size_t i = 0; i < sizeof travels / sizeof travels[0]; i++)
		cr_expect(!fc_local_by_nr(travels[i].nr), "%s has two rows", travels[i].name);
	cr_expect(!fc_local_by_nr(400) && !fc_local_by_nr(512) && !fc_local_by_nr(-1u));
}

Test(table, rows_say_what_is_refused)
{
	const struct fc_local *load = fc_local_by_nr(SYS_kexec_file_load),
			      *handle = fc_local_by_nr(SYS_open_by_handle_at);

	cr_expect(load->kind[0] == FC_KIND_FD && load->kind[1] == FC_KIND_FD && load->error == EINVAL);
	cr_expect(handle->kind[0] == FC_KIND_DIRFD && handle->error == ESTALE);
	cr_expect(fc_local_by_nr(SYS_getpid)->error == 0);
	cr_expect(fc_local_by_nr(SYS_dup2)->kind[1] == FC_KIND_FD);
}
