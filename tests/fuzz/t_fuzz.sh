#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Fuzzes what the domain does with what its clients send: builds the targets of tests/fuzz with clang's libFuzzer and address sanitizer,
# and runs them from the corpus in the tree, two at a time, for FC_FUZZ_SECONDS in all (60; by hand 3600). Fails if the product
# does what it must not, leaks, or takes more than 5 s for one input; says then how to run that input again.
# What has been found is added to $FC_BUILD/fuzz/found, and the next run goes on from there. usage: t_fuzz.sh [TARGET...]
set -u

src=$(cd "${FC_SOURCE:-.}" && pwd)
out=${FC_BUILD:-$src/build}/fuzz
seconds=${FC_FUZZ_SECONDS:-60}
# shellcheck source=tests/lib/packages.sh
. "$src/tests/lib/packages.sh"
# shellcheck source=tests/fuzz/build.sh
. "$src/tests/fuzz/build.sh"
# seconds of a hundred: by how much there is to find
declare -A share=([request]=45 [control]=20 [supervisor]=15 [front]=15 [status]=5)
# edges that are covered in any time, by the inputs of the tree: with fewer the target has lost its way
declare -A least=([request]=1000 [control]=500 [supervisor]=500 [front]=400 [status]=50)
failed=0

fuzz_works || { echo "skipped: no clang with libFuzzer (Debian: $packages_fuzz)"; exit 77; }

# run_target TARGET: the inputs of the tree alone first, so that what they find is found in any time. 0 seconds would be no limit.
run_target()
{
	local target=$1 corpus=$src/tests/fuzz/corpus/$1 log=$out/$1.log
	local options=("${fuzz_options[@]}" "-artifact_prefix=$out/reproducers/$target-")
	# shellcheck disable=SC2207 # one word or none
	options+=($(fuzz_dictionary "$src" "$target"))

	mkdir -p "$out/found/$target"
	"$out/$target" "${options[@]}" -runs=0 "$corpus" >"$log" 2>&1 &&
		"$out/$target" "${options[@]}" "-max_total_time=$((seconds * 2 * share[$target] / 100 + 1))" -print_final_stats=1 \
			"$out/found/$target" "$corpus" >>"$log" 2>&1
}

report()
{
	local target=$1 status=$2 log=$out/$1.log units edges

	units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)
	edges=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1)
	edges=${edges#cov: }
	echo "$target: ${units:-0} executions, $(sed -n 's/^stat::average_exec_per_sec: *//p' "$log" | tail -n 1)/s," \
		"${edges:-no} edges covered," \
		"$(find "$src/tests/fuzz/corpus/$target" -type f | wc -l) inputs in the tree"
	if ((!status && ${edges:-0} < least[$target])); then
		failed=1
		echo "these are too few: does $target still do what its inputs are for?"
	fi
	((status)) || return 0
	failed=1
	grep -m 1 -E '^fuzz: |ERROR|libFuzzer: ' "$log"
	sed -n 's/^artifact_prefix=.*Test unit written to \(.*\)/again with: '"${out//\//\\/}\/$target"' \1/p' "$log"
	echo "the whole output is in $log"
}

mkdir -p "$out/reproducers"
targets=("$@")
(($#)) || read -ra targets <<<"$fuzz_targets"
for target in "${targets[@]}"; do
	fuzz_build "$src" "$src" "$out" "$target" || { echo "$target does not build"; exit 1; }
done
declare -A job
for target in "${targets[@]}"; do
	while (($(jobs -pr | wc -l) >= 2)); do sleep 0.2; done
	run_target "$target" &
	job[$target]=$!
done
for target in "${targets[@]}"; do
	wait "${job[$target]}"
	report "$target" $?
done
exit "$failed"
