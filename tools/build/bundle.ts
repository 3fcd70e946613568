// Bundles the programs: `dist/kedge.cjs` (command line, cloud, embedded API), `dist/kedge-devices.cjs` (mappers and devices),
// `dist/edgecore.cjs` (the edge's starter) and `dist/edgecore-daemon.cjs` (the edge, one file, because loading many costs
// memory there; what most edges do not use is in files of their own beside it, and for one mapper in `dist/mapper-opcua.cjs`).
// `--if-changed` skips the work when no source is newer.
import { readdirSync, statSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
/** `ws` loads zlib for frames that are compressed; ours never are. */
const withoutCompression = { zlib: './tools/build/nothing.cjs' };

/** Loaded by the daemon with the first request over HTTP, to it or from it. */
const http = './edgecore-http.cjs';
/** Loaded by the daemon or a mapper when there is a broker, and when the daemon is to be one itself. */
const mqtt = './edgecore-mqtt.cjs';
const broker = './edgecore-broker.cjs';
/** Loaded by the daemon where there are MQTT clients, and with its first device. */
const eventBus = './edgecore-eventbus.cjs';
const alarms = './edgecore-alarms.cjs';
const deviceApi = './edgecore-deviceapi.cjs';
/** Loaded by the daemon when a mapper of KubeEdge before v1.15 calls. */
const oldDmi = './edgecore-dmi-v1alpha1.cjs';
/** Loaded by the daemon for device plugins and the static CPU policy. */
const grants = './edgecore-grants.cjs';
/** Loaded by the daemon when there are manifests of static pods: it has the reader for YAML. */
const staticPods = './edgecore-static-pods.cjs';
/** Loaded by the daemon where pods get time to end when the machine goes down. */
const shutdown = './edgecore-shutdown.cjs';

/** Loaded by the mapper for OPC UA: five times as large as all the other mappers together. */
const opcua = './mapper-opcua.cjs';

interface Program {
  readonly entry: string;
  readonly out: string;
  readonly alias?: Readonly<Record<string, string>>;
  /** Left to be loaded from beside it. */
  readonly external?: readonly string[];
  /** Written once more, as Bun takes a file that it need not translate: it keeps neither a tree nor a map of it. */
  readonly lean?: string;
}

const programs: readonly Program[] = [
  { entry: 'apps/kedge/src/main.ts', out: 'dist/kedge.cjs' },
  {
    entry: 'apps/kedge/src/devices-main.ts',
    out: 'dist/kedge-devices.cjs',
    alias: { ...withoutCompression, '@kedge/platform/mqtt': mqtt, '@kedge/devices/mapper-opcua': opcua },
    external: [mqtt, opcua],
  },
  // What it would lock is a folder of keys of its own; ours are two files.
  { entry: 'packages/devices/src/mapper-opcua/index.ts', out: 'dist/mapper-opcua.cjs', external: ['proper-lockfile'] },
  { entry: 'apps/kedge/src/edgecore-main.ts', out: 'dist/edgecore.cjs' },
  {
    entry: 'apps/kedge/src/edgecore-daemon.ts',
    out: 'dist/edgecore-daemon.cjs',
    alias: {
      ...withoutCompression,
      '@kedge/platform/http': http,
      '@kedge/platform/mqtt': mqtt,
      '@kedge/platform/mqtt-broker': broker,
      '@kedge/wire/dmi/v1alpha1': oldDmi,
      '@kedge/edge/edged/grants': grants,
      '@kedge/edge/edged/static-pods': staticPods,
      '@kedge/platform/shutdown': shutdown,
      '@kedge/edge/eventbus': eventBus,
      '@kedge/edge/alarms': alarms,
      '@kedge/edge/deviceapi': deviceApi,
    },
    external: [http, mqtt, broker, oldDmi, grants, staticPods, shutdown, eventBus, alarms, deviceApi],
    lean: 'dist/edgecore-daemon.lean.cjs',
  },
  { entry: 'packages/platform/src/http/index.ts', out: 'dist/edgecore-http.cjs', alias: withoutCompression },
  { entry: 'packages/platform/src/mqtt/index.ts', out: 'dist/edgecore-mqtt.cjs', alias: withoutCompression },
  { entry: 'packages/platform/src/mqtt-broker/index.ts', out: 'dist/edgecore-broker.cjs' },
  { entry: 'packages/edge/src/eventbus/index.ts', out: 'dist/edgecore-eventbus.cjs' },
  { entry: 'packages/edge/src/alarms/index.ts', out: 'dist/edgecore-alarms.cjs' },
  { entry: 'packages/edge/src/deviceapi/index.ts', out: 'dist/edgecore-deviceapi.cjs' },
  { entry: 'packages/wire/src/dmi/v1alpha1/index.ts', out: 'dist/edgecore-dmi-v1alpha1.cjs' },
  { entry: 'packages/edge/src/edged/grants/index.ts', out: 'dist/edgecore-grants.cjs' },
  { entry: 'packages/platform/src/shutdown/index.ts', out: 'dist/edgecore-shutdown.cjs' },
  { entry: 'packages/edge/src/edged/static-pods/index.ts', out: 'dist/edgecore-static-pods.cjs' },
];

const leanForm = (code: string): string =>
  `// @bun @bun-cjs\n(function(exports, require, module, __filename, __dirname) {${code}\n})`;

function newestSource(folder: string): number {
  let newest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'build' || entry.name.endsWith('.test.ts')) continue;
    const path = join(folder, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestSource(path) : statSync(path).mtimeMs);
  }
  return newest;
}

function upToDate(): boolean {
  try {
    const outputs = [...programs.flatMap(({ out, lean = out }) => [out, lean]), 'dist/kubernetes-prose/core-v1.generated.json'];
    const built = Math.min(...outputs.map((out) => statSync(join(root, out)).mtimeMs));
    const sources = ['packages', 'apps', 'tools/build'].map((folder) => newestSource(join(root, folder)));
    return built > Math.max(...sources, statSync(join(root, 'package-lock.json')).mtimeMs);
  } catch {
    return false;
  }
}

if (!process.argv.includes('--if-changed') || !upToDate()) {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  for (const { entry, out, alias = {}, external = [], lean } of programs) {
    const result = await build({
      absWorkingDir: root,
      entryPoints: [entry],
      outfile: out,
      bundle: true,
      alias,
      external: [...external],
      platform: 'node',
      target: 'node24',
      // Not modules: to import node:http is to read each of its names, WebSocket among them, which loads fetch (3 MB).
      format: 'cjs',
      define: { KEDGE_VERSION: JSON.stringify(version), 'import.meta.dirname': '__dirname' },
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: 'none',
      logLevel: 'warning',
      metafile: true,
    });
    await writeFile(join(root, `${out}.meta.json`), JSON.stringify(result.metafile));
    if (lean) await writeFile(join(root, lean), leanForm(await readFile(join(root, out), 'utf8')));
  }
  // Read by the API server when somebody asks what a field means.
  await cp(join(root, 'packages/model/assets/kubernetes-prose'), join(root, 'dist/kubernetes-prose'), {
    recursive: true,
  });
}
