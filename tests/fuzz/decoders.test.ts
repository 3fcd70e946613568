// Everything that reads text from strangers: whatever it is given, it answers or refuses with a typed error.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { instant } from '@kedge/core/time';
import { checkJoinToken, createJoinToken } from '@kedge/engine/identity-cloud';
import { parseKubeconfig } from '@kedge/engine/kube-client';
import {
  readCloudCoreConfig,
  readEdgeCoreConfig,
  writeCloudCoreDefaults,
  writeEdgeCoreDefaults,
} from '@kedge/model/componentconfig';
import { jsonPatch, mergePatch, strategicMerge } from '@kedge/model/k8s-patch';
import { canonicalQuantity, compareQuantities, parseQuantity } from '@kedge/model/k8s-quantity';
import { matchesFields, matchesLabels, parseFieldSelector, parseLabelSelector } from '@kedge/model/k8s-selectors';
import type { RawMessage } from '@kedge/model/messages';
import { createKeys } from '@kedge/platform/node';
import {
  createDenseCloudCodec,
  createDenseEdgeCodec,
  downstreamFromWire,
  plainCloudCodec,
  plainEdgeCodec,
  upstreamFromWire,
} from '@kedge/wire/hub';
import { parse } from 'yaml';
import { readRecording, recordings } from '../interop/recorded/read-recording.ts';
import { answersOrRefuses, runs, spoiledDocument, spoiledText } from './spoiled.ts';

/** One message of each route that was recorded, so that every reader is reached. */
function sampleOf(direction: 'edge>cloud' | 'cloud>edge'): RawMessage[] {
  const byRoute = new Map<string, RawMessage>();
  for (const { dir, message } of recordings.flatMap(readRecording)) {
    if (dir !== direction) continue;
    const { source, operation, resource } = message.route;
    byRoute.set(`${source} ${operation} ${resource?.split('/').slice(-2, -1)}`, message);
  }
  return [...byRoute.values()];
}
const frameOf = (data: string | Uint8Array) => ({
  data: typeof data === 'string' ? new TextEncoder().encode(data) : data,
  binary: typeof data !== 'string',
});

describe('the hub link', () => {
  for (const [direction, codec, fromWire] of [
    ['edge>cloud', plainCloudCodec, upstreamFromWire],
    ['cloud>edge', plainEdgeCodec, downstreamFromWire],
  ] as const) {
    const messages = sampleOf(direction);
    test(`${direction}: recorded messages with one wrong value`, () => {
      assert.ok(messages.length > 5);
      const check = (message: unknown): void =>
        answersOrRefuses(() => codec.decode(frameOf(JSON.stringify(message))), message);
      fc.assert(fc.property(spoiledDocument(messages), check), runs(1_500));
    });
    test(`${direction}: recorded messages with broken text`, () => {
      const texts = messages.map((message) => JSON.stringify(message));
      fc.assert(
        fc.property(spoiledText(texts), (text) => answersOrRefuses(() => codec.decode(frameOf(text)), text)),
        runs(500),
      );
    });
    test(`${direction}: any route with any content`, () => {
      const word = fc.oneof(
        fc.string({ maxLength: 12 }),
        fc.constantFrom(
          'node',
          'default',
          'pod',
          'podpatch',
          'nodepatch',
          'lease',
          'serviceaccounttoken',
          'event',
          'membership',
          '',
        ),
      );
      const any = fc.record({
        header: fc.record({ msg_id: fc.string({ minLength: 1, maxLength: 8 }), timestamp: fc.integer() }),
        route: fc.record({
          source: word,
          group: word,
          operation: fc.constantFrom(
            'insert',
            'update',
            'delete',
            'query',
            'patch',
            'response',
            'error',
            'keepalive',
            'x',
          ),
          resource: fc.array(word, { maxLength: 6 }).map((parts) => parts.join('/')),
        }),
        content: fc.jsonValue({ maxDepth: 3 }),
      });
      fc.assert(
        fc.property(any, (raw) => answersOrRefuses(() => fromWire(raw as RawMessage), raw)),
        runs(1_000),
      );
    });
  }

  test('dense frames of any tuples, in both directions', () => {
    const scalar = fc.oneof(
      fc.integer({ min: -2, max: 40 }),
      fc.string({ maxLength: 10 }),
      fc.constant(null),
      fc.boolean(),
    );
    const tuple = fc.array(fc.oneof(scalar, fc.jsonValue({ maxDepth: 2 }), fc.array(scalar, { maxLength: 4 })), {
      maxLength: 9,
    });
    const frame = fc.oneof(fc.array(tuple, { maxLength: 4 }), fc.jsonValue({ maxDepth: 3 }));
    fc.assert(
      fc.property(frame, (value) => {
        const data = frameOf(JSON.stringify(value));
        answersOrRefuses(() => createDenseCloudCodec(() => 0).decode(data), value);
        answersOrRefuses(() => createDenseEdgeCodec(() => 0).decode(data), value);
      }),
      runs(2_000),
    );
  });

  test('bytes', () => {
    const codecs = [plainCloudCodec, plainEdgeCodec, createDenseCloudCodec(() => 0), createDenseEdgeCodec(() => 0)];
    const check = (bytes: Uint8Array): void => {
      for (const codec of codecs) answersOrRefuses(() => codec.decode(frameOf(bytes)), [...bytes]);
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), check), runs(500));
  });
});

