// Layered configuration over a small schema: what is taken, what is refused, and in which words.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  checkLayer,
  choice,
  configErrors,
  type ConfigSources,
  decimal,
  defaultsOf,
  type DocumentOf,
  flag,
  integer,
  listOf,
  mapOf,
  object,
  optional,
  readConfig,
  splitHostPort,
  text,
  unused,
  writeDocument,
} from '@kedge/core/config';
import { editDistance } from './nearest-key.ts';

const schema = object({
  name: text('edge', { format: 'node-name', description: 'Name of the node.' }),
  hub: object({
    enable: flag(true),
    heartbeat: integer(15, { minimum: 1, maximum: 60 }),
    server: text('192.0.2.1:10000', { format: 'host-port' }),
    ratio: decimal(0.5),
  }),
  mode: choice('auto', ['auto', 'manual']),
  labels: mapOf(text('')),
  servers: listOf(text('', { format: 'ip' }), ['192.0.2.1']),
  taints: listOf(object({ key: text(''), effect: text('NoSchedule') })),
  extra: optional(integer(1)),
  old: unused(object({ enable: flag(true), buffer: integer(1_024), inner: object({ size: integer(1) }) })),
});
type Document = DocumentOf<typeof schema>;

const read = (sources: ConfigSources, cross: (document: Document) => { path: string; say: string }[] = () => []) =>
  readConfig(schema, defaultsOf(schema), sources, cross);
const file = (content: unknown): ConfigSources => ({ file: { path: 'x.yaml', content } });

/** The problems a file has, as `path: text`. */
function problemsOf(content: unknown): string[] {
  return checkLayer(schema, content).problems.map(({ path, say }) => `${path}: ${say}`);
}

describe('a configuration', () => {
  test('of nothing is the defaults, and frozen', () => {
    const { document, warnings } = read({});
    assert.deepEqual(document, {
      name: 'edge',
      hub: { enable: true, heartbeat: 15, server: '192.0.2.1:10000', ratio: 0.5 },
      mode: 'auto',
      labels: {},
      servers: ['192.0.2.1'],
      taints: [],
      old: { enable: true, buffer: 1_024, inner: { size: 1 } },
    });
    assert.equal(document.extra, undefined);
    assert.deepEqual(warnings, []);
    assert.ok(Object.isFrozen(document.hub) && Object.isFrozen(document.servers));
  });

  test('is defaults under file under environment under flags', () => {
    const { document } = read({
      ...file({ hub: { heartbeat: 20, server: '192.0.2.2:1' }, servers: [], labels: { a: '1' }, mode: 'manual' }),
      environment: { KEDGE_HUB__HEARTBEAT: '30', KEDGE_HUB__ENABLE: 'false', PATH: '/bin', KEDGE_DATA: '/data' },
      settings: [
        'hub.heartbeat=40',
        'servers=192.0.2.7, ::1',
        'labels.example.org/rack=r=1',
        'name=first',
        'name=other',
      ],
    });
    assert.deepEqual(document.hub, { enable: false, heartbeat: 40, server: '192.0.2.2:1', ratio: 0.5 });
    assert.deepEqual(document.servers, ['192.0.2.7', '::1']);
    assert.deepEqual(document.labels, { 'example.org/rack': 'r=1' });
    assert.equal(document.name, 'other');
    assert.equal(document.mode, 'manual');
  });

  test('takes null for not given', () => {
    assert.deepEqual(read(file({ hub: null, servers: null, name: null })).document, read({}).document);
    assert.deepEqual(read(file(null)).document, read({}).document);
  });

  test('gives items of lists their defaults', () => {
    assert.deepEqual(read(file({ taints: [{ key: 'a' }, null] })).document.taints, [
      { key: 'a', effect: 'NoSchedule' },
    ]);
  });

  test('takes keys in other capitals, and says so', () => {
    const { document, warnings } = read(file({ HUB: { heartBeat: 20 } }));
    assert.equal(document.hub.heartbeat, 20);
    assert.deepEqual(warnings, ['x.yaml: read in spite of other capitals: hub, hub.heartbeat']);
  });

  test('says which keys have no effect, unless they are at their default or switched off', () => {
    const warn = (old: unknown) => read(file({ old })).warnings;
    assert.deepEqual(warn({ buffer: 1_024, inner: { size: 1 } }), []);
    assert.deepEqual(warn({ buffer: 5, inner: { size: 2 } }), [
      'x.yaml: has no effect here: old.buffer, old.inner.size',
    ]);
    assert.deepEqual(warn({ enable: false, buffer: 5 }), []);
  });

  test('says everything that is wrong at once, and where it stands', () => {
    const wrong = {
      ...file({ hub: { heartbeat: 0 }, nmae: 'x' }),
      environment: { KEDGE_HUB__RATIO: 'much' },
      settings: ['hub.nothing=1'],
    };
    assert.throws(
      () => read(wrong),
      (error: Error) => {
        assert.ok(configErrors.INVALID.is(error));
        assert.deepEqual(error.message.split('\n').slice(1), [
          '  x.yaml: hub.heartbeat is 0, needs to be at least 1',
          '  x.yaml: nmae is not a known key; did you mean "name"?',
          '  environment: hub.ratio is "much", needs a number',
          '  --set: hub.nothing is not a known key',
        ]);
        return true;
      },
    );
  });

  test('is checked across its keys once each of them is right', () => {
    const cross = ({ hub }: Document) => (hub.heartbeat > 50 ? [{ path: 'hub.heartbeat', say: 'is too slow' }] : []);
    assert.throws(() => read(file({ hub: { heartbeat: 51 } }), cross), /x\.yaml: hub\.heartbeat is too slow/);
    assert.throws(() => read(file({ hub: { heartbeat: 61 } }), cross), /at most 60$/);
    read(file({ hub: { heartbeat: 50 } }), cross);
  });
});

