#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# mappings, private and shared, of files that are handed over and of files that are not: see h_mmap.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_mmap
far_options=:nomap
both_sides h_mmap
finish
