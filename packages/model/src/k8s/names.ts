// Checks of names, labels and keys. Each returns the sentences Kubernetes would say; an empty list means valid.

/** With the two spaces that Kubernetes has: `must be ... (e.g. 'a',  or 'b', regex used for validation is '...')` */
function regexError(message: string, pattern: string, ...examples: string[]): string {
  const eg = examples.map((example) => `'${example}', `).join(' or ');
  return `${message} (e.g. ${eg}regex used for validation is '${pattern}')`;
}

const tooLong = (max: number): string => `must be no more than ${max} characters`;

interface Grammar {
  readonly pattern: string;
  readonly message: string;
  readonly examples: readonly string[];
  readonly max?: number;
}

function createCheck({ pattern, message, examples, max }: Grammar): (value: string) => string[] {
  const regex = new RegExp(`^(?:${pattern})$`);
  return (value) => [
    ...(max !== undefined && value.length > max ? [tooLong(max)] : []),
    ...(regex.test(value) ? [] : [regexError(message, pattern, ...examples)]),
  ];
}

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const qualifiedMessage =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/** One label of a DNS name, up to 63 characters: namespaces, container names. */
export const checkDns1123Label = createCheck({
  pattern: label,
  max: 63,
  message:
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  examples: ['my-name', '123-abc'],
});

/** A DNS name, up to 253 characters: what most objects are called. */
export const checkDns1123Subdomain = createCheck({
  pattern: subdomain,
  max: 253,
  message:
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  examples: ['example.com'],
});

/** Like a DNS label, but starting with a letter: Services. */
export const checkDns1035Label = createCheck({
  pattern: '[a-z]([-a-z0-9]*[a-z0-9])?',
  max: 63,
  message:
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  examples: ['my-name', 'abc-123'],
});

export const checkWildcardDns1123Subdomain = createCheck({
  pattern: `\\*\\.${subdomain}`,
  max: 253,
  message:
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  examples: ['*.example.com'],
});

export const checkLabelValue = createCheck({
  pattern: `(${qualified})?`,
  max: 63,
  message: `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`,
  examples: ['MyValue', 'my_value', '12345'],
});

export const checkPercent = createCheck({
  pattern: '[0-9]+%',
  message: "a valid percent string must be a numeric string followed by an ending '%'",
  examples: ['1%', '93%'],
});

export const checkHttpHeaderName = createCheck({
  pattern: '[-A-Za-z0-9]+',
  message: "a valid HTTP header must consist of alphanumeric characters or '-'",
  examples: ['X-Header-Name'],
});

const configMapKeyGrammar = createCheck({
  pattern: '[-._a-zA-Z0-9]+',
  max: 253,
  message: "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  examples: ['key.name', 'KEY_NAME', 'key-name'],
});

/** Keys of ConfigMaps and Secrets, which become file names. */
export const checkConfigMapKey = (key: string): string[] => [...configMapKeyGrammar(key), ...checkNoDotDot(key)];

/** Names of environment variables; Kubernetes 1.32 takes every printable character except `=`. */
export function checkEnvVarName(name: string): string[] {
  if (name === '') return ['environment variable name must be non-empty'];
  return /^[ -<>-~]+$/.test(name)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

function checkNoDotDot(value: string): string[] {
  if (value === '.') return ["must not be '.'"];
  if (value === '..') return ["must not be '..'"];
  return value.startsWith('..') ? ["must not start with '..'"] : [];
}

const namePart = createCheck({
  pattern: qualified,
  max: 63,
  message: qualifiedMessage,
  examples: ['MyName', 'my.name', '123-abc'],
});

/** `name` or `prefix/name`: keys of labels and annotations, finalizers, condition types. */
export function checkQualifiedName(value: string): string[] {
  const parts = value.split('/');
  if (parts.length > 2) {
    const sentence = regexError(qualifiedMessage, qualified, 'MyName', 'my.name', '123-abc');
    return [`a qualified name ${sentence} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const name = parts.at(-1)!;
  return [...(parts.length === 2 ? checkPrefix(parts[0]!) : []), ...named('name part', name, namePart)];
}

const checkPrefix = (prefix: string): string[] => named('prefix part', prefix, checkDns1123Subdomain);

const named = (part: string, value: string, check: (value: string) => string[]): string[] =>
  (value === '' ? ['must be non-empty', ...check(value)] : check(value)).map((sentence) => `${part} ${sentence}`);

/** A TCP or UDP port number. */
export const checkPortNumber = (port: number): string[] =>
  port >= 1 && port <= 65_535 ? [] : ['must be between 1 and 65535, inclusive'];

/** A named port of a container: short, and with at least one letter so that it is not a number. */
export function checkPortName(name: string): string[] {
  return [
    ...(name.length > 15 ? [tooLong(15)] : []),
    ...(/^[-a-z0-9]+$/.test(name) ? [] : ['must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)']),
    ...(/[a-z]/.test(name) ? [] : ['must contain at least one letter (a-z)']),
    ...(name.includes('--') ? ['must not contain consecutive hyphens'] : []),
    ...(/^-|-$/.test(name) ? ['must not begin or end with a hyphen'] : []),
  ];
}

/** The check of a `generateName`: the trailing dash that a prefix may have is ignored. */
export const asPrefix =
  (check: (value: string) => string[]) =>
  (prefix: string): string[] =>
    check(prefix.length > 1 && prefix.endsWith('-') ? `${prefix.slice(0, -1)}a` : prefix);
