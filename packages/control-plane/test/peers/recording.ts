// A session of foreign clients with our API, as it was and as it is played again: one request a line, in the order in
// which they were answered, with what the answer was worth.
import { type ApiServerConfig, readAuditPolicy } from '@kedge/control-plane/apiserver';

/** Options of a server that writes down every request with its answer. */
export function recordingTo(path: string): { readonly audit: NonNullable<ApiServerConfig['audit']> } {
  const policy = readAuditPolicy({
    apiVersion: 'audit.k8s.io/v1',
    kind: 'Policy',
    omitStages: ['RequestReceived'],
    rules: [{ level: 'RequestResponse' }],
  });
  return { audit: { path, policy, maxBytes: 1 << 30, maxBackups: 0, maxAgeDays: 0 } };
}

export interface Recorded {
  /** The client, such as `kube-scheduler`. */
  readonly by: string;
  readonly user: string;
  readonly groups: readonly string[];
  readonly verb: string;
  readonly uri: string;
  readonly type?: string;
  readonly body?: unknown;
  readonly code: number;
  /** What kind of object the answer was, and which fields it had, two levels deep. */
  readonly is?: string;
  readonly has?: readonly string[];
  /** What the server made up, for finding it again in later requests. */
  readonly made?: { readonly uid?: string; readonly version?: string; readonly name?: string };
}

export interface Answer {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly uid?: string; readonly resourceVersion?: string; readonly name?: string };
  readonly items?: unknown;
}

interface AuditEvent {
  readonly stage: string;
  readonly requestURI: string;
  readonly verb: string;
  readonly userAgent?: string;
  readonly user: { readonly username?: string; readonly groups?: readonly string[] };
  readonly requestObject?: unknown;
  readonly responseObject?: Answer;
  readonly responseStatus?: { readonly code?: number };
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
}

/** Who loses a race is told so before the winner's write is on disk; played one by one, the winner has to come first. */
function inOrderOfEffect(events: readonly AuditEvent[]): AuditEvent[] {
  const ordered = [...events];
  const pathOf = ({ requestURI }: AuditEvent): string => requestURI.replace(/\?.*/, '');
  const isWrite = ({ verb }: AuditEvent): boolean => methodOf(verb) !== 'GET';
  for (const loser of events.filter(
    (event) => isWrite(event) && [404, 409].includes(event.responseStatus?.code ?? 0),
  )) {
    const at = ordered.indexOf(loser);
    const winner = ordered.findLastIndex(
      (event) =>
        isWrite(event) &&
        (pathOf(event) === pathOf(loser) || pathOf(loser).startsWith(`${pathOf(event)}/`)) &&
        methodOf(event.verb) !== 'POST' &&
        (event.responseStatus?.code ?? 0) < 300 &&
        event.requestReceivedTimestamp <= loser.stageTimestamp,
    );
    if (winner > at) ordered.splice(winner, 0, ...ordered.splice(at, 1));
  }
  return ordered;
}

const clients = /^(kube-controller-manager|kube-scheduler|cloudcore|kubectl)\b/;
const methods: Readonly<Record<string, string>> = {
  get: 'GET',
  list: 'GET',
  watch: 'GET',
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
};
export const methodOf = (verb: string): string => methods[verb] ?? verb.toUpperCase();

export const kindOf = ({ apiVersion, kind }: Answer): string => `${apiVersion} ${kind}`;

/** What is in a list, and who wrote which field, is of no interest. */
export function fieldsOf(answer: Answer): string[] {
  const fields: string[] = [];
  for (const [name, value] of Object.entries(answer)) {
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    // Values of a user's own maps are as good as any other.
    if (isObject && name !== 'data') fields.push(...Object.keys(value).map((inner) => `${name}.${inner}`));
    else fields.push(name);
  }
  return fields.filter((field) => field !== 'metadata.managedFields').sort();
}

/** Keys that were made for the run are nobody's business, and as good as any other bytes. */
function withoutSecrets(body: unknown): unknown {
  const { kind, data } = body as { readonly kind?: string; readonly data?: object };
  if (kind !== 'Secret' || !data) return body;
  return { ...(body as object), data: Object.fromEntries(Object.keys(data).map((key) => [key, 'cmVjb3JkZWQ='])) };
}

/** From an audit log with requests and responses; what clients ask again and again is left out after a few times. */
export function recordingOf(auditLog: string): string {
  const seen = new Map<string, number>();
  const lines: string[] = [];
  const events = auditLog.split('\n').filter((line) => line !== '');
  for (const event of inOrderOfEffect(events.map((line) => JSON.parse(line) as AuditEvent))) {
    const by = clients.exec(event.userAgent ?? '')?.[1] ?? 'kubelet';
    const isWatch = event.verb === 'watch';
    if (event.stage !== (isWatch ? 'ResponseStarted' : 'ResponseComplete')) continue;
    const readKey = `${event.user.username} ${event.verb} ${event.requestURI.replace(/resourceVersion=\d+|timeout\w*=\w+/g, '')}`;
    const times = (seen.get(readKey) ?? 0) + 1;
    seen.set(readKey, times);
    // Leases are renewed every two seconds, and discovery is asked by each of thirty controllers.
    const isRead = methodOf(event.verb) === 'GET';
    if ((isRead || /\/leases\//.test(event.requestURI)) && times > 2) continue;
    const { responseObject } = event;
    const metadata = responseObject?.metadata;
    const recorded: Recorded = {
      by,
      user: event.user.username ?? '',
      groups: event.user.groups ?? [],
      verb: event.verb,
      uri: event.requestURI,
      ...(event.requestObject === undefined ? {} : { body: withoutSecrets(event.requestObject) }),
      code: event.responseStatus?.code ?? 0,
      ...(responseObject ? { is: kindOf(responseObject), has: fieldsOf(responseObject) } : {}),
      ...(metadata && !isRead
        ? {
            made: {
              ...(metadata.uid ? { uid: metadata.uid } : {}),
              ...(metadata.resourceVersion ? { version: metadata.resourceVersion } : {}),
              ...(metadata.name ? { name: metadata.name } : {}),
            },
          }
        : {}),
    };
    lines.push(JSON.stringify(recorded));
  }
  return `${lines.join('\n')}\n`;
}
