// One session with a server, which devices with the same settings share. It ends when it breaks: the SDK opens the next one.
import { X509Certificate } from 'node:crypto';
import {
  AttributeIds,
  type ClientSession,
  crypto_utils,
  type DataType,
  makeBrowsePath,
  MessageSecurityMode,
  OPCUAClient,
  resolveNodeId,
  SecurityPolicy,
  setErrorLogger,
  setWarningLogger,
  type StatusCode,
  StatusCodes,
  type UserIdentityInfo,
  UserTokenType,
} from 'node-opcua-client';
import { orAbort } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Clock } from '@kedge/core/time';
import { fault, type SharedConnection } from '../mapper-sdk/index.ts';
import { type Identity, ownIdentity, readCertificate, readConfigured, readIdentity } from './certificates.ts';
import { badConfig, isNodeId, type OpcuaVisitor, type Settings } from './settings.ts';
import { TrustList } from './trust-list.ts';
import type { NodeType } from './values.ts';

export interface ServerDeps {
  /** Of the mapper's own certificate and the trust list. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Between two questions whether the server is there, when nothing else is asked: as long as an answer may take, about. */
const keepAlive = { least: 1_000, most: 5_000 };
const sessionMs = 60_000;
/** Types of nodes that are remembered. */
const maxTypes = 20_000;

export class Server implements SharedConnection {
  readonly lost: Promise<Error>;
  readonly session: ClientSession;
  readonly #types = new Map<string, NodeType>();
  readonly #fail: (why: Error) => void;
  #namespaces: Promise<readonly string[]> | undefined;
  #over: Error | undefined;

