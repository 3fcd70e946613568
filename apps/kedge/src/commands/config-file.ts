// A daemon's configuration file, read as YAML.
import { readFile } from 'node:fs/promises';
import type { ConfigSources } from '@kedge/core/config';
import { parse } from 'yaml';
import { CommandLineError } from './command-line-error.ts';

export async function readConfigFile(path: string | boolean | undefined, command: string): Promise<ConfigSources> {
  if (typeof path !== 'string') throw new CommandLineError(`${command} needs --config FILE; --minconfig prints one`);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new CommandLineError(`${path} cannot be read; --minconfig prints a configuration to start from`, {
      cause: error,
    });
  }
  try {
    const content: unknown = parse(text, { version: '1.1' });
    return { file: { path, content: content ?? {} }, environment: process.env };
  } catch (error) {
    throw new CommandLineError(`${path} is not YAML`, { cause: error });
  }
}
