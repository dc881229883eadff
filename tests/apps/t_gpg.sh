#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# GnuPG: a home directory, its agent and the agent's sockets on the export; keys, signatures, encryption, an export, lock files.
. "$(dirname "$0")/apps.sh"
needs "gnupg gpg-agent" gpg gpg-agent gpgconf gpg-connect-agent
app_tree=none # keys are random

g()
{
	gpg --batch --no-tty -q --pinentry-mode loopback --passphrase '' "$@" 2>gpg.err
	local status=$?
	((!status)) || { echo "gpg $* gives $status"; cat gpg.err; }
	return $status
}

app()
{
	export GNUPGHOME=$PWD/home
	mkdir -m 700 home
	rm -rf /run/user/0/gnupg
	echo "keyserver-options no-auto-key-retrieve" >home/gpg.conf
	g --quick-generate-key 'One <one@example.org>' ed25519 sign never
	g --quick-generate-key 'Two <two@example.org>' future-default default never
	g --list-secret-keys --with-colons | grep -c '^sec'
	gpg-connect-agent 'getinfo socket_name' 'keyinfo --list' /bye | grep -c -e "^S KEYINFO" -e "^D"
	find home -type s -printf '%f %m\n' | sort
	seq 1 5000 >text
	g -u one@example.org --detach-sign text && g --verify text.sig text && echo signed
	g -u one@example.org --clearsign text && g --verify text.asc && echo clearsigned
	g -r two@example.org --trust-model always --encrypt text && g -o text.back --decrypt text.gpg && cmp text text.back && echo encrypted
	echo broken >>text
	gpg --batch -q --verify text.sig text 2>/dev/null || echo "a bad signature"
	pids=
	for i in 1 2 3; do
		(gpg --batch --no-tty -q --pinentry-mode loopback --passphrase '' -u one@example.org -o "sig$i" --detach-sign text 2>"sig$i.err") &
		pids+=" $!"
	done
	# shellcheck disable=SC2086 # a list of numbers
	wait $pids
	for i in 1 2 3; do g --verify "sig$i" text && echo "valid $i"; done
	g --export -a one@example.org >one.pub
	mkdir -m 700 other
	g --homedir "$PWD/other" --import one.pub && g --homedir "$PWD/other" --list-keys --with-colons | grep -c '^pub'
	gpgconf --kill all
	gpgconf --homedir "$PWD/other" --kill all
	until_so 10 sh -c '! pgrep -x gpg-agent'
	g -u one@example.org -o again --detach-sign text && echo "signed by a new agent"
	gpgconf --kill all
	ls home
}
compare
