// Volumes. After the groups "ConfigMap", "Secrets", "Projected", "Downward API volume", "EmptyDir volumes", "HostPath",
// "Subpath" and "Variable Expansion" (sig-storage cases that are node conformance).
import assert from 'node:assert/strict';
import type { Container, PodSpec, Volume } from '@kedge/model/k8s-types';
import { type Case, containerOf, once, shell } from '../node-under-test.ts';

type Source = Omit<Volume, 'name'>;
const at = (source: Source, script: string, mount: object = {}, more: Partial<Container> = {}): PodSpec => ({
  ...once(script, { volumeMounts: [{ name: 'v', mountPath: '/v', ...mount }], ...more }),
  volumes: [{ name: 'v', ...source }],
});
const modeOf = (path: string): string => `stat -Lc %a ${path}`;

const reads = (
  name: string,
  source: (map: string, secret: string) => Source,
  script: string,
  expected: string,
): Case => ({
  name,
  async run(node) {
    const map = await node.create('ConfigMap', {
      data: { 'data-1': 'one', 'data-2': 'two' },
      binaryData: { raw: 'AP8=' },
    });
    const secret = await node.create('Secret', { stringData: { 'data-1': 'hidden' } });
    const pod = await node.pod(at(source(map, secret), script));
    await pod.ended();
    assert.equal(await pod.log(), expected);
  },
});

/** Every way to write into an emptyDir: medium, user, mode of the file. */
const emptyDirCases: readonly Case[] = (['disk', 'memory'] as const).flatMap((medium) =>
  ['root', 'another user'].flatMap((who) =>
    ['644', '666', '777'].map((mode): Case => ({
      name: `an emptyDir on ${medium} takes a file of mode ${mode} by ${who}`,
      async run(node) {
        const emptyDir = medium === 'memory' ? { medium: 'Memory' } : {};
        const script = `stat -c %a /v; echo hi > /v/f; chmod ${mode} /v/f; ${modeOf('/v/f')}; cat /v/f; stat -f -c %T /v`;
        const pod = await node.pod(
          at({ emptyDir }, script, {}, who === 'root' ? {} : { securityContext: { runAsUser: 1001 } }),
        );
        await pod.ended();
        const [ofDirectory, ofFile, content, type] = (await pod.log()).trim().split('\n');
        assert.deepEqual([ofDirectory, ofFile, content], ['777', mode, 'hi']);
        assert.equal(type === 'tmpfs', medium === 'memory');
      },
    })),
  ),
);

