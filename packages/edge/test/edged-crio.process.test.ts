// What CRI-O can and older runtimes cannot: events, users of a pod's own, groups to the letter, images as volumes, mounts that
// are read-only all the way down. docs/edged.md says `runtime` of these.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { PodSpec } from '@kedge/model/k8s-types';
import { busyboxImageSpec, tarText } from '@kedge/platform/containerd';
import { crioMissing, type PrivateRuntime, privateRuntime } from '@kedge/testing/runtime';
import type { Cri } from '@kedge/wire/cri';
import { Edge } from './real-edge-fixture.ts';

const grouped = 'test.local/grouped:1';

describe('edged on CRI-O', { skip: crioMissing() ?? false }, () => {
  let runtime: PrivateRuntime;
  let edge: Edge;
  /** When edged last asked for the states of everything. */
  let askedAt = 0;
  const main = (script: string, more: Partial<PodSpec['containers'][number]> = {}) => ({
    name: 'main',
    image: runtime.image,
    command: ['sh', '-c', script],
    ...more,
  });
  async function say(name: string, spec: Omit<PodSpec, 'containers'>, container: PodSpec['containers'][number]) {
    edge.put(name, { restartPolicy: 'Never', ...spec, containers: [container] });
    await edge.until(`${name} has ended`, () => edge.statuses.get(name)?.phase === 'Succeeded');
    return edge.words(name).trim();
  }

  before(async () => {
    runtime = await privateRuntime('cri-o');
    const own = [
      tarText('etc/passwd', 'tester:x:1000:1000::/:/bin/sh\n'),
      tarText('etc/group', 'extra:x:5000:tester\n'),
    ];
    const { files, ...image } = await busyboxImageSpec({ reference: grouped });
    const others = files.filter(({ path }) => own.every((file) => file.path !== path));
    await runtime.site.load([{ ...image, files: [...others, ...own] }]);
    const cri: Cri = {
      ...runtime.cri,
      containerStates(options) {
        askedAt = performance.now();
        return runtime.cri.containerStates(options);
      },
    };
    edge = new Edge({ ...runtime, cri });
    await edge.start();
  });
  after(async () => {
    await edge?.stop();
    await runtime.remove();
  });

  test('hears of what happens by events and stops asking', async () => {
    edge.put('steady', { containers: [main('exec sleep 1000')] });
    await edge.until('it runs', () => edge.statuses.get('steady')?.phase === 'Running');
    // Without events it would be once a second.
    await edge.until('nobody asks', () => performance.now() - askedAt > 2_500);
    const [, id = ''] = edge.main('steady')?.containerID?.split('//') ?? [];
    process.kill((await runtime.site.running()).get(id)!, 'SIGKILL');
    await edge.until(
      'it was started again',
      () => edge.main('steady')?.restartCount === 1 && edge.main('steady')?.state?.running !== undefined,
    );
    assert.equal(edge.main('steady')?.lastState?.terminated?.exitCode, 137);
  });

  test('a pod has users of its own', async () => {
    const said = await say(
      'mapped',
      { hostUsers: false, volumes: [{ name: 'v', emptyDir: {} }] },
      main('id -u; touch /v/mine; stat -c %u /v/mine; cat /proc/self/uid_map', {
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
      }),
    );
    // runc 1.2 puts a warning before.
    const [user, owner, map = ''] = said.split('\n').slice(-3);
    assert.deepEqual([user, owner], ['0', '0']);
    const [inside, outside, length] = map.trim().split(/\s+/).map(Number);
    assert.deepEqual([inside, length], [0, 65_536]);
    assert.ok(outside! >= 65_536, map);
  });

  for (const [policy, groups] of [
    ['Merge', '1000 2000 5000'],
    ['Strict', '1000 2000'],
  ] as const)
    test(`groups are ${groups} by the policy ${policy}`, async () => {
      const said = await say(
        `groups-${policy.toLowerCase()}`,
        { securityContext: { runAsUser: 1_000, supplementalGroups: [2_000], supplementalGroupsPolicy: policy } },
        main('id -G', { image: grouped }),
      );
      assert.equal(said.split(' ').sort().join(' '), groups);
    });

  test('an image is a volume, read-only', async () => {
    const said = await say(
      'from-image',
      { volumes: [{ name: 'v', image: { reference: grouped, pullPolicy: 'IfNotPresent' } }] },
      main('cat /v/etc/group; touch /v/new 2>/dev/null || echo read-only', {
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
      }),
    );
    assert.equal(said, 'extra:x:5000:tester\nread-only');
  });

  test('a mount is read-only all the way down', async () => {
    const outer = `${runtime.directory}/outer`;
    mkdirSync(`${outer}/inner`, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', `${outer}/inner`]);
    try {
      const script = 'touch /v/inner/new 2>/dev/null && echo written || echo read-only';
      for (const [recursiveReadOnly, expected] of [
        ['Disabled', 'written'],
        ['Enabled', 'read-only'],
        ['IfPossible', 'read-only'],
      ] as const) {
        const said = await say(
          `down-${recursiveReadOnly.toLowerCase()}`,
          { volumes: [{ name: 'v', hostPath: { path: outer } }] },
          main(script, { volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true, recursiveReadOnly }] }),
        );
        assert.equal(said, expected, recursiveReadOnly);
      }
    } finally {
      execFileSync('umount', ['--lazy', `${outer}/inner`]);
    }
  });
});
