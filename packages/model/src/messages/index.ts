// The two unions of messages between cloud and edge, and who must acknowledge what.
export { delivery, dispatch, messageId } from './messages.ts';
export type {
  AckRoute,
  Addressed,
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
