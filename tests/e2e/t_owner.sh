#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# F_SETOWN, F_SETSIG, leases: see h_owner.c; where files are handed over, and where not
. "$(dirname "$0")/../lib.sh"
need_farcall
[[ ! ${FC_TEST_XEN:-} ]] || far_options=:nomap
both_sides h_owner
far_options=:nomap
both_sides h_owner
finish
