// Interfaces to the world. The platform package implements them; tests hand in fakes that pass the same contracts.
export type { Ciphers } from './ciphers.ts';
export type { Database, Migration, OpenDatabase, SqlValue, Statement } from './database.ts';
export type { FileInfo, Files, Processes, ProcessResult, Random } from './files.ts';
export type {
  Dialer,
  DialOptions,
  Frame,
  Headers,
  ExpectedServer,
  HttpClient,
  HttpHandler,
  HttpRequest,
  HttpResponse,
  HttpServers,
  Listening,
  ListenOptions,
  PeerCertificate,
  ResponseStream,
  ServerRequest,
  ServerResponse,
  Socket,
  TlsFiles,
  UpgradeDecision,
} from './http.ts';
export type {
  Authority,
  CertificateAuthorities,
  CertificateInfo,
  IssueOptions,
  Keys,
  ReadRequest,
  Subject,
} from './keys.ts';
export type {
  Mqtt,
  MqttBroker,
  MqttBrokerLimits,
  MqttBrokerMemory,
  MqttBrokerOptions,
  MqttBrokers,
  MqttConnection,
  MqttConnectOptions,
  MqttMessage,
  MqttPublish,
  MqttQos,
  MqttRetained,
  MqttSession,
  MqttUnreleased,
  MqttWaiting,
  MqttWill,
} from './mqtt.ts';
export { databaseErrors, filesErrors, hostErrors, httpErrors, keysErrors, mqttErrors } from './port-errors.ts';
export type {
  CgroupLimits,
  Cgroups,
  Host,
  HostCpuTime,
  HostFacts,
  HostLoad,
  HostShutdown,
  HostShutdowns,
  MemoryVictims,
  Mounts,
  ProbeNetwork,
} from './host.ts';
