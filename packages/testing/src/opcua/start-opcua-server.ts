// A real OPC UA server of a test's own, on a free port and a temporary directory: some variables of every kind, users,
// security, and a way to make it hang.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  crypto_utils,
  DataType,
  MessageSecurityMode,
  SecurityPolicy,
  setWarningLogger,
  StatusCodes,
  Variant,
  VariantArrayType,
} from 'node-opcua-client';
import { certificateStore } from '@kedge/devices/simulated';
import { OPCUAServer } from 'node-opcua-server';
import { temporaryDirectory } from '../contracts/temporary-directory.ts';
import { freePort } from '../free-port/index.ts';

export interface OpcuaServerOptions {
  /** 0 or absent: a free one. */
  readonly port?: number;
  readonly user?: { readonly name: string; readonly password: string };
  /** Whether it trusts any client; true when absent. */
  readonly trustsEverybody?: boolean;
  /** Whether it gives subscriptions; true when absent. */
  readonly hasSubscriptions?: boolean;
  /** Of another one, to be the same server again; absent: a new certificate. */
  readonly identity?: ServerIdentity;
}

export interface ServerIdentity {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}

export interface OpcuaServer {
  readonly url: string;
  readonly port: number;
  readonly identity: ServerIdentity;
  /** By browse name. */
  set(name: string, value: unknown): void;
  get(name: string): unknown;
  /** Reading and writing this node is answered only when the test ends. */
  hang(name: string): void;
  /** Arguments of each call of a method, by browse name: `Reset`, `Mix` (two inputs, two outputs), `Refuse`. */
  readonly called: readonly (readonly [name: string, ...inputs: unknown[]])[];
  /** The boiler tells of an event; `batch` makes it one of the type `BatchDone`, and is its field `1:BatchId`. */
  raise(message: string, severity: number, batch?: string): void;
  /** The node id of the type `BatchDone`. */
  readonly batchDone: string;
  readonly sessions: number;
  readonly subscriptions: number;
  stop(): Promise<void>;
}

interface Made {
  readonly dataType: DataType;
  readonly value: unknown;
  readonly isList?: boolean;
  readonly readOnly?: boolean;
}

const variables: Readonly<Record<string, Made>> = {
  Temperature: { dataType: DataType.Double, value: 21.5 },
  Level: { dataType: DataType.Int16, value: -2 },
  Counter: { dataType: DataType.UInt64, value: [0x4000_0000, 1] },
  Running: { dataType: DataType.Boolean, value: true },
  Name: { dataType: DataType.String, value: 'Käse' },
  Blob: { dataType: DataType.ByteString, value: Buffer.from([0, 255, 7]) },
  Ratio: { dataType: DataType.Float, value: 0.5 },
  List: { dataType: DataType.Int32, value: [1, 2, 3], isList: true },
  Fixed: { dataType: DataType.Int32, value: 7, readOnly: true },
  Since: { dataType: DataType.DateTime, value: new Date('2026-11-27T06:00:00Z') },
};

const methods = [
  { name: 'Reset', inputs: [], outputs: [], status: StatusCodes.Good },
  {
    name: 'Mix',
    inputs: [
      ['recipe', DataType.String],
      ['litres', DataType.Float],
    ],
    outputs: [
      { name: 'batch', dataType: DataType.UInt32, value: 7 },
      { name: 'vessel', dataType: DataType.String, value: 'B' },
    ],
    status: StatusCodes.Good,
  },
  {
    name: 'Heat',
    inputs: [['degrees', DataType.Int16]],
    outputs: [{ name: 'was', dataType: DataType.Int16, value: 20 }],
    status: StatusCodes.Good,
  },
  { name: 'Refuse', inputs: [], outputs: [], status: StatusCodes.BadInvalidState },
] as const;

