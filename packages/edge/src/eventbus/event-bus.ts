// EventBus: answers MQTT clients about the devices of this node, and tells them what changes, whoever changed it. Values
// that clients set go through DeviceTwin, on disk and to the cloud, as those of mappers do.
import { explain } from '@kedge/core/errors';
import { KeyedMutex } from '@kedge/core/flow';
import type { Log, Secret } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Database, Files, Mqtt, MqttBrokers, MqttConnectOptions, MqttMessage, Random } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import { type Device, deviceId } from '@kedge/model/kubeedge';
import type { DeviceName, Downstream, Handlers } from '@kedge/model/messages';
import {
  type BusTopic,
  deviceTopic,
  isEdgeTopic,
  type DeviceTopicTail,
  namelessDeviceTopic,
  nodeTopic,
  parseTopic,
  requestFilters,
  shortDeviceTopic,
  uploadFilters,
} from '@kedge/wire/topics';
import { errorAnswer, historyAnswer, twinAnswer, updateDelta, updateDocument, updateResult } from './answers.ts';
import { type BrokerLink, createBrokerLink } from './broker-link.ts';
import { createBrokerMemory } from './broker-memory.ts';
import { eventBusErrors } from './errors.ts';
import { createInsideBroker, type InsideBrokerConfig } from './inside-broker.ts';
import type { DeviceAlarms, DeviceTwins } from './ports.ts';
import {
  type Code,
  planReports,
  readHistoryQuestion,
  readQuestion,
  readState,
  readTwinUpdate,
} from './read-requests.ts';
import { createRuleTopics } from './rule-topics.ts';
import { createUploadOutbox, type UploadOutbox } from './upload-outbox.ts';

export interface EventBusConfig {
  readonly node: string;
  /** One that is there. */
  readonly broker?: ExternalBroker | undefined;
  /** One of our own. */
  readonly inside?: InsideBrokerConfig | undefined;
}

interface ExternalBroker {
  readonly url: string;
  readonly clientId: string;
  readonly credentials?: { readonly username: string; readonly password: Secret<string> } | undefined;
  /** Paths of PEM files. */
  readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string } | undefined;
}

export interface EventBusDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly files: Files;
  readonly db: Database;
  /** Loads the stack of MQTT clients. */
  readonly openMqtt: () => Promise<Mqtt>;
  /** Loads the broker. */
  readonly openMqttBrokers: () => Promise<MqttBrokers>;
  readonly twins: DeviceTwins;
  readonly alarms?: DeviceAlarms | undefined;
}

/** Requests in hand before the broker has to wait. */
const manyRequests = 32;

/** The rules' part: messages to and from the cloud. */
type BusMessage = Extract<Downstream, { kind: 'bus.publish' | 'bus.subscribe' | 'bus.unsubscribe' }>;

export interface EventBus extends Module {
  readonly handlers: Handlers<BusMessage>;
  readonly outbox: UploadOutbox;
}

