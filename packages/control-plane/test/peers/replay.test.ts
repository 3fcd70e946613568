// Recorded sessions of Go programs with our API, played again: Kubernetes' own controllers and scheduler, and KubeEdge's
// cloudcore. Every request, in the order and as the user it came from, gets an answer of the same worth. Stands in for the
// programs where there are none.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { HttpClient, HttpResponse } from '@kedge/core/ports';
import type { KubeObject } from '@kedge/model/k8s';
import { createHttpClient } from '@kedge/platform/node';
import { startTestServer } from '../apiserver/test-server.ts';
import { type Answer, fieldsOf, kindOf, methodOf, type Recorded } from './recording.ts';

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

  apply(text: string, code = 200): string {
    let result = text.replace(/"resourceVersion":"(\d+)"/g, (_, version: string) => {
      // One that no recorded answer told of comes from a list, or from a write of the server's own: unconditional, or old.
      const live = this.#versions.get(version) ?? (code === 409 ? '1' : '');
      return `"resourceVersion":"${live}"`;
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

/** The log does not hold what a client accepts: as the answer came in another form, it was asked for. */
function formOf({ is = '' }: Recorded): string {
  const [, group, version, kind] =
    /^(meta\.k8s\.io|apidiscovery\.k8s\.io)\/(\w+) (Table|PartialObjectMetadata(?:List)?|APIGroupDiscoveryList)$/.exec(
      is,
    ) ?? [];
  return kind ? `application/json;g=${group};v=${version};as=${kind},application/json` : 'application/json';
}

/** What an answer lacks that the recorded one had; undefined when it is of the same worth. */
async function play(
  recorded: Recorded,
  translation: Translation,
  http: HttpClient,
  server: string,
): Promise<string | undefined> {
  const { verb, user, groups, body } = recorded;
  const uri = translation.apply(recorded.uri).replace(/([?&])resourceVersion=[1-9]\d*/, '$1');
  const leave = new AbortController();
  const everybody = new Set(['system:authenticated']);
  const response = await http.request({
    method: methodOf(verb),
    url: `${server}${uri}`,
    headers: {
      'content-type': verb === 'patch' ? patchType(body, uri) : 'application/json',
      accept: formOf(recorded),
      'impersonate-user': user,
      'impersonate-group': groups.filter((group) => !everybody.has(group)),
    },
    ...(body === undefined ? {} : { body: translation.apply(JSON.stringify(body), recorded.code) }),
    signal: leave.signal,
  });
  const code = response.status === recorded.code ? undefined : `${recorded.code}, now ${response.status}`;
  if (verb === 'watch') {
    // What it tells of later has its own time.
    const begins = code ?? (uri.includes('sendInitialEvents=true') ? await lacksInitialEnd(response) : undefined);
    leave.abort();
    return begins;
  }
  const text = await response.text();
  const answer = text.startsWith('{') ? (JSON.parse(text) as Answer) : undefined;
  if (response.status < 300) translation.learn(recorded, answer as KubeObject | undefined);
  return code ?? (answer && recorded.is ? difference(recorded, answer) : undefined);
}

function difference({ is, has = [] }: Recorded, answer: Answer): string | undefined {
  if (kindOf(answer) !== is) return `${is}, now ${kindOf(answer)}`;
  const fields = new Set(fieldsOf(answer));
  const lacking = has.filter((field) => !fields.has(field));
  return lacking.length > 0 ? `without ${lacking.join(', ')}` : undefined;
}

/** A streamed list ends with a bookmark that says so and carries the empty list, for clients without Go types. */
async function lacksInitialEnd(response: HttpResponse): Promise<string | undefined> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.chunks()) {
    text += decoder.decode(chunk, { stream: true });
    const bookmark = text.lastIndexOf('{"type":"BOOKMARK"');
    if (bookmark === -1 || !text.endsWith('\n')) continue;
    const { object } = JSON.parse(text.slice(bookmark)) as { object: KubeObject };
    const { annotations = {} } = object.metadata;
    const blueprint = atob(annotations['kubernetes.io/initial-events-list-blueprint'] ?? '');
    return annotations['k8s.io/initial-events-end'] === 'true' && /"kind":"\w+List"/.test(blueprint)
      ? undefined
      : `first bookmark ${text.slice(bookmark)}`;
  }
  return 'the end of the first events never came';
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
      const lacking = await play(recorded, translation, http, `https://127.0.0.1:${server.port()}`);
      if (lacking !== undefined) wrong.push(`${recorded.by} ${recorded.verb} ${recorded.uri}: ${lacking}`);
    }
    assert.deepEqual(wrong, []);
    assert.ok(lines.length > atLeast);
  });
}
