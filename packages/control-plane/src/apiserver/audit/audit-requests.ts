// Follows every request for the audit log: who asked for what, what was decided, what came of it, and, where the policy
// says so, what was sent and answered. Sits around the handler and the gatekeeper and leaves both as they are.
import type { Headers, HttpHandler, ServerRequest, ServerResponse } from '@kedge/core/ports';
import type { Random } from '@kedge/core/ports';
import { type Clock, toMicroTime } from '@kedge/core/time';
import { type ApiUser, type Gatekeeper, readRequestInfo, type RequestInfo } from '@kedge/engine/kube-api';
import { isStatus, type KubeObject, type Status } from '@kedge/model/k8s';
import { isObject } from '@kedge/model/k8s-patch';
import { userInfoOf } from '../admission/webhooks/admission-review.ts';
import { type AuditDecision, type AuditPolicy, type AuditStage, decideAudit } from './audit-policy.ts';

export interface AuditDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly policy: AuditPolicy;
  write(line: string): void;
}

export interface Auditing {
  handler(handler: HttpHandler): HttpHandler;
  gatekeeper(gatekeeper: Gatekeeper): Gatekeeper;
}

/** Bigger bodies are left out. */
const maxBody = 256 * 1024;

export function createAuditing(deps: AuditDeps): Auditing {
  // The handler hands the request it was given to the gatekeeper: that is how both know the same record.
  const records = new WeakMap<ServerRequest, AuditRecord>();
  return {
    handler: (handler) => async (request, response) => {
      const info = readRequestInfo(request);
      if (!info) return handler(request, response);
      const record = new AuditRecord(deps, request, info);
      const watched = record.watchRequest();
      records.set(watched, record);
      try {
        await handler(watched, record.watchResponse(response));
      } catch (error) {
        record.emit('Panic');
        throw error;
      }
      record.end();
    },
    gatekeeper: (gatekeeper) => ({
      async authenticate(request) {
        const record = records.get(request);
        try {
          const user = await gatekeeper.authenticate(request);
          record?.known(user);
          return user;
        } catch (error) {
          record?.known(undefined);
          throw error;
        }
      },
      async admit(user, info, request) {
        const record = records.get(request);
        try {
          const acting = await gatekeeper.admit(user, info, request);
          record?.decided('allow', acting === user ? undefined : acting);
          return acting;
        } catch (error) {
          if (isStatus(error, 'Forbidden')) record?.decided('forbid', undefined);
          throw error;
        }
      },
      annotate: (request, key, value) => records.get(request)?.annotate(key, value),
    }),
  };
}

class AuditRecord {
  readonly #deps: AuditDeps;
  readonly #request: ServerRequest;
  readonly #info: RequestInfo;
  readonly #id: string;
  readonly #received: string;
  readonly #annotations = new Map<string, string>();
  #decision: AuditDecision | undefined;
  #user: ApiUser | undefined;
  #impersonated: ApiUser | undefined;
  #sent: string | undefined;
  #answered: string | undefined;
  #code: number | undefined;
  #isStream = false;
  #hasEnded = false;

  constructor(deps: AuditDeps, request: ServerRequest, info: RequestInfo) {
    this.#deps = deps;
    this.#request = request;
    this.#info = info;
    const given = request.headers['audit-id'] ?? '';
    this.#id = /^[\w-]{1,64}$/.test(given) ? given : deps.random.uuid();
    this.#received = toMicroTime(deps.clock.now());
  }

  /** Who asks has been found out, or that they have shown wrong credentials. */
  known(user: ApiUser | undefined): void {
    this.#user = user;
    this.#decision = decideAudit(this.#deps.policy, user, this.#info);
    this.emit('RequestReceived');
  }

  decided(decision: 'allow' | 'forbid', impersonated: ApiUser | undefined): void {
    this.#impersonated = impersonated;
    this.annotate('authorization.k8s.io/decision', decision);
    this.annotate('authorization.k8s.io/reason', '');
  }

