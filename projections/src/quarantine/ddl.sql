-- A stay of a test in quarantine. `ends_at` is the end as far as it is known: the test is in quarantine while
-- entered_at <= time < ends_at, also before anybody has noted that its time is over.
create table entry (
    id            uuid        primary key,
    no            bigint      not null,
    team_id       uuid        not null,
    project_id    uuid        not null,
    test_id       uuid        not null,
    -- Who put it there; nobody if the policy did.
    user_id       uuid,
    mode          text        not null,
    reason        text        not null,
    owner         text,
    ticket        text,
    entered_at    timestamptz not null,
    changed_at    timestamptz not null,
    expires_at    timestamptz not null,
    ends_at       timestamptz not null,
    released_at   timestamptz,
    released_why  text,
    released_user uuid,
    evidence      json
);
create index entry_test on entry (test_id, entered_at);
create index entry_project on entry (project_id, ends_at);
create index entry_team on entry (team_id, ends_at);
create index entry_open on entry (id) where released_at is null;
create index entry_due on entry (expires_at) where released_at is null;

create table policy (
    project_id    uuid             primary key,
    team_id       uuid             not null,
    enabled       boolean          not null,
    mode          text             not null,
    max_share     double precision not null,
    max_count     bigint           not null,
    expiry_days   bigint           not null,
    owner         text,
    max_per_owner bigint,
    set_at        timestamptz      not null,
    set_by        uuid             not null
);
create index policy_team on policy (team_id);
create index policy_enabled on policy (project_id) where enabled;
