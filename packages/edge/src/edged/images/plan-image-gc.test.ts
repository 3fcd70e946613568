// Which images go, as a table.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hours, instant, minutes } from '@kedge/core/time';
import { type ImageGcSettings, type KnownImage, planImageGc } from './plan-image-gc.ts';

const now = instant(100 * 3_600_000);
const settings: ImageGcSettings = { high: 0.85, low: 0.8, minAge: minutes(2), maxAge: hours(0) };
const image = (id: string, more: Partial<KnownImage> = {}): KnownImage => ({
  id,
  names: [id],
  bytes: 100,
  firstSeen: instant(0),
  lastUsed: undefined,
  isUsed: false,
  ...more,
});
const disk = (used: number) => ({ totalBytes: 1_000, freeBytes: 1_000 - used });
const ids = (images: readonly KnownImage[]): string[] => images.map(({ id }) => id);

describe('images', () => {
  test('stay while the disk is not too full', () => {
    assert.deepEqual(planImageGc([image('a')], disk(849), settings, now), { remove: [], missingBytes: 0 });
  });

  test('go until the lower mark is reached, those unused for longest first', () => {
    const images = [image('new', { lastUsed: instant(900) }), image('never'), image('old', { lastUsed: instant(5) })];
    assert.deepEqual(ids(planImageGc(images, disk(950), settings, now).remove), ['never', 'old']);
  });

  test('that are used or very young stay, and what is missing then is told', () => {
    const images = [image('used', { isUsed: true }), image('young', { firstSeen: instant(now - 60_000) }), image('a')];
    const plan = planImageGc(images, disk(950), settings, now);
    assert.deepEqual(ids(plan.remove), ['a']);
    assert.equal(plan.missingBytes, 50);
  });

  test('that nobody has used for too long go at any time', () => {
    const images = [
      image('old'),
      image('used-lately', { lastUsed: instant(now - 60_000) }),
      image('used', { isUsed: true }),
    ];
    assert.deepEqual(ids(planImageGc(images, disk(1), { ...settings, maxAge: hours(24) }, now).remove), ['old']);
  });

  test('all go when everything that can be freed is needed', () => {
    const plan = planImageGc(
      [image('a'), image('b', { isUsed: true })],
      disk(0),
      settings,
      now,
      Number.MAX_SAFE_INTEGER,
    );
    assert.deepEqual(ids(plan.remove), ['a']);
  });
});
