import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pod, PodSpec } from '@kedge/model/k8s-types';
import { findExcess } from './storage-limits.ts';

const kib = 1_024;
const limited = (name: string, limit?: string): PodSpec['containers'][number] => ({
  name,
  ...(limit ? { resources: { limits: { 'ephemeral-storage': limit } } } : {}),
});
const pod = (spec: Partial<PodSpec>): Pod => ({
  metadata: { name: 'a' },
  spec: { containers: [limited('main')], ...spec },
});
const cache = { name: 'cache', emptyDir: { sizeLimit: '1Ki' } };

describe('what a pod takes of the disk', () => {
  const table: [
    what: string,
    spec: Partial<PodSpec>,
    volumes: [string, number][],
    containers: [string, number][],
    said: string | undefined,
  ][] = [
    ['has no limit', {}, [['any', 9 * kib]], [['main', 9 * kib]], undefined],
    ['keeps to the size of its emptyDir', { volumes: [cache] }, [['cache', kib]], [], undefined],
    [
      'is more than the size of its emptyDir',
      { volumes: [cache] },
      [['cache', kib + 1]],
      [],
      'Usage of EmptyDir volume "cache" exceeds the limit "1Ki". ',
    ],
    [
      'is more than its container may',
      { containers: [limited('main', '1Ki'), limited('free')] },
      [],
      [['main', kib + 1]],
      'Container main exceeded its local ephemeral storage limit "1Ki". ',
    ],
    [
      'is more than all its containers may together, volumes included',
      { containers: [limited('one', '1Ki'), limited('two', '1Ki')] },
      [['scratch', kib]],
      [
        ['one', kib],
        ['two', 1],
      ],
      'Pod ephemeral local storage usage exceeds the total limit of containers 2048. ',
    ],
    [
      'is not limited as a whole where one container is free',
      { containers: [limited('main', '1Ki'), limited('free')] },
      [['scratch', 9 * kib]],
      [['main', kib]],
      undefined,
    ],
  ];
  for (const [what, spec, volumes, containers, said] of table) {
    test(what, () => {
      assert.equal(findExcess(pod(spec), { volumes: new Map(volumes), containers: new Map(containers) }), said);
    });
  }
});
