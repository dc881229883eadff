/* SPDX-License-Identifier: GPL-2.0-or-later */
/* h_sites.c - `h_sites CACHE ELF...`: make the site tables, as the farcall command does. */
#include <stdio.h>
#include <string.h>

#include "cli/sites.h"

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++) {
		int n = fc_sites_ensure(argv[i], argv[1], NULL, 0);

		if (n < 0) {
			fprintf(stderr, "%s: %s\n", argv[i], strerror(-n));
			return 1;
		}
		printf("%d sites in %s\n", n, argv[i]);
	}
	return argc < 3;
}
