#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# git: a repository with branches, merges, packs and worktrees, cloned, pushed to and bisected; every name in it is the same afterwards.
. "$(dirname "$0")/apps.sh"
needs git git
app_tree=none # an index holds inode numbers

app()
{
	local i

	export HOME=$PWD/home GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' GIT_PAGER=cat
	mkdir home
	git config --global user.name Somebody
	git config --global user.email somebody@example.org
	git config --global init.defaultBranch main
	git config --global advice.detachedHead false
	git config --global gc.auto 0
	git init -q r
	cd r || return
	mkdir -p d/e
	for i in $(seq 60); do seq "$i" $((i * 20)) >d/e/f"$i"; done
	ln -s d/e/f1 link
	printf '#!/bin/sh\necho hook ran\n' >.git/hooks/pre-commit
	chmod +x .git/hooks/pre-commit
	git add . && git commit -q -m one 2>&1
	git status --short
	git checkout -q -b side
	for i in $(seq 5); do echo "$i" >>d/e/f"$i"; git commit -q -a -m "side $i" 2>&1; done
	git checkout -q main
	sed -i 's/^17$/seventeen/' d/e/f*
	git commit -q -a -m sed
	git merge -q -m merged side
	git rm -q d/e/f60 && git mv d/e/f59 moved && git commit -q -m moved
	git stash list; echo x >moved; git stash -q; git stash list; git stash pop -q; git diff --stat; git checkout -q moved
	git log --oneline --graph | head -n 20
	git repack -a -d -q -f && git count-objects -v | grep -v size
	git fsck --full --strict
	git worktree add -q ../w side && (cd ../w && echo w >w && git add w && git commit -q -m w && git log --oneline | head -n 1)
	git clone -q --bare . ../bare.git && git push -q ../bare.git main:pushed && git -C ../bare.git branch
	git clone -q ../bare.git ../clone && (cd ../clone && git branch -a && git fetch -q && git reset -q --hard HEAD~2 && git pull -q --ff-only && git rev-parse HEAD)
	git bisect start -q HEAD HEAD~3 2>/dev/null | tail -n 1
	git bisect run sh -c '! test -e moved' 2>&1 | grep 'first bad'
	git bisect reset -q
	git archive HEAD | tar -t | sha256sum
	git gc -q --aggressive --prune=now
	git grep -c seventeen | head -n 3
	git rebase -q side~2 main 2>&1 | head -n 3
	git rebase --abort 2>/dev/null
	git clean -fdxq
	git status --porcelain
	cd ..
	(cd r && git ls-files -s | sha256sum && find . -path ./.git -prune -o -print | sort | sha256sum)
}
compare
