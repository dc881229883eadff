# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# border.sh - what the tests share in which nothing can be handed over: the programs, and whether what they say differs as tests/posix/border says.

# Not here: t_pass and t_watch, which are about nothing else. t_border has what their calls give.
# shellcheck disable=SC2034 # for who sources this
border_programs=(t_border t_aio t_attr t_dir t_exec t_fifo t_link t_lock t_map t_open t_poll t_post t_read t_reread t_socket t_splice t_unix)

# border_same PROGRAM KINDS FIRST SECOND: what it has said natively and remotely differs as is listed for it alone and for these KINDS of domain and user
border_same()
{
	diff -a <(awk -v program="$1" -v kinds=" $2 " '
		/^[a-z]/ { on = $1 == program && (NF == 1 || index(kinds, " " $2 " ")) }
		on && /^[<>]/' "$FC_SOURCE/tests/posix/border") <(diff -a "$3" "$4" | grep -a '^[<>]')
}
