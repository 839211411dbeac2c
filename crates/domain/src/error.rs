/// What a caller should do about a refusal. The HTTP layer turns it into a status code, in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is wrong and will stay wrong: change it.
    Invalid,
    /// No, or no acceptable, credentials: sign in.
    Unauthenticated,
    /// The credentials don't allow it: ask somebody with more rights.
    Forbidden,
    /// It doesn't exist, or not for this caller.
    NotFound,
    /// It clashes with the present state: reload and decide again.
    Conflict,
    /// The same idempotency key came with another request: use a new key.
    KeyReused,
    /// It was there and is no longer kept.
    Gone,
    /// Over a limit: send less.
    TooLarge,
    /// Too often: wait and retry.
    RateLimited,
    /// A part is not reachable or lags: the same request may succeed later.
    Unavailable,
    /// A defect on our side.
    Internal,
}
