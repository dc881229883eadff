#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# private mappings; shared ones refused: see h_mmap.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_mmap
finish
