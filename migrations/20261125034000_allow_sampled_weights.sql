-- Level `sample`: a few values at fixed places of each tensor. Code of the release before neither writes nor asks for it.
ALTER TABLE fingerprints DROP CONSTRAINT IF EXISTS fingerprints_level_check;
ALTER TABLE fingerprints ADD CONSTRAINT fingerprints_level_check CHECK (level IN ('metadata', 'sample', 'full'));
ALTER TABLE crawls DROP CONSTRAINT IF EXISTS crawls_level_check;
ALTER TABLE crawls ADD CONSTRAINT crawls_level_check CHECK (level IN ('metadata', 'sample', 'full'));
