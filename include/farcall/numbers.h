/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* numbers.h - x86-64 numbers that rows of the table use and a C library's headers may not have yet. */
#ifndef FARCALL_NUMBERS_H
#define FARCALL_NUMBERS_H

#include <sys/syscall.h>

#define FC_NUMBERS 512 /* all system call numbers are below */

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#endif
#ifndef SYS_getxattrat
#define SYS_getxattrat 464
#endif
#ifndef SYS_listxattrat
#define SYS_listxattrat 465
#endif
#ifndef SYS_removexattrat
#define SYS_removexattrat 466
#endif
#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#endif
#ifndef SYS_file_setattr
#define SYS_file_setattr 469
#endif

/* requests of ioctls.def */
#ifndef FIOQSIZE
#define FIOQSIZE 0x5460
#endif
#ifndef FS_IOC_GETFSUUID
#define FS_IOC_GETFSUUID 0x80111500u
#endif
#ifndef FS_IOC_GETFSSYSFSPATH
#define FS_IOC_GETFSSYSFSPATH 0x80811501u
#endif
#ifndef FS_IOC_RESVSP
#define FS_IOC_RESVSP 0x40305828u
#define FS_IOC_UNRESVSP 0x40305829u
#define FS_IOC_RESVSP64 0x4030582au
#define FS_IOC_UNRESVSP64 0x4030582bu
#define FS_IOC_ZERO_RANGE 0x40305839u
#endif

/* commands of fcntl.def */
#ifndef F_GETOWNER_UIDS
#define F_GETOWNER_UIDS 17
#endif
#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY 1028
#endif

#endif
