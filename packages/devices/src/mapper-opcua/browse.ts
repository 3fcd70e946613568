// Looks through a server for variables: what they are, whether they can be written, and in which unit they count.
import {
  AttributeIds,
  BrowseDirection,
  type ClientSession,
  type DataValue,
  NodeClass,
  type ReferenceDescription,
  resolveNodeId,
} from 'node-opcua-client';
import type { PropertyType } from '@kedge/model/kubeedge';
import { type DriverContext, type FoundDevice, objectName, propertyName, readConfig } from '../mapper-sdk/index.ts';
import { Server } from './server.ts';
import { protocolConfig, readSettings } from './settings.ts';
import { propertyType } from './values.ts';

export interface FoundVariable {
  readonly nodeID: string;
  /** From the root on, without namespaces. */
  readonly path: readonly string[];
  readonly type: PropertyType;
  readonly canBeWritten: boolean;
  readonly description: string;
  readonly unit: string | undefined;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
}

export interface BrowseOptions {
  /** As a device's `protocol.configData`. */
  readonly server: Readonly<Record<string, unknown>>;
  /** A node id; absent: Objects, without the server's own object. */
  readonly root?: string;
  /** How many variables at most. */
  readonly limit: number;
}

const maxDepth = 10;
const maxNodes = 20_000;
const atOnce = 50;
const objects = 'i=85';
/** What every server says about itself. */
const ofServers = new Set(['ns=0;i=2253', 'ns=0;i=23470', 'ns=0;i=31915']);
const hasProperty = 'ns=0;i=46';

