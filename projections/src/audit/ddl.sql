-- What happened to teams, tokens, reports and accounts: one row an event. What the log knows nothing of (sign-ins, failures)
-- is in auth.audit. `no` is the position of the commit, `idx` the event's place in it.

create table entry (
    no            bigint      not null,
    idx           int         not null,
    at            timestamptz not null,
    -- Who did it: an account, or what acted for one. None: the system.
    user_id       uuid,
    token_id      uuid,
    publisher_id  uuid,
    team_id       uuid,
    action        text        not null,
    resource_type text        not null,
    resource_id   uuid        not null,
    metadata      jsonb,
    primary key (no, idx)
);
create index entry_at on entry (at desc, no desc, idx desc);
create index entry_team on entry (team_id, at desc);
create index entry_user on entry (user_id, at desc) where user_id is not null;

-- Whose tokens they are, also of revoked ones.
create table token_owner (
    token_id uuid primary key,
    user_id  uuid not null
);
