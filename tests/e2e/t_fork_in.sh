#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# fork in a signal handler that has come in the middle of a remote call: see h_fork_in.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_fork_in
finish
