// The two unions of messages between cloud and edge, and who must acknowledge what.
export { maxConditionsPerDevice, maxSamplesPerReport } from './devices.ts';
export type { DeviceCondition, DeviceName, Member, Sample, Twin, Twins, TwinSide, TwinVersion } from './devices.ts';
export { delivery, dispatch, messageId } from './messages.ts';
export type {
  AckRoute,
  Addressed,
  DeviceReport,
  Downstream,
  Handlers,
  LinkedType,
  MessageId,
  ObjectRef,
  Outcome,
  Question,
  QuestionBody,
  RawMessage,
  Upstream,
} from './messages.ts';