describe('a problem', () => {
  const cases: readonly (readonly [unknown, string])[] = [
    [[], ': is a list, needs keys and values'],
    ['text', ': is "text", needs keys and values'],
    [{ hub: 5 }, 'hub: is 5, needs keys and values'],
    [{ hub: { heartbeat: '5' } }, 'hub.heartbeat: is "5", needs a whole number'],
    [{ hub: { heartbeat: 5.5 } }, 'hub.heartbeat: is 5.5, needs a whole number'],
    [{ hub: { heartbeat: 61 } }, 'hub.heartbeat: is 61, needs to be at most 60'],
    [{ hub: { enable: 'yes' } }, 'hub.enable: is "yes", needs true or false'],
    [{ hub: { ratio: NaN } }, 'hub.ratio: is null, needs a number'],
    [{ hub: { server: 'cloud' } }, 'hub.server: is "cloud", needs an address such as 192.0.2.1:10000'],
    [{ mode: 'other' }, 'mode: is "other", needs one of "auto", "manual"'],
    [{ name: 7 }, 'name: is 7, needs a text'],
    [{ labels: ['a'] }, 'labels: is a list, needs keys and values'],
    [{ labels: { a: 1 } }, 'labels.a: is 1, needs a text'],
    [{ servers: 'one' }, 'servers: is "one", needs a list'],
    [{ servers: ['::1', 'x'] }, 'servers.1: is "x", needs an IP address'],
    [{ heartbeat: 5 }, 'heartbeat: is not a known key; did you mean "hub.heartbeat"?'],
    [{ hub: { haertbeat: 5 } }, 'hub.haertbeat: is not a known key; did you mean "heartbeat"?'],
    [{ somethingElse: {} }, 'somethingElse: is not a known key'],
    [
      { name: 'x'.repeat(300) },
      `name: is "${'x'.repeat(59)}..., needs a node name: lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit`,
    ],
  ];
  for (const [content, expected] of cases) {
    test(expected.slice(0, 90), () => assert.deepEqual(problemsOf(content), [expected]));
  }

  test('is never an exception, whatever the file holds', () => {
    fc.assert(
      fc.property(
        fc.object({ key: fc.constantFrom('hub', 'name', 'heartbeat', 'servers', 'old', '__proto__', 'x') }),
        (content) => {
          for (const { path, say } of checkLayer(schema, content).problems) assert.ok(typeof path === 'string' && say);
        },
      ),
    );
  });
});

describe('host and port', () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ['192.0.2.1:10000', { host: '192.0.2.1', port: 10_000 }],
    ['[::1]:443', { host: '::1', port: 443 }],
    ['cloud.example.org:1', { host: 'cloud.example.org', port: 1 }],
    ['::1:443', undefined],
    ['[cloud]:443', undefined],
    ['192.0.2.1', undefined],
    ['192.0.2.1:65536', undefined],
    [':80', undefined],
    ['a b:80', undefined],
  ];
  for (const [value, expected] of cases) {
    test(`${value} is ${JSON.stringify(expected)}`, () => assert.deepEqual(splitHostPort(value), expected));
  }
});

test('a distance counts insertions, deletions, replacements and swaps', () => {
  assert.deepEqual(
    [
      ['same', 'same'],
      ['nodelimit', 'nodelimt'],
      ['prot', 'port'],
      ['', 'abc'],
      ['kitten', 'sitting'],
    ].map(([a, b]) => editDistance(a!, b!)),
    [0, 1, 1, 3, 3],
  );
});

test('a document is written with its descriptions, and without keys that have no effect', () => {
  const document = { ...defaultsOf(schema), labels: { 'a/b': 'yes', on: '1' }, taints: [{ key: 'k', effect: 'e' }] };
  assert.equal(
    writeDocument(schema, document, 'head'),
    [
      '# head',
      '# Name of the node.',
      'name: edge',
      'hub:',
      '  enable: true',
      '  heartbeat: 15',
      '  server: "192.0.2.1:10000"',
      '  ratio: 0.5',
      'mode: auto',
      'labels:',
      '  a/b: "yes"',
      '  "on": "1"',
      'servers:',
      '- "192.0.2.1"',
      'taints:',
      '- key: k',
      '  effect: e',
      '',
    ].join('\n'),
  );
});
