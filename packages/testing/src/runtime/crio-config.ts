// Where a private CRI-O keeps its things, and the text of its configuration; pure but for making the directory.
import { join } from 'node:path';
import { type ContainerdSite, containerdSite, pauseImage } from '@kedge/platform/containerd';

export type CrioSite = ContainerdSite;

/** Named on the host as a containerd in the same directory would be. */
export function crioSite(directory: string): CrioSite {
  const site = containerdSite(directory);
  return {
    ...site,
    socket: site.socket.replace(/containerd\.sock$/, 'crio.sock'),
    configFile: join(site.directory, 'crio.conf'),
    logFile: join(site.directory, 'crio.log'),
    pidFile: join(site.directory, 'crio.pid'),
  };
}

export interface CrioOptions {
  /** `vfs` copies files; it works where the directory lies on an overlay itself. */
  readonly storageDriver: 'overlay' | 'vfs';
  /** Paths of programs. */
  readonly conmon: string;
  readonly ociRuntime: string;
  readonly pinns: string;
}

export const policyFile = (site: CrioSite): string => join(site.directory, 'policy.json');
export const registriesFile = (site: CrioSite): string => join(site.directory, 'registries.conf');
export const storageFile = (site: CrioSite): string => join(site.directory, 'storage.conf');
/** What the OCI runtime knows of containers. */
export const ociState = (site: CrioSite): string => join(site.state, 'oci');

const quote = (text: string): string => JSON.stringify(text);

/** CRI-O's defaults but for places, and for events and the handlers' name, which tests share with containerd. */
export function formatCrioConfig(site: CrioSite, options: CrioOptions): string {
  const state = (name: string): string => quote(join(site.state, name));
  return `[crio]
root = ${quote(site.root)}
runroot = ${state('storage')}
storage_driver = ${quote(options.storageDriver)}
log_dir = ${state('logs')}
version_file = ${state('version')}
version_file_persist = ${quote(join(site.directory, 'version'))}
clean_shutdown_file = ${quote(join(site.directory, 'clean.shutdown'))}
[crio.api]
listen = ${quote(site.socket)}
[crio.runtime]
default_runtime = "runc"
cgroup_manager = "cgroupfs"
conmon_cgroup = "pod"
hooks_dir = []
namespaces_dir = ${state('namespaces')}
pinns_path = ${quote(options.pinns)}
container_exits_dir = ${state('exits')}
container_attach_socket_dir = ${state('attach')}
enable_pod_events = true
enable_criu_support = false
[crio.runtime.runtimes.runc]
runtime_path = ${quote(options.ociRuntime)}
runtime_root = ${quote(ociState(site))}
monitor_path = ${quote(options.conmon)}
monitor_cgroup = "pod"
[crio.image]
pause_image = ${quote(pauseImage)}
pause_command = ""
signature_policy = ${quote(policyFile(site))}
signature_policy_dir = ${quote(join(site.directory, 'policies'))}
[crio.network]
network_dir = ${quote(site.cniDirectory)}
plugin_dirs = ["/usr/lib/cni"]
[crio.metrics]
enable_metrics = false
[crio.nri]
enable_nri = false
`;
}
