// Reads objects in Kubernetes' protobuf encoding, which kubectl and Go programs use for what they send.
export { decodeKubeProtobuf, kubeProtobufErrors, protobufMediaType } from './decode.ts';
