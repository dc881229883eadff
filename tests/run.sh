#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh - installs what is missing, builds, runs the tests and counts them. Which tests there are is in
# tests/Makemodule.am. The last line is "N passed, N failed", with ", N skipped" behind it if any were.
set -u -o pipefail
export LC_ALL=C

source_dir=$(cd "$(dirname "$0")/.." && pwd) || exit 1
# shellcheck source=tests/lib/packages.sh
. "$source_dir/tests/lib/packages.sh"
# shellcheck source=tests/lib/build.sh
. "$source_dir/tests/lib/build.sh"

all=
install=1
build=$source_dir/build
only=()
declare -A matched=()

usage()
{
	cat <<-END
	usage: tests/run.sh [--all] [--no-install] [--build DIR] [TEST...]
	  --all          everything: the stress tests, builds with sanitizers, the Xen lab, make distcheck, make lint; some 70 minutes, at most 82.
	                 A skipped test then counts as failed
	  --no-install   do not install missing packages
	  --build DIR    build there (default: build/)
	  TEST           run only the tests whose name contains one of these texts
	END
}

while (($#)); do
	case $1 in
	--all) all=1 ;;
	--no-install) install= ;;
	--build)
		(($# > 1)) || { echo "run.sh: --build needs an argument" >&2; exit 2; }
		build=$(realpath -m "$2")
		shift
		;;
	--help | -h) usage; exit 0 ;;
	-*) echo "run.sh: unknown option $1 (see --help)" >&2; exit 2 ;;
	*) only+=("$1") ;;
	esac
	shift
done

passed=0
failed=0
skipped=0
failures=()
declare -A why=() # a failure's last words, to be said again at the end
limit=$((all ? 4900 : 900)) # seconds for everything: what has not been run by then has failed

# count KIND N NAME
count()
{
	case $1 in
	PASS) ((passed += $2)) ;;
	SKIP)
		((skipped += $2))
		[[ -z $all ]] || { ((failed += $2)); failures+=("$3 (skipped)"); }
		;;
	FAIL) ((failed += $2)); failures+=("$3") ;;
	esac
}

