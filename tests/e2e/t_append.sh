#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# concurrent appending writers: see h_append.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_append
finish
