-- Crawls that come again by themselves.

CREATE TABLE schedules (
    name       text PRIMARY KEY,
    -- five fields, read on a clock of the time zone (an IANA name)
    cron       text NOT NULL,
    time_zone  text NOT NULL,
    -- what to crawl: store::crawls::CrawlPlan
    plan       jsonb NOT NULL,
    -- what of the runs that were missed while no worker was there: once runs one now, skip waits for the next
    catch_up   text NOT NULL DEFAULT 'once' CHECK (catch_up IN ('once', 'skip')),
    paused     boolean NOT NULL DEFAULT false,
    next_run   timestamptz NOT NULL,
    last_run   timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX schedules_due ON schedules (next_run) WHERE NOT paused;
