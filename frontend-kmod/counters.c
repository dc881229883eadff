// SPDX-License-Identifier: GPL-2.0-only
/* counters.c - what the module holds, one "name value" a line in debugfs farcall/counters. */
#include <linux/debugfs.h>
#include <linux/seq_file.h>

#include "kmod.h"

atomic_long_t fc_count[FC_COUNTERS];

static const char *const names[FC_COUNTERS] = {
	[FC_COUNT_DOMAINS] = "domains",
	[FC_COUNT_SESSIONS] = "sessions",
	[FC_COUNT_PAGES] = "pages",
	[FC_COUNT_GRANTS] = "grants",
	[FC_COUNT_SET_ASIDE] = "set_aside",
	[FC_COUNT_REQUESTS] = "requests",
	[FC_COUNT_PROTOCOL] = "protocol_errors",
	[FC_COUNT_DEATHS] = "deaths",
	[FC_COUNT_RINGS] = "rings",
	[FC_COUNT_WAKES] = "wakes",
};

static struct dentry *directory;

static int counters_show(struct seq_file *m, void *unused)
{
	int i;

	for (i = 0; i < FC_COUNTERS; i++)
		seq_printf(m, "%s %ld\n", names[i], atomic_long_read(&fc_count[i]));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(counters);

void fc_counters_init(void)
{
	directory = debugfs_create_dir("farcall", NULL);
	debugfs_create_file("counters", 0444, directory, NULL, &counters_fops);
}

void fc_counters_exit(void)
{
	debugfs_remove_recursive(directory);
}
