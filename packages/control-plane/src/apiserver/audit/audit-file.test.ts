// The audit log on disk: cut over by size, trimmed by number and age, and never in the way of a request.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import type { Files } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { days, seconds } from '@kedge/core/time';
import { createAuditFile } from './audit-file.ts';

function diskOf() {
  const contents = new Map<string, string>();
  let isFull = false;
  const files = {
    info: async (path: string) => (contents.has(path) ? { size: contents.get(path)!.length } : undefined),
    append: async (path: string, text: string) => {
      if (isFull) throw new Error('disk full');
      contents.set(path, (contents.get(path) ?? '') + text);
    },
    rename: async (from: string, to: string) => {
      contents.set(to, contents.get(from)!);
      contents.delete(from);
    },
    list: async () => [...contents.keys()].map((path) => path.slice('/log/'.length)),
    remove: async (path: string) => void contents.delete(path),
  } as unknown as Files;
  return { contents, files, fill: (full: boolean) => (isFull = full) };
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setImmediate(resolve));
};

test('files are cut over by size and removed by number and age', async () => {
  const clock = new FakeClock({ settle });
  const { contents, files } = diskOf();
  const config = { path: '/log/audit.log', maxBytes: 25, maxBackups: 2, maxAgeDays: 3 };
  const file = createAuditFile({ files, clock, log: silentLog }, config);
  const stop = new AbortController();
  const running = file.run(stop.signal);
  const write = async (text: string): Promise<string[]> => {
    file.write(text);
    await clock.advance(seconds(1));
    return [...contents.values()].map((content) => content.trim().replaceAll('\n', ' ')).sort();
  };
  assert.deepEqual(await write('first-line'), ['first-line']);
  assert.deepEqual(await write('second-line'), ['first-line second-line']);
  assert.deepEqual(await write('third-line'), ['first-line second-line', 'third-line']);
  await write('fourth-line');
  await write('fifth-line');
  await write('sixth-line');
  assert.deepEqual(await write('seventh-line-is-longer-than-others'), [
    'fifth-line sixth-line',
    'seventh-line-is-longer-than-others',
    'third-line fourth-line',
  ]);
  await clock.advance(days(4));
  assert.deepEqual(await write('much later'), ['much later', 'seventh-line-is-longer-than-others']);
  stop.abort();
  await running;
});

test('a disk that does not take anything costs lines, not requests, and what fits is written later', async () => {
  const clock = new FakeClock({ settle });
  const { contents, files, fill } = diskOf();
  const config = { path: '/log/audit.log', maxBytes: 1 << 30, maxBackups: 0, maxAgeDays: 0 };
  const file = createAuditFile({ files, clock, log: silentLog }, config);
  const stop = new AbortController();
  const running = file.run(stop.signal);
  fill(true);
  const line = 'x'.repeat(100_000);
  for (let i = 0; i < 200; i++) file.write(line);
  await clock.advance(seconds(1));
  fill(false);
  await clock.advance(seconds(10));
  const written = contents.get('/log/audit.log')!.length;
  assert.ok(written > 7 << 20 && written <= 9 << 20, String(written));
  stop.abort();
  await running;
});
