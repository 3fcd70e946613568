// The services that environments of pods name. The cloud is asked whenever a container is about to be made, so that it
// learns of services that are there by then; the last answer stays on disk for when the cloud is away. Nothing is kept in
// memory.
import { JoinedCalls, orAbort } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Database } from '@kedge/core/ports';
import { type Clock, milliseconds, seconds } from '@kedge/core/time';
import type { Outcome } from '@kedge/model/messages';
import type { Service, ServicePort } from '@kedge/model/k8s-types';
import { type Asks, isUnreachable } from './asks.ts';

export interface Services {
  /** Of the namespace, and `default/kubernetes`: the newest that can be had. Rejects only when `signal` aborts. */
  around(namespace: string, signal: AbortSignal): Promise<readonly Service[]>;
  /** Ends questions that are under way. */
  close(): void;
}

export interface ServicesDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly asks: Pick<Asks, 'ask'>;
}

/** A pod does not wait longer than this to start; a cloud that let it wait is left alone for a while. */
const patience = seconds(5);
const silence = seconds(30);
/** More than a program's environment holds. */
const mostServices = 5_001;

export function createServices({ db, clock, log, asks }: ServicesDeps): Services {
  const select = db.statement<{ body: string }>('SELECT body FROM service_list WHERE namespace = ?');
  const replace = db.statement('INSERT OR REPLACE INTO service_list VALUES (?, ?)');
  const forgetOthers = db.statement(
    "DELETE FROM service_list WHERE namespace <> ? AND namespace NOT IN (SELECT namespace FROM object WHERE type = 'pod')",
  );
  const joined = new JoinedCalls<readonly Service[]>();
  const closing = new AbortController();
  let quietUntil = clock.monotonic();
  let warnedOf: string | undefined;

  const stored = (namespace: string): string | undefined => select.get(namespace)?.body;

  async function ask(namespace: string): Promise<Outcome<unknown>> {
    const late = new AbortController();
    const done = new AbortController();
    const ending = AbortSignal.any([closing.signal, late.signal]);
    const giveUp = clock.sleep('services', patience, AbortSignal.any([closing.signal, done.signal])).then(
      () => late.abort(new Error('late')),
      () => undefined,
    );
    try {
      return await asks.ask({ kind: 'object.get', ref: { type: 'servicelist', namespace, name: 'all' } }, ending);
    } finally {
      done.abort();
      await giveUp;
    }
  }

  async function refresh(namespace: string): Promise<readonly Service[]> {
    const before = stored(namespace);
    if (closing.signal.aborted || clock.monotonic() < quietUntil) return parse(before);
    const answer = await ask(namespace).catch(() => undefined);
    if (!answer) quietUntil = milliseconds(clock.monotonic() + silence);
    if (!answer?.ok) {
      note(answer && !isUnreachable(answer.status) ? answer.status.message : undefined, before !== undefined);
      return parse(before);
    }
    const body = JSON.stringify(readServices(answer.value));
    if (body !== before) {
      await db.write(() => {
        replace.run(namespace, body);
        forgetOthers.run(namespace);
      });
    }
    return parse(body);
  }

  /** What a cloud that refuses says, once. */
  function note(message: string | undefined, hasOld: boolean): void {
    if (message === undefined || message === warnedOf) return;
    warnedOf = message;
    const says = hasOld ? 'services are those of before' : 'containers learn of no services by their environment';
    log.warn(says, { reason: message });
  }

  return {
    around: (namespace, signal) =>
      orAbort(
        joined.call(namespace, () => refresh(namespace)),
        signal,
      ),
    close: () => closing.abort(new Error('closing')),
  };
}

const parse = (body: string | undefined): readonly Service[] => (body ? (JSON.parse(body) as Service[]) : []);

/** What an answer says of services; what is none is left out. */
export function readServices(list: unknown): Service[] {
  const { items } = (list ?? {}) as { items?: unknown };
  if (!Array.isArray(items)) return [];
  return (items as unknown[]).slice(0, mostServices).flatMap((item) => {
    const { metadata, spec } = (item ?? {}) as Partial<Service>;
    const { name, namespace } = metadata ?? {};
    const { clusterIP, ports } = spec ?? {};
    if (!isText(name) || !isText(namespace) || !isText(clusterIP) || !Array.isArray(ports)) return [];
    return [{ metadata: { name, namespace }, spec: { clusterIP, ports: ports.flatMap(readPort) } }];
  });
}

function readPort(port: unknown): ServicePort[] {
  const { name, port: number, protocol } = (port ?? {}) as Partial<ServicePort>;
  if (typeof number !== 'number') return [];
  return [{ ...(isText(name) ? { name } : {}), port: number, ...(isText(protocol) ? { protocol } : {}) }];
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
