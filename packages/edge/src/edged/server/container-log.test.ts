// Logs as the runtime writes them, read the ways kubectl asks for them.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '@kedge/core/testing';
import { instant, seconds } from '@kedge/core/time';
import { createMemoryFiles } from '@kedge/testing/files';
import { type LogOptions, readLog } from './container-log.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const everything: LogOptions = {
  follow: false,
  timestamps: false,
  tailLines: undefined,
  limitBytes: undefined,
  since: undefined,
  stream: undefined,
};
const lines = [
  '2026-01-01T00:00:01.000000000Z stdout F one',
  '2026-01-01T00:00:02.000000000Z stderr F two',
  '2026-01-01T00:00:03.000000000Z stdout P thr',
  '2026-01-01T00:00:03.500000000Z stdout F ee',
  '2026-01-01T00:00:04.000000000Z stdout F ',
  '2026-01-01T00:00:05.000000000Z stdout F five',
];
const text = `${lines.join('\n')}\n`;

async function read(options: Partial<LogOptions>, content: string | Uint8Array = text): Promise<string> {
  const files = createMemoryFiles();
  await files.writeAtomically('/0.log', content);
  const source = { files, clock: new FakeClock({ settle }), path: '/0.log', isWritten: () => false };
  let out = '';
  for await (const piece of readLog(source, { ...everything, ...options }, new AbortController().signal)) {
    out += new TextDecoder().decode(piece);
  }
  return out;
}

describe('the log of a container', () => {
  const cases: [string, Partial<LogOptions>, string][] = [
    ['whole, long lines joined', {}, 'one\ntwo\nthree\n\nfive\n'],
    ['its last lines', { tailLines: 2 }, '\nfive\n'],
    ['its last lines, one of which was long', { tailLines: 3 }, 'three\n\nfive\n'],
    ['no line at all', { tailLines: 0 }, ''],
    ['more lines than there are', { tailLines: 100 }, 'one\ntwo\nthree\n\nfive\n'],
    ['one of its streams', { stream: 'stderr' }, 'two\n'],
    ['from a time on', { since: instant(Date.UTC(2026, 0, 1, 0, 0, 4)) }, '\nfive\n'],
    ['cut at a number of bytes', { limitBytes: 5 }, 'one\nt'],
    ['with times', { timestamps: true, tailLines: 1 }, '2026-01-01T00:00:05.000000000Z five\n'],
  ];
  for (const [what, options, expected] of cases) {
    test(what, async () => assert.equal(await read(options), expected));
  }

  test('keeps bytes that are not UTF-8', async () => {
    const files = createMemoryFiles();
    const head = new TextEncoder().encode('2026-01-01T00:00:01Z stdout F ');
    await files.writeAtomically('/0.log', Uint8Array.from([...head, 0xff, 0xfe, 0x0a]));
    const source = { files, clock: new FakeClock({ settle }), path: '/0.log', isWritten: () => false };
    const pieces: Uint8Array[] = [];
    for await (const piece of readLog(source, everything, new AbortController().signal)) pieces.push(piece);
    assert.deepEqual([...pieces[0]!], [0xff, 0xfe, 0x0a]);
  });

  test('of many lines is tailed from the end', async () => {
    const many = Array.from({ length: 20_000 }, (_, n) => `2026-01-01T00:00:01Z stdout F line ${n}\n`).join('');
    assert.equal(await read({ tailLines: 2 }, many), 'line 19998\nline 19999\n');
    const all = await read({}, many);
    assert.equal(all.split('\n').length, 20_001);
  });

  test('without line ends stays bounded and shows nothing', async () => {
    assert.equal(await read({}, 'x'.repeat(3_000_000)), '');
  });

  test('is followed until nobody writes it any more, also across a rotation', async () => {
    const files = createMemoryFiles();
    const clock = new FakeClock({ settle });
    await files.writeAtomically('/0.log', `${lines[0]}\n`);
    let isWritten = true;
    const source = { files, clock, path: '/0.log', isWritten: () => isWritten };
    let out = '';
    const reading = (async () => {
      const options = { ...everything, follow: true };
      for await (const piece of readLog(source, options, new AbortController().signal)) {
        out += new TextDecoder().decode(piece);
      }
    })();
    await clock.advance(seconds(2));
    assert.equal(out, 'one\n');
    await files.append('/0.log', `${lines[1]}\n`);
    await clock.advance(seconds(2));
    assert.equal(out, 'one\ntwo\n');
    await files.writeAtomically('/0.log', `${lines[5]}\n`);
    await clock.advance(seconds(2));
    assert.equal(out, 'one\ntwo\nfive\n');
    isWritten = false;
    await clock.until(reading);
  });

  test('stops being followed when the reader leaves', async () => {
    const files = createMemoryFiles();
    const clock = new FakeClock({ settle });
    await files.writeAtomically('/0.log', text);
    const leave = new AbortController();
    const source = { files, clock, path: '/0.log', isWritten: () => true };
    const reading = (async () => {
      for await (const _ of readLog(source, { ...everything, follow: true }, leave.signal)) continue;
    })();
    reading.catch(() => undefined);
    await clock.advance(seconds(2));
    leave.abort(new Error('left'));
    await assert.rejects(clock.until(reading), /left/);
  });
});
