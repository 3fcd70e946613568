// The OPC UA mapper against node-opcua's server on loopback: what every mapper must do, and what only OPC UA has.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, describe, test, type TestContext } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { milliseconds } from '@kedge/core/time';
import type { PropertyType } from '@kedge/model/kubeedge';
import { createRandom, systemClock } from '@kedge/platform/node';
import { describeMapper, temporaryDirectory } from '@kedge/testing/contracts';
import { makeIdentity, startOpcuaServer } from '@kedge/testing/opcua';
import { browse, createOpcuaMapper, type FoundVariable } from '../src/mapper-opcua/index.ts';
import { mapperErrors, type RawValue, readConfig, type Reading } from '../src/mapper-sdk/index.ts';

const deps = { clock: systemClock, random: createRandom() };
const node = (name: string) => ({ nodeID: `ns=1;s=${name}` });

describe('the OPC UA mapper', () => {
  const directory = mkdtempSync(join(tmpdir(), 'kedge-opcua-'));
  after(() => rmSync(directory, { recursive: true }));

  describeMapper('OPC UA', createOpcuaMapper({ directory }), deps, async (t) => {
    const server = await startOpcuaServer(t);
    return {
      protocolConfig: { url: server.url, timeout: 3 },
      properties: {
        temperature: { type: 'DOUBLE', visitor: node('Temperature'), value: 21.5 },
        level: { type: 'INT', visitor: node('Level'), value: -2 },
        counter: { type: 'INT', visitor: { browseName: '1:Boiler/1:Counter' }, value: 2n ** 62n + 1n },
        running: { type: 'BOOLEAN', visitor: node('Running'), value: true },
        name: { type: 'STRING', visitor: node('Name'), value: 'Käse' },
        blob: { type: 'BYTES', visitor: node('Blob'), value: Uint8Array.of(0, 255, 7) },
        list: { type: 'STRING', visitor: node('List'), value: '[1,2,3]' },
        since: { type: 'STRING', visitor: node('Since'), value: '2026-11-27T06:00:00.000Z' },
      },
      writable: 'temperature',
      written: 42.25,
      missing: node('Nowhere'),
      unusable: { nodeID: { not: 'text' } },
      set: async (_, value) => server.set('Temperature', value),
      stop: server.stop,
    };
  });

  /** A mapper with a directory of its own. */
  async function place(t: TestContext) {
    const own = await temporaryDirectory(t);
    const driver = createOpcuaMapper({ directory: own });
    const stop = new AbortController();
    t.after(() => stop.abort(new Error('the test is over')));
    async function open(protocol: Record<string, unknown>) {
      const config = readConfig(driver.protocolConfig, { timeout: 3, ...protocol }, 'protocol');
      const connection = await driver.open(config, { ...deps, log: silentLog, signal: stop.signal });
      t.after(() => connection.close());
      return connection;
    }
    const point = (
      property: string,
      visitor: Record<string, unknown> = node(property),
      type: PropertyType = 'INT',
    ) => ({
      property,
      type,
      access: 'ReadWrite' as const,
      cycle: milliseconds(50),
      visitor: readConfig(driver.visitorConfig, visitor, property),
    });
    const read = async (connection: Awaited<ReturnType<typeof open>>, name: string): Promise<RawValue> => {
      const [reading] = await connection.read([point(name)], stop.signal);
      if (!reading || 'error' in reading) throw reading?.error ?? new Error('no reading');
      return reading.value;
    };
    return { own, driver, open, point, read, signal: stop.signal };
  }

  const isFault = (reason: string, words?: RegExp) => (error: unknown) =>
    mapperErrors.FAULT.is(error) && error.details.reason === reason && (!words || words.test(error.message));
  const isRefusal = (words: RegExp) => (error: unknown) => mapperErrors.REFUSED.is(error) && words.test(error.message);

  test('every security policy in every mode, with the certificate that was made on the first start', async (t) => {
    const server = await startOpcuaServer(t);
    const { own, open, read } = await place(t);
    for (const securityPolicy of ['Basic256Sha256', 'Aes128Sha256RsaOaep', 'Aes256Sha256RsaPss']) {
      for (const securityMode of ['Sign', 'SignAndEncrypt']) {
        const connection = await open({ url: server.url, securityPolicy, securityMode, trustOnFirstUse: true });
        assert.equal(await read(connection, 'Temperature'), 21.5, `${securityPolicy} ${securityMode}`);
      }
    }
    assert.deepEqual((await readdir(join(own, 'own'))).sort(), ['certificate.pem', 'private-key.pem']);
    await assert.rejects(
      open({ url: server.url, securityPolicy: 'Basic256', trustOnFirstUse: true }),
      isFault('NoSuchEndpoint'),
    );
  });

  test('a server that nobody trusts is refused, in words, until its certificate is moved over', async (t) => {
    const server = await startOpcuaServer(t);
    const { own, open, read } = await place(t);
    const secure = { url: server.url, securityPolicy: 'Basic256Sha256' };
    await assert.rejects(
      open(secure),
      isFault('UntrustedServer', /"boiler" \(SHA-256 [0-9A-F:]+\).*move .*rejected.* to .*trusted/),
    );
    const [file] = await readdir(join(own, 'rejected'));
    await rename(join(own, 'rejected', file!), join(own, 'trusted', file!));
    assert.equal(await read(await open(secure), 'Temperature'), 21.5);
  });

  /** An authority as plants run one, with openssl: it signs a server, and takes that back. */
  async function makeAuthority(t: TestContext) {
    const folder = await temporaryDirectory(t);
    // node-opcua leaves an OPENSSL_CONF behind in the environment.
    const environment = { cwd: folder, stdio: 'pipe', env: { PATH: process.env['PATH'] } } as const;
    const openssl = (...args: string[]): void => void execFileSync('openssl', args, environment);
    await writeFile(join(folder, 'index.txt'), '');
    await writeFile(join(folder, 'number'), '1000\n');
    await writeFile(
      join(folder, 'ca.cnf'),
      '[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n',
    );
    const san = 'subjectAltName=URI:urn:kedge:test-server,IP:127.0.0.1\nkeyUsage=digitalSignature,keyEncipherment\n';
    await writeFile(join(folder, 'server.cnf'), san);
    const key = ['-nodes', '-newkey', 'rsa:2048'];
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=Plant CA', '-days', '30');
    openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=signed boiler');
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', '0x00ab12cd', '-days', '20'];
    openssl('x509', '-req', '-in', 'server.csr', ...by, '-extfile', 'server.cnf', '-out', 'server.pem');
    const ca = ['ca', '-config', 'ca.cnf', '-cert', 'ca.pem', '-keyfile', 'ca.key'];
    const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');
    return {
      certificate: await read('ca.pem'),
      server: { certificate: `${await read('server.pem')}${await read('ca.pem')}`, key: await read('server.key') },
      revoke: () => openssl(...ca, '-revoke', 'server.pem'),
      async list(until = '20991231000000Z'): Promise<string> {
        openssl(...ca, '-gencrl', '-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', until, '-out', 'list.crl');
        return read('list.crl');
      },
    };
  }

  test('a server whose authority has revoked it is refused, however it came to be trusted', async (t) => {
    const authority = await makeAuthority(t);
    const server = await startOpcuaServer(t, { identity: authority.server });
    const { own, open, read } = await place(t);
    const put = async (name: string, content: string | Uint8Array): Promise<void> => {
      await mkdir(join(own, name, '..'), { recursive: true });
      await writeFile(join(own, name), content);
    };
    const secure = { url: server.url, securityMode: 'Sign' };
    const closed = async (protocol: Record<string, unknown> = secure): Promise<RawValue> => {
      const connection = await open(protocol);
      const value = await read(connection, 'Level');
      await connection.close();
      return value;
    };
    await put('trusted/ca.pem', authority.certificate);
    assert.equal(await closed(), -2);
    // One that revokes nobody, and is long overdue, keeps nobody out.
    await put('crl/plant.crl', await authority.list('20200201000000Z'));
    assert.equal(await closed(), -2);
    authority.revoke();
    const list = await authority.list();
    await put('crl/plant.crl', list);
    const isRevoked = isFault('CertificateRevoked', /"signed boiler".* was revoked on 20\d\d-.*plant\.crl/);
    await assert.rejects(open(secure), isRevoked);
    const pinned = join(own, 'pinned.pem');
    await writeFile(pinned, authority.server.certificate);
    await assert.rejects(open({ ...secure, remoteCertificate: pinned }), isRevoked);
    await assert.rejects(open({ ...secure, trustOnFirstUse: true }), isRevoked);
    // DER as well, beside the authority.
    await rm(join(own, 'crl'), { recursive: true });
    const der = Buffer.from(list.replace(/-----[^\n]+/g, ''), 'base64');
    await put('trusted/plant.crl', der);
    await assert.rejects(open(secure), isFault('CertificateRevoked'));
    // What somebody else has signed, or has changed, says nothing; what cannot be read may say anything.
    const forged = Buffer.from(der);
    forged[forged.length - 5]! ^= 1;
    await put('trusted/plant.crl', forged);
    assert.equal(await closed(), -2);
    await put('trusted/plant.crl', 'half a fi');
    await assert.rejects(open(secure), isFault('BadRevocationList', /plant\.crl .*replace it/));
  });

  test('what was trusted on first use stays the only one', async (t) => {
    const server = await startOpcuaServer(t);
    const { own, open, read } = await place(t);
    const secure = { url: server.url, securityMode: 'Sign', trustOnFirstUse: true };
    await open(secure);
    await server.stop();
    const other = await startOpcuaServer(t, { port: server.port });
    await assert.rejects(open(secure), isFault('CertificateChanged', /remove .*first-use/));
    const pinned = join(own, 'boiler.pem');
    await writeFile(pinned, other.identity.certificate);
    assert.equal(await read(await open({ ...secure, trustOnFirstUse: false, remoteCertificate: pinned }), 'Level'), -2);
    await writeFile(pinned, server.identity.certificate);
    await assert.rejects(
      open({ ...secure, remoteCertificate: pinned }),
      isFault('UntrustedServer', /remoteCertificate/),
    );
  });

  test('a server that does not trust us: it is said which certificate it should', async (t) => {
    const server = await startOpcuaServer(t, { trustsEverybody: false });
    const { open } = await place(t);
    await assert.rejects(
      open({ url: server.url, securityPolicy: 'Basic256Sha256', trustOnFirstUse: true }),
      isFault('NotTrustedByServer', /own\/certificate\.pem/),
    );
  });

  test('users: a password from a file, a certificate, nobody; the wrong ones are refused', async (t) => {
    const server = await startOpcuaServer(t, { user: { name: 'operator', password: 'right' } });
    const { own, open, read } = await place(t);
    const file = async (name: string, content: string): Promise<string> => {
      await writeFile(join(own, name), content);
      return join(own, name);
    };
    const secure = { url: server.url, securityPolicy: 'Basic256Sha256', trustOnFirstUse: true };
    const password = await file('password', 'right\n');
    assert.equal(await read(await open({ ...secure, userName: 'operator', password }), 'Level'), -2);
    const wrong = await file('wrong', 'wrong\n');
    await assert.rejects(
      open({ ...secure, userName: 'operator', password: wrong }),
      isFault('LoginRefused', /check userName/),
    );
    await assert.rejects(open(secure), isFault('LoginRefused'));
    const user = await makeIdentity();
    const userCertificate = await file('user.pem', user.certificate);
    const userPrivateKey = await file('user.key', user.key);
    assert.equal(await read(await open({ ...secure, userCertificate, userPrivateKey }), 'Level'), -2);
    await assert.rejects(open({ ...secure, userName: 'operator', password: '/nowhere' }), mapperErrors.BAD_CONFIG.is);
  });

  test('values are written as what the node is; what does not fit, and what cannot be written, is refused', async (t) => {
    const server = await startOpcuaServer(t);
    const { open, point, signal } = await place(t);
    const connection = await open({ url: server.url });
    const write = (name: string, value: RawValue) => connection.write!(point(name), value, signal);
    const table: [name: string, value: RawValue, stored: unknown][] = [
      ['Level', -300, -300],
      ['Counter', 2n ** 63n + 5n, [0x8000_0000, 5]],
      ['Running', false, false],
      ['Name', 'Möbel', 'Möbel'],
      ['Ratio', 0.25, 0.25],
      ['Blob', Uint8Array.of(1, 2), Buffer.from([1, 2])],
      ['List', '[4,5]', Int32Array.of(4, 5)],
      ['Since', '2026-01-02T03:04:05.000Z', new Date('2026-01-02T03:04:05Z')],
    ];
    for (const [name, value, stored] of table) {
      await write(name, value);
      assert.deepEqual(server.get(name), stored, name);
    }
    await assert.rejects(write('Level', 40_000), isRefusal(/40000 for a node of type Int16/));
    await assert.rejects(write('Level', 1.5), isRefusal(/no whole number/));
    await assert.rejects(write('Ratio', 1e39), isRefusal(/Float/));
    await assert.rejects(write('List', '4'), isRefusal(/takes a JSON list/));
    await assert.rejects(write('Fixed', 1), isRefusal(/Bad(NotWritable|UserAccessDenied)/));
    await assert.rejects(write('Nowhere', 1), isRefusal(/BadNodeIdUnknown/));
    assert.equal(server.get('Level'), -300);
  });

  test('names of namespaces and ways below Objects lead to nodes; those that lead nowhere say so', async (t) => {
    const server = await startOpcuaServer(t);
    const { open, point, signal } = await place(t);
    const connection = await open({ url: server.url });
    const [a, b, c, d] = await connection
      .read(
        [
          point('a', { nodeID: 'nsu=urn:kedge:test-server;s=Level' }),
          point('b', { browseName: '/1:Boiler/1:Level' }),
          point('c', { nodeID: 'nsu=urn:nobody;s=Level' }),
          point('d', { browseName: '1:Boiler/1:Depth' }),
        ].reverse(),
        signal,
      )
      .then((all) => [...all].sort((x, y) => x.property.localeCompare(y.property)));
    assert.ok(a && 'value' in a && a.value === -2 && b && 'value' in b && b.value === -2);
    assert.ok(c && 'error' in c && isFault('BadNodeIdUnknown', /urn:nobody/)(c.error));
    assert.ok(d && 'error' in d && isFault('BadNoMatch', /1:Depth/)(d.error));
    const [odd] = await connection.read([point('odd', { nodeID: 'Boiler.Temperature' })], signal);
    assert.ok(odd && 'error' in odd && mapperErrors.BAD_CONFIG.is(odd.error));
  });

  async function subscribed(
    t: TestContext,
    protocol: Record<string, unknown>,
    names: readonly string[],
    deadband?: number,
  ) {
    const mapper = await place(t);
    const connection = await mapper.open(protocol);
    const told: Reading[] = [];
    let wake: () => void = () => undefined;
    const onReadings = (readings: readonly Reading[]): void => {
      told.push(...readings);
      wake();
    };
    const until = async (isSo: () => boolean): Promise<void> => {
      while (!isSo()) await new Promise<void>((resolve) => (wake = resolve));
    };
    const points = names.map((name) => ({ ...mapper.point(name), ...(deadband === undefined ? {} : { deadband }) }));
    const polled = await connection.subscribe!(points, onReadings, mapper.signal);
    const valuesOf = (name: string) =>
      told.flatMap((one) => (one.property === name && 'value' in one ? [one.value] : []));
    return { ...mapper, connection, told, until, polled, valuesOf };
  }

  test('changes are told with the time of the server; a small one within the deadband is not', async (t) => {
    const server = await startOpcuaServer(t);
    const { until, polled, valuesOf, told } = await subscribed(
      t,
      { url: server.url },
      ['Pressure', 'Temperature', 'Name', 'Nowhere'],
      0.5,
    );
    assert.equal(server.subscriptions, 1);
    // A text has no deadband, and is subscribed to all the same; what is not there is polled, and found when it comes.
    assert.deepEqual(polled, ['Nowhere']);
    await until(() => valuesOf('Temperature').length === 1 && valuesOf('Name').length === 1);
    server.set('Temperature', 21.7);
    server.set('Name', 'next');
    await until(() => valuesOf('Name').length === 2);
    server.set('Temperature', 22.5);
    await until(() => valuesOf('Temperature').length > 1);
    assert.deepEqual(valuesOf('Temperature'), [21.5, 22.5]);
    for (const one of told) assert.ok('value' in one && Math.abs(one.at! - Date.now()) < 30_000);
  });

  test('events are told one by one: as JSON, or what they say, or how severe they are', async (t) => {
    const server = await startOpcuaServer(t);
    const { open, point, read, signal } = await place(t);
    const connection = await open({ url: server.url });
    const boiler = { nodeID: 'ns=1;s=Boiler' };
    const points = [
      point('all', { ...boiler, event: 'json', eventFields: '1:BatchId, SourceNode' }, 'STRING'),
      point('batches', { ...boiler, event: 'json', eventFields: '1:BatchId', eventType: server.batchDone }, 'STRING'),
      point('severe', { browseName: '1:Boiler', event: 'message', minimumSeverity: 500 }, 'STRING'),
      point('severity', { event: 'severity' }),
      point('nobody', { ...node('Level'), event: 'message' }, 'STRING'),
    ];
    const told = new Map<string, { value: RawValue; at: number }[]>(points.map(({ property }) => [property, []]));
    const enough = Promise.withResolvers<void>();
    const polled = await connection.subscribe!(
      points,
      (readings) => {
        for (const one of readings) if ('value' in one) told.get(one.property)?.push({ value: one.value, at: one.at! });
        if (told.get('severity')!.length === 4) enough.resolve();
      },
      signal,
    );
    assert.deepEqual(polled, ['nobody']);
    server.raise('pump on', 100);
    server.raise('batch done', 200, 'b-17');
    server.raise('too hot', 800);
    server.raise('too hot', 800);
    await enough.promise;
    const valuesOf = (name: string) => told.get(name)!.map(({ value }) => value);
    assert.deepEqual(valuesOf('severity'), [100, 200, 800, 800]);
    // The same words at the same time are two events.
    assert.deepEqual(valuesOf('severe'), ['too hot', 'too hot']);
    const times = told.get('severe')!.map(({ at }) => at);
    assert.ok(times[1]! > times[0]! && Math.abs(times[1]! - Date.now()) < 30_000);
    const all = valuesOf('all').map((value) => JSON.parse(String(value)));
    assert.deepEqual(
      all.map(({ message, severity }) => [message, severity]),
      [
        ['pump on', 100],
        ['batch done', 200],
        ['too hot', 800],
        ['too hot', 800],
      ],
    );
    const [, batch] = all;
    assert.match(batch.id, /^[A-Za-z0-9+/]+=*$/);
    assert.ok(Math.abs(Date.parse(batch.time) - Date.now()) < 30_000);
    assert.deepEqual(
      [batch.type, batch.source, batch['1:BatchId'], batch['SourceNode']],
      [server.batchDone, 'Boiler', 'b-17', 'ns=1;s=Boiler'],
    );
    assert.equal(all[0]['1:BatchId'], null);
    assert.deepEqual(
      valuesOf('batches').map((value) => JSON.parse(String(value))['1:BatchId']),
      ['b-17'],
    );
    const lookUp = async (name: string) =>
      (
        await connection.read(
          points.filter((one) => one.property === name),
          signal,
        )
      )[0]!;
    const last = await lookUp('severe');
    assert.ok('value' in last && last.value === 'too hot');
    const none = await lookUp('nobody');
    assert.ok('error' in none && isFault('NoEvents', /ns=1;s=Level tells of no events/)(none.error));
    await assert.rejects(connection.write!(points[0]!, 'x', signal), isRefusal(/events of the server/));
    assert.equal(await read(connection, 'Level'), -2);
  });

  test('methods of the server are called, with what they take and give back', async (t) => {
    const server = await startOpcuaServer(t);
    const { open, point, signal } = await place(t);
    const connection = await open({ url: server.url });
    const of = (method: string, type: PropertyType = 'STRING') =>
      point('p', { nodeID: 'ns=1;s=Boiler', methodID: method }, type);
    const call = (method: string, value: RawValue) => connection.call!('any', { p: value }, signal, [of(method)]);
    assert.deepEqual(await call('ns=1;s=Reset', 'whatever'), {});
    assert.deepEqual(await connection.call!('any', { p: 5 }, signal, [point('p', node('Level'))]), undefined);
    const other = await open({ url: server.url });
    const heat = point('p', { browseName: '1:Boiler', methodID: '1:Heat' });
    assert.deepEqual(await other.call!('any', { p: 95 }, signal, [heat]), { result: 20 });
    await assert.rejects(
      other.call!('any', { p: 70_000 }, signal, [heat]),
      isRefusal(/70000 for a node of type Int16/),
    );
    const third = await open({ url: server.url });
    const mix = (value: RawValue) => third.call!('any', { p: value }, signal, [of('ns=1;s=Mix')]);
    assert.deepEqual(await mix('["soup", 2.5]'), { result: '[7,"B"]' });
    await assert.rejects(mix('soup'), isRefusal(/a JSON list of 2: recipe: String, litres: Float/));
    const fourth = await open({ url: server.url });
    await assert.rejects(fourth.call!('any', { p: '' }, signal, [of('1:Refuse')]), isRefusal(/BadInvalidState/));
    const fifth = await open({ url: server.url });
    await assert.rejects(fifth.call!('any', { p: '' }, signal, [of('1:Nowhere')]), isFault('BadNoMatch', /1:Nowhere/));
    await assert.rejects(fifth.write!(of('1:Reset'), 'x', signal), isRefusal(/a method of the server/));
    const both = point('p', { nodeID: 'i=2253', methodID: '1:Reset', event: 'json' });
    await assert.rejects(fifth.call!('any', { p: '' }, signal, [both]), mapperErrors.BAD_CONFIG.is);
    assert.deepEqual(server.called, [['Reset'], ['Heat', 95], ['Mix', 'soup', 2.5], ['Refuse']]);
  });

  test('a server without subscriptions is polled', async (t) => {
    const server = await startOpcuaServer(t, { hasSubscriptions: false });
    const { polled, connection, read } = await subscribed(t, { url: server.url }, ['Level', 'Name']);
    assert.deepEqual(polled, ['Level', 'Name']);
    assert.equal(await read(connection, 'Level'), -2);
  });

  test('devices with the same settings share a session; it ends with the last of them', async (t) => {
    const server = await startOpcuaServer(t);
    const { open, read } = await place(t);
    const [first, second] = [await open({ url: server.url }), await open({ url: server.url })];
    assert.equal(server.sessions, 1);
    await first.close();
    assert.equal(await read(second, 'Level'), -2);
    await second.close();
    const third = await open({ url: server.url });
    assert.equal(await read(third, 'Level'), -2);
  });

  test('a server that is gone is noticed, and the same one is reached again', async (t) => {
    const server = await startOpcuaServer(t);
    const { connection, open, read } = await subscribed(t, { url: server.url }, ['Level']);
    await server.stop();
    assert.ok(isFault('ConnectionLost')(await connection.lost));
    await assert.rejects(open({ url: server.url }), isFault('Unreachable'));
    await startOpcuaServer(t, { port: server.port, identity: server.identity });
    assert.equal(await read(await open({ url: server.url }), 'Level'), -2);
  });

  test(
    'a node that hangs costs the request its time; a server that hangs is given up',
    { timeout: 60_000 },
    async (t) => {
      const server = await startOpcuaServer(t);
      const { open, read } = await place(t);
      const connection = await open({ url: server.url, timeout: 0.5 });
      server.hang('Level');
      await assert.rejects(read(connection, 'Level'));
      const silent = createServer((socket) => void socket.on('error', () => undefined)).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      t.after(() => void silent.close());
      const { port } = silent.address() as AddressInfo;
      await assert.rejects(open({ url: `opc.tcp://127.0.0.1:${port}`, timeout: 0.5 }), isFault('Unreachable'));
    },
  );

  test(
    'a server that falls silent while nothing is asked is noticed, subscription or not',
    { timeout: 60_000 },
    async (t) => {
      const server = await startOpcuaServer(t);
      const pairs: Socket[] = [];
      const relay = createServer((socket) => {
        const inner = connect(server.port, '127.0.0.1');
        pairs.push(socket, inner);
        for (const end of [socket, inner]) end.on('error', () => undefined);
        socket.pipe(inner).pipe(socket);
      }).listen(0, '127.0.0.1');
      await once(relay, 'listening');
      t.after(() => {
        for (const end of pairs) end.destroy();
        relay.close();
      });
      const { port } = relay.address() as AddressInfo;
      const url = `opc.tcp://127.0.0.1:${port}`;
      const { connection, until, valuesOf } = await subscribed(t, { url, timeout: 0.5 }, ['Level']);
      await until(() => valuesOf('Level').length === 1);
      for (const end of pairs) end.unpipe();
      assert.ok(isFault('ConnectionLost')(await connection.lost));
    },
  );

  test('finds variables with their types, units and ranges, and proposes one device', async (t) => {
    const server = await startOpcuaServer(t);
    const { own, driver, signal } = await place(t);
    const context = { ...deps, log: silentLog, signal };
    const found = new Map<string, FoundVariable>();
    for await (const one of browse(own, { server: { url: server.url }, limit: 100 }, context))
      found.set(one.nodeID, one);
    assert.deepEqual(found.get('ns=1;s=Pressure'), {
      nodeID: 'ns=1;s=Pressure',
      path: ['Boiler', 'Pressure'],
      type: 'DOUBLE',
      canBeWritten: true,
      description: 'in the vessel',
      unit: 'bar',
      minimum: 0,
      maximum: 16,
    });
    assert.equal(found.get('ns=1;s=Fixed')!.canBeWritten, false);
    assert.equal(found.size, 11);
    const devices = [];
    for await (const device of driver.discover!({ url: server.url, limit: '3' }, context)) devices.push(device);
    assert.equal(devices.length, 1);
    assert.match(devices[0]!.name, /^127-0-0-1-\d+$/);
    assert.equal(devices[0]!.properties.length, 3);
    assert.deepEqual(devices[0]!.properties[0]!.visitorConfig, {
      nodeID: 'ns=1;s=Temperature',
      browseName: 'Temperature',
    });
  });
});
