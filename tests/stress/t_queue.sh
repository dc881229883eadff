#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# t_queue.sh - stress_queue.c for as long as a stress test is to run.
exec "$FC_BUILD/tests/stress/stress_queue" "${FC_STRESS_SECONDS:-10}"
