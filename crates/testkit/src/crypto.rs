/// Makes aws-lc-rs the process-wide rustls provider. Any number of tests may call it.
pub fn install_crypto() {
    // An error means that one is installed already, and we only ever install this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
