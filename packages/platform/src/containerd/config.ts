// The text of containerd's configuration and of the pod network's; pure.
import type { ContainerdSite } from './site.ts';

export interface ContainerdOptions {
  /** Image of the process that holds a pod's namespaces. */
  readonly sandboxImage: string;
  /** `native` copies files; it works where the directory lies on an overlay itself, as inside a container. */
  readonly snapshotter: 'overlayfs' | 'native';
  readonly cniPlugins: string;
}

const quote = (text: string): string => JSON.stringify(text);

export function formatContainerdConfig(site: ContainerdSite, options: ContainerdOptions): string {
  return `# Written by kedge at every start; changes are lost.
version = 2
root = ${quote(site.root)}
state = ${quote(site.state)}
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt", "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp",
]

[grpc]
  address = ${quote(site.socket)}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${quote(options.sandboxImage)}
  # Lowering an OOM score needs CAP_SYS_RESOURCE, which a container or a small host may lack.
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = ${quote(options.cniPlugins)}
    conf_dir = ${quote(site.cniDirectory)}
    max_conf_num = 1

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = ${quote(options.snapshotter)}
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        Root = ${quote(`${site.state}/runc`)}

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ${quote(site.registryDirectory)}
`;
}

export type PodNetwork = Pick<ContainerdSite, 'id' | 'state' | 'cniDirectory' | 'bridge' | 'network'>;

/**
 * A bridge with addresses from a local range; its name and its records are the site's own. `subnet`: a /24, such as
 * `10.88.3.0/24`; pods get addresses from it.
 */
export function formatPodNetwork(site: PodNetwork, subnet: string): string {
  return `${JSON.stringify(
    {
      cniVersion: '0.4.0',
      name: site.network,
      plugins: [
        {
          type: 'bridge',
          bridge: site.bridge,
          isGateway: true,
          ipMasq: true,
          hairpinMode: true,
          ipam: {
            type: 'host-local',
            dataDir: `${site.state}/addresses`,
            ranges: [[{ subnet }]],
            routes: [{ dst: '0.0.0.0/0' }],
          },
        },
        { type: 'portmap', capabilities: { portMappings: true }, snat: true },
        { type: 'loopback' },
      ],
    },
    undefined,
    2,
  )}\n`;
}

/**
 * The /24 out of 10.64.0.0/11 that the site's id points at, or the next one that no address of the host lies in. What
 * lies above is where Kubernetes puts addresses of Services by default.
 */
export function pickPodSubnet(id: string, hostAddresses: readonly string[]): string {
  const blocks = 32 * 256;
  const start = Number.parseInt(id, 16) % blocks;
  for (let step = 0; step < blocks; step++) {
    const block = (start + step) % blocks;
    const prefix = `10.${64 + (block >> 8)}.${block & 255}.`;
    if (!hostAddresses.some((address) => address.startsWith(prefix))) return `${prefix}0/24`;
  }
  return `10.64.0.0/24`;
}
