// Sets of keys by something they have in common; an empty one takes no room.
export class Groups {
  readonly #groups = new Map<string, Set<string>>();

  of(group: string): ReadonlySet<string> {
    return this.#groups.get(group) ?? none;
  }

  add(group: string, key: string): void {
    const keys = this.#groups.get(group);
    if (keys) keys.add(key);
    else this.#groups.set(group, new Set([key]));
  }

  remove(group: string, key: string): void {
    const keys = this.#groups.get(group);
    if (keys?.delete(key) && keys.size === 0) this.#groups.delete(group);
  }
}

const none: ReadonlySet<string> = new Set();