export async function startOpcuaServer(t: TestContext, options: OpcuaServerOptions = {}): Promise<OpcuaServer> {
  // About its own certificate.
  setWarningLogger(() => undefined);
  const port = options.port || (await freePort());
  const identity = options.identity ?? (await makeIdentity());
  const directory = await temporaryDirectory(t);
  const certificateFile = join(directory, 'certificate.pem');
  const privateKeyFile = join(directory, 'key.pem');
  await writeFile(certificateFile, identity.certificate);
  await writeFile(privateKeyFile, identity.key);
  const server = new OPCUAServer({
    hostname: '127.0.0.1',
    host: '127.0.0.1',
    port,
    resourcePath: '/',
    certificateFile,
    privateKeyFile,
    serverCertificateManager: certificateStore(
      (options.trustsEverybody ?? true) ? StatusCodes.Good : StatusCodes.BadCertificateUntrusted,
    ),
    userCertificateManager: certificateStore(StatusCodes.Good),
    serverInfo: { applicationUri: uri },
    securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
    securityPolicies: [
      SecurityPolicy.None,
      SecurityPolicy.Basic256Sha256,
      SecurityPolicy.Aes128_Sha256_RsaOaep,
      SecurityPolicy.Aes256_Sha256_RsaPss,
    ],
    allowAnonymous: options.user === undefined,
    userManager: {
      isValidUser: (name: string, password: string) =>
        options.user !== undefined && name === options.user.name && password === options.user.password,
    },
    isAuditing: false,
    disableDiscovery: true,
    maxConnectionsPerEndpoint: 50,
    registerServerMethod: 1,
  });
  await server.initialize();
  if (options.hasSubscriptions === false) server.engine.serverCapabilities.maxSubscriptions = 0;
  const values = new Map(Object.entries(variables).map(([name, { value }]) => [name, value]));
  const hanging = new Set<string>();
  const { addressSpace } = server.engine;
  const namespace = addressSpace!.getOwnNamespace();
  const boiler = namespace.addObject({
    organizedBy: addressSpace!.rootFolder.objects,
    browseName: 'Boiler',
    nodeId: 's=Boiler',
    eventSourceOf: addressSpace!.rootFolder.objects.server,
    eventNotifier: 1,
  });
  const called: [string, ...unknown[]][] = [];
  for (const { name, inputs, outputs, status } of methods) {
    const describe = (list: readonly (readonly [string, DataType])[]) =>
      list.map(([argument, dataType]) => ({ name: argument, dataType }));
    const method = namespace.addMethod(boiler, {
      browseName: name,
      nodeId: `s=${name}`,
      inputArguments: describe(inputs),
      outputArguments: describe(outputs.map(({ name: output, dataType }) => [output, dataType] as const)),
    });
    method.bindMethod((given, _, callback) => {
      called.push([name, ...given.map(({ value }) => value as unknown)]);
      callback(null, { statusCode: status, outputArguments: outputs.map((output) => new Variant(output)) });
    });
  }
  const batchDone = namespace.addEventType({ browseName: 'BatchDone', subtypeOf: 'BaseEventType' });
  namespace.addVariable({
    browseName: 'BatchId',
    propertyOf: batchDone,
    dataType: DataType.String,
    modellingRule: 'Mandatory',
  });
  const nodes = new Map(
    Object.entries(variables).map(([name, { dataType, isList, readOnly }]) => {
      const current = (): Variant =>
        new Variant({
          dataType,
          value: values.get(name),
          arrayType: isList ? VariantArrayType.Array : VariantArrayType.Scalar,
        });
      const node = namespace.addVariable({
        componentOf: boiler,
        browseName: name,
        nodeId: `s=${name}`,
        dataType,
        ...(isList ? { valueRank: 1 } : {}),
        ...(readOnly ? { accessLevel: 'CurrentRead', userAccessLevel: 'CurrentRead' } : {}),
        minimumSamplingInterval: 20,
        value: {
          timestamped_get: (callback) => {
            if (hanging.has(name)) return;
            const now = new Date();
            callback(null, { value: current(), sourceTimestamp: now, statusCode: StatusCodes.Good } as never);
          },
          timestamped_set: (value, callback) => {
            if (hanging.has(name)) return;
            values.set(name, value.value.value);
            callback(null, StatusCodes.Good);
          },
        },
      });
      return [name, node] as const;
    }),
  );
  namespace.addAnalogDataItem({
    componentOf: boiler,
    browseName: 'Pressure',
    nodeId: 's=Pressure',
    dataType: DataType.Double,
    description: 'in the vessel',
    engineeringUnitsRange: { low: 0, high: 16 },
    engineeringUnits: { namespaceUri: 'x', unitId: 1, displayName: 'bar', description: 'bar' },
    value: new Variant({ dataType: DataType.Double, value: 1.5 }),
  });
  await server.start();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= server.shutdown(0));
  t.after(stop);
  return {
    url: `opc.tcp://127.0.0.1:${port}`,
    port,
    identity,
    set(name, value) {
      values.set(name, value);
      nodes.get(name)!.touchValue();
    },
    get: (name) => values.get(name),
    hang: (name) => void hanging.add(name),
    called,
    raise(message, severity, batch) {
      const fields = {
        message: new Variant({ dataType: DataType.LocalizedText, value: { text: message } }),
        severity: new Variant({ dataType: DataType.UInt16, value: severity }),
      };
      if (batch === undefined) boiler.raiseEvent('BaseEventType', fields);
      else
        boiler.raiseEvent(batchDone, { ...fields, batchId: new Variant({ dataType: DataType.String, value: batch }) });
    },
    batchDone: batchDone.nodeId.toString(),
    get sessions() {
      return server.engine.currentSessionCount;
    },
    get subscriptions() {
      return server.engine.currentSubscriptionCount;
    },
    stop,
  };
}

const uri = 'urn:kedge:test-server';

/** A certificate that signs itself; also for users. */
export async function makeIdentity(): Promise<ServerIdentity> {
  const key = await crypto_utils.generatePrivateKey(2048);
  const { privPem } = await crypto_utils.privateKeyToPEM(key);
  const { cert } = await crypto_utils.createSelfSignedCertificate({
    privateKey: key,
    subject: 'CN=boiler/O=test',
    applicationUri: uri,
    dns: ['localhost'],
    ip: ['127.0.0.1'],
    validity: 100,
    notBefore: new Date(Date.now() - 60_000),
    purpose: crypto_utils.CertificatePurpose.ForApplication,
  });
  return { certificate: cert, key: privPem };
}
