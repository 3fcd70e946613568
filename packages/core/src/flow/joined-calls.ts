// Many ask the same thing at the same time. Each gets an answer that was begun after it asked, so that it knows of
// everything that came before; and there is never more than one call for a key under way.

interface Underway<T> {
  readonly current: Promise<T>;
  /** For those who came after `current` had begun. */
  next: Promise<T> | undefined;
}

export class JoinedCalls<T> {
  readonly #underway = new Map<string, Underway<T>>();

  /** `work` is not called when somebody else's answers as well; it should not end with one of those who wait. */
  call(key: string, work: () => Promise<T>): Promise<T> {
    const underway = this.#underway.get(key);
    if (!underway) return this.#begin(key, work);
    const begin = (): Promise<T> => this.#begin(key, work);
    return (underway.next ??= underway.current.then(begin, begin));
  }

  #begin(key: string, work: () => Promise<T>): Promise<T> {
    const underway: Underway<T> = { current: work(), next: undefined };
    this.#underway.set(key, underway);
    const end = (): void => {
      if (!underway.next) this.#underway.delete(key);
    };
    underway.current.then(end, end);
    return underway.current;
  }
}
