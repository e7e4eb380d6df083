// Whether the server answers. While it does not, asks again until it does.

const RETRY_MILLISECONDS = 3000;

class Connection {
  online = $state(true);
  /** Counts the times the server came back: whoever depends on it asks again. */
  recoveries = $state(0);
  #timer: ReturnType<typeof setTimeout> | undefined;

  lost(): void {
    this.online = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#probe(), RETRY_MILLISECONDS);
  }

  reached(): void {
    clearTimeout(this.#timer);
    this.online = true;
  }

  async #probe(): Promise<void> {
    const answered = await fetch("/api/v1/health").catch(() => null);
    if (!answered) return this.lost();
    this.online = true;
    this.recoveries += 1;
  }
}

export const connection = new Connection();
