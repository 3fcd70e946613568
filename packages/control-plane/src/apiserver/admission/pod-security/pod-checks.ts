// The pod security standards (baseline and restricted), one check each: what a pod must not do, or must say, and in which
// versions of the standards that holds.
import type { Container, PodSecurityContext, PodSpec, SecurityContext, Volume } from '@kedge/model/k8s-types';

export interface CheckedPod {
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
}

export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

export interface PodCheck {
  readonly id: string;
  readonly level: 'baseline' | 'restricted';
  /** The minor version of Kubernetes since which it holds. */
  readonly since: number;
  /** The baseline check that this one makes needless. */
  readonly overrides?: string;
  /** `minor` is the version asked for. */
  violation(pod: CheckedPod, minor: number): Violation | undefined;
}

type Named = Pick<Container, 'name' | 'securityContext' | 'ports'>;

const containersOf = ({ spec }: CheckedPod): readonly Named[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
  ...(spec.ephemeralContainers ?? []),
];

const quoted = (names: Iterable<string>): string => [...names].map((name) => `"${name}"`).join(', ');
const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();
const count = (one: string, many: string, of: readonly unknown[]): string => (of.length === 1 ? one : many);
const named = (containers: readonly { readonly name: string }[]): string =>
  `${count('container', 'containers', containers)} ${quoted(containers.map(({ name }) => name))}`;

/** Who sets something: the pod, containers, or both. */
const setters = (pod: boolean, containers: readonly Named[]): string =>
  [...(pod ? ['pod'] : []), ...(containers.length > 0 ? [named(containers)] : [])].join(' and ');

const podContext = ({ spec }: CheckedPod): PodSecurityContext => spec.securityContext ?? {};
const contextOf = ({ securityContext }: Named): SecurityContext => securityContext ?? {};

/** A rule about containers only. */
const containerCheck =
  (reason: string, isBad: (container: Named) => boolean, say: (bad: readonly Named[]) => string) =>
  (pod: CheckedPod): Violation | undefined => {
    const bad = containersOf(pod).filter(isBad);
    return bad.length > 0 ? { reason, detail: `${named(bad)} ${say(bad)}` } : undefined;
  };

const defaultCapabilities = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
);
const addedBeyond = (container: Named, allowed: ReadonlySet<string>): string[] =>
  (contextOf(container).capabilities?.add ?? []).filter((one) => !allowed.has(one));

const isRunningWindows = ({ spec }: CheckedPod, minor: number): boolean => minor >= 25 && spec.os?.name === 'windows';

function appArmor(pod: CheckedPod): Violation | undefined {
  const isBad = (type: string | undefined): type is string =>
    type !== undefined && type !== 'RuntimeDefault' && type !== 'Localhost';
  const own = podContext(pod).appArmorProfile?.type;
  const bad = containersOf(pod).filter((one) => isBad(contextOf(one).appArmorProfile?.type));
  const annotations = Object.entries(pod.annotations)
    .filter(
      ([key, value]) => key.startsWith('container.apparmor.security.beta.kubernetes.io/') && !isKnownProfile(value),
    )
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort();
  const types = sorted([...(isBad(own) ? [own] : []), ...bad.map((one) => contextOf(one).appArmorProfile!.type)]);
  const values = [...types, ...annotations];
  if (values.length === 0) return undefined;
  const who = [
    ...(isBad(own) || bad.length > 0 ? [setters(isBad(own), bad)] : []),
    ...(annotations.length > 0 ? [count('annotation', 'annotations', annotations)] : []),
  ];
  return {
    reason: count('forbidden AppArmor profile', 'forbidden AppArmor profiles', values),
    detail: `${who.join(' and ')} must not set AppArmor profile type to ${quoted(values)}`,
  };
}

const isKnownProfile = (profile: string): boolean =>
  profile === '' || profile === 'runtime/default' || profile.startsWith('localhost/');

function hostNamespaces({ spec }: CheckedPod): Violation | undefined {
  const used = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((field) => spec[field]);
  return used.length > 0
    ? { reason: 'host namespaces', detail: used.map((field) => `${field}=true`).join(', ') }
    : undefined;
}

function hostPathVolumes({ spec }: CheckedPod): Violation | undefined {
  const bad = (spec.volumes ?? []).filter(({ hostPath }) => hostPath);
  if (bad.length === 0) return undefined;
  const detail = `${count('volume', 'volumes', bad)} ${quoted(bad.map(({ name }) => name))}`;
  return { reason: 'hostPath volumes', detail };
}

function hostPorts(pod: CheckedPod): Violation | undefined {
  const portsOf = ({ ports = [] }: Named): number[] => ports.flatMap(({ hostPort }) => hostPort || []);
  const bad = containersOf(pod).filter((one) => portsOf(one).length > 0);
  if (bad.length === 0) return undefined;
  const ports = sorted(bad.flatMap(portsOf).map(String));
  const detail = `${named(bad)} ${count('uses', 'use', bad)} ${count('hostPort', 'hostPorts', ports)} ${ports.join(', ')}`;
  return { reason: 'hostPort', detail };
}

