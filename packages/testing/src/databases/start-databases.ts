// How each of them is started with nothing of the machine's own configuration, and with an empty database.
import { execFileSync } from 'node:child_process';
import { chownSync, readdirSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../contracts/temporary-directory.ts';
import { freePort } from '../free-port/index.ts';
import { findProgram, type OwnServer, startServer } from '../server-process/index.ts';

type Ends = Pick<TestContext, 'after'>;

const postgresDirectories = ((): string[] => {
  try {
    return readdirSync('/usr/lib/postgresql')
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => `/usr/lib/postgresql/${version}/bin`);
  } catch {
    return [];
  }
})();
const programs = {
  redis: findProgram('redis-server'),
  mariadb: findProgram('mariadbd'),
  postgres: findProgram('postgres', ...postgresDirectories),
  influxdb: findProgram('influxd'),
};
type Name = keyof typeof programs;

/** For `skip`: false, or the line that says what is not installed. */
export const missing = Object.fromEntries(
  Object.entries(programs).map(([name, path]) => [name, path === undefined && `${name} is not installed`]),
) as Readonly<Record<Name, string | false>>;

const programOf = (name: Name): string => programs[name] ?? name;

export async function startRedis(t: Ends, { password }: { password?: string } = {}): Promise<OwnServer> {
  const port = await freePort();
  const directory = await temporaryDirectory(t);
  const settings = { port, bind: '127.0.0.1', dir: directory, save: '', requirepass: password ?? '' };
  const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, String(value)]);
  return startServer(t, { program: programOf('redis'), args, port });
}

/** With the database `test` and the user `mapper`, whose password is `secret`. */
export async function startMariadb(t: Ends): Promise<OwnServer> {
  const port = await freePort();
  const directory = await temporaryDirectory(t);
  const data = join(directory, 'data');
  const init = join(directory, 'init.sql');
  const statements = [
    'CREATE DATABASE IF NOT EXISTS test;',
    "CREATE USER IF NOT EXISTS mapper@'127.0.0.1' IDENTIFIED BY 'secret';",
    "GRANT ALL ON test.* TO mapper@'127.0.0.1';",
  ];
  await writeFile(init, `${statements.join('\n')}\n`);
  const common = ['--no-defaults', `--datadir=${data}`, '--user=root'];
  const quick = ['--auth-root-authentication-method=normal', '--skip-test-db', '--innodb-log-file-size=4M'];
  execFileSync('mariadb-install-db', [...common, ...quick], { stdio: 'ignore' });
  const own = [`--port=${port}`, '--bind-address=127.0.0.1', `--socket=${join(directory, 'socket')}`];
  const lean = ['--skip-log-bin', '--innodb-log-file-size=4M', '--innodb-buffer-pool-size=8M'];
  const pid = `--pid-file=${join(directory, 'pid')}`;
  return startServer(t, {
    program: programOf('mariadb'),
    args: [...common, ...own, ...lean, pid, '--skip-name-resolve', `--init-file=${init}`],
    port,
  });
}

/** With the user `mapper`, whose password is `secret`, and the database `postgres`. */
export async function startPostgres(t: Ends): Promise<OwnServer> {
  const port = await freePort();
  const directory = await temporaryDirectory(t);
  // It refuses to run as root.
  const owner = process.getuid?.() === 0 ? idsOf('postgres') : undefined;
  if (owner) chownSync(directory, owner.uid, owner.gid);
  await chmod(directory, 0o700);
  const data = join(directory, 'data');
  const password = join(directory, 'password');
  await writeFile(password, 'secret\n', { mode: 0o644 });
  const initdb = findProgram('initdb', ...postgresDirectories) ?? 'initdb';
  const how = ['--username=mapper', `--pwfile=${password}`, '--auth=scram-sha-256', '--no-sync', '--no-locale'];
  execFileSync(initdb, [`--pgdata=${data}`, '-E', 'UTF8', ...how], {
    stdio: 'ignore',
    cwd: directory,
    ...owner,
  });
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', `unix_socket_directories=${directory}`, 'fsync=off'];
  const args = ['-D', data, ...settings.flatMap((setting) => ['-c', setting])];
  // Killed otherwise, it leaves shared memory behind.
  return startServer(t, { program: programOf('postgres'), args, port, owner, stopSignal: 'SIGQUIT' });
}

const idsOf = (user: string): { uid: number; gid: number } => ({
  uid: Number(execFileSync('id', ['-u', user], { encoding: 'utf8' })),
  gid: Number(execFileSync('id', ['-g', user], { encoding: 'utf8' })),
});

/** Debian's 1.6, without users. */
export async function startInfluxdb(t: Ends): Promise<OwnServer> {
  const [port, other] = [await freePort(), await freePort()];
  const directory = await temporaryDirectory(t);
  for (const name of ['meta', 'data', 'wal']) await mkdir(join(directory, name));
  const config = join(directory, 'influxdb.conf');
  await writeFile(
    config,
    `reporting-disabled = true
bind-address = "127.0.0.1:${other}"
[meta]
  dir = "${directory}/meta"
[data]
  dir = "${directory}/data"
  wal-dir = "${directory}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:${port}"
  log-enabled = false
`,
  );
  return startServer(t, { program: programOf('influxdb'), args: ['-config', config], port });
}
