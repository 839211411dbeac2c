//! The write side: one file per kind of aggregate, each with its state, commands, refusals, `decide` and `evolve`.
//!
//! Pure: time, new ids and looked-up facts come in through the command; nothing here reads a clock or a socket.

pub mod alias;
pub mod claim;
pub mod evaluation;
pub mod gate;
pub mod invitation;
pub mod issue;
pub mod part;
pub mod policy;
pub mod project;
pub mod publisher;
pub mod quarantine;
pub mod report;
pub mod rollup;
pub mod run;
pub mod share;
pub mod team;
pub mod token;
pub mod user;

pub use alias::Alias;
pub use claim::Claim;
pub use evaluation::Evaluation;
pub use gate::Gate;
pub use invitation::Invitation;
pub use issue::Issue;
pub use part::Part;
pub use policy::Policy;
pub use project::Project;
pub use publisher::Publisher;
pub use quarantine::Quarantine;
pub use report::Report;
pub use rollup::Rollup;
pub use run::Run;
pub use share::Share;
pub use team::Team;
pub use token::Token;
pub use user::User;

#[cfg(test)]
mod testing;
