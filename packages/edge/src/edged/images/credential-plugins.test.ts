import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { minutes } from '@kedge/core/time';
import { createCredentialPlugins } from './credential-plugins.ts';
import { parseImage } from './image-reference.ts';

const provider = {
  name: 'vendor',
  matchImages: ['*.registry.example'],
  cacheFor: minutes(5),
  args: ['get'],
  env: { ZONE: 'a' },
};

function plugins(answer: object | string, code = 0) {
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const ran: { command: string; args: readonly string[]; input: unknown; env: unknown }[] = [];
  const { credentials } = createCredentialPlugins({
    clock,
    log: silentLog,
    settings: { binDirectory: '/opt/plugins', providers: [provider] },
    processes: {
      async run(command, args, { input = '', env } = {}) {
        ran.push({ command, args, input: JSON.parse(input), env });
        return { code, stdout: typeof answer === 'string' ? answer : JSON.stringify(answer), stderr: 'no' };
      },
    },
  });
  const ask = async (image: string) =>
    (await credentials(parseImage(image)!, new AbortController().signal)).map(
      ({ username, password }) => `${username}:${password}`,
    );
  return { clock, ran, ask };
}

const response = (more: object = {}) => ({
  apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
  kind: 'CredentialProviderResponse',
  auth: {
    'eu.registry.example': { username: 'node', password: 'p1' },
    'other.registry.example': { username: 'x', password: 'x' },
  },
  ...more,
});

test('a plugin is asked for images that are its, and what it says is used for those that it is for', async () => {
  const { ran, ask } = plugins(response());
  assert.deepEqual(await ask('eu.registry.example/app:1'), ['node:p1']);
  assert.deepEqual(ran, [
    {
      command: '/opt/plugins/vendor',
      args: ['get'],
      input: {
        apiVersion: 'credentialprovider.kubelet.k8s.io/v1',
        kind: 'CredentialProviderRequest',
        image: 'eu.registry.example/app:1',
      },
      env: { ZONE: 'a' },
    },
  ]);
  assert.deepEqual(await ask('docker.io/library/app:1'), []);
  assert.equal(ran.length, 1);
});

test('an answer is kept for as long, and for as much, as it says', async () => {
  const image = plugins(response());
  await image.ask('eu.registry.example/app:1');
  await image.ask('eu.registry.example/app:1');
  await image.ask('eu.registry.example/app:2');
  assert.equal(image.ran.length, 2);
  const registry = plugins(response({ cacheKeyType: 'Registry', cacheDuration: '10m0s' }));
  await registry.ask('eu.registry.example/app:1');
  await registry.clock.advance(minutes(9));
  assert.deepEqual(await registry.ask('eu.registry.example/app:2'), ['node:p1']);
  assert.equal(registry.ran.length, 1);
  await registry.clock.advance(minutes(2));
  await registry.ask('eu.registry.example/app:2');
  assert.equal(registry.ran.length, 2);
  const never = plugins(response({ cacheDuration: '0s' }));
  await never.ask('eu.registry.example/app:1');
  await never.ask('eu.registry.example/app:1');
  assert.equal(never.ran.length, 2);
});

test('a plugin that fails, or talks nonsense, leaves the pull to others', async () => {
  assert.deepEqual(await plugins(response(), 1).ask('eu.registry.example/app:1'), []);
  assert.deepEqual(await plugins('not JSON').ask('eu.registry.example/app:1'), []);
  assert.deepEqual(await plugins(response({ apiVersion: 'v9' })).ask('eu.registry.example/app:1'), []);
  assert.deepEqual(await plugins(response({ auth: null })).ask('eu.registry.example/app:1'), []);
});
