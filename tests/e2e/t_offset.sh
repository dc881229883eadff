#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Threads and children that have a file's offset in common: see h_offset.c. FC_OFFSET_ROUNDS: how often (60).
. "$(dirname "$0")/../lib.sh"
need_farcall
h=$(helper e2e/h_offset) || exit 77
far_begin
check "each record is read once" far timeout -k 5 100 "$h" "$far" "${FC_OFFSET_ROUNDS:-60}"
far_end
finish
