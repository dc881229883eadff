#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# t_control.sh - t_control.c with the daemon that was built.
exec "$FC_BUILD/tests/domain/t_control" "$FC_BUILD/farcall-storaged"
