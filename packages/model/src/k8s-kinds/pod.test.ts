import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { KubeObject } from '../k8s/index.ts';
import type { Container, Pod, PodSpec } from '../k8s-types/index.ts';
import { defaultPullPolicy, rulesFor } from './index.ts';

const rules = rulesFor('v1', 'Pod');
const web: Container = { name: 'web', image: 'nginx:1.27' };
const pod = (spec: Partial<PodSpec>): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: { containers: [web], ...spec },
});
const defaulted = (spec: Partial<PodSpec>): Pod => rules.defaults(pod(spec)) as unknown as Pod;
const say = (object: KubeObject): string[] =>
  rules.validate(object).map(({ field, message }) => `${field}: ${message}`);
const problems = (spec: Partial<PodSpec>): string[] => say(defaulted(spec));
const withContainer = (more: Partial<Container>): Partial<PodSpec> => ({ containers: [{ ...web, ...more }] });

describe('the defaults of a pod', () => {
  it('are what Kubernetes documents', () => {
    assert.deepEqual(defaulted({}).spec, {
      containers: [
        {
          name: 'web',
          image: 'nginx:1.27',
          imagePullPolicy: 'IfNotPresent',
          terminationMessagePath: '/dev/termination-log',
          terminationMessagePolicy: 'File',
          resources: {},
        },
      ],
      dnsPolicy: 'ClusterFirst',
      enableServiceLinks: true,
      restartPolicy: 'Always',
      schedulerName: 'default-scheduler',
      securityContext: {},
      terminationGracePeriodSeconds: 30,
    });
  });

  it('reach probes, ports, environment and volumes', () => {
    const { spec } = defaulted({
      ...withContainer({
        ports: [{ containerPort: 80 }],
        env: [{ name: 'N', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        livenessProbe: { httpGet: { port: 80 } },
      }),
      volumes: [
        { name: 'e' },
        { name: 's', secret: { secretName: 'x' } },
        { name: 'h', hostPath: { path: '/x' } },
        { name: 't', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
      ],
    });
    const [container] = spec!.containers;
    assert.deepEqual(container!.ports, [{ containerPort: 80, protocol: 'TCP' }]);
    assert.equal(container!.env![0]!.valueFrom!.fieldRef!.apiVersion, 'v1');
    assert.deepEqual(container!.livenessProbe, {
      httpGet: { port: 80, path: '/', scheme: 'HTTP' },
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    });
    assert.deepEqual(spec!.volumes, [
      { name: 'e', emptyDir: {} },
      { name: 's', secret: { secretName: 'x', defaultMode: 420 } },
      { name: 'h', hostPath: { path: '/x', type: '' } },
      {
        name: 't',
        projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }], defaultMode: 420 },
      },
    ]);
  });

  it('make requests of limits, and host ports of ports on the host network', () => {
    const { spec } = defaulted({
      ...withContainer({
        resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } },
        ports: [{ containerPort: 80 }],
      }),
      hostNetwork: true,
    });
    assert.deepEqual(spec!.containers[0]!.resources!.requests, { cpu: '500m', memory: '1Gi' });
    assert.equal(spec!.containers[0]!.ports![0]!.hostPort, 80);
  });

  const policies: readonly [string, string][] = [
    ['nginx', 'Always'],
    ['nginx:latest', 'Always'],
    ['localhost:5000/nginx', 'Always'],
    ['localhost:5000/nginx:1', 'IfNotPresent'],
    ['nginx@sha256:abc', 'IfNotPresent'],
    ['nginx:latest@sha256:abc', 'Always'],
  ];
  for (const [image, policy] of policies) {
    it(`pull ${image}: ${policy}`, () => assert.equal(defaultPullPolicy(image), policy));
  }

  it('include a pending status with the quality of service', () => {
    assert.deepEqual(rules.prepareCreate(defaulted({}))['status'], { phase: 'Pending', qosClass: 'BestEffort' });
  });
});

