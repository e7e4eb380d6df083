-- A crawl is shared by many workers: its listing makes one row a package, and each package is taken by whoever comes first.

ALTER TABLE crawls ADD COLUMN stage text NOT NULL DEFAULT 'listing'
    CHECK (stage IN ('listing', 'packages', 'lineage'));

-- The packages of unfinished crawls. A crawl that ends keeps its totals and its failures only.
CREATE TABLE crawl_packages (
    crawl_id      bigint NOT NULL REFERENCES crawls ON DELETE CASCADE,
    name          text NOT NULL,
    done          boolean NOT NULL DEFAULT false,
    new_revisions integer NOT NULL DEFAULT 0,
    fingerprints  integer NOT NULL DEFAULT 0,
    failed        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (crawl_id, name)
);
CREATE INDEX crawl_packages_open ON crawl_packages (crawl_id, name) WHERE NOT done;

-- What failed in a crawl, one row a package or revision. Replaces crawls.failures, which this release no longer writes.
CREATE TABLE crawl_failures (
    crawl_id bigint NOT NULL REFERENCES crawls ON DELETE CASCADE,
    -- owner/name, with @revision where one revision is meant
    package  text NOT NULL,
    reason   text NOT NULL,
    PRIMARY KEY (crawl_id, package)
);
INSERT INTO crawl_failures (crawl_id, package, reason)
SELECT c.id, failure ->> 'package', failure ->> 'reason'
FROM crawls c CROSS JOIN jsonb_array_elements(c.failures) AS failure
ON CONFLICT DO NOTHING;
