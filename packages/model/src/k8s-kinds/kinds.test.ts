import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../k8s/index.ts';
import { checkMetadata, checkMetadataUpdate, rulesFor } from './index.ts';

type Change = { readonly apiVersion: string; readonly kind: string; readonly [field: string]: unknown };

const complete = (object: Change): KubeObject => ({ metadata: { name: 'x', namespace: 'default' }, ...object });
const rulesOf = ({ apiVersion, kind }: Change) => rulesFor(apiVersion, kind);
const defaults = (object: Change): KubeObject => rulesOf(object).defaults(complete(object));
const say = (errors: readonly { field: string; message: string }[]): string[] =>
  errors.map(({ field, message }) => `${field}: ${message}`);
const problems = (object: Change): string[] => say(rulesOf(object).validate(defaults(object)));
const changes = (from: Change, to: Change): string[] => {
  const old = defaults(from);
  const rules = rulesOf(to);
  return say(rules.validateUpdate(rules.prepareUpdate(defaults(to), old), old));
};

const labels = { app: 'x' };
const template = { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'i:1' }] } };
const workload = (kind: string, spec: object = {}): Change => ({
  apiVersion: 'apps/v1',
  kind,
  spec: { selector: { matchLabels: labels }, template, ...spec },
});
const service = (spec: object): Change => ({ apiVersion: 'v1', kind: 'Service', spec });
const crd = (spec: object, metadata: object = { name: 'things.example.com' }): Change => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata,
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'things', kind: 'Thing' },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }],
    ...spec,
  },
});

describe('defaults', () => {
  const cases: readonly [string, Change, (object: KubeObject) => unknown, unknown][] = [
    [
      'a Deployment',
      workload('Deployment'),
      ({ spec }) => {
        const { replicas, strategy, revisionHistoryLimit, progressDeadlineSeconds } = spec as Record<string, unknown>;
        return { replicas, strategy, revisionHistoryLimit, progressDeadlineSeconds };
      },
      {
        replicas: 1,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
      },
    ],
    [
      'a Deployment that recreates',
      workload('Deployment', { strategy: { type: 'Recreate' } }),
      ({ spec }) => (spec as { strategy: unknown }).strategy,
      { type: 'Recreate' },
    ],
    [
      'a DaemonSet',
      workload('DaemonSet'),
      ({ spec }) => (spec as { updateStrategy: unknown }).updateStrategy,
      { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
    ],
    [
      'a StatefulSet',
      workload('StatefulSet', { serviceName: 's' }),
      ({ spec }) => (spec as { updateStrategy: unknown }).updateStrategy,
      { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    ],
    [
      'a Service',
      service({ ports: [{ port: 80 }] }),
      ({ spec }) => spec,
      {
        ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
        type: 'ClusterIP',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
      },
    ],
    [
      'a Secret written in clear',
      { apiVersion: 'v1', kind: 'Secret', stringData: { a: 'hé' } },
      ({ type, data, stringData }) => ({ type, data, stringData }),
      { type: 'Opaque', data: { a: 'aMOp' }, stringData: undefined },
    ],
    [
      'a Namespace',
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } },
      ({ metadata }) => metadata.labels,
      { 'kubernetes.io/metadata.name': 'n' },
    ],
    [
      'a CustomResourceDefinition',
      crd({}),
      ({ spec }) => (spec as { names: unknown }).names,
      { plural: 'things', kind: 'Thing', singular: 'thing', listKind: 'ThingList' },
    ],
    [
      'a RoleBinding',
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        roleRef: { kind: 'Role', name: 'r' },
        subjects: [{ kind: 'User', name: 'u' }],
      },
      ({ subjects }) => subjects,
      [{ kind: 'User', name: 'u', apiGroup: 'rbac.authorization.k8s.io' }],
    ],
  ];
  for (const [what, object, part, expected] of cases) {
    it(`of ${what}`, () => assert.deepEqual(part(defaults(object)), expected));
  }

  it('let a Job select its own pods', () => {
    const job: Change = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'j', uid: 'u-1' },
      spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'i' }] } } },
    };
    const rules = rulesOf(job);
    const created = rules.prepareCreate(defaults(job));
    assert.deepEqual((created['spec'] as { selector: unknown }).selector, {
      matchLabels: { 'batch.kubernetes.io/controller-uid': 'u-1' },
    });
    assert.deepEqual(say(rules.validate(created)), []);
  });
});

