// A mistake on the command line: exit code 2, and a sentence that says what to write instead.
export class CommandLineError extends Error {}
