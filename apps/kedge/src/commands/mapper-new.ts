// `kedge mapper new NAME`: a project for a mapper that works, to be changed into the one that is wanted.
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { CommandLineError } from './command-line-error.ts';

export async function newMapper(path: string, sdk: string = findSdk()): Promise<number> {
  const folder = resolve(path);
  const name = basename(folder);
  if (!/^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) {
    throw new CommandLineError(
      `"${name}" names no protocol: use small letters, digits and dashes, such as "thermometer"`,
    );
  }
  if (existsSync(folder)) throw new CommandLineError(`${folder} is there already: choose another name`);
  await mkdir(join(folder, 'node_modules', '@kedge'), { recursive: true });
  for (const [file, text] of Object.entries(mapperProject(name, sdk))) await writeFile(join(folder, file), text);
  await symlink(sdk, join(folder, 'node_modules', '@kedge', 'devices'));
  process.stdout.write(`${folder} is ready; what is in it: README.md\n`);
  return 0;
}

/** The SDK is source: it belongs to the kedge that runs this. */
function findSdk(): string {
  for (let at = import.meta.dirname; ; at = dirname(at)) {
    const sdk = join(at, 'packages', 'devices');
    if (existsSync(join(sdk, 'package.json'))) return sdk;
    if (dirname(at) === at)
      throw new CommandLineError('the mapper SDK is not here: use a kedge that was checked out whole');
  }
}

/** Every file of a project, by name. */
export const mapperProject = (name: string, sdk: string): Readonly<Record<string, string>> => ({
  'mapper.ts': driver(name),
  'mapper.test.ts': driverTest(name),
  'config.yaml': `grpc_server:
  socket_path: /etc/kubeedge/${name}.sock
common:
  protocol: ${name}
  edgecore_sock: /etc/kubeedge/dmi.sock
  http_port: "7777"
`,
  'device.yaml': deviceYaml(name),
  'package.json': `${JSON.stringify(
    {
      name: `${name}-mapper`,
      version: '0.1.0',
      private: true,
      type: 'module',
      scripts: { start: 'kedge mapper run mapper.ts --config-file config.yaml', test: 'node --test', types: 'tsc' },
      dependencies: { '@kedge/devices': `file:${sdk}` },
    },
    null,
    2,
  )}\n`,
  'tsconfig.json': `${JSON.stringify(
    {
      compilerOptions: {
        target: 'es2024',
        lib: ['es2025', 'esnext'],
        module: 'nodenext',
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        erasableSyntaxOnly: true,
        verbatimModuleSyntax: true,
        allowImportingTsExtensions: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        types: ['node'],
        typeRoots: [join(sdk, '..', '..', 'node_modules', '@types')],
      },
      include: ['*.ts'],
    },
    null,
    2,
  )}\n`,
  'README.md': `# ${name}-mapper

A mapper for devices that speak lines of text over TCP; change \`mapper.ts\` into what your devices speak.

| file | what it is |
|---|---|
| \`mapper.ts\` | the driver: which configuration the protocol takes, how to connect, read and write |
| \`mapper.test.ts\` | its test, with a device that is played by a server on loopback: \`npm test\` |
| \`config.yaml\` | where edgecore is, and where this mapper answers |
| \`device.yaml\` | a DeviceModel and a Device to start from: \`kubectl apply -f device.yaml\` |

\`npm start\` runs it beside edgecore. \`npm run types\` checks the types, with the TypeScript of kedge or of your own.
`,
});

export const driver = (
  name: string,
): string => `// A mapper for devices that speak lines of text over TCP: "GET name" gives a value, "SET name value" sets one.
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { defineMapper, fault, integer, object, type Reading, refused, required, text } from '@kedge/devices/mapper-sdk';

export default defineMapper({
  name: '${name}-mapper',
  protocol: '${name}',
  version: '0.1.0',
  protocolConfig: object({
    host: required(text('', { description: 'the address of the device' })),
    port: integer(4000, { minimum: 1, maximum: 65_535 }),
  }),
  visitorConfig: object({ name: required(text('', { description: 'what the device calls the property' })) }),
  async open({ host, port }, { signal }) {
    const socket = connect({ host, port, signal });
    socket.on('error', () => undefined);
    await once(socket, 'connect', { signal });
    const gone = (): Error => fault('ConnectionLost', 'the device hung up');
    const lost = new Promise<Error>((resolve) => socket.once('close', () => resolve(gone())));
    const answers = createInterface({ input: socket })[Symbol.asyncIterator]();
    const ask = async (line: string): Promise<string> => {
      socket.write(\`\${line}\\n\`);
      const answer = await answers.next();
      if (answer.done) throw gone();
      return answer.value;
    };
    return {
      lost,
      async read(points) {
        const readings: Reading[] = [];
        for (const { property, visitor } of points) {
          const value = await ask(\`GET \${visitor.name}\`);
          const failed = value.startsWith('error');
          readings.push(failed ? { property, error: fault('DeviceError', value) } : { property, value });
        }
        return readings;
      },
      async write({ visitor }, value) {
        const answer = await ask(\`SET \${visitor.name} \${String(value)}\`);
        if (answer.startsWith('error')) throw refused(\`"\${visitor.name}"\`, answer);
      },
      close: async () => void socket.destroy(),
    };
  },
});
`;

const driverTest = (name: string): string => `// The driver against a device on loopback.
import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import driver from './mapper.ts';

test('reads and writes what a ${name} has', async (t) => {
  const values = new Map([['temp', '21.5']]);
  const device = createServer((socket) => {
    createInterface({ input: socket }).on('line', (line) => {
      const [verb, name = '', value = ''] = line.split(' ');
      if (!values.has(name)) return socket.write('error unknown\\n');
      if (verb === 'SET') values.set(name, value);
      return socket.write(\`\${values.get(name)}\\n\`);
    });
  });
  await new Promise<void>((resolve) => device.listen(0, '127.0.0.1', resolve));
  const { port } = device.address() as AddressInfo;
  const stop = new AbortController();
  t.after(() => void device.close());
  const context = { signal: stop.signal } as Parameters<typeof driver.open>[1];
  const connection = await driver.open({ host: '127.0.0.1', port }, context);
  const temperature = { property: 'temperature', type: 'FLOAT', access: 'ReadWrite', visitor: { name: 'temp' } } as const;
  const other = { ...temperature, property: 'other', visitor: { name: 'other' } };
  await connection.write!(temperature, 30, stop.signal);
  const [read, failed] = await connection.read([temperature, other], stop.signal);
  assert.deepEqual(read, { property: 'temperature', value: '30' });
  assert.ok(failed && 'error' in failed);
  await connection.close();
});
`;

const deviceYaml = (name: string): string => `apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata:
  name: ${name}
  namespace: default
spec:
  protocol: ${name}
  properties:
    - { name: temperature, type: FLOAT, accessMode: ReadWrite, minimum: "0", maximum: "100", unit: Celsius }
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata:
  name: ${name}-1
  namespace: default
spec:
  deviceModelRef: { name: ${name} }
  nodeName: edge-1
  protocol:
    protocolName: ${name}
    configData: { host: 127.0.0.1, port: 4000 }
  properties:
    - name: temperature
      collectCycle: 1000
      reportToCloud: true
      desired: { value: "21" }
      visitors:
        protocolName: ${name}
        configData: { name: temp }
`;
