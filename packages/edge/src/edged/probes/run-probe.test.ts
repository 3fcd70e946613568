// What a probe asks, with every field that it has, and what it makes of the answers.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '@kedge/core/testing';
import { seconds } from '@kedge/core/time';
import type { ProbeNetwork } from '@kedge/core/ports';
import type { Probe } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import { rpcErrors } from '@kedge/wire/rpc';
import { createRunProbe, type ProbeResult } from './run-probe.ts';

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
};
const signal = new AbortController().signal;
type Exec = { exitCode: number; stdout: Uint8Array; stderr: Uint8Array };

interface World {
  readonly network?: Partial<ProbeNetwork>;
  readonly exec?: (request: Parameters<Cri['execSync']>[0]) => Promise<Exec>;
  readonly clock?: FakeClock;
}

function ask(probe: Probe, { network = {}, exec, clock = new FakeClock({ settle }) }: World): Promise<ProbeResult> {
  const run = createRunProbe({
    cri: { execSync: exec } as unknown as Cri,
    clock,
    network: network as ProbeNetwork,
  });
  const container = { name: 'main', ports: [{ name: 'web', containerPort: 8_080 }] };
  return run(probe, { container, containerId: 'c1', podIp: '10.0.0.2' }, signal);
}

describe('a probe by HTTP', () => {
  async function asked(
    httpGet: NonNullable<Probe['httpGet']>,
    status = 200,
  ): Promise<{ request: unknown; result: ProbeResult }> {
    let request: unknown;
    const get: ProbeNetwork['get'] = async (what) => {
      request = what;
      return { status, body: '', location: undefined };
    };
    const result = await ask({ httpGet }, { network: { get } });
    return { request, result };
  }

  const requests: [string, NonNullable<Probe['httpGet']>, object][] = [
    [
      'the pod, by plain HTTP, at /',
      { port: 80 },
      { scheme: 'http', host: '10.0.0.2', port: 80, path: '/', headers: [] },
    ],
    [
      'a port by its name',
      { port: 'web', path: '/a?b=c' },
      { scheme: 'http', host: '10.0.0.2', port: 8_080, path: '/a?b=c', headers: [] },
    ],
    [
      'another host by HTTPS, with headers',
      {
        port: 443,
        scheme: 'HTTPS',
        host: 'h',
        httpHeaders: [
          { name: 'X-A', value: '1' },
          { name: 'X-A', value: '2' },
        ],
      },
      {
        scheme: 'https',
        host: 'h',
        port: 443,
        path: '/',
        headers: [
          ['X-A', '1'],
          ['X-A', '2'],
        ],
      },
    ],
    [
      'the pod where host and path are empty',
      { port: 80, host: '', path: '' },
      { scheme: 'http', host: '10.0.0.2', port: 80, path: '/', headers: [] },
    ],
  ];
  for (const [what, httpGet, expected] of requests) {
    test(`asks ${what}`, async () => assert.deepEqual((await asked(httpGet)).request, expected));
  }

  for (const [status, is] of [
    [199, 'failure'],
    [200, 'success'],
    [304, 'success'],
    [399, 'success'],
    [400, 'failure'],
    [503, 'failure'],
  ] as const) {
    test(`${status} is a ${is}`, async () => assert.equal((await asked({ port: 80 }, status)).result.is, is));
  }

  test('of a port that the container has not fails and names it', async () => {
    assert.deepEqual((await asked({ port: 'admin' })).result, { is: 'failure', message: 'there is no port "admin"' });
  });

  const led: [string, string, string | undefined][] = [
    ['a path', '/b', 'http://10.0.0.2:80/b'],
    ['a path beside this one', 'b?c=d', 'http://10.0.0.2:80/a/b?c=d'],
    ['another port', 'http://10.0.0.2:81/b', 'http://10.0.0.2:81/b'],
    ['HTTPS', 'https://10.0.0.2/b', 'https://10.0.0.2:443/b'],
    ['another host', 'http://10.0.0.3/b', undefined],
    ['another protocol', 'ftp://10.0.0.2/b', undefined],
    ['nowhere', 'http://:x', undefined],
  ];
  for (const [what, location, next] of led) {
    test(`that is sent to ${what} ${next ? 'goes there' : 'stays and warns'}`, async () => {
      const seen: string[] = [];
      const get: ProbeNetwork['get'] = async ({ scheme, host, port, path }) => {
        seen.push(`${scheme}://${host}:${port}${path}`);
        return seen.length === 1 ? { status: 302, body: '', location } : { status: 500, body: '', location: undefined };
      };
      const result = await ask({ httpGet: { port: 80, path: '/a/x' } }, { network: { get } });
      assert.deepEqual(seen, ['http://10.0.0.2:80/a/x', ...(next ? [next] : [])]);
      assert.equal(result.is, next ? 'failure' : 'success');
      assert.equal('warning' in result, next === undefined);
    });
  }
});

describe('a probe by command', () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const probe: Probe = { exec: { command: ['check'] }, timeoutSeconds: 3 };

  test('asks for its time, and fails with what the command said', async () => {
    let timeout: bigint | undefined;
    const result = await ask(probe, {
      exec: async (request) => {
        timeout = request.timeout;
        return { exitCode: 1, stdout: bytes('out '), stderr: bytes('err\n') };
      },
    });
    assert.equal(timeout, 3n);
    assert.deepEqual(result, { is: 'failure', message: 'out err' });
  });

  test('that takes too long fails; one that the runtime does not carry out says nothing', async () => {
    const failing = (error: Error): World => ({
      exec: async () => {
        throw error;
      },
    });
    const late = await ask(probe, failing(rpcErrors.TIMED_OUT({ method: 'execSync', afterMs: 3_000 })));
    assert.equal(late.is, 'failure');
    const down = rpcErrors.UNREACHABLE({ method: 'execSync', address: 'fake', reason: 'it is down' });
    assert.deepEqual(await ask(probe, failing(down)), { is: 'unknown' });
  });
});

describe('a probe by connection or gRPC', () => {
  test('takes no longer than it may, and what it began is given up', async () => {
    const clock = new FakeClock({ settle });
    let isGivenUp = false;
    const connect: ProbeNetwork['connect'] = (_at, until) =>
      new Promise((_, reject) => {
        until.addEventListener('abort', () => {
          isGivenUp = true;
          reject(new Error('given up'));
        });
      });
    const asking = ask({ tcpSocket: { port: 'web' }, timeoutSeconds: 2 }, { clock, network: { connect } });
    await clock.advance(seconds(2));
    assert.deepEqual(await asking, { is: 'failure', message: 'no answer within 2s' });
    assert.ok(isGivenUp);
  });

  for (const [status, is] of [
    [1, 'success'],
    [0, 'failure'],
    [2, 'failure'],
    [3, 'failure'],
  ] as const) {
    test(`a service that answers ${status} is a ${is}`, async () => {
      let seen: unknown;
      const grpcHealth: ProbeNetwork['grpcHealth'] = async (target) => {
        seen = target;
        return status;
      };
      const result = await ask({ grpc: { port: 50_051, service: 'db' } }, { network: { grpcHealth } });
      assert.deepEqual(seen, { host: '10.0.0.2', port: 50_051, service: 'db' });
      assert.equal(result.is, is);
    });
  }
});
