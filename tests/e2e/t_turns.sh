#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# More threads than CPUs: everybody gets turns, with all CPUs and, client and domain together, with one. See h_turns.c.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need_farcall
far_options=:nocache:sync
both_sides h_turns
taskset -cp "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')" $$ >/dev/null
both_sides h_turns
finish
