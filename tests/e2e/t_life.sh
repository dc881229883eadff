#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# constructors, exits, aborts, faults and changes of user with calls in flight: see h_life.c
. "$(dirname "$0")/../lib.sh"
need_farcall
DOMAIN_MODE=666 # the program changes its user
chmod 711 "$TESTDIR"
both_sides h_life
finish