wanted() # NAME
{
	local text found=1

	((${#only[@]})) || return 0
	for text in "${only[@]}"; do
		[[ $1 == *"$text"* ]] || continue
		matched["=$text"]=1
		found=0
	done
	return $found
}

# What was asked for and is no test's name has failed.
count_unmatched()
{
	local text

	for text in "${only[@]}"; do
		[[ ! ${matched["=$text"]:-} ]] || continue
		echo "run.sh: no test has '$text' in its name$([[ $all ]] || echo "; those that only --all runs were not looked at")"
		count FAIL 1 "$text (no such test)"
	done
}

# Cases of a Criterion program, from its TAP output; a program that ended without a word about its cases is one failure.
count_tap() # TAP STATUS NAME
{
	local ok bad skip

	ok=$(grep -c '^ok ' "$1")
	bad=$(grep -c '^not ok ' "$1")
	skip=$(grep -c '^ok .*# SKIP' "$1")
	count PASS $((ok - skip)) "$3"
	((!skip)) || count SKIP "$skip" "$3"
	((!bad)) || count FAIL "$bad" "$3"
	if (($2 && !bad)) || ((!ok && !bad)); then
		count FAIL 1 "$3"
		bad=1
	fi
	verdict=$( ((bad)) && echo FAIL || echo PASS)
	verdict+=" ($((ok + bad)) cases)"
}

# last_words LOG NAME
last_words()
{
	tail -n 30 "$1" | sed 's/^/    | /'
	why[$2]=$(tail -n 8 "$1" | cut -c1-300 | sed 's/^/        | /')
}

reports='(WARNING|ERROR): [A-Za-z]*Sanitizer|: runtime error: '

# run_test LABEL BUILD NAME SECONDS: NAME is a program in BUILD or a script in the source
run_test()
{
	local label=$1 dir=$2 name=$3 seconds=$4 program status began=$SECONDS log verdict

	wanted "$name" || return 0
	log=$dir/test-logs/${name//\//_}
	mkdir -p "$dir/test-logs"
	if [[ -x $dir/$name ]]; then program=$dir/$name; else program=$source_dir/$name; fi
	if ((SECONDS >= limit)); then
		count FAIL 1 "$label$name (no time left)"
		echo "[$SECONDS s] FAIL $label$name: not run, the time is up"
		return
	fi
	((seconds <= limit - SECONDS)) || seconds=$((limit - SECONDS))
	if [[ $name == tests/unit/* ]]; then
		rm -f "$log.tap"
		(cd "$dir" && timeout -k 10 "$seconds" "$program" --tap="$log.tap") </dev/null >"$log.log" 2>&1
		status=$?
		[[ -f $log.tap ]] || : >"$log.tap"
		count_tap "$log.tap" $status "$label$name"
		[[ $verdict == PASS* ]] || cat "$log.tap" >>"$log.log"
	else
		(cd "$dir" && timeout -k 10 "$seconds" "$program") </dev/null >"$log.log" 2>&1
		status=$?
		# a process of the domain may report, and its client see nothing of it
		if ((!status)) && grep -qE "$reports" "$log.log"; then status=report; fi
		case $status in
		0) verdict=PASS ;;
		report) verdict="FAIL (a sanitizer's report)" ;;
		77) verdict=SKIP ;;
		124 | 137) verdict="FAIL (killed after $seconds s)" ;;
		*) verdict="FAIL (status $status)" ;;
		esac
		count "${verdict%% *}" 1 "$label$name"
	fi
	echo "[$SECONDS s] ${verdict%% *} $label$name${verdict#"${verdict%% *}"}, $((SECONDS - began)) s"
	case $verdict in
	FAIL*) last_words "$log.log" "$label$name" ;;
	SKIP*) tail -n 1 "$log.log" | sed 's/^/    | /' ;;
	esac
}

# run_step NAME SECONDS COMMAND...: something that is a test as a whole
run_step()
{
	local name=$1 seconds=$2 log=$build/test-logs/${1// /_}.log
	shift 2

	wanted "$name" || return 0
	mkdir -p "$build/test-logs"
	if timeout -k 10 "$seconds" "$@" </dev/null >"$log" 2>&1; then
		count PASS 1 "$name"
		echo "[$SECONDS s] PASS $name"
	else
		count FAIL 1 "$name"
		echo "[$SECONDS s] FAIL $name"
		last_words "$log" "$name"
	fi
}

# listed BUILD VARIABLE: the tests that a variable of the Makefile names
listed()
{
	make -s --no-print-directory -C "$1" print-list LIST="$2"
}

# run_list LABEL BUILD VARIABLE SECONDS [BUT-FOR]: all that are listed there but for those of another list
run_list()
{
	local name names but_for=

	names=$(listed "$2" "$3") || { count FAIL 1 "$1$3"; return; }
	[[ ! ${5:-} ]] || but_for=$(listed "$2" "$5") || { count FAIL 1 "$1$5"; return; }
	for name in $names; do
		[[ " ${but_for//$'\n'/ } " == *" $name "* ]] || run_test "$1" "$2" "$name" "$4"
	done
}

finish()
{
	local name

	if ((${#failures[@]})); then
		echo "== failed:"
		for name in "${failures[@]}"; do printf '    %s\n%s' "$name" "${why[$name]:+${why[$name]}$'\n'}"; done
	fi
	if ((skipped)) && [[ -z $all ]]; then
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	((!failed && passed))
	exit
}

build_or_finish() # LABEL ARGUMENTS OF build_in
{
	local label=$1
	shift
	build_in "$@" && return 0
	count FAIL 1 "$label"
	return 1
}

packages=$packages_build\ $packages_test
[[ -z $all ]] || packages+=" $packages_lint $packages_relinked $packages_fuzz $packages_apps"
# shellcheck disable=SC2086 # a list of words
if [[ $install ]] && ! packages_install $packages; then
	count FAIL 1 "installing packages"
	finish
fi

export FARCALL=$build/farcall FC_BUILD=$build FC_SOURCE=$source_dir
build_or_finish "build" "$source_dir" "$build" "all check-programs" --enable-werror || finish
run_list "" "$build" TESTS 120 ${all:+LONG_TESTS}

if [[ $all ]]; then
	export FC_STRESS_SECONDS=${FC_STRESS_SECONDS:-20}
	FC_TEST_LONG=1 run_list "long: " "$build" LONG_TESTS 600
	run_list "" "$build" STRESS_TESTS 600
	run_list "" "$build" ATTACK_TESTS 300
	run_list "" "$build" FUZZ_TESTS 600
	run_list "" "$build" APPS_TESTS 300
	run_list "" "$build" RELINKED_TESTS 1500
	run_list "" "$build" XEN_TESTS 1500
	for sanitizers in address,undefined thread; do
		dir=$source_dir/build-${sanitizers%%,*}
		build_or_finish "build with $sanitizers" "$source_dir" "$dir" "all sanitized-programs" --enable-werror \
			--enable-sanitizers="$sanitizers" || continue
		# what the domain's processes have locked away, the leak checker cannot look at
		# a shadow ends with its workers, and need not wait for those that have ended
		FARCALL=$dir/farcall FC_BUILD=$dir ASAN_OPTIONS=detect_leaks=0 TSAN_OPTIONS=report_thread_leaks=0 run_list "$sanitizers: " "$dir" SANITIZED_TESTS 600
	done
	run_step "make distcheck" 900 make -C "$build" distcheck TESTS='$(CLI_TESTS)'
	run_step "make lint" 600 make -C "$build" lint
fi
count_unmatched
finish
