// The uids of objects that are known to be gone. A uid is never given twice, so this never has to be checked again.

const limit = 5_000;

export class AbsentUids {
  readonly #uids = new Set<string>();

  add(uid: string): void {
    this.#uids.add(uid);
    if (this.#uids.size > limit) this.#uids.delete(this.#uids.values().next().value!);
  }

  has(uid: string): boolean {
    return this.#uids.has(uid);
  }
}
