/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * handlers.h - who gets a call: a function of the application's number and arguments that returns what the kernel would. Which call goes to
 * which is in syscalls.def and local.def.
 */
#ifndef FC_SHIM_HANDLERS_H
#define FC_SHIM_HANDLERS_H

#include "farcall/wire.h"

typedef long shim_handler(long nr, long a[6]);
shim_handler shim_do_fd, shim_do_path, shim_do_local; /* what the kinds of a row suggest */
#define PASS
#define REFUSE(error)
#define BY(handler) shim_handler shim_do_##handler;
#define CLIENT(name, handler) BY(handler)
#define LOCAL(nr, name, site, handler, ...) handler
#include "farcall/syscalls.def"
#include "farcall/local.def"
#undef PASS
#undef REFUSE
#undef BY

/* dispatch.c: a call of the shim's own that may be a remote one */
long shim_dispatch(long nr, long a[6]);

/* dispatch.c: fill the table of handlers */
void shim_handlers_init(void);

#endif
