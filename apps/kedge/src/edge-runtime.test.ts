import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CommandLineError } from './commands/command-line-error.ts';
import { edgeRuntimeOf, launchOn } from './edge-runtime.ts';

describe('the runtime of edgecore', () => {
  test('is the one that was asked for, by flag before environment', () => {
    assert.equal(edgeRuntimeOf(undefined, {}), 'node');
    assert.equal(edgeRuntimeOf(undefined, { KEDGE_EDGE_RUNTIME: '' }), 'node');
    assert.equal(edgeRuntimeOf(undefined, { KEDGE_EDGE_RUNTIME: 'lean' }), 'lean');
    assert.equal(edgeRuntimeOf('node', { KEDGE_EDGE_RUNTIME: 'lean' }), 'node');
    assert.throws(() => edgeRuntimeOf('deno', {}), CommandLineError);
  });

  test('lean takes nothing from the folder it is started in', async () => {
    const { program, args, environment } = await launchOn('lean', '/opt/kedge/dist');
    assert.match(program, /\/node_modules\/@oven\/bun-linux-\w+\/bin\/bun$/);
    assert.ok(args.includes('--no-env-file') && args.includes('--config=/dev/null') && args.includes('--no-install'));
    assert.equal(args.at(-1), '/opt/kedge/dist/edgecore-daemon.lean.cjs');
    assert.equal(environment['BUN_JSC_useJIT'], '0');
  });

  test('neither reads certificates that only other programs trust', async () => {
    for (const runtime of ['node', 'lean'] as const) {
      const { environment } = await launchOn(runtime, '/opt/kedge/dist');
      assert.equal(environment['NODE_EXTRA_CA_CERTS'], '');
    }
  });
});
