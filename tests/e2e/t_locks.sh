#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# flock and fcntl locks between processes: see h_locks.c
. "$(dirname "$0")/../lib.sh"
need_farcall
both_sides h_locks
finish
