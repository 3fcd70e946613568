// $(NAME) in commands, arguments and values of variables. `$$(NAME)` stands for the text `$(NAME)`; a name that is not
// known stays as it is written.

export const expand = (text: string, variables: Pick<ReadonlyMap<string, string>, 'get'>): string =>
  text.replace(/\$(?:\$|\(([^()]*)\))/g, (written, name: string | undefined) =>
    name === undefined ? '$' : (variables.get(name) ?? written),
  );