  annotate(key: string, value: string): void {
    if (this.#annotations.size < 64 && !this.#annotations.has(key)) this.#annotations.set(key, value.slice(0, 4_096));
  }

  watchRequest(): ServerRequest {
    const request = this.#request;
    return {
      ...request,
      body: async (limit) => {
        const bytes = await request.body(limit);
        if (!this.#logs('Request') || bytes.length === 0) return bytes;
        if (bytes.length <= maxBody) this.#sent = await asJson(bytes, request.headers['content-type'] ?? '');
        if (this.#sent === undefined) this.annotate('audit.k8s.io/truncated', 'true');
        return bytes;
      },
    };
  }

  watchResponse(response: ServerResponse): ServerResponse {
    const withId = (headers: Headers): Headers => ({ ...headers, 'audit-id': this.#id });
    return {
      send: (status, headers, body) => {
        this.#code = status;
        if (typeof body === 'string' && body.length <= maxBody) this.#answered = body;
        response.send(status, withId(headers), body);
      },
      stream: (status, headers) => {
        this.#code = status;
        this.#isStream = true;
        this.emit('ResponseStarted');
        return response.stream(status, withId(headers));
      },
    };
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.emit('ResponseComplete');
  }

  emit(stage: AuditStage): void {
    const decision = this.#decision;
    if (!decision || decision.level === 'None' || decision.omitStages.has(stage)) return;
    this.#deps.write(JSON.stringify(this.#event(stage, decision)));
  }

  #logs(level: 'Request' | 'RequestResponse'): boolean {
    const given = this.#decision?.level;
    return given === 'RequestResponse' || (given === 'Request' && level === 'Request');
  }

  #event(stage: AuditStage, { level, omitManagedFields }: AuditDecision): Record<string, unknown> {
    const { headers, remoteAddress, path, query } = this.#request;
    const asked = query.toString();
    const isOver = stage === 'ResponseComplete' || stage === 'Panic' || stage === 'ResponseStarted';
    const answer = isOver && !this.#isStream ? parsed(this.#answered) : undefined;
    const code = stage === 'Panic' ? 500 : this.#code;
    const forwarded = (headers['x-forwarded-for'] ?? '').split(',').map((one) => one.trim());
    return {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level,
      auditID: this.#id,
      stage,
      requestURI: asked ? `${path}?${asked}` : path,
      verb: this.#info.verb,
      user: this.#user ? userInfoOf(this.#user) : {},
      ...(this.#impersonated ? { impersonatedUser: userInfoOf(this.#impersonated) } : {}),
      sourceIPs: [...forwarded, remoteAddress].filter(Boolean),
      ...(headers['user-agent'] ? { userAgent: headers['user-agent'] } : {}),
      ...(this.#info.isResource ? { objectRef: objectRefOf(this.#info, answer) } : {}),
      ...(isOver && code !== undefined ? { responseStatus: statusOf(code, answer) } : {}),
      ...(isOver && this.#logs('Request') ? withObject('requestObject', parsed(this.#sent), omitManagedFields) : {}),
      ...(stage === 'ResponseComplete' && this.#logs('RequestResponse')
        ? withObject('responseObject', answer, omitManagedFields)
        : {}),
      requestReceivedTimestamp: this.#received,
      stageTimestamp: toMicroTime(this.#deps.clock.now()),
      ...(this.#annotations.size > 0 ? { annotations: Object.fromEntries(this.#annotations) } : {}),
    };
  }
}

/** Whatever form a body has, the log has JSON; undefined for one that cannot be read, which is refused anyway. */
async function asJson(bytes: Uint8Array, type: string): Promise<string | undefined> {
  try {
    if (type.startsWith('application/vnd.kubernetes.protobuf')) {
      const { decodeKubeProtobuf } = await import('@kedge/wire/kube-protobuf');
      return JSON.stringify(decodeKubeProtobuf(bytes));
    }
    const text = new TextDecoder().decode(bytes);
    if (!type.startsWith('application/yaml')) return text;
    const { parse } = await import('yaml');
    return JSON.stringify(parse(text, { version: '1.1' }));
  } catch {
    return undefined;
  }
}

function parsed(text: string | undefined): unknown {
  if (text === undefined || text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function objectRefOf(info: RequestInfo & { isResource: true }, answer: unknown): Record<string, unknown> {
  const { resource, namespace, name, group, version, subresource } = info;
  const metadata = isObject(answer) && isObject(answer['metadata']) ? (answer as unknown as KubeObject).metadata : {};
  const isObjectAnswer = isObject(answer) && answer['kind'] !== 'Status' && !('items' in answer);
  const known = name || (isObjectAnswer ? metadata.name : undefined);
  return {
    resource,
    ...(namespace ? { namespace } : {}),
    ...(known ? { name: known } : {}),
    ...(isObjectAnswer && metadata.uid ? { uid: metadata.uid } : {}),
    ...(group ? { apiGroup: group } : {}),
    apiVersion: version,
    ...(isObjectAnswer && metadata.resourceVersion ? { resourceVersion: metadata.resourceVersion } : {}),
    ...(subresource ? { subresource } : {}),
  };
}

function statusOf(code: number, answer: unknown): Record<string, unknown> {
  if (code < 400 || !isObject(answer) || answer['kind'] !== 'Status') return { metadata: {}, code };
  const { status, message, reason, details } = answer as Status;
  return {
    metadata: {},
    ...(status ? { status } : {}),
    ...(message ? { message } : {}),
    ...(reason ? { reason } : {}),
    ...(details ? { details } : {}),
    code,
  };
}

function withObject(field: string, object: unknown, omitManagedFields: boolean): Record<string, unknown> {
  if (object === undefined) return {};
  if (!omitManagedFields || !isObject(object) || !isObject(object['metadata'])) return { [field]: object };
  const { managedFields: _, ...metadata } = object['metadata'];
  return { [field]: { ...object, metadata } };
}