describe('a pod', () => {
  const refused: readonly [string, Partial<PodSpec>, readonly string[]][] = [
    ['no containers', { containers: [] }, ['spec.containers: Required value']],
    ['a container without image', { containers: [{ name: 'a' }] }, ['spec.containers[0].image: Required value']],
    ['two containers of one name', { containers: [web, web] }, ['spec.containers[1].name: Duplicate value: "web"']],
    [
      'a container and an init container of one name',
      { initContainers: [web] },
      ['spec.initContainers[0].name: Duplicate value: "web"'],
    ],
    [
      'an unknown restart policy',
      { restartPolicy: 'Sometimes' },
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
    ],
    [
      'an unknown pull policy',
      withContainer({ imagePullPolicy: 'x' }),
      [
        'spec.containers[0].imagePullPolicy: Unsupported value: "x": supported values: "Always", "IfNotPresent", "Never"',
      ],
    ],
    [
      'a mount of no volume',
      withContainer({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ],
    [
      'a port out of range',
      withContainer({ ports: [{ containerPort: 70_000 }] }),
      ['spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive'],
    ],
    [
      'more requested than allowed',
      withContainer({ resources: { requests: { cpu: '2' }, limits: { cpu: '1' } } }),
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      'an extended resource without limit',
      withContainer({ resources: { requests: { 'x.io/gpu': '1' } } }),
      ['spec.containers[0].resources.limits: Required value: Limit must be set for non overcommitable resources'],
    ],
    [
      'an unknown resource',
      withContainer({ resources: { limits: { ram: '1' } } }),
      [
        'spec.containers[0].resources.limits[ram]: Invalid value: "ram": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.limits[ram]: Invalid value: "ram": must be a standard resource for containers',
        'spec.containers[0].resources.requests[ram]: Invalid value: "ram": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.requests[ram]: Invalid value: "ram": must be a standard resource for containers',
      ],
    ],
    [
      'an environment variable from nowhere',
      withContainer({ env: [{ name: 'A', valueFrom: {} }] }),
      [
        'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`',
      ],
    ],
    [
      'a probe without handler',
      withContainer({ livenessProbe: {} }),
      ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
    ],
    [
      'a liveness probe that needs two successes',
      withContainer({ livenessProbe: { exec: { command: ['x'] }, successThreshold: 2 } }),
      ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
    ],
    [
      'a probe in an init container',
      { initContainers: [{ name: 'i', image: 'x', livenessProbe: { exec: { command: ['x'] } } }] },
      [
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'two sources of a volume',
      { volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'a way out of a host path',
      { volumes: [{ name: 'v', hostPath: { path: '/a/../b' } }] },
      ['spec.volumes[0].hostPath.path: Invalid value: "/a/../b": must not contain \'..\''],
    ],
    [
      'a token that lives for a minute',
      {
        volumes: [
          { name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 60 } }] } },
        ],
      },
      [
        'spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes',
      ],
    ],
    [
      'a toleration of all keys but one operator',
      { tolerations: [{ operator: 'Equal' }] },
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      'an affinity without terms',
      { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } } },
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
      ],
    ],
    [
      'a node selector with a bad value',
      { nodeSelector: { a: '-' } },
      [
        "spec.nodeSelector: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
      ],
    ],
    [
      'no nameserver of its own',
      { dnsPolicy: 'None' },
      ['spec.dnsConfig: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None'],
    ],
    [
      'contradicting privileges',
      withContainer({ securityContext: { privileged: true, allowPrivilegeEscalation: false } }),
      [
        'spec.containers[0].securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
      ],
    ],
  ];
  for (const [what, spec, errors] of refused) {
    it(`may not have ${what}`, () => assert.deepEqual(problems(spec), errors));
  }

  it('may use all that at once', () => {
    assert.deepEqual(
      problems({
        containers: [
          {
            ...web,
            ports: [
              { containerPort: 80, name: 'http' },
              { containerPort: 80, protocol: 'UDP' },
            ],
            env: [
              { name: 'A', value: '1' },
              { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
              { name: 'C', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
            ],
            envFrom: [{ configMapRef: { name: 'c' } }],
            volumeMounts: [{ name: 'v', mountPath: '/v', subPath: 'a/b' }],
            readinessProbe: { tcpSocket: { port: 'http' }, successThreshold: 2 },
            lifecycle: { preStop: { exec: { command: ['x'] } } },
          },
        ],
        initContainers: [
          { name: 'side', image: 'x', restartPolicy: 'Always', startupProbe: { exec: { command: ['x'] } } },
        ],
        volumes: [{ name: 'v', configMap: { name: 'c', items: [{ key: 'k', path: 'p/q' }] } }],
        tolerations: [{ operator: 'Exists' }, { key: 'a', effect: 'NoExecute', tolerationSeconds: 300 }],
        hostAliases: [{ ip: '10.0.0.1', hostnames: ['a.b'] }],
      }),
      [],
    );
  });
});

describe('a running pod', () => {
  const change = (from: Partial<PodSpec>, to: Partial<PodSpec>): string[] =>
    rules
      .validateUpdate(defaulted(to), defaulted(from))
      .map(({ field, message }) => `${field}: ${message.split('\n')[0]!}`);
  const fixed = /^spec: Forbidden: pod updates may not change fields other than `spec.containers\[\*\].image`,/;

  it('may get another image, more tolerations and a shorter deadline', () => {
    assert.deepEqual(change({}, withContainer({ image: 'nginx:1.28' })), []);
    assert.deepEqual(change({}, { tolerations: [{ key: 'a', operator: 'Exists' }] }), []);
    assert.deepEqual(change({ activeDeadlineSeconds: 10 }, { activeDeadlineSeconds: 5 }), []);
  });

  it('may not change otherwise', () => {
    assert.match(change({}, { hostNetwork: true })[0]!, fixed);
    assert.match(change({}, withContainer({ args: ['x'] }))[0]!, fixed);
    assert.match(change({ nodeName: 'a' }, { nodeName: 'b' })[0]!, fixed);
    assert.deepEqual(change({}, { containers: [web, { ...web, name: 'b' }] }), [
      'spec.containers: Forbidden: pod updates may not add or remove containers',
    ]);
    assert.deepEqual(change({ activeDeadlineSeconds: 5 }, {}), [
      'spec.activeDeadlineSeconds: Invalid value: "null": must not update from a positive integer to nil value',
    ]);
    assert.match(
      change({ tolerations: [{ key: 'a', operator: 'Exists' }] }, {})[0]!,
      /existing toleration can not be modified/,
    );
  });

  it('may be narrowed while it is held back from scheduling', () => {
    const schedulingGates = [{ name: 'g' }];
    assert.deepEqual(change({ schedulingGates }, { schedulingGates, nodeSelector: { a: 'b' } }), []);
    assert.deepEqual(change({ schedulingGates }, {}), []);
    assert.match(change({}, { schedulingGates })[0]!, /found new scheduling gate 'g'/);
  });
});
