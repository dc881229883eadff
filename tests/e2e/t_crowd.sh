#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# As many calls as there can be, all waiting: see h_crowd.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_crowd
finish
