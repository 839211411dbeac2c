-- Unqualified: the search path says which schema is filled. `no` is the position of the commit in the log.

create table project (
    id             uuid        primary key,
    team_id        uuid        not null,
    name           text        not null,
    default_branch text        not null,
    created_at     timestamptz not null,
    no             bigint      not null
);
create index project_team on project (team_id);

-- The branches of a project, for filters.
create table branch (
    project_id  uuid        not null,
    team_id     uuid        not null,
    name        text        not null,
    reports     bigint      not null,
    last_run_at timestamptz not null,
    primary key (project_id, name)
);

create table report (
    no                   bigint      primary key,
    id                   uuid        not null unique,
    team_id              uuid        not null,
    project_id           uuid        not null,
    run_id               uuid        not null,
    upload_id            uuid        not null,
    -- Where its results are; see `scaledtest_domain::retention`.
    part                 int         not null,
    -- What histories need of it stands in a roll-up: its results go with their part.
    sealed               boolean     not null default false,
    -- They are gone.
    dropped              boolean     not null default false,
    created_at           timestamptz not null,
    run_at               timestamptz not null,
    received_at          timestamptz not null,
    document_at          timestamptz,
    tests                bigint      not null,
    passed               bigint      not null,
    failed               bigint      not null,
    skipped              bigint      not null,
    pending              bigint      not null,
    other                bigint      not null,
    flaky                bigint      not null,
    start_ms             bigint      not null,
    stop_ms              bigint      not null,
    duration_ms          bigint      not null,
    body_bytes           bigint      not null,
    chunk_first          bigint      not null,
    chunk_last           bigint      not null,
    chunk_count          int         not null,
    shards               int,
    partial              boolean     not null,
    triage_github_status boolean     not null,
    execution_id         uuid,
    claim_id             uuid,
    run_key              text,
    shard_id             text,
    format               text        not null,
    spec_version         text,
    document_id          text,
    tool_name            text        not null,
    tool_version         text,
    branch               text,
    commit               text,
    base_commit          text,
    target_branch        text,
    pr                   text,
    build                text,
    build_url            text,
    repository           text,
    media_type           text        not null,
    body_hash            text        not null,
    chunk_hash           text        not null,
    tags                 text[]      not null,
    github               json,
    declared             json,
    environment          json,
    diagnostics          json,
    extra                json
);
create index report_newest on report (team_id, created_at desc, no desc);
create index report_run on report (run_id);
create index report_branch on report (project_id, branch);
create index report_part on report (part);

-- The parts that there are; what is kept beyond its time is none.
create table part (
    part int primary key
);

-- Runs whose results are kept beyond their time, whether they are there or not.
create table pin (
    run_id uuid        primary key,
    at     timestamptz not null
);

-- A run is its live reports together; always computed from them, never counted up.
create table run (
    id          uuid        primary key,
    no          bigint      not null,
    team_id     uuid        not null,
    project_id  uuid        not null,
    key         text,
    branch      text,
    commit      text,
    pr          text,
    build       text,
    build_url   text,
    reports     bigint      not null,
    shards      int,
    -- All its shards are there, or it is one report. Whether it has waited long enough is seen when it is read.
    complete    boolean     not null,
    partial     boolean     not null,
    tools       text[]      not null,
    tags        text[]      not null,
    tests       bigint      not null,
    passed      bigint      not null,
    failed      bigint      not null,
    skipped     bigint      not null,
    pending     bigint      not null,
    other       bigint      not null,
    flaky       bigint      not null,
    start_ms    bigint      not null,
    stop_ms     bigint      not null,
    duration_ms bigint      not null,
    created_at  timestamptz not null,
    run_at      timestamptz not null,
    updated_at  timestamptz not null
);
create index run_newest on run (team_id, created_at desc, no desc);

-- What stays the same about a test from run to run, once for all the results that have it in common: most of a row would be
-- this. The id follows from the rest. One that no result has any more is removed with the report that had it last.
create table test_case (
    id        uuid   primary key,
    test_id   uuid   not null,
    name      text   not null,
    suite     text[] not null,
    file_path text,
    browser   text,
    device    text,
    os        text,
    tags      text[] not null
);
alter table test_case alter suite set statistics 0, alter file_path set statistics 0, alter tags set statistics 0;

-- Which of them the results of a part have: so that those which nobody has any more are known when a part is dropped.
create table part_case (
    part    int  not null,
    case_id uuid not null,
    primary key (case_id, part)
) partition by list (part);

-- Raw results, by part: retention drops a partition. Wide numbers first, so that no row is padded.
create table result (
    report_no      bigint   not null,
    duration_ms    bigint   not null,
    start_ms       bigint,
    stop_ms        bigint,
    part           int      not null,
    idx            int      not null,
    line           int,
    retries        int      not null,
    status         smallint not null,
    flaky          boolean  not null,
    reported_flaky boolean,
    case_id        uuid     not null,
    raw_status     text,
    message        text,
    trace          text,
    snippet        text,
    stdout         text,
    stderr         text,
    steps          json,
    attachments    json,
    extra          json
) partition by list (part);

-- Results as they are read. A left join, so that one which needs nothing of the case is none.
create view test_result as
select result.part, result.report_no, result.idx, test_case.test_id, test_case.name, test_case.suite,
       test_case.file_path, result.line, result.status, result.raw_status, result.duration_ms, result.start_ms, result.stop_ms,
       result.retries, result.flaky, result.reported_flaky, test_case.tags, test_case.browser, test_case.device, test_case.os,
       result.message, result.trace, result.snippet, result.stdout, result.stderr, result.steps, result.attachments,
       result.extra
from result left join test_case on test_case.id = result.case_id;

-- Executions of a test before its final one.
create table attempt (
    report_no   bigint   not null,
    duration_ms bigint,
    start_ms    bigint,
    part        int      not null,
    idx         int      not null,
    attempt     int      not null,
    line        int,
    status      smallint not null,
    message     text,
    trace       text,
    snippet     text,
    stdout      text,
    stderr      text,
    attachments json
) partition by list (part);
