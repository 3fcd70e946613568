// MutatingWebhookConfigurations and ValidatingWebhookConfigurations: whom the server asks before it writes.
import { checkDns1123Subdomain, forbiddenField, invalidField, requiredField, unsupportedField } from '../k8s/index.ts';
import type { FieldError, KubeObject } from '../k8s/index.ts';
import { checkLabelSelector } from '../k8s-selectors/index.ts';
import type {
  MatchCondition,
  MutatingWebhook,
  RuleWithOperations,
  ValidatingWebhook,
  WebhookClientConfig,
} from '../k8s-types/index.ts';
import { checkOptionalChoice, checkRange, repeated } from './checks.ts';
import { createRules } from './kind-rules.ts';

type Webhook = MutatingWebhook | ValidatingWebhook;
interface Configuration extends KubeObject {
  webhooks?: Webhook[];
}

const configurationRules = (mutating: boolean) =>
  createRules<Configuration>({
    defaults: (object) => ({
      ...object,
      ...(object.webhooks ? { webhooks: object.webhooks.map((hook) => withDefaults(hook, mutating)) } : {}),
    }),
    validate: ({ webhooks = [] }) => [
      ...webhooks.flatMap((hook, at) => checkWebhook(hook, `webhooks[${at}]`)),
      ...repeated(webhooks, ({ name }) => name).map((at) => ({
        reason: 'FieldValueDuplicate' as const,
        field: `webhooks[${at}].name`,
        message: `Duplicate value: "${webhooks[at]!.name}"`,
      })),
    ],
  });

export const mutatingWebhookRules = configurationRules(true);
export const validatingWebhookRules = configurationRules(false);

function withDefaults(hook: Webhook, mutating: boolean): Webhook {
  const { clientConfig, rules } = hook;
  return {
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    timeoutSeconds: 10,
    ...(mutating ? { reinvocationPolicy: 'Never' } : {}),
    ...hook,
    ...(rules ? { rules: rules.map((rule) => ({ ...rule, scope: rule.scope ?? '*' })) } : {}),
    ...(clientConfig ? { clientConfig: defaultClientConfig(clientConfig) } : {}),
  };
}

export const defaultClientConfig = (config: WebhookClientConfig): WebhookClientConfig =>
  config.service ? { ...config, service: { ...config.service, port: config.service.port ?? 443 } } : config;

function checkWebhook(hook: Webhook, path: string): FieldError[] {
  return [
    ...checkHookName(hook.name, `${path}.name`),
    ...(hook.rules ?? []).flatMap((rule, at) => checkRule(rule, `${path}.rules[${at}]`)),
    ...checkOptionalChoice(hook.failurePolicy, ['Fail', 'Ignore'], `${path}.failurePolicy`),
    ...checkOptionalChoice(hook.matchPolicy, ['Equivalent', 'Exact'], `${path}.matchPolicy`),
    ...checkSideEffects(hook.sideEffects, `${path}.sideEffects`),
    ...checkRange(hook.timeoutSeconds, 1, 30, `${path}.timeoutSeconds`).map((error) => ({
      ...error,
      message: `Invalid value: ${hook.timeoutSeconds}: the timeout value must be between 1 and 30 seconds`,
    })),
    ...checkLabelSelector(hook.namespaceSelector ?? {}, `${path}.namespaceSelector`),
    ...checkLabelSelector(hook.objectSelector ?? {}, `${path}.objectSelector`),
    ...checkClientConfig(hook.clientConfig, `${path}.clientConfig`),
    ...checkReviewVersions(hook.admissionReviewVersions, `${path}.admissionReviewVersions`),
    ...checkConditions(hook.matchConditions ?? [], `${path}.matchConditions`),
    ...('reinvocationPolicy' in hook
      ? checkOptionalChoice(hook.reinvocationPolicy, ['IfNeeded', 'Never'], `${path}.reinvocationPolicy`)
      : []),
  ];
}

function checkHookName(name: string | undefined, path: string): FieldError[] {
  if (!name) return [requiredField(path)];
  const wrong = checkDns1123Subdomain(name);
  if (wrong.length) return wrong.map((sentence) => invalidField(path, name, sentence));
  return name.split('.').length < 3
    ? [invalidField(path, name, 'should be a domain with at least three segments separated by dots')]
    : [];
}

const operations = ['*', 'CREATE', 'UPDATE', 'DELETE', 'CONNECT'];