  private constructor(client: OPCUAClient, session: ClientSession) {
    this.session = session;
    const lost = Promise.withResolvers<Error>();
    this.lost = lost.promise;
    this.#fail = (why) => {
      if (this.#over) return;
      this.#over = why;
      lost.resolve(why);
      void leave(client, session);
    };
    const gone = (): void => this.#fail(fault('ConnectionLost', 'the server hung up'));
    client.on('close', gone).on('connection_lost', gone).on('abort', gone);
    session.on('session_closed', (status) => this.#fail(fault('ConnectionLost', `the session ended: ${status.name}`)));
    session.on('keepalive_failure', () => this.#fail(fault('ConnectionLost', 'the server does not answer any more')));
  }

  /** Throws a fault that says what to do, or MAPPER_BAD_CONFIG. */
  static async open(settings: Settings, { directory, clock, log }: ServerDeps, signal: AbortSignal): Promise<Server> {
    setWarningLogger((...words) => log.debug('node-opcua warns', { reason: toLine(words) }));
    setErrorLogger((...words) => log.debug('node-opcua complains', { reason: toLine(words) }));
    const { own, policy, mode, timeout } = settings;
    const identity = own ? await readIdentity(own.file, own.key) : await ownIdentity(directory, clock.now());
    const user = await readUser(settings);
    if (user.type === UserTokenType.UserName && policy === 'None') {
      log.warn('the password is sent over a channel without security: set securityPolicy', { key: settings.url });
    }
    if (policy === 'Basic256' || policy === 'Basic128Rsa15') {
      log.warn('the security policy has been broken: use Basic256Sha256 or better', {
        key: settings.url,
        reason: policy,
      });
    }
    const store = createStore(settings, new TrustList(directory, log), clock, await readRemote(settings));
    const client = OPCUAClient.create({
      applicationName: 'kedge',
      applicationUri: identity.uri,
      clientName: 'kedge-mapper',
      certificateKeyPairProvider: providerOf(identity),
      clientCertificateManager: store,
      securityMode: MessageSecurityMode[mode],
      securityPolicy: SecurityPolicy[toName(policy)],
      // A server behind another address calls itself by its own.
      endpointMustExist: false,
      connectionStrategy: { initialDelay: 100, maxDelay: 100, maxRetry: 0 },
      transportTimeout: timeout,
      defaultTransactionTimeout: timeout,
      keepSessionAlive: true,
      keepAliveInterval: Math.max(keepAlive.least, Math.min(keepAlive.most, timeout)),
      requestedSessionTimeout: sessionMs,
    });
    let session: ClientSession | undefined;
    try {
      await orAbort(client.connect(settings.url), signal);
      session = await orAbort(client.createSession(user), signal);
      return new Server(client, session);
    } catch (error) {
      void leave(client, session);
      throw store.verdict() ?? toFault(error, settings, identity);
    }
  }

  throwIfLost(): void {
    if (this.#over) throw this.#over;
  }

  end(why: Error): void {
    this.#fail(why);
  }

  /** The id of a node, with the server's own numbers. Throws a fault, or MAPPER_BAD_CONFIG. */
  async resolve({ nodeID, browseName }: OpcuaVisitor, property: string): Promise<string> {
    if (nodeID) {
      const named = /^nsu=([^;]+);(.+)$/.exec(nodeID);
      const id = named ? `ns=${await this.#namespace(named[1]!)};${named[2]!}` : nodeID;
      if (isNodeId(id)) return id;
      throw badConfig(`property "${property}": nodeID is "${nodeID}", needs one such as ns=2;s=Boiler.Temperature`);
    }
    if (!browseName) throw badConfig(`property "${property}": nodeID is not set, and no browseName either`);
    let path;
    try {
      path = makeBrowsePath('i=85', browseName.startsWith('/') ? browseName : `/${browseName}`);
    } catch (error) {
      throw badConfig(
        `property "${property}": browseName is "${browseName}", needs a way such as 2:Boiler/2:Temperature`,
        error,
      );
    }
    const { statusCode, targets } = await this.session.translateBrowsePath(path);
    const target = targets?.[0]?.targetId;
    if (statusCode.isGood() && target) return target.toString();
    throw fault(statusCode.name, `there is no node "${browseName}" below Objects: ${statusCode.description}`);
  }

  async #namespace(uri: string): Promise<number> {
    this.#namespaces ??= this.session.readNamespaceArray();
    const index = (await this.#namespaces).indexOf(uri);
    if (index < 0) throw fault('BadNodeIdUnknown', `the server has no namespace "${uri}"`);
    return index;
  }

  /** What the node really is, so that writing gives it that. Throws a fault. */
  async typeOf(nodeId: string): Promise<NodeType> {
    const known = this.#types.get(nodeId);
    if (known) return known;
    const [type, rank] = await this.session.read([
      { nodeId, attributeId: AttributeIds.DataType },
      { nodeId, attributeId: AttributeIds.ValueRank },
    ]);
    if (type?.statusCode.isGood() !== true) throw faultOf(type?.statusCode ?? StatusCodes.BadUnexpectedError);
    const dataType: DataType = await this.session.getBuiltInDataType(resolveNodeId(nodeId));
    const found = { dataType, isList: rank?.statusCode.isGood() === true && Number(rank.value.value) >= 0 };
    if (this.#types.size < maxTypes) this.#types.set(nodeId, found);
    return found;
  }
}

/** One word and a sentence for a status that is not good. */
export const faultOf = (status: StatusCode): Error => fault(status.name, `${status.name}: ${status.description}`);

async function leave(client: OPCUAClient, session: ClientSession | undefined): Promise<void> {
  await session?.close(true).catch(() => undefined);
  await client.disconnect().catch(() => undefined);
}

const toLine = (words: readonly unknown[]): string => words.map(String).join(' ').slice(0, 500);

/** As the library spells it. */
const toName = (policy: Settings['policy']): keyof typeof SecurityPolicy =>
  policy === 'Aes128Sha256RsaOaep'
    ? 'Aes128_Sha256_RsaOaep'
    : policy === 'Aes256Sha256RsaPss'
      ? 'Aes256_Sha256_RsaPss'
      : policy;

function providerOf({ certificate, key }: Identity) {
  const privateKey = crypto_utils.makePrivateKeyFromPem(key);
  return {
    certificateFile: '<in-memory>',
    privateKeyFile: '<in-memory>',
    getCertificate: () => certificate.raw,
    getCertificateChain: () => [certificate.raw],
    getPrivateKey: () => privateKey,
  };
}

async function readUser({ user }: Settings): Promise<UserIdentityInfo> {
  switch (user.kind) {
    case 'anonymous':
      return { type: UserTokenType.Anonymous };
    case 'password': {
      const password = user.file === undefined ? '' : String(await readConfigured(user.file, 'password'));
      return { type: UserTokenType.UserName, userName: user.name, password: password.replace(/\r?\n$/, '') };
    }
    case 'certificate': {
      const certificate = await readCertificate(user.file, 'userCertificate');
      const privateKey = String(await readConfigured(user.key, 'userPrivateKey'));
      return { type: UserTokenType.Certificate, certificateData: certificate.raw, privateKey };
    }
  }
}

const readRemote = async ({ remote }: Settings): Promise<X509Certificate | undefined> =>
  remote === undefined ? undefined : readCertificate(remote, 'remoteCertificate');

/** What the library asks about the server's certificate; it gets yes or no, and the reason is kept for whoever asks. */
function createStore(
  { url, trustOnFirstUse }: Settings,
  list: TrustList,
  clock: Clock,
  remote: X509Certificate | undefined,
) {
  let why: Error | undefined;
  const check = async (given: Uint8Array | readonly Uint8Array[]): Promise<StatusCode> => {
    try {
      const chain = (given instanceof Uint8Array ? [given] : given).map((raw) => new X509Certificate(raw));
      await list.check({ url, chain, remote, trustOnFirstUse, now: clock.now() });
      return StatusCodes.Good;
    } catch (error) {
      why = error as Error;
      return StatusCodes.BadCertificateUntrusted;
    }
  };
  return {
    referenceCounter: 0,
    verdict: (): Error | undefined => why,
    initialize: async () => undefined,
    dispose: async () => undefined,
    checkCertificate: check,
    getTrustStatus: check,
    // The library asks this about the certificate that we show, which is ours.
    verifyCertificate: async () => 'Good',
    trustCertificate: async () => undefined,
    rejectCertificate: async () => undefined,
    addIssuer: async () => undefined,
    addRevocationList: async () => undefined,
  };
}

/** The library's words, with what to do. */
function toFault(error: unknown, { url, policy, mode }: Settings, own: Identity): Error {
  const text = error instanceof Error ? error.message : String(error);
  const status = /\b(Bad[A-Z]\w+)/.exec(text)?.[1];
  const say = (reason: string, message: string): Error => fault(reason, `${url}: ${message}`, error);
  switch (status) {
    case 'BadUserAccessDenied':
    case 'BadIdentityTokenRejected':
    case 'BadIdentityTokenInvalid':
      return say('LoginRefused', 'the server refuses the user; check userName and password, or userCertificate');
    case 'BadCertificateUntrusted':
    case 'BadSecurityChecksFailed':
    case 'BadCertificateUseNotAllowed':
      return say('NotTrustedByServer', `the server does not trust us: let it trust the certificate in ${own.file}`);
    case 'BadSecurityPolicyRejected':
    case 'BadSecurityModeRejected':
      return say('NoSuchEndpoint', `the server does not offer ${policy} with ${mode}`);
    case 'BadTooManySessions':
      return say(status, 'the server has no session left for us');
    case undefined:
      break;
    default:
      return say(status, text.slice(0, 300));
  }
  if (/user token policy/.test(text)) return say('LoginRefused', 'the server does not take this kind of user');
  if (/endpoint/i.test(text)) return say('NoSuchEndpoint', `the server does not offer ${policy} with ${mode}`);
  return say('Unreachable', text.split('\n')[0]!.slice(0, 300));
}
