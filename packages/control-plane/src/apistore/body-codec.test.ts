// Bodies on disk: what is encrypted, what opens it again, and what a configuration may say.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createCiphers } from '@kedge/platform/node';
import { encryptedBodies, plainBodies } from './body-codec.ts';
import { readEncryptionConfig } from './encryption-config.ts';
import { apiStoreErrors } from './store-errors.ts';

const secret = (fill: number, bytes = 32): string => btoa(String.fromCharCode(...new Uint8Array(bytes).fill(fill)));
const config = (...providers: object[]) => ({
  kind: 'EncryptionConfiguration',
  apiVersion: 'apiserver.config.k8s.io/v1',
  resources: [{ resources: ['secrets'], providers }],
});
const provider = (by: string, ...keys: [string, string][]) => ({
  [by]: { keys: keys.map(([name, value]) => ({ name, secret: value })) },
});
const codec = (...providers: object[]) => encryptedBodies(readEncryptionConfig(config(...providers)), createCiphers());
const key = { resource: 'secrets', namespace: 'default', name: 'db' };
const text = '{"data":{"password":"swordfish ü"}}';

describe('bodies', () => {
  for (const by of ['aesgcm', 'aescbc']) {
    test(`of chosen resources are encrypted by ${by} and come back`, () => {
      const bodies = codec(provider(by, ['key1', secret(1)]), { identity: {} });
      const written = bodies.toDisk(key, text);
      assert.match(written, new RegExp(`^k8s:enc:${by}:v1:key1:[\\w+/=]+$`));
      assert.equal(bodies.fromDisk(key, written), text);
      assert.notEqual(bodies.toDisk(key, text), written, 'a fresh nonce each time');
      assert.equal(bodies.toDisk({ ...key, resource: 'configmaps' }, text), text);
    });
  }

  test('written with an older key are read as long as it is listed, and written with the first one', () => {
    const before = codec(provider('aesgcm', ['old', secret(1)])).toDisk(key, text);
    const bodies = codec(provider('aesgcm', ['new', secret(2)], ['old', secret(1)]));
    assert.equal(bodies.fromDisk(key, before), text);
    assert.match(bodies.toDisk(key, text), /:new:/);
    const without = codec(provider('aesgcm', ['new', secret(2)]));
    assert.throws(() => without.fromDisk(key, before), /no key "old" of aesgcm opens it/);
  });

  test('from before there were keys are read as they are; identity first writes in the clear', () => {
    const bodies = codec({ identity: {} }, provider('aesgcm', ['key1', secret(1)]));
    assert.equal(bodies.fromDisk(key, text), text);
    assert.equal(bodies.toDisk(key, text), text);
  });

  test('that were changed, or put in the place of another, do not open', () => {
    const bodies = codec(provider('aesgcm', ['key1', secret(1)]));
    const written = bodies.toDisk(key, text);
    const unreadable = (error: unknown) => apiStoreErrors.UNREADABLE.is(error);
    assert.throws(() => bodies.fromDisk({ ...key, name: 'other' }, written), unreadable);
    assert.throws(() => bodies.fromDisk(key, `${written.slice(0, -6)}AAAAA=`), unreadable);
    assert.throws(() => bodies.fromDisk(key, 'k8s:enc:aesgcm:v2:key1:AA=='), unreadable);
    assert.throws(() => bodies.fromDisk(key, 'k8s:enc:'), unreadable);
    assert.throws(() => plainBodies.fromDisk(key, written), /this server was given no keys/);
  });

  test('of a whole group, or of everything, are meant by wildcards', () => {
    const rules = (resources: string[]) =>
      encryptedBodies(
        readEncryptionConfig({
          ...config(),
          resources: [{ resources, providers: [provider('aesgcm', ['k', secret(1)])] }],
        }),
        createCiphers(),
      );
    const isHidden = (resources: string[], resource: string): boolean =>
      rules(resources).toDisk({ ...key, resource }, text) !== text;
    assert.deepEqual(
      ['secrets', 'deployments.apps', 'daemonsets.apps', 'jobs.batch'].map((resource) => [
        isHidden(['*.apps'], resource),
        isHidden(['*.'], resource),
        isHidden(['*.*'], resource),
        isHidden(['deployments.apps'], resource),
      ]),
      [
        [false, true, true, false],
        [true, false, true, true],
        [true, false, true, false],
        [false, false, true, false],
      ],
    );
  });
});

describe('an encryption configuration', () => {
  const bad: [string, unknown, RegExp][] = [
    ['that is something else', { kind: 'Pod' }, /it needs kind EncryptionConfiguration.*resources: Required value/],
    ['that is nothing', undefined, /it needs kind EncryptionConfiguration/],
    ['without providers', config(), /resources\[0\]\.providers: Required value/],
    [
      'with a key of the wrong length',
      config(provider('aesgcm', ['a', secret(1, 31)])),
      /keys\[0\]\.secret: needs 16, 24 or 32 bytes/,
    ],
    ['with a key that is not base64', config(provider('aesgcm', ['a', '%%'])), /in base64/],
    [
      'with a name that would not come back',
      config(provider('aesgcm', ['a:b', secret(1)])),
      /needs a name without colons/,
    ],
    [
      'with the same name twice',
      config(provider('aescbc', ['a', secret(1)], ['a', secret(2)])),
      /two keys have the same name/,
    ],
    [
      'with a provider that is not there',
      config({ kms: {} }),
      /resources\[0\]\.providers\[0\]\.kms: is not supported here/,
    ],
    ['with two providers in one entry', config({ aesgcm: {}, identity: {} }), /needs exactly one of/],
    ['without keys', config({ aesgcm: { keys: [] } }), /aesgcm\.keys: Required value/],
  ];
  for (const [what, document, expected] of bad) {
    test(`${what} is refused`, () => assert.throws(() => readEncryptionConfig(document), expected));
  }
});
