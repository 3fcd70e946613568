// A session of foreign clients with our API, as it was and as it is played again: one request a line, in the order in
// which they were answered, with what the answer was worth.

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
  /** What the server made up, for finding it again in later requests. */
  readonly made?: { readonly uid?: string; readonly version?: string; readonly name?: string };
}

interface AuditEvent {
  readonly stage: string;
  readonly requestURI: string;
  readonly verb: string;
  readonly userAgent?: string;
  readonly user: { readonly username?: string; readonly groups?: readonly string[] };
  readonly requestObject?: unknown;
  readonly responseObject?: { readonly metadata?: { uid?: string; resourceVersion?: string; name?: string } };
  readonly responseStatus?: { readonly code?: number };
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

/** From an audit log with requests and responses; what clients ask again and again is left out after a few times. */
export function recordingOf(auditLog: string): string {
  const seen = new Map<string, number>();
  const lines: string[] = [];
  for (const line of auditLog.split('\n')) {
    if (line === '') continue;
    const event = JSON.parse(line) as AuditEvent;
    const by = clients.exec(event.userAgent ?? '')?.[1] ?? 'kubelet';
    const isWatch = event.verb === 'watch';
    if (event.stage !== (isWatch ? 'ResponseStarted' : 'ResponseComplete')) continue;
    const readKey = `${event.user.username} ${event.verb} ${event.requestURI.replace(/resourceVersion=\d+|timeout\w*=\w+/g, '')}`;
    const times = (seen.get(readKey) ?? 0) + 1;
    seen.set(readKey, times);
    // Leases are renewed every two seconds, and discovery is asked by each of thirty controllers.
    const isRead = methodOf(event.verb) === 'GET';
    if ((isRead || /\/leases\//.test(event.requestURI)) && times > 2) continue;
    const { metadata } = event.responseObject ?? {};
    const recorded: Recorded = {
      by,
      user: event.user.username ?? '',
      groups: event.user.groups ?? [],
      verb: event.verb,
      uri: event.requestURI,
      ...(event.requestObject === undefined ? {} : { body: event.requestObject }),
      code: event.responseStatus?.code ?? 0,
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
