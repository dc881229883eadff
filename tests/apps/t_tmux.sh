#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# tmux: its server and socket on the export, panes whose shells work there, a control client, buffers in files.
. "$(dirname "$0")/apps.sh"
needs tmux tmux

tm()
{
	tmux -S "$PWD/sock" -f "$PWD/conf" "$@"
}

app()
{
	export HOME=$PWD TERM=screen SHELL=/bin/sh
	printf 'set -g default-command "exec sh"\nset -g history-limit 500\n' >conf
	tm new-session -d -s one -x 80 -y 24 -c "$PWD"
	echo "new $?"
	stat -c '%F %a' sock
	tm send-keys -t one 'pwd >pwd; seq 1 50; echo finished >first' Enter
	until_so 15 grep -q finished first
	tm split-window -d -t one 'seq 1 100 >second; tmux -S '"$PWD"'/sock wait-for -S ready'
	tm wait-for ready
	wc -l second
	tm capture-pane -p -t one | grep -c '^4[0-9]$'
	tm pipe-pane -t one "cat >$PWD/piped"
	tm send-keys -t one 'echo through the pipe' Enter
	until_so 15 grep -q '^through' piped
	seq 1 2000 >text
	tm load-buffer text
	tm save-buffer text.copy
	cmp text text.copy && echo same
	tm new-window -d -t one:5 -n five 'sleep 100'
	tm list-windows -t one -F '#{window_index} #{window_panes}'
	printf 'list-sessions -F "#S #{session_windows}"\n' | tm -C attach -t one 2>&1 | grep -c '^one 2'
	tm kill-server
	until_so 15 sh -c "! tmux -S $PWD/sock ls"
	tm ls 2>/dev/null
	echo "ls $?"
	cmp <(pwd) pwd && rm -f pwd piped
	rm -f sock
}
compare
