export { codecsOf, type Codec, type MessageTable } from './codec.ts';
