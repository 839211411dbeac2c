//! Whoever asks for whatever: nobody is shown an id of a team that is not theirs.

use super::authorisation::operations;
use crate::support::{Person, TestApp, providers::Providers};
use axum::http::Method;
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestRunner},
};
use scaledtest_domain::{TeamId, TeamRole};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A team, and the id of everything in it.
struct Owned {
    team: TeamId,
    ids: BTreeSet<String>,
}

struct World {
    _providers: Providers,
    server: TestApp,
    /// Credentials, and the teams that each may look into.
    actors: Vec<(String, Vec<usize>)>,
    teams: Vec<Owned>,
}

/// Every string in a document that is a UUID.
fn uuids(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.parse::<uuid::Uuid>().is_ok() => drop(into.insert(text.clone())),
        Value::Array(values) => values.iter().for_each(|value| uuids(value, into)),
        Value::Object(map) => map.values().for_each(|value| uuids(value, into)),
        _ => {}
    }
}

async fn fill(providers: &Providers, server: &TestApp, person: &Person, name: &str) -> (Owned, [String; 2]) {
    let workflow = providers.upload_token(server, &person.token, person.team).await;
    let secret = server.api_token(person, &["upload", "read", "write", "worker"]).await;
    let test = json!({"name": format!("{name} works"), "status": "failed", "duration": 1, "message": name});
    let report = json!({"results": {"tool": {"name": name}, "tests": [test]}});
    let path = format!("/api/v1/reports?project={name}&run_id=build-7&branch={name}");
    server.post(&secret, &path, report).await.expect(201);
    let mut ids = BTreeSet::new();
    for path in ["/api/v1/reports", "/api/v1/runs", "/api/v1/projects", "/api/v1/tests"] {
        uuids(&server.get(&secret, path).await.expect(200), &mut ids);
    }
    let invitation = json!({"email": format!("{name}s-friend@example.org"), "role": "readonly"});
    let path = format!("/api/v1/teams/{}/invitations", person.team);
    server.post(&person.token, &path, invitation).await.expect(201);
    for path in ["tokens", "members", "invitations", "trusted-publishers"] {
        let path = format!("/api/v1/teams/{}/{path}", person.team);
        uuids(&server.get(&person.token, &path).await.expect(200), &mut ids);
    }
    let runs = server.get(&secret, "/api/v1/runs").await.expect(200);
    let path = format!("/api/v1/runs/{}/shares", runs["runs"][0]["id"].as_str().unwrap());
    uuids(&server.post(&secret, &path, json!({})).await.expect(201), &mut ids);
    assert_eq!(ids.len(), 10, "report, run, project, test, token, invitation, publisher, share, team, person: {ids:?}");
    ids.remove(&person.user.to_string());
    ids.insert(person.team.to_string());
    (Owned { team: person.team, ids }, [secret, workflow])
}

impl World {
    async fn new() -> Self {
        let providers = Providers::start().await;
        let server = providers.server().await;
        // The instance's owner is asked about elsewhere: administration shows the ids of every team.
        server.register("root@example.com").await;
        let (mut actors, mut teams) = (Vec::new(), Vec::new());
        for (index, name) in ["red", "green", "blue"].into_iter().enumerate() {
            let person = server.register(&format!("{name}@example.com")).await;
            let (owned, [secret, workflow]) = fill(&providers, &server, &person, name).await;
            teams.push(owned);
            actors.extend([person.token, secret, workflow].map(|credential| (credential, vec![index])));
        }
        let both = server.register("both@example.com").await;
        server.join(teams[0].team, both.user, TeamRole::Readonly).await;
        server.join(teams[1].team, both.user, TeamRole::Maintainer).await;
        actors.push((both.token, vec![0, 1]));
        Self { _providers: providers, server, actors, teams }
    }

    /// Ids that an actor must never see: no team of theirs has them.
    fn hidden(&self, own: &[usize]) -> BTreeMap<&str, usize> {
        let seen: BTreeSet<_> = own.iter().flat_map(|team| &self.teams[*team].ids).collect();
        let all = self.teams.iter().enumerate().filter(|(team, _)| !own.contains(team));
        all.flat_map(|(team, owned)| owned.ids.iter().map(move |id| (id.as_str(), team)))
            .filter(|(id, _)| !seen.contains(&(*id).to_owned()))
            .collect()
    }
}

/// A call: who, what, and which ids stand where ids may stand.
type Call = (Index, Index, Index, Vec<Index>, Option<Index>, Option<Index>);

#[test]
fn nobody_is_shown_an_id_of_a_team_that_is_not_theirs() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(World::new());
    let reads: Vec<_> = operations().into_iter().filter(|operation| operation.method == Method::GET).collect();
    let ids: Vec<Vec<&String>> = world.teams.iter().map(|team| team.ids.iter().collect()).collect();
    let config = Config { cases: 1_500, failure_persistence: None, ..Config::default() };
    let index = any::<Index>;
    let calls = (
        index(),
        index(),
        index(),
        prop::collection::vec(index(), 2),
        prop::option::of(index()),
        prop::option::of(index()),
    );
    let found = std::cell::Cell::new(0);
    let outcome = TestRunner::new(config).run(&calls, |(actor, operation, of, picks, header, query): Call| {
        let (credential, own) = actor.get(&world.actors);
        let operation = operation.get(&reads);
        // Ids of one team, mostly, so that what belongs together is asked for together.
        let (team, ids) = (of.get(&world.teams).team.to_string(), of.get(&ids));
        let mut picks = picks.iter().map(|pick| pick.get(ids).as_str());
        let path: Vec<String> = operation
            .template
            .split('/')
            .map(|part| match part {
                "{team_id}" => team.clone(),
                "{result_id}" => "1".to_owned(),
                part if part.starts_with('{') => picks.next().unwrap_or_default().to_owned(),
                part => part.to_owned(),
            })
            .collect();
        let mut path = path.join("/");
        if let Some(query) = query {
            let id = query.get(ids);
            path.push_str(&format!("?project={id}&project_id={id}&run_id={id}&report_id={id}&team={id}&team_id={id}"));
        }
        let mut headers = vec![("authorization", format!("Bearer {credential}"))];
        headers.extend(header.map(|header| ("x-team-id", header.get(&world.teams).team.to_string())));
        let answer = runtime.block_on(world.server.call(Method::GET, &path, &headers, None));
        found.set(found.get() + u32::from(answer.status == 200));
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        for (id, team) in world.hidden(own) {
            prop_assert!(!text.contains(id), "{path} showed {id} of team {team}: {text}");
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
    assert!(found.get() > 100, "hardly anything was found: {}", found.get());
}
