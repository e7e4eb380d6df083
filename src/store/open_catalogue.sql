-- The catalogue without what is gated or private: for each table and view of `public` that says something of a package, a view of the
-- same name. A connection whose search path begins here runs every query of the store unchanged and sees nothing restricted.
--
-- Made anew whenever the schema changes (Store::migrate), so that no migration has to think of it.

CREATE SCHEMA open_catalogue;

CREATE VIEW open_catalogue.packages AS
SELECT * FROM public.packages WHERE NOT restricted;

CREATE VIEW open_catalogue.revisions AS
SELECT * FROM public.revisions r WHERE EXISTS (SELECT FROM open_catalogue.packages p WHERE p.id = r.package_id);

CREATE VIEW open_catalogue.versions AS
SELECT * FROM public.versions v WHERE EXISTS (SELECT FROM open_catalogue.revisions r WHERE r.id = v.revision_id);

CREATE VIEW open_catalogue.files AS
SELECT * FROM public.files f WHERE EXISTS (SELECT FROM open_catalogue.revisions r WHERE r.id = f.revision_id);

CREATE VIEW open_catalogue.texts AS
SELECT * FROM public.texts t WHERE EXISTS (SELECT FROM open_catalogue.files f WHERE f.text_digest = t.digest);

CREATE VIEW open_catalogue.fingerprints AS
SELECT * FROM public.fingerprints f WHERE EXISTS (SELECT FROM open_catalogue.revisions r WHERE r.fingerprint_id = f.id);

CREATE VIEW open_catalogue.tensors AS
SELECT * FROM public.tensors t WHERE EXISTS (SELECT FROM open_catalogue.fingerprints f WHERE f.id = t.fingerprint_id);

CREATE VIEW open_catalogue.signatures AS
SELECT * FROM public.signatures s WHERE EXISTS (SELECT FROM open_catalogue.fingerprints f WHERE f.id = s.fingerprint_id);

-- A release speaks of the one before it.
CREATE VIEW open_catalogue.releases AS
SELECT * FROM public.releases r
WHERE EXISTS (SELECT FROM open_catalogue.packages p WHERE p.id = r.package_id)
  AND NOT EXISTS (SELECT FROM public.packages p WHERE p.id = r.predecessor_id AND p.restricted);

-- An edge names all its ends, so all must be open.
CREATE VIEW open_catalogue.edges AS
SELECT * FROM public.edges e
WHERE EXISTS (SELECT FROM open_catalogue.packages p WHERE p.id = e.child_id)
  AND NOT EXISTS (
      SELECT FROM public.edge_parents ep JOIN public.packages p ON p.id = ep.parent_id
      WHERE ep.edge_id = e.id AND p.restricted);

CREATE VIEW open_catalogue.edge_parents AS
SELECT * FROM public.edge_parents ep WHERE EXISTS (SELECT FROM open_catalogue.edges e WHERE e.id = ep.edge_id);

CREATE VIEW open_catalogue.change_log AS
SELECT * FROM public.change_log l WHERE EXISTS (SELECT FROM open_catalogue.packages p WHERE p.id = l.package_id);

CREATE FUNCTION open_catalogue.is_open(reference text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (
        SELECT FROM public.packages p
        WHERE p.restricted AND p.hub = split_part(reference, ':', 1)
          AND p.owner || '/' || p.name = split_part(substr(reference, strpos(reference, ':') + 1), '@', 1))
$$;

CREATE VIEW open_catalogue.diffs AS
SELECT * FROM public.diffs d WHERE open_catalogue.is_open(d.a) AND open_catalogue.is_open(d.b);

-- What a crawl took or failed at is named.
CREATE VIEW open_catalogue.crawl_packages AS
SELECT * FROM public.crawl_packages c
WHERE open_catalogue.is_open((SELECT hub FROM public.crawls WHERE id = c.crawl_id) || ':' || c.name);

CREATE VIEW open_catalogue.crawl_failures AS
SELECT * FROM public.crawl_failures c
WHERE open_catalogue.is_open((SELECT hub FROM public.crawls WHERE id = c.crawl_id) || ':' || c.package);

-- The column failures is of older releases, and names packages.
DO $$
DECLARE columns text;
BEGIN
    SELECT string_agg(CASE attname WHEN 'failures' THEN '''[]''::jsonb AS failures' ELSE quote_ident(attname) END, ', ' ORDER BY attnum)
    INTO columns
    FROM pg_attribute WHERE attrelid = 'public.crawls'::regclass AND attnum > 0 AND NOT attisdropped;
    EXECUTE 'CREATE VIEW open_catalogue.crawls AS SELECT ' || columns || ' FROM public.crawls';
END $$;

-- Views over these tables, by the same definitions.
DO $$
DECLARE definitions text[];
        definition text;
BEGIN
    PERFORM set_config('search_path', 'public', true);
    SELECT array_agg(format('CREATE VIEW open_catalogue.%I AS %s', relname, pg_get_viewdef(oid)) ORDER BY oid)
    INTO definitions
    FROM pg_class c
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e');
    PERFORM set_config('search_path', 'open_catalogue, public', true);
    FOREACH definition IN ARRAY coalesce(definitions, '{}') LOOP
        EXECUTE definition;
    END LOOP;
END $$;
