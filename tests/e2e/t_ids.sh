#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# ids that change while other threads talk to the domain: see h_ids.c
. "$(dirname "$0")/../lib.sh"
need_farcall
((EUID == 0)) || skip "only root can change its ids"
chmod 711 "$TESTDIR"
both_sides h_ids
finish
