// `kedge doctor`: what this host lacks for running an edge node, and how to get it.
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { delimiter, join } from 'node:path';
import { askedRuntime, chooseRuntime } from '../edge-runtime.ts';

interface Finding {
  readonly what: string;
  readonly ok: boolean;
  /** What was found, or what to do. */
  readonly say: string;
  /** Without it nothing works; otherwise it is a warning. */
  readonly needed: boolean;
}

const programs: readonly { name: string; debian: string; why: string }[] = [
  { name: 'containerd', debian: 'containerd', why: 'runs containers' },
  { name: 'ctr', debian: 'containerd', why: 'loads the pause and sample images' },
  { name: 'runc', debian: 'runc', why: 'starts containers' },
  { name: 'iptables', debian: 'iptables', why: 'gives pods a way out of their network' },
  { name: 'ip', debian: 'iproute2', why: 'cleans up network interfaces' },
  { name: 'busybox', debian: 'busybox-static', why: 'is the content of the pause and sample images' },
];

const searchPath = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin'];

function findProgram(name: string): string | undefined {
  return searchPath
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function checkPrograms(): Finding[] {
  return programs.map(({ name, debian, why }) => {
    const path = findProgram(name);
    return {
      what: name,
      ok: path !== undefined,
      needed: true,
      say: path ?? `${why}; get it with: apt-get install ${debian}`,
    };
  });
}

function checkHost(): Finding[] {
  const root = process.getuid?.() === 0;
  const cni = ['/usr/lib/cni', '/opt/cni/bin'].find((folder) => existsSync(join(folder, 'bridge')));
  const v2 = existsSync('/sys/fs/cgroup/cgroup.controllers');
  const v1 = existsSync('/sys/fs/cgroup/memory') && existsSync('/sys/fs/cgroup/pids');
  const { bavail, bsize } = statfsSync('.');
  const freeDisk = bavail * bsize;
  const forwarding = readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1';
  const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  return [
    { what: 'root', ok: root, needed: true, say: root ? 'yes' : 'containers need root; run with sudo' },
    {
      what: 'CNI plugins',
      ok: cni !== undefined,
      needed: true,
      say: cni ?? 'pods get no network; get them with: apt-get install containernetworking-plugins',
    },
    {
      what: 'cgroups',
      ok: v2 || v1,
      needed: true,
      say: v2 ? 'v2' : v1 ? 'v1' : 'no memory and pids controllers under /sys/fs/cgroup; mount cgroup2 there',
    },
    {
      what: 'memory',
      ok: freemem() > 256 * 2 ** 20,
      needed: false,
      say: `${mib(freemem())} free${freemem() > 256 * 2 ** 20 ? '' : '; a whole site wants 256 MiB'}`,
    },
    {
      what: 'disk',
      ok: freeDisk > 2 ** 30,
      needed: false,
      say: `${mib(freeDisk)} free here${freeDisk > 2 ** 30 ? '' : '; images and logs want 1024 MiB: free some, or use --data'}`,
    },
    {
      what: 'IP forwarding',
      ok: forwarding,
      needed: false,
      say: forwarding ? 'on' : 'off; the CNI bridge plugin turns it on with the first pod',
    },
  ];
}

/** Everything without which `kedge up` does not work, as found on this host, and what it is the better for. */
export const examineHost = (): readonly Finding[] => [...checkHost(), ...checkPrograms()];

async function checkRuntime(): Promise<Finding> {
  const asked = askedRuntime(undefined, process.env);
  const { runtime, fault } = await chooseRuntime(asked);
  const why = asked ? `${runtime}, as $KEDGE_EDGE_RUNTIME says` : runtime;
  const say = fault === undefined ? why : `${runtime}, which takes more memory than lean: ${fault}`;
  return { what: 'edge runtime', ok: fault === undefined, needed: false, say };
}

export async function doctor(): Promise<number> {
  const findings = [...examineHost(), await checkRuntime()];
  for (const { what, ok, say, needed } of findings) {
    process.stdout.write(`${ok ? 'ok     ' : needed ? 'MISSING' : 'warning'}  ${what.padEnd(14)} ${say}\n`);
  }
  const missing = findings.filter(({ ok, needed }) => !ok && needed);
  process.stdout.write(missing.length === 0 ? '\nthis host can run an edge node\n' : `\n${missing.length} missing\n`);
  return missing.length === 0 ? 0 : 1;
}
