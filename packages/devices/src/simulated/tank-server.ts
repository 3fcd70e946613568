// The tank as an OPC UA server: Objects/Tank with Level, Flow, Pump and Speed, of which the last two can be written. Clients are
// anonymous, and each certificate is good enough: it is there to be tried.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Clock } from '@kedge/core/time';
import type * as Client from 'node-opcua-client';
import type * as Library from 'node-opcua-server';
import { certificateStore } from './certificate-store.ts';
import { fill, halfTank, inflow, type Tank } from './tank.ts';

export interface TankDeps {
  readonly clock: Clock;
  readonly log: Log;
  /** node-opcua-server and node-opcua-client: not bundled, because they read files of theirs. */
  load(name: string): Promise<unknown>;
}

export interface TankConfig {
  readonly address: string;
  readonly port: number;
  /** For its keys, made at the first start. */
  readonly directory: string;
}

const applicationUri = 'urn:kedge:tank';
const maxConnections = 16;
const samplingMs = 200;

export function createTank({ clock, log, load }: TankDeps, { address, port, directory }: TankConfig): Module {
  let tank: Tank = halfTank;
  let seenAt = clock.monotonic();
  const now = (): Tank => {
    const at = clock.monotonic();
    tank = fill(tank, (at - seenAt) / 1_000);
    seenAt = at;
    return tank;
  };
  const change = (what: Partial<Pick<Tank, 'running' | 'speed'>>): void => {
    tank = { ...now(), ...what };
    log.info('the tank was set', { to: JSON.stringify(what) });
  };

  return {
    name: 'tank',
    async start(scope) {
      const client = (await load('node-opcua-client')) as typeof Client;
      const { DataType, MessageSecurityMode, SecurityPolicy, setWarningLogger, StatusCodes, Variant } = client;
      const { OPCUAServer } = (await load('node-opcua-server')) as typeof Library;
      // Its advice is about certificates for the public.
      setWarningLogger((message) => log.debug('OPC UA', { reason: String(message) }));
      const server = new OPCUAServer({
        host: address,
        hostname: address,
        port,
        resourcePath: '/',
        ...(await makeIdentity(client, directory, clock.now())),
        serverCertificateManager: certificateStore(StatusCodes.Good),
        userCertificateManager: certificateStore(StatusCodes.Good),
        securityModes: [MessageSecurityMode.None, MessageSecurityMode.SignAndEncrypt],
        securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
        isAuditing: false,
        disableDiscovery: true,
        maxConnectionsPerEndpoint: maxConnections,
        serverInfo: { applicationUri },
      });
      // The library waits for ever when it is shut down while it starts.
      let isUp = false;
      scope.defer('OPC UA server', () => (isUp ? server.shutdown(0) : undefined));
      await server.initialize();
      const { addressSpace } = server.engine;
      const namespace = addressSpace!.getOwnNamespace();
      const object = namespace.addObject({ organizedBy: addressSpace!.rootFolder.objects, browseName: 'Tank' });
      const common = { componentOf: object, minimumSamplingInterval: samplingMs } as const;
      const readOnly = { accessLevel: 'CurrentRead', userAccessLevel: 'CurrentRead' } as const;
      const percent = { engineeringUnitsRange: { low: 0, high: 100 }, engineeringUnits: unit('%') };
      const double = (value: number) =>
        new Variant({ dataType: DataType.Double, value: Math.round(value * 100) / 100 });

      const measured = [
        namespace.addAnalogDataItem({
          ...common,
          ...readOnly,
          ...percent,
          browseName: 'Level',
          nodeId: 's=Level',
          description: 'how full it is',
          dataType: DataType.Double,
          value: { get: () => double(now().level) },
        }),
        namespace.addAnalogDataItem({
          ...common,
          ...readOnly,
          browseName: 'Flow',
          nodeId: 's=Flow',
          description: 'what the pump brings',
          engineeringUnitsRange: { low: 0, high: 120 },
          engineeringUnits: unit('%/min'),
          dataType: DataType.Double,
          value: { get: () => double(inflow(now()) * 60) },
        }),
      ];
      namespace.addAnalogDataItem({
        ...common,
        ...percent,
        browseName: 'Speed',
        nodeId: 's=Speed',
        description: 'of the pump',
        dataType: DataType.Double,
        value: {
          get: () => double(now().speed),
          set: ({ value }: { value: number }) => {
            if (!(value >= 0 && value <= 100)) return StatusCodes.BadOutOfRange;
            change({ speed: value });
            return StatusCodes.Good;
          },
        },
      });
      namespace.addVariable({
        ...common,
        browseName: 'Pump',
        nodeId: 's=Pump',
        description: 'whether the pump runs',
        dataType: DataType.Boolean,
        value: {
          get: () => new Variant({ dataType: DataType.Boolean, value: now().running }),
          set: ({ value }: { value: boolean }) => {
            change({ running: value });
            return StatusCodes.Good;
          },
        },
      });
      await server.start();
      isUp = true;
      log.info('the tank answers', { address: `${address}:${port}`, count: measured.length + 2 });
    },
  };
}

const unit = (name: string) => ({ namespaceUri: 'urn:kedge:units', unitId: -1, displayName: name, description: name });

/** A key and a certificate that signs itself, made at the first start: whoever trusted the tank once knows it again. */
async function makeIdentity(
  { crypto_utils }: typeof Client,
  directory: string,
  now: number,
): Promise<{ readonly certificateFile: string; readonly privateKeyFile: string }> {
  const files = {
    certificateFile: join(directory, 'tank-certificate.pem'),
    privateKeyFile: join(directory, 'tank-key.pem'),
  };
  if (existsSync(files.certificateFile) && existsSync(files.privateKeyFile)) return files;
  const privateKey = await crypto_utils.generatePrivateKey(2048);
  const { privPem } = await crypto_utils.privateKeyToPEM(privateKey);
  const { cert } = await crypto_utils.createSelfSignedCertificate({
    privateKey,
    subject: 'CN=tank/O=kedge',
    applicationUri,
    dns: ['localhost', hostname()],
    ip: ['127.0.0.1'],
    validity: 3_650,
    notBefore: new Date(now - 60_000),
    purpose: crypto_utils.CertificatePurpose.ForApplication,
  });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(files.privateKeyFile, privPem, { mode: 0o600 });
  await writeFile(files.certificateFile, cert);
  return files;
}
