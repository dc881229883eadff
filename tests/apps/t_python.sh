#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Python: shared mappings between processes, multiprocessing in its three ways, locks, compiled modules, a virtual environment, sqlite and dbm.
. "$(dirname "$0")/apps.sh"
needs python3 python3
app_tree=none

app()
{
	local python

	export HOME=$PWD
	python=$(python3 -c 'import sys; print(sys.executable)')
	mkdir pkg
	echo 'def f(x): return x * x' >pkg/mod.py
	cat >main.py <<-'PY'
	import asyncio, concurrent.futures, dbm, fcntl, glob, mmap, multiprocessing as mp, os, pickle, shelve, shutil, sqlite3, stat, struct
	import subprocess, sys, tempfile, threading, zipfile
	from pkg import mod

	def add(args):
	    path, i = args
	    with open(path, 'r+b') as f, mmap.mmap(f.fileno(), 4096) as m:
	        for _ in range(200):
	            fcntl.lockf(f, fcntl.LOCK_EX)
	            n, = struct.unpack_from('q', m, 0)
	            struct.pack_into('q', m, 0, n + i)
	            fcntl.lockf(f, fcntl.LOCK_UN)
	    return i

	def main():
	    print(mod.f(7), bool(glob.glob('pkg/__pycache__/mod*.pyc')))
	    for method in 'fork', 'spawn', 'forkserver':
	        with open('shared', 'wb') as f: f.truncate(4096)
	        with mp.get_context(method).Pool(3) as pool:
	            print(method, sorted(pool.map(add, [('shared', i) for i in range(1, 4)])))
	        print(struct.unpack('q', open('shared', 'rb').read(8)))
	    q = mp.Queue()
	    ps = [mp.Process(target=q.put, args=(open(__file__).read(20),)) for _ in range(3)]
	    for p in ps: p.start()
	    print([q.get() for _ in ps] == [open(__file__).read(20)] * 3)
	    for p in ps: p.join()
	    with open('grow', 'w+b') as f:
	        f.truncate(8192)
	        m = mmap.mmap(f.fileno(), 8192)
	        m[0:5] = b'hello'; m.flush()
	        os.pwrite(f.fileno(), b'J', 0)
	        print(m[0:5], os.pread(f.fileno(), 5, 0))
	        m.resize(16384); m[16380:] = b'last'
	        print(os.fstat(f.fileno()).st_size, m.rfind(b'last'))
	        m.move(100, 0, 5); print(m[100:105]); m.close()
	    with shelve.open('shelf') as s:
	        s['a'] = [1, 2, 3]
	    with shelve.open('shelf') as s: print(s['a'])
	    d = sqlite3.connect('db'); d.execute('pragma journal_mode=wal'); d.execute('create table t(a)')
	    d.executemany('insert into t values(?)', ((i,) for i in range(1000))); d.commit()
	    print(sqlite3.connect('db').execute('select sum(a) from t').fetchone())
	    with concurrent.futures.ThreadPoolExecutor(6) as ex:
	        list(ex.map(lambda i: open(f't{i}', 'w').write(str(i) * 1000), range(60)))
	    print(sum(os.path.getsize(f't{i}') for i in range(60)))
	    with zipfile.ZipFile('z.zip', 'w', zipfile.ZIP_DEFLATED) as z:
	        for i in range(60): z.write(f't{i}')
	    print(zipfile.ZipFile('z.zip').testzip(), len(zipfile.ZipFile('z.zip').namelist()))
	    r = subprocess.run([sys.executable, '-c', 'import zipimport, sys; sys.path.insert(0, "m.zip"); import inside; print(inside.x)'],
	        capture_output=True, text=True) if not zipfile.ZipFile('m.zip', 'w').writestr('inside.py', 'x = 42') else None
	    print(r.stdout, r.returncode)
	    with tempfile.TemporaryDirectory(dir='.') as t, tempfile.TemporaryFile(dir=t) as f:
	        f.write(b'x' * 100000); f.seek(0); print(len(f.read()), os.fstat(f.fileno()).st_nlink)
	    async def lines():
	        p = await asyncio.create_subprocess_exec('cat', 'main.py', stdout=subprocess.PIPE)
	        out, _ = await p.communicate()
	        server = await asyncio.start_unix_server(lambda r, w: (w.write(b'hi'), w.close()), 'sock')
	        reader, writer = await asyncio.open_unix_connection('sock')
	        got = await reader.read(); writer.close(); server.close()
	        return out == open('main.py', 'rb').read(), got, stat.S_ISSOCK(os.stat('sock').st_mode)
	    print(asyncio.run(lines()))
	    print(os.sendfile(os.open('out', os.O_WRONLY | os.O_CREAT), os.open('db', os.O_RDONLY), 0, 4096), os.path.getsize('out'))
	    print(shutil.disk_usage('.').total > 0, os.access('main.py', os.X_OK))

	if __name__ == '__main__':
	    main()
	PY
	"$python" main.py
	echo "status $?"
	"$python" -m venv --without-pip env && env/bin/python -c 'import sys, os; print(sys.prefix == os.path.realpath("env"), sys.prefix != sys.base_prefix)'
	"$python" -m compileall -q -f pkg && ls pkg
	"$python" -m tarfile -c x.tar pkg/mod.py && "$python" -m tarfile -l x.tar
}
compare
