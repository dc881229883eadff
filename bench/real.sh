#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# real.sh - `make bench-real`: how long ordinary work takes under `farcall run --domain` and natively, in turn. See docs/benchmarks.md.
set -u -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=bench/domain.sh
. "$here/domain.sh"
farcall=${FARCALL:-farcall}
out=bench-results
rounds=5
only=

usage()
{
	cat <<-END
	usage: real.sh [--out DIR] [--rounds N] [--only LIST]
	  --out DIR    where real.csv and real.txt go (default bench-results)
	  --rounds N   how often each work is done on either side (5)
	  --only LIST  of log,dd,rocksdb,sqlite,python,git,tar,find,rsync,gcc
	environment: FARCALL (the farcall command)
	END
}

while (($#)); do
	case $1 in
	--out | --rounds | --only)
		(($# > 1)) || { echo "real.sh: $1 needs an argument" >&2; exit 2; }
		case $1 in
		--out) out=$2 ;;
		--rounds) rounds=$2 ;;
		--only) only=$2 ;;
		esac
		shift
		;;
	-h | --help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done

mkdir -p "$out"
begin_domain real

# ---- the work: each is a script that runs in a directory, and the programs that it needs ----

declare -A what needs script prepare
# the interpreter itself: what is called python3 may be a script that looks for it in forty processes
PYTHON=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
export PYTHON
names=(log dd rocksdb sqlite python git tar find rsync gcc)

what[log]="60,000 unbuffered appends of 80 bytes to a log"
needs[log]="python3"
script[log]='$PYTHON -c "
import os
f = os.open(\"log\", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC)
line = b\"x\" * 79 + b\"\\n\"
for i in range(60000): os.write(f, line)
os.close(f)"'

what[dd]="dd: 250 MB in 64 KiB blocks out and in, 100,000 blocks of 512 B out"
needs[dd]="dd"
script[dd]='dd if=/dev/zero of=big bs=64k count=4000 status=none && dd if=big of=/dev/null bs=64k status=none &&
	dd if=/dev/zero of=small bs=512 count=100000 status=none'

what[rocksdb]="RocksDB db_bench: fillseq, readrandom, overwrite, 60,000 keys"
needs[rocksdb]="db_bench"
script[rocksdb]='db_bench --benchmarks=fillseq,readrandom,overwrite --num=60000 --db=db --threads=1 >/dev/null 2>&1'

what[sqlite]="SQLite: 3,000 inserts in a transaction, an index, 100 inserts without"
needs[sqlite]="sqlite3"
script[sqlite]='{ echo "create table t(a integer primary key, b text); begin;"
	for i in $(seq 3000); do echo "insert into t values($i, hex(randomblob(40)));"; done
	echo "commit; create index i on t(b);"
	for i in $(seq 3001 3100); do echo "insert into t values($i, hex(randomblob(40)));"; done
	echo "select count(*) from t;"; } | sqlite3 db >/dev/null'

