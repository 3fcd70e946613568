// Secrets.
import { invalidField, requiredField, tooLongField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { Secret } from '../k8s-types/index.ts';
import { base64Length, encodeBase64 } from './base64.ts';
import { checkImmutable } from './checks.ts';
import { checkKeys, checkSealed, maxDataBytes } from './config-map.ts';
import { createRules } from './kind-rules.ts';

export const secretRules = createRules<Secret>({
  defaults: ({ stringData, ...secret }) => ({
    ...secret,
    type: secret.type || 'Opaque',
    // Written in clear for convenience, never stored or read that way.
    ...(stringData ? { data: { ...secret.data, ...encodeAll(stringData) } } : {}),
  }),
  validate: checkContent,
  validateUpdate: (secret, old) => [
    ...checkImmutable(secret.type, old.type, 'type'),
    ...checkSealed(secret, old, ['data']),
  ],
});

const encodeAll = (texts: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encodeBase64(text)]));

function checkContent(secret: Secret): FieldError[] {
  const data = secret.data ?? {};
  const bytes = Object.values(data).reduce((sum, text) => sum + base64Length(text), 0);
  return [
    ...checkKeys(data, 'data'),
    ...(bytes > maxDataBytes ? [tooLongField('data', maxDataBytes)] : []),
    ...checkByType(secret, data),
  ];
}

const accountAnnotation = 'kubernetes.io/service-account.name';

/** The keys that a type of Secret must have. */
const requiredKeys: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

function checkByType({ type = '', metadata }: Secret, data: Readonly<Record<string, string>>): FieldError[] {
  if (type === 'kubernetes.io/service-account-token') {
    return metadata.annotations?.[accountAnnotation]
      ? []
      : [requiredField(`metadata.annotations[${accountAnnotation}]`)];
  }
  if (type === 'kubernetes.io/basic-auth') {
    const keys = ['username', 'password'];
    return keys.some((key) => Object.hasOwn(data, key)) ? [] : keys.map((key) => requiredField(`data[${key}]`));
  }
  return (requiredKeys[type] ?? [])
    .filter((key) => !Object.hasOwn(data, key) || (key === 'ssh-privatekey' && !data[key]))
    .map((key) => requiredField(`data[${key}]`))
    .concat(requiredKeys[type]?.[0]?.startsWith('.docker') ? checkJson(data, requiredKeys[type]![0]!) : []);
}

/** What is wrong with the JSON under a key is said without its content. */
function checkJson(data: Readonly<Record<string, string>>, key: string): FieldError[] {
  if (!Object.hasOwn(data, key)) return [];
  try {
    JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(data[key]!), (byte) => byte.charCodeAt(0))));
    return [];
  } catch {
    return [invalidField(`data[${key}]`, '<secret contents redacted>', 'must be valid JSON')];
  }
}
