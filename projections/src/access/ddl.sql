-- Who may do what, by id. Names and addresses of persons are in the schema `auth`. `no` is the position of the commit.

create table account (
    user_id       uuid        primary key,
    instance_role text        not null,
    is_disabled   boolean     not null default false,
    created_at    timestamptz not null,
    updated_at    timestamptz not null,
    no            bigint      not null
);
create index account_newest on account (no desc);
create index account_owner on account (user_id) where instance_role = 'owner';

create table team (
    id            uuid        primary key,
    name          text        not null,
    -- Whether anybody may see the badges of its projects.
    badges_public boolean     not null default false,
    -- For how many days results are kept; as the instance says if null.
    retention_days smallint,
    created_at    timestamptz not null,
    no            bigint      not null
);
create index team_newest on team (no desc);

-- What else belongs to one of these is left out from then on.
create table deleted_team (
    team_id    uuid        primary key,
    deleted_at timestamptz not null,
    no         bigint      not null
);

create table member (
    team_id   uuid        not null,
    user_id   uuid        not null,
    role      text        not null,
    joined_at timestamptz not null,
    no        bigint      not null,
    primary key (team_id, user_id)
);
create index member_user on member (user_id, no);

create table token (
    id         uuid        primary key,
    team_id    uuid        not null,
    user_id    uuid        not null,
    name       text        not null,
    prefix     text        not null,
    scopes     text[]      not null,
    expires_at timestamptz,
    created_at timestamptz not null,
    no         bigint      not null
);
create index token_team on token (team_id, no desc);

-- Those that were taken back are gone from here.
create table invitation (
    id          uuid        primary key,
    team_id     uuid        not null,
    role        text        not null,
    invited_by  uuid,
    expires_at  timestamptz not null,
    accepted_at timestamptz,
    accepted_by uuid,
    created_at  timestamptz not null,
    no          bigint      not null
);
create index invitation_team on invitation (team_id, no desc);

create table publisher (
    id          uuid        primary key,
    team_id     uuid        not null,
    user_id     uuid        not null,
    issuer      text        not null,
    repository  text        not null,
    branch      text,
    environment text,
    created_at  timestamptz not null,
    no          bigint      not null
);
create index publisher_team on publisher (team_id, no desc);
create index publisher_rule on publisher (issuer, lower(repository));

-- Links to runs; those that were revoked are gone from here. What a link holds is nowhere: it follows from the id.
create table share (
    id         uuid        primary key,
    team_id    uuid        not null,
    user_id    uuid        not null,
    run_id     uuid        not null,
    expires_at timestamptz not null,
    created_at timestamptz not null,
    no         bigint      not null
);
create index share_run on share (team_id, run_id, no desc);