function seLinux(pod: CheckedPod, minor: number): Violation | undefined {
  const allowed = [
    '',
    'container_t',
    'container_init_t',
    'container_kvm_t',
    ...(minor >= 31 ? ['container_engine_t'] : []),
  ];
  type Options = NonNullable<PodSecurityContext['seLinuxOptions']>;
  const isBad = (options: Options | undefined): options is Options =>
    options !== undefined && (!allowed.includes(options.type ?? '') || !!options.user || !!options.role);
  const own = podContext(pod).seLinuxOptions;
  const bad = containersOf(pod).filter((one) => isBad(contextOf(one).seLinuxOptions));
  const all = [...(isBad(own) ? [own] : []), ...bad.map((one) => contextOf(one).seLinuxOptions!)];
  if (all.length === 0) return undefined;
  const types = sorted(all.map(({ type = '' }) => type).filter((type) => !allowed.includes(type)));
  const data = [
    ...(types.length > 0 ? [`${count('type', 'types', types)} ${quoted(types)}`] : []),
    ...(all.some(({ user }) => user) ? ['user may not be set'] : []),
    ...(all.some(({ role }) => role) ? ['role may not be set'] : []),
  ];
  const detail = `${setters(isBad(own), bad)} set forbidden securityContext.seLinuxOptions: ${data.join('; ')}`;
  return { reason: 'seLinuxOptions', detail };
}

const isGoodSeccomp = (type: string | undefined): boolean => type === 'RuntimeDefault' || type === 'Localhost';

function badSeccomp(pod: CheckedPod): Violation | undefined {
  const own = podContext(pod).seccompProfile;
  const bad = containersOf(pod).filter((one) => {
    const profile = contextOf(one).seccompProfile;
    return profile !== undefined && !isGoodSeccomp(profile.type);
  });
  const ownIsBad = own !== undefined && !isGoodSeccomp(own.type);
  if (!ownIsBad && bad.length === 0) return undefined;
  const values = sorted([...(ownIsBad ? [own.type] : []), ...bad.map((one) => contextOf(one).seccompProfile!.type)]);
  const detail = `${setters(ownIsBad, bad)} must not set securityContext.seccompProfile.type to ${quoted(values)}`;
  return { reason: 'seccompProfile', detail };
}

function missingSeccomp(pod: CheckedPod, minor: number): Violation | undefined {
  if (isRunningWindows(pod, minor)) return undefined;
  const wrong = badSeccomp(pod);
  if (wrong || podContext(pod).seccompProfile) return wrong;
  const silent = containersOf(pod).filter((one) => !contextOf(one).seccompProfile);
  return silent.length > 0
    ? {
        reason: 'seccompProfile',
        detail: `pod or ${named(silent)} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`,
      }
    : undefined;
}

const safeSysctls: readonly [since: number, name: string][] = [
  [0, 'kernel.shm_rmid_forced'],
  [0, 'net.ipv4.ip_local_port_range'],
  [0, 'net.ipv4.tcp_syncookies'],
  [0, 'net.ipv4.ping_group_range'],
  [0, 'net.ipv4.ip_unprivileged_port_start'],
  [27, 'net.ipv4.ip_local_reserved_ports'],
  [29, 'net.ipv4.tcp_keepalive_time'],
  [29, 'net.ipv4.tcp_fin_timeout'],
  [29, 'net.ipv4.tcp_keepalive_intvl'],
  [29, 'net.ipv4.tcp_keepalive_probes'],
  [32, 'net.ipv4.tcp_rmem'],
  [32, 'net.ipv4.tcp_wmem'],
];

function sysctls(pod: CheckedPod, minor: number): Violation | undefined {
  const safe = new Set(safeSysctls.filter(([since]) => since <= minor).map(([, name]) => name));
  const bad = (podContext(pod).sysctls ?? []).map(({ name }) => name).filter((name) => !safe.has(name));
  return bad.length > 0 ? { reason: 'forbidden sysctls', detail: bad.join(', ') } : undefined;
}

function hostProcess(pod: CheckedPod): Violation | undefined {
  const own = podContext(pod).windowsOptions?.hostProcess === true;
  const bad = containersOf(pod).filter((one) => contextOf(one).windowsOptions?.hostProcess);
  if (!own && bad.length === 0) return undefined;
  return {
    reason: 'hostProcess',
    detail: `${setters(own, bad)} must not set securityContext.windowsOptions.hostProcess=true`,
  };
}

const allowedVolumes = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'persistentVolumeClaim',
  'projected',
  'secret',
] as const satisfies readonly (keyof Volume)[];

function restrictedVolumes({ spec }: CheckedPod): Violation | undefined {
  const bad = (spec.volumes ?? []).filter((volume) => !allowedVolumes.some((type) => volume[type] !== undefined));
  if (bad.length === 0) return undefined;
  const types = sorted(bad.map((volume) => Object.keys(volume).find((field) => field !== 'name') ?? 'unknown'));
  const what = `${count('restricted volume type', 'restricted volume types', types)} ${quoted(types)}`;
  const who = `${count('volume', 'volumes', bad)} ${quoted(bad.map(({ name }) => name))}`;
  return { reason: 'restricted volume types', detail: `${who} ${count('uses', 'use', bad)} ${what}` };
}

