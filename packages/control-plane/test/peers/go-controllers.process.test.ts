// Kubernetes' own kube-controller-manager and kube-scheduler on our API server, in place of ours: programs that nobody
// here wrote, at work on a small cluster. Set PEERS to a folder that holds both (1.32); without it this is skipped, and
// the recording of such a run is replayed instead (replay.test.ts). KEDGE_RECORD=FILE writes a new recording.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { collections } from '@kedge/engine/kube-client';
import { toTime } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import type { Deployment, Job, Node, Pod, StatefulSet } from '@kedge/model/k8s-types';
import { systemClock } from '@kedge/platform/node';
import { daemonSet, deployment, job, statefulSet } from '../kubectl/objects.ts';
import type { Place } from '../kubectl/row.ts';
import { type Site, startSite } from '../kubectl/site.ts';
import { recordingOf } from './recording.ts';
import { freePort } from '@kedge/testing/free-port';

const peers = process.env['PEERS'];
const programs = ['kube-controller-manager', 'kube-scheduler'].map((name) => join(peers ?? '', name));
const missing = peers && programs.every((path) => existsSync(path)) ? undefined : 'PEERS names no folder with them';

describe("Kubernetes' own controllers and scheduler", { skip: missing ?? false, timeout: 180_000 }, () => {
  let site: Site;
  let place: Place;
  const children: ChildProcess[] = [];
  const complaints: string[] = [];
  const silent = new Set<string>();
  let beating: NodeJS.Timeout | undefined;
  let heard = 0;
  let audit = '';

  async function run(program: string, args: readonly string[]): Promise<void> {
    const { kubeconfig } = site;
    const shared = ['kubeconfig', 'authentication-kubeconfig', 'authorization-kubeconfig'];
    const child = spawn(
      join(peers ?? '', program),
      [
        ...shared.map((flag) => `--${flag}=${kubeconfig}`),
        '--kube-api-content-type=application/json',
        '--bind-address=127.0.0.1',
        `--secure-port=${await freePort()}`,
        `--cert-dir=${join(site.directory, program)}`,
        ...args,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    children.push(child);
    // Lines that begin with E are errors, those with W what they got around; some builds put a mark before each line.
    let rest = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      complaints.push(...lines.filter((line) => /^(?:\?{3} )?[EFW]\d{4} /.test(line)));
      heard += lines.length;
    });
  }

  before(async () => {
    const recording = process.env['KEDGE_RECORD'];
    audit = recording ? `${recording}.audit` : '';
    if (audit) await rm(audit, { force: true });
    site = await startSite({ ownControllers: false, ...(audit ? { auditLog: audit } : {}) });
    const pki = join(site.directory, 'pki');
    await run('kube-controller-manager', [
      `--service-account-private-key-file=${pki}/sa.key`,
      `--root-ca-file=${pki}/ca.crt`,
      `--cluster-signing-cert-file=${pki}/ca.crt`,
      `--cluster-signing-key-file=${pki}/ca.key`,
      '--node-monitor-grace-period=8s',
      '--node-monitor-period=1s',
      '--node-eviction-rate=10',
      '--use-service-account-credentials=true',
      // One that a distribution added asks for rights that Kubernetes itself does not give.
      '--controllers=*,bootstrapsigner,tokencleaner,-service-ca-cert-publisher',
    ]);
    await run('kube-scheduler', []);
    for (const name of ['edge-1', 'edge-2']) await addNode(name);
    beating = setInterval(() => void Promise.all(['edge-1', 'edge-2'].map(beat)), 2_000);
    place = await site.place();
  });

  after(async () => {
    clearInterval(beating);
    for (const child of children) {
      child.kill('SIGTERM');
      if (child.exitCode === null) await once(child, 'exit');
    }
    await site?.stop();
    if (audit) await writeFile(process.env['KEDGE_RECORD']!, recordingOf(readFileSync(audit, 'utf8')));
  });

  const ready = () => {
    const now = toTime(systemClock.now());
    return { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: now, lastTransitionTime: now };
  };

  /** As a kubelet reports itself, unless it is to be silent. */
  async function beat(name: string): Promise<void> {
    if (silent.has(name)) return;
    const patch = JSON.stringify({ status: { conditions: [ready()] } });
    await site.api.patch(collections.nodes, { name, subresource: 'status' }, 'strategic', patch).catch(() => undefined);
  }

  async function addNode(name: string): Promise<void> {
    const amounts = { cpu: '4', memory: '8Gi', pods: '110' };
    const node: Node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { 'kubernetes.io/hostname': name, rack: 'shared' } },
      status: { capacity: amounts, allocatable: amounts, conditions: [ready()] },
    };
    await site.api.create(collections.nodes, undefined, node);
  }

  const podsOf = async (app: string): Promise<Pod[]> => {
    const { items } = await site.api.list(collections.pods, {
      namespace: place.namespace,
      labelSelector: `app=${app}`,
    });
    return items as Pod[];
  };

  test('a Deployment becomes pods on nodes, rolls over, and goes with everything it owns', async () => {
    await place.create(deployment('web', 3));
    await place.eventually(async () => {
      const { status } = (await site.api.get(collections.deployments, {
        namespace: place.namespace,
        name: 'web',
      })) as Deployment;
      assert.equal(status?.availableReplicas, 3);
    });
    const nodes = new Set((await podsOf('web')).map(({ spec }) => spec?.nodeName));
    assert.deepEqual([...nodes].sort(), ['edge-1', 'edge-2'], 'spread over both');
    await place.ok('set image deployment/web main=busybox:2');
    await place.ok('rollout status deployment/web --timeout=60s');
    await place.ok('delete deployment web --cascade=foreground --timeout=60s');
    await place.eventually(async () => assert.deepEqual(await podsOf('web'), []));
  });

  test('a DaemonSet, a StatefulSet and a Job do their work', async () => {
    await place.create(daemonSet('agent'), statefulSet('db', 2), job('once'));
    await place.eventually(async () => {
      assert.equal((await podsOf('agent')).filter(({ status }) => status?.phase === 'Running').length, 2);
      const db = { namespace: place.namespace, name: 'db' };
      assert.equal(((await site.api.get(collections.statefulSets, db)) as StatefulSet).status?.readyReplicas, 2);
      const once_ = { namespace: place.namespace, name: 'once' };
      assert.equal(((await site.api.get(collections.jobs, once_)) as Job).status?.succeeded, 1);
    });
    assert.deepEqual((await podsOf('db')).map(({ metadata }) => metadata.name).sort(), ['db-0', 'db-1']);
  });

  test('a Service gets its slices, a quota its count, an account its token and a namespace its certificate', async () => {
    await place.create(deployment('shop', 2));
    await place.ok('expose deployment shop --port=80');
    await place.ok('create quota few --hard=pods=20');
    await place.eventually(async () => {
      assert.match(await place.ok('get endpointslices -o jsonpath={.items[*].endpoints[*].addresses}'), /10\.0\.0\.9/);
      assert.match(await place.ok('get quota few -o jsonpath={.status.used.pods}'), /^[1-9]/);
      await place.ok('get configmap kube-root-ca.crt');
      await place.ok('get serviceaccount default');
    });
    assert.match(await place.ok('create token default'), /^[\w-]+\.[\w-]+\.[\w-]+/);
  });

  test('what loses its owner stays when that was asked for, and goes otherwise', async () => {
    await place.create(deployment('left', 2));
    await place.ok('rollout status deployment/left --timeout=60s');
    await place.ok('delete deployment left --cascade=orphan --timeout=60s');
    const sets = async (): Promise<readonly KubeObject[]> =>
      (await site.api.list(collections.replicaSets, { namespace: place.namespace, labelSelector: 'app=left' })).items;
    const [set] = await sets();
    assert.deepEqual(set?.metadata.ownerReferences ?? [], []);
    assert.equal((await podsOf('left')).length, 2);
    await place.ok('delete replicaset --selector=app=left --timeout=60s');
    await place.eventually(async () => assert.deepEqual(await podsOf('left'), []));
  });

  test('a disruption budget is counted, and evictions keep to it', async () => {
    await place.ok('create poddisruptionbudget shop --selector=app=shop --min-available=2');
    await place.eventually(async () => {
      const counted = await place.ok('get pdb shop -o jsonpath={.status.currentHealthy}/{.status.expectedPods}');
      assert.equal(counted, '2/2');
    });
    const [pod] = await podsOf('shop');
    const { namespace, name = '' } = pod!.metadata;
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } };
    const raw = `create --raw /api/v1/namespaces/${namespace}/pods/${name}/eviction -f -`;
    const { code, err } = await place.kubectl(raw, { input: JSON.stringify(eviction) });
    assert.equal(code, 1);
    assert.match(err, /disruption budget/);
  });

  test('a pod that fits nowhere waits, and says why', async () => {
    await place.ok(
      'run huge --image=busybox --overrides={"spec":{"containers":[{"name":"huge","image":"busybox","resources":{"requests":{"cpu":"64"}}}]}}',
    );
    await place.eventually(async () => {
      assert.match(
        await place.ok('get events --field-selector=reason=FailedScheduling'),
        /0\/2 nodes are available: 2 Insufficient cpu/,
      );
    });
  });

  test('a request for a certificate that is approved is signed', async () => {
    const { key, request } = await certificateRequest();
    assert.ok(key);
    const spec = { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] };
    await site.api.create(collections.certificateSigningRequests, undefined, { metadata: { name: 'jane' }, spec });
    await place.ok('certificate approve jane');
    await place.eventually(async () => {
      assert.match(await place.ok('get csr jane -o jsonpath={.status.certificate}'), /^LS0tLS1CRUdJTi/);
    });
  });

  test('a node that falls silent is tainted, pods leave it, and it is welcome again', async () => {
    const tolerations = [
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 1 },
    ];
    await site.api.create(collections.pods, place.namespace, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'nervous' },
      spec: {
        nodeSelector: { 'kubernetes.io/hostname': 'edge-2' },
        containers: [{ name: 'main', image: 'busybox:1' }],
        tolerations,
      },
    });
    await place.ok('wait --for=condition=Ready pod/nervous --timeout=30s');
    silent.add('edge-2');
    const node = async (): Promise<Node> => (await site.api.get(collections.nodes, { name: 'edge-2' })) as Node;
    const taints = async (): Promise<string[]> =>
      ((await node()).spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).sort();
    await place.eventually(async () => {
      assert.equal((await node()).status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'Unknown');
      const unreachable = 'node.kubernetes.io/unreachable';
      assert.deepEqual(await taints(), [`${unreachable}:NoExecute`, `${unreachable}:NoSchedule`]);
    });
    await place.eventually(async () => {
      const nervous = { namespace: place.namespace, name: 'nervous' };
      await assert.rejects(site.api.get(collections.pods, nervous), /not found/);
    });
    assert.match(
      await place.ok('get events --field-selector=involvedObject.name=nervous'),
      /TaintManagerEviction|NodeNotReady/,
    );
    silent.delete('edge-2');
    await place.eventually(async () => assert.deepEqual(await taints(), []));
  });

  test('a namespace goes with everything in it', async () => {
    await place.ok(`delete namespace ${place.namespace} --timeout=60s`);
    await place.eventually(async () => assert.deepEqual(await podsOf('agent'), []));
  });

  test('nobody had anything to complain about', () => {
    assert.ok(heard > 100, 'their logs are read');
    // What both say whenever two of their workers write to one object, on any API server.
    const usual = /the object has been modified|object is being deleted|not found|StorageError|already exists/;
    // The last test takes a namespace from under the controllers; a kube-apiserver that is not told of a front proxy has
    // no CA of one to show either; and what is said of resyncs is about their own periods.
    const known = /because it is being terminated|::requestheader-client-ca-file|resyncPeriod/;
    assert.deepEqual(
      complaints.filter((line) => !usual.test(line) && !known.test(line)),
      [],
    );
  });

  async function certificateRequest(): Promise<{ key: string; request: string }> {
    const { createKeys } = await import('@kedge/platform/node');
    const keys = createKeys();
    const key = keys.createPrivateKey();
    const der = keys.createRequest(key, { commonName: 'jane', organizations: ['developers'] });
    return { key: key.reveal(), request: btoa(keys.toPem('CERTIFICATE REQUEST', der)) };
  }
});
