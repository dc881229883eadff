#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# clone with all that two processes can share: see h_kin.c
. "$(dirname "$0")/../lib.sh"
need_farcall
chmod 711 "$TESTDIR" # children of root that become somebody else
both_sides h_kin
finish
