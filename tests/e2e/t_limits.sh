#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# RLIMIT_FSIZE and RLIMIT_NOFILE: see h_limits.c and h_small.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_limits
both_sides h_small
finish