what[python]="Python: write, read, stat, rename 1,500 small files"
needs[python]="python3"
script[python]='$PYTHON -c "
import os
for i in range(1500):
    n = \"f%d\" % i
    with open(n, \"w\") as f: f.write(\"content %d\" % i)
    with open(n) as f: f.read()
    os.stat(n); os.rename(n, n + \".new\")"'

what[git]="git clone, 5 status, commit, log --stat, grep"
needs[git]="git"
prepare[git]='git -c init.defaultBranch=main init -q origin && cd origin && for i in $(seq 200); do mkdir -p d$((i % 20)); seq $i $((i + 99)) >d$((i % 20))/f$i; done &&
	git add -A && git -c user.name=a -c user.email=a@b commit -qm one'
script[git]='git clone -q ../made/origin c && cd c && for i in 1 2 3 4 5; do git status -s; done && seq 100 >new && git add new &&
	git -c user.name=a -c user.email=a@b commit -qm two && git log --stat >/dev/null && git grep -q 77'

what[tar]="tar x, tar c, rm -r of 400 files; cp -a of a folder three times"
needs[tar]="tar"
prepare[tar]='mkdir t && for i in $(seq 400); do mkdir -p t/d$((i % 20)); seq 500 >t/d$((i % 20))/f$i; done && tar cf t.tar t && rm -r t'
script[tar]='tar xf ../made/t.tar && tar cf out.tar t && for i in 1 2 3; do cp -a t t$i; done && rm -r t'

what[find]="find, grep -r, ls -lR, du over 400 files, three times"
needs[find]="find"
prepare[find]='for i in $(seq 400); do mkdir -p d$((i % 20)); seq 200 >d$((i % 20))/f$i; done'
script[find]='cd ../made && for i in 1 2 3; do find . -type f -newer /etc/passwd >/dev/null; grep -r 199 . >/dev/null; ls -lR >/dev/null; du -s >/dev/null; done'

what[rsync]="rsync three ways: all, nothing, half"
needs[rsync]="rsync"
prepare[rsync]='for i in $(seq 300); do mkdir -p d$((i % 20)); seq 500 >d$((i % 20))/f$i; done'
script[rsync]='rsync -a ../made/ copy/ && rsync -a ../made/ copy/ && rm -r copy/d1* && rsync -a ../made/ copy/'

what[gcc]="compiling ten files with gcc"
needs[gcc]="gcc"
prepare[gcc]='for i in $(seq 10); do printf "#include <stdio.h>\n#include <stdlib.h>\nint f%d(int n)\n{\n\treturn printf(\"%%d\", n) + abs(n);\n}\n" $i >f$i.c; done'
script[gcc]='for f in ../made/*.c; do gcc -O2 -c $f || exit 1; done'

# ---- measuring ----

# in_turn NAME SIDE: one sample, with a directory that is new but for what has been prepared
in_turn()
{
	local name=$1 side=$2 dir=$work/$2 at=$work/$2 begin end
	local -a run=(bash)

	[[ $side == native ]] || { at=/bench; run=("$farcall" run --domain "$work/socket" -- bash); }
	rm -rf "${dir:?}/now" && mkdir "$dir/now"
	begin=$(date +%s%N)
	"${run[@]}" -c "cd $at/now && ${script[$name]}" </dev/null >/dev/null || { echo "real.sh: $name fails ($side)" >&2; return 1; }
	end=$(date +%s%N)
	echo "$name $side $((end - begin))" >>"$work/samples"
}

made()
{
	for side in native far; do
		rm -rf "${work:?}/$side/made" && mkdir "$work/$side/made"
		[[ ! ${prepare[$1]:-} ]] || (cd "$work/$side/made" && bash -c "${prepare[$1]}") || return 1
	done
}

: >"$work/samples"
for name in "${names[@]}"; do
	[[ ! $only || ",$only," == *",$name,"* ]] || continue
	command -v "${needs[$name]}" >/dev/null || { echo "real.sh: no ${needs[$name]}: ${what[$name]} is left out" >&2; continue; }
	made "$name" || exit 1
	for ((r = 1; r <= rounds; r++)); do
		echo "[$SECONDS s] $name, round $r of $rounds" >&2
		if ((r % 2)); then sides=(native far); else sides=(far native); fi
		in_turn "$name" "${sides[0]}" && in_turn "$name" "${sides[1]}" || exit 1
	done
	echo "$name what ${what[$name]}" >>"$work/samples"
done

awk -v csv="$out/real.csv" '
	function median(list,   s, n, i, j, t)
	{
		n = split(list, s, " ")
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && s[j] + 0 < s[j - 1] + 0; j--) { t = s[j]; s[j] = s[j - 1]; s[j - 1] = t }
		return s[int((n + 1) / 2)] / 1e6
	}
	$2 != "what" { v[$1, $2] = v[$1, $2] " " $3; next }
	{ order[++n] = $1; name = $1; $1 = $2 = ""; sub(/^ */, ""); text[name] = $0 }
	END {
		print "work,native_ms,farcall_ms,ratio" >csv
		printf "%-70s %9s %9s %7s\n", "ms", "native", "farcall", "ratio"
		for (i = 1; i <= n; i++) {
			a = median(v[order[i], "native"]); b = median(v[order[i], "far"])
			printf "%-70s %9.1f %9.1f %7.2f\n", text[order[i]], a, b, b / a
			printf "%s,%.1f,%.1f,%.3f\n", order[i], a, b, b / a >csv
		}
	}' "$work/samples" | tee "$out/real.txt"

if command -v gnuplot >/dev/null; then
	(cd "$out" && gnuplot "$here/real.gp") && echo "$out/real.png"
else
	echo "real.sh: no gnuplot: $out/real.csv is not drawn" >&2
fi