export function checkRule(rule: RuleWithOperations, path: string): FieldError[] {
  const { operations: asked = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  const some = (list: readonly string[], field: string): FieldError[] =>
    list.length === 0 ? [requiredField(`${path}.${field}`)] : [];
  const alone = (list: readonly string[], field: string): FieldError[] =>
    list.length > 1 && list.includes('*')
      ? [invalidField(`${path}.${field}`, list, "if '*' is present, must not specify other " + wordOf[field])]
      : [];
  return [
    ...some(asked, 'operations'),
    ...alone(asked, 'operations'),
    ...asked.flatMap((one, at) =>
      operations.includes(one) ? [] : [unsupportedField(`${path}.operations[${at}]`, one, operations.slice(1).sort())],
    ),
    ...some(apiGroups, 'apiGroups'),
    ...alone(apiGroups, 'apiGroups'),
    ...some(apiVersions, 'apiVersions'),
    ...alone(apiVersions, 'apiVersions'),
    ...apiVersions.flatMap((one, at) => (one === '' ? [requiredField(`${path}.apiVersions[${at}]`)] : [])),
    ...some(resources, 'resources'),
    ...resources.flatMap((one, at) => (one === '' ? [requiredField(`${path}.resources[${at}]`)] : [])),
    ...checkResources(resources, `${path}.resources`),
    ...checkOptionalChoice(scope, ['*', 'Cluster', 'Namespaced'], `${path}.scope`),
  ];
}

const wordOf: Readonly<Record<string, string>> = {
  operations: 'operations',
  apiGroups: 'API groups',
  apiVersions: 'API versions',
};

/** A wildcard that covers what stands beside it is a mistake. */
function checkResources(resources: readonly string[], path: string): FieldError[] {
  if (resources.includes('*/*') && resources.length > 1)
    return [invalidField(path, resources, "if '*/*' is present, must not specify other resources")];
  const bare = resources.filter((one) => !one.includes('/'));
  if (bare.includes('*') && bare.length > 1)
    return [invalidField(path, resources, "if '*' is present, must not specify other resources without subresources")];
  return resources.flatMap((one, at) => {
    const [name, part] = one.split('/');
    if (!part || part === '*') return [];
    const covered = resources.includes(`${name}/*`) || (name !== '*' && resources.includes(`*/${part}`));
    return covered
      ? [
          invalidField(
            `${path}[${at}]`,
            one,
            resources.includes(`${name}/*`)
              ? `if '${name}/*' is present, must not specify ${one}`
              : `if '*/${part}' is present, must not specify ${one}`,
          ),
        ]
      : [];
  });
}

function checkSideEffects(value: string | undefined, path: string): FieldError[] {
  if (value === undefined) return [requiredField(path, 'must specify one of None, NoneOnDryRun')];
  return ['None', 'NoneOnDryRun'].includes(value) ? [] : [unsupportedField(path, value, ['None', 'NoneOnDryRun'])];
}

function checkReviewVersions(versions: readonly string[] | undefined, path: string): FieldError[] {
  if (!versions?.length) return [requiredField(path, 'must specify one of v1, v1beta1')];
  return versions.some((one) => one === 'v1' || one === 'v1beta1')
    ? []
    : [invalidField(path, versions, 'must include at least one of v1, v1beta1')];
}

export function checkConditions(conditions: readonly MatchCondition[], path: string): FieldError[] {
  if (conditions.length > 64)
    return [
      {
        reason: 'FieldValueTooMany',
        field: path,
        message: `Too many: ${conditions.length}: must have at most 64 items`,
      },
    ];
  return [
    ...conditions.flatMap(({ name, expression }, at) => [
      ...(name ? [] : [requiredField(`${path}[${at}].name`)]),
      ...(expression?.trim() ? [] : [requiredField(`${path}[${at}].expression`)]),
    ]),
    ...repeated(conditions, ({ name }) => name).map((at) => ({
      reason: 'FieldValueDuplicate' as const,
      field: `${path}[${at}].name`,
      message: `Duplicate value: "${conditions[at]!.name}"`,
    })),
  ];
}

/** Shared with conversion webhooks of custom resources. */
export function checkClientConfig(config: WebhookClientConfig | undefined, path: string): FieldError[] {
  const { url, service, caBundle } = config ?? {};
  if ((url === undefined) === (service === undefined))
    return [requiredField(path, 'exactly one of url or service is required')];
  return [
    ...(url === undefined ? [] : checkUrl(url, `${path}.url`)),
    ...(service
      ? [
          ...(service.name ? [] : [requiredField(`${path}.service.name`, 'service name is required')]),
          ...(service.namespace ? [] : [requiredField(`${path}.service.namespace`, 'service namespace is required')]),
          ...(service.port !== undefined && (service.port < 1 || service.port > 65_535)
            ? [
                invalidField(
                  `${path}.service.port`,
                  service.port,
                  'port is not valid: must be between 1 and 65535, inclusive',
                ),
              ]
            : []),
          ...(service.path !== undefined && service.path !== '' && !service.path.startsWith('/')
            ? [invalidField(`${path}.service.path`, service.path, "must start with a '/'")]
            : []),
        ]
      : []),
    ...(caBundle && !isPem(caBundle)
      ? [
          invalidField(
            `${path}.caBundle`,
            caBundle,
            'unable to load root certificates: unable to parse bytes as PEM block',
          ),
        ]
      : []),
  ];
}

const form = 'desired format: https://host[/path]';

function checkUrl(text: string, path: string): FieldError[] {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) return [requiredField(path, `url must be a valid URL: ${text}; ${form}`)];
  if (url.protocol !== 'https:')
    return [invalidField(path, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${form}`)];
  return [
    ...(url.host ? [] : [invalidField(path, url.host, `host must be specified; ${form}`)]),
    ...(/^[a-z]+:\/\/[^/?#]*@/i.test(text)
      ? [forbiddenField(path, `user information is not permitted in the URL; ${form}`)]
      : []),
    ...(text.includes('#') ? [forbiddenField(path, `fragments are not permitted in the URL; ${form}`)] : []),
    ...(text.includes('?') ? [forbiddenField(path, `query parameters are not permitted in the URL; ${form}`)] : []),
  ];
}

function isPem(base64: string): boolean {
  try {
    return atob(base64).includes('-----BEGIN CERTIFICATE-----');
  } catch {
    return false;
  }
}
