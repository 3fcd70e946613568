// Methods of the server: a property whose visitor has a methodID stands for one, and the value that a call brings for its input.
import { DataType, findBasicDataType, makeBrowsePath, type Variant } from 'node-opcua-client';
import { fault, type RawValue, refused } from '../mapper-sdk/index.ts';
import type { Server } from './server.ts';
import { badConfig, isNodeId, type OpcuaVisitor } from './settings.ts';
import { type NodeType, toRaw, toVariant } from './values.ts';

interface ServerMethod {
  readonly objectId: string;
  readonly methodId: string;
  /** In the order of its arguments. */
  readonly inputs: readonly (NodeType & { readonly name: string })[];
}

/** Throws a fault, or MAPPER_BAD_CONFIG. */
export async function findMethod(server: Server, visitor: OpcuaVisitor, property: string): Promise<ServerMethod> {
  const { methodID = '' } = visitor;
  const objectId = await server.resolve(visitor, property);
  const methodId = isNodeId(methodID) ? methodID : await below(server, objectId, methodID, property);
  const { inputArguments } = await server.session.getArgumentDefinition(methodId);
  const inputs = [];
  for (const { name, dataType, valueRank } of inputArguments) {
    inputs.push({
      name: name ?? '',
      dataType: await findBasicDataType(server.session, dataType),
      isList: valueRank >= 0,
    });
  }
  return { objectId, methodId, inputs };
}

async function below(server: Server, objectId: string, name: string, property: string): Promise<string> {
  let path;
  try {
    path = makeBrowsePath(objectId, `/${name.replace(/^\//, '')}`);
  } catch (error) {
    throw badConfig(`property "${property}": methodID is "${name}", needs ns=1;s=Reset or 1:Reset`, error);
  }
  const { statusCode, targets } = await server.session.translateBrowsePath(path);
  const target = targets?.[0]?.targetId;
  if (statusCode.isGood() && target) return target.toString();
  throw fault(statusCode.name, `there is no method "${name}" at ${objectId}: ${statusCode.description}`);
}

/**
 * One input is the value as it is, several are a JSON list, none leave it of no account. One output is the result as it is, of
 * several it is a JSON list. Throws MAPPER_REFUSED for an input that does not fit, and when the server says no.
 */
export async function callMethod(
  server: Server,
  { objectId, methodId, inputs }: ServerMethod,
  property: string,
  raw: RawValue,
): Promise<{ readonly result?: RawValue }> {
  const inputArguments = toArguments(property, inputs, raw);
  const answer = await server.session.call({ objectId, methodId, inputArguments });
  if (!answer.statusCode.isGood()) {
    const wrong = inputs.filter((_, n) => answer.inputArgumentResults?.[n]?.isBad() === true).map(({ name }) => name);
    const which = wrong.length > 0 ? ` (${wrong.join(', ')})` : '';
    throw refused(`"${property}"`, `${answer.statusCode.name}: ${answer.statusCode.description}${which}`);
  }
  const outputs = (answer.outputArguments ?? []).map(toResult);
  if (outputs.length === 0) return {};
  return { result: outputs.length === 1 ? plain(outputs[0]!) : JSON.stringify(outputs) };
}

function toArguments(property: string, inputs: ServerMethod['inputs'], raw: RawValue): Variant[] {
  const [only] = inputs;
  if (!only) return [];
  if (inputs.length === 1) return [toVariant(property, raw, only)];
  const names = inputs.map(({ name, dataType }) => `${name}: ${DataType[dataType]}`).join(', ');
  let list: unknown;
  try {
    list = JSON.parse(String(raw));
  } catch {
    list = undefined;
  }
  if (!Array.isArray(list) || list.length !== inputs.length) {
    throw refused(`"${property}"`, `it takes a JSON list of ${inputs.length}: ${names}`);
  }
  return inputs.map((input, n) => {
    const one: unknown = list[n];
    if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') {
      return toVariant(property, one, input);
    }
    return toVariant(property, JSON.stringify(one) ?? '', input);
  });
}

type Plain = string | number | boolean | null;

function toResult(output: Variant): Plain {
  if (output.value === null || output.value === undefined) return null;
  const raw = toRaw(output);
  if (raw instanceof Uint8Array) return Buffer.from(raw).toString('base64');
  return typeof raw === 'bigint' ? String(raw) : raw;
}

const plain = (result: Plain): RawValue => result ?? '';
