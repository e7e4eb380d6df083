//! Sees to what is embedded at compile time: the dashboard's folder exists (empty until the dashboard is built), and a new
//! migration or a new dashboard rebuilds the crate.

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=migrations");
    println!("cargo:rerun-if-changed=web/dist");
    std::fs::create_dir_all("web/dist")
}
