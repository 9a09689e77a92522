-- Released migrations never change: add a file instead.

-- Runs that stop for a review before they publish.
ALTER TABLE drafts ADD COLUMN confirm INTEGER NOT NULL DEFAULT 0;
-- How the repository's `verify` command ended: passed, failed.
ALTER TABLE drafts ADD COLUMN verdict TEXT;

ALTER TABLE drafts ADD COLUMN cache_written_tokens INTEGER NOT NULL DEFAULT 0;
-- Millionths of a US dollar; NULL: no price is known.
ALTER TABLE drafts ADD COLUMN cost INTEGER;

-- The pull request as it was when it was last looked at, and what the server wants to hear to say that nothing changed.
ALTER TABLE drafts ADD COLUMN pull_state TEXT;
ALTER TABLE drafts ADD COLUMN pull_checks TEXT;
ALTER TABLE drafts ADD COLUMN pull_looked_at INTEGER;
ALTER TABLE drafts ADD COLUMN pull_etags TEXT NOT NULL DEFAULT '{}';
CREATE INDEX drafts_created_at ON drafts (created_at);

-- A change that waits for a review is a run of its report too.
DROP INDEX drafts_active;
CREATE UNIQUE INDEX drafts_active ON drafts (feedback_n) WHERE state IN ('queued', 'running', 'waiting');

-- The answers of runs that were interrupted before this version are kept in another form now.
DELETE FROM draft_artifacts WHERE name = 'answer';
