/* SPDX-License-Identifier: GPL-2.0-or-later */
/* zydis.c - finds the disassembler's functions (zydis.h): FC_ZYDIS is the library's name, as configure has found it. */
#define _GNU_SOURCE
#include "cli/zydis.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

struct fc_zydis fc_zydis;

int fc_zydis_load(void)
{
	void *library;

	if (fc_zydis.init)
		return 0;
	library = dlopen(FC_ZYDIS, RTLD_NOW | RTLD_LOCAL);
	if (library) {
		fc_zydis.decode = (__typeof__(fc_zydis.decode))dlsym(library, "ZydisDecoderDecodeFull");
		fc_zydis.absolute = (__typeof__(fc_zydis.absolute))dlsym(library, "ZydisCalcAbsoluteAddress");
		fc_zydis.enclosing = (__typeof__(fc_zydis.enclosing))dlsym(library, "ZydisRegisterGetLargestEnclosing");
	}
	if (library && fc_zydis.decode && fc_zydis.absolute && fc_zydis.enclosing)
		fc_zydis.init = (__typeof__(fc_zydis.init))dlsym(library, "ZydisDecoderInit");
	if (fc_zydis.init)
		return 0;
	fprintf(stderr, "farcall: %s\n", dlerror());
	return -ELIBACC;
}
