import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '@kedge/testing/contracts';
import { CommandLineError } from './commands/command-line-error.ts';
import { askedRuntime, chooseRuntime, findLeanFault, hasAvx2, launchOn } from './edge-runtime.ts';

const runs = async (): Promise<undefined> => undefined;
const lacks = async (): Promise<string> => 'no Bun';

describe('the runtime of edgecore', () => {
  test('is asked for by flag before environment, or by neither', () => {
    assert.equal(askedRuntime(undefined, {}), undefined);
    assert.equal(askedRuntime(undefined, { KEDGE_EDGE_RUNTIME: '' }), undefined);
    assert.equal(askedRuntime(undefined, { KEDGE_EDGE_RUNTIME: 'lean' }), 'lean');
    assert.equal(askedRuntime('node', { KEDGE_EDGE_RUNTIME: 'lean' }), 'node');
    assert.throws(() => askedRuntime('deno', {}), CommandLineError);
  });

  test('is lean where that can run, else Node.js with the reason', async () => {
    assert.deepEqual(await chooseRuntime(undefined, runs), { runtime: 'lean' });
    assert.deepEqual(await chooseRuntime(undefined, lacks), { runtime: 'node', fault: 'no Bun' });
  });

  test('is what was asked for, or an error', async () => {
    assert.deepEqual(await chooseRuntime('lean', runs), { runtime: 'lean' });
    assert.deepEqual(await chooseRuntime('node', runs), { runtime: 'node' });
    await assert.rejects(chooseRuntime('lean', lacks), /cannot run here: no Bun; use --runtime node/);
  });

  test('lean takes nothing from the folder it is started in', () => {
    const { program, args, environment } = launchOn('lean', '/opt/kedge/dist');
    assert.match(program, /\/node_modules\/@oven\/bun-linux-\w+\/bin\/bun$/);
    assert.ok(args.includes('--no-env-file') && args.includes('--config=/dev/null') && args.includes('--no-install'));
    assert.equal(args.at(-1), '/opt/kedge/dist/edgecore-daemon.lean.cjs');
    assert.equal(environment['BUN_JSC_useJIT'], '0');
  });

  test('neither reads certificates that only other programs trust', () => {
    for (const runtime of ['node', 'lean'] as const) {
      const { environment } = launchOn(runtime, '/opt/kedge/dist');
      assert.equal(environment['NODE_EXTRA_CA_CERTS'], '');
    }
  });
});

describe('what keeps lean from running', () => {
  test('is a Bun that is not there', async () => {
    assert.match(
      (await findLeanFault('/nowhere/bun'))!,
      /^Bun is not installed \(\/nowhere\/bun\), npm install brings it$/,
    );
  });

  test('is a Bun that this machine cannot run, with how it ended', async (t) => {
    const program = join(await temporaryDirectory(t), 'bun');
    await writeFile(program, '#!/bin/sh\nkill -ILL $$\n', { mode: 0o755 });
    assert.match((await findLeanFault(program))!, /does not run on this machine \(ended by SIGILL\)/);
    await writeFile(program, '#!/bin/sh\necho no such library >&2\nexit 127\n', { mode: 0o755 });
    assert.match((await findLeanFault(program))!, /does not run on this machine \(.*no such library\)/s);
  });

  test('is a processor that lacks what Bun is built for', () => {
    assert.ok(hasAvx2('processor\t: 0\nflags\t\t: fpu avx avx2 bmi2\n'));
    assert.ok(!hasAvx2('processor\t: 0\nflags\t\t: fpu avx bmi2\n'));
    assert.ok(hasAvx2(''), 'one that does not tell is tried');
  });
});
