/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zydis.h - the disassembler. It is loaded when something is to be disassembled, which is once for a C library: what is linked is loaded and
 * relocated at each start of a program, and this one takes as long as all the rest of a `farcall run`.
 */
#ifndef FC_CLI_ZYDIS_H
#define FC_CLI_ZYDIS_H

#include <Zydis/Zydis.h>

extern struct fc_zydis {
	__typeof__(&ZydisDecoderInit) init;
	__typeof__(&ZydisDecoderDecodeFull) decode;
	__typeof__(&ZydisCalcAbsoluteAddress) absolute;
	__typeof__(&ZydisRegisterGetLargestEnclosing) enclosing;
} fc_zydis;

/* Fill that in. 0, or -ELIBACC after a line on stderr. */
int fc_zydis_load(void);

#endif