function runAsNonRoot(pod: CheckedPod): Violation | undefined {
  const reason = 'runAsNonRoot != true';
  const own = podContext(pod).runAsNonRoot;
  const bad = containersOf(pod).filter((one) => contextOf(one).runAsNonRoot === false);
  if (own === false || bad.length > 0) {
    return { reason, detail: `${setters(own === false, bad)} must not set securityContext.runAsNonRoot=false` };
  }
  const silent = own ? [] : containersOf(pod).filter((one) => contextOf(one).runAsNonRoot === undefined);
  return silent.length > 0
    ? { reason, detail: `pod or ${named(silent)} must set securityContext.runAsNonRoot=true` }
    : undefined;
}

function runAsUser(pod: CheckedPod): Violation | undefined {
  const own = podContext(pod).runAsUser === 0;
  const bad = containersOf(pod).filter((one) => contextOf(one).runAsUser === 0);
  return own || bad.length > 0
    ? { reason: 'runAsUser=0', detail: `${setters(own, bad)} must not set runAsUser=0` }
    : undefined;
}

function restrictedCapabilities(pod: CheckedPod, minor: number): Violation | undefined {
  if (isRunningWindows(pod, minor)) return undefined;
  const all = containersOf(pod);
  const keeping = all.filter((one) => !contextOf(one).capabilities?.drop?.includes('ALL'));
  const bindOnly = new Set(['NET_BIND_SERVICE']);
  const adding = all.filter((one) => addedBeyond(one, bindOnly).length > 0);
  const added = sorted(adding.flatMap((one) => addedBeyond(one, bindOnly)));
  const details = [
    ...(keeping.length > 0 ? [`${named(keeping)} must set securityContext.capabilities.drop=["ALL"]`] : []),
    ...(adding.length > 0
      ? [`${named(adding)} must not include ${quoted(added)} in securityContext.capabilities.add`]
      : []),
  ];
  return details.length > 0 ? { reason: 'unrestricted capabilities', detail: details.join('; ') } : undefined;
}

const allowPrivilegeEscalation = containerCheck(
  'allowPrivilegeEscalation != false',
  (one) => contextOf(one).allowPrivilegeEscalation !== false,
  () => 'must set securityContext.allowPrivilegeEscalation=false',
);

/** In the order in which violations are told. */
export const podChecks: readonly PodCheck[] = [
  { id: 'appArmorProfile', level: 'baseline', since: 0, violation: appArmor },
  {
    id: 'capabilities_baseline',
    level: 'baseline',
    since: 0,
    violation: containerCheck(
      'non-default capabilities',
      (one) => addedBeyond(one, defaultCapabilities).length > 0,
      (bad) =>
        `must not include ${quoted(sorted(bad.flatMap((one) => addedBeyond(one, defaultCapabilities))))} in securityContext.capabilities.add`,
    ),
  },
  { id: 'hostNamespaces', level: 'baseline', since: 0, violation: hostNamespaces },
  { id: 'hostPathVolumes', level: 'baseline', since: 0, violation: hostPathVolumes },
  { id: 'hostPorts', level: 'baseline', since: 0, violation: hostPorts },
  {
    id: 'privileged',
    level: 'baseline',
    since: 0,
    violation: containerCheck(
      'privileged',
      (one) => contextOf(one).privileged === true,
      () => 'must not set securityContext.privileged=true',
    ),
  },
  {
    id: 'procMount',
    level: 'baseline',
    since: 0,
    violation: containerCheck(
      'procMount',
      (one) => (contextOf(one).procMount ?? 'Default') !== 'Default',
      (bad) =>
        `must not set securityContext.procMount to ${quoted(sorted(bad.map((one) => contextOf(one).procMount ?? '')))}`,
    ),
  },
  { id: 'seLinuxOptions', level: 'baseline', since: 0, violation: seLinux },
  { id: 'seccompProfile_baseline', level: 'baseline', since: 19, violation: badSeccomp },
  { id: 'sysctls', level: 'baseline', since: 0, violation: sysctls },
  { id: 'windowsHostProcess', level: 'baseline', since: 0, violation: hostProcess },
  {
    id: 'allowPrivilegeEscalation',
    level: 'restricted',
    since: 8,
    violation: (pod, minor) => (isRunningWindows(pod, minor) ? undefined : allowPrivilegeEscalation(pod)),
  },
  {
    id: 'capabilities_restricted',
    level: 'restricted',
    since: 22,
    overrides: 'capabilities_baseline',
    violation: restrictedCapabilities,
  },
  {
    id: 'restrictedVolumes',
    level: 'restricted',
    since: 0,
    overrides: 'hostPathVolumes',
    violation: restrictedVolumes,
  },
  { id: 'runAsNonRoot', level: 'restricted', since: 0, violation: runAsNonRoot },
  { id: 'runAsUser', level: 'restricted', since: 23, violation: runAsUser },
  {
    id: 'seccompProfile_restricted',
    level: 'restricted',
    since: 19,
    overrides: 'seccompProfile_baseline',
    violation: missingSeccomp,
  },
];
