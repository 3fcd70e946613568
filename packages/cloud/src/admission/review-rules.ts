// Rules and their endpoints. Upstream refuses every change of them; here a change is taken when its result would be.
import type { KubeObject } from '@kedge/model/k8s';
import { allow, deny, isSpecChanged, type Review, type Reviewer, type Verdict } from './verdict.ts';

export type EndpointType = 'rest' | 'eventbus' | 'servicebus';

interface Resource {
  readonly [key: string]: unknown;
}

interface RuleSpec {
  readonly source?: string;
  readonly target?: string;
  readonly sourceResource?: Resource;
  readonly targetResource?: Resource;
}

/** What there is in a namespace already. */
export interface Rules {
  endpoint(namespace: string, name: string, signal: AbortSignal): Promise<KubeObject | undefined>;
  rules(namespace: string, signal: AbortSignal): Promise<readonly KubeObject[]>;
}

const sourceKeys: Readonly<Record<EndpointType, readonly string[]>> = {
  rest: ['path'],
  eventbus: ['topic', 'node_name'],
  servicebus: ['target_url', 'node_name'],
};
const targetKeys: Readonly<Record<EndpointType, readonly string[]>> = {
  rest: ['resource'],
  eventbus: ['topic'],
  servicebus: ['path'],
};
const pairs: ReadonlySet<string> = new Set(['rest-eventbus', 'rest-servicebus', 'eventbus-rest']);

const specOf = (object: KubeObject): RuleSpec => (object['spec'] ?? {}) as RuleSpec;
const typeOf = (endpoint: KubeObject): EndpointType | undefined => {
  const { ruleEndpointType: type } = (endpoint['spec'] ?? {}) as { ruleEndpointType?: unknown };
  return typeof type === 'string' && Object.hasOwn(sourceKeys, type) ? (type as EndpointType) : undefined;
};

export const reviewRule =
  (known: Rules): Reviewer =>
  async (review, signal) => {
    const { object, operation, namespace } = review;
    if (!object || operation === 'DELETE' || operation === 'CONNECT') return allow;
    if (operation === 'UPDATE' && !isSpecChanged(review)) return allow;
    const { source = '', target = '', sourceResource = {}, targetResource = {} } = specOf(object);
    const from = await known.endpoint(namespace, source, signal);
    if (!from) return missing('source', source, namespace);
    const to = await known.endpoint(namespace, target, signal);
    if (!to) return missing('target', target, namespace);
    const [fromType, toType] = [typeOf(from), typeOf(to)];
    const pair = `${fromType}-${toType}`;
    if (!fromType || !toType || !pairs.has(pair)) {
      return deny(
        `spec.source, spec.target: no messages go from ${fromType ?? 'an endpoint without type'} to ${toType ?? 'an endpoint without type'}; use rest to eventbus, rest to servicebus, or eventbus to rest`,
      );
    }
    return (
      lacks('sourceResource', fromType, sourceKeys[fromType], sourceResource) ??
      lacks('targetResource', toType, targetKeys[toType], targetResource) ??
      (await clashOf(known, review, sourceKeys[fromType], sourceResource, signal)) ??
      allow
    );
  };

/** Another rule listens there: by path, or by topic and node. */
async function clashOf(
  known: Rules,
  { namespace, name }: Review,
  keys: readonly string[],
  own: Resource,
  signal: AbortSignal,
): Promise<Verdict | undefined> {
  const other = (await known.rules(namespace, signal)).find((rule) => {
    const { sourceResource = {} } = specOf(rule);
    return rule.metadata.name !== name && keys.every((key) => sourceResource[key] === own[key]);
  });
  if (!other) return undefined;
  const said = keys.map((key) => `${key} "${String(own[key])}"`).join(' and ');
  return deny(`spec.sourceResource: rule "${other.metadata.name ?? ''}" has ${said} already; choose another`);
}

const missing = (field: 'source' | 'target', name: string, namespace: string): Verdict =>
  deny(`spec.${field}: RuleEndpoint "${name}" is not in namespace "${namespace}"; create it first, or name another`);

function lacks(field: string, type: EndpointType, keys: readonly string[], resource: Resource): Verdict | undefined {
  const key = keys.find((name) => typeof resource[name] !== 'string' || resource[name] === '');
  return key === undefined
    ? undefined
    : deny(`spec.${field}: "${key}" is missing; an endpoint of type ${type} needs it`);
}

export const reviewRuleEndpoint =
  (known: Rules): Reviewer =>
  async (review, signal) => {
    const { object, before, operation, namespace, name } = review;
    if (!object || operation === 'DELETE' || operation === 'CONNECT') return allow;
    if (operation === 'UPDATE' && !isSpecChanged(review)) return allow;
    const { properties = {} } = (object['spec'] ?? {}) as { properties?: Record<string, string> };
    if (typeOf(object) === 'servicebus') {
      const port = properties['service_port'];
      if (port === undefined)
        return deny('spec.properties: "service_port" is missing; an endpoint of type servicebus needs it');
      if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
        return deny(`spec.properties.service_port: "${port.slice(0, 40)}" is no port; write a number from 1 to 65535`);
      }
    }
    if (!before || typeOf(before) === typeOf(object)) return allow;
    const user = (await known.rules(namespace, signal)).find((rule) =>
      [specOf(rule).source, specOf(rule).target].includes(name),
    );
    return user
      ? deny(
          `spec.ruleEndpointType: rule "${user.metadata.name ?? ''}" uses this endpoint as it is; delete the rule first`,
        )
      : allow;
  };
