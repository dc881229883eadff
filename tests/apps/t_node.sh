#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# node: modules required from the export, promises of files, streams, watchers of a file and of a directory, a Unix socket, workers.
. "$(dirname "$0")/apps.sh"
needs nodejs node
app_tree=names

app()
{
	mkdir -p node_modules/dep lib
	echo 'exports.name = "dep"; exports.where = __filename.endsWith("node_modules/dep/index.js");' >node_modules/dep/index.js
	echo 'export default "an es module";' >lib/m.mjs
	cat >main.js <<-'JS'
	'use strict';
	const fs = require('fs'), fsp = fs.promises, path = require('path'), net = require('net'), cp = require('child_process');
	const { Worker } = require('worker_threads');
	const dep = require('dep'), later = ms => new Promise(r => setTimeout(r, ms));
	const until = async f => { for (let i = 0; i < 300; i++) { if (f()) return true; await later(50); } return false; };
	async function files() {
		console.log(dep.name, dep.where, (await import('./lib/m.mjs')).default);
		await Promise.all([...Array(40).keys()].map(i => fsp.writeFile('f' + i, 'x'.repeat(i * 1000))));
		const sizes = await Promise.all([...Array(40).keys()].map(async i => (await fsp.stat('f' + i)).size));
		console.log(sizes.reduce((a, b) => a + b));
		await new Promise((ok, bad) => fs.createReadStream('f39').pipe(fs.createWriteStream('copy')).on('finish', ok).on('error', bad));
		console.log(fs.readFileSync('copy').length, (await fsp.readdir('.')).length);
		await fsp.mkdir('a/b/c', { recursive: true });
		await fsp.cp('lib', 'a/lib', { recursive: true });
		console.log(fs.existsSync('a/lib/m.mjs'), await fsp.realpath('a/../lib') === path.resolve('lib'));
		await fsp.rm('a', { recursive: true });
		try { fs.openSync('nothing/x'); } catch (e) { console.log(e.code, e.syscall); }
		fs.copyFileSync('copy', 'copy2', fs.constants.COPYFILE_EXCL);
		try { fs.copyFileSync('copy', 'copy2', fs.constants.COPYFILE_EXCL); } catch (e) { console.log(e.code); }
	}
	async function watching() {
		const seen = new Set();
		fs.mkdirSync('watched');
		fs.writeFileSync('one', '1');
		const d = fs.watch('watched', (what, name) => seen.add(what + ' ' + name));
		const f = fs.watch('one', what => seen.add('one: ' + what));
		fs.watchFile('one', { interval: 50 }, (now, then) => seen.add('polled ' + then.size + ' ' + now.size));
		await later(100);
		cp.execSync('echo x >watched/made; mv watched/made watched/moved; rm watched/moved; echo more >>one');
		console.log(await until(() => seen.size >= 5));
		await later(200);
		d.close(); f.close(); fs.unwatchFile('one');
		console.log([...seen].sort());
	}
	async function sockets() {
		const server = net.createServer(c => { c.on('data', x => c.end('got ' + x)); });
		await new Promise(r => server.listen(path.resolve('sock'), r));
		console.log(fs.statSync('sock').isSocket());
		const text = await new Promise((ok, bad) => {
			let all = '';
			net.connect(path.resolve('sock'), function () { this.write('hello'); }).on('data', x => { all += x; }).on('end', () => ok(all)).on('error', bad);
		});
		console.log(text);
		await new Promise(r => server.close(r));
		console.log(fs.existsSync('sock'));
	}
	async function workers() {
		fs.writeFileSync('worker.js', `const fs = require('fs'), { workerData: n, parentPort: p } = require('worker_threads');
			for (let i = 0; i < 50; i++) fs.appendFileSync('appended', 'w' + n + '\\n'); p.postMessage(n);`);
		const got = await Promise.all([1, 2, 3].map(n => new Promise((ok, bad) =>
			new Worker('./worker.js', { workerData: n }).on('message', ok).on('error', bad))));
		console.log(got, fs.readFileSync('appended', 'utf8').split('\n').length);
		const fork = cp.spawnSync(process.execPath, ['-e', 'console.log(process.cwd() === process.argv[1]); process.exit(3)', process.cwd()]);
		console.log(fork.status, String(fork.stdout));
	}
	(async () => { await files(); await watching(); await sockets(); await workers(); })().catch(e => { console.log(e); process.exit(1); });
	JS
	node main.js
}
compare
