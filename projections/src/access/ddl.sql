-- Who may do what, by id. Names and addresses of persons are in the schema `auth`. `no` is the position of the commit.

create table account (
    user_id       uuid        primary key,
    instance_role text        not null,
    created_at    timestamptz not null,
    no            bigint      not null
);

create table team (
    id         uuid        primary key,
    name       text        not null,
    created_at timestamptz not null,
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
