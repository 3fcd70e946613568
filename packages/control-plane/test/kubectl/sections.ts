// All rows, in the order of the document.
import { operating } from './operating-rows.ts';
import { reading } from './reading-rows.ts';
import type { Section } from './row.ts';
import { writing } from './writing-rows.ts';

export const sections: readonly Section[] = [...reading, ...writing, ...operating];