describe('validation', () => {
  const cases: readonly [string, Change, readonly string[]][] = [
    ['a Deployment', workload('Deployment'), []],
    [
      'a Deployment whose selector selects nothing',
      workload('Deployment', { selector: { matchLabels: { app: 'y' } } }),
      ['spec.template.metadata.labels: Invalid value: {"app":"x"}: `selector` does not match template `labels`'],
    ],
    [
      'a Deployment with an empty selector',
      workload('Deployment', { selector: {} }),
      ['spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
    ],
    [
      'a Deployment without selector',
      workload('Deployment', { selector: undefined }),
      ['spec.selector: Required value'],
    ],
    [
      'a Deployment that can never roll',
      workload('Deployment', { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } }),
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0'],
    ],
    [
      'a Deployment with fewer than no replicas',
      workload('Deployment', { replicas: -1 }),
      ['spec.replicas: Invalid value: -1: must be greater than or equal to 0'],
    ],
    [
      'a Deployment of pods that end',
      workload('Deployment', { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } }),
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
    [
      'a DaemonSet that surges and drains',
      workload('DaemonSet', { updateStrategy: { rollingUpdate: { maxSurge: 1 } } }),
      ['spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero'],
    ],
    ['a Service without ports', service({}), ['spec.ports: Required value']],
    ['a headless Service without ports', service({ clusterIP: 'None' }), []],
    [
      'a Service with unnamed ports',
      service({ ports: [{ port: 80 }, { port: 81, name: 'b' }] }),
      ['spec.ports[0].name: Required value'],
    ],
    [
      'a Service with a node port of its own',
      service({ ports: [{ port: 80, nodePort: 30_000 }] }),
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    ['a Service that is a name', service({ type: 'ExternalName', externalName: 'a.example.com.' }), []],
    [
      'a Service of no type',
      service({ type: 'Magic', ports: [{ port: 80 }] }),
      [
        'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      ],
    ],
    [
      'a ConfigMap with a path for a key',
      { apiVersion: 'v1', kind: 'ConfigMap', data: { 'a/b': '' } },
      [
        "data[a/b]: Invalid value: \"a/b\": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ],
    ],
    [
      'a ConfigMap that is too big',
      { apiVersion: 'v1', kind: 'ConfigMap', data: { a: 'x'.repeat(1024 * 1024 + 1) } },
      [': Too long: may not be more than 1048576 bytes'],
    ],
    [
      'a TLS Secret without its key',
      { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', data: { 'tls.crt': '' } },
      ['data[tls.key]: Required value'],
    ],
    [
      'a Node with a taint twice',
      {
        apiVersion: 'v1',
        kind: 'Node',
        spec: {
          taints: [
            { key: 'a', effect: 'NoSchedule' },
            { key: 'a', value: 'b', effect: 'NoSchedule' },
          ],
        },
      },
      [
        'metadata.taints[1]: Duplicate value: {"key":"a","value":"b","effect":"NoSchedule"}: taints must be unique by key and effect pair',
      ],
    ],
    [
      'an Event in another namespace',
      { apiVersion: 'v1', kind: 'Event', involvedObject: { namespace: 'other' } },
      ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ],
    [
      'a Lease of no time',
      { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', spec: { leaseDurationSeconds: 0 } },
      ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0'],
    ],
    ['a CustomResourceDefinition', crd({}), []],
    [
      'a CustomResourceDefinition of another name',
      crd({}, { name: 'x' }),
      ['metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group'],
    ],
    [
      'a CustomResourceDefinition that stores nothing',
      crd({ versions: [] }),
      ['spec.versions: Invalid value: []: must have exactly one version marked as storage version'],
    ],
    [
      'a CustomResourceDefinition without schema',
      crd({ versions: [{ name: 'v1', served: true, storage: true }] }),
      ['spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required'],
    ],
    [
      'a CustomResourceDefinition of the old kind',
      crd({ preserveUnknownFields: true }),
      [
        'spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ],
    ],
    [
      'a CronJob at a strange time',
      {
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        spec: {
          schedule: '* *',
          jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } },
        },
      },
      ['spec.schedule: Invalid value: "* *": expected exactly 5 fields, found 2: [* *]'],
    ],
    [
      'a Role that allows nothing',
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        rules: [{ verbs: [], apiGroups: [''], resources: ['pods'] }],
      },
      ['rules[0].verbs: Required value: verbs must contain at least one value'],
    ],
    ['a custom resource', { apiVersion: 'example.com/v1', kind: 'Thing', spec: { anything: true } }, []],
  ];
  for (const [what, object, errors] of cases) {
    it(`${errors.length ? 'refuses' : 'takes'} ${what}`, () => assert.deepEqual(problems(object), errors));
  }
});

describe('what may not change', () => {
  const cases: readonly [string, Change, Change, readonly string[]][] = [
    ['the replicas of a Deployment may', workload('Deployment'), workload('Deployment', { replicas: 5 }), []],
    [
      'the selector of a Deployment',
      workload('Deployment'),
      workload('Deployment', { selector: { matchLabels: { a: 'b' } } }),
      ['spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: field is immutable'],
    ],
    [
      'the claims of a StatefulSet',
      workload('StatefulSet'),
      workload('StatefulSet', { serviceName: 'y' }),
      [
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      ],
    ],
    [
      'the address of a Service',
      service({ clusterIP: '10.0.0.1' }),
      service({ clusterIP: '10.0.0.2' }),
      ['spec.clusterIPs[0]: Invalid value: []string{"10.0.0.2"}: may not change once set'],
    ],
    ['an address that is left out stays', service({ clusterIP: '10.0.0.1' }), service({}), []],
    [
      'the type of a Secret',
      { apiVersion: 'v1', kind: 'Secret' },
      { apiVersion: 'v1', kind: 'Secret', type: 'x' },
      ['type: Invalid value: "x": field is immutable'],
    ],
    [
      'a sealed ConfigMap',
      { apiVersion: 'v1', kind: 'ConfigMap', immutable: true },
      { apiVersion: 'v1', kind: 'ConfigMap', immutable: true, data: { a: '' } },
      ['data: Forbidden: field is immutable when `immutable` is set'],
    ],
    [
      'the provider of a Node',
      { apiVersion: 'v1', kind: 'Node', spec: { providerID: 'a' } },
      { apiVersion: 'v1', kind: 'Node', spec: {} },
      ['spec.providerID: Forbidden: node updates may not change providerID except from "" to valid'],
    ],
    [
      'the group of a CustomResourceDefinition',
      crd({}),
      crd({ group: 'b.com' }),
      ['spec.group: Invalid value: "b.com": field is immutable'],
    ],
  ];
  for (const [what, from, to, errors] of cases) {
    it(what, () => assert.deepEqual(changes(from, to), errors));
  }

  it('gives a Service its node ports back when an update leaves them out', () => {
    const old = defaults(service({ type: 'NodePort', ports: [{ port: 80, nodePort: 30_080 }] }));
    const next = rulesFor('v1', 'Service').prepareUpdate(
      defaults(service({ type: 'NodePort', ports: [{ port: 80 }] })),
      old,
    );
    assert.equal((next['spec'] as { ports: { nodePort?: number }[] }).ports[0]!.nodePort, 30_080);
  });
});

describe('metadata', () => {
  const { checkName } = rulesFor('v1', 'ConfigMap');
  const say1 = (metadata: object, namespaced = true): string[] =>
    say(checkMetadata(metadata, { namespaced, checkName }));

  it('needs a name and, in a namespaced collection, a namespace', () => {
    assert.deepEqual(say1({}), [
      'metadata.name: Required value: name or generateName is required',
      'metadata.namespace: Required value',
    ]);
    assert.deepEqual(say1({ name: 'a', namespace: 'b' }, false), [
      'metadata.namespace: Forbidden: not allowed on this type',
    ]);
    assert.deepEqual(say1({ name: 'a', generateName: 'a-', namespace: 'b' }), []);
  });

  it('has one controller at most, and whole owner references', () => {
    const owner = { apiVersion: 'v1', kind: 'Pod', name: 'p', uid: '1', controller: true };
    assert.match(
      say1({ name: 'a', namespace: 'b', ownerReferences: [owner, owner] })[0]!,
      /Only one reference can have Controller set to true/,
    );
    assert.deepEqual(say1({ name: 'a', namespace: 'b', ownerReferences: [{ ...owner, uid: '' }] }), [
      'metadata.ownerReferences[0].uid: Invalid value: "": uid must not be empty',
    ]);
  });

  it('has valid labels, annotations and finalizers', () => {
    const metadata = {
      name: 'a',
      namespace: 'b',
      labels: { 'a b': 'x' },
      annotations: { 'UPPER.com/x': '' },
      finalizers: ['bad finalizer'],
    };
    assert.deepEqual(
      say1(metadata).map((sentence) => sentence.split(': ')[0]),
      ['metadata.labels', 'metadata.finalizers'],
    );
    assert.deepEqual(say1({ name: 'a', namespace: 'b', annotations: { a: 'x'.repeat(262_144) } }), [
      'metadata.annotations: Too long: may not be more than 262144 bytes',
    ]);
  });

  it('keeps its identity, and gets no finalizer when it is going', () => {
    const old = { name: 'a', uid: '1', deletionTimestamp: 't' };
    assert.deepEqual(say(checkMetadataUpdate({ ...old, uid: '2' }, old)), [
      'metadata.uid: Invalid value: "2": field is immutable',
    ]);
    assert.match(
      say(checkMetadataUpdate({ ...old, finalizers: ['x.io/y'] }, old))[0]!,
      /no new finalizers can be added if the object is being deleted/,
    );
  });
});