export const volumeCases: readonly Case[] = [
  reads(
    'a ConfigMap is a folder of files',
    (name) => ({ configMap: { name } }),
    'cat /v/data-1; od -An -tx1 /v/raw',
    'one 00 ff\n',
  ),
  reads(
    'chosen keys of a ConfigMap get paths of their own',
    (name) => ({ configMap: { name, items: [{ key: 'data-2', path: 'path/to/it' }] } }),
    'cat /v/path/to/it; ls /v',
    'twopath\n',
  ),
  reads(
    'a default mode and the mode of an item count for a ConfigMap',
    (name) => ({
      configMap: {
        name,
        defaultMode: 0o400,
        items: [
          { key: 'data-1', path: 'a' },
          { key: 'data-2', path: 'b', mode: 0o440 },
        ],
      },
    }),
    `${modeOf('/v/a')}; ${modeOf('/v/b')}`,
    '400\n440\n',
  ),
  reads(
    'a Secret is a folder of files',
    (_, secretName) => ({ secret: { secretName } }),
    `cat /v/data-1; echo; ${modeOf('/v/data-1')}`,
    'hidden\n644\n',
  ),
  reads(
    'chosen keys of a Secret get paths and modes of their own',
    (_, secretName) => ({ secret: { secretName, items: [{ key: 'data-1', path: 'p/q', mode: 0o400 }] } }),
    `cat /v/p/q; echo; ${modeOf('/v/p/q')}`,
    'hidden\n400\n',
  ),
  reads(
    'ConfigMaps and Secrets come together in a projected volume',
    (map, secret) => ({
      projected: {
        defaultMode: 0o440,
        sources: [
          { configMap: { name: map, items: [{ key: 'data-1', path: 'c' }] } },
          { secret: { name: secret, items: [{ key: 'data-1', path: 's' }] } },
        ],
      },
    }),
    `cat /v/c /v/s; echo; ${modeOf('/v/c')}`,
    'onehidden\n440\n',
  ),
  reads(
    'what is optional and absent is left out',
    () => ({
      projected: {
        sources: [{ configMap: { name: 'absent', optional: true } }, { secret: { name: 'absent', optional: true } }],
      },
    }),
    'ls -A /v | grep -v "^\\.\\." | wc -l',
    '0\n',
  ),
  {
    name: 'another user reads a ConfigMap and a Secret, by its group with fsGroup',
    async run(node) {
      const map = await node.create('ConfigMap', { data: { a: 'one' } });
      const pod = await node.pod({
        ...at({ configMap: { name: map, defaultMode: 0o440 } }, `cat /v/a; echo; stat -Lc %g /v/a`),
        securityContext: { runAsUser: 1000, fsGroup: 1001 },
      });
      await pod.ended();
      assert.equal(await pod.log(), 'one\n1001\n');
    },
  },
  {
    name: 'a mounted ConfigMap and Secret follow their updates, deletions and additions of keys',
    async run(node) {
      const map = await node.create('ConfigMap', { data: { a: '1', gone: 'x' } });
      const secret = await node.create('Secret', { stringData: { b: '1' } });
      const pod = await node.pod({
        containers: [
          shell('while true; do echo $(cat /m/a /s/b 2>/dev/null) $(ls /m); sleep 1; done', {
            volumeMounts: [
              { name: 'm', mountPath: '/m' },
              { name: 's', mountPath: '/s' },
            ],
          }),
        ],
        volumes: [
          { name: 'm', configMap: { name: map } },
          { name: 's', secret: { secretName: secret } },
        ],
      });
      await pod.says(/^11 a gone$/m);
      await node.patch('ConfigMap', map, { data: { a: '2', gone: null, added: 'y' } });
      await node.patch('Secret', secret, { stringData: { b: '3' } });
      await pod.says(/^23 a added$/m);
      await pod.delete(0);
    },
  },
  {
    name: 'an optional ConfigMap that is made later appears in the volume',
    async run(node) {
      const later = node.uniqueName('later');
      const pod = await node.pod({
        containers: [
          shell('until [ -e /v/a ]; do sleep 1; done; cat /v/a; echo; sleep 1000', {
            volumeMounts: [{ name: 'v', mountPath: '/v' }],
          }),
        ],
        volumes: [{ name: 'v', configMap: { name: later, optional: true } }],
      });
      await pod.running();
      await node.create('ConfigMap', { data: { a: 'made' } }, later);
      await pod.says(/made/);
      await pod.delete(0);
    },
  },
  {
    name: 'a pod whose ConfigMap volume is absent waits and says why',
    async run(node) {
      const pod = await node.pod(at({ configMap: { name: 'never-made' } }, 'true'));
      await pod.until('to wait', (now) => containerOf(now).state?.waiting?.reason === 'ContainerCreating');
      const messages = await pod.until('its event', async () => {
        const found = await pod.events('FailedMount');
        return found.length > 0 && found;
      });
      assert.match((await messages)[0]!, /never-made/);
      await pod.delete(0);
    },
  },
  {
    name: 'the downward API writes labels, annotations, name and resources into files, and follows their changes',
    async run(node) {
      const items = [
        { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
        { path: 'annotations', fieldRef: { fieldPath: 'metadata.annotations' } },
        { path: 'name', fieldRef: { fieldPath: 'metadata.name' }, mode: 0o400 },
        { path: 'cpu', resourceFieldRef: { containerName: 'main', resource: 'limits.cpu', divisor: '1m' } },
      ];
      const pod = await node.pod(
        {
          containers: [
            shell(
              `${modeOf('/v/name')}; while true; do for f in labels annotations name cpu; do cat /v/$f; echo; done | tr "\\n" " "; echo; sleep 1; done`,
              {
                volumeMounts: [{ name: 'v', mountPath: '/v' }],
                resources: { limits: { cpu: '1250m' } },
              },
            ),
          ],
          volumes: [{ name: 'v', downwardAPI: { items } }],
        },
        { labels: { key1: 'value1' }, annotations: { builder: 'bar' } },
      );
      await pod.says(new RegExp(`^400\\nkey1="value1" builder="bar" ${pod.name} 1250`, 'm'));
      await pod.patch({ metadata: { labels: { key3: 'value3' }, annotations: { builder: 'foo' } } });
      await pod.says(/key1="value1" key3="value3" builder="foo"/);
      await pod.delete(0);
    },
  },
  {
    name: 'a projected token is one of the pod, with the audience asked for',
    async run(node) {
      const sources = [{ serviceAccountToken: { path: 'token', audience: 'vault', expirationSeconds: 3600 } }];
      const pod = await node.pod(at({ projected: { sources } }, 'cat /v/token'));
      await pod.ended();
      const claims = JSON.parse(Buffer.from((await pod.log()).split('.')[1]!, 'base64url').toString()) as {
        aud: string[];
        'kubernetes.io': { pod: { name: string } };
      };
      assert.deepEqual([claims.aud, claims['kubernetes.io'].pod.name], [['vault'], pod.name]);
    },
  },
  ...emptyDirCases,
  {
    name: 'an emptyDir is shared by the containers of a pod, survives their restarts, and is gone with the pod',
    async run(node) {
      const volumeMounts = [{ name: 'v', mountPath: '/v' }];
      const pod = await node.pod({
        containers: [
          shell('echo x >> /v/starts; sleep 1; exit 1', { volumeMounts }),
          shell('until [ "$(wc -l < /v/starts)" -ge 2 ]; do sleep 1; done; echo kept; sleep 1000', {
            name: 'reader',
            volumeMounts,
          }),
        ],
        volumes: [{ name: 'v', emptyDir: {} }],
      });
      await pod.says(/kept/, 'reader');
      await pod.delete(0);
    },
  },
  {
    name: 'hostPath volumes of every type are checked and made',
    async run(node) {
      // Not /tmp: the runtime under test keeps its own mounts below it, and CRI-O would have them follow.
      const parent = '/var/tmp';
      const name = `kedge-${node.uniqueName('conformance')}-${process.pid}`;
      const pod = await node.pod({
        ...once('touch /made/f; rm -r /made/*; rmdir /parent/inner; ls -A /parent', {
          volumeMounts: [
            { name: 'made', mountPath: '/made' },
            { name: 'parent', mountPath: '/parent' },
          ],
        }),
        volumes: [
          { name: 'made', hostPath: { path: `${parent}/${name}/made`, type: 'DirectoryOrCreate' } },
          { name: 'parent', hostPath: { path: parent, type: 'Directory' } },
        ],
      });
      await pod.ended();
      const wrong = await node.pod(at({ hostPath: { path: '/etc/hostname', type: 'Directory' } }, 'true'));
      await wrong.until('its event', async () =>
        (await wrong.events('FailedMount')).some((text) => /not a directory/.test(text)),
      );
      await wrong.delete(0);
      const cleaner = await node.pod(at({ hostPath: { path: parent } }, `rm -r /v/${name}`));
      assert.equal((await cleaner.ended()).status!.phase, 'Succeeded');
    },
  },
  {
    name: 'a subpath mounts one file or folder of a volume, also one whose name comes from the environment',
    async run(node) {
      const map = await node.create('ConfigMap', { data: { a: 'one' } });
      const pod = await node.pod({
        restartPolicy: 'Never',
        containers: [
          shell('cat /etc/one; echo; touch /mine/f; ls /all', {
            env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
            volumeMounts: [
              { name: 'map', mountPath: '/etc/one', subPath: 'a' },
              { name: 'data', mountPath: '/mine', subPathExpr: 'logs-$(POD_NAME)' },
              { name: 'data', mountPath: '/all' },
            ],
          }),
        ],
        volumes: [
          { name: 'map', configMap: { name: map } },
          { name: 'data', emptyDir: {} },
        ],
      });
      await pod.ended();
      assert.equal(await pod.log(), `one\nlogs-${pod.name}\n`);
    },
  },
  {
    name: 'a subpath that leaves its volume, or is absolute after expansion, keeps the container from starting',
    async run(node) {
      const env = [{ name: 'BAD', value: '/tmp' }];
      const pod = await node.pod(at({ emptyDir: {} }, 'true', { subPathExpr: '$(BAD)' }, { env }));
      await pod.until('the reason', (now) => containerOf(now).state?.waiting?.reason?.startsWith('Create'));
      await pod.delete(0);
    },
  },
  {
    name: 'a read-only mount cannot be written',
    async run(node) {
      const pod = await node.pod(at({ emptyDir: {} }, 'touch /v/x', { readOnly: true }));
      assert.equal((await pod.ended()).status!.phase, 'Failed');
    },
  },
  {
    name: 'many volumes in one pod do not race',
    async run(node) {
      const names = await Promise.all(
        Array.from({ length: 10 }, (_, n) => node.create('ConfigMap', { data: { n: String(n) } })),
      );
      const pods = await Promise.all(
        Array.from({ length: 3 }, () =>
          node.pod({
            ...once(`cat ${names.map((_, n) => `/v${n}/n`).join(' ')}`, {
              volumeMounts: names.map((_, n) => ({ name: `v${n}`, mountPath: `/v${n}` })),
            }),
            volumes: names.map((name, n) => ({ name: `v${n}`, configMap: { name } })),
          }),
        ),
      );
      for (const pod of pods) {
        await pod.ended();
        assert.equal(await pod.log(), '0123456789');
      }
    },
  },
];
