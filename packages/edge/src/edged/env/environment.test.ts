// Environments, expansion and fields.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert as check, property, string } from 'fast-check';
import type { Container, Pod } from '@kedge/model/k8s-types';
import { edgedErrors } from '../errors.ts';
import { buildEnvironment } from './environment.ts';
import { expand } from './expand.ts';
import { readResource } from './resource-field.ts';

const pod: Pod = {
  metadata: { name: 'web', namespace: 'default', uid: 'u1', labels: { app: 'a', tier: 'x"y' } },
  spec: { nodeName: 'edge-1', serviceAccountName: 'robot', containers: [] },
};
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const environment = (
  container: Partial<Container>,
  maps: Record<string, Record<string, string>> = {},
  services: ReadonlyMap<string, string> = new Map(),
) =>
  buildEnvironment(
    { name: 'main', ...container },
    {
      pod,
      addresses: { podIps: ['10.0.0.2', 'fd00::2'], hostIps: ['192.0.2.1'] },
      allocatable: { cpu: '4', memory: '1Ki', 'ephemeral-storage': '5000' },
      services,
      configMap: async (name) => (maps[name] ? { metadata: { name }, data: maps[name] } : undefined),
      secret: async (name) =>
        maps[name]
          ? {
              metadata: { name },
              data: Object.fromEntries(Object.entries(maps[name]).map(([key, value]) => [key, base64(value)])),
            }
          : undefined,
    },
  ).then((variables) => Object.fromEntries(variables));

describe('$(NAME)', () => {
  const variables = new Map([
    ['A', '1'],
    ['B', '$(A)'],
  ]);
  const cases: [string, string][] = [
    ['$(A)', '1'],
    ['x$(A)y$(A)z', 'x1y1z'],
    ['$(B)', '$(A)'],
    ['$(MISSING)', '$(MISSING)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$A ${A} $', '$A ${A} $'],
    ['$(A', '$(A'],
  ];
  for (const [text, expected] of cases) {
    test(`${text} becomes ${expected}`, () => assert.equal(expand(text, variables), expected));
  }
  test('a text without a dollar stays as it is', () => {
    check(property(string(), (text) => text.includes('$') || expand(text, variables) === text));
  });
});

describe('the environment of a container', () => {
  test('values see earlier ones, from envFrom and env', async () => {
    const env = [
      { name: 'URL', value: 'http://$(HOST):$(PORT)' },
      { name: 'PORT', value: '80' },
    ];
    const envFrom = [{ configMapRef: { name: 'cm' } }, { secretRef: { name: 's' }, prefix: 'S_' }];
    assert.deepEqual(await environment({ env, envFrom }, { cm: { HOST: 'h', PORT: '1' }, s: { key: 'v' } }), {
      HOST: 'h',
      PORT: '80',
      S_key: 'v',
      URL: 'http://h:1',
    });
  });

  test('values see services, variables of the pod win over them, and what is left comes last', async () => {
    const services = new Map([
      ['DB_SERVICE_HOST', '10.0.0.9'],
      ['DB_SERVICE_PORT', '5432'],
    ]);
    const env = [
      { name: 'URL', value: '$(DB_SERVICE_HOST):$(DB_SERVICE_PORT)' },
      { name: 'DB_SERVICE_PORT', value: '1' },
    ];
    assert.deepEqual(Object.entries(await environment({ env }, {}, services)), [
      ['URL', '10.0.0.9:5432'],
      ['DB_SERVICE_PORT', '1'],
      ['DB_SERVICE_HOST', '10.0.0.9'],
    ]);
  });

  test('fields of the pod', async () => {
    const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
    const env = [
      field('NAME', 'metadata.name'),
      field('NODE', 'spec.nodeName'),
      field('APP', "metadata.labels['app']"),
      field('IP', 'status.podIP'),
      field('IPS', 'status.podIPs'),
      field('HOST', 'status.hostIP'),
      field('ACCOUNT', 'spec.serviceAccountName'),
    ];
    assert.deepEqual(await environment({ env }), {
      NAME: 'web',
      NODE: 'edge-1',
      APP: 'a',
      IP: '10.0.0.2',
      IPS: '10.0.0.2,fd00::2',
      HOST: '192.0.2.1',
      ACCOUNT: 'robot',
    });
  });

  test('keys of ConfigMaps and Secrets; optional ones may be missing', async () => {
    const env = [
      { name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'a' } } },
      { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'b' } } },
      { name: 'C', valueFrom: { configMapKeyRef: { name: 'none', key: 'c', optional: true } } },
      { name: 'D', valueFrom: { secretKeyRef: { name: 's', key: 'none', optional: true } } },
    ];
    assert.deepEqual(await environment({ env }, { cm: { a: '1' }, s: { b: 'grüß' } }), { A: '1', B: 'grüß' });
  });

  for (const [what, container] of [
    ['configmap "none" not found', { envFrom: [{ configMapRef: { name: 'none' } }] }],
    ['secret "none" not found', { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'none', key: 'a' } } }] }],
    [
      `couldn't find key x in configmap "cm"`,
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'x' } } }] },
    ],
  ] as const) {
    test(`what is missing is named: ${what}`, async () => {
      await assert.rejects(
        environment(container as unknown as Container, { cm: { a: '1' } }),
        (error) => edgedErrors.CONFIG.is(error) && error.details.reason === what,
      );
    });
  }
});

describe('resources as values', () => {
  const limited: Container = {
    name: 'main',
    resources: { limits: { cpu: '1500m', memory: '64Mi' }, requests: { memory: '32Mi' } },
  };
  const allocatable = { cpu: '4', memory: '1Ki', 'ephemeral-storage': '5000' };
  const cases: [Container, string, string | undefined, string][] = [
    [limited, 'limits.cpu', undefined, '2'],
    [limited, 'limits.cpu', '1m', '1500'],
    [limited, 'limits.memory', '1Mi', '64'],
    [limited, 'requests.memory', undefined, String(32 * 1_024 * 1_024)],
    [limited, 'requests.cpu', '1m', '1500'],
    [{ name: 'main' }, 'limits.cpu', undefined, '4'],
    [{ name: 'main' }, 'requests.cpu', undefined, '0'],
    [{ name: 'main' }, 'limits.memory', undefined, '1024'],
    [{ name: 'main' }, 'limits.ephemeral-storage', '1k', '5'],
  ];
  for (const [container, resource, divisor, expected] of cases) {
    test(`${resource} by ${divisor ?? 'default'} is ${expected}`, () => {
      const selector = divisor === undefined ? { resource } : { resource, divisor };
      assert.equal(readResource(container, selector, allocatable), expected);
    });
  }
});
