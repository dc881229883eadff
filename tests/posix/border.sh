# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# border.sh - what the tests share in which nothing can be handed over: the programs, and whether what they say differs as tests/posix/border says.

# Not here: t_map, t_pass, t_socket and t_watch, which are about nothing else. t_border has what their calls give.
# shellcheck disable=SC2034 # for who sources this
border_programs=(t_border t_aio t_attr t_dir t_exec t_fifo t_link t_lock t_open t_poll t_read t_splice)

# border_lists PROGRAM KIND: the lines that differ where it is of that KIND (nomap, xen), as diff has them
border_lists()
{
	awk -v program="$1" -v kind="$2" '
	/^[a-z]/ { on = $1 == program && (NF == 1 || $2 == kind) }
	on && /^[<>]/' "$FC_SOURCE/tests/posix/border"
}

# border_same PROGRAM KIND FIRST SECOND: what it has said natively and remotely. Super-users' calls are in the list, too.
border_same()
{
	local differs
	differs=$(diff -a "$3" "$4" | grep -a '^[<>]')

	if ((EUID == 0)); then
		diff -a <(border_lists "$1" "$2") <(echo -n "${differs:+$differs$'\n'}")
	else
		[[ ! $differs ]] || ! grep -axvFf <(border_lists "$1" "$2") <<<"$differs"
	fi
}
