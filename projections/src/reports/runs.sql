insert into run (id, no, team_id, project_id, key, branch, commit, pr, build, build_url, reports, shards, complete, partial,
                 tools, tags, tests, passed, failed, skipped, pending, other, flaky, start_ms, stop_ms, duration_ms,
                 created_at, run_at, updated_at)
select run_id, min(no), min(team_id::text)::uuid, min(project_id::text)::uuid,
       -- Of the first report that says it.
       (array_agg(run_key order by no) filter (where run_key is not null))[1],
       (array_agg(branch order by no) filter (where branch is not null))[1],
       (array_agg(commit order by no) filter (where commit is not null))[1],
       (array_agg(pr order by no) filter (where pr is not null))[1],
       (array_agg(build order by no) filter (where build is not null))[1],
       (array_agg(build_url order by no) filter (where build_url is not null))[1],
       count(*), max(shards),
       count(run_key) = 0 or coalesce(count(distinct coalesce(shard_id, no::text)) >= max(shards), false),
       bool_or(partial),
       array_agg(distinct tool_name collate "C"),
       coalesce((select array_agg(distinct tag collate "C")
                 from report tagged, unnest(tagged.tags) tag where tagged.run_id = report.run_id), '{}'),
       least(sum(tests), 9223372036854775807)::bigint, least(sum(passed), 9223372036854775807)::bigint, least(sum(failed), 9223372036854775807)::bigint, least(sum(skipped), 9223372036854775807)::bigint, least(sum(pending), 9223372036854775807)::bigint,
       least(sum(other), 9223372036854775807)::bigint, least(sum(flaky), 9223372036854775807)::bigint,
       -- 0 is unknown.
       coalesce(min(start_ms) filter (where start_ms > 0), 0), max(stop_ms),
       case when min(start_ms) > 0 and min(stop_ms) > 0 then max(stop_ms) - min(start_ms) else least(sum(duration_ms), 9223372036854775807)::bigint end,
       min(created_at), min(run_at), max(received_at)
from report
where run_id = any($2)
group by run_id
on conflict (id) do update set
       no = excluded.no, team_id = excluded.team_id, project_id = excluded.project_id, key = excluded.key, branch = excluded.branch, commit = excluded.commit, pr = excluded.pr, build = excluded.build, build_url = excluded.build_url, reports = excluded.reports, shards = excluded.shards, complete = excluded.complete, partial = excluded.partial, tools = excluded.tools, tags = excluded.tags, tests = excluded.tests, passed = excluded.passed, failed = excluded.failed, skipped = excluded.skipped, pending = excluded.pending, other = excluded.other, flaky = excluded.flaky, start_ms = excluded.start_ms, stop_ms = excluded.stop_ms, duration_ms = excluded.duration_ms, created_at = excluded.created_at, run_at = excluded.run_at, updated_at = excluded.updated_at
