// The help texts.

const texts: Readonly<Record<string, string>> = {
  up: `kedge up [--data DIR] [--detach] [--node NAME] [--port-base N] [--no-devices]
         [--encryption-provider-config FILE]
  Runs a whole edge site: the embedded Kubernetes API, cloudcore, edgecore on containerd, a sample workload, and
  simulated devices with their mappers.
  --data DIR      where all state, logs and the kubeconfig are kept (default ./.kedge)
  --detach        return once the node is Ready and the sample pod is Running, and leave the site running
  --node NAME     name of the edge node (default: the host's name)
  --port-base N   first of the ports the site listens on (default 10000); gives every site on a machine its own
  --no-devices    no simulated devices and no mappers this time
  --encryption-provider-config FILE
                  a Kubernetes EncryptionConfiguration: what the API encrypts on disk, and with which keys
`,
  down: `kedge down [--data DIR]
  Stops everything a site has started, containers included; its state stays for the next "kedge up".
`,
  status: `kedge status [--data DIR] [-o json]
  What runs, whether the node is Ready, and the pods.
`,
  cloudcore: `kedge cloudcore --config FILE | --defaultconfig | --minconfig | --version
  Runs cloudcore against the Kubernetes API that the configuration file names.
`,
  edgecore: `kedge edgecore --config FILE [--runtime lean|node] [--checkconfig] | --defaultconfig | --minconfig | --version
  Runs edgecore on this machine. SIGHUP makes it read its configuration again, if that is right; pods run on.
  --runtime NAME  lean is Bun, node is Node.js, which takes about 18 MB more memory; without it $KEDGE_EDGE_RUNTIME
                  counts, and else lean where Bun runs (see "kedge doctor")
  --checkconfig   only says what is wrong with the file
`,
  apiserver: `kedge apiserver --config FILE [--audit-log-path FILE] [--audit-policy-file FILE]
                [--audit-log-maxsize MB] [--audit-log-maxbackup N] [--audit-log-maxage DAYS]
                [--encryption-provider-config FILE] [--controllers LIST | --disable-controllers]
                [--disable-scheduler] [--kubelet-certificate-authority FILE]
  Runs the embedded Kubernetes API with its controllers and scheduler. The audit flags are kube-apiserver's; without a
  policy the log holds who did what, with what was sent to change things, and never the contents of secrets.
  --kubelet-certificate-authority FILE
                         the CAs that certificates of kubelets may be of; without it the cluster's own and cloudcore's
  --controllers LIST     which controllers run, as kube-controller-manager takes it: "*" for all (the default), "foo" for
                         one, "*,-foo" for all but one
  --disable-controllers  none of them: a kube-controller-manager of yours does their work
  --disable-scheduler    a kube-scheduler of yours binds pods
`,
  backup: `kedge backup [--data DIR] --out FILE
  Copies everything the embedded Kubernetes API of a site knows, its keys included, into one file, while the site runs
  or not, and checks the file. Whoever has it has the cluster.
`,
  restore: `kedge restore [--data DIR] --from FILE
  Makes a stopped site, or a new one, what a backup says. What was there before is put aside.
`,
  mapper: `kedge mapper new NAME
kedge mapper run FILE [--config-file FILE]
kedge mapper modbus|opcua|mqtt|virtual [--config-file FILE]
  new: makes a folder NAME with a mapper for a protocol of your own, its test, and a device to apply.
  run: runs the driver that a TypeScript or JavaScript file exports as its default, beside edgecore.
  modbus: for devices that speak Modbus over TCP or a serial line. opcua: for OPC UA servers.
  mqtt: for devices behind an MQTT broker. virtual: for devices that are made up.
`,
  device: `kedge device discover [PROTOCOL [KEY=VALUE ...]] [--node NAME] [-n NAMESPACE] [-o yaml|json]
                      [--image NAME] [--kubeconfig FILE] [--data DIR]
kedge device simulate [--thermostat PORT] [--tank PORT] [--address HOST] [--data DIR]
kedge device call DEVICE [METHOD PROPERTY VALUE] [-n NAMESPACE] [--port LIST] [--timeout 30s] [--here] [-o text|json]
                  [--address HOST] [--ca FILE [--client-cert FILE --client-key FILE] [--server-name NAME]]
                  [--image NAME] [--kubeconfig FILE] [--data DIR]
kedge device read DEVICE PROPERTY [as for call]
kedge device history NAME [-n NAMESPACE] [--property P] [--last 1h] [--limit N] [--data DIR] [--socket PATH] [-o json]
  discover: looks for devices and prints a DeviceModel and a Device for each, to review and apply.
  --node NAME  from that node, by a pod that is taken away afterwards; without it, from here
  modbus       hosts=127.0.0.1 ports=502 units=1 registers=0-31 rate=50 timeout=300, each a list or a range
               (192.168.1.0/28, 502,1502-1510); or serial=/dev/ttyUSB0 baudRate=9600 parity=none
  opcua        url=opc.tcp://HOST:4840 root=NODEID limit=500, and what else a device is configured with
  mqtt         brokerURL=tcp://HOST:1883 for=10 topics=LIST
  Without a protocol: each of them on the machine itself, at the usual port.
  simulate: runs simulated devices: a thermostat that speaks Modbus TCP, a tank that is an OPC UA server (with keys in --data).
  call: calls a method of a device, by a pod on its node that asks the mapper and is taken away afterwards; with the name
        alone it lists the methods. A value that begins with a hyphen comes after "--".
  read: reads a property from the device now, in the same way.
  --here       ask the mapper of this machine, without Kubernetes
  --port LIST  of the REST API of the mapper (common.http_port; default 7777, and those of the sample mappers on a site)
  --timeout    for the answer of the device, from 1s to 10m
  --ca FILE    the mapper speaks HTTPS, with a certificate of this CA (or this one) for 127.0.0.1 or NAME; with --client-cert and
               --client-key to a mapper that asks who is there. PEM files of the node; with --here, of this machine
  history: on the edge, what the device has reported lately, cloud or no cloud.
`,
  image: `kedge image build [-o FILE] [--image NAME]
kedge image load [--data DIR] [--image NAME]
kedge image manifest PROTOCOL [--data DIR | --dmi-socket PATH] [--rest-port N] [-n NAMESPACE] [--image NAME]
  The mappers as a container image, made of the files of this installation, without docker and without a registry.
  build: writes an OCI archive (kedge-mapper.tar). load: loads it into a site on this machine.
  manifest: prints a DaemonSet that runs the mapper on every node with the label mapper.kedge.io/PROTOCOL=true.
`,
  doctor: `kedge doctor
  Says what this host lacks for running an edge node, and how to get it.
`,
  version: `kedge version
`,
};

/** The help of one command, or of all. */
export const usage = (command?: string): string =>
  command && texts[command] ? `usage: ${texts[command]}` : `usage:\n\n${Object.values(texts).join('\n')}`;
