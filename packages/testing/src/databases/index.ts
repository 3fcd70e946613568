// Real databases of a test's own, each on a free port of loopback and in a temporary directory, where they are installed:
// Debian's redis-server, mariadb-server-core, postgresql and influxdb.
//
//     describe('...', { skip: missing.redis }, () => { ... const { port } = await startRedis(t);
export { missing, startInfluxdb, startMariadb, startPostgres, startRedis } from './start-databases.ts';
