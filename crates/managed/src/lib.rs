//! PostgreSQL and nats-server as supervised children.