/** For the SDK: the keys of a device, and `root` and `limit` (500). One device with everything; who reviews it takes away. */
export async function* findVariables(
  directory: string,
  options: Readonly<Record<string, string>>,
  context: DriverContext,
): AsyncIterable<FoundDevice> {
  const { root, limit, ...server } = options;
  const found: FoundVariable[] = [];
  const most = Math.min(2_000, Math.max(1, Number(limit ?? 500) || 500));
  const given = { server, limit: most, ...(root === undefined ? {} : { root }) };
  for await (const one of browse(directory, given, context)) found.push(one);
  if (found.length === 0) return;
  const names = new Set<string>();
  yield {
    name: objectName(String(server['url'] ?? 'server').replace(/^opc\.tcp:\/\//, ''), 'server'),
    description: `an OPC UA server with ${found.length} variables`,
    protocolConfig: server,
    properties: found.map(({ nodeID, path, type, canBeWritten, description, unit, minimum, maximum }) => ({
      name: freeName(names, path),
      type,
      access: canBeWritten ? ('ReadWrite' as const) : ('ReadOnly' as const),
      ...(description === '' ? {} : { description }),
      ...(unit === undefined ? {} : { unit }),
      ...(minimum === undefined ? {} : { minimum: String(minimum) }),
      ...(maximum === undefined ? {} : { maximum: String(maximum) }),
      visitorConfig: { nodeID, browseName: path.at(-1) ?? '' },
    })),
  };
}

/** Variables as they are found, breadth first; ends at `limit` or when `signal` aborts. Throws what connecting throws. */
export async function* browse(
  directory: string,
  { server: given, root = objects, limit }: BrowseOptions,
  { clock, log, signal }: Pick<DriverContext, 'clock' | 'log' | 'signal'>,
): AsyncIterable<FoundVariable> {
  signal.throwIfAborted();
  const settings = readSettings(readConfig(protocolConfig, given, 'the server'));
  const server = await Server.open(settings, { directory, clock, log }, signal);
  try {
    let count = 0;
    for await (const variable of walk(server, root, signal)) {
      yield variable;
      if ((count += 1) >= limit) return;
    }
  } finally {
    server.end(new Error('the search is over'));
  }
}

interface Place {
  readonly nodeId: string;
  readonly path: readonly string[];
  readonly isVariable: boolean;
}

async function* walk(server: Server, root: string, signal: AbortSignal): AsyncIterable<FoundVariable> {
  const seen = new Set([root]);
  let level: Place[] = [{ nodeId: root, path: [], isVariable: false }];
  for (let depth = 0; depth < maxDepth && level.length > 0; depth += 1) {
    const next: Place[] = [];
    for (let at = 0; at < level.length; at += atOnce) {
      signal.throwIfAborted();
      const some = level.slice(at, at + atOnce);
      const below = await childrenOf(
        server.session,
        some.map(({ nodeId }) => nodeId),
      );
      yield* describe(server, some, below);
      some.forEach(({ path }, n) => {
        for (const { nodeId, browseName, nodeClass, referenceTypeId } of below[n]!) {
          const id = nodeId.toString();
          if (seen.has(id) || seen.size >= maxNodes || ofServers.has(id)) continue;
          if (referenceTypeId.toString() === hasProperty) continue;
          seen.add(id);
          const isVariable = nodeClass === NodeClass.Variable;
          next.push({ nodeId: id, path: [...path, browseName.name ?? ''], isVariable });
        }
      });
    }
    level = next;
  }
}

async function childrenOf(session: ClientSession, nodeIds: readonly string[]): Promise<ReferenceDescription[][]> {
  const results = await session.browse(
    nodeIds.map((nodeId) => ({
      nodeId,
      browseDirection: BrowseDirection.Forward,
      referenceTypeId: 'HierarchicalReferences',
      includeSubtypes: true,
      nodeClassMask: NodeClass.Object | NodeClass.Variable,
      // All but the reference's inverse name.
      resultMask: 0x3f,
    })),
  );
  return Promise.all(
    results.map(async ({ references, continuationPoint }) => {
      const all = [...(references ?? [])];
      for (let point = continuationPoint; point && point.length > 0 && all.length < maxNodes;) {
        const more = await session.browseNext(point, false);
        all.push(...(more.references ?? []));
        point = more.continuationPoint;
      }
      return all;
    }),
  );
}

async function* describe(
  { session }: Server,
  places: readonly Place[],
  below: readonly (readonly ReferenceDescription[])[],
): AsyncIterable<FoundVariable> {
  const variables = places.flatMap((place, n) => (place.isVariable ? [{ place, properties: below[n]! }] : []));
  if (variables.length === 0) return;
  const asked = variables.flatMap(({ place: { nodeId }, properties }) => {
    const value = (name: string) => {
      const id = properties.find(({ browseName }) => browseName.name === name)?.nodeId;
      return { nodeId: id ?? nodeId, attributeId: id ? AttributeIds.Value : AttributeIds.NodeId };
    };
    return [
      { nodeId, attributeId: AttributeIds.DataType },
      { nodeId, attributeId: AttributeIds.ValueRank },
      { nodeId, attributeId: AttributeIds.UserAccessLevel },
      { nodeId, attributeId: AttributeIds.Description },
      value('EngineeringUnits'),
      value('EURange'),
    ];
  });
  const answers: DataValue[] = [];
  for (let at = 0; at < asked.length; at += atOnce) answers.push(...(await session.read(asked.slice(at, at + atOnce))));
  for (const [n, { place }] of variables.entries()) {
    const [dataType, rank, access, description, unit, range] = answers.slice(n * 6, n * 6 + 6);
    if (dataType?.statusCode.isGood() !== true) continue;
    const builtIn = await session.getBuiltInDataType(resolveNodeId(place.nodeId)).catch(() => undefined);
    if (builtIn === undefined) continue;
    const level = Number(access?.value.value ?? 0);
    // Neither to be read nor written: not for us.
    if ((level & 3) === 0) continue;
    const limits = plain<{ low: number; high: number }>(range);
    yield {
      nodeID: place.nodeId,
      path: place.path,
      type: propertyType({ dataType: builtIn, isList: Number(rank?.value.value ?? -1) >= 0 }),
      canBeWritten: (level & 2) !== 0,
      description: plain<{ text?: string }>(description)?.text ?? '',
      unit: plain<{ displayName?: { text?: string } }>(unit)?.displayName?.text,
      minimum: limits?.low,
      maximum: limits?.high,
    };
  }
}

function plain<T>(answer: DataValue | undefined): Partial<T> | undefined {
  const value: unknown = answer?.statusCode.isGood() === true ? answer.value.value : undefined;
  return typeof value === 'object' && value !== null ? (value as Partial<T>) : undefined;
}

/** The last of the way, with as much of it before as makes it different from the others. */
function freeName(names: Set<string>, path: readonly string[]): string {
  const parts = path.map(propertyName);
  for (let from = parts.length - 1; from >= 0; from -= 1) {
    const name = parts.slice(from).join('-').slice(-63).replace(/^-+/, '');
    if (names.has(name)) continue;
    names.add(name);
    return name;
  }
  const base = parts.join('-').slice(-56).replace(/^-+/, '') || 'value';
  let n = 2;
  while (names.has(`${base}-${n}`)) n += 1;
  names.add(`${base}-${n}`);
  return `${base}-${n}`;
}
