//! From events to rows. Evaluations are gathered; whatever could take one away writes them first.

use crate::{ApplyError, Item, checkpoint::signed, copy::clean};
use scaledtest_domain::{
    Event,
    events::{
        evaluation::{self, Evaluated},
        gate, report,
    },
    gate::{Definition, Extent, Waiver},
};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

pub(super) async fn apply(conn: &mut PgConnection, batch: &[Item]) -> Result<(), ApplyError> {
    let mut gathered: Vec<(&Item, &Evaluated)> = Vec::new();
    for item in batch {
        for event in &item.events {
            match event {
                Event::Evaluation(evaluation::Event::Evaluated(evaluated)) => gathered.push((item, evaluated)),
                Event::Gate(event) => {
                    write(conn, std::mem::take(&mut gathered)).await?;
                    change(conn, item, event).await?;
                }
                Event::Report(report::Event::Deleted(gone)) => {
                    write(conn, std::mem::take(&mut gathered)).await?;
                    let delete = sqlx::query("delete from evaluation where report_id = $1");
                    delete.bind(gone.report.0).execute(&mut *conn).await?;
                }
                _ => {}
            }
        }
    }
    write(conn, gathered).await
}

async fn change(conn: &mut PgConnection, item: &Item, event: &gate::Event) -> Result<(), ApplyError> {
    match event {
        gate::Event::Created(created) => insert(conn, item, created.gate.0, &created.definition).await,
        gate::Event::Changed(changed) => update(conn, item, changed.gate.0, &changed.definition).await,
        gate::Event::Deleted(deleted) => {
            sqlx::query("delete from evaluation where gate_id = $1").bind(deleted.gate.0).execute(&mut *conn).await?;
            sqlx::query("delete from waiver where gate_id = $1").bind(deleted.gate.0).execute(&mut *conn).await?;
            sqlx::query("delete from gate where id = $1").bind(deleted.gate.0).execute(&mut *conn).await?;
            Ok(())
        }
        gate::Event::RuleWaived(waived) => waive(conn, item, waived.gate.0, &waived.waiver).await,
        gate::Event::WaiverRevoked(revoked) => {
            sqlx::query("update waiver set revoked_at = $2, revoked_by = $3 where id = $1 and revoked_at is null")
                .bind(revoked.waiver.0)
                .bind(item.commit.at)
                .bind(revoked.by.0)
                .execute(conn)
                .await?;
            Ok(())
        }
    }
}

async fn waive(conn: &mut PgConnection, item: &Item, gate: Uuid, waiver: &Waiver) -> Result<(), ApplyError> {
    let (run, branch) = match &waiver.extent {
        Extent::Run(run) => (Some(run.0), None),
        Extent::Branch(branch) => (None, Some(clean(branch))),
    };
    sqlx::query(
        "insert into waiver (id, no, team_id, gate_id, rule, run_id, branch, reason, user_id, created_at, expires_at)
         select $1, $2, $3, id, $5, $6, $7, $8, $9, $10, $11 from gate where id = $4 and team_id = $3
         on conflict (id) do nothing",
    )
    .bind(waiver.id.0)
    .bind(signed(item.n))
    .bind(item.team()?.0)
    .bind(gate)
    .bind(Json(&waiver.rule))
    .bind(run)
    .bind(branch)
    .bind(clean(&waiver.reason))
    .bind(waiver.by.0)
    .bind(item.commit.at)
    .bind(waiver.expires_at)
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert(conn: &mut PgConnection, item: &Item, id: Uuid, gate: &Definition) -> Result<(), ApplyError> {
    sqlx::query(
        "insert into gate (id, no, team_id, name, description, rules, branches, enabled, enabled_no, version, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $2, 1, $9, $9) on conflict (id) do nothing",
    )
    .bind(id)
    .bind(signed(item.n))
    .bind(item.team()?.0)
    .bind(clean(&gate.name))
    .bind(gate.description.as_deref().map(clean))
    .bind(Json(&gate.rules))
    .bind(&gate.branches)
    .bind(gate.enabled)
    .bind(item.commit.at)
    .execute(conn)
    .await?;
    Ok(())
}

async fn update(conn: &mut PgConnection, item: &Item, id: Uuid, gate: &Definition) -> Result<(), ApplyError> {
    sqlx::query(
        "update gate set name = $2, description = $3, rules = $4, branches = $5, enabled = $6, version = version + 1, updated_at = $7,
                enabled_no = case when $6 and not enabled then $8 else enabled_no end
         where id = $1",
    )
    .bind(id)
    .bind(clean(&gate.name))
    .bind(gate.description.as_deref().map(clean))
    .bind(Json(&gate.rules))
    .bind(&gate.branches)
    .bind(gate.enabled)
    .bind(item.commit.at)
    .bind(signed(item.n))
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes evaluations of gates that are there.
async fn write(conn: &mut PgConnection, evaluations: Vec<(&Item, &Evaluated)>) -> Result<(), ApplyError> {
    if evaluations.is_empty() {
        return Ok(());
    }
    let of = |pick: fn(&Evaluated) -> Uuid| evaluations.iter().map(|(_, one)| pick(one)).collect::<Vec<_>>();
    let teams: Result<Vec<Uuid>, ApplyError> = evaluations.iter().map(|(item, _)| Ok(item.team()?.0)).collect();
    sqlx::query(
        "insert into evaluation (id, no, team_id, gate_id, report_id, run_id, report_no, outcome, name, rules, results, baseline,
                                 created_at)
         select new.id, new.no, new.team_id, gate_id, report_id, run_id, report_no, outcome, new.name, new.rules, results, baseline, at
         from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::bigint[], $8::text[], $9::json[],
                     $10::json[], $11::timestamptz[], $12::text[], $13::json[])
              as new (id, no, team_id, gate_id, report_id, run_id, report_no, outcome, results, baseline, at, name, rules)
         join gate on gate.id = gate_id and gate.team_id = new.team_id
         order by new.no on conflict (id) do nothing",
    )
    .bind(of(|one| one.evaluation.0))
    .bind(evaluations.iter().map(|(item, _)| signed(item.n)).collect::<Vec<_>>())
    .bind(teams?)
    .bind(of(|one| one.gate.0))
    .bind(of(|one| one.report.0))
    .bind(of(|one| one.run.0))
    .bind(evaluations.iter().map(|(_, one)| one.report_no.map(signed)).collect::<Vec<_>>())
    .bind(evaluations.iter().map(|(_, one)| one.outcome.as_str()).collect::<Vec<_>>())
    .bind(evaluations.iter().map(|(_, one)| Json(&one.results)).collect::<Vec<_>>())
    .bind(evaluations.iter().map(|(_, one)| one.baseline.as_ref().map(Json)).collect::<Vec<_>>())
    .bind(evaluations.iter().map(|(item, _)| item.commit.at).collect::<Vec<_>>())
    .bind(evaluations.iter().map(|(_, one)| clean(&one.name)).collect::<Vec<_>>())
    .bind(evaluations.iter().map(|(_, one)| Json(&one.rules)).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}
