// Devices on their way to their nodes, each with the model it refers to. Who has what is worked out from the copies: a
// device belongs to the node in its spec, a model to every node with a device that refers to it.
import type { Informer } from '@kedge/core/control';
import type { Random } from '@kedge/core/ports';
import { type KubeObject, type NodeName, nodeName, objectKey } from '@kedge/model/k8s';
import { type Device, readDevice } from '@kedge/model/kubeedge';
import type { Member } from '@kedge/model/messages';
import type { DeviceSink } from '../sink.ts';
import { Groups } from './groups.ts';
import { significance } from './significance.ts';
import { deleteOf, type DeviceType, putOf, refOf, uidOf, versionOf } from './wire-device.ts';

export interface DeviceSyncDeps {
  readonly random: Random;
  readonly devices: Informer<KubeObject>;
  readonly models: Informer<KubeObject>;
  readonly sink: DeviceSink;
}

/** Where a device is, as its node was told. */
interface Placement {
  readonly node: NodeName;
  readonly uid: string;
  /** Key of the model. */
  readonly model: string;
  /** Whether the model was there to be sent along. An upstream edge has no use for a device before its model. */
  readonly hasModel: boolean;
  readonly significance: string;
}

export interface DeviceSync {
  listen(): () => void;
  /** Whether the node is to have the object. */
  uses(node: NodeName, type: string, key: string): boolean;
  /** Everything that the node is to have; what it has already is not sent again. */
  sendAll(node: NodeName): void;
  /** Keys of the devices of a node. */
  devicesOf(node: string): Iterable<string>;
  /** The same, as the node is told. */
  members(node: NodeName): Member[];
}

export function createDeviceSync({ random, devices, models, sink }: DeviceSyncDeps): DeviceSync {
  const placements = new Map<string, Placement>();
  const onNode = new Groups();
  /** By `<node> <model>`, the devices that refer to it there; and by model alone. */
  const users = new Groups();
  const everywhere = new Groups();
  const usersKey = (node: NodeName, model: string): string => `${node} ${model}`;

  const tellMembers = (node: NodeName, added: readonly Member[], removed: readonly Member[]): void =>
    sink.tell(node, { kind: 'membership.update', event: random.uuid(), added, removed });

  function put(node: NodeName, type: DeviceType, object: KubeObject): void {
    sink.put(node, putOf(type, object, sink.isKnown(node, uidOf(object)) ? 'update' : 'insert'));
  }

  function putModel(node: NodeName, key: string | undefined): void {
    const model = key === undefined ? undefined : models.get(key);
    if (model) put(node, 'devicemodel', model);
  }

  function add(key: string, object: KubeObject, placement: Placement): void {
    const { node, model } = placement;
    place(key, placement);
    tellMembers(node, [memberOf(object)], []);
    putModel(node, model);
    put(node, 'device', object);
  }

  function place(key: string, placement: Placement): void {
    unplace(key);
    placements.set(key, placement);
    onNode.add(placement.node, key);
    users.add(usersKey(placement.node, placement.model), key);
    everywhere.add(placement.model, key);
  }

  function unplace(key: string): void {
    const old = placements.get(key);
    if (!old) return;
    placements.delete(key);
    onNode.remove(old.node, key);
    users.remove(usersKey(old.node, old.model), key);
    everywhere.remove(old.model, key);
  }

  /** In upstream's order: model, membership, device. */
  function remove(key: string, last: KubeObject): void {
    const old = placements.get(key);
    if (!old) return;
    unplace(key);
    dropModel(old.node, old.model);
    tellMembers(old.node, [], [memberOf(last)]);
    sink.delete(old.node, deleteOf('device', last));
  }

  /** Unless another device there needs it. */
  function dropModel(node: NodeName, key: string): void {
    if (users.of(usersKey(node, key)).size > 0) return;
    const model = models.get(key);
    if (model) sink.delete(node, deleteOf('devicemodel', model));
  }

  function onPut(object: KubeObject, before: KubeObject | undefined): void {
    const key = objectKey(object);
    const old = placements.get(key);
    const next = placementOf(object);
    if (old && (old.node !== next?.node || old.uid !== next.uid)) remove(key, before ?? object);
    if (!next) return;
    const known = placements.get(key);
    if (!known) return add(key, object, next);
    // A model that came late changes a condition of the device, and so its version: then the device is sent again.
    const isCompleted = next.hasModel && !known.hasModel;
    if (known.significance === next.significance && !isCompleted) {
      const [from, to] = [before?.metadata.resourceVersion ?? '', versionOf(object)];
      return sink.unchanged(next.node, refOf('device', object), uidOf(object), from, to);
    }
    place(key, next);
    putModel(next.node, next.model);
    put(next.node, 'device', object);
    if (known.model !== next.model) dropModel(next.node, known.model);
  }

  function eachUser(model: KubeObject, act: (node: NodeName) => void): void {
    const nodes = new Set([...everywhere.of(objectKey(model))].map((key) => placements.get(key)!.node));
    nodes.forEach(act);
  }

  return {
    listen() {
      // Models first: a device is sent with its model.
      const stops = [
        models.listen({
          onPut: (model) => eachUser(model, (node) => put(node, 'devicemodel', model)),
          onDelete: (model) => eachUser(model, (node) => sink.delete(node, deleteOf('devicemodel', model))),
        }),
        devices.listen({ onPut, onDelete: (last) => remove(objectKey(last), last) }),
      ];
      return () => stops.forEach((stop) => stop());
    },
    uses: (node, type, key) =>
      type === 'device' ? placements.get(key)?.node === node : users.of(usersKey(node, key)).size > 0,
    sendAll(node) {
      for (const key of onNode.of(node)) {
        const object = devices.get(key);
        if (!object) continue;
        putModel(node, placements.get(key)?.model);
        put(node, 'device', object);
      }
    },
    devicesOf: (node) => onNode.of(node),
    members: (node) =>
      [...onNode.of(node)].flatMap((key) => {
        const object = devices.get(key);
        return object ? [memberOf(object)] : [];
      }),
  };

  function placementOf(object: KubeObject): Placement | undefined {
    const { spec, metadata }: Device = readDevice(object);
    const name = spec?.deviceModelRef?.name;
    // An upstream edge that restarts with a device that names no model crashes when a mapper registers.
    if (!spec?.nodeName || !name) return undefined;
    const model = `${metadata.namespace ?? ''}/${name}`;
    return {
      node: nodeName(spec.nodeName),
      uid: metadata.uid ?? '',
      model,
      hasModel: models.get(model) !== undefined,
      significance: significance(object),
    };
  }
}

const memberOf = ({ metadata: { namespace = '', name = '', labels } }: KubeObject): Member => ({
  device: { namespace, name },
  ...(labels?.['description'] === undefined ? {} : { description: labels['description'] }),
});
