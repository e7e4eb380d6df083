// The key that this browser sends, where the server asks for one.

const STORED_AS = "api-key";

class Key {
  current = $state(localStorage.getItem(STORED_AS) ?? "");

  keep(key: string): void {
    this.current = key.trim();
    if (this.current === "") localStorage.removeItem(STORED_AS);
    else localStorage.setItem(STORED_AS, this.current);
  }

  forget(): void {
    this.keep("");
  }
}

export const key = new Key();
