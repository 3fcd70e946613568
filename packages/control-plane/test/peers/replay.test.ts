// Recorded sessions of Go programs with our API, played again: Kubernetes' own controllers and scheduler, and KubeEdge's
// cloudcore. Every request, in the order and as the user it came from, gets an answer of the same worth. Stands in for the
// programs where there are none.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HttpClient } from '@kedge/core/ports';
import type { KubeObject } from '@kedge/model/k8s';
import { createHttpClient } from '@kedge/platform/node';
import { startTestServer } from '../apiserver/test-server.ts';
import { methodOf, type Recorded } from './recording.ts';

const recordings = join(import.meta.dirname, 'recorded');

/** What the recorded server made up (uids, versions, names), as what the server of today makes of it. */
class Translation {
  readonly #texts = new Map<string, string>();
  readonly #versions = new Map<string, string>();

  learn({ made, body }: Recorded, object: KubeObject | undefined): void {
    const live = object?.metadata;
    if (!made || !live) return;
    if (made.uid && live.uid) this.#texts.set(made.uid, live.uid);
    if (made.version && live.resourceVersion) this.#versions.set(made.version, live.resourceVersion);
    const sent = (body as Partial<KubeObject> | undefined)?.metadata;
    if (made.name && live.name && sent?.generateName && !sent.name) this.#texts.set(made.name, live.name);
  }

  apply(text: string): string {
    let result = text.replace(/"resourceVersion":"(\d+)"/g, (_, version: string) => {
      const live = this.#versions.get(version);
      // Of an object that was there before the recording began: unconditional.
      return live === undefined ? '"resourceVersion":""' : `"resourceVersion":"${live}"`;
    });
    for (const [recorded, live] of this.#texts) result = result.replaceAll(recorded, live);
    return result;
  }
}

/** Custom resources have no strategic merge. */
const patchType = (body: unknown, uri: string): string => {
  if (Array.isArray(body)) return 'application/json-patch+json';
  return `application/${/^\/apis\/[^/]+\.kubeedge\.io\//.test(uri) ? 'merge' : 'strategic-merge'}-patch+json`;
};

async function play(recorded: Recorded, translation: Translation, http: HttpClient, server: string): Promise<number> {
  const { verb, user, groups, body } = recorded;
  const uri = translation.apply(recorded.uri).replace(/([?&])resourceVersion=[1-9]\d*/, '$1');
  const leave = new AbortController();
  const everybody = new Set(['system:authenticated']);
  const response = await http.request({
    method: methodOf(verb),
    url: `${server}${uri}`,
    headers: {
      'content-type': verb === 'patch' ? patchType(body, uri) : 'application/json',
      'impersonate-user': user,
      'impersonate-group': groups.filter((group) => !everybody.has(group)),
    },
    ...(body === undefined ? {} : { body: translation.apply(JSON.stringify(body)) }),
    signal: leave.signal,
  });
  if (verb === 'watch') {
    // That it begins is all there is to see: what it would tell of has its own time.
    leave.abort();
    return response.status;
  }
  const text = await response.text();
  const object = text.startsWith('{') ? (JSON.parse(text) as KubeObject) : undefined;
  if (response.status < 300) translation.learn(recorded, object);
  return response.status;
}

for (const [name, atLeast] of [
  ['go-controllers-1.32.jsonl', 300],
  ['go-cloudcore-v1.22.2.jsonl', 100],
] as const) {
  test(`${name}: every request is answered as it was`, async (t) => {
    const lines = (await readFile(join(recordings, name), 'utf8')).trim().split('\n');
    const directory = await mkdtemp(join(tmpdir(), 'kedge-replay-'));
    const { server, stop } = await startTestServer({ directory });
    const { admin, authority } = server.pki;
    const http = createHttpClient({
      tls: { ca: authority.certificatePem, certificate: admin.certificatePem, key: admin.key.reveal() },
    });
    t.after(async () => {
      await http.close();
      await stop();
      await rm(directory, { recursive: true, force: true });
    });
    const translation = new Translation();
    const wrong: string[] = [];
    for (const line of lines) {
      const recorded = JSON.parse(line) as Recorded;
      const code = await play(recorded, translation, http, `https://127.0.0.1:${server.port()}`);
      if (code !== recorded.code)
        wrong.push(`${recorded.by} ${recorded.verb} ${recorded.uri}: ${recorded.code}, now ${code}`);
    }
    assert.deepEqual(wrong, []);
    assert.ok(lines.length > atLeast);
  });
}
