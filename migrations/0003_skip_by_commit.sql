-- A rebuild from a new epoch may halt as well: then the epoch is not that of the tables. And a commit that is known by its id is
-- left out in every epoch, wherever it stands.
alter table ops.projection
    add column halted_at_epoch  bigint,
    add column halted_at_commit uuid;

alter table ops.projection_skip
    add column commit_id uuid;
