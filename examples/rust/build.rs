//! Generates the client from the contract for callers.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const CONTRACT: &str = "../../client/proto";
    println!("cargo:rerun-if-changed={CONTRACT}");
    let files = protox::compile(["diga/integration/v1/integration_service.proto"], [CONTRACT])?;
    tonic_prost_build::configure()
        .build_server(false)
        .extern_path(".google.rpc", "::tonic_types::pb")
        .compile_fds(files)?;
    Ok(())
}
