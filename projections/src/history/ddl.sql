-- Unqualified: the search path says which schema is filled. Every id follows from content, never from the order of arrival,
-- so that a report that was deleted leaves no trace.

create table project (
    id             uuid primary key,
    team_id        uuid not null,
    name           text not null,
    default_branch text not null,
    -- Who owns its tests; none if nobody said.
    codeowners     text
);
create index project_team on project (team_id);

-- A branch on which tests have histories; its id follows from project and name. `reports` counts all that ever arrived: the
-- number of the newest one; `deleted`, those of them that are gone. What follows from `series` was found for those up to `settled`; for later ones it is found soon.
create table branch (
    id         uuid primary key,
    project_id uuid not null,
    team_id    uuid not null,
    name       text not null,
    reports    int  not null,
    deleted    int  not null,
    settled    int  not null
);
create index branch_project on branch (project_id, name);

-- Where results come from, as far as sums can be narrowed to it.
create table slice (
    id          uuid   primary key,
    team_id     uuid   not null,
    project_id  uuid   not null,
    branch      text   not null,
    environment text   not null,
    tags        text[] not null
);
create index slice_team on slice (team_id, project_id);

-- Sums over a quarter of an hour of a slice: every time zone is a whole number of them away from UTC.
create table quarter (
    slice_id    uuid        not null,
    at          timestamptz not null,
    reports     bigint      not null,
    tests       bigint      not null,
    passed      bigint      not null,
    failed      bigint      not null,
    skipped     bigint      not null,
    pending     bigint      not null,
    other       bigint      not null,
    flaky       bigint      not null,
    duration_ms bigint      not null,
    -- Results by duration: below 100 ms, 500 ms, 1 s, 5 s, 30 s, 2 min, and above.
    durations   bigint[]    not null,
    primary key (slice_id, at)
);

-- The same over a day in UTC, so that long spans are few rows.
create table day (like quarter including all);

-- A report, as far as histories need it. `seq` numbers the reports of a branch.
create table fact (
    no          bigint      primary key,
    report_id   uuid        not null,
    run_id      uuid        not null,
    team_id     uuid        not null,
    project_id  uuid        not null,
    branch_id   uuid        not null,
    slice_id    uuid        not null,
    seq         int         not null,
    at          timestamptz not null,
    tests       bigint      not null,
    passed      bigint      not null,
    failed      bigint      not null,
    skipped     bigint      not null,
    pending     bigint      not null,
    other       bigint      not null,
    flaky       bigint      not null,
    duration_ms bigint      not null,
    durations   bigint[]    not null,
    commit      text,
    base_commit text,
    target      text,
    change      text
);
create unique index fact_branch on fact (branch_id, seq);
create index fact_report on fact (report_id);
create index fact_run on fact (run_id);

create table test (
    id         uuid primary key,
    team_id    uuid not null,
    project_id uuid not null,
    name       text not null,
    suite      json not null,
    file_path  text,
    tags       json not null,
    -- Whom the report named as owners, and who they are: these, else those of the project's file.
    named_owners json not null,
    owners     json not null,
    -- What a search looks into, in lower case.
    words      text not null,
    -- No report tells of it (any more): it is named by what was joined with it, see `alias`.
    made_up    boolean not null default false
);
create index test_project on test (project_id);

-- One test on one branch in one variant: what became of it in the newest runs, and what follows from that: the score, the
-- counts, `state`, `failed_at`, the percentiles and `since` are a function of `seen`, `durations` and `fact`. What lists are
-- sorted and narrowed by stands first, as far as it has a fixed width: it is read without a look at the rest.
create table series (
    branch_id    uuid        not null,
    test_id      uuid        not null,
    variant      bigint      not null,
    score        double precision not null,
    score_low    double precision not null,
    score_high   double precision not null,
    first_at     timestamptz not null,
    last_at      timestamptz not null,
    last_seq     int         not null,
    runs         int         not null,
    passed       int         not null,
    flaked       int         not null,
    failed       int         not null,
    last_status  smallint    not null,
    state        smallint    not null,
    failed_at    timestamptz,
    p95_ms       bigint,
    p50_ms       bigint,
    since        timestamptz,
    browser      text,
    device       text,
    os           text,
    -- The runs, see `seen.rs`; the durations of the newest ones that passed at once, a byte each, see `durations`.
    seen         bytea       not null,
    durations    bytea       not null,
    primary key (branch_id, test_id, variant)
) with (fillfactor = 70);
create index series_test on series (test_id);
create index series_unwell on series (branch_id, state) where state <> 0;

