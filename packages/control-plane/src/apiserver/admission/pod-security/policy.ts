// The pod security policy of a namespace, from its labels: levels and versions for what is enforced, audited, warned of.
import { type FieldError, invalidField } from '@kedge/model/k8s';
import { type CheckedPod, podChecks, type Violation } from './pod-checks.ts';

export const levels = ['privileged', 'baseline', 'restricted'] as const;
export type Level = (typeof levels)[number];

export interface LevelVersion {
  readonly level: Level;
  /** `latest` or `v1.N`. */
  readonly version: string;
}

export interface Policy {
  readonly enforce: LevelVersion;
  readonly audit: LevelVersion;
  readonly warn: LevelVersion;
}

export const labelPrefix = 'pod-security.kubernetes.io/';
export const say = ({ level, version }: LevelVersion): string => `${level}:${version}`;

const isLevel = (text: string): text is Level => (levels as readonly string[]).includes(text);
const isVersion = (text: string): boolean => text === 'latest' || /^v1\.(?:0|[1-9]\d*)$/.test(text);
const open: LevelVersion = { level: 'privileged', version: 'latest' };

/** Always a policy: labels that say nothing sensible enforce the most, and audit and warn of nothing. */
export function policyOf(labels: Readonly<Record<string, string>> | undefined): {
  readonly policy: Policy;
  readonly errors: readonly FieldError[];
} {
  const errors: FieldError[] = [];
  const read = (mode: 'audit' | 'enforce' | 'warn', fallback: Level): { mode: LevelVersion; given?: Level } => {
    const level = labels?.[labelPrefix + mode];
    const version = labels?.[`${labelPrefix}${mode}-version`];
    if (level !== undefined && !isLevel(level))
      errors.push(wrong(labelPrefix + mode, level, 'must be one of privileged, baseline, restricted'));
    if (version !== undefined && !isVersion(version))
      errors.push(wrong(`${labelPrefix}${mode}-version`, version, 'must be "latest" or "v1.x"'));
    const known = level !== undefined && isLevel(level) ? level : undefined;
    return {
      mode: {
        level: level === undefined ? open.level : (known ?? fallback),
        version: version !== undefined && isVersion(version) ? version : 'latest',
      },
      ...(known ? { given: known } : {}),
    };
  };
  const enforce = read('enforce', 'restricted');
  const audit = read('audit', 'privileged');
  const warn = read('warn', 'privileged');
  const warnsByItself = labels?.[`${labelPrefix}warn`] !== undefined;
  const warned = !warnsByItself && enforce.given ? { ...enforce.mode, ...versionIf(labels, warn.mode) } : warn.mode;
  return { policy: { enforce: enforce.mode, audit: audit.mode, warn: warned }, errors };
}

/** Whoever is refused something is warned of it in workloads, too; a version for warnings alone is kept. */
const versionIf = (labels: Readonly<Record<string, string>> | undefined, { version }: LevelVersion) =>
  labels?.[`${labelPrefix}warn-version`] === undefined ? {} : { version };

const wrong = (label: string, value: string, why: string): FieldError =>
  invalidField(`metadata.labels[${label}]`, value, why);

export function violations({ level, version }: LevelVersion, pod: CheckedPod): readonly Violation[] {
  if (level === 'privileged') return [];
  const minor = version === 'latest' ? Infinity : Number(version.slice('v1.'.length));
  const holding = podChecks.filter(
    (check) => check.since <= minor && (level === 'restricted' || check.level === level),
  );
  const overridden = new Set(holding.map(({ overrides }) => overrides));
  return holding.filter(({ id }) => !overridden.has(id)).flatMap((check) => check.violation(pod, minor) ?? []);
}

export const sayViolations = (found: readonly Violation[]): string =>
  found.map(({ reason, detail }) => (detail ? `${reason} (${detail})` : reason)).join(', ');

export const isStricter = (a: Level, b: Level): boolean => levels.indexOf(a) > levels.indexOf(b);
