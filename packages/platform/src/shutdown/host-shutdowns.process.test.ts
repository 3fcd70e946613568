// Real children, with systemd's programs played by scripts that say what those of systemd 252 said.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { type Duration, milliseconds, seconds } from '@kedge/core/time';
import { createProcesses, systemClock } from '@kedge/platform/node';
import { createHostShutdowns } from './host-shutdowns.ts';

const inhibit = `#!/bin/sh
while case "$1" in --*) true;; *) false;; esac; do shift; done
cd "$KEDGE_TEST_DIR"
[ -e busy ] && { echo 'Failed to inhibit: The operation inhibition has been requested for is already running' >&2; exit 1; }
touch lock; "$@"; rm lock
`;
const busctl = `#!/bin/sh
cd "$KEDGE_TEST_DIR"
case "$*" in
  *get-property*) echo "t $(cat delay)"; exit;;
  *"monitor --match=type='signal',interface='org.freedesktop.login1.Manager',member='PrepareForShutdown'");;
  *) exit 9;;
esac
echo 'Monitoring bus message stream.' >&2
while [ ! -e signal ]; do sleep 0.05; done
cat signal
while true; do sleep 0.05; done
`;
const signalText = (value: boolean): string => `‣ Type=signal  Endian=l  Flags=1  Version=1 Cookie=2
  Sender=:1.1  Path=/org/freedesktop/login1  Interface=org.freedesktop.login1.Manager  Member=PrepareForShutdown
  UniqueName=:1.1
  MESSAGE "b" {
          BOOLEAN ${value};
  };

`;

async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let turn = 0; turn < 500; turn++) {
    if (isTrue()) return;
    await sleep(20);
  }
  assert.fail(`not in time: ${what}`);
}

function machine(t: TestContext, { hasLogind = true, delay = 5_000_000 } = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'kedge-shutdown-'));
  const at = (name: string): string => join(directory, name);
  const script = (name: string, text: string): void => writeFileSync(at(name), text, { mode: 0o755 });
  script('systemd-inhibit', inhibit);
  script('busctl', busctl);
  script('systemctl', '#!/bin/sh\necho "$@" > "$KEDGE_TEST_DIR/asked"; echo 30000000 > "$KEDGE_TEST_DIR/delay"\n');
  writeFileSync(at('delay'), String(delay));
  const before = process.env['PATH'];
  process.env['PATH'] = `${directory}:${before}`;
  process.env['KEDGE_TEST_DIR'] = directory;
  const ending = new AbortController();
  t.after(async () => {
    ending.abort();
    await until('the lock is gone', () => !existsSync(at('lock')));
    process.env['PATH'] = before;
    process.removeAllListeners('SIGUSR2');
    rmSync(directory, { recursive: true });
  });
  const written: string[] = [];
  let ended = 0;
  const info = { kind: 'directory', size: 0, mode: 0, modifiedMs: 0, device: 0 } as const;
  const shutdowns = createHostShutdowns({
    clock: systemClock,
    processes: createProcesses(),
    files: {
      info: async () => (hasLogind ? info : undefined),
      makeDirectory: async () => undefined,
      writeAtomically: async (path, text) => void written.push(`${path}\n${String(text)}`),
    },
    endProcess: () => (ended += 1),
  });
  const granted: (Duration | undefined)[] = [];
  const next = (wish: Duration) => shutdowns.next(wish, (time) => granted.push(time), ending.signal);
  return {
    next,
    granted,
    written,
    ended: () => ended,
    isHeld: () => existsSync(at('lock')),
    say: (name: string, text: string) => writeFileSync(at(name), text),
    read: (name: string) => existsSync(at(name)),
    end: () => ending.abort(),
  };
}

test('logind is held back until the shutdown is let go', async (t) => {
  const host = machine(t);
  const next = host.next(seconds(3));
  await until('the lock is held', () => host.granted.length === 1);
  assert.deepEqual(host.granted, [milliseconds(5_000)]);
  assert.deepEqual(host.written, []);
  assert.equal(host.isHeld(), true);
  host.say('signal', signalText(true));
  const begun = await next;
  assert.equal(begun.from, 'systemd-logind');
  assert.equal(host.isHeld(), true);
  await begun.letGo();
  assert.equal(host.isHeld(), false);
  assert.equal(host.ended(), 0);
});

test('a logind that waits less is told to wait longer', async (t) => {
  const host = machine(t);
  const next = host.next(seconds(20));
  await until('the lock is held', () => host.granted.length === 1);
  assert.deepEqual(host.granted, [seconds(30)]);
  assert.match(host.written.join(), /logind\.conf\.d\/99-kedge\.conf\n[^]*InhibitDelayMaxSec=20\n/);
  assert.equal(host.read('asked'), true);
  host.end();
  await assert.rejects(next);
  await until('the lock is gone', () => !host.isHeld());
});

test('cannot be held while a shutdown is under way', async (t) => {
  const host = machine(t);
  host.say('busy', '');
  await assert.rejects(host.next(seconds(1)), /already running/);
  assert.deepEqual(host.granted, []);
  // SIGUSR2 is heard all the same.
  const next = host.next(seconds(1));
  process.kill(process.pid, 'SIGUSR2');
  assert.equal((await next).from, 'SIGUSR2');
});

for (const hasLogind of [true, false]) {
  test(`SIGUSR2 is a shutdown, and edgecore ends after it, ${hasLogind ? 'beside' : 'without'} logind`, async (t) => {
    const host = machine(t, { hasLogind });
    const next = host.next(seconds(1));
    await until('it is waited for', () => host.granted.length === 1);
    process.kill(process.pid, 'SIGUSR2');
    const begun = await next;
    assert.equal(begun.from, 'SIGUSR2');
    assert.equal(host.isHeld(), hasLogind);
    assert.equal(host.ended(), 0);
    await begun.letGo();
    assert.equal(host.isHeld(), false);
    assert.equal(host.ended(), 1);
  });
}
