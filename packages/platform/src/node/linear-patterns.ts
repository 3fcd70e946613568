// Regular expressions that strangers write: V8 goes over to an engine that takes linear time once one backtracks too much.
import { setFlagsFromString } from 'node:v8';

/** For the whole process, from now on. Holds for expressions without look-around, back references, Unicode and ignore-case flags. */
export function matchPatternsInLinearTime(): void {
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
}
