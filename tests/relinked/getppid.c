/* SPDX-License-Identifier: GPL-2.0-or-later */
/* getppid.c - prints what the smallest system call costs: ns a call, the best of many runs. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define RUNS 25
#define CALLS 200000

static double run(void)
{
	struct timespec a, b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < CALLS; i++)
		getppid();
	clock_gettime(CLOCK_MONOTONIC, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / CALLS;
}

int main(void)
{
	double best = run();

	for (int i = 1; i < RUNS; i++) {
		double t = run();

		if (t < best)
			best = t;
	}
	return printf("%.2f\n", best) < 0;
}
