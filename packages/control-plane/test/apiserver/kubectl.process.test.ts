// The real kubectl against the API server: what users type, and what they see. Controllers do not run here, so the test
// writes their part of a status itself.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import { createKubectl, type Kubectl } from '../kubectl/run-kubectl.ts';
import { type OpenServer, openTestServer } from './test-server.ts';

let running: OpenServer;
let api: KubeApi;
let program: Kubectl;

before(async () => {
  running = await openTestServer('kubectl');
  ({ api } = running);
  program = createKubectl(running.kubeconfigPath, running.directory);
  await api.create(collections.serviceAccounts, 'default', { metadata: { name: 'default' } });
});
after(() => running.stop());

const start = (args: readonly string[]) => {
  const child = program.start(args);
  child.stdin.end();
  return child;
};
const kubectl = (args: string, input = '') => program.run(args, { input });
const ok = (args: string, input?: string) => program.ok(args, input);

/** Cells of a printed table by column. */
const table = (text: string): string[][] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.trim().split(/\s{2,}|\s(?=\d+[smhd]\b)/));

const deployment = (image: string) => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: main, image: "${image}" }] }
`;

describe('kubectl', () => {
  test('knows the server, its resources and their fields', async () => {
    assert.match(await ok('version'), /Server Version: v1\.32\.\d+-kedge/);
    const resources = await ok('api-resources --no-headers');
    for (const line of [
      /^pods +po +v1 +true +Pod$/m,
      /^deployments +deploy +apps\/v1 +true +Deployment$/m,
      /^leases +coordination/m,
    ]) {
      assert.match(resources, line);
    }
    assert.match(await ok('api-versions'), /^apps\/v1$/m);
    assert.match(await ok('explain deployment.spec.replicas'), /FIELD: replicas <integer>/);
    assert.match(await ok('explain pod --recursive'), /containers\t<\[\]Container> -required-/);
    assert.match(await ok('get --raw /readyz?verbose'), /\[\+\]storage ok/);
  });

  test('finds what a cluster is born with', async () => {
    const namespaces = table(await ok('get namespaces'));
    assert.deepEqual(namespaces[0], ['NAME', 'STATUS', 'AGE']);
    assert.deepEqual(
      namespaces.slice(1).map(([name, status]) => `${name} ${status}`),
      ['default Active', 'kube-node-lease Active', 'kube-public Active', 'kube-system Active'],
    );
    assert.deepEqual(table(await ok('get service kubernetes'))[1]?.slice(0, 5), [
      'kubernetes',
      'ClusterIP',
      '10.96.0.1',
      '<none>',
      '443/TCP',
    ]);
    assert.equal(await ok('auth can-i delete nodes'), 'yes\n');
    assert.match(await ok('auth whoami -o jsonpath={.status.userInfo.groups}'), /system:masters/);
  });

  test('creates objects of the usual kinds, described and printed in every form', async () => {
    await ok('create namespace shop');
    await ok('create configmap settings --from-literal=color=blue');
    await ok('create secret generic password --from-literal=word=secret');
    await ok('create serviceaccount robot');
    await ok('create service clusterip web --tcp=80:8080');
    await ok('create deployment first --image=busybox --replicas=3');
    await ok('create job once --image=busybox');
    await ok('create role reader --verb=get --resource=pods');
    await ok('create rolebinding robots --role=reader --serviceaccount=default:robot');
    await ok('run box --image=busybox --restart=Never');
    assert.equal(await ok('get configmap settings -o jsonpath={.data.color}'), 'blue');
    assert.equal(await ok('get secret password -o jsonpath={.data.word}'), Buffer.from('secret').toString('base64'));
    assert.match(await ok('get secret password -o yaml'), /^type: Opaque$/m);
    assert.equal((JSON.parse(await ok('get deployment first -o json')) as { kind: string }).kind, 'Deployment');
    for (const what of [
      'namespace shop',
      'configmap settings',
      'secret password',
      'serviceaccount robot',
      'service web',
      'deployment first',
      'job once',
      'pod box',
    ]) {
      assert.match(await ok(`describe ${what}`), /^Name: /m);
    }
    assert.deepEqual(table(await ok('get deployments -o wide'))[0], [
      'NAME',
      'READY',
      'UP-TO-DATE',
      'AVAILABLE',
      'AGE',
      'CONTAINERS',
      'IMAGES',
      'SELECTOR',
    ]);
    const [head, box] = table(await ok('get pods -o wide'));
    assert.deepEqual(head, [
      'NAME',
      'READY',
      'STATUS',
      'RESTARTS',
      'AGE',
      'IP',
      'NODE',
      'NOMINATED NODE',
      'READINESS GATES',
    ]);
    assert.deepEqual(box?.toSpliced(4, 1), ['box', '0/1', 'Pending', '0', '<none>', '<none>', '<none>', '<none>']);
    assert.deepEqual(table(await ok('get secrets'))[1]?.slice(0, 3), ['password', 'Opaque', '1']);
    assert.match(await ok('auth can-i get pods --as=system:serviceaccount:default:robot'), /yes/);
    assert.match((await kubectl('auth can-i delete pods --as=system:serviceaccount:default:robot')).out, /no/);
  });

  test('applies from the client: created, unchanged, configured, and pruned of what the file no longer says', async () => {
    assert.match(await ok('apply -f -', deployment('busybox:1')), /created/);
    assert.match(await ok('apply -f -', deployment('busybox:1')), /unchanged/);
    assert.match(await ok('apply -f -', deployment('busybox:2')), /configured/);
    assert.equal(await ok('get deployment web -o jsonpath={.metadata.generation}'), '2');
    assert.match(await ok('diff -f -', deployment('busybox:2')), /^$/);
  });

  test('applies on the server, and is told whose fields it would take', async () => {
    const configMap = (color: string) =>
      `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"shared"},"data":{"color":"${color}"}}`;
    assert.match(await ok('apply --server-side -f -', configMap('red')), /serverside-applied/);
    assert.match(await ok('apply --server-side -f -', configMap('red')), /serverside-applied/);
    const refused = await kubectl('apply --server-side --field-manager=other -f -', configMap('green'));
    assert.match(refused.err, /conflict with "kubectl": \.data\.color/);
    await ok('apply --server-side --force-conflicts --field-manager=other -f -', configMap('green'));
    assert.equal(await ok('get configmap shared -o jsonpath={.data.color}'), 'green');
  });

  test('changes objects by patch, label, annotation and scale', async () => {
    await ok(
      `patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"A","value":"1"}]}]}}}}'`,
    );
    await ok(`patch deployment web --type=json -p '[{"op":"replace","path":"/spec/replicas","value":4}]'`);
    await ok(`patch deployment web --type=merge -p '{"spec":{"minReadySeconds":5}}'`);
    await ok('label deployment web tier=front');
    await ok('annotate deployment web note=hello');
    await ok('scale deployment web --replicas=6 --current-replicas=4');
    await ok('set image deployment/web main=busybox:3');
    const web = JSON.parse(await ok('get deployment web -o json')) as {
      metadata: { labels: object; annotations: Record<string, string> };
      spec: {
        replicas: number;
        minReadySeconds: number;
        template: { spec: { containers: { image: string; env: object[] }[] } };
      };
    };
    assert.deepEqual([web.spec.replicas, web.spec.minReadySeconds], [6, 5]);
    assert.equal(web.spec.template.spec.containers[0]?.image, 'busybox:3');
    assert.deepEqual(web.spec.template.spec.containers[0]?.env, [{ name: 'A', value: '1' }]);
    assert.deepEqual(web.metadata.labels, { tier: 'front' });
    assert.equal(web.metadata.annotations['note'], 'hello');
    assert.match(
      (await kubectl('scale deployment web --replicas=1 --current-replicas=99')).err,
      /Expected replicas to be 99/,
    );
  });

  test('follows a rollout and waits for conditions', async () => {
    const target = { namespace: 'default', name: 'web', subresource: 'status' };
    const rollout = kubectl('rollout status deployment/web --timeout=20s');
    const waiting = kubectl('wait deployment/web --for=condition=Available --timeout=20s');
    const { metadata } = await api.get(collections.deployments, { namespace: 'default', name: 'web' });
    const status = {
      observedGeneration: metadata.generation,
      replicas: 6,
      updatedReplicas: 6,
      readyReplicas: 6,
      availableReplicas: 6,
      conditions: [{ type: 'Available', status: 'True' }],
    };
    await api.patch(collections.deployments, target, 'merge', JSON.stringify({ status }));
    assert.match((await rollout).out, /successfully rolled out/);
    assert.match((await waiting).out, /condition met/);
    assert.deepEqual(table(await ok('get deployment web'))[1]?.slice(0, 4), ['web', '6/6', '6', '6']);
  });

  test('watches a table grow', async () => {
    const child = start(['get', 'configmaps', '--watch', '--field-selector=metadata.name=watched']);
    let seen = '';
    const lines = (count: number): Promise<void> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (seen.split('\n').length > count) resolve();
        };
        child.stdout.on('data', look);
        child.once('close', () => reject(new Error(`the watch ended: ${seen}`)));
        look();
      });
    child.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    await api.create(collections.configMaps, 'default', { metadata: { name: 'watched' } });
    await lines(2);
    await api.patch(
      collections.configMaps,
      { namespace: 'default', name: 'watched' },
      'merge',
      '{"data":{"a":"1","b":"2"}}',
    );
    await lines(3);
    child.removeAllListeners('close');
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill();
    await ended;
    assert.deepEqual(
      table(seen).map((cells) => cells.slice(0, 2)),
      [
        ['NAME', 'DATA'],
        ['watched', '0'],
        ['watched', '2'],
      ],
    );
  });

  test('serves custom resources as soon as they are defined, and forgets them with their definition', async () => {
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'lamps.example.com' },
      spec: {
        group: 'example.com',
        scope: 'Namespaced',
        names: { plural: 'lamps', kind: 'Lamp', shortNames: ['lp'] },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            subresources: {
              status: {},
              scale: { specReplicasPath: '.spec.count', statusReplicasPath: '.status.count' },
            },
            additionalPrinterColumns: [{ name: 'Color', type: 'string', jsonPath: '.spec.color' }],
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  spec: {
                    type: 'object',
                    required: ['color'],
                    properties: {
                      color: { type: 'string', description: 'the color of its light' },
                      count: { type: 'integer', default: 1 },
                    },
                  },
                  status: { type: 'object', properties: { count: { type: 'integer' } } },
                },
              },
            },
          },
          {
            name: 'v1alpha1',
            served: true,
            storage: false,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    };
    const lamp = (color: unknown) =>
      JSON.stringify({ apiVersion: 'example.com/v1', kind: 'Lamp', metadata: { name: 'desk' }, spec: { color } });
    await ok('apply -f -', JSON.stringify(definition));
    await ok('wait --for=condition=Established crd/lamps.example.com --timeout=5s');
    await ok('apply -f -', lamp('red'));
    assert.deepEqual(table(await ok('get lp')), [
      ['NAME', 'COLOR'],
      ['desk', 'red'],
    ]);
    assert.match(await ok('explain lamp.spec.color'), /the color of its light/);
    assert.match(await ok('get lamps.v1alpha1.example.com desk -o yaml'), /apiVersion: example\.com\/v1alpha1/);
    assert.match((await kubectl('apply -f -', lamp(1))).err, /spec\.color in body must be of type string/);
    await ok('scale lamp desk --replicas=4');
    assert.equal(await ok('get lamp desk -o jsonpath={.spec.count}'), '4');
    await ok('delete crd lamps.example.com');
    assert.notEqual((await kubectl('get lamps')).code, 0);
  });

  test('is told what is wrong with a manifest, by field', async () => {
    const pod = (spec: string) => `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"bad"},"spec":${spec}}`;
    assert.match(
      (await kubectl('create -f -', pod('{"containers":[{"name":"a","image":"b","imag":"c"}]}'))).err,
      /unknown field "spec\.containers\[0\]\.imag"/,
    );
    assert.match((await kubectl('create -f -', pod('{"containers":[]}'))).err, /spec\.containers: Required value/);
    assert.match(
      (await kubectl('create --validate=warn -f -', pod('{"containers":[{"name":"a","image":"b"}],"color":1}'))).err,
      /Warning: unknown field "spec\.color"/,
    );
    assert.match((await kubectl('create configmap settings')).err, /configmaps "settings" already exists/);
    assert.match((await kubectl('get pod nobody')).err, /pods "nobody" not found/);
    assert.match(
      (await kubectl('get pods --as=stranger')).err,
      /User "stranger" cannot list resource "pods" in API group "" in the namespace "default"/,
    );
  });

  test('makes a trial run that leaves nothing behind', async () => {
    assert.match(await ok('create configmap trial --dry-run=server -o name'), /configmap\/trial/);
    assert.match((await kubectl('get configmap trial')).err, /not found/);
  });

  test('deletes objects, one by one, by label and all', async () => {
    await ok('delete pod bad box --ignore-not-found');
    await ok('delete deployment -l tier=front');
    await ok('delete configmap --all');
    assert.match((await kubectl('get configmaps')).err, /No resources found/);
    const manifest = join(running.directory, 'later.yaml');
    await writeFile(manifest, deployment('busybox'));
    await ok(`create -f ${manifest}`);
    assert.match(await ok(`delete -f ${manifest}`), /deleted/);
  });
});
