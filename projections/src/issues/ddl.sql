-- An error that was linked to a ticket. `ends_at` is the end as far as it is known: the issue is open while
-- linked_at <= time < ends_at.
create table issue (
    id          uuid        primary key,
    team_id     uuid        not null,
    project_id  uuid        not null,
    fingerprint uuid        not null,
    ticket      text        not null,
    note        text,
    user_id     uuid        not null,
    linked_at   timestamptz not null,
    changed_at  timestamptz not null,
    changed_by  uuid        not null,
    expires_at  timestamptz,
    closed_at   timestamptz,
    closed_by   uuid,
    ends_at     timestamptz not null
);
create index issue_error on issue (project_id, fingerprint, linked_at);
create index issue_project on issue (project_id, ends_at);
create index issue_team on issue (team_id, linked_at);
