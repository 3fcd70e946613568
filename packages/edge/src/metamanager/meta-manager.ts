// Everything the edge remembers, put together over one database: what it is to run, what the cloud still has to learn,
// and how the cloud is asked. Needs no link to be useful.
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Database, Random } from '@kedge/core/ports';
import type { Clock, Duration } from '@kedge/core/time';
import type { KubeObject, NodeName } from '@kedge/model/k8s';
import type { Downstream, Handlers } from '@kedge/model/messages';
import { type Asks, createAsks } from './asks.ts';
import { createDesiredObjects, type DesiredObjects, type ObjectListener } from './desired-objects.ts';
import { createObjectStore } from './object-store.ts';
import { createObjects, type Objects } from './objects.ts';
import { createOutbox, type Outbox, type OutboxSource } from './outbox.ts';
import { createServices, type Services } from './services.ts';
import { createTokens, type Tokens } from './tokens.ts';

export interface MetaManager extends Module {
  readonly pods: DesiredObjects['pods'];
  readonly objects: Objects;
  /** Devices and models of this node. */
  readonly devices: DeviceObjects;
  readonly tokens: Pick<Tokens, 'request'>;
  readonly services: Pick<Services, 'around'>;
  readonly outbox: Outbox & OutboxSource;
  readonly asks: Asks;
  /** For the link: a handler resolves when what it was handed is on disk. */
  readonly handlers: Handlers<Downstream>;
  /** What is here, without the objects themselves. */
  inventory: DesiredObjects['inventory'];
  readonly store: Completeness;
}

export interface DeviceObjects {
  list(type: 'device' | 'devicemodel'): readonly KubeObject[];
  listen(type: 'device' | 'devicemodel', listener: ObjectListener<KubeObject>): () => void;
}

/** Whether the database holds what the cloud believes it does: not so after it was lost or set aside. */
export interface Completeness {
  readonly isEmpty: boolean;
  /** The cloud has sent everything again. */
  filled(): Promise<void>;
}

export interface MetaManagerDeps {
  /** Opened with `edgeMigrations`. */
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly node: NodeName;
  /** How long to wait for an answer of the cloud; a minute when absent. */
  readonly askTimeout?: Duration;
}

export function createMetaManager(deps: MetaManagerDeps): MetaManager {
  const { db, clock, random, node, askTimeout } = deps;
  const log = deps.log.child({ module: 'metamanager' });
  const asks = createAsks({ clock, random, ...(askTimeout === undefined ? {} : { timeout: askTimeout }) });
  const tokens = createTokens({ db, clock, asks });
  const services = createServices({ db, clock, log, asks });
  const forgetStatus = db.statement("DELETE FROM outbox WHERE kind IN ('pod.status', 'pod.delete') AND subject = ?");
  const store = createObjectStore(db);
  const desired = createDesiredObjects({
    db,
    store,
    log,
    node,
    forgetPod: (uid) => {
      tokens.forgetPod(uid);
      forgetStatus.run(uid);
    },
  });
  const outbox = createOutbox({ db, log, objects: desired });

  return {
    name: 'metamanager',
    pods: desired.pods,
    objects: createObjects({ desired, asks }),
    devices: { list: (type) => store.list(type), listen: desired.listen },
    tokens,
    services,
    outbox,
    asks,
    inventory: desired.inventory,
    store: createCompleteness(db),
    handlers: {
      // Watches of the local API are answered by whoever opened them; their objects are not this node's.
      'object.put': async ({ ref, object, owner }) =>
        owner === 'dynamiccontroller' ? undefined : desired.put(ref, object),
      'object.delete': async ({ ref, uid, owner }) =>
        owner === 'dynamiccontroller' ? undefined : desired.delete(ref, uid),
      // Members of this node are the devices that it has.
      'membership.update': async () => undefined,
      'membership.detail': async () => undefined,
      // EventBus', where there is one.
      'bus.publish': async () => undefined,
      'bus.subscribe': async () => undefined,
      'bus.unsubscribe': async () => undefined,
      reply: async (reply) => asks.settle(reply),
      unknown: async ({ raw: { route } }) =>
        log.debug('message of an unknown kind ignored', { operation: route.operation, resource: route.resource }),
    },
    async start(scope) {
      log.debug('stored pods read', { count: desired.pods.list().length });
      scope.defer('edge database', () => db.close());
      scope.defer('questions about services', () => services.close());
    },
  };
}

function createCompleteness(db: Database): Completeness {
  const select = db.statement<{ value: string }>("SELECT value FROM fact WHERE name = 'store'");
  const update = db.statement("UPDATE fact SET value = 'filled' WHERE name = 'store'");
  return {
    get isEmpty() {
      return select.get()?.value !== 'filled';
    },
    filled: async () => void (await db.write(() => update.run())),
  };
}
