/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dlopen.c - LIBRARY...: loads each and prints what its function `answer` says. Compiled with -DLIBRARY=N it is such a library. */
#include <dlfcn.h>
#include <stdio.h>

#ifdef LIBRARY
int answer(void)
{
	return LIBRARY;
}
#else
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		void *library = dlopen(argv[i], RTLD_NOW);
		int (*answer)(void) = library ? (int (*)(void))dlsym(library, "answer") : NULL;

		if (answer)
			printf("%d\n", answer());
		else
			printf("%s: %s\n", argv[i], dlerror());
	}
	return 0;
}
#endif