-- What reports up to `seq` said of series that never failed and is not in `series` yet, see `told.rs`. Empty while nothing
-- is on its way.
create table told (
    branch_id uuid  not null,
    seq       int   not null,
    series    bytea not null,
    primary key (branch_id, seq)
);
-- Ids do not compress.
alter table told alter series set storage external;

-- A test that was renamed. Everything of it is kept under `target_id`: what became of `to_id` in the end.
create table alias (
    from_id    uuid             primary key,
    to_id      uuid             not null,
    target_id  uuid             not null,
    project_id uuid             not null,
    team_id    uuid             not null,
    -- As both were called then: {name, suite, file_path}.
    from_named json             not null,
    to_named   json             not null,
    similarity double precision not null,
    reason     text             not null,
    user_id    uuid             not null,
    at         timestamptz      not null
);
create index alias_project on alias (project_id);
create index alias_target on alias (target_id);

-- Pairs of tests that are not one, as somebody said.
create table dismissed (
    project_id uuid not null,
    from_id    uuid not null,
    to_id      uuid not null,
    primary key (project_id, from_id, to_id)
);

-- The series of tests that are joined with others, each under the id that its reports gave: `series` has them together,
-- and they are what is left when they are separated. Empty as long as nothing is joined.
create table part (
    branch_id   uuid        not null,
    test_id     uuid        not null,
    variant     bigint      not null,
    browser     text,
    device      text,
    os          text,
    seen        bytea       not null,
    durations   bytea       not null,
    last_status smallint    not null,
    first_at    timestamptz not null,
    last_at     timestamptz not null,
    last_seq    int         not null,
    primary key (branch_id, test_id, variant)
);
create index part_test on part (test_id);

-- A result that failed, or passed only after a failure.
create table failure (
    no          bigint      not null,
    idx         int         not null,
    project_id  uuid        not null,
    branch_id   uuid        not null,
    slice_id    uuid        not null,
    test_id     uuid        not null,
    variant     bigint      not null,
    fingerprint uuid        not null,
    at          timestamptz not null,
    attempts    int         not null,
    flaked      boolean     not null,
    -- As which test it was reported, if that was joined with `test_id`.
    reported_id uuid,
    -- What it says; only of the first one in its report with the fingerprint.
    message     text,
    primary key (no, idx)
);
create index failure_fingerprint on failure (project_id, fingerprint, at);
create index failure_test on failure (test_id, fingerprint, flaked);

-- A kind of failure; its id is the fingerprint of what was said, see `scaledtest_insight::fingerprint`. Kinds that say nearly
-- the same have one `cluster_id`: that of the kind which came first, by `no` and fingerprint. Together they are what people
-- call an error.
create table error (
    project_id  uuid   not null,
    fingerprint uuid   not null,
    team_id     uuid   not null,
    cluster_id  uuid   not null,
    -- Of the first failure of the kind, as the log has them: its report, and what it said.
    no          bigint not null,
    message     text   not null,
    -- What follows from the fingerprint: the innermost frame; and to tell what is near, the first line, and what only near ones
    -- share. Null of a failure that said nothing.
    place       text,
    headline    text   not null,
    place_key   bigint,
    words_key   bigint,
    primary key (project_id, fingerprint)
);
create index error_cluster on error (project_id, cluster_id);
create index error_place on error (project_id, place_key, fingerprint);
create index error_words on error (project_id, words_key, fingerprint);

-- Failures of a kind in a quarter of an hour of a slice.
create table error_quarter (
    project_id  uuid        not null,
    slice_id    uuid        not null,
    at          timestamptz not null,
    fingerprint uuid        not null,
    failures    bigint      not null,
    primary key (project_id, slice_id, at, fingerprint)
);

-- The same over a day in UTC.
create table error_day (like error_quarter including all);

create table error_test (
    project_id  uuid   not null,
    fingerprint uuid   not null,
    test_id     uuid   not null,
    failures    bigint not null,
    primary key (project_id, fingerprint, test_id)
);
