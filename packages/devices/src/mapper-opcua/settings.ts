// Configuration of OPC UA devices: the keys of KubeEdge's OPC UA mapper, and who is trusted and who one is.
import { choice, decimal, flag, integer, object, optional, text } from '@kedge/core/config';
import type { DocumentOf } from '@kedge/core/config';
import { type Duration, seconds } from '@kedge/core/time';
import { mapperErrors, required } from '../mapper-sdk/index.ts';

const policies = [
  'None',
  'Basic256Sha256',
  'Aes128Sha256RsaOaep',
  'Aes256Sha256RsaPss',
  'Basic128Rsa15',
  'Basic256',
] as const;
const modes = ['None', 'Sign', 'SignAndEncrypt'] as const;

export const protocolConfig = object({
  url: required(text('', { description: 'opc.tcp://host:4840' })),
  securityPolicy: optional(
    choice('None', policies, { description: 'absent: None, or Basic256Sha256 with a securityMode' }),
  ),
  securityMode: optional(choice('None', modes, { description: 'absent: SignAndEncrypt with a securityPolicy' })),
  userName: optional(text('')),
  password: optional(text('', { description: 'the path of a file with the password' })),
  userCertificate: optional(text('', { description: 'a PEM or DER file: a user who is known by it' })),
  userPrivateKey: optional(text('', { description: 'a PEM file' })),
  certificate: optional(text('', { description: "a PEM or DER file, instead of the mapper's own certificate" })),
  privateKey: optional(text('', { description: 'a PEM file' })),
  remoteCertificate: optional(text('', { description: 'a PEM or DER file: the only server to be trusted' })),
  trustOnFirstUse: flag(false, { description: 'the first certificate that the url shows is trusted from then on' }),
  timeout: decimal(5, { minimum: 0.1, maximum: 9, description: 'seconds, for each request' }),
});
export type OpcuaConfig = DocumentOf<typeof protocolConfig>;

export const visitorConfig = object({
  nodeID: optional(text('', { description: 'such as ns=2;s=Boiler.Temperature, or nsu=URI;s=... ' })),
  browseName: optional(
    text('', { description: 'without nodeID: the way below Objects, such as 2:Boiler/2:Temperature' }),
  ),
  methodID: optional(
    text('', {
      description: 'a method of the object that nodeID or browseName names: ns=2;s=Reset, or 2:Reset below it',
    }),
  ),
  event: optional(
    choice('json', ['json', 'message', 'severity'], {
      description: 'what of its events; nodeID or browseName names who tells of them, the Server when absent',
    }),
  ),
  eventType: optional(
    text('', { description: 'only events of this type, such as ns=2;i=1001, and of what derives from it' }),
  ),
  eventFields: optional(text('', { description: 'for json: more fields, such as 2:BatchId,SourceNode' })),
  minimumSeverity: optional(integer(0, { minimum: 0, maximum: 1_000 })),
});
export type OpcuaVisitor = DocumentOf<typeof visitorConfig>;

export interface Settings {
  readonly url: string;
  readonly policy: (typeof policies)[number];
  readonly mode: (typeof modes)[number];
  readonly user:
    | { readonly kind: 'anonymous' }
    | { readonly kind: 'password'; readonly name: string; readonly file: string | undefined }
    | { readonly kind: 'certificate'; readonly file: string; readonly key: string };
  /** Instead of the mapper's own. */
  readonly own: { readonly file: string; readonly key: string } | undefined;
  readonly remote: string | undefined;
  readonly trustOnFirstUse: boolean;
  readonly timeout: Duration;
}

const where = 'spec.protocol.configData';

/** Throws MAPPER_BAD_CONFIG for what no schema says. */
export function readSettings(config: OpcuaConfig): Settings {
  const problems: string[] = [];
  const pair = (file: string | undefined, key: string | undefined, names: readonly [string, string]) => {
    if (!file && !key) return undefined;
    if (file && key) return { file, key };
    problems.push(`${names[0]} and ${names[1]}: one is set without the other`);
    return undefined;
  };
  if (!/^opc\.tcp:\/\/[^\s/]+/.test(config.url)) problems.push(`url is "${config.url}", needs opc.tcp://host:port`);
  const own = pair(config.certificate, config.privateKey, ['certificate', 'privateKey']);
  const user = pair(config.userCertificate, config.userPrivateKey, ['userCertificate', 'userPrivateKey']);
  if (user && config.userName) problems.push('userName and userCertificate: a user is known by one of them');
  const hasMode = config.securityMode !== undefined && config.securityMode !== 'None';
  const policy = config.securityPolicy ?? (hasMode ? 'Basic256Sha256' : 'None');
  const mode = config.securityMode ?? (policy === 'None' ? 'None' : 'SignAndEncrypt');
  if ((policy === 'None') !== (mode === 'None')) {
    problems.push(`securityPolicy ${policy} and securityMode ${mode}: both are None, or neither is`);
  }
  if (problems.length > 0) throw mapperErrors.BAD_CONFIG({ where, problems });
  return {
    url: config.url,
    policy,
    mode,
    user: user
      ? { kind: 'certificate', ...user }
      : config.userName
        ? { kind: 'password', name: config.userName, file: config.password || undefined }
        : { kind: 'anonymous' },
    own,
    remote: config.remoteCertificate || undefined,
    trustOnFirstUse: config.trustOnFirstUse,
    timeout: seconds(config.timeout),
  };
}

export const isNodeId = (text: string): boolean =>
  /^(?:ns=\d+;)?(?:i=\d+|s=.+|g=[0-9a-fA-F-]{36}|b=[A-Za-z0-9+/=]+)$/.test(text);

export type Kind = 'variable' | 'method' | 'event';

/** What a property stands for. */
export const kindOf = ({ methodID, event }: OpcuaVisitor): Kind => (methodID ? 'method' : event ? 'event' : 'variable');

/** Throws MAPPER_BAD_CONFIG for what no schema says. */
export function checkVisitor({ methodID, event, eventType }: OpcuaVisitor, property: string): void {
  if (methodID && event) throw badConfig(`property "${property}": methodID and event: it stands for one of them`);
  if (eventType && !isNodeId(eventType)) {
    throw badConfig(`property "${property}": eventType is "${eventType}", needs one such as ns=2;i=1001`);
  }
}

export const badConfig = (problem: string, cause?: unknown): Error =>
  mapperErrors.BAD_CONFIG({ where, problems: [problem] }, cause);
