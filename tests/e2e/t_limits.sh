#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# RLIMIT_FSIZE and RLIMIT_NOFILE: see h_limits.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_limits
finish
