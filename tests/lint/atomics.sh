#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Is every atomic access one of common/atomic.h's, which the models can replace? Prints those that are not, and fails. FC_SOURCE: the tree (default:
# the one this is in). Left alone: the barriers that Xen's own ring macros want defined.
set -u -o pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "${FC_SOURCE:-$here/../..}" || exit 1

! grep -rnE '\<_Atomic\>|stdatomic\.h|\<atomic_[a-z_]+\(|\<__atomic_|\<__sync_' common libc-shim storage-domain cli --include='*.[ch]' |
	grep -vE '^common/atomic\.h:|#define xen_[a-z]*mb\(\)'
