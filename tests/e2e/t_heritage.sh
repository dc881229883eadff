#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Delegated files and posted writes of a process that forks, executes or shares just then: see h_heritage.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_heritage 300
finish
