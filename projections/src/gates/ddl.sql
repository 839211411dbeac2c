-- Unqualified: the search path says which schema is filled. `no` is the position of the commit in the log.

create table gate (
    id          uuid        primary key,
    no          bigint      not null,
    team_id     uuid        not null,
    name        text        not null,
    description text,
    rules       json        not null,
    branches    text[]      not null,
    enabled     boolean     not null,
    -- Uploads from here on are judged by it.
    enabled_no  bigint      not null,
    version     int         not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null
);
create index gate_team on gate (team_id, no desc);

create table evaluation (
    id         uuid        primary key,
    no         bigint      not null,
    team_id    uuid        not null,
    gate_id    uuid        not null,
    report_id  uuid        not null,
    run_id     uuid        not null,
    -- Position of the report whose arrival caused it; none if somebody asked.
    report_no  bigint,
    outcome    text        not null,
    name       text        not null,
    rules      json        not null,
    results    json        not null,
    baseline   json,
    created_at timestamptz not null
);
create index evaluation_gate on evaluation (gate_id, no desc);
create index evaluation_caused on evaluation (report_no, gate_id) where report_no is not null;
create index evaluation_report on evaluation (report_id);
create index evaluation_run on evaluation (run_id, gate_id, no desc);

create table waiver (
    id         uuid        primary key,
    no         bigint      not null,
    team_id    uuid        not null,
    gate_id    uuid        not null,
    rule       json        not null,
    -- One of the two.
    run_id     uuid,
    branch     text,
    reason     text        not null,
    user_id    uuid        not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revoked_by uuid
);
create index waiver_gate on waiver (gate_id, no desc);
