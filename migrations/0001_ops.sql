-- Where the read models stand. Their own tables are not here: each projection makes its schema in code (see README.md).
create schema if not exists ops;

-- One row per projection, and one named <projection>_next while it is being rebuilt.
create table ops.projection (
    name               text primary key,
    -- Version of the code that made the tables; another one means a rebuild.
    version            int         not null,
    -- Position of the last commit whose rows are in the tables, and that commit: a rewound log is found by it.
    epoch              bigint      not null,
    position           bigint      not null,
    commit_id          uuid,
    -- active; halted: an event could not be applied, see error; yield: a rebuild asks the runner to let go.
    state              text        not null default 'active' check (state in ('active', 'halted', 'yield')),
    error              text,
    halted_at_position bigint,
    updated_at         timestamptz not null default now()
);

-- Events that an operator decided to leave out, for ever.
create table ops.projection_skip (
    name     text        not null,
    epoch    bigint      not null,
    position bigint      not null,
    by       text        not null,
    at       timestamptz not null default now(),
    reason   text        not null,
    primary key (name, epoch, position)
);

-- Every time the log was found rewound.
create table ops.epoch (
    epoch    bigint      primary key,
    began_at timestamptz not null default now(),
    reason   text        not null
);