describe('selectors and quantities', () => {
  test('label selectors match or refuse', () => {
    const good = ['a=b,c!=d', 'x in (a, b),!y', 'app.kubernetes.io/name notin (x),z', 'n>5,m<7', 'a==b'];
    const alphabet = fc.string({ unit: fc.constantFrom(...'ab/.-_=!<>(), \tin"\0é'), maxLength: 40 });
    const labels = fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), { maxKeys: 4 });
    fc.assert(
      fc.property(fc.oneof(spoiledText(good), alphabet, fc.string()), labels, (text, on) =>
        answersOrRefuses(() => assert.equal(typeof matchesLabels(parseLabelSelector(text), on), 'boolean'), text),
      ),
      runs(1_500),
    );
  });

  test('field selectors match or refuse', () => {
    const good = ['metadata.name=x,status.phase!=Running', 'spec.nodeName==e\\,1', 'a=\\\\'];
    const alphabet = fc.string({ unit: fc.constantFrom(...'ab.=!,\\'), maxLength: 30 });
    fc.assert(
      fc.property(fc.oneof(spoiledText(good), alphabet, fc.string()), (text) =>
        answersOrRefuses(() => matchesFields(parseFieldSelector(text), (field) => (field === 'a' ? 'b' : '')), text),
      ),
      runs(1_000),
    );
  });

  test('quantities are read, or refused, and a read one survives being written', () => {
    const good = ['100m', '1.5Gi', '12e6', '-0.5', '1E3', '+7k', '0.000000001n', '9223372036854775807'];
    const alphabet = fc.string({ unit: fc.constantFrom(...'0123456789.+-eEkKMGTPimnu '), maxLength: 24 });
    fc.assert(
      fc.property(fc.oneof(spoiledText(good), alphabet, fc.string()), (text) =>
        answersOrRefuses(() => {
          const read = parseQuantity(text);
          if (!read) return;
          const again = parseQuantity(canonicalQuantity(text) ?? '');
          assert.ok(again && compareQuantities(read, again) === 0, text);
        }, text),
      ),
      runs(1_500),
    );
  });
});

