// `format.dns1123Label().validate("x")`: the name checks of Kubernetes, as values; none when all is well.
import { type Environment, Optional } from '@marcbachmann/cel-js';
import {
  asPrefix,
  checkDns1035Label,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
} from '../../k8s/index.ts';
import { isBase64, isDate, isDateTime, isUuid } from '../../k8s-schema/index.ts';

const sync = { async: false };

type Check = (text: string) => string[];
const must =
  (test: (text: string) => boolean, say: string): Check =>
  (text) =>
    test(text) ? [] : [say];

const checks: Readonly<Record<string, Check>> = {
  dns1123Label: checkDns1123Label,
  dns1123Subdomain: checkDns1123Subdomain,
  dns1035Label: checkDns1035Label,
  qualifiedName: checkQualifiedName,
  dns1123LabelPrefix: asPrefix(checkDns1123Label),
  dns1123SubdomainPrefix: asPrefix(checkDns1123Subdomain),
  dns1035LabelPrefix: asPrefix(checkDns1035Label),
  labelValue: checkLabelValue,
  uri: must((text) => /^(?:[a-z][a-z0-9+.-]*:\S+|\/\S*)$/i.test(text), 'must be a valid URI'),
  uuid: must(isUuid, 'does not match the UUID format'),
  byte: must(isBase64, 'invalid base64'),
  date: must(isDate, 'invalid date'),
  datetime: must(isDateTime, 'invalid datetime'),
};

class FormatNamespace {
  readonly functions = 'format';
}
class CelFormat {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  equals(other: unknown): boolean {
    return other instanceof CelFormat && other.name === this.name;
  }
}

export function registerNamedFormats(env: Environment): void {
  const type = 'kubernetes.NamedFormat';
  env.registerType(type, CelFormat);
  env.registerType('FormatNamespace', FormatNamespace);
  env.registerConstant('format', 'FormatNamespace', new FormatNamespace());
  for (const name of Object.keys(checks))
    env.registerFunction(`FormatNamespace.${name}(): ${type}`, () => new CelFormat(name), sync);
  env.registerFunction(
    `FormatNamespace.named(string): optional<${type}>`,
    (_: unknown, name: string) => (Object.hasOwn(checks, name) ? Optional.of(new CelFormat(name)) : Optional.none()),
    sync,
  );
  env.registerFunction(
    `${type}.validate(string): optional<list<string>>`,
    ({ name }: CelFormat, text: string) => {
      const problems = checks[name]!(text);
      return problems.length > 0 ? Optional.of(problems) : Optional.none();
    },
    sync,
  );
}
