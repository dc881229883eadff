#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh [NAME...] - the applications' tests, or those with one of these texts in their names; how long each took, then "N same, N differ, N
# skipped". With FARCALL= (empty) native runs are compared with native ones. tests/run.sh --all runs those that tests/Makemodule.am names.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
same=0 differ=0 skipped=0
names=("$@")
((${#names[@]})) || names=(t_)
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
cd "$(mktemp -d)" || exit 1
for script in "$here"/t_*.sh; do
	wanted=
	for text in "${names[@]}"; do [[ ${script##*/} != *"$text"* ]] || wanted=1; done
	[[ $wanted ]] || continue
	begun=$SECONDS
	timeout -k 10 600 "$script" </dev/null >"$log" 2>&1
	status=$?
	case $status in
	0) ((++same)); verdict=same ;;
	77) ((++skipped)); verdict=skipped ;;
	*) ((++differ)); verdict=DIFFER ;;
	esac
	echo "$verdict $(basename "$script" .sh), $((SECONDS - begun)) s: $(grep '^#' "$log" | tr -d '\n')"
	[[ $verdict = same ]] || tail -n 40 "$log" | sed 's/^/    | /'
done
rmdir "$PWD"
echo "$same same, $differ differ, $skipped skipped"
((!differ && same))