describe('patches', () => {
  const pod = {
    metadata: { name: 'a', labels: { x: 'y' } },
    spec: { containers: [{ name: 'c', image: 'i', env: [{ name: 'A', value: 'b' }] }], tolerations: [{ key: 'k' }] },
  };
  test('of JSON, with any operations', () => {
    const path = fc.constantFrom(
      '',
      '/',
      '/spec',
      '/spec/containers/0/env/-',
      '/spec/containers/9',
      '/metadata/labels/x',
      '/metadata/__proto__/y',
      '/~',
      '/~2',
      '/spec/containers/-1',
      '/spec/containers/1e0',
      'spec',
    );
    const operation = fc.record(
      {
        op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'),
        path,
        from: path,
        value: fc.jsonValue({ maxDepth: 2 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.array(operation, { maxLength: 5 }), fc.jsonValue()), (patch) => {
        const before = JSON.stringify(pod);
        answersOrRefuses(() => jsonPatch(pod, patch), patch);
        assert.equal(JSON.stringify(pod), before, 'the object itself stays as it was');
        assert.equal(({} as { y?: unknown }).y, undefined, 'and so do all others');
      }),
      runs(1_500),
    );
  });

  test('merged, with any document', () => {
    const directive = fc.constantFrom(
      '$patch',
      '$retainKeys',
      '$setElementOrder/containers',
      '$deleteFromPrimitiveList/finalizers',
      'spec',
      'metadata',
      '__proto__',
      'name',
    );
    const { document } = fc.letrec((tie) => ({
      document: fc.dictionary(
        directive,
        fc.oneof(
          { maxDepth: 4 },
          fc.jsonValue({ maxDepth: 1 }),
          fc.constantFrom('delete', 'replace', 'merge'),
          tie('document'),
          fc.array(tie('document'), { maxLength: 3 }),
        ),
        { maxKeys: 4 },
      ),
    }));
    fc.assert(
      fc.property(document, (patch) => {
        answersOrRefuses(() => mergePatch(pod, patch), patch);
        answersOrRefuses(() => strategicMerge(pod, patch as never, undefined), patch);
        assert.equal(Object.hasOwn(Object.prototype, 'name'), false);
      }),
      runs(1_500),
    );
  });
});

describe('files and tokens', () => {
  test('a kubeconfig', () => {
    const pem = Buffer.from('-----BEGIN CERTIFICATE-----\nQUFBQQ==\n-----END CERTIFICATE-----\n').toString('base64');
    const text = `apiVersion: v1
kind: Config
current-context: a
contexts: [{ name: a, context: { cluster: b, user: c, namespace: d } }]
clusters: [{ name: b, cluster: { server: "https://127.0.0.1:6443", certificate-authority-data: ${pem} } }]
users: [{ name: c, user: { token: t, client-certificate-data: ${pem}, client-key-data: ${pem} } }]
`;
    parseKubeconfig(text);
    fc.assert(
      fc.property(spoiledText([text]), (given) => answersOrRefuses(() => parseKubeconfig(given), given)),
      runs(400),
    );
    const check = (given: unknown): void => answersOrRefuses(() => parseKubeconfig(JSON.stringify(given)), given);
    fc.assert(fc.property(spoiledDocument([parse(text)]), check), runs(400));
  });

  test('cloudcore.yaml and edgecore.yaml', () => {
    const facts = { hostname: 'h', addresses: ['192.0.2.1'], cgroupVersion: 2 } as never;
    for (const [write, read] of [
      [writeCloudCoreDefaults, readCloudCoreConfig],
      [writeEdgeCoreDefaults, readEdgeCoreConfig],
    ] as const) {
      const defaults: unknown = parse(write(facts));
      const check = (content: unknown): void =>
        answersOrRefuses(() => read({ file: { path: 'x.yaml', content }, environment: {} }, facts), content);
      check(defaults);
      fc.assert(fc.property(spoiledDocument([defaults]), check), runs(300));
    }
  });

  test('a join token', () => {
    const keys = createKeys();
    const key = new Uint8Array(32).fill(7);
    const good = createJoinToken(keys, { certificate: new Uint8Array([1]), key }, instant(2e12))
      .split('.')
      .slice(1)
      .join('.');
    checkJoinToken(keys, key, good, instant(1e12));
    fc.assert(
      fc.property(fc.oneof(spoiledText([good]), fc.string(), fc.base64String()), (jwt) =>
        answersOrRefuses(() => {
          checkJoinToken(keys, key, jwt, instant(1e12));
          // Base64 has several spellings of the same last bytes; nothing else may pass.
          assert.equal(jwt.slice(0, -1), good.slice(0, -1));
        }, jwt),
      ),
      runs(800),
    );
  });
});
