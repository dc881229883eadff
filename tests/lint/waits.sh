#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Does the shim wait in libc-shim/request/wait.c only? Prints where else it does, and fails. FC_SOURCE: the tree (default: the one this is in).
# Left alone: the lock of rare operations (lock.c), which waits for no domain.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "${FC_SOURCE:-$here/../..}" || exit 1

! grep -rnE 'SYS_(sched_yield|nanosleep|clock_nanosleep)\>|fc_call\(SYS_(futex|futex_wait)\>|fc_(futex|bell|progress)_(wait|sleep)\(|fc_pause\(' \
	libc-shim --include='*.[ch]' | grep -vE '^libc-shim/(request/wait|lock)\.c:'
