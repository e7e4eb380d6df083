// The time of day that relative dates are read against, moved on once a minute.

class Clock {
  now = $state.raw(new Date());

  constructor() {
    setInterval(() => (this.now = new Date()), 60_000);
  }
}

export const clock = new Clock();
