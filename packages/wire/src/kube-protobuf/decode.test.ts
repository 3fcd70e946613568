import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { codeOf } from '@kedge/core/errors';
import { assert as check, property, uint8Array } from 'fast-check';
import { decodeKubeProtobuf, kubeProtobufErrors } from './index.ts';

type Write = (writer: BinaryWriter) => unknown;
const message = (...fields: readonly [number: number, write: Uint8Array | string | number | boolean][]): Uint8Array => {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    const tag = (wire: number): BinaryWriter => writer.tag(number, wire);
    const writes: Record<string, Write> = {
      string: () => tag(2).string(value as string),
      number: () => tag(0).int64(value as number),
      boolean: () => tag(0).bool(value as boolean),
      object: () => tag(2).bytes(value as Uint8Array),
    };
    writes[typeof value]!(writer);
  }
  return writer.finish();
};
const envelope = (apiVersion: string, kind: string, raw: Uint8Array): Uint8Array =>
  new Uint8Array([0x6b, 0x38, 0x73, 0, ...message([1, message([1, apiVersion], [2, kind])], [2, raw])]);

describe('Kubernetes protobuf', () => {
  test('reads what kubectl sends for a new service account', () => {
    const hex =
      '6b3873000a140a0276311' +
      '20e536572766963654163636f756e7412190a170a0764656661756c7412001a0022002a0032003800420' +
      '01a002200';
    assert.deepEqual(decodeKubeProtobuf(Uint8Array.from(Buffer.from(hex, 'hex'))), {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'default' },
    });
  });

  test('reads nested, inline, repeated and special fields, and tells absent from zero only where Go does', () => {
    const quantity = message([1, '100m']);
    const resources = message([2, message([1, 'cpu'], [2, quantity])]);
    const probe = message([1, message([2, message([1, '/healthz'], [2, message([1, 1], [3, 'http'])])])], [2, 0]);
    const container = message(
      [1, 'main'],
      [2, 'busybox'],
      [3, 'sh'],
      [3, '-c'],
      [8, resources],
      [10, probe],
      [16, false],
    );
    const volume = message([1, 'tmp'], [2, message([2, message()])]);
    const spec = message([1, volume], [2, container], [3, ''], [4, 0]);
    const metadata = message([1, 'web'], [8, message([1, 1_700_000_000])], [11, message([1, 'app'], [2, 'web'])]);
    assert.deepEqual(decodeKubeProtobuf(envelope('v1', 'Pod', message([1, metadata], [2, spec], [3, message()]))), {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', creationTimestamp: '2023-11-14T22:13:20Z', labels: { app: 'web' } },
      spec: {
        volumes: [{ name: 'tmp', emptyDir: {} }],
        containers: [
          {
            name: 'main',
            image: 'busybox',
            command: ['sh', '-c'],
            resources: { requests: { cpu: '100m' } },
            livenessProbe: { httpGet: { path: '/healthz', port: 'http' } },
          },
        ],
        terminationGracePeriodSeconds: 0,
      },
    });
  });

  test('reads bytes as base64 and maps of lists', () => {
    const spec = message([1, new Uint8Array([1, 2, 3])], [6, message([1, 'team'], [2, message([1, 'a'], [1, 'b'])])]);
    const { spec: read } = decodeKubeProtobuf(
      envelope('certificates.k8s.io/v1', 'CertificateSigningRequest', message([2, spec])),
    );
    assert.deepEqual(read, { request: 'AQID', extra: { team: ['a', 'b'] } });
  });

  test('refuses kinds it does not know, and anything that is no message', () => {
    assert.throws(
      () => decodeKubeProtobuf(envelope('example.com/v1', 'Lamp', message())),
      kubeProtobufErrors.UNKNOWN_KIND.is,
    );
    assert.throws(() => decodeKubeProtobuf(new Uint8Array([1, 2, 3])), kubeProtobufErrors.BAD_MESSAGE.is);
    check(
      property(uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decodeKubeProtobuf(envelope('v1', 'Pod', bytes));
        } catch (error) {
          assert.equal(codeOf(error), kubeProtobufErrors.BAD_MESSAGE.code);
        }
      }),
    );
  });
});
