-- What a crawl follows beside the packages themselves: whether they are still to be had, how far the hub's listing was read.

ALTER TABLE packages
    -- gone: deleted or private, which hubs do not tell strangers
    ADD COLUMN availability text NOT NULL DEFAULT 'public'
        CHECK (availability IN ('public', 'private', 'disabled', 'renamed', 'gone')),
    ADD COLUMN renamed_to text,
    -- {"inputs": [{"name", "element_type", "shape"}], "outputs": [...]}; NULL where the hub does not say
    ADD COLUMN io_ports jsonb;

ALTER TABLE files ADD COLUMN xet_hash text;

ALTER TABLE crawls
    -- the latest change seen, by the hub's clock: the next run of the plan stops there
    ADD COLUMN newest_modified timestamptz,
    -- ETag of the listing's first page
    ADD COLUMN listing_validator text;