export function createEventBus(deps: EventBusDeps, config: EventBusConfig): EventBus {
  const { clock, random, twins } = deps;
  const log = deps.log.child({ module: 'eventbus' });
  const inOrder = new KeyedMutex();
  /** Devices that somebody has addressed without a namespace: those clients listen there too. */
  const addressedShort = new Set<string>();
  const links: BrokerLink[] = [];
  const rules = createRuleTopics(deps.db);
  const uploads = createUploadOutbox(log);
  let inHand = 0;

  function publishText(topic: string, payload: string): void {
    for (const link of links) link.publish(topic, payload);
  }
  const publish = (topic: string, body: unknown): void => publishText(topic, JSON.stringify(body));
  function answer(device: DeviceName, tail: DeviceTopicTail, body: unknown): void {
    publish(deviceTopic(device, tail), body);
    const short = addressedShort.has(deviceId(device)) ? shortDeviceTopic(device, tail) : undefined;
    if (short !== undefined) publish(short, body);
  }

  /** Only of devices that there are, or a client could fill our memory with names. */
  function answerTo(
    request: Exclude<BusTopic, { kind: 'membership.get' }>,
    tail: DeviceTopicTail,
    body: unknown,
  ): void {
    const { device, isShort } = request;
    if (isShort && twins.devices.has(device)) addressedShort.add(deviceId(device));
    else if (isShort) publish(shortDeviceTopic(device, tail)!, body);
    answer(device, tail, body);
  }

  async function handle(request: BusTopic, payload: Uint8Array): Promise<void> {
    switch (request.kind) {
      case 'membership.get':
        return request.node === config.node ? tellMembers(payload) : undefined;
      case 'twin.get': {
        const read = readQuestion(payload);
        const [at, { device }] = [clock.now(), request];
        const body = !read.ok
          ? errorAnswer(read.event, at, read.code, read.reason)
          : !twins.devices.has(device)
            ? errorAnswer(read.event, at, 404, 'twin getting failed due to the device is not existed')
            : twinAnswer(read.event, at, twins.twins(device));
        return answerTo(request, 'twin/get/result', body);
      }
      case 'history.get': {
        const { device } = request;
        const read = readHistoryQuestion(payload, clock.now());
        const refuse = (code: Code, reason: string) => errorAnswer(read.event, clock.now(), code, reason);
        const answerWith = (body: unknown): void => answer(device, 'history/get/result', body);
        if (!read.ok) return answerWith(refuse(read.code, read.reason));
        if (!twins.devices.has(device)) return answerWith(refuse(404, 'there is no such device on this node'));
        const history = twins.history(device, read.value);
        if (!history) return answerWith(refuse(404, 'no history is kept: modules.deviceTwin.history.enable is false'));
        return answerWith(historyAnswer(read.event, clock.now(), history));
      }
      case 'alarm.get': {
        const { device } = request;
        const read = readQuestion(payload);
        const [at, tail] = [clock.now(), 'alarm/get/result'] as const;
        if (!read.ok) return answer(device, tail, errorAnswer(read.event, at, read.code, read.reason));
        if (!twins.devices.has(device)) {
          return answer(device, tail, errorAnswer(read.event, at, 404, 'there is no such device on this node'));
        }
        const alarms = deps.alarms?.active(device) ?? [];
        return answer(device, tail, { event_id: read.event, timestamp: at, alarms });
      }
      case 'twin.update':
        return updateTwin(request, payload);
      case 'state.update': {
        const read = readState(payload);
        const refuse = (code: Code, reason: string): void =>
          answerTo(request, 'state/update/result', errorAnswer(read.event, clock.now(), code, reason));
        if (!read.ok) return refuse(read.code, read.reason);
        if (!twins.devices.has(request.device)) {
          return refuse(404, 'state update rejected due to the device is not existed');
        }
        if (request.isShort) addressedShort.add(deviceId(request.device));
        return twins.state(request.device, read.value, read.event);
      }
    }
  }

  async function updateTwin(
    request: Exclude<BusTopic, { kind: 'membership.get' }>,
    payload: Uint8Array,
  ): Promise<void> {
    const { device } = request;
    const tail = 'twin/update/result';
    const refuse = (event: string, code: number, reason: string): void =>
      answerTo(request, tail, errorAnswer(event, clock.now(), code, reason));
    const read = readTwinUpdate(payload);
    if (!read.ok) {
      refuse(read.event, read.code, read.reason);
      // Where KubeEdge answers it, for clients that know no better.
      return publish(namelessDeviceTopic(tail), errorAnswer('', clock.now(), read.code, read.reason));
    }
    if (!twins.devices.has(device)) {
      return refuse(read.event, 404, 'update rejected due to the device is not existed');
    }
    const reports = planReports(read.value, twins.twins(device));
    if (typeof reports === 'string') return refuse(read.event, 400, reports);
    if (request.isShort) addressedShort.add(deviceId(device));
    await twins.report(device, reports, read.event).catch((error: unknown) => {
      log.warn('a twin that an MQTT client set is not stored', { device: deviceId(device), err: error });
      refuse(read.event, 500, explain(error));
    });
  }

  function tellMembers(payload: Uint8Array): void {
    const read = readQuestion(payload);
    const topic = nodeTopic(config.node, 'membership/get/result');
    if (!read.ok) return publish(topic, errorAnswer(read.event, clock.now(), read.code, read.reason));
    const devices = twins.devices.list().map((device) => {
      const { state = '', lastOnline = '' } = twins.stateOf(nameOf(device)) ?? {};
      return { ...memberOf(device), state, last_online: lastOnline, attributes: {} };
    });
    publish(topic, { event_id: read.event, timestamp: clock.now(), devices });
  }

  async function onMessage({ topic, payload }: MqttMessage): Promise<void> {
    const request = parseTopic(topic);
    if (!request) {
      if (!isEdgeTopic(topic)) uploads.put(topic, new TextDecoder().decode(payload));
      return;
    }
    const key = 'device' in request ? deviceId(request.device) : request.node;
    inHand += 1;
    const work = inOrder
      .run(key, () => handle(request, payload))
      .catch((error: unknown) => log.warn('an MQTT request was not answered', { key, err: error }))
      .finally(() => (inHand -= 1));
    if (inHand >= manyRequests) await work;
  }

  /** Tells of devices that came and went. */
  function watchMembers(): () => void {
    let known = new Map(twins.devices.list().map((device) => [deviceId(nameOf(device)), memberOf(device)]));
    return twins.devices.listen(() => {
      const now = new Map(twins.devices.list().map((device) => [deviceId(nameOf(device)), memberOf(device)]));
      const tell = (added: Member[] | null, removed: Member[] | null): void =>
        publish(nodeTopic(config.node, 'membership/updated'), {
          event_id: random.uuid(),
          timestamp: clock.now(),
          added_devices: added,
          removed_devices: removed,
        });
      for (const [id, member] of now) if (!known.has(id)) tell([member], null);
      for (const [id, member] of known) {
        if (now.has(id)) continue;
        tell(null, [member]);
        addressedShort.delete(id);
      }
      known = now;
    });
  }

  function listenTo(topic: string, isOn: boolean): void {
    for (const link of links) link.changed(topic, isOn);
  }

  return {
    name: 'eventbus',
    outbox: uploads,
    handlers: {
      'bus.publish': async ({ topic, payload }) => publishText(topic, payload),
      async 'bus.subscribe'({ topic }) {
        if (await rules.add(topic)) return listenTo(topic, true);
        log.warn('a rule listens to a topic too many', { name: topic });
      },
      async 'bus.unsubscribe'({ topic }) {
        await rules.remove(topic);
        listenTo(topic, false);
      },
    },
    async start(scope) {
      const moreFilters = (): string[] => [...uploadFilters, ...rules.list()];
      const common = { clock, log, random, filters: requestFilters, moreFilters, onMessage };
      const { broker, inside } = config;
      if (broker) {
        const mqtt = await deps.openMqtt();
        links.push(createBrokerLink({ ...common, mqtt, broker: () => readBroker(deps.files, broker) }));
      }
      if (inside) {
        const memory = createBrokerMemory({ db: deps.db, clock, log });
        const own = createInsideBroker({ ...deps, log, brokers: await deps.openMqttBrokers(), memory }, inside);
        const { credentials, retain } = inside;
        const at = { url: '', clientId: `kedge-${config.node}`, ...(credentials ? { credentials } : {}) };
        links.push(createBrokerLink({ ...common, mqtt: own, broker: async () => at, retain }));
        scope.spawn('what the broker keeps', (signal) => memory.run(signal));
        scope.spawn('the broker inside', async (signal) => {
          await own.run(signal);
          // Clients that end with the broker may have left a will.
          await memory.flush();
        });
      }
      scope.defer(
        'twins',
        twins.watch({
          onTwins({ device, event, changes }) {
            const at = clock.now();
            answer(device, 'twin/update/result', updateResult(event, at, changes));
            answer(device, 'twin/update/document', updateDocument(event, at, changes));
            const delta = updateDelta(random.uuid(), at, twins.twins(device));
            if (delta) answer(device, 'twin/update/delta', delta);
          },
          onState({ device, event, state, lastOnline }) {
            const said = { name: device.name, state, lastOnlineTime: lastOnline };
            answer(device, 'state/update/result', { event_id: event, timestamp: clock.now(), device: said });
          },
        }),
      );
      if (deps.alarms) {
        scope.defer(
          'alarms',
          deps.alarms.watch(({ device, alarm }) =>
            publish(deviceTopic(device, 'alarm'), { event_id: random.uuid(), timestamp: clock.now(), alarm }),
          ),
        );
      }
      scope.defer('members', watchMembers());
      for (const link of links) scope.spawn('broker', (signal) => link.run(signal));
    },
  };
}

interface Member {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
}

const nameOf = ({ metadata }: Device): DeviceName => ({
  namespace: metadata.namespace ?? '',
  name: metadata.name ?? '',
});

function memberOf(device: Device): Member {
  const description = device.metadata.labels?.['description'];
  const { name } = nameOf(device);
  return { id: deviceId(nameOf(device)), name, ...(description === undefined ? {} : { description }) };
}

async function readBroker(
  files: Files,
  { url, clientId, credentials, tls }: ExternalBroker,
): Promise<Pick<MqttConnectOptions, 'url' | 'clientId' | 'credentials' | 'tls'>> {
  const broker = { url, clientId, ...(credentials ? { credentials } : {}) };
  if (!tls) return broker;
  const [ca, certificate, key] = await Promise.all([
    files.readText(tls.ca),
    files.readText(tls.certificate),
    files.readText(tls.key),
  ]);
  if (ca === undefined) throw eventBusErrors.NO_CA({ path: tls.ca });
  const own = certificate === undefined || key === undefined ? {} : { certificate, key };
  return { ...broker, tls: { ca, ...own } };
}
