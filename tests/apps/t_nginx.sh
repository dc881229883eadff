#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# nginx: configuration, logs, temporary files, documents and the listening Unix socket on the export; sendfile, AIO threads off, ranges,
# uploads, reopening of logs, reload.
. "$(dirname "$0")/apps.sh"
needs nginx-light nginx
needs curl curl
app_tree=names

get()
{
	curl -s -S --unix-socket "$PWD/sock" "$@"
}

app()
{
	mkdir www tmp put
	seq 1 100000 >www/numbers
	echo hello >www/index.html
	ln -s numbers www/link
	mkdir www/dir
	: >www/empty
	chmod -R a+rX . && chmod 777 tmp put
	cat >conf <<-CONF
		user www-data;
		worker_processes 2; daemon on; pid $PWD/pid; error_log $PWD/error.log;
		events { worker_connections 64; }
		http {
			access_log $PWD/access.log; sendfile on; client_body_temp_path $PWD/tmp; proxy_temp_path $PWD/tmp/p;
			fastcgi_temp_path $PWD/tmp/f; uwsgi_temp_path $PWD/tmp/u; scgi_temp_path $PWD/tmp/s; open_file_cache max=10;
			server {
				listen unix:$PWD/sock; root $PWD/www; autoindex_exact_size on;
				location /plain/ { alias $PWD/www/; sendfile off; }
				location /direct/ { alias $PWD/www/; directio 512; }
				location /put/ { root $PWD; client_max_body_size 2m; client_body_in_file_only on; return 204; }
			}
		}
	CONF
	nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/error.log" -t 2>&1 | grep -c successful
	nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/error.log"
	echo "start $?"
	until_so 20 test -s pid
	for path in / /numbers /plain/numbers /direct/numbers /link /empty /nothing /dir /dir/; do
		printf '%s: ' "$path"
		get -w ' %{http_code} %{size_download} ' -o "$APP_SIDE/got" "http://x$path"
		sha256sum <"$APP_SIDE/got"
	done
	get -r 100-120,5000-5010 http://x/numbers | grep -v -e -- -e '^ *$' -e boundary
	get -I http://x/numbers | grep -i -e content -e '^HTTP'
	pids=
	for i in 1 2 3 4 5 6; do
		get http://x/numbers | sha256sum >"$APP_SIDE/got.$i" &
		pids+=" $!"
	done
	# shellcheck disable=SC2086 # a list of numbers
	wait $pids
	sort "$APP_SIDE"/got.? | uniq -c
	head -c 1000000 /dev/zero | get -X POST --data-binary @- -w '%{http_code}\n' http://x/put/x
	mv access.log access.old
	nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/error.log" -s reopen
	until_so 20 test -e access.log
	get http://x/
	until_so 20 test -s access.log
	wc -l <access.log
	grep -c HTTP access.old
	echo changed >www/index.html
	nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/error.log" -s reload
	sleep 0.5
	get http://x/
	nginx -p "$PWD" -c "$PWD/conf" -e "$PWD/error.log" -s quit
	until_so 20 test ! -e pid
	ls
	grep -v -e notice -e 'open()' -e 'is not found' -e forbidden error.log
	rm -rf tmp
	true
}
compare
