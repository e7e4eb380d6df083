-- When a crawl last got on: one that is not finished and has been still for long was cut off, and goes on at its next run.
ALTER TABLE crawls ADD COLUMN active_at timestamptz NOT NULL DEFAULT now();

-- What was published lately.
CREATE INDEX revisions_date ON revisions (date);
