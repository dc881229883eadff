#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shared mappings where nothing is handed over: what is in the file when somebody else looks, or when the client is dead; see h_maps.c. Somebody
# else: a program that knows nothing of domains; with a Xen domain another one of its clients.
# shellcheck disable=SC2317 # called by name
. "$(dirname "$0")/../lib.sh"
need_farcall
program=$(helper e2e/h_maps) || exit 77
far_options=:nomap
patience=5
[[ ! ${FC_TEST_XEN:-} ]] || patience=30 # in an emulator
others=() # how somebody else comes to the file

# A fresh file.
fresh()
{
	head -c 20000 /dev/zero | tr '\0' . | others dd of="$dir/file" conv=fsync status=none
}

# others COMMAND...: may not take long
others()
{
	timeout "$patience" "${others[@]}" "$@"
}

# Somebody has it open, MODE as with a redirection, until it is left.
hold()
{
	# shellcheck disable=SC2016
	coproc "${others[@]}" bash -c "exec 8$1"'"$1" && echo held && read' sh "$dir/file"
	read -r -t "$patience" _ <&"${COPROC[0]}"
}

leave()
{
	local pid=$COPROC_PID

	echo >&"${COPROC[1]}"
	wait "$pid"
}

# begin MODE: start it on a fresh file, until it is ready
begin()
{
	fresh
	rm -f "$TESTDIR/to" "$TESTDIR/from"
	mkfifo "$TESTDIR/to" "$TESTDIR/from"
	timeout -k 5 60 "${run[@]}" "$program" "${where[@]}" "$1" <"$TESTDIR/to" >"$TESTDIR/from" &
	client=$!
	exec 6>"$TESTDIR/to" 7<"$TESTDIR/from"
	is_ready
}

is_ready()
{
	local line

	read -r -t 30 line <&7 && [[ $line == ready ]]
}

go_on()
{
	echo >&6
}

# has OFFSET TEXT: somebody else opens the file and looks
has()
{
	[[ $(others dd if="$dir/file" bs=1 skip="$1" count="${#2}" status=none) == "$2" ]]
}

has_soon()
{
	wait_for "$patience" has "$1" "$2"
}

put()
{
	printf %s "$2" | others dd of="$dir/file" bs=1 seek="$1" conv=notrunc status=none
}

# becomes BYTES: somebody else cuts the file, or makes it longer; he waits (truncate(1) would not)
becomes()
{
	others dd of="$dir/file" bs=1 seek="$1" count=0 status=none
}

ends_with()
{
	local status

	wait "$client"
	status=$?
	[[ $status == "$1" ]] || { note "it ends with $status"; return 1; }
}

modes()
{
	begin killed || wrong "$1: killed does not begin"
	check "$1: an open finds what is stored" has 4096 dirty
	go_on
	ends_with 137
	check "$1: and so does who comes after the death" has_soon 4096 dirtyagain

	begin shared || wrong "$1: shared does not begin"
	check "$1: another comes to have it open" hold '<>'
	check "$1: and finds what is stored" has 100 mine
	put 0 theirs
	go_on
	check "$1: what another writes comes in" is_ready
	check "$1: and what is stored goes out" has_soon 200 later
	leave
	go_on
	check "$1: shared" ends_with 0

	begin reader || wrong "$1: reader does not begin"
	put 0 theirs
	go_on
	check "$1: reader" ends_with 0

	begin orphan || wrong "$1: orphan does not begin"
	check "$1: a child's" has_soon 0 parent
	check "$1: a child's" has_soon 10 child
	go_on
	check "$1: a child's at its end" has_soon 20 end

	begin executed || wrong "$1: executed does not begin"
	check "$1: before exec" has 0 "before exec"
	go_on
	check "$1: exec" ends_with 0
	check "$1: after exec" has 20 exec

	begin cut || wrong "$1: cut does not begin"
	check "$1: a file is cut" becomes 5000
	go_on
	check "$1: what is stored does not make it longer" is_ready
	check "$1: and what was cut off" test "$(others stat -c %s "$dir/file")" = 5000
	becomes 20000
	put 10000 back
	go_on
	check "$1: cut" ends_with 0

	for mode in locks twice flagged beside; do
		fresh
		check "$1: $mode" timeout -k 5 60 "${run[@]}" "$program" "${where[@]}" "$mode"
	done
	hold '<'
	check "$1: refused" timeout -k 5 60 "${run[@]}" "$program" "${where[@]}" refused
	leave
}

libraries()
{
	python3 -c 'import sqlite3, mmap' 2>"$TESTDIR/err" || return 0
	check "sqlite: WAL" far timeout 60 python3 - "$far/data.db" <<-'END'
		import sqlite3, sys
		c = sqlite3.connect(sys.argv[1])
		assert c.execute('pragma journal_mode=wal').fetchall() == [('wal',)]
		c.execute('create table t(a)')
		c.executemany('insert into t values(?)', [(i,) for i in range(1000)])
		c.commit()
		d = sqlite3.connect(sys.argv[1])
		d.execute('insert into t values(7)')
		d.commit()
		assert c.execute('select count(*), sum(a) from t').fetchall() == [(1001, 499507)]
		assert c.execute('pragma integrity_check').fetchall() == [('ok',)]
	END
	check "sqlite: what is there" others python3 - "$dir/data.db" <<-'END'
		import sqlite3, sys
		assert sqlite3.connect(sys.argv[1]).execute('select count(*) from t').fetchall() == [(1001,)]
	END
	check "python: a mapping is resized" far timeout 60 python3 - "$far/resized" <<-'END'
		import mmap, sys
		f = open(sys.argv[1], 'w+b')
		f.truncate(5000)
		m = mmap.mmap(f.fileno(), 0)
		m[4990:5000] = b'0123456789'
		m.resize(100000)
		m[99990:] = m[4990:5000]
		m.close()
		f.seek(99988)
		assert f.read() == b'\0\0' + b'0123456789'
	END
}

# Domains of this machine's alone.
on_one_machine()
{
	mkdir -p "$TESTDIR/two/sub"
	start_domain two "$TESTDIR/two:$TESTDIR/mnt" "$TESTDIR/two/sub:$TESTDIR/mnt/sub:nomap"
	dir=$TESTDIR/two run=("$FARCALL" run --domain "$two_socket" --) where=("$TESTDIR/mnt" remote)
	begin moved || wrong "moved does not begin"
	mv "$dir/file" "$dir/sub/file"
	go_on
	check "moved: it is mapped" is_ready
	dir=$dir/sub
	check "moved: what others see" has 40 0999
	go_on
	check moved ends_with 0
	stop_domain two
	mkdir "$TESTDIR/three"
	start_domain three "$TESTDIR/three:$TESTDIR/third:nomap"
	dir=$TESTDIR/three run=("$FARCALL" run --domain "$three_socket" --) where=("$TESTDIR/third" remote)
	begin killed || wrong "killed does not begin"
	stop_domain three
	check "a domain that is stopped has written back" has 4096 dirty
	go_on
	ends_with 137
}

if [[ ! ${FC_TEST_XEN:-} ]]; then # where it is natively done is not the file system that the domain has
	dir=$TESTDIR/native run=() where=("$dir" native)
	mkdir "$dir"
	modes native
fi
far_begin
dir=$TESTDIR/far run=("$FARCALL" run --domain "$far_domain" --) where=("$far" remote)
[[ ! ${FC_TEST_XEN:-} ]] || dir=$far others=("${run[@]}")
modes remote
libraries
far_end
[[ ${FC_TEST_XEN:-} ]] || on_one_machine
finish
